"""What is wrong with a text that a language model wrote, found without a model and without a reference text.

The checks lean towards refusing: a refused text costs its wording only, because the template serves instead. Every
check reads the text clause by clause with the student's quoted words and the names of key points taken out. How many
errors they catch and how many good texts they refuse is measured on ``tests/explanation_texts``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from grading.domain import Question, Verdict
from grading.explanation import cues
from grading.explanation.evidence import is_presentable
from grading.explanation.feedback import Band, Feedback, Language, Point
from grading.explanation.giveaways import told_secrets
from grading.explanation.grounding import support_of, unsupported_words
from grading.explanation.reading import Clause, Reading, nearest_tone, read
from grading.explanation.score_words import SCORE
from grading.explanation.vocabulary import unknown_words
from grading.explanation.words import plain, sentences, words

#: Version of the rules, part of an explanation's versions.
CHECKS_VERSION = "3"
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
    support = support_of(feedback, question, answer)
    found = [
        *_form(text),
        *_role(reading),
        *_language(reading, feedback, support),
        *_score(reading, question),
        *_verdict(reading, feedback),
        *_named(reading, feedback),
        *_told_wrongly(reading, feedback),
        *_quotes(reading, answer),
        *_praised_quotes(reading, feedback),
    ]
    if unsupported := unsupported_words(reading, support, feedback.language):
        found.append(Problem(kind=ProblemKind.UNGROUNDED, detail=", ".join(unsupported)))
    secrets = told_secrets(reading, feedback, question, answer)
    return found + [Problem(kind=ProblemKind.GIVEN_AWAY, detail=detail) for detail in secrets]


def _form(text: str) -> Iterator[Problem]:
    if len(text) > MAX_CHARACTERS or len(text.split()) > MAX_WORDS:
        yield Problem(kind=ProblemKind.TOO_LONG, detail=f"{len(text)} characters, {len(text.split())} words")
    if text.strip()[-1] not in '.!?。…”"':
        yield Problem(kind=ProblemKind.UNFINISHED, detail=text.strip()[-20:])
    told = [" ".join(words(sentence)) for sentence in sentences(text) if len(words(sentence)) > 1]
    if len(set(told)) < len(told):
        yield Problem(kind=ProblemKind.REPEATED, detail="a sentence stands twice")
    quoted = [" ".join(words(quote)) for quote in _QUOTED.findall(text)]
    if len(set(quoted)) < len(quoted):
        yield Problem(kind=ProblemKind.REPEATED, detail="a quotation stands twice")
    if plain(text) != re.sub(r"\s+", " ", text).strip():
        yield Problem(kind=ProblemKind.MARKUP, detail="invisible characters")
    if match := _MARKUP.search(text):
        yield Problem(kind=ProblemKind.MARKUP, detail=match.group())
    if not is_presentable(text) and not _MARKUP.search(text):
        yield Problem(kind=ProblemKind.INSTRUCTION, detail="an address, abuse or words to the grader")


def _role(reading: Reading) -> Iterator[Problem]:
    """A tutor does not speak of instructions, of itself as a model, or in the turns of a dialogue."""
    if match := _ROLE.search(reading.own_words):
        yield Problem(kind=ProblemKind.INSTRUCTION, detail=match.group().strip())


def _language(reading: Reading, feedback: Feedback, support: frozenset[str]) -> Iterator[Problem]:
    """The whole text and each of its sentences are in the language of the feedback."""
    letters = [letter for letter in reading.own_words if letter.isalpha()]
    hangul = sum("가" <= letter <= "힣" for letter in letters)
    latin = sum(letter.isascii() for letter in letters)
    right, least = (hangul, 0.6) if feedback.language == "ko" else (latin, 0.98)
    is_other_script = feedback.language == "ko" and not all(
        "가" <= letter <= "힣" or letter.isascii() or letter in _SYMBOLS for letter in letters
    )
    if letters and (right / len(letters) < least or is_other_script):
        yield Problem(kind=ProblemKind.LANGUAGE, detail=f"not {feedback.language}")
        return
    for sentence in sentences(reading.own_words):
        if _is_foreign(sentence, feedback.language, support):
            yield Problem(kind=ProblemKind.LANGUAGE, detail=sentence)


def _is_foreign(sentence: str, language: Language, support: frozenset[str]) -> bool:
    """Three English words in a row in a Korean text; an English sentence of which hardly a word is known."""
    if language == "ko":
        return bool(_ENGLISH_RUN.search(sentence))
    told = [word for word in words(sentence) if len(word) > 1]
    return len(told) >= 3 and len(unknown_words(sentence, support)) > 0.4 * len(told)


def _score(reading: Reading, question: Question) -> Iterator[Problem]:
    """No digits of a score; other numbers only as the question has them."""
    if match := SCORE.search(reading.own_words):
        yield Problem(kind=ProblemKind.SCORE, detail=match.group())
    allowed = set(_NUMBER.findall(question.prompt))
    for number in _NUMBER.findall(reading.own_words):
        if number not in allowed:
            yield Problem(kind=ProblemKind.SCORE, detail=number)


def _verdict(reading: Reading, feedback: Feedback) -> Iterator[Problem]:
    """The words for the whole answer fit the band of its score."""
    language = feedback.language
    is_low = feedback.band in {Band.LITTLE, Band.NONE}
    is_high = feedback.band in {Band.FULL, Band.MOST}
    # What is said of one point is judged with that point.
    whole = [clause.text.lower() for clause in reading.clauses if not clause.positions and not clause.quotes]
    whole = [text for text in whole if not _IF[language].search(text)]
    claims = [
        *([cues.CLAIMS_ALL] if (is_low or not feedback.is_complete) and not _EXCEPT.search(reading.own_words) else []),
        *([cues.CLAIMS_MUCH] if is_low else []),
        *([cues.CLAIMS_NOTHING] if is_high else []),
    ]
    for text in whole:
        for claim in claims:
            if match := claim[language].search(text):
                yield Problem(kind=ProblemKind.VERDICT, detail=match.group().strip())


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
        # What has no name cannot be praised by a name that says nothing.
        if clause.tone == "praise" and _ANOTHER_PART.search(clause.text):
            yield Problem(kind=ProblemKind.FALSE_PRAISE, detail=clause.text.strip())
        for position in clause.positions:
            kind = _fault(clause, verdicts[position], is_complete=feedback.is_complete)
            if kind is not None and not _is_of_nearest_cue(clause, position, verdicts, feedback):
                yield Problem(kind=kind, detail=clause.text.strip())
        is_faulting = clause.tone in {"miss", "correct", "vague"} and not clause.positions
        if feedback.is_complete and is_faulting and _FAULT_OF_ALL[feedback.language].search(clause.text.lower()):
            yield Problem(kind=ProblemKind.FALSE_FAULT, detail=clause.text.strip())


def _fault(clause: Clause, verdict: Verdict, *, is_complete: bool) -> ProblemKind | None:
    if clause.tone == "praise" and verdict is not Verdict.COVERED:
        return ProblemKind.FALSE_PRAISE
    if verdict is Verdict.COVERED and (
        clause.tone in {"miss", "correct", "vague"} or (clause.tone == "ask" and not is_complete)
    ):
        return ProblemKind.FALSE_FAULT
    if clause.tone == "correct" and verdict in {Verdict.MISSING, Verdict.PARTIAL}:
        return ProblemKind.FALSE_FAULT
    return None


def _is_of_nearest_cue(clause: Clause, position: int, verdicts: dict[int, Verdict], feedback: Feedback) -> bool:
    """Whether a clause that praises and misses does both rightly: "Add this to your fine account of that"."""
    if len({verdicts[each] is Verdict.COVERED for each in clause.positions}) < 2:
        return False
    tone = nearest_tone(clause.text, position, feedback.language)
    if tone is None:
        return False
    return _fault(replace(clause, tone=tone), verdicts[position], is_complete=feedback.is_complete) is None


def _quotes(reading: Reading, answer: str) -> Iterator[Problem]:
    """Quoted words are the student's."""
    said = words(plain(answer))
    for quote in reading.quotes:
        if not _is_part(words(quote), said) and not _is_korean_part(quote, answer):
            yield Problem(kind=ProblemKind.FALSE_QUOTE, detail=quote)


