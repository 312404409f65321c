"""``mlquiz doctor``: look at every part and say what is wrong with which, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import requests
from kombu.connection import Connection as BrokerConnection
from kombu.exceptions import OperationalError

from config.settings import Settings
from grading.errors import GradingError
from lti_tool import db
from lti_tool.embedded import embedded_servers
from lti_tool.errors import NotConfigured
from lti_tool.models import health
from lti_tool.secrets import app_secret
from lti_tool.training import waiting

MINIMUM_POSTGRES = 150000
MINIMUM_FREE_BYTES = 2 * 1024**3
ROLE_ADVICE = (
    "give DATABASE_URL a role that owns nothing, and DATABASE_OWNER_URL the owner of the tables"
    " (docs/how-to/run-in-production.md)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found out about one part; ``advice`` says what to do where it is not ``ok``."""

    part: str
    ok: bool
    detail: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at one part after the other; a part that fails does not keep the others from being looked at."""
    yield _look("data folder", lambda: _data_folder(settings), "free space, or set DATA_DIR to another folder")
    yield _look("secret key", lambda: _secret(settings), "set SECRET_KEY or SECRET_KEY_FILE")
    with ExitStack() as stack:
        try:
            servers = stack.enter_context(embedded_servers(settings))
        except NotConfigured as error:
            yield Finding(
                part="embedded servers", ok=False, detail=str(error), advice="set DATABASE_URL and BROKER_URL"
            )
        else:
            yield _look("PostgreSQL", lambda: _postgres(servers.database), "check DATABASE_URL and that it runs")
            yield _look("schema", lambda: _schema(servers.database), "run `mlquiz db upgrade`")
            yield _look("model versions", lambda: health.state_of_models(settings, servers.database), health.ADVICE)
            yield _look("trainings", lambda: waiting.state_of_runs(servers.database), waiting.ADVICE)
            yield _look("database role", lambda: _role(servers.database, settings), ROLE_ADVICE)
            yield _look("broker", lambda: _broker(servers.broker), "check BROKER_URL and that it runs")
    yield _look("S-BERT encoder", lambda: _encoder(settings), "set GRADER_MODEL to a hub id or a folder")
    yield _look(
        "explainer", lambda: _explainer(settings), "set EXPLAINER_MODEL, EXPLAINER_ADAPTER or EXPLAINER=template"
    )
    yield _look("public address", lambda: _address(settings), "set PUBLIC_URL to the https address LMSs reach")


def _look(part: str, look: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(part=part, ok=True, detail=look())
    except (NotConfigured, GradingError, psycopg.Error, OperationalError, OSError, requests.RequestException) as error:
        return Finding(part=part, ok=False, detail=str(error) or type(error).__name__, advice=advice)


def _data_folder(settings: Settings) -> str:
    settings.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(settings.data_path).free
    if free < MINIMUM_FREE_BYTES:
        raise NotConfigured(f"{settings.data_path} has {free / 1024**3:.1f} GB free, models need 2 GB")
    return f"{settings.data_path}, {free / 1024**3:.0f} GB free"


def _secret(settings: Settings) -> str:
    app_secret(settings)
    return "set" if settings.secret_key.get_secret_value() else "kept in the data folder"


def _postgres(conninfo: str) -> str:
    with psycopg.connect(conninfo, connect_timeout=10) as connection:
        number = connection.info.server_version
    if number < MINIMUM_POSTGRES:
        raise NotConfigured(f"version {number // 10000}, but 15 or later is needed")
    return f"version {number // 10000}.{number % 10000}"


def _schema(conninfo: str) -> str:
    db.require_current_schema(conninfo)
    return "up to date"


def _role(conninfo: str, settings: Settings) -> str:
    weakness = db.weakness_of_role(conninfo)
    if weakness and settings.environment == "production":
        raise NotConfigured(weakness)
    return f"{weakness}; production refuses that" if weakness else "row-level security keeps tenants apart"


def _broker(url: str) -> str:
    with BrokerConnection(url, transport_options={"socket_connect_timeout": 5}) as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
    return urlsplit(url).scheme


def _encoder(settings: Settings) -> str:
    from grading.domain import Question
    from grading.grader import load_grader

    grader = load_grader(settings)
    grader.assess(Question(prompt="Is this model awake?", model_answers=("Yes, it is awake.",)), ["It is, I think."])
    return f"{settings.grader_model}, {grader.versions['head']}"


def _explainer(settings: Settings) -> str:
    if settings.explainer == "template":
        return "templates only"
    if settings.explainer == "server":
        key = settings.explainer_api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        response = requests.get(f"{settings.explainer_url}/models", headers=headers, timeout=(3.05, 10))
        response.raise_for_status()
        return f"{settings.explainer_url} answers"
    from grading.explanation.explainer import prepare_explainer

    prepare_explainer(settings)
    return f"{settings.explainer_model}, {'with' if settings.explainer_adapter else 'without'} adapter"


def _address(settings: Settings) -> str:
    if not settings.base_url.startswith("https://") and urlsplit(settings.base_url).hostname not in {
        "localhost",
        "127.0.0.1",
    }:
        raise NotConfigured(f"{settings.base_url} is not https: browsers drop the tool's cookies inside an LMS")
    return settings.base_url
