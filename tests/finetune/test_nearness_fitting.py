"""How near an answer is to what was asked, and how much nearer than other questions are to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.nearness_fitting import fitted_nearness, near_of
from finetune.reader_examples import ReaderQuestion, reader_questions
from grading.domain import Question
from grading.nearness import Near, Nearness, nearness_from_arrays, nearness_to_arrays

WORDS = ["river", "garden", "window", "copper", "violin", "harbour", "meadow", "lantern", "saddle", "orchard"]


class Angles:
    """Texts as directions in a plane, so that cosines are known: questions at whole numbers, answers between them."""

    def __init__(self, data: Sequence[ReaderQuestion]) -> None:
        self.of: dict[str, float] = {}
        for number, question in enumerate(data):
            self.of |= dict.fromkeys((question.question.prompt, *question.references, *question.points), float(number))
            own = [answer.text for answer in question.answers if not answer.graded.is_made_up]
            self.of |= {text: number + (place + 1) / (len(own) + 1) / 2 for place, text in enumerate(own)}
        self.read: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += texts
        angles = [self.of.get(text, 0.0) for text in texts]
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def questions(count: int, of_each: int = 4) -> list[ReaderQuestion]:
    """Questions with answers none of whose words was asked for."""
    graded = [
        GradedQuestion(
            source="course",
            group=f"group {number}",
            question=Question(
                prompt=f"What does method {number} do?", model_answers=(f"It switches {number} off.",), language="en"
            ),
            answers=tuple(
                GradedAnswer(text=f"{WORDS[place % 10]} beside {WORDS[number % 10]} near {place}{number}x", score=1.0)
                for place in range(of_each)
            ),
        )
        for number in range(count)
    ]
    return [replace(question, answers=question.answers[:of_each]) for question in reader_questions(graded)]


def without_center(nearness: Nearness) -> Nearness:
    """Cosines that can be told from the angles alone."""
    return replace(nearness, centers={"en": np.zeros(2, np.float32)})


def test_only_answers_in_other_words_are_asked_about() -> None:
    [question] = questions(1)
    known = replace(question.answers[0], text="method switches off")
    data = [replace(question, answers=(known, *question.answers[1:]))]
    angles = Angles(questions(1))
    nearness = Nearness(cosine_below=-1.0, centers={}, others={})
    near = near_of(data, [(0, 0), (0, 1)], nearness, angles.encode)
    assert near[0] == Near()
    assert near[1].asked == pytest.approx(np.cos(0.2), abs=1e-5)
    assert near[1].ahead == near[1].asked, "there is nothing else that it could be nearer to"
    assert known.text not in angles.read


def test_what_all_texts_of_a_language_have_in_common_is_taken_off() -> None:
    answer, asked = np.array([0.8, 0.6], np.float32), np.array([[1.0, 0.0]], np.float32)
    center = {"en": np.array([0.8, 0.0], np.float32)}
    nearness = Nearness(cosine_below=0.9, centers=center, others={"en": np.array([[0.0, 1.0]], np.float32)})
    near = nearness.of(answer, asked=asked, points=asked, language="en")
    assert near == Near(asked=pytest.approx(0.0), point=pytest.approx(0.0), ahead=pytest.approx(-1.0), is_far=True)
    # Of a language that was not trained, what those have in common that were.
    assert nearness.of(answer, asked=asked, points=asked, language="fr") == near


def test_an_answer_is_as_far_ahead_as_it_is_nearer_to_its_question_than_to_the_ten_next() -> None:
    data = questions(3)
    angles = Angles(data)
    nearness = without_center(fitted_nearness(data, angles.encode))
    asked = angles.encode([data[0].question.prompt])
    [answer] = angles.encode([data[0].answers[0].text])
    others = replace(nearness, others={"en": angles.encode([data[1].references[0], data[2].references[0]])})
    near = others.of(answer, asked=asked, points=asked, language="en")
    assert near.ahead == pytest.approx(np.cos(0.1) - (np.cos(0.9) + np.cos(1.9)) / 2, abs=1e-5)


def test_a_question_and_the_one_an_answer_is_borrowed_from_are_none_of_the_others() -> None:
    data = questions(3)
    borrowed = replace(data[1].answers[0], graded=replace(data[1].answers[0].graded, is_made_up=True))
    data[0] = replace(data[0], answers=(*data[0].answers, borrowed))
    angles = Angles(questions(3))
    # The lengths are those of the fitted others: all of length 1, so that only which they are counts.
    nearness = without_center(replace(fitted_nearness(data, angles.encode), others={"en": _directions(data, angles)}))
    [own, stray] = near_of(data, [(0, 0), (0, len(data[0].answers) - 1)], nearness, angles.encode)
    assert own.ahead == pytest.approx(np.cos(0.1) - (np.cos(0.9) + np.cos(1.9)) / 2, abs=1e-5)
    assert stray.ahead == pytest.approx(np.cos(1.1) - np.cos(0.9), abs=1e-5)


def test_one_in_a_hundred_right_answers_in_other_words_may_be_lost() -> None:
    data = questions(1, of_each=100)
    angles = Angles(data)
    nearness = fitted_nearness(data, angles.encode)
    cosines = [float(np.cos(angles.of[answer.text])) for answer in data[0].answers]
    assert 1 <= sum(cosine < nearness.cosine_below for cosine in cosines) <= 2


def test_nothing_is_far_where_too_few_right_answers_say_what_is_near() -> None:
    data = questions(1, of_each=20)
    assert fitted_nearness(data, Angles(data).encode).cosine_below == -1.0


def _directions(data: Sequence[ReaderQuestion], angles: Angles) -> NDArray[np.float32]:
    return angles.encode([question.references[0] for question in data])


def test_at_most_two_hundred_other_questions_are_kept_evenly() -> None:
    data = questions(301, of_each=1)
    nearness = fitted_nearness(data, Angles(data).encode)
    assert nearness.others["en"].shape == (200, 2)
    assert np.linalg.norm(nearness.others["en"], axis=1) == pytest.approx(1.0, abs=1e-5)


def test_nearness_is_the_same_after_writing_and_reading() -> None:
    data = questions(5)
    nearness = fitted_nearness(data, Angles(data).encode)
    again = nearness_from_arrays(nearness_to_arrays(nearness))
    assert again.cosine_below == pytest.approx(nearness.cosine_below, abs=1e-3)
    assert again.centers["en"] == pytest.approx(nearness.centers["en"], abs=1e-3)
    assert again.others["en"] == pytest.approx(nearness.others["en"], abs=1e-3)
