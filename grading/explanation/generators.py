"""Language models that word a feedback object: one in this process, one behind an OpenAI-compatible server.

Neither is trusted: what comes back is a proposal for :mod:`grading.explanation.checks`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import finalize

import requests

from grading.explanation.errors import GeneratorRefused, GeneratorReplyInvalid, GeneratorUnavailable
from grading.explanation.feedback import Feedback
from grading.explanation.prompt import PROMPT_VERSION, long_chat, short_chat
from grading.explanation.shared_model import shared_model

ALL_LANGUAGES = frozenset({"en", "ko"})


class Generator(Protocol):
    """Words feedback; ``languages`` are those it can write, ``versions`` names what it is made of.

    ``needs_names``: it words only what has the names of key points (:attr:`Feedback.is_named`).
    """

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of what it can write."""
        ...

    @property
    def needs_names(self) -> bool:
        """Whether it is asked only where all parts have names."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Names of everything its texts depend on."""
        ...

    def rewrite(self, feedbacks: Sequence[Feedback]) -> list[str]:
        """One line of plain text for each feedback, in order; raises :class:`ExplanationError` when none can come."""
        ...


def can_word(generator: Generator, feedback: Feedback) -> bool:
    """Whether a generator is asked for a text: not for a fixed one, and only for what it can write."""
    is_able = feedback.is_named or not generator.needs_names
    return feedback.gate is None and feedback.language in generator.languages and is_able


class AdaptedGenerator:
    """What a language model with or without an adapter writes, and what its texts depend on.

    ``languages`` defaults to what the adapter's ``explainer.json`` says.
    """

    def __init__(
        self, name: str, adapter_folder: Path | None, languages: frozenset[str] | None, version: str = ""
    ) -> None:
        """``version`` is the digest of a trained model's folder, where the adapter came from one."""
        self._languages = languages or adapter_languages(adapter_folder)
        facts = adapter_facts(adapter_folder) if adapter_folder else {}
        self._needs_names = bool(facts.get("needs_names", True))
        self._versions = {"explainer": name, "prompt": PROMPT_VERSION}
        if adapter_folder:
            self._versions["adapter"] = adapter_digest(adapter_folder)
        if version:
            self._versions["version"] = version

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of what it can write."""
        return self._languages

    @property
    def needs_names(self) -> bool:
        """Of parts without names a model that saw none makes sentences like "You are right about another part"."""
        return self._needs_names

    @property
    def versions(self) -> Mapping[str, str]:
        """Names of everything its texts depend on."""
        return self._versions


class LocalGenerator(AdaptedGenerator):
    """A causal language model with a chat template, in this process, with or without a LoRA adapter.

    Loading takes seconds and, for the bundled model, about 0.7 GB: once for all generators of one model, each of which
    has its adapter beside it. Raises :class:`GeneratorRefused` for a folder that holds no such model.
    """

    def __init__(
        self,
        model_folder: Path | str,
        adapter_folder: Path | str | None = None,
        *,
        languages: frozenset[str] | None = None,
        name: str = "",
        version: str = "",
    ) -> None:
        adapter = Path(adapter_folder) if adapter_folder else None
        super().__init__(name or Path(model_folder).name, adapter, languages, version)
        self._model = shared_model(Path(model_folder))
        self._adapter = self._model.add_adapter(adapter) if adapter is not None else None
        if self._adapter is not None:
            finalize(self, self._model.drop_adapter, self._adapter)

    def rewrite(self, feedbacks: Sequence[Feedback]) -> list[str]:
        """Greedy decoding, up to 12 at a time: the same feedback gives the same text."""
        return self._model.replies_to([short_chat(feedback) for feedback in feedbacks], self._adapter)


def trained_base_model(adapter_folder: Path) -> str:
    """The language model that an adapter of ours was trained for, as a setting names it.

    Raises :class:`GeneratorRefused` where ``explainer.json`` does not say.
    """
    name = adapter_facts(adapter_folder).get("base_model")
    if not isinstance(name, str) or not name:
        raise GeneratorRefused(
            f"{adapter_folder} does not say for which language model it was trained: train it again with"
            " `mlquiz train explainer`"
        )
    return name


def adapter_facts(adapter_folder: Path) -> dict[str, Any]:
    """``explainer.json`` beside an adapter of ours; empty for an adapter from elsewhere.

    Raises :class:`GeneratorRefused` where it cannot be read or is of another prompt.
    """
    path = adapter_folder / "explainer.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise GeneratorRefused(f"{path} is not readable: {error}") from error
    if described and described.get("prompt") != PROMPT_VERSION:
        raise GeneratorRefused(
            f"the adapter in {adapter_folder} was trained with prompt {described.get('prompt')!r}, this program writes"
            f" prompt {PROMPT_VERSION!r}; train it again with `mlquiz train explainer`"
        )
    return described


def adapter_languages(adapter_folder: Path | None) -> frozenset[str]:
    """What a language model writes with this adapter, or without any. Raises what :func:`adapter_facts` does."""
    facts = adapter_facts(adapter_folder) if adapter_folder else {}
    return frozenset(facts.get("languages", ALL_LANGUAGES))


def adapter_digest(adapter_folder: Path) -> str:
    """Twelve digits of the SHA-256 of the adapter's weights."""
    return sha256((adapter_folder / "adapter_model.safetensors").read_bytes()).hexdigest()[:12]


