"""What :mod:`grading.nearness` needs to know of the published encoder, and what it then says of the answers.

A reader has only ever seen its own subject, and reads cooking recipes as it pleases. The encoder as it was published
knows better; asked only about answers that share few words with the question, so that it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from finetune.reader_examples import ReaderQuestion
from grading.answer_signs import CountedSigns
from grading.nearness import Near, Nearness, of_length_one

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Vectors of length 1 of texts, by the encoder as it was published."""

_MOST_OTHERS = 200
_RIGHT_FROM = 0.3
_FEWEST = 40
_LOST_SHARE = 0.01
_NOTHING_BELOW = -1.0


def fitted_nearness(questions: Sequence[ReaderQuestion], encode: Encode) -> Nearness:
    """The middles of what is asked, model answers to compare with, and the cosine that hardly a right one is below."""
    plain = Nearness(cosine_below=_cosine_below(questions, encode), centers=_centers(questions, encode), others={})
    others = {
        language: of_length_one(encode([text for _, text in chosen]) - plain.center(language))
        for language, chosen in _chosen_others(questions).items()
    }
    return replace(plain, others=others)


def near_of(
    questions: Sequence[ReaderQuestion],
    places: Sequence[tuple[int, int]],
    nearness: Nearness,
    encode: Encode,
    *,
    is_of_others: bool = False,
) -> list[Near]:
    """As it will be found when the model serves, for each place: number of the question, number of its answer.

    A question, and the one that an answer was borrowed from, is not among its own others: those who are graded later
    answer questions that nobody has seen here. ``is_of_others``: ``nearness`` was fitted on other questions than these.
    """
    wanted: dict[int, set[str]] = {}
    for number, answer in places:
        wanted.setdefault(number, set()).add(questions[number].answers[answer].text)
    groups = _groups_of_texts(questions)
    chosen = {
        language: [group for group, _ in own]
        for language, own in ({} if is_of_others else _chosen_others(questions)).items()
    }
    found = {
        number: _near_of_one(questions[number], texts, nearness, encode, groups, chosen)
        for number, texts in wanted.items()
    }
    return [found[number].get(questions[number].answers[answer].text, Near()) for number, answer in places]


def _near_of_one(
    question: ReaderQuestion,
    texts: set[str],
    nearness: Nearness,
    encode: Encode,
    groups: Mapping[str, set[str]],
    chosen: Mapping[str, Sequence[str]],
) -> Mapping[str, Near]:
    """Of the answers in other words only."""
    signs = CountedSigns(question.question)
    own = sorted(text for text in texts if signs.is_in_other_words(text))
    if not own:
        return {}
    asked, points, answers = encode(_asked(question)), encode(question.points), encode(own)
    language = question.question.language
    found: dict[str, Near] = {}
    for text, answer in zip(own, answers, strict=True):
        left_out = {question.group} | groups.get(text, set())
        strangers = [group not in left_out for group in chosen.get(language, ())]
        is_among = bool(strangers) and language in nearness.others
        others = nearness.others[language][strangers] if is_among else None
        found[text] = nearness.of(answer, asked=asked, points=points, language=language, others=others)
    return found


def _chosen_others(questions: Sequence[ReaderQuestion]) -> dict[str, list[tuple[str, str]]]:
    """In each language groups with a model answer of each, evenly over the data."""
    found: dict[str, dict[str, str]] = {}
    for question in questions:
        found.setdefault(question.question.language, {}).setdefault(question.group, question.references[0])
    return {
        language: [own[int(at)] for at in np.linspace(0, len(own) - 1, min(len(own), _MOST_OTHERS))]
        for language, own in ((language, list(groups.items())) for language, groups in found.items())
    }


def _groups_of_texts(questions: Sequence[ReaderQuestion]) -> dict[str, set[str]]:
    """The groups of the questions whose model answer or student's answer a text is."""
    found: dict[str, set[str]] = {}
    for question in questions:
        own = (answer.text for answer in question.answers if not answer.graded.is_made_up)
        for text in (*question.references, *own):
            found.setdefault(text, set()).add(question.group)
    return found


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


def _in_other_words(question: ReaderQuestion) -> list[str]:
    """Students' answers that are right in part at least and share few words with what was asked."""
    signs = CountedSigns(question.question)
    return [
        answer.text
        for answer in question.answers
        if not answer.graded.is_made_up and answer.graded.score >= _RIGHT_FROM and signs.is_in_other_words(answer.text)
    ]


def _asked(question: ReaderQuestion) -> list[str]:
    """What an answer is compared with: prompt and model answers, each by itself."""
    return [question.question.prompt, *question.references]
