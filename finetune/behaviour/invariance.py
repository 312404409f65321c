"""Cases in which the form of an answer changes and its meaning does not: the fraction moves by at most 0.1."""

from __future__ import annotations

from collections.abc import Iterator

from finetune.behaviour import forms
from finetune.behaviour.case import Case, Expected, Sort
from finetune.behaviour.decoys import filler, true_remark
from finetune.behaviour.making import case_of
from finetune.behaviour.material import Material

_MOVES = Expected(moves=0.1)


def invariance_cases(material: Material) -> Iterator[Case]:
    """All changes of form that change something in this question's answers."""
    for name, changed, plain in _changes(material):
        if changed != plain:
            yield case_of(material, Sort.INVARIANCE, name, (changed, plain), _MOVES)


def _changes(material: Material) -> Iterator[tuple[str, str, str]]:
    """The name of each change, the changed text and the plain one."""
    language, number = material.language, material.number
    full, part = material.full().text, material.part().text
    # Full answers alone would hide a fraction that only moves below 1, so both take turns.
    one, other = (full, part) if number % 2 else (part, full)
    points = " ".join(material.points)
    yield "typos", forms.with_typos(one, language), one
    yield "no punctuation", forms.without_punctuation(other), other
    if language == "en":
        yield "upper case", one.upper(), one
        yield "contractions", forms.with_contractions(points), points
    else:
        yield "polite endings", forms.with_polite_endings(points), points
    yield "lower case", other.lower(), other
    yield "synonyms", forms.with_synonyms(material.reference, language), material.reference
    if len(material.points) > 1:
        yield "reordered", forms.reordered(material.points), points
        yield "list", forms.as_list(material.points), points
    yield "filler before", f"{filler(language, number)} {one}", one
    yield "filler after", f"{_ended(other)} {filler(language, number + 3)}", other
    yield "harmless remark", f"{_ended(part)} {true_remark(language, number)}", part
    yield "invisible characters", forms.with_invisible_characters(one), one
    yield "line breaks", forms.with_line_breaks(other), other


def _ended(text: str) -> str:
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text.rstrip()}."