class ServerGenerator:
    """A model behind an OpenAI-compatible server (vLLM and others): one request a feedback.

    After three time-outs or overloads in a row the server is left alone for a minute (circuit breaker; Nygard 2007):
    students get the template's text at once then, and a server that struggles is not asked for more.

    Raises :class:`GeneratorUnavailable` for time-outs and overload, :class:`GeneratorRefused` for a wrong address, name
    or key, :class:`GeneratorReplyInvalid` for anything that is no chat completion.
    """

    CONNECT_SECONDS = 3.05
    READ_SECONDS = 30.0
    MAX_BYTES = 64 * 1024
    MAX_TOKENS = 120
    FAULTS_IN_A_ROW = 3
    REST_SECONDS = 60.0

    def __init__(
        self,
        url: str,
        model: str,
        api_key: str = "",
        *,
        languages: frozenset[str] = ALL_LANGUAGES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._model = model
        self._languages = languages
        self._now = now
        self._faults = 0
        self._rests_until = 0.0
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "mlquiz"
        if api_key:
            self._session.headers["Authorization"] = f"Bearer {api_key}"

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of what it can write."""
        return self._languages

    @property
    def needs_names(self) -> bool:
        """A model that follows rules words what has no name too."""
        return False

    @property
    def versions(self) -> Mapping[str, str]:
        """Names of everything its texts depend on."""
        return {"explainer": f"{self._model}@{urlsplit(self._url).hostname}", "prompt": f"{PROMPT_VERSION}-long"}

    def rewrite(self, feedbacks: Sequence[Feedback]) -> list[str]:
        """One completion a feedback, temperature 0 and a seed that is fixed for the answer."""
        return [self._unless_it_rests(feedback) for feedback in feedbacks]

    def _unless_it_rests(self, feedback: Feedback) -> str:
        if self._now() < self._rests_until:
            raise GeneratorUnavailable(f"{self._url} failed {self.FAULTS_IN_A_ROW} times: it is left alone for a while")
        try:
            text = self._completion(feedback)
        except GeneratorUnavailable:
            self._faults += 1
            if self._faults >= self.FAULTS_IN_A_ROW:
                # One fault more after the rest begins the next one.
                self._rests_until = self._now() + self.REST_SECONDS
            raise
        self._faults = 0
        return text

    def _completion(self, feedback: Feedback) -> str:
        body = {
            "model": self._model,
            "messages": long_chat(feedback),
            "temperature": 0,
            "seed": feedback.variant,
            "max_tokens": self.MAX_TOKENS,
            "n": 1,
        }
        try:
            with self._session.post(
                self._url,
                json=body,
                timeout=(self.CONNECT_SECONDS, self.READ_SECONDS),
                stream=True,
                allow_redirects=False,
            ) as response:
                return _completion_text(_checked(response, self._url), self.MAX_BYTES)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise GeneratorUnavailable(f"{self._url} cannot be reached: {type(error).__name__}") from error
        except requests.RequestException as error:
            raise GeneratorReplyInvalid(f"{self._url}: {error}") from error


def _checked(response: requests.Response, url: str) -> requests.Response:
    if response.status_code in {408, 409, 425, 429} or response.status_code >= 500:
        raise GeneratorUnavailable(f"{url} answered {response.status_code}; trying later may help")
    if response.status_code != 200:
        raise GeneratorRefused(
            f"{url} answered {response.status_code}: check EXPLAINER_URL, EXPLAINER_MODEL and the key"
        )
    return response


def _completion_text(response: requests.Response, max_bytes: int) -> str:
    """The text of a completion in one line, read up to ``max_bytes``."""
    content = b""
    for chunk in response.iter_content(8192):
        content += chunk
        if len(content) > max_bytes:
            raise GeneratorReplyInvalid(f"the server sent more than {max_bytes} bytes")
    try:
        text = json.loads(content)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError) as error:
        raise GeneratorReplyInvalid("the server's reply is no chat completion") from error
    if not isinstance(text, str):
        raise GeneratorReplyInvalid("the server's chat completion holds no text")
    return " ".join(text.split())
