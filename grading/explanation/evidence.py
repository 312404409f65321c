"""Choose the student's words that are quoted back: the clause that shows a point, short and safe to repeat.

Words are quoted only as plain text. What looks like markup, an address, personal data, abuse, a cry for help or a word
to the grader is not repeated at all, neither to the student nor to a language model.
"""

from __future__ import annotations

import re

from grading.distress import needs_person
from grading.explanation.unrepeatable import is_abusive, is_personal
from grading.explanation.words import content_stems, plain, sentences, shortened
from grading.instructions import is_instruction

#: Longest quotation in characters; Hangul says more in fewer.
QUOTE_LIMIT = 80
QUOTE_LIMIT_HANGUL = 48

_CLAUSE_END = re.compile(r"(?<=[,;:.!?])\s+|\s+[–—-]+\s+|\s+->\s+|\s+(?=(?:and|but|while|because|whereas|so)\s)")
_HANGUL = re.compile(r"[가-힣]")
_WORDLIKE = re.compile(r"\w{2}|\w.*\w")
_MARKUP = re.compile(r"[<>{}\[\]`|\\*#~^]|&\w+;|&#|__|\$\$|/{2}")
_TO_THE_GRADER = re.compile(
    r"\b(?:ignore|disregard|override)\b.*\b(?:instruction|prompt|rule|above|previous)"
    r"|\b(?:system|assistant|tutor|teacher|grader|instructor)(?:['’]s)?\s*(?:prompt|note|comment)?\s*:"
    r"|\b(?:full|maximum|max|perfect)\s+(?:marks?|score|points?|credit|grade)\b|\bas an ai\b|\byou (?:are|must) now\b"
    r"|\b(?:score|grade|mark)s?\s*[:=]"
    r"|(?<![\d/.])(\d+)\s*/\s*\1(?![\d/.]*\d)|\b\d+\s*(?:/|out of)\s*\d+\s*(?:points?|marks?)?\s*$"
    r"|만점|점수\s*[:=]|(?:지시|명령|프롬프트).{0,10}무시|(?:채점|시스템|선생님|튜터|교수|조교)\S*(?:\s*(?:메모|노트|코멘트|의견|확인))?\s*:",
    re.IGNORECASE,
)


# Labels of the notes that a language model gets (see :mod:`.prompt`): no quotation may look like one of their lines.
_NOTE_LABEL = re.compile(r"\b(?:answer|good|vague|missing|mixed[- ]up|words|next)\s*:", re.IGNORECASE)


def quotation(evidence: str | None, point_text: str) -> str | None:
    """At most ``QUOTE_LIMIT`` characters of the student's words for a point, ``None`` where none may be repeated."""
    text = plain(evidence or "")
    if not text or not is_repeatable(text) or _NOTE_LABEL.search(text):
        return None
    limit = QUOTE_LIMIT_HANGUL if _HANGUL.search(text) else QUOTE_LIMIT
    chosen = text if len(text) <= limit else _best_clause(text, point_text, limit)
    quote = shortened(chosen.translate(_NO_QUOTES).strip(" ,;:.-–"), limit)
    return quote if _WORDLIKE.search(quote) else None


def is_repeatable(text: str) -> bool:
    """Whether words of a student may be shown again: presentable, no cry for help, nothing said to the grader."""
    return is_presentable(text) and not needs_person(text) and not any(map(is_instruction, sentences(text)))


def is_presentable(text: str) -> bool:
    """Whether a text may stand in an explanation, whoever wrote it.

    No markup, no address or personal data, no abuse, nothing that claims or asks for marks.
    """
    return not (_MARKUP.search(text) or is_personal(text) or is_abusive(text) or _TO_THE_GRADER.search(text))


def _best_clause(text: str, point_text: str, limit: int) -> str:
    """The clause of ``text`` with most of the point's words, with what follows it as far as it fits."""
    wanted = set(content_stems(point_text))
    starts = [0, *(match.end() for match in _CLAUSE_END.finditer(text))]
    windows = [text[start : start + limit] for start in starts]
    best = max(range(len(starts)), key=lambda i: (len(wanted & set(content_stems(windows[i]))), -i))
    return _whole_clauses(text[starts[best] :], limit)


def _whole_clauses(text: str, limit: int) -> str:
    """The clauses that fit, if they are long enough to be understood; else everything, to be cut at a word."""
    ends = [match.start() for match in _CLAUSE_END.finditer(text) if limit * 2 // 3 <= match.start() <= limit]
    return text[: ends[-1]] if ends and len(text) > limit else text


_NO_QUOTES = {ord(letter): None for letter in '"“”„‟«»「」『』〈〉《》'}
