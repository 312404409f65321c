"""What the reader learns from: answers, pairs, batches, the loss; and that folds keep groups together."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch.nn import functional

from finetune.graded_answer import GradedAnswer
from finetune.reader_batches import (
    Pair,
    ReaderTraining,
    batches_of,
    loss_of,
    pairs_of,
    reading_pairs,
    steps_of,
)
from finetune.reader_examples import ReaderAnswer, ReaderQuestion, digest_of, reader_questions, source_weights
from finetune.reader_readings import folds_of
from finetune.topics import topics_of
from grading.domain import Verdict
from tests.finetune.reader_data import few_questions, scored_question


@pytest.fixture(scope="module")
def questions() -> list[ReaderQuestion]:
    return reader_questions([*few_questions(3), *(scored_question(number) for number in range(3))])


def answer_with(verdicts: tuple[Verdict, ...], score: float, *, is_made_up: bool = False) -> ReaderAnswer:
    return ReaderAnswer(
        text="an answer", graded=GradedAnswer(text="An answer.", score=score, verdicts=verdicts, is_made_up=is_made_up)
    )


# --- answers -----------------------------------------------------------------------------------------------------


def test_answers_that_the_guard_leaves_nothing_of_are_left_out() -> None:
    [graded] = few_questions(1)
    blank = (GradedAnswer(text="   ", score=0.0), GradedAnswer(text="I don't know", score=0.0))
    [question] = reader_questions([replace(graded, answers=(*graded.answers, *blank))])
    real = [answer.graded for answer in question.answers if not answer.graded.is_made_up]
    assert real == list(graded.answers)


def test_made_up_answers_do_not_depend_on_the_order_of_the_questions() -> None:
    graded = few_questions(2)
    one, other = reader_questions(graded), reader_questions(graded)
    assert one == other
    assert any(answer.graded.is_made_up for answer in one[0].answers)


def test_full_answers_of_students_stand_in_for_the_model_answer(questions: list[ReaderQuestion]) -> None:
    full = [answer.text for answer in questions[0].answers if answer.graded.kind in ("full", "reworded")]
    assert questions[0].stand_ins == tuple(full)
    assert full
    assert questions[-1].stand_ins == ()


@pytest.mark.parametrize(("answers", "weight"), [(324, 2.0), (800, 1.25), (1000, 1.0), (2981, 0.5)])
def test_a_small_course_counts_more_than_a_large_file(answers: int, weight: float) -> None:
    graded = scored_question(answers=answers)
    assert source_weights([graded, *few_questions(1)]) == {"course": weight, "samples": 1.0}


def test_the_digest_tells_data_apart() -> None:
    graded = few_questions(2)
    assert digest_of(graded) == digest_of(few_questions(2)) != digest_of(graded[::-1])


# --- pairs -------------------------------------------------------------------------------------------------------


def test_each_key_point_and_a_model_answer_make_a_pair(questions: list[ReaderQuestion]) -> None:
    question = replace(questions[0], points=("a", "b", "c", "d"), stand_ins=())
    verdicts = (Verdict.COVERED, Verdict.PARTIAL, Verdict.MISSING, Verdict.CONTRADICTED)
    whole, *parts = pairs_of(question, answer_with(verdicts, 0.4), 2.0, random.Random(1))
    prompt = question.question.prompt
    assert whole == Pair(
        point=(question.references[0], prompt),
        answer=("an answer", None),
        target=0.4,
        weight=2.0,
        contradicted=1.0,
        contradiction_weight=2.0,
    )
    assert [pair.target for pair in parts] == [1.0, 0.5, 0.0, 0.0]
    assert [pair.contradicted for pair in parts] == [0.0, 0.0, 0.0, 1.0]
    assert {pair.weight for pair in parts} == {1.0}
    assert {pair.contradiction_weight for pair in parts} == {0.5}
    assert [pair.point for pair in parts] == [(text, prompt) for text in "abcd"]


def test_a_score_alone_says_nothing_of_key_points_and_contradiction(questions: list[ReaderQuestion]) -> None:
    [pair] = pairs_of(questions[-1], answer_with((), 0.7), 1.0, random.Random(1))
    assert (pair.target, pair.contradiction_weight) == (0.7, 0.0)


def test_a_made_up_answer_that_says_no_point_spreads_its_score(questions: list[ReaderQuestion]) -> None:
    question = replace(questions[0], points=("a", "b"))
    missing = (Verdict.MISSING, Verdict.MISSING)
    _, *made_up = pairs_of(question, answer_with(missing, 0.15, is_made_up=True), 1.0, random.Random(1))
    _, *real = pairs_of(question, answer_with(missing, 0.15), 1.0, random.Random(1))
    assert [pair.target for pair in made_up] == [0.15, 0.15]
    assert [pair.target for pair in real] == [0.0, 0.0]


def test_a_fifth_of_the_references_are_other_full_answers(questions: list[ReaderQuestion]) -> None:
    question = replace(questions[-1], stand_ins=("an answer", "another one"))
    rng = random.Random(3)
    drawn = [pairs_of(question, answer_with((), 1.0), 1.0, rng)[0].point[0] for _ in range(2000)]
    assert 0.15 < drawn.count("another one") / 2000 < 0.25
    assert "an answer" not in drawn, "an answer is no model answer for itself"


def test_when_the_model_serves_every_point_and_model_answer_is_read(questions: list[ReaderQuestion]) -> None:
    question = questions[0]
    read = [point for (point, _), _ in reading_pairs(question, question.answers[0])]
    assert read == [*question.points, *question.references]


# --- batches -----------------------------------------------------------------------------------------------------


def drawn(questions: list[ReaderQuestion], training: ReaderTraining, seed: int, count: int) -> list[list[Pair]]:
    weights: dict[str, float] = {"samples": 1.0, "course": 1.0}
    return list(islice(batches_of(questions, weights, training, seed), count))


def test_batches_repeat_with_their_seed(questions: list[ReaderQuestion]) -> None:
    training = ReaderTraining(batch_size=16)
    assert drawn(questions, training, 1, 9) == drawn(questions, training, 1, 9) != drawn(questions, training, 2, 9)


def test_a_pass_has_all_real_answers_and_some_of_the_made_up(questions: list[ReaderQuestion]) -> None:
    training = ReaderTraining(batch_size=64, epochs=40)
    steps = steps_of(questions, training)
    wholes = {text for question in questions for text in (*question.references, *question.stand_ins)}
    pairs = [pair for batch in drawn(questions, training, 1, steps) for pair in batch]
    whole = [pair.weight for pair in pairs if pair.point[0] in wholes]
    real = sum(not answer.graded.is_made_up for question in questions for answer in question.answers)
    made_up = sum(answer.graded.is_made_up for question in questions for answer in question.answers)
    # A batch has more answers than asked for where the last chunk does not fit: a little more than forty passes.
    passes = whole.count(1.0) / real
    assert 38 < passes < 90
    assert whole.count(training.made_up_weight) == pytest.approx(passes * training.made_up_share * made_up, rel=0.2)


def test_each_answer_also_stands_beside_a_question_that_it_does_not_answer(questions: list[ReaderQuestion]) -> None:
    asked = {question.question.prompt: question for question in questions}
    own = {answer.text: question for question in questions for answer in question.answers}
    strays = 0
    for batch in drawn(questions, ReaderTraining(batch_size=64), 1, 20):
        for pair in batch:
            question = asked[pair.point[1] or ""]
            if pair.answer[0] in {answer.text for answer in question.answers}:
                continue
            strays += 1
            assert (pair.target, pair.contradicted) == (0.0, 0.0)
            assert pair.weight == pair.contradiction_weight <= 0.5
            assert question.question.language == own[pair.answer[0]].question.language
            assert pair.point[0] in (*question.points, *question.references)
    assert strays > 20 * 64 * 0.5


def test_a_question_beside_itself_in_another_set_has_no_strays(questions: list[ReaderQuestion]) -> None:
    twins = [questions[0], replace(questions[0], source="course", group="again")]
    prompts = {pair.point[1] for batch in drawn(twins, ReaderTraining(batch_size=64), 1, 4) for pair in batch}
    assert prompts == {questions[0].question.prompt}
    targets = [pair for batch in drawn(twins, ReaderTraining(batch_size=64), 1, 4) for pair in batch]
    own = {answer.text for answer in questions[0].answers}
    assert {pair.answer[0] for pair in targets} <= own


def test_fewer_answers_than_a_batch_are_gone_through_several_times(questions: list[ReaderQuestion]) -> None:
    [batch] = drawn(questions[-1:], ReaderTraining(batch_size=500), 1, 1)
    assert len({pair.answer for pair in batch}) < 60 < len(batch)


# --- loss --------------------------------------------------------------------------------------------------------


def test_the_loss_weighs_cross_entropy_squared_error_and_contradiction() -> None:
    pairs = [
        Pair(point=("a", "q"), answer=("x", None), target=t, weight=w, contradicted=c, contradiction_weight=v)
        for t, w, c, v in ((1.0, 1.0, 0.0, 1.0), (0.3, 2.0, 1.0, 0.0), (0.0, 0.5, 1.0, 0.7))
    ]
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.4], [-0.5, 0.2]])
    target, weight = torch.tensor([1.0, 0.3, 0.0]), torch.tensor([1.0, 2.0, 0.5])
    wrong, known = torch.tensor([0.0, 1.0, 1.0]), torch.tensor([1.0, 0.0, 0.7])
    entropy = functional.binary_cross_entropy_with_logits(logits[:, 0], target, weight, reduction="sum")
    square = (weight * (logits[:, 0].sigmoid() - target) ** 2).sum()
    opposite = functional.binary_cross_entropy_with_logits(logits[:, 1], wrong, known, reduction="sum")
    expected = (entropy + square) / 3.5 + 0.5 * opposite / 1.7
    assert loss_of(logits, pairs, pairs) == pytest.approx(float(expected))
    parts = loss_of(logits[:1], pairs[:1], pairs) + loss_of(logits[1:], pairs[1:], pairs)
    assert float(parts) == pytest.approx(float(expected))


def test_a_batch_without_any_verdicts_has_a_loss() -> None:
    pair = Pair(
        point=("a", "q"), answer=("x", None), target=0.5, weight=1.0, contradicted=0.0, contradiction_weight=0.0
    )
    assert torch.isfinite(loss_of(torch.zeros(1, 2), [pair], [pair]))


# --- folds -------------------------------------------------------------------------------------------------------


def test_folds_never_divide_a_topic() -> None:
    topics = [number % 12 for number in range(40)]
    for seed in range(5):
        folds = folds_of(topics, 3, seed)
        assert sorted(place for fold in folds for place in fold) == list(range(len(topics)))
        parts = [{topics[place] for place in fold} for fold in folds]
        assert all(parts[i].isdisjoint(parts[j]) for i in range(3) for j in range(i))
        assert all(parts)
    assert folds_of(topics, 3, 1) == folds_of(topics, 3, 1)
    assert folds_of(topics, 3, 1) != folds_of(topics, 3, 2)


def test_questions_about_the_same_thing_are_one_topic() -> None:
    rng = np.random.default_rng(1)
    kinds = [number % 40 for number in range(240)]
    centres = rng.normal(size=(40, 16))
    vectors = np.array([centres[kind] for kind in kinds], np.float32) + 0.01 * rng.normal(size=(240, 16))
    found = topics_of(lambda: vectors.astype(np.float32), [f"question {number}" for number in range(240)])
    assert len(set(found)) == 40
    assert len(set(zip(kinds, found, strict=True))) == 40


def test_a_group_is_never_divided_and_few_questions_are_topics_of_their_own() -> None:
    vectors = np.random.default_rng(2).normal(size=(300, 8)).astype(np.float32)
    groups = [f"group {number % 150}" for number in range(300)]
    found = topics_of(lambda: vectors, groups)
    assert all(found[number] == found[number + 150] for number in range(150))
    assert topics_of(lambda: vectors[:4], ["a", "b", "a", "c"]) == [0, 1, 0, 2]
