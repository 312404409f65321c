"""Near-identical texts in different parts: what is trained on would be tested.

Two texts are near-identical when they share most of their pieces of four characters (Jaccard index; Broder 1997),
case, white space and punctuation aside. Texts that are equal are in one part by their hash, unless the data came with
parts of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from finetune.dataset.finding import Finding, Material
from finetune.dataset.parts import normalised, part_of_example

_NEAR = 0.85
_PIECE = 4
_READ_CHARACTERS = 5_000
_ROWS_AT_ONCE = 256


def leak_findings(material: Material) -> Iterator[Finding]:
    """A finding where a split by question, or one by answer, would tear twins apart."""
    yield from _question_leaks(material)
    yield from _answer_leaks(material)


def _question_leaks(material: Material) -> Iterator[Finding]:
    questions = material.by_id()
    parts: dict[str, set[str]] = defaultdict(set)
    for example in material.examples:
        parts[example.question].add(part_of_example(example, questions[example.question], "question"))
    asked = [index for index, question in enumerate(material.questions) if parts[question.id]]
    pairs = [
        (material.question_places[asked[one]], material.question_places[asked[other]])
        for one, other in near_pairs([normalised(material.questions[index].prompt) for index in asked])
        if parts[material.questions[asked[one]].id] != parts[material.questions[asked[other]].id]
    ]
    if pairs:
        text = "Nearly the same question falls in different parts, when parts are cut by question."
        yield Finding(kind="question_leaks", text=text, groups=tuple(pairs))


def _answer_leaks(material: Material) -> Iterator[Finding]:
    questions = material.by_id()
    by_prompt: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for index, example in enumerate(material.examples):
        if example.answer.strip():
            question = questions[example.question]
            # Of equal answers in one part the first will do: the others are named as duplicates.
            key = (normalised(example.answer), part_of_example(example, question, "answer"))
            by_prompt[normalised(question.prompt)].setdefault(key, index)
    pairs: list[tuple[int, int]] = []
    for alike in by_prompt.values():
        parts, indices = [part for _, part in alike], list(alike.values())
        if len(set(parts)) > 1:
            near = near_pairs([text for text, _ in alike])
            pairs += [(indices[one], indices[other]) for one, other in near if parts[one] != parts[other]]
    if pairs:
        text = "Nearly the same answer falls in different parts, when parts are cut by answer."
        yield Finding(kind="answer_leaks", text=text, groups=material.together(pairs))


def near_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The pairs of near-identical texts, first one first."""
    if len(texts) < 2:
        return
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    counted = CountVectorizer(analyzer=_pieces, binary=True)  # pyright: ignore[reportArgumentType]
    pieces: Any = counted.fit_transform(texts)
    sizes = np.asarray(pieces.sum(axis=1)).ravel()
    turned = pieces.T.tocsr()
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        shared = (pieces[start : start + _ROWS_AT_ONCE] @ turned).tocoo()
        rows = shared.row + start
        near = shared.data >= _NEAR * (sizes[rows] + sizes[shared.col] - shared.data)
        found = zip(rows[near].tolist(), shared.col[near].tolist(), strict=True)
        yield from sorted((one, other) for one, other in found if one < other)


def _pieces(text: str) -> set[str]:
    """Never empty, so that equal short texts are near-identical too."""
    read = text[:_READ_CHARACTERS]
    return {read[start : start + _PIECE] for start in range(max(1, len(read) - _PIECE + 1))}
