"""What a training's folds say of the answers, and the baseline beside it: by hand, on numbers small enough to check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from finetune.cross_judged import Answered, judged, judged_by_cosine, judged_by_reader, real_answers
from finetune.evaluation import report_html
from finetune.graded_answer import GradedAnswer
from finetune.grader_run_report import cross_evaluation, run_report
from finetune.reader_examples import ReaderQuestion, reader_questions
from finetune.reader_readings import OutOfFold
from finetune.reading_head import FittedReadingHead
from grading.domain import Question
from grading.head import Interval
from tests.finetune.reader_data import scored_question

INTERVAL = Interval(edges=(0.1,), half_widths=(0.1, 0.3), confidences=(0.9, 0.5))


def question_with(*answers: tuple[str, float], number: int = 0) -> ReaderQuestion:
    graded = tuple(GradedAnswer(text=text, score=score) for text, score in answers)
    [found] = reader_questions([replace(scored_question(number), answers=graded)], most_made_up=0)
    return found


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """An answer ``0.3 …`` has that cosine with whatever is no number."""
    firsts = [text.split()[0] for text in texts]
    angles = [np.arccos(float(first)) if first[0].isdigit() else 0.0 for first in firsts]
    return np.array([[np.cos(angle), np.sin(angle)] for angle in angles], np.float32)


def answered(group: str, text: str, score: float) -> Answered:
    question = Question(prompt=f"Why {group}?", model_answers=("Because.",), language="en")
    return group, question, GradedAnswer(text=text, score=score)


# --- the grader's folds ----------------------------------------------------------------------------------------------


def test_every_answer_has_its_fraction_and_the_interval_of_its_doubt() -> None:
    question = question_with(("it learns the weights", 0.8), ("it lowers the loss", 0.6))
    readings = [OutOfFold(question=0, answer=number, logits=np.zeros((2, 2))) for number in range(2)]
    head = FittedReadingHead(
        content={}, interval=INTERVAL, fractions=np.array([0.7, 0.4]), doubts=np.array([0.05, 0.2])
    )
    found = judged_by_reader([question], readings, head)
    assert found.predicted.tolist() == [0.7, 0.4]
    assert found.low == pytest.approx([0.6, 0.1])
    assert found.high == pytest.approx([0.8, 0.7])
    assert found.confidence.tolist() == [0.9, 0.5]
    assert found.true.tolist() == [0.8, 0.6]
    assert found.texts == ("it learns the weights", "it lowers the loss")


def test_an_answer_that_the_guard_decides_counts_with_its_nothing() -> None:
    question = question_with(("it learns the weights", 0.8), ("", 0.2))
    assert [graded.text for graded in question.decided] == [""]
    head = FittedReadingHead(content={}, interval=INTERVAL, fractions=np.array([0.7]), doubts=np.array([0.05]))
    found = judged_by_reader([question], [OutOfFold(question=0, answer=0, logits=np.zeros((2, 2)))], head)
    assert found.predicted.tolist() == [0.7, 0.0]
    assert found.true.tolist() == [0.8, 0.2]


def test_answers_made_up_by_rule_are_not_judged() -> None:
    [question] = reader_questions([scored_question()])
    assert any(answer.graded.is_made_up for answer in question.answers)
    assert len(real_answers([question])) == 2


def test_a_question_and_its_translation_are_drawn_together() -> None:
    rows = [answered("a", "x", 0.1), answered("b", "y", 0.2), answered("a", "z", 0.3)]
    found = judged(rows, [(0.5, 0.4, 0.6, 0.9)] * 3)
    assert found.questions == ("a", "b")
    assert found.question.tolist() == [0, 1, 0]


# --- the baseline ----------------------------------------------------------------------------------------------------


def test_the_line_is_fitted_on_the_other_folds_only() -> None:
    # In the second fold scores fall with the cosine: the first one's line says the opposite.
    rows = [
        answered("a", "0.2 a", 0.2),
        answered("a", "0.8 b", 0.8),
        answered("b", "0.2 c", 0.9),
        answered("b", "0.8 d", 0.3),
    ]
    found = judged_by_cosine(rows, [0, 0, 1, 1], encode)
    assert found.predicted[2:] == pytest.approx([0.2, 0.8], abs=1e-5)
    assert found.predicted[:2] == pytest.approx([0.9, 0.3], abs=1e-5)


def test_the_nearest_of_several_model_answers_counts() -> None:
    question = Question(prompt="Why?", model_answers=("Because.", "0.0 away"), language="en")
    rows: list[Answered] = [("a", question, GradedAnswer(text="0.0 a", score=0.7)), answered("b", "0.1 b", 0.1)]
    rows += [answered("b", "0.9 c", 0.9)]
    assert judged_by_cosine(rows, [0, 1, 1], encode).predicted[0] == pytest.approx(1.0, abs=1e-5)


def test_a_line_never_leaves_the_scale() -> None:
    rows = [
        answered("a", "0.4 a", 0.0),
        answered("a", "0.6 b", 1.0),
        answered("b", "0.9 c", 1.0),
        answered("b", "0.1 d", 0.0),
    ]
    found = judged_by_cosine(rows, [0, 0, 1, 1], encode)
    assert found.predicted[2:].tolist() == [1.0, 0.0]


def test_cosines_that_do_not_vary_give_the_mean_of_the_others() -> None:
    rows = [answered("a", "0.5 a", 0.2), answered("a", "0.5 b", 0.6), answered("b", "0.9 c", 1.0)]
    assert judged_by_cosine(rows, [0, 0, 1], encode).predicted[2] == pytest.approx(0.4)


# --- the page --------------------------------------------------------------------------------------------------------


def page(given: Sequence[float], losses: Sequence[float] = (0.9, 0.4)) -> str:
    rows = [answered(f"{number}", f"0.{number + 1} <b>bold</b>", number / 8) for number in range(8)]
    grader = judged(rows, [(fraction, fraction, fraction, 0.9) for fraction in given])
    found = cross_evaluation(
        grader,
        judged_by_cosine(rows, [number % 2 for number in range(8)], lambda texts: np.ones((len(texts), 2), np.float32)),
    )
    return report_html(run_report(found, losses=losses, steps=10, facts=[("Code", "7")]))


def test_the_page_says_that_the_grader_is_better() -> None:
    text = page([number / 8 for number in range(8)])
    assert "Better than the baseline" in text
    assert "Cross-validated: every answer was scored by a model that had not seen its question." in text


def test_the_page_says_that_the_grader_is_not_better() -> None:
    assert "Not better than the baseline" in page([1 - number / 8 for number in range(8)])


def test_the_page_shows_how_the_loss_fell_where_there_is_a_loss() -> None:
    assert 'aria-label="Loss"' in page([0.5] * 8)
    assert 'aria-label="Loss"' not in page([0.5] * 8, losses=())


def test_words_of_students_are_escaped() -> None:
    text = page([0.5] * 8)
    assert "<b>bold</b>" not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text


def test_figures_of_the_baseline_lie_below_those_of_the_grader() -> None:
    rows = [answered(f"{number}", "0.5 a", number / 8) for number in range(8)]
    given = judged(rows, [(0.5, 0.4, 0.6, 0.9)] * 8)
    metrics = cross_evaluation(given, given).as_json()
    assert metrics["figures"]["mse"] == metrics["baseline"]["cosine"]["figures"]["mse"]
    assert metrics["baseline"]["difference"]["mse"]["value"] == 0
    assert metrics["baseline"]["difference"]["probability_worse"] == 0
