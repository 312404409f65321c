"""Read a text about an answer: its clauses, the key points each one names, and in which tone.

Quoted words are taken out first, names of key points are replaced by marks; only what is left has a tone. Thus "what
goes wrong in a plain RNN" is a name, not a reproach.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from grading.explanation import cues
from grading.explanation.cues_en import ASKED_VERBS
from grading.explanation.feedback import Feedback, Language, Point
from grading.explanation.words import content_stems, plain

Tone = Literal["praise", "miss", "ask", "correct", "vague", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A part of a sentence with one tone: the ``positions`` of key points that it names, the ``quotes`` it holds,
    and the number of its ``sentence``.
    """

    text: str
    tone: Tone
    positions: frozenset[int]
    quotes: tuple[str, ...] = ()
    sentence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text taken apart: ``own_words`` are what is left without quotations and names."""

    clauses: tuple[Clause, ...]
    quotes: tuple[str, ...]
    own_words: str

    @property
    def named(self) -> frozenset[int]:
        """Positions of all key points that the text names."""
        return frozenset(position for clause in self.clauses for position in clause.positions)


def read(text: str, feedback: Feedback) -> Reading:
    """``text`` read as feedback about the points of ``feedback``."""
    line = _YES.sub(": ", plain(text))
    quotes = [(match[1] or match[2] or "").rstrip("….,!? ") for match in _QUOTE.finditer(line)]
    numbers = iter(range(len(quotes)))
    marked = _marked(_QUOTE.sub(lambda _: f" ⟪{next(numbers)}⟫ ", line), feedback.points)
    clauses: list[Clause] = []
    for number, sentence in enumerate(_SENTENCE_END.split(marked)):
        clauses += [replace(clause, sentence=number) for clause in _clauses(sentence, feedback, quotes)]
    return Reading(clauses=tuple(clauses), quotes=tuple(filter(None, quotes)), own_words=MARK.sub(" ", marked))


def _marked(text: str, points: tuple[Point, ...]) -> str:
    """``text`` with every name of a point replaced by its mark, the longest names first."""
    for point in sorted(points, key=lambda each: -len(each.name)):
        pattern = re.compile(r"(?<![^\W가-힣])" + re.escape(point.name).replace(r"\ ", r"\s+"), re.IGNORECASE)
        text = pattern.sub(f" ⟦{point.position}⟧ ", text)
    return text


def _clauses(sentence: str, feedback: Feedback, quotes: Sequence[str]) -> list[Clause]:
    """The clauses of one sentence; one without a cue of its own goes on in the tone before it."""
    found: list[Clause] = []
    tone: Tone = "none"
    for part in _CLAUSE_END[feedback.language].split(sentence):
        own = "none" if _NOR.search(part) and tone != "none" else _tone(part, feedback.language)
        tone = own if own != "none" else _inherited(tone, part)
        held = tuple(quotes[int(number)] for number in _QUOTED.findall(part))
        found.append(Clause(text=part, tone=tone, positions=_positions(part, feedback.points), quotes=held))
    # A cue at the end of a list holds for the whole list: "A, B and C are right".
    for index in range(len(found) - 2, -1, -1):
        if found[index].tone == "none" and (found[index].positions or found[index].quotes):
            found[index] = replace(found[index], tone=found[index + 1].tone)
    return found


def _inherited(tone: Tone, part: str) -> Tone:
    """The tone before goes on; what is to be put right beside something else may as well be missing."""
    if _TURNS.search(part) and tone == "praise":
        return "none"
    return "ask" if tone != "praise" and _ASKS_ON.search(part) else "miss" if tone == "correct" else tone


def _tone(part: str, language: Language) -> Tone:
    text = MARK.sub(" zz ", part).lower()
    for tone, patterns in _TONES:
        if patterns[language].search(text):
            return tone
    return "none"


def nearest_tone(part: str, position: int, language: Language) -> Tone | None:
    """The tone of the cue that stands nearest to the mark of a point; ``None`` where there is no mark or no cue."""
    mark = part.find(f"⟦{position}⟧")
    if mark < 0:
        return None
    found: list[tuple[int, Tone]] = []
    for tone, patterns in _TONES:
        for match in patterns[language].finditer(part.lower()):
            found.append((min(abs(match.start() - mark), abs(match.end() - mark)), tone))
    return min(found, default=(0, None), key=lambda each: each[0])[1]


def _positions(part: str, points: tuple[Point, ...]) -> frozenset[int]:
    marked = {int(position) for position in _POINT.findall(part)}
    stems = set(content_stems(MARK.sub(" ", part)))
    return frozenset(marked | {point.position for point in points if _is_told(stems, point, points)})


def _is_told(stems: set[str], point: Point, points: tuple[Point, ...]) -> bool:
    """Whether a clause has all words that only this point's name holds, and most words of the name."""
    name = set(content_stems(point.name))
    others = {word for other in points if other is not point for word in content_stems(other.name)}
    distinctive = (name - others - cues.TUTOR_STEMS) or (name - others)
    if not distinctive:
        return bool(name) and name <= stems
    said = {word for word in name if word in stems or _is_kindred(word, stems)}
    return distinctive <= said and len(said) >= len(name) * 2 / 3


def _is_kindred(word: str, stems: set[str]) -> bool:
    """Whether a form of the word is there that its stem does not show: "behave" for "behaviour"."""
    return any(len(each) >= 4 and (each.startswith(word[:5]) or word.startswith(each)) for each in stems) and (
        len(word) >= 5 and word.isascii()
    )


_TONES: tuple[tuple[Tone, dict[Language, re.Pattern[str]]], ...] = (
    ("ask", cues.WISHES),
    ("praise", cues.DENIED_FAULTS),
    ("correct", cues.CORRECTS),
    ("miss", cues.MISSES),
    ("ask", cues.ASKS),
    ("vague", cues.VAGUE),
    ("praise", cues.PRAISES),
)
_YES = re.compile(
    r"\?\s+(?=(?:correct|right|yes|exactly|perfect|check|네|맞아요|정확해요)[.!,]|you (?:know|got|have|said"
    r"|told us) (?:that|it|this)\b)",
    re.IGNORECASE,
)
_NOR = re.compile(r"^\W*n?or\b", re.IGNORECASE)
_TURNS = re.compile(r"^\W*(?:but|however|although|whereas|though)\b", re.IGNORECASE)
_ASKS_ON = re.compile(rf"^\W*(?:and|or)(?: (?:then|also|finally|please))? (?:{ASKED_VERBS})\b", re.IGNORECASE)
_QUOTE = re.compile(r"[“\"]([^“”\"]*)[”\"]|(?<!\w)[‘']([^‘’']{3,})[’'](?![A-Za-z])")
_POINT = re.compile(r"⟦(\d+)⟧")
_QUOTED = re.compile(r"⟪(\d+)⟫")
MARK = re.compile(r"⟦\d+⟧|⟪\d+⟫")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*[;:]\s+(?=[A-Z가-힣])")
_CLAUSE_END: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"[,;]\s+|\s+[–—-]\s+|(?<!nothing)\s+(?=(?:but|and|while|however|although|whereas|though)\s)"),
    "ko": re.compile(r"(?<=지만)\s|(?<=는데)\s|(?<=고),?\s|;\s"),
}