def _is_korean_part(quote: str, answer: str) -> bool:
    """Korean words may be quoted without the particles and endings that follow them."""
    squeezed = "".join(words(plain(quote)))
    return "가" <= squeezed[-1:] <= "힣" and len(squeezed) > 1 and squeezed in "".join(words(plain(answer)))


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


def _verdicts(feedback: Feedback) -> dict[int, Verdict]:
    groups: tuple[tuple[Verdict, tuple[Point, ...]], ...] = (
        (Verdict.COVERED, feedback.covered),
        (Verdict.PARTIAL, feedback.partial),
        (Verdict.MISSING, feedback.missing),
        (Verdict.CONTRADICTED, feedback.contradicted),
    )
    return {point.position: verdict for verdict, points in groups for point in points}


_QUOTED = re.compile('[“"]([^”"]+)[”"]')
_ANOTHER_PART = re.compile(
    r"\b(?:an|the )?other part of the question|\bdifferent part of the question|질문의 다른 부분", re.IGNORECASE
)
_MARKUP = re.compile(r"[<>{}\[\]`|\\*#~^]|&\w+;|&#|__|https?:|www\.")
_ROLE = re.compile(
    r"\b(?:system|assistant|user|student|tutor|teacher)\s*:|\bas an? (?:large )?(?:ai|language|artificial)\b"
    r"|\blanguage model (?:cannot|can't|i)\b|\b(?:i am|i'm) an? (?:ai|language model|assistant)\b|\binstruct(?:ed"
    r"|ions?)\b"
    r"|\bmy (?:prompt|rules)\b|\bas (?:you )?(?:requested|asked for)\b|\b(?:sure|certainly|of course)[,!] (?:here|i)\b"
    r"|\bhere(?:'s| is) (?:the|your|my|a) (?:feedback|text|reply|rewrit\w+|response)\b"
    r"|언어 모델|인공지능|챗봇|프롬프트|지시(?:를|에|대로|사항)|규칙에 따라|요청하신|피드백은 다음|다음은 피드백"
    r"|알겠습니다[.!]"
    r"|(?:시스템|선생님|튜터|학생|사용자|조교)\s*:",
    re.IGNORECASE,
)
_STEP_ON = re.compile(r"\b(?:begin|start) with\b|\bfirst look again at\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_IF: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b(?:will|would|if|to (?:make|be|get|have|complete))\b|'ll\b"),
    "ko": re.compile("면 |겠어요|겠습니다|겠네|될 거"),
}
_EXCEPT = re.compile(r"\b(?:apart|aside) from\b|\bexcept\b|(?:빼고|제외하)", re.IGNORECASE)
_ENGLISH_RUN = re.compile(r"(?:\b[A-Za-z][A-Za-z']+[ ,]+){2,}[A-Za-z][A-Za-z']+")
_SYMBOLS = "αβγδεηθλμνπρστφχψωΣΔΘ²³"
_FAULT_OF_ALL: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b(?:missing|wrong|incorrect|lack|mistake|error|incomplete|vague|left out|unclear)"),
    "ko": re.compile("빠진 (?:것이|게|내용이|부분이) 있|빠졌|틀렸|틀린 (?:것이|부분이) 있|부족해|모호|잘못"),
}
