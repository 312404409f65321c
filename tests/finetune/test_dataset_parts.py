"""Parts: fixed by hash, twins together, the parts that data come with kept, and only people's scores as labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from finetune.dataset import Example, graded_questions, part_of, part_of_example, read_dataset
from finetune.dataset.parts import normalised
from grading.domain import KeyPoint, Verdict
from tests.finetune.dataset_data import make_example, make_question, write


def test_eight_tenths_train_and_a_tenth_each_validates_and_tests() -> None:
    counts = Counter(part_of(f"question {number}") for number in range(5000))
    assert counts["train"] == pytest.approx(4000, abs=120)
    assert counts["validation"] == pytest.approx(500, abs=80)
    assert counts["test"] == pytest.approx(500, abs=80)


def test_a_part_never_changes() -> None:
    parts = {name: part_of(f"question {number}") for number, name in ((11, "a"), (12, "b"), (33, "c"))}
    assert parts == {"a": "train", "b": "test", "c": "validation"}


def test_another_salt_is_another_split() -> None:
    names = [f"question {number}" for number in range(200)]
    assert [part_of(name, salt="1") for name in names] == [part_of(name, salt="1") for name in names]
    assert [part_of(name, salt="1") for name in names] != [part_of(name, salt="2") for name in names]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It lowers the loss.", "it  lowers\nthe LOSS"),
        ("bag-of-words", "bag-of-words!"),
        ("손실을 줄인다 😊", "손실을 줄인다."),
        ("ﬁt", "fit"),
    ],
)
def test_texts_that_differ_in_nothing_that_is_meant_are_equal(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("one", "other"), [("x > 0", "x < 0"), ("-1", "1"), ("a + b", "a b"), ("?", "!"), ("5%", "5")])
def test_signs_that_mean_something_stay(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_the_same_question_from_two_exports_is_in_one_part() -> None:
    for number in range(40):
        one = make_question(number, id="a", prompt=f"What is boosting {number}?")
        other = make_question(number, id="b", prompt=f"what is  boosting {number}")
        example = make_example()
        assert part_of_example(example, one, "question") == part_of_example(example, other, "question")


def test_the_same_answer_is_in_one_part() -> None:
    question = make_question()
    for number in range(40):
        one, other = (
            make_example(1, answer=f"The loss falls {number}."),
            make_example(2, answer=f"the loss falls {number}"),
        )
        assert part_of_example(one, question, "answer") == part_of_example(other, question, "answer")


def test_by_question_all_answers_are_in_one_part_and_by_answer_they_are_not() -> None:
    examples = [make_example(number) for number in range(60)]
    assert len({part_of_example(each, make_question(), "question") for each in examples}) == 1
    assert len({part_of_example(each, make_question(), "answer") for each in examples}) == 3


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_part_that_the_data_came_with_counts(part: str) -> None:
    examples = [make_example(number, part=part) for number in range(30)]
    assert {part_of_example(each, make_question(), "answer") for each in examples} == {part}


def test_what_the_data_train_on_is_never_tested_but_some_of_it_validates() -> None:
    examples = [make_example(number, part="train") for number in range(90)]
    assert {part_of_example(each, make_question(), "answer") for each in examples} == {"train", "validation"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    examples = [
        *(make_example(number, question=f"q{number % 5}") for number in range(50)),
        make_example(100, scored_by="MODEL", question="q0"),
        make_example(101, score=None, scored_by=None, question="q0"),
        make_example(102, verdicts=("covered", "contradicted"), question="q0"),
    ]
    write(tmp_path / "data", examples, [make_question(number) for number in range(6)])
    return tmp_path / "data"


def test_only_scores_of_people_are_labels(folder: Path) -> None:
    questions = graded_questions(read_dataset(folder))
    assert len(questions) == 5
    assert sum(len(each.answers) for each in questions) == 51


def test_scores_of_models_are_labels_when_they_are_asked_for(folder: Path) -> None:
    questions = graded_questions(read_dataset(folder), labels="all")
    assert sum(len(each.answers) for each in questions) == 52


def test_the_parts_are_all_of_it_and_share_nothing(folder: Path) -> None:
    dataset = read_dataset(folder)
    texts = [
        {answer.text for graded in graded_questions(dataset, part={part}, by="answer") for answer in graded.answers}
        for part in ("train", "validation", "test")
    ]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 51
    assert all(texts)


def test_a_question_of_another_part_is_left_out(folder: Path) -> None:
    dataset = read_dataset(folder)
    kept = graded_questions(dataset, part={"train"}, by="question")
    parts = {part_of(normalised(graded.question.prompt)) for graded in kept}
    assert parts == {"train"}


def test_the_trainers_get_the_whole_question(folder: Path) -> None:
    graded = graded_questions(read_dataset(folder))[0]
    assert graded.source == "course"
    assert graded.group == f"course {normalised(make_question(0).prompt)}"
    assert graded.tags == ("optimisation",)
    assert graded.question.model_answers == make_question().model_answers
    assert graded.question.key_points[1] == KeyPoint(position=1, name="loss", text="It lowers the loss.", weight=1.0)
    assert graded.answers[-1].verdicts == (Verdict.COVERED, Verdict.CONTRADICTED)
    assert graded.answers[-1].score == 0.5
    assert not graded.answers[-1].is_made_up


def test_a_confirmed_score_is_one_that_a_person_gave() -> None:
    def is_label(**changes: object) -> bool:
        example: Example = make_example(**changes)
        return example.is_confirmed

    assert is_label()
    assert not is_label(scored_by="MODEL")
    assert not is_label(scored_by=None)
    assert not is_label(score=None)
