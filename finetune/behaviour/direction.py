"""Cases in which the meaning changes, often by a single word: the fraction falls."""

from __future__ import annotations

from collections.abc import Iterator

from finetune.behaviour.case import Case, Expected, Sort
from finetune.behaviour.making import case_of
from finetune.behaviour.material import Answer, Material
from finetune.behaviour.opposites import denied, is_simple, negated
from grading.text import sentences

_FALLS = Expected(falls=0.1)
_FALLS_FAR = Expected(falls=0.25)
_COLLAPSES = Expected(falls=0.4, at_most=0.4)
_WRONG = 0.15
"""An answer with at most this score is wrong as a whole."""
_CLEARLY_LESS = 0.25
_WORTH = 0.2
"""The least share of a key point whose loss must show."""
_WORTH_OF_TWO = 0.33
"""The same for a key point of several clauses, one of which is negated."""


def direction_cases(material: Material) -> Iterator[Case]:
    """All changes of meaning that this question allows."""
    for nth, (name, changed, plain, expected) in enumerate(_changes(material)):
        yield case_of(material, Sort.DIRECTION, name, (changed, plain), expected, nth)


def _changes(material: Material) -> Iterator[tuple[str, str, str, Expected]]:
    yield from _by_hand(material)
    yield from _points_left_out(material)
    yield from _points_negated(material)
    yield from _wrong_added(material)


def _by_hand(material: Material) -> Iterator[tuple[str, str, str, Expected]]:
    """Written for this question: edits of the model answer and answers that are wrong in one point or in all."""
    full = material.full()
    for edit in material.edits:
        changed = material.reference.replace(edit.old, edit.new)
        yield _EDITS[edit.name], changed, material.reference, _COLLAPSES if edit.whole else _FALLS
    for kind in ("flipped", "one_wrong", "mixed", "part", "wrong"):
        for answer in material.of_kind(kind)[:1]:
            yield from _less(_KINDS[kind], answer, full)


def _less(name: str, answer: Answer, full: Answer) -> Iterator[tuple[str, str, str, Expected]]:
    if answer.score <= _WRONG:
        yield name, answer.text, full.text, _COLLAPSES
    elif full.score - answer.score >= _CLEARLY_LESS:
        yield name, answer.text, full.text, _FALLS


def _points_left_out(material: Material) -> Iterator[tuple[str, str, str, Expected]]:
    points = material.points
    if len(points) > 1:
        heaviest = max(range(len(points)), key=lambda place: (material.shares[place], place))
        rest = [point for place, point in enumerate(points) if place != heaviest]
        yield "key point removed", " ".join(rest), " ".join(points), _FALLS


def _points_negated(material: Material) -> Iterator[tuple[str, str, str, Expected]]:
    points, language, number = material.points, material.language, material.number
    plain = " ".join(points)
    all_denied = [denied(point, language, number + place) for place, point in enumerate(points)]
    yield "all denied", " ".join(all_denied), plain, _COLLAPSES
    all_negated = [negated(point, language) for point in points]
    if None not in all_negated:
        expected = _COLLAPSES if all(is_simple(point) for point in points) else _FALLS_FAR
        yield "all negated", " ".join(point for point in all_negated if point), plain, expected
    for place, changed in enumerate(all_negated):
        least = _WORTH if is_simple(points[place]) else _WORTH_OF_TWO
        if len(points) > 1 and changed and material.shares[place] >= least:
            yield "one negated", " ".join([*points[:place], changed, *points[place + 1 :]]), plain, _FALLS
            break


def _wrong_added(material: Material) -> Iterator[tuple[str, str, str, Expected]]:
    """A right answer that goes on with a confident wrong one: it no longer shows that the student knows."""
    wrong = material.of_kind("flipped" if not material.seen else "wrong")[:1]
    if wrong and wrong[0].score <= _WRONG:
        plain = material.reference
        joint = "Moreover:" if material.language == "en" else "그리고"
        yield "wrong answer appended", f"{plain} {joint} {wrong[0].text}", plain, _FALLS
    long_wrong = material.of_kind("long_wrong")[0]
    if long_wrong.score <= _WRONG and material.number % 2:
        plain = material.of_kind("short")[0].text.rstrip(".") + "."
        said = sentences(long_wrong.text)
        yield "wrong statement appended", " ".join([plain, *said[:3]]), plain, _FALLS


_KINDS = {
    "flipped": "flipped by hand",
    "one_wrong": "one point wrong",
    "mixed": "wrong extension",
    "part": "part only",
    "wrong": "wrong answer",
}
_EDITS = {
    "swapped terms": "roles swapped",
    "swapped roles": "roles swapped",
    "역할 바꿈": "roles swapped",
    "antonym": "antonym",
    "반대말": "antonym",
    "negation": "negation",
    "부정": "negation",
    "wrong number": "wrong number",
    "틀린 수": "wrong number",
}
