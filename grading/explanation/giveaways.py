"""Find what gives away a point that the student lacks: the reference's own words, and sentences that explain.

A tutor who says that something is missing needs few words besides its name. What has more that is neither the
question's nor the student's, or goes on with "because", explains.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from grading.domain import Question
from grading.explanation import cues
from grading.explanation.feedback import Feedback, Language
from grading.explanation.reading import MARK, Reading
from grading.explanation.vocabulary import foreign_stems, told_stems
from grading.explanation.words import sentences
from grading.keypoints import key_points_of


def told_secrets(reading: Reading, feedback: Feedback, question: Question, answer: str) -> Iterator[str]:
    """What a text tells of points that the student lacks, in the reference's words or in others."""
    key_points = key_points_of(question)
    sources = [question.prompt, answer, *(point.name for point in key_points)]
    known = frozenset(stem for source in sources for stem in told_stems(source))
    told = set(told_stems(reading.own_words))
    lacking = {point.position for point in (*feedback.missing, *feedback.contradicted)}
    for key_point in key_points:
        if key_point.position not in lacking:
            continue
        secret = set(told_stems(key_point.text)) - known - cues.TUTOR_STEMS
        leaked = secret & told
        if leaked and (len(leaked) > len(secret) / 3 or any(word[0].isdigit() for word in leaked)):
            yield ", ".join(sorted(leaked))
        core = set(told_stems(key_point.text)) - known
        for sentence in sentences(reading.own_words):
            if len(same := core & set(told_stems(sentence))) >= max(2, len(core) / 2):
                yield ", ".join(sorted(same))
    yield from _told_in_other_words(reading, feedback, question, known)


def _told_in_other_words(
    reading: Reading, feedback: Feedback, question: Question, known: frozenset[str]
) -> Iterator[str]:
    """A sentence on what the student lacks, or the one after it, explains: it has much that no tutor needs to say."""
    lacking = {point.position for point in (*feedback.missing, *feedback.contradicted, *feedback.partial)}
    secret = {stem for text in question.model_answers for stem in told_stems(text)}
    secret |= {stem for point in key_points_of(question) for stem in told_stems(point.text)}
    was_on_lacking = False
    for number in sorted({clause.sentence for clause in reading.clauses}):
        clauses = [clause for clause in reading.clauses if clause.sentence == number]
        named = {position for clause in clauses for position in clause.positions}
        is_on_lacking = bool(named & lacking) or (was_on_lacking and not named)
        was_on_lacking = is_on_lacking
        text = ", ".join(clause.text.strip() for clause in clauses)
        if is_on_lacking and (told := _explaining(text, feedback.language, known, secret)):
            yield told


def _explaining(text: str, language: Language, known: frozenset[str], secret: set[str]) -> str:
    """The words of a sentence that explain, empty where they are too few to tell anything."""
    foreign = foreign_stems(MARK.sub(" ", text), known)
    ways = _WAYS[language].findall(text)
    weight = len(foreign) + sum(stem in secret for stem in foreign) + len(ways)
    least = 1 if _NAMELY[language].search(text) else 2 if _BECAUSE[language].search(text) else 4
    return ", ".join([*foreign, *ways]) if weight >= least else ""


#: Directions in which something goes: nobody needs them to say that something is missing.
_WAYS: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:goes|go|going) (?:up|down)|\b(?:rises?|falls?|grows?|shrinks?|higher|lower|larger|smaller|bigger"
        r"|increase[sd]?|increasing|decrease[sd]?|decreasing)\b",
        re.IGNORECASE,
    ),
    "ko": re.compile("올라가|내려가|오르[고지면]|올라요|떨어[지져]|커[지져]|작아|줄어|늘어|높아|낮아|높게|낮게"),
}
#: Words by which a sentence begins to explain: hardly anything may follow, or not much.
_NAMELY: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\bbecause\b|\bnamely\b(?!\s*⟦)|\bsuch as\b(?!\s*⟦)|\bfor (?:example|instance)\b|\be\.g\.|\bi\.e\."
        r"|\bthat is\b(?!,?\s*⟦)|\bwhich (?:would|only|means)\b"
        r"|⟧[^⟦]*: (?:it|they|how|when)\b|⟧[^⟦]*, (?:when|where|taking|by|it|they)\b",
        re.IGNORECASE,
    ),
    "ko": re.compile(r"때문|거든|(?<=\s)즉(?=[\s,])(?!,?\s*⟦)|예를 들"),
}
_BECAUSE: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\bsince\b|\bwhich (?:is|are)\b|⟧ +(?:is|are|means|happens?|works?)\b|\bit(?:'s| is) (?:a|an|the|how|when)\b"
        r"|\bit (?:depends|means)\b",
        re.IGNORECASE,
    ),
    "ko": re.compile(r"(?:어|아|라)서(?:예|이)|(?:때|것|거)(?:예요|이에요|입니다|죠)|니까|므로|면 (?:돼|됩|된)|데 있"),
}
