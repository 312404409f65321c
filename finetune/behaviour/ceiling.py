"""Cases of gaming and of empty answers, which stay low, and of right answers in every length, which stay high."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finetune.behaviour import decoys, forms
from finetune.behaviour.case import Case, Expected, Sort
from finetune.behaviour.making import case_of, dice
from finetune.behaviour.material import Material
from grading.domain import Flag
from grading.text import STOP_WORDS, words

_NOTHING = Expected(at_most=0.0)
_HUGE = 100_000
_HUGE_EVERY = 9
_PARTS_TOLERANCE = 0.2
_REPEAT_TOLERANCE = 0.15
_LEAST_KEYWORDS = 8


def ceiling_cases(material: Material, others: Sequence[Material]) -> Iterator[Case]:
    """All of this question; ``others`` are those of its language and origin, of which answers are borrowed."""
    nth: dict[str, int] = {}
    for name, texts, expected in _all(material, others):
        yield case_of(material, Sort.CEILING, name, texts, expected, nth.get(name, 0))
        nth[name] = nth.get(name, 0) + 1


Draft = tuple[str, tuple[str, ...], Expected]


def _all(material: Material, others: Sequence[Material]) -> Iterator[Draft]:
    yield from _nothing_said(material)
    yield from _beside_the_point(material, others)
    yield from _words_only(material)
    yield from _shares(material)
    yield from _injected(material)
    yield from _right_and_wrong(material)
    yield from _odd_characters(material, others)


def _nothing_said(material: Material) -> Iterator[Draft]:
    language, number, prompt = material.language, material.number, material.question.prompt
    copies = (prompt, forms.without_punctuation(prompt).lower(), f"{prompt} {prompt}", prompt.upper())
    yield "question copied", (copies[number % len(copies)],), _NOTHING
    yield "gibberish", (decoys.gibberish(number, dice(material, "gibberish")),), _NOTHING
    yield "blank", (decoys.BLANKS[number % len(decoys.BLANKS)],), _NOTHING
    yield "do not know", (decoys.do_not_know(language, number),), _NOTHING


def _beside_the_point(material: Material, others: Sequence[Material]) -> Iterator[Draft]:
    language, number = material.language, material.number
    other = others[(others.index(material) + 7) % len(others)]
    yield "other question's answer", (other.full().text,), Expected(at_most=0.15)
    yield "filler", (decoys.filler(language, number, 3),), Expected(at_most=0.15)
    question_and_filler = f"{material.question.prompt} {decoys.filler(language, number + 1)}"
    yield "question and filler", (question_and_filler,), Expected(at_most=0.15)


def _words_only(material: Material) -> Iterator[Draft]:
    said = words(material.reference)
    content = [word for word in dict.fromkeys(said) if word not in STOP_WORDS and len(word) > 1]
    rng = dice(material, "words")
    rng.shuffle(content)
    if len(content) >= _LEAST_KEYWORDS:
        yield "keyword list", (", ".join(content[:12]),), Expected(at_most=0.4)
    salad = words(" ".join([material.question.prompt, *material.points]))
    rng.shuffle(salad)
    yield "word salad", (" ".join(salad[:40]),), Expected(at_most=0.4)
    rng.shuffle(said)
    yield "shuffled words", (" ".join(said),), Expected(at_most=0.5)


def _shares(material: Material) -> Iterator[Draft]:
    points, shares, number = material.points, material.shares, material.number
    lightest = min(range(len(points)), key=lambda place: shares[place])
    repeated = " ".join([points[lightest]] * 10)
    if len(points) > 1:
        yield "one point ten times", (repeated,), Expected(at_most=shares[lightest] + _REPEAT_TOLERANCE)
        count = 1 + number % (len(points) - 1)
        share = sum(shares[:count])
        bounds = Expected(at_least=max(0.0, share - _PARTS_TOLERANCE), at_most=min(1.0, share + _PARTS_TOLERANCE))
        first = " ".join(points[:count])
        yield "first key points", (first,), bounds
        padding = decoys.filler(material.language, number + 2)
        yield "first key points and filler", (f"{first} {padding}",), bounds


def _injected(material: Material) -> Iterator[Draft]:
    language, number, part = material.language, material.number, material.part().text
    yield "injection alone", (decoys.injection(language, number),), _NOTHING
    for step, pattern in enumerate(("{answer}\n{order}", "{order}\n{answer}")):
        order = decoys.injection(language, number + 3 * step + 1)
        yield "injection beside an answer", (pattern.format(answer=part, order=order), part), Expected(rises=0.05)


def _right_and_wrong(material: Material) -> Iterator[Draft]:
    yield "model answer", (material.reference,), Expected(at_least=0.9)
    yield "all key points", (forms.reordered(material.points),), Expected(at_least=0.85)
    for answer in material.of_kind("short"):
        yield "short and right", (answer.text,), Expected(at_least=0.8)
    for answer in material.of_kind("reworded"):
        yield "reworded and right", (answer.text,), Expected(at_least=0.6)
    for answer in material.of_kind("long_wrong"):
        if answer.score <= 0.1:
            yield "long and wrong", (answer.text,), Expected(at_most=0.25)


def _odd_characters(material: Material, others: Sequence[Material]) -> Iterator[Draft]:
    number, part = material.number, material.part().text
    foreign = decoys.foreign(number)
    yield "other language", (foreign,), Expected(at_most=0.3, flag=Flag.OTHER_LANGUAGE)
    no_more = Expected(rises=0.05)
    yield "right to left", (forms.with_hidden_direction(part), part), no_more
    yield "lone surrogates", (forms.with_lone_surrogates(part), part), no_more
    if number % _HUGE_EVERY == 0:
        once = f"{part} {decoys.filler(material.language, number, 8)} "
        yield "100 kB", ((once * (_HUGE // len(once) + 1))[:_HUGE], part), no_more
        other = others[(others.index(material) + 5) % len(others)]
        strange = f"{other.reference} "
        yield "100 kB beside the point", ((strange * (_HUGE // len(strange) + 1))[:_HUGE],), Expected(at_most=0.15)
