"""Examples for the explainer: split by question, true to the notes, the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from finetune.errors import TooFewExamples
from finetune.explainer_examples import (
    ExplainerCase,
    assessment_of,
    cases_from,
    cases_of,
    digest_of,
    examples_from,
    part_of,
    question_of,
)
from finetune.explainer_replies import composed_reply, replies, tutor_reply
from grading.domain import Flag, Verdict
from grading.explanation.checks import problems_in
from grading.samples import AnswerKind, get_sample, load_samples


@pytest.fixture(scope="module")
def cases() -> list[ExplainerCase]:
    return cases_from(load_samples("en"))


def test_every_part_has_questions_of_its_own(cases: list[ExplainerCase]) -> None:
    parts = {part: {case.question_id for case in cases_of(cases, part)} for part in ("train", "validation", "test")}
    assert not parts["train"] & parts["validation"]
    assert not parts["train"] & parts["test"]
    assert not parts["validation"] & parts["test"]
    assert len(parts["train"]) > len(parts["validation"]) + len(parts["test"])


def test_the_split_is_near_seven_to_three() -> None:
    counts = Counter(part_of(f"question-{number}") for number in range(2000))
    assert counts["train"] / 2000 == pytest.approx(0.7, abs=0.03)
    assert counts["validation"] / 2000 == pytest.approx(0.15, abs=0.03)


def test_a_question_keeps_its_part_when_others_come() -> None:
    samples = load_samples("en")
    few = {case.question_id: case.part for case in cases_from(samples[:5])}
    many = {case.question_id: case.part for case in cases_from(samples)}
    assert few.items() <= many.items()


def test_a_part_without_questions_is_an_error_that_says_so(cases: list[ExplainerCase]) -> None:
    one = [case for case in cases if case.question_id == cases[0].question_id]
    empty = {"train", "validation", "test"} - {one[0].part}
    for part in empty:
        with pytest.raises(TooFewExamples, match="1 questions are too few"):
            cases_of(one, part)  # pyright: ignore[reportArgumentType]


def test_answers_with_a_fixed_text_are_no_cases(cases: list[ExplainerCase]) -> None:
    answers = {case.answer for case in cases}
    for sample in load_samples("en"):
        for answer in sample.answers:
            assert (answer.text in answers) == (answer.kind is not AnswerKind.DONT_KNOW)


def test_an_assessment_holds_the_banks_own_verdicts() -> None:
    sample = get_sample("bias-variance", "en")
    partial = next(answer for answer in sample.answers if answer.kind is AnswerKind.PARTIAL)
    assessment = assessment_of(sample, partial)
    assert [each.verdict.value for each in assessment.verdicts] == [
        partial.verdicts[point.id].value for point in sample.key_points
    ]
    assert assessment.fraction == partial.score
    for each in assessment.verdicts:
        assert (each.evidence is None) == (each.verdict is Verdict.MISSING)
        assert each.evidence is None or each.evidence in partial.text


def test_an_honest_dont_know_carries_its_flag() -> None:
    sample = get_sample("bias-variance", "en")
    answer = next(answer for answer in sample.answers if answer.kind is AnswerKind.DONT_KNOW)
    assert assessment_of(sample, answer).flags == {Flag.DONT_KNOW}


def test_a_sample_question_becomes_a_question_with_its_weights() -> None:
    sample = get_sample("bias-variance", "en")
    question = question_of(sample)
    assert [point.weight for point in question.key_points] == [point.weight for point in sample.key_points]
    assert [point.position for point in question.key_points] == list(range(len(sample.key_points)))


def test_every_reply_to_learn_passes_the_checks(cases: list[ExplainerCase]) -> None:
    rng = random.Random(1)
    for case in cases[:80]:
        for reply in replies(case.feedback, case.question, case.answer, case.tutor_text, count=3, rng=rng):
            assert problems_in(reply, case.feedback, case.question, case.answer) == []


def test_replies_to_one_case_differ(cases: list[ExplainerCase]) -> None:
    case = next(case for case in cases if case.feedback.missing and case.feedback.covered)
    found = replies(case.feedback, case.question, case.answer, "", count=4, rng=random.Random(1))
    assert len(found) == 4
    assert len(set(found)) == 4


def test_nearly_every_case_has_a_reply(cases: list[ExplainerCase]) -> None:
    examples = examples_from(cases, replies_per_case=1, seed=1)
    assert len(examples) >= 0.95 * len(cases)


def test_examples_are_the_same_for_a_seed_and_others_for_another(cases: list[ExplainerCase]) -> None:
    first, again, other = (examples_from(cases[:40], replies_per_case=2, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_some_examples_come_without_quotations(cases: list[ExplainerCase]) -> None:
    examples = examples_from(cases, replies_per_case=1, seed=1)
    bare = [each for each in examples if not any(point.quote for point in each.feedback.points)]
    assert 0.05 < len(bare) / len(examples) < 0.4


def test_a_tutors_question_is_not_learned(cases: list[ExplainerCase]) -> None:
    case = next(case for case in cases if case.feedback.missing)
    text = tutor_reply(case.feedback, "Your explanation is right so far. What is the other one?", random.Random(1))
    assert text is not None
    assert "the other one" not in text
    assert text.startswith("Your explanation is right so far.")


def test_a_tutors_sentence_beyond_the_notes_is_not_learned(cases: list[ExplainerCase]) -> None:
    assert (
        tutor_reply(cases[0].feedback, "Remember the zebra in the kaleidoscope, that is right.", random.Random(1))
        is None
    )


def test_a_composed_reply_names_all_that_is_lacking(cases: list[ExplainerCase]) -> None:
    for case in cases[:60]:
        text = composed_reply(case.feedback, random.Random(2))
        for point in (*case.feedback.missing, *case.feedback.contradicted, *case.feedback.partial):
            assert point.name in text


def test_the_digest_moves_with_the_data(cases: list[ExplainerCase]) -> None:
    assert digest_of(cases) == digest_of(list(cases))
    assert digest_of(cases) != digest_of(cases[1:])
