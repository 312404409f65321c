"""Everything that is said of a grader, computed; nothing is shown here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune.behaviour.case import Case
from finetune.behaviour.judging import Assesses, Tell, judge
from finetune.behaviour.summary import Summary, summary_of
from finetune.evaluation.comparison import Comparison, compared
from finetune.evaluation.curves import CalibrationPoint, RiskCurve, calibration_curve, risk_curve
from finetune.evaluation.figures import grader_figures
from finetune.evaluation.judged import Judged, judge_answers
from finetune.evaluation.promotion_gate import Verdict, is_not_worse
from finetune.evaluation.resampling import Figure
from finetune.evaluation.slices import Slice, slices_of
from finetune.graded_questions import GradedQuestion

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The grader that another one is compared with; ``gate`` only where both went through the behaviour suite."""

    judged: Judged
    figures: Mapping[str, Figure]
    risk: RiskCurve
    comparison: Comparison
    behaviour: Summary | None = None
    gate: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderEvaluation:
    """The figures of one grader on one set of answers, and what they were compared with if anything was."""

    judged: Judged
    figures: Mapping[str, Figure]
    slices: tuple[Slice, ...]
    calibration: tuple[CalibrationPoint, ...]
    risk: RiskCurve
    behaviour: Summary | None = None
    against: Against | None = None

    def as_json(self) -> dict[str, Any]:
        """What ``metrics.json`` holds: figures only, no words of students."""
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "kind": "grader evaluation",
            "answers": len(self.judged),
            "questions": len(self.judged.questions),
            "figures": _as_json(self.figures),
            "slices": [_slice_as_json(each) for each in self.slices],
            "calibration": [
                {"count": each.count, "given": round(each.given, 4), "true": each.true.as_json()}
                for each in self.calibration
            ],
            "risk_coverage": self.risk.as_json(),
        }
        if self.behaviour is not None:
            content["behaviour"] = self.behaviour.as_json()
        if self.against is not None:
            content["against"] = {
                "figures": _as_json(self.against.figures),
                "comparison": self.against.comparison.as_json(),
            }
            if self.against.gate is not None:
                content["against"]["gate"] = self.against.gate.as_json()
        return content


def evaluate_grader(
    grader: Assesses,
    questions: Sequence[GradedQuestion],
    *,
    against: Assesses | None = None,
    cases: Sequence[Case] = (),
    progress: Tell | None = None,
) -> GraderEvaluation:
    """Judge ``grader`` by the scored answers of ``questions``, by the behaviour suite's ``cases``, and ``against``.

    Raises :class:`finetune.errors.TooFewExamples` where there is no answer.
    """
    judged = judge_answers(grader, questions, progress)
    behaviour = summary_of(judge(grader, cases, progress)) if cases else None
    return evaluation_of(
        judged,
        behaviour=behaviour,
        against=_against(against, judged, behaviour, questions, cases, progress) if against else None,
    )


def evaluation_of(
    judged: Judged, *, behaviour: Summary | None = None, against: Against | None = None
) -> GraderEvaluation:
    """The figures of answers that were judged already, as a training has them from its folds."""
    return GraderEvaluation(
        judged=judged,
        figures=grader_figures(judged),
        slices=tuple(slices_of(judged)),
        calibration=calibration_curve(judged),
        risk=risk_curve(judged),
        behaviour=behaviour,
        against=against,
    )


def _against(
    current: Assesses,
    candidate: Judged,
    behaviour: Summary | None,
    questions: Sequence[GradedQuestion],
    cases: Sequence[Case],
    progress: Tell | None,
) -> Against:
    judged = judge_answers(current, questions, progress)
    gate = own = None
    if behaviour is not None:
        own = summary_of(judge(current, cases, progress))
        gate = is_not_worse(candidate, judged, candidate_behaviour=behaviour, current_behaviour=own)
    return Against(
        judged=judged,
        figures=grader_figures(judged),
        risk=risk_curve(judged),
        comparison=compared(candidate, judged),
        behaviour=own,
        gate=gate,
    )


def _as_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: each.as_json() for name, each in figures.items()}


def _slice_as_json(each: Slice) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "name": each.name,
        "count": each.count,
        "questions": each.questions,
        "mse": each.mse.as_json(),
        "mae": each.mae.as_json(),
        "bias": each.bias.as_json(),
    }
