"""What is wrong with a text that a language model wrote, found without a model and without a reference text.

The checks lean towards refusing: a refused text costs its wording only, because the template serves instead. Every
check reads the text clause by clause with the student's quoted words and the names of key points taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from grading.domain import Question, Verdict
from grading.explanation import cues
from grading.explanation.evidence import is_repeatable
from grading.explanation.feedback import Band, Feedback, Point
from grading.explanation.reading import Clause, Reading, read
from grading.explanation.words import content_stems, plain, sentences, words
from grading.keypoints import key_points_of

#: Version of the rules, part of an explanation's versions.
CHECKS_VERSION = "1"
MAX_CHARACTERS = 600
MAX_WORDS = 110


class ProblemKind(StrEnum):
    """One rule that a text can break."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNFINISHED = "unfinished"
    REPEATED = "repeated"
    LANGUAGE = "language"
    MARKUP = "markup"
    INSTRUCTION = "instruction"
    SCORE = "score"
    VERDICT = "verdict"
    NOT_NAMED = "not_named"
    FALSE_PRAISE = "false_praise"
    FALSE_FAULT = "false_fault"
    FALSE_QUOTE = "false_quote"
    UNGROUNDED = "ungrounded"
    GIVEN_AWAY = "given_away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A broken rule and the words that break it."""

    kind: ProblemKind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


def problems_in(text: str, feedback: Feedback, question: Question, answer: str) -> list[Problem]:
    """Everything that forbids to show ``text`` to the student who gave ``answer``; empty when it may be shown."""
    if not text.strip():
        return [Problem(kind=ProblemKind.EMPTY, detail="no text")]
    reading = read(text, feedback)
    found = [
        *_form(text),
        *_role(reading),
        *_language(reading, feedback),
        *_score(reading, question),
        *_verdict(reading, feedback),
        *_named(reading, feedback),
        *_told_wrongly(reading, feedback),
        *_quotes(reading, answer),
        *_praised_quotes(reading, feedback),
        *_ungrounded(reading, feedback, question, answer),
        *_given_away(reading, feedback, question, answer),
    ]
    return found


def _form(text: str) -> Iterator[Problem]:
    if len(text) > MAX_CHARACTERS or len(text.split()) > MAX_WORDS:
        yield Problem(kind=ProblemKind.TOO_LONG, detail=f"{len(text)} characters, {len(text.split())} words")
    if text.strip()[-1] not in '.!?。…”"':
        yield Problem(kind=ProblemKind.UNFINISHED, detail=text.strip()[-20:])
    told = [" ".join(words(sentence)) for sentence in sentences(text)]
    if len(set(told)) < len(told):
        yield Problem(kind=ProblemKind.REPEATED, detail="a sentence stands twice")
    if plain(text) != re.sub(r"\s+", " ", text).strip():
        yield Problem(kind=ProblemKind.MARKUP, detail="invisible characters")
    if match := _MARKUP.search(text):
        yield Problem(kind=ProblemKind.MARKUP, detail=match.group())
    if not is_repeatable(text) and not _MARKUP.search(text):
        yield Problem(kind=ProblemKind.INSTRUCTION, detail="an address or words to the grader")


def _role(reading: Reading) -> Iterator[Problem]:
    """A tutor does not speak of instructions, of itself as a model, or in the turns of a dialogue."""
    if match := _ROLE.search(reading.own_words):
        yield Problem(kind=ProblemKind.INSTRUCTION, detail=match.group())


def _language(reading: Reading, feedback: Feedback) -> Iterator[Problem]:
    letters = [letter for letter in reading.own_words if letter.isalpha()]
    hangul = sum("가" <= letter <= "힣" for letter in letters)
    latin = sum(letter.isascii() for letter in letters)
    right = hangul if feedback.language == "ko" else latin
    if letters and right / len(letters) < (0.6 if feedback.language == "ko" else 0.98):
        yield Problem(kind=ProblemKind.LANGUAGE, detail=f"not {feedback.language}")


def _score(reading: Reading, question: Question) -> Iterator[Problem]:
    """No digits of a score; other numbers only as the question has them."""
    if match := _SCORE.search(reading.own_words):
        yield Problem(kind=ProblemKind.SCORE, detail=match.group())
    allowed = set(_NUMBER.findall(question.prompt))
    for number in _NUMBER.findall(reading.own_words):
        if number not in allowed:
            yield Problem(kind=ProblemKind.SCORE, detail=number)


def _verdict(reading: Reading, feedback: Feedback) -> Iterator[Problem]:
    """The words for the whole answer fit the band of its score."""
    text, language = reading.own_words.lower(), feedback.language
    is_low = feedback.band in {Band.LITTLE, Band.NONE}
    if (is_low or not feedback.is_complete) and (match := cues.CLAIMS_ALL[language].search(text)):
        yield Problem(kind=ProblemKind.VERDICT, detail=match.group())
    if is_low and (match := cues.CLAIMS_MUCH[language].search(text)):
        yield Problem(kind=ProblemKind.VERDICT, detail=match.group())
    if feedback.band in {Band.FULL, Band.MOST} and (match := cues.CLAIMS_NOTHING[language].search(text)):
        yield Problem(kind=ProblemKind.VERDICT, detail=match.group())


