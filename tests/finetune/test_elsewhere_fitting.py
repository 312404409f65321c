"""The similarity from which on an answer is about the question's subject, fitted on right answers in other words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from finetune.elsewhere_fitting import KNOWN_BELOW, asked_texts, elsewhere_limits
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.reader_examples import ReaderQuestion, Text, reader_questions
from grading.domain import Question

WORDS = ["river", "garden", "window", "copper", "violin", "harbour", "meadow", "lantern", "saddle", "orchard"]


def questions(count: int, score: float = 1.0) -> list[ReaderQuestion]:
    """One question with ``count`` answers none of whose words was asked for."""
    answers = tuple(
        GradedAnswer(text=f"{WORDS[number % 10]} beside {WORDS[number // 10 % 10]} near {number}", score=score)
        for number in range(count)
    )
    question = Question(prompt="What does dropout do?", model_answers=("It switches units off.",), language="en")
    return reader_questions([GradedQuestion(source="course", group="one", question=question, answers=answers)])


def at_angles(data: Sequence[ReaderQuestion]) -> tuple[dict[Text, float], list[float]]:
    """An angle for each text, so that cosines are known: 0 for what was asked, growing for the answers."""
    [question] = data
    own = [answer.text for answer in question.answers if not answer.graded.is_made_up]
    angles = {text: 0.0 for text in asked_texts(question)}
    angles |= {(text, None): (number + 1) / len(own) for number, text in enumerate(own)}
    return angles, [float(np.cos(angles[text, None])) for text in own]


def test_one_in_a_hundred_right_answers_in_other_words_may_be_lost() -> None:
    data = questions(100)
    angles, cosines = at_angles(data)

    def embedded(texts: Sequence[Text]) -> NDArray[np.float32]:
        # Of any length: only the direction counts.
        return 3 * np.array([[np.cos(angles[text]), np.sin(angles[text])] for text in texts], np.float32)

    limits = elsewhere_limits(data, embedded)
    assert limits is not None
    assert limits["known_below"] == KNOWN_BELOW
    assert sum(cosine < limits["cosine_below"] for cosine in cosines) == 1


def test_wrong_answers_few_answers_and_answers_in_the_same_words_say_nothing() -> None:
    def embedded(texts: Sequence[Text]) -> NDArray[np.float32]:
        raise AssertionError(f"nothing is to be read, and yet {len(texts)} texts are")

    assert elsewhere_limits(questions(100, score=0.1), embedded) is None
    assert elsewhere_limits(questions(20), embedded) is None
    [known] = questions(1)
    same = GradedAnswer(text="dropout switches units off", score=1.0)
    graded = GradedQuestion(source="course", group="one", question=known.question, answers=(same,) * 100)
    assert elsewhere_limits(reader_questions([graded]), embedded) is None
