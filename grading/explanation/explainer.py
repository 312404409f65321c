"""From assessments to texts for students: the template, or a language model's wording where it passes the checks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from config.settings import Settings
from grading.domain import Assessment, Question
from grading.explanation.checks import CHECKS_VERSION, problems_in
from grading.explanation.errors import ExplanationError, GeneratorRefused
from grading.explanation.feedback import Feedback, feedback_from
from grading.explanation.generators import Generator, LocalGenerator, ServerGenerator, trained_base_model
from grading.explanation.template import TEMPLATE_VERSION, template_text
from grading.models import BUNDLED, BundledModel, adapter_folder, bundled_language_model, language_model_folder
from grading.unpacking import MANIFEST_NAME, Progress, file_sha256

_log = logging.getLogger(__name__)

Item = tuple[Question, str, Assessment]

#: What the bundled language model can write, with or without an adapter.
_BUNDLED_LANGUAGES = frozenset({"en"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Plain text for a student; ``refused`` says why a language model's text was not taken, empty if none was asked.

    ``versions`` names everything that took part: template, checks and, where a model was asked, prompt, model, adapter.
    """

    text: str
    source: Literal["TEMPLATE", "LLM"]
    refused: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


class Explainer:
    """Words assessments with ``generator``, or with the template alone where it is ``None``."""

    def __init__(self, generator: Generator | None = None, version: str = "", *, contact: str = "") -> None:
        """``version`` is the digest of a trained model's folder, where the generator came from one.

        ``contact`` as :func:`template_text` has it.
        """
        self._generator = generator
        self._contact = contact
        self._version = {"version": version} if version else {}

    def explain(self, items: Sequence[Item]) -> list[Explanation]:
        """One explanation for each (question, answer, assessment), in order; never fails because of the model."""
        feedbacks = [feedback_from(*item) for item in items]
        explanations = [self._from_template(feedback) for feedback in feedbacks]
        rows = [row for row, feedback in enumerate(feedbacks) if self._is_for_the_model(feedback)]
        for row, proposal in zip(rows, self._proposals([feedbacks[row] for row in rows]), strict=True):
            explanations[row] = self._judged(proposal, feedbacks[row], items[row], otherwise=explanations[row].text)
        return explanations

    def _from_template(self, feedback: Feedback) -> Explanation:
        return Explanation(text=template_text(feedback, contact=self._contact), source="TEMPLATE", versions=_VERSIONS)

    def _is_for_the_model(self, feedback: Feedback) -> bool:
        """Fixed texts stay as they are, and a model writes only the languages it knows."""
        return self._generator is not None and feedback.gate is None and feedback.language in self._generator.languages

    def _proposals(self, feedbacks: Sequence[Feedback]) -> list[str | ExplanationError]:
        if self._generator is None or not feedbacks:
            return []
        try:
            return list(self._generator.rewrite(feedbacks))
        except ExplanationError as error:
            _log.warning("no text from the language model: %s", error)
            return [error] * len(feedbacks)

    def _judged(
        self, proposal: str | ExplanationError, feedback: Feedback, item: Item, *, otherwise: str
    ) -> Explanation:
        """The proposal if nothing speaks against it, else ``otherwise`` (the template's text) with the reasons."""
        versions = {**_VERSIONS, **(self._generator.versions if self._generator else {}), **self._version}
        if isinstance(proposal, ExplanationError):
            refused = (f"{type(proposal).__name__}: {proposal}",)
        else:
            question, answer, _ = item
            refused = tuple(str(problem) for problem in problems_in(proposal, feedback, question, answer))
            if not refused:
                return Explanation(text=proposal, source="LLM", versions=versions)
        return Explanation(text=otherwise, source="TEMPLATE", refused=refused, versions=versions)


def load_explainer(settings: Settings, version: Path | None = None) -> Explainer:
    """The explainer that the settings ask for, with its model loaded.

    ``version`` is the folder of a trained adapter that takes the place of EXPLAINER_ADAPTER, with the language model
    that it was trained for; settings that ask for no language model here leave it alone. Raises
    :class:`~grading.explanation.errors.GeneratorRefused` or the errors of :mod:`grading.models` when a model or adapter
    cannot be had.
    """
    generator = load_generator(settings, version)
    if version is None or settings.explainer != "local":
        return Explainer(generator, contact=settings.support_contact)
    digest = file_sha256(version / MANIFEST_NAME)[:16]
    return Explainer(generator, digest, contact=settings.support_contact)


def load_generator(settings: Settings, version: Path | None = None) -> Generator | None:
    """The language model of :func:`load_explainer`; ``None`` where the settings ask for none."""
    if settings.explainer == "template":
        return None
    if settings.explainer == "server":
        key = settings.explainer_api_key.get_secret_value()
        return ServerGenerator(settings.explainer_url, settings.explainer_model, key)
    name = settings.explainer_model if version is None else trained_base_model(version)
    adapter = adapter_folder(settings.explainer_adapter) if version is None else str(version)
    # A trained adapter says itself what it can write.
    languages = _BUNDLED_LANGUAGES if version is None and name.startswith(BUNDLED) else None
    if (model := _quick_model(settings, name)) is not None:
        from grading.explanation.openvino_generator import openvino_generator

        folder = Path(adapter) if adapter else None
        return openvino_generator(model, folder, settings.models_path, languages=languages, name=name)
    return LocalGenerator(language_model_folder(name, settings.models_path), adapter, languages=languages, name=name)


def prepare_explainer(settings: Settings, progress: Progress | None = None) -> None:
    """Unpack what :func:`load_explainer` loads, so that the workers find it ready (6 to 15 s the first time)."""
    if settings.explainer != "local":
        return
    if (model := _quick_model(settings, settings.explainer_model)) is not None:
        from grading.explanation.openvino_generator import merged_file

        adapter = adapter_folder(settings.explainer_adapter)
        merged_file(model, Path(adapter) if adapter else None, settings.models_path, progress)
    else:
        language_model_folder(settings.explainer_model, settings.models_path, progress)
        adapter_folder(settings.explainer_adapter)


def _quick_model(settings: Settings, name: str) -> BundledModel | None:
    """The bundled model of this name where OpenVINO computes it: asked for, or installed and no GPU to do better.

    ``None``: transformers does.
    """
    model = bundled_language_model(name)
    if settings.explainer_runtime == "auto":
        is_quick = find_spec("openvino_genai") is not None and not Path("/dev/nvidia0").exists()
        return model if is_quick else None
    if settings.explainer_runtime == "transformers":
        return None
    if model is None:
        raise GeneratorRefused(
            f"EXPLAINER_RUNTIME=openvino computes the bundled language model only, not {name}: set it to auto"
        )
    return model


_VERSIONS: Mapping[str, str] = {"template": TEMPLATE_VERSION, "checks": CHECKS_VERSION}
