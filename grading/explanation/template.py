"""A complete explanation without a language model: always there, always true to the feedback object.

Equal feedback gives equal text. Wordings vary with the answer, so that a class does not read one sentence thirty times.
Plain text, no digits of the score, at most ``LENGTH_LIMIT`` characters unless the names of points alone are longer;
never more than ``LENGTH_BOUND``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import ModuleType

from grading.domain import Flag
from grading.explanation import phrases_en, phrases_ko
from grading.explanation.feedback import Band, Feedback, Point, Step, shown_quote

#: Version of the wordings, part of an explanation's versions.
TEMPLATE_VERSION = "2"
LENGTH_LIMIT = 500
LENGTH_BOUND = 2000
"""Long names of many points end here, with the last whole sentence."""

_SENTENCE_END = re.compile(r"[.?!]”?(?=\s)")


def template_text(feedback: Feedback, *, contact: str = "") -> str:
    """The feedback as two to five friendly sentences in its language; a fixed text where a gate applies.

    ``contact``: to whom the operator sends those who need a person, one line; shown to nobody else.
    """
    if feedback.gate is not None:
        return _bounded(_gate_text(feedback, contact))
    for quotes in (2, 1, 0):
        text = _text(feedback, quotes=quotes)
        if len(text) <= LENGTH_LIMIT:
            break
    return _bounded(text)


def _bounded(text: str) -> str:
    """The text up to its last whole sentence within the bound; one endless sentence ends with a word and "…"."""
    if len(text) <= LENGTH_BOUND:
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: LENGTH_BOUND + 1])]
    return text[: ends[-1]] if ends else f"{text[: LENGTH_BOUND - 1].rsplit(maxsplit=1)[0]}…"


def _gate_text(feedback: Feedback, contact: str) -> str:
    phrases = _phrases(feedback)
    assert feedback.gate is not None
    text = _pick(phrases.GATE[feedback.gate], feedback, 0)
    if feedback.gate is Flag.NEEDS_PERSON and contact:
        text += phrases.CONTACT.format(contact=contact)
    if feedback.focus:
        text += _pick(phrases.GATE_STEP, feedback, 1).format(focus=feedback.focus)
    return text


def _text(feedback: Feedback, *, quotes: int) -> str:
    phrases = _phrases(feedback)
    if feedback.is_complete and feedback.band in {Band.FULL, Band.MOST}:
        return _complete_text(feedback, phrases, is_quoting=quotes > 0)
    told = (
        (feedback.covered, phrases.PRAISE, phrases.PRAISE_QUOTED if quotes else None),
        (feedback.contradicted, phrases.MIXED_UP, phrases.MIXED_UP_QUOTED if quotes > 1 else None),
        (feedback.partial, phrases.PARTIAL, None),
        (feedback.missing, phrases.MISSING, None),
    )
    parts = [_pick(phrases.OPENING[feedback.band], feedback, 0)]
    parts += [
        _told(feedback, points, plain, quoting, salt)
        for salt, (points, plain, quoting) in enumerate(told, start=1)
        if points
    ]
    return " ".join([*parts, _next_step(feedback, phrases)])


def _complete_text(feedback: Feedback, phrases: ModuleType, *, is_quoting: bool) -> str:
    """Nothing is missing: no list of names, only what was well said."""
    quote = shown_quote(feedback.covered)
    praise = _pick(phrases.WELL_PUT, feedback, 1).format(quote=quote) if quote and is_quoting else ""
    return f"{_pick(phrases.COMPLETE, feedback, 0)}{praise} {_pick(phrases.NEXT[Step.EXTEND], feedback, 5)}"


def _told(
    feedback: Feedback, points: Sequence[Point], plain: Sequence[str], quoting: Sequence[str] | None, salt: int
) -> str:
    """One or two sentences that name points, with words of the student that show one of them."""
    quote = shown_quote(points) if quoting else None
    wordings = quoting if quoting and quote else plain
    return _pick(wordings, feedback, salt).format(quote=quote, **_forms(feedback, points))


def _next_step(feedback: Feedback, phrases: ModuleType) -> str:
    """The step by its name, or by "it" where the sentence before named nothing else."""
    told_last = feedback.missing or feedback.partial or feedback.contradicted
    is_clear = feedback.focus is None or [point.name for point in told_last] == [feedback.focus]
    if is_clear or feedback.step is Step.EXTEND:
        return _pick(phrases.NEXT[feedback.step], feedback, 5)
    return _pick(phrases.NEXT_FOCUS[feedback.step], feedback, 5).format(focus=feedback.focus)


def _forms(feedback: Feedback, points: Sequence[Point]) -> dict[str, str]:
    names = [point.name for point in points]
    return phrases_ko.forms(names) if feedback.language == "ko" else {"names": phrases_en.joined(names)}


def _pick(wordings: Sequence[str], feedback: Feedback, salt: int) -> str:
    """One of equal wordings: the answer's own number decides, with other digits of it for each place."""
    digit = feedback.variant // int(7**salt)
    return wordings[digit % len(wordings)]


def _phrases(feedback: Feedback) -> ModuleType:
    return phrases_ko if feedback.language == "ko" else phrases_en
