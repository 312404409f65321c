"""Find the words of a text that nothing supports: made-up terms, names, matters that nobody asked about."""

from __future__ import annotations

import re

from grading.domain import Question
from grading.explanation.feedback import Feedback, Language
from grading.explanation.reading import MARK, Reading
from grading.explanation.vocabulary import TALK_STEMS, TERM_STEMS, told_stems, unknown_words
from grading.keypoints import key_points_of

#: So many words of a text may be unknown, if they can only be about the answer; Korean ones have many endings.
_ODD_WORDS: dict[Language, int] = {"en": 1, "ko": 1}


def support_of(feedback: Feedback, question: Question, answer: str) -> frozenset[str]:
    """Stems of the words that question, reference, answer and names of points have."""
    sources = [question.prompt, *question.model_answers, answer]
    sources += [f"{point.name} {point.text}" for point in key_points_of(question)]
    sources += [point.name for point in feedback.points]
    return frozenset(stem for source in sources for stem in told_stems(source))


def unsupported_words(reading: Reading, support: frozenset[str], language: Language) -> list[str]:
    """The words that come neither from ``support`` (question, reference, answer) nor from tutors or everyday life.

    An odd word is let pass where it can only be about the answer: no term, no name, nothing of the matter near.
    """
    unknown = sorted(set(unknown_words(reading.own_words, support)))
    odd = [word for word in unknown if _is_harmless(word, reading, support)]
    return [] if len(odd) == len(unknown) <= _ODD_WORDS[language] else unknown


def _is_harmless(unknown: str, reading: Reading, support: frozenset[str]) -> bool:
    is_name = unknown.isascii() and re.search(rf"\b{re.escape(unknown.capitalize())}", reading.own_words)
    if unknown in TERM_STEMS or is_name or unknown[0].isdigit():
        return False
    near = [MARK.sub(" ", clause.text) for clause in reading.clauses if unknown in clause.text.lower()]
    return not any((set(told_stems(text)) & support) - TALK_STEMS for text in near)
