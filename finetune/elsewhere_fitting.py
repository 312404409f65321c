"""From which similarity on an answer is about the question's subject at all, for :mod:`grading.scoring_by_reading`.

A reader has only ever seen its own subject, and reads cooking recipes as it pleases. The encoder as it was published
knows better; asked only about answers that share few words with the question, so that it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from finetune.reader_examples import ReaderQuestion, Text
from grading.answer_signs import CountedSigns

KNOWN_BELOW = 0.3
"""Answers with this share of words that question, model answers or key points have too are never asked about."""

_RIGHT_FROM = 0.3
_FEWEST = 40
_LOST_SHARE = 0.01


def elsewhere_limits(
    questions: Sequence[ReaderQuestion], embedded: Callable[[Sequence[Text]], NDArray[np.float32]]
) -> dict[str, float] | None:
    """The content of ``elsewhere`` in ``head.json``; ``None`` where too few right answers share few words.

    One in a hundred of those may be lost. ``embedded`` gives the vectors, of any length, of texts of
    :func:`asked_texts` and of answers.
    """
    rows = [(question, text) for question in questions for text in _in_other_words(question)]
    if len(rows) < _FEWEST:
        return None
    texts = list(dict.fromkeys(each for question, text in rows for each in (*asked_texts(question), (text, None))))
    vectors = embedded(texts)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    place = {text: number for number, text in enumerate(texts)}
    nearest = [
        float((vectors[[place[each] for each in asked_texts(question)]] @ vectors[place[text, None]]).max())
        for question, text in rows
    ]
    return {"known_below": KNOWN_BELOW, "cosine_below": round(float(np.quantile(nearest, _LOST_SHARE)), 4)}


def asked_texts(question: ReaderQuestion) -> list[Text]:
    """What an answer is compared with: prompt and model answers, each by itself."""
    return [(text, None) for text in (question.question.prompt, *question.references)]


def _in_other_words(question: ReaderQuestion) -> list[str]:
    """Students' answers that are right in part at least and share few words with what was asked."""
    right = [
        answer.text
        for answer in question.answers
        if not answer.graded.is_made_up and answer.graded.score >= _RIGHT_FROM
    ]
    if not right:
        return []
    signs = CountedSigns(question.question)
    return [text for text in right if signs.known_share(text) < KNOWN_BELOW]
