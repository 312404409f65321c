"""How near an answer is to what was asked: fitted on right answers in other words, asked only about such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.nearness_fitting import fitted_nearness, near_of, nearness_to_json
from finetune.reader_examples import ReaderQuestion, reader_questions
from grading.domain import Question
from grading.nearness import Near, Nearness

WORDS = ["river", "garden", "window", "copper", "violin", "harbour", "meadow", "lantern", "saddle", "orchard"]


class Angles:
    """Texts as directions in a plane: 0 for what was asked, growing for the answers, so that cosines are known."""

    def __init__(self, data: Sequence[ReaderQuestion]) -> None:
        [question] = data
        self.own = [answer.text for answer in question.answers if not answer.graded.is_made_up]
        self.of = {text: (number + 1) / len(self.own) for number, text in enumerate(self.own)}
        self.read: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += texts
        angles = [self.of.get(text, 0.0) for text in texts]
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def questions(count: int, score: float = 1.0) -> list[ReaderQuestion]:
    """One question with ``count`` answers none of whose words was asked for."""
    answers = tuple(
        GradedAnswer(text=f"{WORDS[number % 10]} beside {WORDS[number // 10 % 10]} near {number}", score=score)
        for number in range(count)
    )
    question = Question(prompt="What does dropout do?", model_answers=("It switches units off.",), language="en")
    return reader_questions([GradedQuestion(source="course", group="one", question=question, answers=answers)])


def test_one_in_a_hundred_right_answers_in_other_words_may_be_lost() -> None:
    data = questions(100)
    angles = Angles(data)
    nearness = fitted_nearness(data, angles.encode)
    cosines = [float(np.cos(angles.of[text])) for text in angles.own]
    assert sum(cosine < nearness.cosine_below for cosine in cosines) == 1


def test_nothing_is_elsewhere_where_too_few_right_answers_say_what_is_near() -> None:
    known = GradedAnswer(text="dropout switches units off", score=1.0)
    [one] = questions(1)
    same = GradedQuestion(source="course", group="one", question=one.question, answers=(known,) * 100)
    for data in (questions(100, score=0.1), questions(20), reader_questions([same])):
        assert fitted_nearness(data, Angles(data).encode).cosine_below == -1.0


def test_only_answers_in_other_words_are_asked_about() -> None:
    [question] = questions(50)
    known = replace(question.answers[0], text="dropout switches units off")
    data = [replace(question, answers=(known, *question.answers[1:50]))]
    angles = Angles(questions(50))
    near = near_of(data, [(0, 0), (0, 10)], Nearness(cosine_below=-1.0, centers={}), angles.encode)
    assert near[0] == Near()
    assert near[1].asked == pytest.approx(np.cos(11 / 50), abs=1e-5)
    assert known.text not in angles.read


def test_what_all_texts_of_a_language_have_in_common_is_taken_off() -> None:
    answer, asked = np.array([0.8, 0.6], np.float32), np.array([[1.0, 0.0]], np.float32)
    nearness = Nearness(cosine_below=0.9, centers={"en": np.array([0.8, 0.0], np.float32)})
    near = nearness.of(answer, asked=asked, points=asked, language="en")
    assert near == Near(asked=pytest.approx(0.0), point=pytest.approx(0.0), is_elsewhere=True)
    # Of a language that was not trained, what those have in common that were.
    assert nearness.of(answer, asked=asked, points=asked, language="fr") == near


def test_the_middle_of_a_language_is_that_of_what_is_asked_in_it() -> None:
    data = questions(3)
    nearness = fitted_nearness(data, Angles(data).encode)
    assert nearness_to_json(nearness) == {"cosine_below": -1.0, "centers": {"en": [1.0, 0.0]}}
