"""The feedback object: bands, points, gates and the one next step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grading.domain import Flag, KeyPoint, Question, Verdict
from grading.explanation.feedback import Band, Step, Unnamed
from grading.explanation.feedback_making import GATES, feedback_from
from tests.unit.explanation_builders import (
    BIAS_ANSWER,
    make_assessment,
    make_feedback,
    make_korean_question,
    make_question,
)


@pytest.mark.parametrize(
    ("fraction", "band"),
    [
        (1.0, Band.FULL),
        (0.9, Band.FULL),
        (0.89, Band.MOST),
        (0.65, Band.MOST),
        (0.64, Band.HALF),
        (0.35, Band.HALF),
        (0.34, Band.LITTLE),
        (0.1, Band.LITTLE),
        (0.09, Band.NONE),
        (0.0, Band.NONE),
    ],
)
def test_the_band_follows_the_fraction(fraction: float, band: Band) -> None:
    assert make_feedback(fraction=fraction).band is band


def test_points_are_sorted_by_verdict_and_carry_their_names() -> None:
    feedback = make_feedback(("covered", "partial", "missing"))
    assert [point.name for point in feedback.covered] == ["what bias is"]
    assert [point.name for point in feedback.partial] == ["what variance is"]
    assert [point.name for point in feedback.missing] == ["the effect of more complexity"]
    assert feedback.contradicted == ()
    assert [point.position for point in feedback.points] == [0, 1, 2]


def test_covered_points_carry_the_students_words() -> None:
    feedback = make_feedback()
    assert feedback.covered[0].quote == "High bias means that the model is too simple and underfits"


def test_missing_points_never_carry_words() -> None:
    feedback = make_feedback(("missing", "missing", "missing"), evidence={0: "some", 1: "words", 2: "here"})
    assert all(point.quote is None for point in feedback.missing)


def test_words_that_are_mixed_up_are_not_praised_for_another_point() -> None:
    sentence = "Bias and variance both fall with more data."
    feedback = make_feedback(("covered", "contradicted", "missing"), evidence={0: sentence, 1: sentence})
    assert feedback.covered[0].quote is None
    assert feedback.contradicted[0].quote == sentence.rstrip(".")


@pytest.mark.parametrize(
    ("verdicts", "step", "focus"),
    [
        (("covered", "contradicted", "missing"), Step.FIX, "what variance is"),
        (("covered", "covered", "missing"), Step.ADD, "the effect of more complexity"),
        (("covered", "partial", "covered"), Step.SHARPEN, "what variance is"),
        (("covered", "covered", "covered"), Step.EXTEND, None),
        (("partial", "partial", "missing"), Step.ADD, "the effect of more complexity"),
        (("missing", "missing", "missing"), Step.ADD, "what bias is"),
    ],
)
def test_there_is_one_next_step_on_the_heaviest_point(verdicts: tuple[str, ...], step: Step, focus: str | None) -> None:
    feedback = make_feedback(verdicts)
    assert (feedback.step, feedback.focus) == (step, focus)


def test_complete_means_that_every_point_is_covered() -> None:
    assert make_feedback(("covered", "covered", "covered"), fraction=1.0).is_complete
    assert not make_feedback(("covered", "covered", "partial"), fraction=0.9).is_complete


@pytest.mark.parametrize("flag", GATES)
def test_a_flag_on_an_answer_that_earned_nothing_opens_a_fixed_text(flag: Flag) -> None:
    assessment = make_assessment(["missing"] * 3, fraction=0.0, flags=frozenset({flag}))
    feedback = feedback_from(make_question(), "whatever", assessment)
    assert feedback.gate is flag
    assert feedback.points == ()
    assert feedback.focus == "what bias is"


@pytest.mark.parametrize("flag", [Flag.INSTRUCTION, Flag.QUESTION_COPIED, Flag.OFF_TOPIC, Flag.DONT_KNOW])
def test_an_answer_that_earned_points_beside_the_flag_is_worded(flag: Flag) -> None:
    assessment = make_assessment(["covered", "missing", "missing"], fraction=0.4, flags=frozenset({flag}))
    assert feedback_from(make_question(), BIAS_ANSWER, assessment).gate is None


def test_a_pasted_model_answer_gets_its_fixed_text_even_with_full_points() -> None:
    assessment = make_assessment(["covered"] * 3, fraction=1.0, flags=frozenset({Flag.MODEL_ANSWER_PASTED}))
    assert feedback_from(make_question(), BIAS_ANSWER, assessment).gate is Flag.MODEL_ANSWER_PASTED


@pytest.mark.parametrize("flag", sorted(set(Flag) - {*GATES, Flag.NEEDS_PERSON}))
def test_other_flags_change_no_text(flag: Flag) -> None:
    assessment = make_assessment(["missing"] * 3, fraction=0.0, flags=frozenset({flag}))
    assert feedback_from(make_question(), "whatever", assessment).gate is None


def test_blank_wins_over_every_other_flag() -> None:
    assessment = make_assessment(["missing"] * 3, fraction=0.0, flags=frozenset(Flag) - {Flag.NEEDS_PERSON})
    assert feedback_from(make_question(), "", assessment).gate is Flag.BLANK


@pytest.mark.parametrize("flags", [frozenset({Flag.NEEDS_PERSON}), frozenset(Flag)])
def test_who_needs_a_person_gets_nothing_of_the_quiz(flags: frozenset[Flag]) -> None:
    assessment = make_assessment(["covered", "missing", "partial"], fraction=0.6, flags=flags)
    feedback = feedback_from(make_question(), BIAS_ANSWER, assessment)
    assert (feedback.gate, feedback.points, feedback.focus) == (Flag.NEEDS_PERSON, (), None)


def test_a_cry_for_help_is_heard_where_the_grade_has_no_flag_of_it() -> None:
    feedback = feedback_from(make_question(), f"{BIAS_ANSWER} I want to die.", make_assessment(["covered"] * 3))
    assert feedback.gate is Flag.NEEDS_PERSON


@pytest.mark.parametrize(
    ("question", "answer", "language"),
    [
        (make_question(), "죽고 싶어요", "ko"),
        (make_korean_question(), "I want to die", "en"),
        (make_korean_question(), "quiero morir, no puedo más con la vida que tengo", "ko"),
        (make_question(), "死にたい", "en"),
    ],
)
def test_the_kind_text_is_in_the_language_that_was_spoken_or_that_of_the_quiz(
    question: Question, answer: str, language: str
) -> None:
    assert feedback_from(question, answer, make_assessment(["missing"] * 3)).language == language


def test_korean_questions_get_korean_feedback_and_others_english() -> None:
    assessment = make_assessment(["missing"] * 3)
    assert feedback_from(make_korean_question(), "x", assessment).language == "ko"
    assert feedback_from(make_question(language="de"), "x", assessment).language == "en"


def test_a_question_without_key_points_is_told_by_what_its_model_answer_speaks_of() -> None:
    question = Question(
        prompt="What are bias and variance, and when is a model too simple?",
        model_answers=("Bias is a steady error. Variance is how much it sways. A straight line on a curve is one.",),
    )
    feedback = feedback_from(question, "The bias stays.", make_assessment(["covered", "missing", "missing"]))
    assert [point.name for point in feedback.covered] == ["Bias"]
    assert feedback.missing == ()
    assert [point.name for point in feedback.partial] == ["Variance"]
    assert feedback.unnamed == (Unnamed(verdict=Verdict.PARTIAL),)
    assert (feedback.step, feedback.focus) == (Step.ADD, "Variance")
    assert feedback.is_by_topic
    assert not feedback.is_complete


INITS = Question(
    prompt="What are the Xavier and the Kaiming initialisation, and what is the difference?",
    model_answers=(
        "The Xavier initialisation is of both sides. The Kaiming initialisation is of one side. The difference is it.",
    ),
)


def test_of_several_topics_only_those_are_covered_that_the_answer_speaks_of() -> None:
    verdicts = make_assessment(["covered", "covered", "missing"], fraction=0.5)
    one = feedback_from(INITS, "The Xavier initialisation is of both sides.", verdicts)
    assert [point.name for point in one.covered] == ["Xavier initialisation"]
    assert one.find_unnamed(Verdict.COVERED) is not None
    asking = feedback_from(INITS, "The Xavier initialisation is of both sides. What is Kaiming?", verdicts)
    assert [point.name for point in asking.covered] == ["Xavier initialisation"]
    both = feedback_from(INITS, "Xavier is of both sides, Kaiming of one.", verdicts)
    assert [point.name for point in both.covered] == ["Xavier initialisation", "Kaiming initialisation"]


def test_a_topic_is_named_once_whatever_its_capitals() -> None:
    question = Question(
        prompt="What is weight decay?",
        model_answers=("Weight decay makes weights small. It is common. The weight decay is used by AdamW.",),
    )
    feedback = feedback_from(
        question, "It is common.", make_assessment(["missing", "covered", "missing"], fraction=0.3)
    )
    assert len([point.name for point in feedback.partial if point.name.casefold() == "weight decay"]) == 1


@pytest.mark.parametrize(
    ("fraction", "step"), [(0.3, Step.FIX), (0.49, Step.FIX), (0.5, Step.SHARPEN), (0.85, Step.EXTEND)]
)
def test_a_sentence_of_the_model_answer_is_not_held_for_mixed_up_where_most_is_right(
    fraction: float, step: Step
) -> None:
    question = make_question(key_points=())
    assessment = make_assessment(["covered", "contradicted", "covered"], fraction=fraction, evidence={1: "words"})
    feedback = feedback_from(question, BIAS_ANSWER, assessment)
    assert feedback.step is step
    verdict = Verdict.CONTRADICTED if step is Step.FIX else Verdict.PARTIAL
    assert feedback.told_last is verdict
    # What somebody wrote as a key point is mixed up whatever the score.
    assert feedback_from(make_question(), BIAS_ANSWER, assessment).contradicted


def test_a_verdict_on_a_point_that_the_question_lost_is_told_without_its_name() -> None:
    question = make_question(key_points=make_question().key_points[:1])
    feedback = feedback_from(question, "x", make_assessment(["covered", "missing", "missing"]))
    assert feedback.missing == ()
    assert feedback.find_unnamed(Verdict.MISSING) == Unnamed(verdict=Verdict.MISSING)
    assert (feedback.step, feedback.focus) == (Step.ADD, None)


def test_nearly_all_points_for_a_model_answer_that_says_more_than_asked_is_complete() -> None:
    question = make_question(key_points=())
    verdicts = ["covered", "covered", "missing"]
    full = feedback_from(question, "x", replace(make_assessment(verdicts), fraction=0.93))
    assert full.is_complete
    assert (full.step, full.focus) == (Step.EXTEND, None)
    # Who wrote key points wants all of them.
    assert not feedback_from(make_question(), "x", replace(make_assessment(verdicts), fraction=0.93)).is_complete


@pytest.mark.parametrize("verdicts", [["covered"] * 3, ["covered", "missing", "partial"]])
def test_a_good_answer_to_a_question_without_key_points_is_asked_if_there_is_more(verdicts: list[str]) -> None:
    question = make_question(key_points=())
    good = feedback_from(question, "x", make_assessment(verdicts, fraction=0.85))
    assert good.is_asking
    assert not good.is_complete
    assert (good.step, good.focus) == (Step.EXTEND, None)
    half = feedback_from(question, "x", make_assessment(verdicts, fraction=0.6))
    assert not half.is_asking
    assert not half.is_complete
    assert half.step in {Step.ADD, Step.SHARPEN}
    assert not feedback_from(make_question(), "x", make_assessment(verdicts, fraction=0.85)).is_asking


def test_names_are_one_line_without_a_full_stop() -> None:
    question = Question(
        prompt="Why?", model_answers=("Because.",), key_points=(KeyPoint(position=0, name=" the\nreason. ", text="t"),)
    )
    feedback = feedback_from(question, "x", make_assessment([Verdict.MISSING]))
    assert feedback.missing[0].name == "the reason"


def test_the_variant_is_stable_and_differs_between_answers() -> None:
    variants = {make_feedback(answer=f"answer {number}").variant for number in range(20)}
    assert len(variants) == 20
    assert make_feedback(answer="same").variant == make_feedback(answer="same").variant


def test_a_lone_surrogate_in_an_answer_breaks_nothing() -> None:
    assert make_feedback(answer="bad \ud800 character").variant >= 0
