"""The real gate: candidate and current model judged on the test part of a dataset, which trained neither.

What either has learnt all the same, as from a table that was imported afterwards, is left out.

Heavy: it loads models and takes minutes. For the command line and for supervised processes, never for the web process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.settings import Settings
from finetune.errors import FinetuneError, TooFewExamples
from grading.domain import Question
from grading.errors import GradingError
from grading.explanation.errors import ExplanationError
from lti_tool.models.errors import VersionUnusable
from lti_tool.models.folders import intact_folder
from lti_tool.models.promotion import Judgement
from lti_tool.models.versions import ModelVersion

if TYPE_CHECKING:
    from finetune.dataset import Dataset
    from finetune.evaluation import ExplainerEvaluation
    from finetune.graded_questions import GradedQuestion
    from grading.explanation.generators import Generator
    from grading.grader import Grader

Tell = Callable[[int, int, str], None]

EXPLAINED_ANSWERS = 60
"""A small language model words one in a second or two."""
MUCH_LOWER = 0.02
"""An explainer whose share of texts that pass is lower by more than this is worse, however few texts there were."""

LEAST_QUESTIONS, LEAST_TEXTS = 3, 12
"""Fewer tell nothing of others; a text is passed or refused, and a handful are equal by chance."""

_LEARNT = "{} answers of this test part were left out, as the candidate or the grader in service was trained on them"
_AWAKE = Question(prompt="Is this model awake?", model_answers=("Yes, it is awake.",))


class EvaluationGate:
    """Judges on the dataset in a folder: graders by :func:`finetune.evaluation.is_not_worse`, explainers by checks."""

    def __init__(
        self, settings: Settings, data: Path, progress: Tell | None = None, *, current_stays: bool = False
    ) -> None:
        """``data`` is a dataset's folder; only its test part is looked at.

        ``current_stays``: what serves now goes on with the languages that the candidate does not write, as what serves
        everybody does where a course gets an explainer of its own. The model of the settings always does.
        """
        self._settings = settings
        self._data = data
        self._current_stays = current_stays
        self._tell: Tell = progress or (lambda _done, _total, _text: None)

    def __call__(self, candidate: ModelVersion, current: ModelVersion | None) -> Judgement:
        """Judge; what cannot be loaded, read or compared is a reason too."""
        from finetune.run_versions import has_learnt_test

        if has_learnt_test(self._folder(candidate)):
            return Judgement(ok=False, reasons=("it was trained with --part all, so nothing is left to judge it by",))
        try:
            dataset, questions = self._test_questions()
            judge = self._graders if candidate.kind == "GRADER" else self._explainers
            judgement = judge(candidate, current, questions)
        except (GradingError, ExplanationError, FinetuneError, ValueError) as error:
            return Judgement(ok=False, reasons=(str(error),))
        about = {"dataset": dataset.digest, "candidate_trained_on": candidate.dataset_digest}
        return Judgement(ok=judgement.ok, reasons=judgement.reasons, findings={**about, **judgement.findings})

    def _test_questions(self) -> tuple[Dataset, list[GradedQuestion]]:
        from finetune.dataset import graded_questions, read_dataset

        dataset = read_dataset(self._data)
        questions = graded_questions(dataset, part={"test"})
        if not questions:
            raise TooFewExamples(
                f"the test part of {self._data.name} holds no score that a person confirmed: about one question in ten"
                " falls there, so take a dataset of more questions"
            )
        return dataset, questions

    def _folder(self, version: ModelVersion | None) -> Path | None:
        return intact_folder(self._settings.versions_path, version.digest) if version else None

    def _grader(self, version: ModelVersion | None) -> Grader:
        from grading.grader import load_grader

        self._tell(0, 0, f"loading {version.digest if version else 'the grader of the settings'}")
        return load_grader(self._settings, version=self._folder(version))

    def _graders(
        self, candidate: ModelVersion, current: ModelVersion | None, questions: list[GradedQuestion]
    ) -> Judgement:
        from finetune.behaviour.cases import load_cases
        from finetune.evaluation import evaluate_grader
        from finetune.learnt_answers import read_learnt, without_learnt

        learnt = [read_learnt(self._folder(version)) for version in (candidate, current)]
        unseen, left_out = without_learnt(questions, learnt)
        if left_out and not unseen:
            return Judgement(ok=False, reasons=(f"{_LEARNT.format(left_out)}, and nothing else is there",))
        found = evaluate_grader(
            self._grader(candidate),
            unseen,
            against=self._grader(current),
            cases=load_cases(),
            progress=self._tell,
        )
        assert found.against is not None  # both were judged by the behaviour suite
        assert found.against.gate is not None
        verdict = found.against.gate
        why = (_LEARNT.format(left_out),) if left_out and not verdict.ok else ()
        findings = {**verdict.figures, "learnt_left_out": left_out}
        return Judgement(ok=verdict.ok, reasons=(*verdict.reasons, *why), findings=findings)

    def _explainers(
        self, candidate: ModelVersion, current: ModelVersion | None, questions: list[GradedQuestion]
    ) -> Judgement:
        from finetune.evaluation import evaluate_explainer
        from grading.grader import load_grader

        if self._settings.explainer != "local":
            return Judgement(
                ok=False, reasons=("EXPLAINER is not local: no trained explainer serves, so there is none to compare",)
            )
        found = evaluate_explainer(
            load_grader(self._settings),
            questions,
            {"candidate": lambda: self._generator(candidate), "current": lambda: self._generator(current)},
            limit=EXPLAINED_ANSWERS,
            progress=self._tell,
        )
        return judgement_of(found, current_stays=current is None or self._current_stays)

    def _generator(self, version: ModelVersion | None) -> Generator:
        from grading.explanation.explainer import load_generator

        generator = load_generator(self._settings, self._folder(version))
        assert generator is not None  # the settings ask for a local one
        return generator


def judgement_of(evaluation: ExplainerEvaluation, *, current_stays: bool = False) -> Judgement:
    """Whether the writer ``candidate`` is not worse than ``current`` by the checks, text by text on equal answers.

    ``current_stays`` as :class:`EvaluationGate` has it.
    """
    import numpy as np

    from finetune.evaluation.resampling import mean_figures

    candidate, current = (
        next(each for each in evaluation.writers if each.name == name) for name in ("candidate", "current")
    )
    pairs = [
        (about.group, float(not after.problems) - float(not before.problems))
        for about, after, before in zip(evaluation.answers, candidate.texts, current.texts, strict=True)
        if after is not None and before is not None
    ]
    findings: dict[str, Any] = {"candidate": candidate.as_json(), "current": current.as_json(), "pairs": len(pairs)}
    lost = [] if current_stays else sorted(set(current.languages) - set(candidate.languages))
    reasons = [f"it does not write {', '.join(lost)}, as the current explainer does"] if lost else []
    if not pairs:
        return Judgement(ok=False, reasons=(*reasons, "no answer was worded by both explainers"), findings=findings)
    groups = np.unique([group for group, _ in pairs], return_inverse=True)[1]
    if len(set(groups.tolist())) < LEAST_QUESTIONS or len(pairs) < LEAST_TEXTS:
        reasons.append(
            f"both worded {len(pairs)} texts to {len(set(groups.tolist()))} questions: at least {LEAST_TEXTS} to"
            f" {LEAST_QUESTIONS} are needed to tell them apart"
        )
    (difference,) = mean_figures(np.array([[change] for _, change in pairs]), groups)
    findings["difference"] = difference.as_json()
    is_clear = difference.high is not None and difference.high < 0
    if is_clear or difference.value < -MUCH_LOWER:
        reasons.append(
            f"fewer of its texts pass the checks: {candidate.passed.value:.0%} instead of {current.passed.value:.0%}"
            f" of {len(pairs)}"
        )
    return Judgement(ok=not reasons, reasons=tuple(reasons), findings=findings)


def try_out(settings: Settings, version: ModelVersion) -> None:
    """Load a version and let it work once: what cannot do that never serves, however it was promoted.

    Raises :class:`~lti_tool.models.errors.VersionUnusable`, and VersionBroken for its folder.
    """
    folder = intact_folder(settings.versions_path, version.digest)
    try:
        if version.kind == "GRADER":
            from grading.grader import load_grader

            load_grader(settings, version=folder).assess(_AWAKE, ["It is, I think."])
        else:
            from grading.explanation.explainer import load_generator

            load_generator(settings, folder)
    except Exception as error:
        raise VersionUnusable(
            f"{version.kind.lower()} {version.digest} cannot be loaded here: {error or type(error).__name__}"
        ) from error
