"""Words to whoever grades, inside an answer: pleas, orders, fake comments and scores, in whatever disguise.

An answer is data. What speaks to the grader is taken out before scoring, so that it can neither earn nor mislead; what
it stood beside stays. Students of machine learning honestly write about scores, prompts, instructions and students:
each pattern needs more than such a word (``tests/unit/test_grading_instructions.py`` has what must stay).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator

from grading.instruction_words import IN_ONE_WORD, ORDERS, PLEAS, PRAISE, SCORE_KEY, SPEAKER, STUDENT_PRAISE, TAGGED
from grading.lookalikes import folded, has_spaced_out_words
from grading.text import Part, sentence_parts, squeezed, words

_WORD_CHARACTER = re.compile(r"\w")
_FENCE = re.compile(r"```|~~~")
_FENCE_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]*(?=\n|$)")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{16,}={0,2}")
_MAX_DECODED, _MAX_TOKENS = 2000, 50
_MAX_SENTENCES, _MAX_DIFFERENT = 2000, 256
_SHORT_LINE_WORDS = 3
_SHORT_LINES_TOGETHER = 40
ATTACKS = frozenset({"injection", "injections", "jailbreak", "jailbreaking", "jailbreaks", "인젝션", "탈옥"})
"""In a question or model answer they say that attacks on language models are asked for."""
_ABOUT_INJECTION = ATTACKS | {"guardrail", "guardrails"}
_WEAK_SPEAKERS = {"user", "student", "human", "teacher", "교사", "학생", "사용자"}


def without_instructions(text: str, subject: frozenset[str] = frozenset()) -> tuple[str, bool]:
    """A cleaned text with what speaks to the grader replaced by as many line breaks, and whether there was any.

    All other places stay. Line breaks, since what stood before and after are no longer one sentence; the marks of code
    fences become line breaks too. ``subject`` are the words of the question and its model answers: an answer about
    teachers and students in distillation may name them. What comes after 256 different sentences, or 2000 in all, is
    not read.
    """
    left = _blanked(text, _fences(text))
    too_many = sentence_parts(left)[_MAX_SENTENCES:]
    left = left[: too_many[0].start] if too_many else left
    is_found = False
    for spans_in in (_scored_data, _tagged, lambda rest: _speeches(rest, subject)):
        spans = list(spans_in(left))
        left = _blanked(left, spans)
        is_found = is_found or bool(spans)
    parts, orders = _judged(sentence_parts(left), subject)
    orders += _split_instructions(parts, subject)
    unread = [(parts[-1].end, len(left))] if parts else []
    read = _blanked(left, orders + unread)
    return read + "\n" * (len(text) - len(read)), is_found or bool(orders)


def is_instruction(sentence: str, subject: frozenset[str] = frozenset()) -> bool:
    """Whether a sentence gives orders to a grader, pleads with it, or says itself how good the answer is."""
    plain = folded(sentence)
    if any(pattern.search(reading) for reading in {sentence, plain} for pattern in (*_asking(subject), PRAISE)):
        return True
    if not subject & {"student", "students", "학생"} and STUDENT_PRAISE.search(plain):
        return True
    if has_spaced_out_words(plain) and IN_ONE_WORD.search(squeezed(plain)):
        return True
    return any(is_instruction(message) for message in _decoded(sentence))


def _asking(subject: frozenset[str]) -> tuple[re.Pattern[str], ...]:
    return (PLEAS,) if subject & _ABOUT_INJECTION else (PLEAS, ORDERS)


def _judged(parts: list[Part], subject: frozenset[str]) -> tuple[list[Part], list[tuple[int, int]]]:
    """The sentences that are read, and where those of them are that are instructions."""
    known: dict[str, bool] = {}
    orders: list[tuple[int, int]] = []
    honest = 0
    for number, part in enumerate(parts):
        sentence = part.text
        if sentence not in known:
            known[sentence] = is_instruction(sentence, subject)
            honest += not known[sentence]
        if known[sentence]:
            orders.append((part.start, part.end))
        if honest > _MAX_DIFFERENT or len(known) > 4 * _MAX_DIFFERENT:
            return parts[:number], orders
    return parts, orders


def _fences(text: str) -> Iterator[tuple[int, int]]:
    """The marks of code fences and the language behind them; the code stays."""
    for number, match in enumerate(_FENCE.finditer(text)):
        language = _FENCE_LANGUAGE.match(text, match.end()) if number % 2 == 0 else None
        yield match.start(), language.end() if language else match.end()


def _scored_data(text: str) -> Iterator[tuple[int, int]]:
    """JSON and the like that holds a score: the outermost brackets around it, with all they hold."""
    if SCORE_KEY.search(text):
        yield from (span for span in _outermost_brackets(text) if SCORE_KEY.search(text, *span))


def _tagged(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in TAGGED.finditer(text))


def _outermost_brackets(text: str) -> Iterator[tuple[int, int]]:
    """Balanced ``{…}`` and ``[…]`` that lie in no other, in order; half a bracket hides none."""
    opened: list[int] = []
    pairs: list[tuple[int, int]] = []
    for place, character in enumerate(text):
        if character in "{[":
            opened.append(place)
        elif character in "}]" and opened and text[opened[-1]] == ("{" if character == "}" else "["):
            pairs.append((opened.pop(), place + 1))
    end = 0
    for pair in sorted(pairs):
        if pair[0] >= end:
            yield pair
            end = pair[1]


def _speeches(text: str, subject: frozenset[str]) -> Iterator[tuple[int, int]]:
    """What pretends to be said by somebody else, to the end of its line; a bare name takes the next line too."""
    found = [(part, match) for part in sentence_parts(text) if (match := SPEAKER.match(folded(part.text)))]
    is_talk = bool({_name(match) for _, match in found} - _WEAK_SPEAKERS - subject)
    end = last_word = -1
    for part, match in found:
        is_allowed = _name(match) in subject or (_name(match) in _WEAK_SPEAKERS and not is_talk)
        if is_allowed and not match["noun"]:
            continue
        # Once a line, since a line may have thousands of speakers.
        if end < part.end:
            end = _line_end(text, part.end)
            last_word = _last_word(text, part.end, end)
        is_bare = last_word < part.end and not _WORD_CHARACTER.search(match.string, match.end())
        yield part.start, _line_end(text, end + 1) if is_bare else end


def _name(match: re.Match[str]) -> str:
    return (match["name"] or match["bracketed"]).lower().removesuffix("님")


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _last_word(text: str, start: int, end: int) -> int:
    """The last place there with a character that is read as part of a word; -1 where there is none."""
    places = range(end - 1, start - 1, -1)
    return next((place for place in places if _WORD_CHARACTER.search(folded(text[place]))), -1)


def _split_instructions(parts: list[Part], subject: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where an instruction is spread over several very short sentences or lines."""
    for run in _short_runs(parts):
        spans: list[tuple[int, int]] = []
        joined = ""
        for part in run:
            reading = folded(part.text).rstrip(".!?,;: ")
            spans.append((len(joined), len(joined) + len(reading)))
            joined += f"{reading} "
        found = next(filter(None, (pattern.search(joined) for pattern in _asking(subject))), None)
        is_spelt = has_spaced_out_words(joined) and IN_ONE_WORD.search(squeezed(joined))
        for part, (start, end) in zip(run, spans, strict=True):
            if is_spelt or (found and start < found.end() and found.start() < end):
                yield part.start, part.end


def _short_runs(parts: list[Part]) -> Iterator[list[Part]]:
    """Two and more short sentences in a row, at most 40 at a time."""
    run: list[Part] = []
    for part in parts:
        is_short = len(part.raw.split()) <= _SHORT_LINE_WORDS
        if is_short:
            run.append(part)
        if not is_short or len(run) == _SHORT_LINES_TOGETHER:
            if len(run) > 1:
                yield run
            run = []
    if len(run) > 1:
        yield run


def _decoded(sentence: str) -> Iterator[str]:
    """What Base64 in the sentence says, where it says something."""
    for number, match in enumerate(_BASE64.finditer(sentence)):
        if number == _MAX_TOKENS:
            return
        token = match.group().rstrip("=")[:_MAX_DECODED]
        token = token[: len(token) // 4 * 4 + (len(token) % 4 if len(token) % 4 != 1 else 0)]
        try:
            message = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if message.isprintable() or len(words(message)) > 1:
            yield f"{message} "


def _blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with line breaks in these places, which may overlap."""
    pieces: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if end > done:
            pieces += [text[done : max(start, done)], "\n" * (end - max(start, done))]
            done = end
    return "".join([*pieces, text[done:]])
