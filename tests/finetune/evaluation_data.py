"""Graders by rule and a course whose truth is known, judged as well or as badly as a test needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from finetune.behaviour.case import GATES
from finetune.behaviour.summary import Summary, Tally
from finetune.evaluation.judged import Judged, Numbers
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from grading.domain import Assessment, Flag, KeyPointVerdict, Question, Verdict

STEPS = "It splits the data. It trains on one part. It checks on the other part. It reports the mean."


class ShareOfWords:
    """A grader by rule: the share of the model answer's sentences that an answer repeats, plus ``bias``."""

    def __init__(self, bias: float = 0.0) -> None:
        self._bias = bias

    def assess(self, question: Question, answers: Sequence[str]) -> list[Assessment]:
        return [self._assessment(question, answer) for answer in answers]

    def _assessment(self, question: Question, answer: str) -> Assessment:
        parts = [part for part in question.model_answers[0].split(". ") if part]
        said = [part.rstrip(".") in answer for part in parts]
        fraction = min(1.0, max(0.0, sum(said) / len(parts) + self._bias))
        return Assessment(
            fraction=fraction,
            low=max(0.0, fraction - 0.2),
            high=min(1.0, fraction + 0.2),
            confidence=0.5 + fraction / 2,
            verdicts=tuple(
                KeyPointVerdict(position=place, verdict=Verdict.COVERED if found else Verdict.MISSING, similarity=0.5)
                for place, found in enumerate(said)
            ),
            flags=frozenset() if answer.strip() else frozenset({Flag.BLANK}),
        )


def course(questions: int = 6, answers: int = 5) -> list[GradedQuestion]:
    """Questions whose answers repeat none to all of four sentences, scored by how many; every third is Korean."""
    parts = STEPS.split(". ")
    return [
        GradedQuestion(
            source="course",
            group=f"course {number}",
            question=Question(
                prompt=f"How does method {number} judge a model?",
                model_answers=(STEPS,),
                language="ko" if number % 3 == 2 else "en",
            ),
            answers=tuple(
                GradedAnswer(text=". ".join(parts[: each % 5]), score=(each % 5) / 4) for each in range(answers)
            ),
        )
        for number in range(questions)
    ]


def make_judged(
    questions: int = 20, answers: int = 10, *, noise: float = 0.1, bias: float = 0.0, seed: int = 0, labels: int = 0
) -> Judged:
    """Answers of equal ``labels`` have equal scores; what is given is the score with ``bias`` and ``noise``."""
    count = questions * answers
    truth = np.random.default_rng(10_000 + labels)
    true = np.round(truth.beta(0.8, 0.8, count) * 20) / 20
    length = np.round(np.exp(truth.normal(4.5, 0.8, count)))
    question = np.repeat(np.arange(questions), answers)
    predicted = np.clip(true + bias + np.random.default_rng(seed).normal(0, noise, count), 0, 1)
    return Judged(
        questions=tuple(f"question {number}" for number in range(questions)),
        question=question,
        predicted=predicted,
        low=np.maximum(predicted - 0.2, 0),
        high=np.minimum(predicted + 0.2, 1),
        confidence=1 - np.abs(predicted - 0.5) * np.random.default_rng(seed).uniform(0, 1, count),
        true=true,
        length=length,
        language=np.where(question % 3 == 2, "ko", "en"),
        flags=tuple(frozenset({Flag.REPEATED}) if number % 11 == 0 else frozenset() for number in range(count)),
        prompts=tuple(f"What does method {number} do?" for number in question),
        texts=tuple(f"answer {number}" for number in range(count)),
    )


def given(judged: Judged, predicted: Numbers) -> Judged:
    """The same answers, as another grader judged them."""
    return replace(judged, predicted=predicted)


def make_behaviour(*, failed: int = 0, gate: str = "", without: bool = False) -> Summary:
    """A suite of 1,000 English cases of which ``failed`` fail, one of them of ``gate`` where it is named."""
    gates = {name: Tally(passed=20 - (name == gate), total=20) for name in sorted(set(GATES.values()))}
    every = {} if without else {"en": Tally(passed=1000 - failed, total=1000)}
    return Summary(
        by_language=every,
        by_sort={f"{name}/direction": tally for name, tally in every.items()},
        by_origin={},
        by_name={f"{name}/direction/antonym/unseen": tally for name, tally in every.items()},
        by_gate={} if without else {f"en/{name}": tally for name, tally in gates.items()},
        short_error={},
        long_wrong_mean={},
    )
