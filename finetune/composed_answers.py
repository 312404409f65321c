"""Answers composed of the statements of a contrast set: each alone, and several joined as students join them.

What an answer says of each key point is known by construction, and neither voice nor length tells right from wrong.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import Enum

from finetune.contrasts import ContrastPoint, ContrastQuestion
from finetune.graded_answer import GradedAnswer
from grading.domain import Verdict

C, P, M, X = Verdict.COVERED, Verdict.PARTIAL, Verdict.MISSING, Verdict.CONTRADICTED

COMPOSED = "composed"

_JOINED = 40
_EARNS = {C: 1.0, P: 0.5, M: 0.0, X: 0.0}
_FALSE_BESIDE_RIGHT = 0.1
_ASIDE_SHARE = 0.3
_ONE_VOICE_SHARE = 0.6


class Voice(Enum):
    """How a student says it: places of the right and of the wrong statements; ``None`` is the key point's own text."""

    TEXTBOOK = ((None,), (0, 1))
    OWN_WORDS = ((0,), (2,))
    REWORDED = ((1,), (5,))
    TERSE = ((2,), (3,))
    CASUAL = ((3,), (4,))
    NOTES = ((4,), (3, 2))


def composed_answers(contrast: ContrastQuestion, rng: random.Random) -> Iterator[GradedAnswer]:
    """Every statement alone, :data:`_JOINED` answers of several, the asides alone, the long wrong answers."""
    points = contrast.points
    for place, point in enumerate(points):
        for verdict, statements in ((C, point.right), (X, point.wrong), (P, point.partly)):
            for statement in statements:
                verdicts = [verdict if other == place else M for other in range(len(points))]
                yield _graded(contrast, "statement", statement, verdicts)
    for _ in range(_JOINED):
        verdicts = _drawn_verdicts(len(points), rng)
        yield _graded(contrast, COMPOSED, _joined(contrast, verdicts, rng), verdicts)
    yield _graded(contrast, "asides", " ".join(contrast.asides), [M] * len(points))
    for text in contrast.wrong_answers:
        yield _graded(contrast, "wrong_answer", text, [X] * len(points))


def _drawn_verdicts(count: int, rng: random.Random) -> list[Verdict]:
    """Everything right, everything wrong, one point wrong, one missing, or a mixture: answers of all scores."""
    shape = rng.choices(("right", "wrong", "one wrong", "one missing", "mixed"), (4, 3, 4, 3, 6))[0]
    if shape == "mixed":
        drawn = rng.choices((C, P, M, X), (8, 3, 5, 4), k=count)
        return drawn if any(verdict is not M for verdict in drawn) else [C, *drawn[1:]]
    drawn = [X if shape == "wrong" else C] * count
    if shape.startswith("one"):
        drawn[rng.randrange(count)] = X if shape == "one wrong" else M
    return drawn


def _joined(contrast: ContrastQuestion, verdicts: Sequence[Verdict], rng: random.Random) -> str:
    voices = list(Voice)
    one_voice = rng.choice(voices) if rng.random() < _ONE_VOICE_SHARE else None
    parts = [
        _statement(point, verdict, one_voice or rng.choice(voices), rng)
        for point, verdict in zip(contrast.points, verdicts, strict=True)
        if verdict is not M
    ]
    if rng.random() < 0.5:
        rng.shuffle(parts)
    if rng.random() < _ASIDE_SHARE:
        parts.insert(rng.choice((0, len(parts))), rng.choice(contrast.asides))
    form = rng.choice(("sentences", "sentences", "semicolons", "lines", "bullets"))
    if form == "semicolons":
        return "; ".join(part.rstrip(".") for part in parts)
    if form == "sentences":
        return " ".join(part if part[-1] in ".!?" else f"{part}." for part in parts)
    return "\n".join(f"- {part}" if form == "bullets" else part for part in parts)


def _statement(point: ContrastPoint, verdict: Verdict, voice: Voice, rng: random.Random) -> str:
    if verdict is P:
        return rng.choice(point.partly)
    right, wrong = voice.value
    if verdict is X:
        return point.wrong[rng.choice(wrong)]
    place = rng.choice(right)
    return point.text if place is None else point.right[place]


def _graded(contrast: ContrastQuestion, kind: str, text: str, verdicts: Sequence[Verdict]) -> GradedAnswer:
    weights = [point.weight for point in contrast.points]
    earned = sum(weight * _EARNS[verdict] for weight, verdict in zip(weights, verdicts, strict=True)) / sum(weights)
    if X in verdicts:
        # As a tutor does: a confident false statement beside right ones takes a little more off than its own share.
        earned = max(0.0, earned - _FALSE_BESIDE_RIGHT)
    return GradedAnswer(kind=kind, text=text, verdicts=tuple(verdicts), score=earned, is_made_up=True)
