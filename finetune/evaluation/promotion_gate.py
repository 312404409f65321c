"""Whether a candidate may take the place of the grader in service: it must not be worse, anywhere that can be seen.

::

    errors, answer by answer ──▶ not higher on the whole, not clearly higher on any part
    behaviour suites         ──▶ not a gate open, not more than a point lower
    labels                   ──▶ they say something about the answers at all

The last one is what stops poisoned data: where the labels are shuffled, a candidate that learned to give everybody the
mean looks better than an honest grader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.behaviour.summary import Summary, Tally
from finetune.evaluation.comparison import TOO_MUCH, Difference, compared
from finetune.evaluation.judged import Judged, Numbers
from finetune.evaluation.resampling import SEED

LEAST_QUESTIONS = 4
"""Whole questions are drawn: one would call every candidate surely better or worse, two let a noisy one pass."""
PROBABLY_WORSE = 0.9
HIGHER_MSE = 0.002
SLICE_ANSWERS = 30
SLICE_PROBABILITY = 0.95
BEHAVIOUR_FALL = 0.01
BY_CHANCE = 0.001
"""Labels say something where fewer than this share of shufflings within questions fit the candidate as well."""

_SHUFFLES = 4000
_CHUNK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the candidate is not worse; ``reasons`` are sentences for the one who promotes, empty when it is ok.

    ``figures`` are the numbers behind it, ready for JSON.
    """

    ok: bool
    reasons: tuple[str, ...]
    figures: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"ok": self.ok, "reasons": list(self.reasons), "figures": dict(self.figures)}


def is_not_worse(
    candidate: Judged, current: Judged, *, candidate_behaviour: Summary, current_behaviour: Summary
) -> Verdict:
    """Judge ``candidate`` against ``current`` on the same answers, of questions that neither was trained on.

    ``ValueError`` where they judged other answers, or gave something that is no number.
    """
    if not (np.isfinite(candidate.predicted).all() and np.isfinite(current.predicted).all()):
        raise ValueError("a grader gave something that is no number")
    comparison = compared(candidate, current)
    mse, spread = float(np.mean(candidate.error**2)), float(np.var(candidate.true))
    chance = chance_of_labels(candidate)
    before, after = _overall(current_behaviour), _overall(candidate_behaviour)
    reasons = (
        *_too_few(len(candidate.questions)),
        *_signal(mse, spread, chance),
        *_worse_on_the_whole(comparison.overall),
        *_worse_on_a_part(comparison.slices),
        *_behaves_worse(before, after, candidate_behaviour),
    )
    figures = {
        "answers": len(candidate),
        "questions": len(candidate.questions),
        "candidate_mse": round(mse, 4),
        "current_mse": round(float(np.mean(current.error**2)), 4),
        "mse_of_the_mean": round(spread, 4),
        "labels_by_chance": round(chance, 5),
        "behaviour": {"candidate": round(after.share, 4), "current": round(before.share, 4)},
        **comparison.as_json(),
    }
    return Verdict(ok=not reasons, reasons=reasons, figures=figures)


def chance_of_labels(judged: Judged) -> float:
    """How often labels shuffled among the answers of each question fit the predictions as well as they stand (0..1].

    A permutation test of the covariance within questions, exact for any number of questions. Where no question has two
    answers, labels are shuffled among all.
    """
    question = judged.question
    if np.bincount(question).max() < 2:
        question = np.zeros_like(question)
    order = np.argsort(question, kind="stable")
    sorted_question, predicted, true = question[order], judged.predicted[order], judged.true[order]
    centred = predicted - _means(predicted, sorted_question)
    reached = float(centred @ true)
    rng = np.random.default_rng(SEED)
    as_good = 0
    for _ in range(_SHUFFLES // _CHUNK):
        keys = sorted_question + rng.random((_CHUNK, len(true)))
        shuffled = true[np.argsort(keys, axis=1)]
        as_good += int(np.sum(shuffled @ centred >= reached - 1e-12))
    return (1 + as_good) / (1 + _SHUFFLES)


def _means(values: Numbers, question: NDArray[np.int64]) -> Numbers:
    sums, counts = np.bincount(question, values), np.bincount(question)
    return (sums / np.maximum(counts, 1))[question]


def _too_few(questions: int) -> Iterator[str]:
    if questions < LEAST_QUESTIONS:
        yield (
            f"The answers are to {questions} of at least {LEAST_QUESTIONS} questions: whole questions are compared, and"
            " so few tell nothing of others. Take data with answers to more questions in their test part."
        )


def _signal(mse: float, spread: float, chance: float) -> Iterator[str]:
    if mse >= spread:
        yield (
            f"The candidate is no better than giving everybody the mean score: mean squared error {mse:.3f} against"
            f" {spread:.3f}. Check the scores of the data."
        )
    if chance > BY_CHANCE:
        yield (
            "The scores say nothing about the answers, or there are too few answers to tell: shuffled within their"
            f" questions they fit the candidate as well in {chance:.1%} of the draws. Check the scores of the data."
        )


def _worse_on_the_whole(found: Difference) -> Iterator[str]:
    if found.worse > PROBABLY_WORSE or found.mse.value > HIGHER_MSE:
        yield (
            f"The candidate is worse: its mean squared error is {found.mse.value:+.4f} from that of the grader in"
            f" service, and higher with a probability of {found.worse:.0%}."
        )


def _worse_on_a_part(slices: tuple[Difference, ...]) -> Iterator[str]:
    for found in slices:
        if found.count >= SLICE_ANSWERS and found.much_worse > SLICE_PROBABILITY:
            yield (
                f"The candidate is worse on a part, {found.kind} {found.name} ({found.count} answers): its mean squared"
                f" error is {found.mse.value:+.3f}, and higher by more than {TOO_MUCH} with a probability of"
                f" {found.much_worse:.0%}."
            )


def _behaves_worse(before: Tally, after: Tally, behaviour: Summary) -> Iterator[str]:
    if not after.total or not behaviour.by_gate:
        yield "The behaviour suite says nothing of the candidate: it was not judged by it."
    elif after.total != before.total:
        yield f"The behaviour suites differ: {after.total} cases and {before.total}. Judge both graders by the same."
    elif before.share - after.share > BEHAVIOUR_FALL + 1e-9:
        yield f"The candidate behaves worse: it passes {after.share:.1%} of the cases instead of {before.share:.1%}."
    for name, tally in behaviour.by_gate.items():
        if tally.passed < tally.total:
            yield f"Not one case may fail of {name}: the candidate passes {tally.passed} of {tally.total}."


def _overall(behaviour: Summary) -> Tally:
    tallies = behaviour.by_language.values()
    return Tally(passed=sum(each.passed for each in tallies), total=sum(each.total for each in tallies))
