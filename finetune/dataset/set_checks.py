"""Checks of examples against each other: copies, contradicting scores, thin questions, floods."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Literal

from finetune.dataset.finding import Finding, Material
from finetune.dataset.parts import normalised
from finetune.dataset.table import shown

FEWEST_ANSWERS = 3

_FLOOD_SHARE, _FLOOD_COUNT = 0.5, 20
_SAME_SHARE, _SAME_COUNT = 0.9, 10
_SAME_SCORE = 1e-9


def set_findings(material: Material) -> Iterator[Finding]:
    """A finding for each check that the set does not pass."""
    yield from _copies(material)
    yield from _thin_questions(material)
    for who in ("course", "learner"):
        yield from _floods(material, who)
    yield from _same_scores(material)


def _copies(material: Material) -> Iterator[Finding]:
    prompts = {question.id: normalised(question.prompt) for question in material.questions}
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, example in enumerate(material.examples):
        if example.answer.strip():
            alike[prompts[example.question], normalised(example.answer)].append(index)
    copies = [group for group in alike.values() if len(group) > 1]
    torn = [group for group in copies if _spread(material, group) > _SAME_SCORE]
    agreed = [group for group in copies if _spread(material, group) <= _SAME_SCORE]
    if torn:
        text = "The same answer to the same question has different scores."
        yield Finding(kind="scores_differ", text=text, groups=material.together(torn))
    if agreed:
        text = "The same answer to the same question is there more than once."
        yield Finding(kind="duplicate", text=text, groups=material.together(agreed))


def _spread(material: Material, group: list[int]) -> float:
    scores = [score for index in group if (score := material.examples[index].score) is not None]
    return max(scores) - min(scores) if scores else 0.0


def _thin_questions(material: Material) -> Iterator[Finding]:
    counts = Counter(example.question for example in material.examples)
    thin = [n for n, question in enumerate(material.questions) if counts[question.id] < FEWEST_ANSWERS]
    if thin:
        text = f"The question has fewer than {FEWEST_ANSWERS} answers."
        groups = tuple((material.question_places[index],) for index in thin)
        yield Finding(kind="few_answers", text=text, groups=groups)


def _floods(material: Material, who: Literal["course", "learner"]) -> Iterator[Finding]:
    by: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(material.examples):
        if (name := getattr(example, who)) is not None:
            by[name].append(index)
    for name, indices in by.items():
        # A dataset of one course, or of one person, is what somebody chose.
        is_flood = len(indices) > max(_FLOOD_COUNT, _FLOOD_SHARE * len(material.examples))
        if is_flood and len(indices) < len(material.examples):
            share = len(indices) / len(material.examples)
            text = f"The {who} '{shown(name)}' gave {len(indices)} of {len(material.examples)} examples ({share:.0%})."
            yield Finding(kind=f"{who}_floods", text=text, groups=material.at(indices))


def _same_scores(material: Material) -> Iterator[Finding]:
    scored = [(n, round(example.score, 6)) for n, example in enumerate(material.examples) if example.score is not None]
    if len(scored) < _SAME_COUNT:
        return
    score, count = Counter(score for _, score in scored).most_common(1)[0]
    if count >= _SAME_SHARE * len(scored):
        text = f"{count} of {len(scored)} scores are {score:g}: there is little to learn."
        yield Finding(kind="scores_same", text=text, groups=material.at(n for n, each in scored if each == score))
