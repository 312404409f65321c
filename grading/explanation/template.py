"""A complete explanation without a language model: always there, always true to the feedback object.

Equal feedback gives equal text. Wordings vary with the answer, so that a class does not read one sentence thirty times.
Plain text, no digits of the score, at most ``LENGTH_LIMIT`` characters unless the names of points alone are longer;
never more than ``LENGTH_BOUND``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import ModuleType

from grading.domain import Flag, Verdict
from grading.explanation import phrases_en, phrases_ko
from grading.explanation.feedback import Band, Feedback, Point, Step, Unnamed, shown_quote
from grading.explanation.phrases import phrases_for

#: Version of the wordings, part of an explanation's versions.
TEMPLATE_VERSION = "4"
LENGTH_LIMIT = 500
LENGTH_BOUND = 2000
"""Long names of many points end here, with the last whole sentence."""

_GOOD = frozenset({Band.FULL, Band.MOST})
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
    phrases = phrases_for(feedback)
    assert feedback.gate is not None
    text = _pick(phrases.GATE[feedback.gate], feedback, 0)
    if feedback.gate is Flag.NEEDS_PERSON and contact:
        text += phrases.CONTACT.format(contact=contact)
    if feedback.focus:
        text += _pick(phrases.GATE_STEP, feedback, 1).format(focus=feedback.focus)
    return text


def _text(feedback: Feedback, *, quotes: int) -> str:
    phrases = phrases_for(feedback)
    if feedback.is_complete and feedback.band in _GOOD:
        return _complete_text(feedback, phrases, is_quoting=quotes > 0)
    parts = [_pick(_openings(feedback, phrases), feedback, 0)]
    for salt, (verdict, quoted) in enumerate(
        (
            (Verdict.COVERED, quotes > 0),
            (Verdict.CONTRADICTED, quotes > 1),
            (Verdict.PARTIAL, False),
            (Verdict.MISSING, False),
        ),
        start=1,
    ):
        points = feedback.find_points(verdict)
        if points:
            parts.append(_told(feedback, verdict, points, is_quoting=quoted, salt=salt))
        elif unnamed := feedback.find_unnamed(verdict):
            parts += _told_unnamed(feedback, unnamed, is_quoting=quoted, salt=salt)
    # To look for more is the next step.
    return " ".join(parts if feedback.is_asking else [*parts, _next_step(feedback, phrases)])


def _openings(feedback: Feedback, phrases: ModuleType) -> Sequence[str]:
    """By the band; without any part that is covered the score alone, which may err, praises nothing."""
    has_covered = feedback.covered or feedback.find_unnamed(Verdict.COVERED)
    if feedback.band is Band.LITTLE and not has_covered:
        return phrases.OPENING[Band.NONE]
    if not feedback.is_by_topic:
        return phrases.OPENING[feedback.band]
    if feedback.band is Band.HALF and not has_covered:
        return phrases.OPENING_UNSURE
    return phrases.OPENING_BY_TOPIC.get(feedback.band, phrases.OPENING[feedback.band])


def _complete_text(feedback: Feedback, phrases: ModuleType, *, is_quoting: bool) -> str:
    """Nothing is missing: no list of names, only what was well said."""
    unnamed = feedback.find_unnamed(Verdict.COVERED)
    quote = shown_quote(feedback.covered) or (unnamed.quote if unnamed else None)
    praise = _pick(phrases.WELL_PUT, feedback, 1).format(quote=quote) if quote and is_quoting else ""
    opening = phrases.COMPLETE_BY_TOPIC if feedback.is_by_topic else phrases.COMPLETE
    return f"{_pick(opening, feedback, 0)}{praise} {_pick(phrases.NEXT[Step.EXTEND], feedback, 5)}"


def _told(feedback: Feedback, verdict: Verdict, points: Sequence[Point], *, is_quoting: bool, salt: int) -> str:
    """One or two sentences that name points, with words of the student that show one of them."""
    quote = shown_quote(points) if is_quoting else None
    wordings = _wordings(feedback, verdict, has_quote=bool(quote))
    names = [point.name for point in points]
    if verdict in {Verdict.PARTIAL, Verdict.MISSING} and feedback.find_unnamed(verdict):
        names.append(phrases_for(feedback).REST)
    return _pick(wordings, feedback, salt).format(quote=quote, **_forms(feedback, names))


def _wordings(feedback: Feedback, verdict: Verdict, *, has_quote: bool) -> Sequence[str]:
    """Of a topic less is claimed than of a key point: verdicts on sentences not written for this err more often."""
    phrases = phrases_for(feedback)
    if verdict is Verdict.PARTIAL and feedback.is_asking:
        return phrases.TOPIC_ASKED
    of_topics, told = (phrases.TOPIC_QUOTED, phrases.TOLD_QUOTED) if has_quote else (phrases.TOPIC, phrases.TOLD)
    return (feedback.is_by_topic and of_topics.get(verdict)) or told[verdict]


def _told_unnamed(feedback: Feedback, unnamed: Unnamed, *, is_quoting: bool, salt: int) -> list[str]:
    """A sentence on points that have no name; none where only the student's own words could say which.

    Words of an answer that earned little are not held up as good.
    """
    if unnamed.verdict is Verdict.COVERED and feedback.band in {Band.LITTLE, Band.NONE}:
        return []
    phrases = phrases_for(feedback)
    quote = unnamed.quote if is_quoting else None
    if unnamed.verdict is Verdict.PARTIAL and feedback.is_asking:
        return [_pick(phrases.UNNAMED_ASKED, feedback, salt)]
    wordings = phrases.UNNAMED_QUOTED.get(unnamed.verdict) if quote else phrases.UNNAMED.get(unnamed.verdict)
    return [_pick(wordings, feedback, salt).format(quote=quote)] if wordings else []


def _next_step(feedback: Feedback, phrases: ModuleType) -> str:
    """The step by its name, or by "it" where the sentence before named nothing else."""
    if feedback.step is Step.EXTEND:
        return _pick(phrases.NEXT[feedback.step], feedback, 5)
    if feedback.focus is None or (feedback.is_by_topic and feedback.step is Step.FIX):
        return _pick(phrases.NEXT_UNNAMED[feedback.step], feedback, 5)
    last = feedback.told_last
    names = [point.name for point in feedback.find_points(last)]
    if names == [feedback.focus] and not feedback.find_unnamed(last):
        return _pick(phrases.NEXT[feedback.step], feedback, 5)
    return _pick(phrases.NEXT_FOCUS[feedback.step], feedback, 5).format(focus=feedback.focus)


def _forms(feedback: Feedback, names: Sequence[str]) -> dict[str, str]:
    return phrases_ko.forms(names) if feedback.language == "ko" else {"names": phrases_en.joined(names)}


def _pick(wordings: Sequence[str], feedback: Feedback, salt: int) -> str:
    """One of equal wordings: the answer's own number decides, with other digits of it for each place."""
    digit = feedback.variant // int(7**salt)
    return wordings[digit % len(wordings)]