def _named(reading: Reading, feedback: Feedback) -> Iterator[Problem]:
    """What is lacking is named, and a step that begins with something names what."""
    for point in (*feedback.missing, *feedback.contradicted):
        if point.position not in reading.named:
            yield Problem(kind=ProblemKind.NOT_NAMED, detail=point.name)
    for clause in reading.clauses:
        if not clause.positions and not clause.quotes and _STEP_ON.search(clause.text):
            yield Problem(kind=ProblemKind.NOT_NAMED, detail=clause.text.strip())


def _told_wrongly(reading: Reading, feedback: Feedback) -> Iterator[Problem]:
    """Nothing covered is called missing or wrong, nothing missing or wrong is praised."""
    verdicts = _verdicts(feedback)
    for clause in reading.clauses:
        for position in clause.positions:
            kind = _fault(clause, verdicts[position])
            if kind is not None:
                yield Problem(kind=kind, detail=clause.text.strip())


def _fault(clause: Clause, verdict: Verdict) -> ProblemKind | None:
    if clause.tone == "praise" and verdict is not Verdict.COVERED:
        return ProblemKind.FALSE_PRAISE
    if clause.tone in {"miss", "correct", "vague"} and verdict is Verdict.COVERED:
        return ProblemKind.FALSE_FAULT
    if clause.tone == "correct" and verdict in {Verdict.MISSING, Verdict.PARTIAL}:
        return ProblemKind.FALSE_FAULT
    return None


def _quotes(reading: Reading, answer: str) -> Iterator[Problem]:
    """Quoted words are the student's."""
    said = words(plain(answer))
    for quote in reading.quotes:
        quoted = words(quote)
        if not _is_part(quoted, said):
            yield Problem(kind=ProblemKind.FALSE_QUOTE, detail=quote)


def _praised_quotes(reading: Reading, feedback: Feedback) -> Iterator[Problem]:
    """Words are praised only where they showed a point, and for that point."""
    right = {point.position for point in feedback.covered}
    for clause in reading.clauses:
        if clause.tone != "praise":
            continue
        for quote in clause.quotes:
            owners = {point.position for point in feedback.points if _is_part(words(quote), words(point.quote or ""))}
            named = _praised_with(clause, reading) or owners
            if owners and not (owners & right and owners & named):
                yield Problem(kind=ProblemKind.FALSE_PRAISE, detail=quote)


def _praised_with(clause: Clause, reading: Reading) -> frozenset[int]:
    """The points praised in the same sentence as this clause."""
    beside = [each for each in reading.clauses if each.sentence == clause.sentence and each.tone == "praise"]
    return frozenset(position for each in beside for position in each.positions)


def _is_part(part: list[str], whole: list[str]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def _ungrounded(reading: Reading, feedback: Feedback, question: Question, answer: str) -> Iterator[Problem]:
    """Every word that means something comes from the question, the reference, the answer or the tutor's vocabulary."""
    sources = [question.prompt, *question.model_answers, answer]
    sources += [f"{point.name} {point.text}" for point in key_points_of(question)]
    sources += [point.name for point in feedback.points]
    support = {stem for source in sources for stem in content_stems(source)} | cues.TUTOR_STEMS
    told = set(content_stems(reading.own_words))
    unknown = sorted(word for word in told - support if not _is_short_korean(word))
    if unknown:
        yield Problem(kind=ProblemKind.UNGROUNDED, detail=", ".join(unknown))


def _is_short_korean(word: str) -> bool:
    """One syllable is mostly a particle or a dependent noun, and says too little to judge."""
    return len(word) == 1 and "가" <= word <= "힣"


def _given_away(reading: Reading, feedback: Feedback, question: Question, answer: str) -> Iterator[Problem]:
    """The content of a point that the student lacks is not told: no more than a third of the words only it has."""
    key_points = key_points_of(question)
    open_words = {stem for point in key_points for stem in content_stems(point.name)}
    open_words |= set(content_stems(question.prompt)) | set(content_stems(answer)) | cues.TUTOR_STEMS
    told = set(content_stems(reading.own_words))
    lacking = {point.position for point in (*feedback.missing, *feedback.contradicted)}
    for key_point in key_points:
        if key_point.position not in lacking:
            continue
        secret = set(content_stems(key_point.text)) - open_words
        leaked = secret & told
        if leaked and (len(leaked) > len(secret) / 3 or any(word[0].isdigit() for word in leaked)):
            yield Problem(kind=ProblemKind.GIVEN_AWAY, detail=", ".join(sorted(leaked)))


def _verdicts(feedback: Feedback) -> dict[int, Verdict]:
    groups: tuple[tuple[Verdict, tuple[Point, ...]], ...] = (
        (Verdict.COVERED, feedback.covered),
        (Verdict.PARTIAL, feedback.partial),
        (Verdict.MISSING, feedback.missing),
        (Verdict.CONTRADICTED, feedback.contradicted),
    )
    return {point.position: verdict for verdict, points in groups for point in points}


_MARKUP = re.compile(r"[<>{}\[\]`|\\*#~^]|&\w+;|&#|__|https?:|www\.")
_ROLE = re.compile(
    r"\b(?:system|assistant|user|student|tutor)\s*:|\bas an ai\b|\blanguage model\b|\binstructions?\b", re.IGNORECASE
)
_STEP_ON = re.compile(r"\b(?:begin|start) with\b|\bfirst look again at\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SCORE = re.compile(
    r"\d+\s*(?:%|percent|점|퍼센트|points?\b|marks?\b)|\d+\s*/\s*\d+|\bout of (?:ten|five|\d)"
    r"|\b(?:your|the) (?:score|grade|mark)s? (?:is|are|of)\b|만점",
    re.IGNORECASE,
)
