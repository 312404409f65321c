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
from grading.errors import GradingError
from grading.explanation.checks import CHECKS_VERSION, problems_in
from grading.explanation.errors import ExplanationError, GeneratorRefused
from grading.explanation.feedback import Feedback
from grading.explanation.feedback_making import feedback_from
from grading.explanation.generators import (
    Generator,
    LocalGenerator,
    ServerGenerator,
    adapter_languages,
    can_word,
    trained_base_model,
)
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
    """Words assessments: each with the first of ``generators`` that can word it, or with the template."""

    def __init__(self, *generators: Generator, contact: str = "") -> None:
        """``contact`` as :func:`template_text` has it."""
        self.generators = generators
        self._contact = contact

    def led_by(self, generator: Generator) -> Explainer:
        """The same with another generator that is asked first; both hold the same language models."""
        return Explainer(generator, *self.generators, contact=self._contact)

    def explain(self, items: Sequence[Item]) -> list[Explanation]:
        """One explanation for each (question, answer, assessment), in order; never fails because of the model."""
        feedbacks = [feedback_from(*item) for item in items]
        explanations = [self._from_template(feedback) for feedback in feedbacks]
        writers = [self._writer_of(feedback) for feedback in feedbacks]
        for generator in self.generators:
            rows = [row for row, writer in enumerate(writers) if writer is generator]
            proposals = _proposals(generator, [feedbacks[row] for row in rows])
            for row, proposal in zip(rows, proposals, strict=True):
                otherwise = explanations[row].text
                explanations[row] = _judged(proposal, feedbacks[row], items[row], generator, otherwise=otherwise)
        return explanations

    def _from_template(self, feedback: Feedback) -> Explanation:
        return Explanation(text=template_text(feedback, contact=self._contact), source="TEMPLATE", versions=_VERSIONS)

    def _writer_of(self, feedback: Feedback) -> Generator | None:
        return next((each for each in self.generators if can_word(each, feedback)), None)


def _proposals(generator: Generator, feedbacks: Sequence[Feedback]) -> list[str | ExplanationError]:
    if not feedbacks:
        return []
    try:
        return list(generator.rewrite(feedbacks))
    except ExplanationError as error:
        _log.warning("no text from the language model: %s", error)
        return [error] * len(feedbacks)


def _judged(
    proposal: str | ExplanationError, feedback: Feedback, item: Item, generator: Generator, *, otherwise: str
) -> Explanation:
    """The proposal if nothing speaks against it, else ``otherwise`` (the template's text) with the reasons."""
    versions = {**_VERSIONS, **generator.versions}
    if isinstance(proposal, ExplanationError):
        refused = (f"{type(proposal).__name__}: {proposal}",)
    else:
        question, answer, _ = item
        refused = tuple(str(problem) for problem in problems_in(proposal, feedback, question, answer))
        if not refused:
            return Explanation(text=proposal, source="LLM", versions=versions)
    return Explanation(text=otherwise, source="TEMPLATE", refused=refused, versions=versions)


def load_explainer(settings: Settings, version: Path | None = None) -> Explainer:
    """The explainer that the settings ask for, with its models loaded.

    ``version`` is the folder of a trained adapter, which writes what it can with the language model that it was trained
    for; languages that it does not write stay with the model of the settings, where that writes them. Settings that ask
    for no language model here leave it alone. Raises :class:`~grading.explanation.errors.GeneratorRefused` or the
    errors of :mod:`grading.models` when a model or adapter cannot be had.
    """
    first = load_generator(settings, version)
    if first is None:
        return Explainer(contact=settings.support_contact)
    behind = _behind(settings, first) if version is not None else None
    return Explainer(*([first, behind] if behind else [first]), contact=settings.support_contact)


def _behind(settings: Settings, first: Generator) -> Generator | None:
    """The model of the settings where it writes a language that ``first`` does not; what ails it stops nobody."""
    try:
        return None if _own_languages(settings) <= first.languages else load_generator(settings)
    except (ExplanationError, GradingError) as error:
        _log.warning("the model of the settings cannot take the languages that the trained one leaves: %s", error)
        return None


def load_generator(settings: Settings, version: Path | None = None) -> Generator | None:
    """The first language model of :func:`load_explainer`; ``None`` where the settings ask for none."""
    if settings.explainer == "template":
        return None
    if settings.explainer == "server":
        key = settings.explainer_api_key.get_secret_value()
        return ServerGenerator(settings.explainer_url, settings.explainer_model, key)
    name = settings.explainer_model if version is None else trained_base_model(version)
    adapter = adapter_folder(settings.explainer_adapter) if version is None else str(version)
    # A trained adapter says itself what it can write.
    languages = _own_languages(settings) if version is None else None
    digest = file_sha256(version / MANIFEST_NAME)[:16] if version is not None else ""
    if (model := _quick_model(settings, name)) is not None:
        from grading.explanation.openvino_generator import openvino_generator

        folder = Path(adapter) if adapter else None
        return openvino_generator(model, folder, settings.models_path, languages=languages, name=name, version=digest)
    return LocalGenerator(
        language_model_folder(name, settings.models_path), adapter, languages=languages, name=name, version=digest
    )


def _own_languages(settings: Settings) -> frozenset[str]:
    """What the model and adapter of the settings write; nothing is loaded."""
    if settings.explainer == "local" and not settings.explainer_model.startswith(BUNDLED):
        adapter = adapter_folder(settings.explainer_adapter)
        return adapter_languages(Path(adapter) if adapter else None)
    return _BUNDLED_LANGUAGES


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
