"""Every setting, described once: ``config/example.env`` and ``docs/reference/settings.md`` are made from this class.

A value comes from the environment, from the file that ``NAME_FILE`` points to, or from ``.env`` in the working
directory, in this order. A wrong value stops the program with a sentence that names it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from psycopg import Error as PsycopgError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what is expected."""


class Settings(BaseSettings):
    """All settings. The environment variable of a field is its name in upper case."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", frozen=True, extra="ignore")

    environment: Literal["development", "production"] = Field(
        "development",
        description="`production` refuses to start without https, and refuses platforms on private addresses.",
    )
    data_dir: Path = Field(
        Path(".mlquiz"),
        description="Folder for the embedded servers' data, unpacked models, keys and logs.",
    )
    public_url: str = Field(
        "",
        description="The address at which browsers and LMSs reach this tool, e.g. `https://quiz.example.edu`."
        " Empty: `http://localhost:WEB_PORT`.",
    )
    web_host: str = Field("127.0.0.1", description="Address the web server listens on.")
    web_port: Port = Field(8400, description="Port the web server listens on.")
    web_workers: int = Field(1, ge=1, le=64, description="Web server processes.")
    web_threads: int = Field(8, ge=1, le=64, description="Threads in each web server process.")
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=5,
        description="How many reverse proxies in front add X-Forwarded-* headers. 0: none, the headers are ignored.",
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL 15 or later, e.g. `postgresql://user:password@host/database`."
        " Its role should own nothing, so that row-level security binds it."
        " Empty: the embedded server, started and stopped by the tool.",
    )
    database_owner_url: SecretStr = Field(
        SecretStr(""),
        description="The same database as the role that owns the tables; only `mlquiz db upgrade`, `up` and `demo` use"
        " it, to run migrations and grant DATABASE_URL's role what it needs. Empty: DATABASE_URL.",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="Celery broker: `redis://…` (Redis or Valkey), `rediss://…`, `redis+socket://…` or `amqp://…`"
        " (RabbitMQ). Empty: the embedded Valkey.",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="At least 32 characters; signs form tokens and encrypts the tool's private keys at rest."
        " Empty: made at the first start and kept in DATA_DIR/secret.key (readable by the owner only).",
    )
    key_rotation_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Age at which a new signing key is made; it is published a day before it is used. 0: only by"
        " `mlquiz keys rotate`.",
    )
    grader_model: str = Field(
        "bundled:multilingual-e5-small",
        description="S-BERT encoder: a folder, a hub id such as `klue/roberta-base` or"
        " `sentence-transformers/all-mpnet-base-v2`, or the bundled default.",
    )
    model_versions_dir: str = Field(
        "",
        description="Folder of the trained models that `mlquiz models add` keeps. Where several machines run workers: a"
        " folder that all of them share, or a copy on each. Empty: DATA_DIR/versions.",
    )
    explainer: Literal["local", "server", "template"] = Field(
        "local",
        description="Who words explanations: `local` = EXPLAINER_MODEL in the worker, `server` = EXPLAINER_URL,"
        " `template` = no language model.",
    )
    explainer_model: str = Field(
        "bundled:smollm2-135m-instruct",
        description="Causal language model with a chat template: a folder, a hub id, or the bundled default."
        " With EXPLAINER=server the model's name there.",
    )
    explainer_adapter: str = Field(
        "bundled:explainer-en",
        description="LoRA adapter for EXPLAINER_MODEL: a folder, a hub id, or the bundled default. Empty: none.",
    )
    explainer_runtime: Literal["auto", "openvino", "transformers"] = Field(
        "auto",
        description="What computes the bundled EXPLAINER_MODEL with EXPLAINER=local: OpenVINO GenAI, several times as"
        " quick on a CPU (`pip install 'mlquiz[openvino]'`), or transformers. `auto`: OpenVINO where it is installed"
        " and there is no GPU. Other models are always for transformers.",
    )
    explainer_url: str = Field(
        "", description="Base URL of an OpenAI-compatible server, e.g. `http://127.0.0.1:8000/v1`."
    )
    explainer_api_key: SecretStr = Field(SecretStr(""), description="Bearer key for EXPLAINER_URL, if it wants one.")
    model_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of each worker process that computes a model. 0: cores divided by the two model processes"
        " of `mlquiz up` (grade and explain).",
    )
    support_contact: str = Field(
        "",
        max_length=200,
        pattern=r"^[^\r\n]*$",
        description="To whom students are sent who write that they are not well, in one line, e.g. the counselling"
        " service with its telephone. Added to the fixed text that they get. Empty: that text alone.",
    )
    explanation_wait_seconds: int = Field(
        60, ge=0, le=3600, description="How long a score waits for its explanation before it goes to the LMS without."
    )
    platform_timeout_seconds: float = Field(
        20,
        ge=0.5,
        le=120,
        description="How long a gradebook may take to answer. A score of which nobody knows whether it arrived is"
        " looked for, and sent again, after six times as long.",
    )
    delivery_retry_seconds: float = Field(
        5,
        ge=0.05,
        le=600,
        description="How long after a failure a score is sent again the first time; each further wait is twice as"
        " long. A gradebook that keeps silent is left alone for twelve times as long.",
    )
    delivery_longest_retry_seconds: float = Field(
        21600,
        ge=1,
        le=86400,
        description="The longest wait between two tries to send a score. After 14 days it is no longer tried, and the"
        " instructor sees why.",
    )
    sweep_seconds: int = Field(
        20, ge=1, le=3600, description="How often to look for work that a crash or a lost broker left behind."
    )
    allow_private_platforms: bool = Field(
        default_factory=lambda values: not values.get("public_url", "").startswith("https://"),
        description="Talk to LMSs over http and on private or loopback addresses (practice LMS, tests)."
        " Default: only while PUBLIC_URL is not https, that is, while the tool is tried out. Must be false in"
        " production.",
    )
    practice_lms_port: Port = Field(8401, description="Port of the practice LMS that `mlquiz demo` starts.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    log_format: Literal["console", "json"] = Field("console", description="`json` for log collectors.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then ``NAME_FILE``, then ``.env``."""
        del file_secret_settings
        return init_settings, env_settings, _FileSettings(settings_cls), dotenv_settings

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _is_a_conninfo(cls, value: SecretStr) -> SecretStr:
        try:
            conninfo_to_dict(value.get_secret_value())
        except PsycopgError:
            # The driver's message would repeat the value, which may hold a password.
            raise ValueError("expected postgresql://user:password@host:port/database") from None
        return value

    @field_validator("broker_url")
    @classmethod
    def _is_a_broker(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and urlsplit(text).scheme not in {"redis", "rediss", "redis+socket", "amqp", "amqps"}:
            raise ValueError("expected redis://, rediss://, redis+socket:// or amqp://")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 32:
            raise ValueError("expected at least 32 characters")
        return value

    @field_validator("public_url", "explainer_url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("expected an address such as https://quiz.example.edu")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.explainer == "server" and not self.explainer_url:
            raise ValueError("EXPLAINER=server needs EXPLAINER_URL")
        if self.database_owner_url.get_secret_value() and not self.database_url.get_secret_value():
            raise ValueError("DATABASE_OWNER_URL needs DATABASE_URL")
        if self.environment == "production":
            if not self.base_url.startswith("https://"):
                raise ValueError("ENVIRONMENT=production needs PUBLIC_URL with https://")
            if self.allow_private_platforms:
                raise ValueError("ENVIRONMENT=production needs ALLOW_PRIVATE_PLATFORMS=false")
        return self

    @property
    def base_url(self) -> str:
        """``PUBLIC_URL`` or the local address, without a slash at its end."""
        return self.public_url or f"http://localhost:{self.web_port}"

    @property
    def data_path(self) -> Path:
        """``DATA_DIR`` as an absolute path."""
        return self.data_dir.expanduser().absolute()

    @property
    def models_path(self) -> Path:
        """Folder of unpacked models."""
        return self.data_path / "models"

    @property
    def versions_path(self) -> Path:
        """Folder of trained model versions."""
        own = self.model_versions_dir
        return Path(own).expanduser().absolute() if own else self.data_path / "versions"

    def as_environment(self) -> dict[str, str]:
        """These settings as environment variables: a child process then has the same ones. Holds secrets."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
        }


class _FileSettings(PydanticBaseSettingsSource):
    """Reads ``NAME_FILE``: the path of a file with the value, the habit of container secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{field_name.upper()}_FILE: cannot read {path}: {error}") from error

    def __call__(self) -> dict[str, Any]:
        values = ((name, self.get_field_value(info, name)[0]) for name, info in self.settings_cls.model_fields.items())
        return {name: value for name, value in values if value is not None}


def load_settings(**overrides: object) -> Settings:
    """The settings of this process; ``overrides`` are for tests. Raises :class:`SettingsError` naming the wrong one."""
    try:
        return Settings(**overrides)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(fault["loc"], fault["msg"]) for fault in error.errors())) from error


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in location).upper()
    text = message.removeprefix("Value error, ")
    return f"setting {name}: {text}" if name else f"settings: {text}"
