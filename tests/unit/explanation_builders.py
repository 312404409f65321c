"""Builders of questions, assessments and feedback for the tests of explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grading.domain import Assessment, Flag, KeyPoint, KeyPointVerdict, Question, Verdict
from grading.explanation.feedback import Feedback
from grading.explanation.feedback_making import feedback_from

BIAS_ANSWER = "High bias means that the model is too simple and underfits. Variance is the spread of the inputs."


def make_question(**overrides: Any) -> Question:
    """The bias and variance question, in English."""
    fields: dict[str, Any] = {
        "prompt": "What are the bias and the variance of a model, and how do they change with its complexity?",
        "model_answers": (
            "Bias is systematic error from too simple assumptions, the model underfits. Variance is the sensitivity to"
            " the particular training sample, the model overfits. More complexity lowers bias and raises variance.",
        ),
        "key_points": (
            KeyPoint(
                position=0, name="what bias is", text="Bias is systematic error from too simple assumptions.", weight=2
            ),
            KeyPoint(
                position=1,
                name="what variance is",
                text="Variance is the sensitivity to the particular training sample.",
                weight=2,
            ),
            KeyPoint(
                position=2,
                name="the effect of more complexity",
                text="Bias falls and variance rises, the total is smallest somewhere in the middle.",
                weight=1,
            ),
        ),
    }
    return Question(**{**fields, **overrides})


def make_korean_question() -> Question:
    """The same in Korean."""
    return Question(
        prompt="편향과 분산은 무엇이고, 모델이 복잡해지면 어떻게 변하나요?",
        model_answers=(
            "편향은 너무 단순한 가정에서 오는 오차이고 분산은 학습 데이터에 따라 모델이 달라지는 정도예요.",
        ),
        key_points=(
            KeyPoint(position=0, name="편향의 뜻", text="편향은 너무 단순한 가정에서 오는 체계적인 오차다.", weight=2),
            KeyPoint(position=1, name="분산의 뜻", text="분산은 학습 데이터에 따라 모델이 흔들리는 정도다.", weight=2),
            KeyPoint(position=2, name="복잡도가 커질 때의 변화", text="편향은 줄고 분산은 늘어난다."),
        ),
        language="ko",
    )


def make_assessment(
    verdicts: Sequence[Verdict | str],
    *,
    fraction: float = 0.5,
    evidence: Mapping[int, str] | None = None,
    flags: frozenset[Flag] = frozenset(),
) -> Assessment:
    """An assessment with these verdicts in order of position; ``evidence`` by position."""
    judged = tuple(
        KeyPointVerdict(
            position=position,
            verdict=Verdict(verdict),
            similarity=0.5,
            evidence=(evidence or {}).get(position),
        )
        for position, verdict in enumerate(verdicts)
    )
    return Assessment(fraction=fraction, low=0.0, high=1.0, confidence=0.9, verdicts=judged, flags=flags)


def make_feedback(
    verdicts: Sequence[Verdict | str] = ("covered", "contradicted", "missing"),
    *,
    fraction: float = 0.4,
    evidence: Mapping[int, str] | None = None,
    question: Question | None = None,
    answer: str = BIAS_ANSWER,
) -> Feedback:
    """Feedback on the bias answer: one point right, one mixed up, one missing."""
    shown = {0: "High bias means that the model is too simple and underfits."} if evidence is None else evidence
    assessment = make_assessment(verdicts, fraction=fraction, evidence=shown)
    return feedback_from(question or make_question(), answer, assessment)
