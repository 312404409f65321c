"""What :mod:`grading.nearness` needs to know of the published encoder, and what it then says of the answers.

A reader has only ever seen its own subject, and reads cooking recipes as it pleases. The encoder as it was published
knows better; asked only about answers that share few words with the question, so that it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from finetune.reader_examples import ReaderQuestion
from grading.answer_signs import CountedSigns
from grading.nearness import Near, Nearness

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Vectors of length 1 of texts, by the encoder as it was published."""

_RIGHT_FROM = 0.3
_FEWEST = 40
_LOST_SHARE = 0.01
_NOTHING_BELOW = -1.0


def fitted_nearness(questions: Sequence[ReaderQuestion], encode: Encode) -> Nearness:
    """The middles of what is asked in each language, and the cosine that hardly a right answer is below."""
    return Nearness(cosine_below=_cosine_below(questions, encode), centers=_centers(questions, encode))


def nearness_to_json(nearness: Nearness) -> dict[str, object]:
    """The content of ``nearness`` in ``head.json``."""
    centers = {name: [round(float(x), 4) for x in center] for name, center in sorted(nearness.centers.items())}
    return {"cosine_below": nearness.cosine_below, "centers": centers}


def near_of(
    questions: Sequence[ReaderQuestion],
    places: Sequence[tuple[int, int]],
    nearness: Nearness,
    encode: Encode,
) -> list[Near]:
    """As it will be found when the model serves, for each place: number of the question, number of its answer."""
    wanted: dict[int, set[str]] = {}
    for number, answer in places:
        wanted.setdefault(number, set()).add(questions[number].answers[answer].text)
    found = {number: _near_of_one(questions[number], texts, nearness, encode) for number, texts in wanted.items()}
    return [found[number].get(questions[number].answers[answer].text, Near()) for number, answer in places]


def _near_of_one(question: ReaderQuestion, texts: set[str], nearness: Nearness, encode: Encode) -> Mapping[str, Near]:
    """Of the answers in other words only."""
    signs = CountedSigns(question.question)
    own = sorted(text for text in texts if signs.is_in_other_words(text))
    if not own:
        return {}
    asked, points, answers = encode(_asked(question)), encode(question.points), encode(own)
    language = question.question.language
    return {
        text: nearness.of(answer, asked=asked, points=points, language=language)
        for text, answer in zip(own, answers, strict=True)
    }


def _centers(questions: Sequence[ReaderQuestion], encode: Encode) -> dict[str, NDArray[np.float32]]:
    texts: dict[str, dict[str, None]] = {}
    for question in questions:
        own = texts.setdefault(question.question.language, {})
        own.update(dict.fromkeys((*_asked(question), *question.points)))
    return {language: encode(list(own)).mean(axis=0) for language, own in texts.items()}


def _cosine_below(questions: Sequence[ReaderQuestion], encode: Encode) -> float:
    """One in a hundred right answers in other words may be lost; nothing is where there are too few of them."""
    right = [(question, texts) for question in questions if (texts := _in_other_words(question))]
    if sum(len(texts) for _, texts in right) < _FEWEST:
        return _NOTHING_BELOW
    nearest = [(encode(_asked(question)) @ encode(texts).T).max(axis=0) for question, texts in right]
    return round(float(np.quantile(np.concatenate(nearest), _LOST_SHARE)), 4)


def _asked(question: ReaderQuestion) -> list[str]:
    """What an answer is compared with: prompt and model answers, each by itself."""
    return [question.question.prompt, *question.references]


def _in_other_words(question: ReaderQuestion) -> list[str]:
    """Students' answers that are right in part at least and share few words with what was asked."""
    signs = CountedSigns(question.question)
    return [
        answer.text
        for answer in question.answers
        if not answer.graded.is_made_up and answer.graded.score >= _RIGHT_FROM and signs.is_in_other_words(answer.text)
    ]
