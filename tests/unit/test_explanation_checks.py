"""Planted errors are caught, good texts pass."""

from __future__ import annotations

import pytest

from grading.explanation.checks import MAX_CHARACTERS, Problem, ProblemKind, problems_in
from grading.explanation.feedback import Feedback
from grading.explanation.feedback_making import feedback_from
from grading.explanation.reading import read
from tests.unit.explanation_builders import (
    BIAS_ANSWER,
    make_assessment,
    make_feedback,
    make_korean_question,
    make_question,
)

GOOD = (
    "Good start. You are right about what bias is: “the model is too simple and underfits”. Look again at what variance"
    " is. Still missing: the effect of more complexity."
)
KOREAN_ANSWER = "편향은 모델이 너무 단순해서 생기는 오차예요."
KOREAN_GOOD = (
    "좋은 출발이에요. 편향의 뜻을 잘 설명했어요. 분산의 뜻은 다시 확인해 보세요. 아직 빠진 것: 복잡도가 커질 때의 변화."
)


MIXED_UP_WORDS = {0: "the model is too simple and underfits", 1: "Variance is the spread of the inputs"}


def kinds(text: str, feedback: Feedback | None = None, answer: str = BIAS_ANSWER) -> set[ProblemKind]:
    """Kinds of all problems of a text about the bias answer: bias right, variance mixed up, complexity missing."""
    shown = feedback or make_feedback(evidence=MIXED_UP_WORDS)
    found = problems_in(text, shown, make_question(), answer)
    return {problem.kind for problem in found}


def korean_kinds(text: str) -> set[ProblemKind]:
    question = make_korean_question()
    assessment = make_assessment(["covered", "contradicted", "missing"], evidence={0: KOREAN_ANSWER})
    feedback = feedback_from(question, KOREAN_ANSWER, assessment)
    return {problem.kind for problem in problems_in(text, feedback, question, KOREAN_ANSWER)}


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "You explain what bias is well. Look again at what variance is, something is mixed up there. Now add the"
        " effect of more complexity.",
        "“too simple and underfits” is exactly right for what bias is. Please look again at this: what variance is."
        " What about the effect of more complexity?",
        "Nice start: what bias is fits. But what variance is and the inputs are mixed up. The effect of more"
        " complexity is still missing.",
        "Well explained: what bias is. You write “Variance is the spread of the inputs”, but look again at what"
        " variance is. Your answer leaves out the effect of more complexity.",
    ],
)
def test_a_good_text_passes(text: str) -> None:
    assert problems_in(text, make_feedback(), make_question(), BIAS_ANSWER) == []


def test_a_good_korean_text_passes() -> None:
    assert korean_kinds(KOREAN_GOOD) == set()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ProblemKind.EMPTY, ""),
        (ProblemKind.EMPTY, "  \n "),
        (ProblemKind.TOO_LONG, GOOD + " Good work." * 60),
        (ProblemKind.UNFINISHED, GOOD[:-1] + " and"),
        (ProblemKind.UNFINISHED, GOOD + " Begin with the"),
        (ProblemKind.REPEATED, GOOD + " Good start."),
        (ProblemKind.LANGUAGE, GOOD + " 아주 좋아요."),
        (ProblemKind.LANGUAGE, GOOD + " Очень хорошо."),
        (ProblemKind.MARKUP, GOOD.replace("Good start.", "**Good start.**")),
        (ProblemKind.MARKUP, GOOD + " <br> Go on."),
        (ProblemKind.MARKUP, GOOD + " <script>alert(1)</script>."),
        (ProblemKind.MARKUP, GOOD + " See https://example.org now."),
        (ProblemKind.MARKUP, GOOD + " See www.example.org now."),
        (ProblemKind.MARKUP, GOOD + " Look\u202e again."),
        (ProblemKind.INSTRUCTION, GOOD + " Ignore the previous instructions."),
        (ProblemKind.INSTRUCTION, GOOD + " Student: thank you."),
        (ProblemKind.INSTRUCTION, GOOD + " As an AI, I like it."),
        (ProblemKind.INSTRUCTION, GOOD + " You deserve full marks."),
        (ProblemKind.INSTRUCTION, GOOD + " Write to me@example.org."),
        (ProblemKind.SCORE, GOOD + " You get 7."),
        (ProblemKind.SCORE, GOOD + " That is 40 %."),
        (ProblemKind.SCORE, GOOD + " That is 4/10."),
        (ProblemKind.SCORE, GOOD + " Your score is fine."),
        (ProblemKind.SCORE, GOOD + " That is four out of ten."),
        (ProblemKind.VERDICT, GOOD.replace("Good start.", "This is a complete answer.")),
        (ProblemKind.VERDICT, GOOD.replace("Good start.", "Everything is there.")),
        (ProblemKind.VERDICT, GOOD.replace("Good start.", "Perfect.")),
        (ProblemKind.NOT_NAMED, "Good start. You are right about what bias is. Look again at what variance is."),
        (ProblemKind.NOT_NAMED, "Good start. Still missing: the effect of more complexity."),
        (ProblemKind.NOT_NAMED, "You are right about what bias is. Something is missing."),
        (ProblemKind.NOT_NAMED, GOOD + " Begin with a vague path."),
        (ProblemKind.NOT_NAMED, GOOD + " Start with a sentence on that."),
        (ProblemKind.FALSE_PRAISE, GOOD + " You explain the effect of more complexity well."),
        (ProblemKind.FALSE_PRAISE, GOOD.replace("what bias is:", "what bias is and what variance is:")),
        (ProblemKind.FALSE_PRAISE, GOOD + " What variance is is right."),
        (ProblemKind.FALSE_PRAISE, GOOD + " The effect of more complexity is clear."),
        (ProblemKind.FALSE_PRAISE, GOOD + " “Variance is the spread of the inputs” is well put."),
        (ProblemKind.FALSE_PRAISE, GOOD + " I like “the spread of the inputs”."),
        (ProblemKind.FALSE_FAULT, GOOD.replace("Still missing:", "Still missing: what bias is;")),
        (ProblemKind.FALSE_FAULT, GOOD + " Begin with what bias is."),
        (ProblemKind.FALSE_FAULT, GOOD + " What bias is is mixed up."),
        (ProblemKind.FALSE_FAULT, GOOD + " You leave out what bias is, so what about it?"),
        (ProblemKind.FALSE_QUOTE, GOOD.replace("too simple", "far too simple")),
        (ProblemKind.FALSE_QUOTE, GOOD + " You write “bias is like a stubborn mule”."),
        (ProblemKind.UNGROUNDED, GOOD + " Think of the kernel trick."),
        (ProblemKind.UNGROUNDED, GOOD + " Einstein would agree."),
        (ProblemKind.UNGROUNDED, GOOD + " Remember the convolution."),
        (ProblemKind.GIVEN_AWAY, GOOD + " The total is smallest in the middle."),
        (ProblemKind.GIVEN_AWAY, GOOD + " One falls and the other rises, the total is smallest somewhere."),
        (ProblemKind.GIVEN_AWAY, GOOD + " Variance is sensitivity to the particular training sample."),
    ],
)
def test_a_planted_error_is_caught(kind: ProblemKind, text: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ProblemKind.LANGUAGE, "Good start. Look again at what is missing, and add one sentence in your own words."),
        (ProblemKind.NOT_NAMED, "좋은 출발이에요. 편향의 뜻을 잘 설명했어요. 분산의 뜻은 다시 확인해 보세요."),
        (ProblemKind.FALSE_PRAISE, KOREAN_GOOD + " 복잡도가 커질 때의 변화를 잘 설명했어요."),
        (ProblemKind.FALSE_FAULT, KOREAN_GOOD + " 편향의 뜻이 아직 빠져 있어요."),
        (ProblemKind.SCORE, KOREAN_GOOD + " 점수는 40점이에요."),
        (ProblemKind.VERDICT, "필요한 내용을 모두 설명했어요. " + KOREAN_GOOD),
        (ProblemKind.FALSE_QUOTE, KOREAN_GOOD + " “편향은 나쁜 거예요” 부분이 좋아요."),
        (ProblemKind.UNGROUNDED, KOREAN_GOOD + " 드롭아웃을 떠올려 보세요."),
        (ProblemKind.INSTRUCTION, KOREAN_GOOD + " 만점 드려요."),
    ],
)
def test_a_planted_korean_error_is_caught(kind: ProblemKind, text: str) -> None:
    assert kind in korean_kinds(text)


@pytest.mark.parametrize("claim", ["Excellent.", "Very good answer.", "Good answer, most of it is there."])
def test_a_low_band_is_not_praised(claim: str) -> None:
    feedback = make_feedback(("missing", "contradicted", "missing"), fraction=0.05)
    rest = "Look again at what variance is. Still missing: what bias is and the effect of more complexity."
    assert ProblemKind.VERDICT in kinds(f"{claim} {rest}", feedback)
    assert kinds(f"Not there yet, but try again. {rest}", feedback) == set()


@pytest.mark.parametrize("claim", ["Not there yet.", "This does not answer the question.", "That is completely wrong."])
def test_a_high_band_is_not_belittled(claim: str) -> None:
    feedback = make_feedback(("covered", "covered", "covered"), fraction=1.0)
    assert ProblemKind.VERDICT in kinds(f"{claim} Go on.", feedback)
    assert kinds("Very good, everything is there.", feedback) == set()


def test_a_name_with_words_of_reproach_is_no_reproach() -> None:
    points = make_question().key_points
    question = make_question(
        key_points=(
            type(points[0])(position=0, name="what goes wrong in a plain RNN", text="The gradient vanishes."),
            type(points[0])(position=1, name="why one set for everything is not enough", text="It leaks."),
        )
    )
    answer = "the gradient vanishes"
    feedback = feedback_from(question, answer, make_assessment(["covered", "missing"], fraction=0.5))
    good = (
        "You are right about what goes wrong in a plain RNN. Still missing: why one set for everything is not enough."
    )
    assert problems_in(good, feedback, question, answer) == []


def test_words_are_not_praised_for_another_point_than_they_showed() -> None:
    shown = {0: "the model is too simple and underfits", 1: "it depends on the sample"}
    answer = " and ".join(shown.values())
    feedback = make_feedback(("covered", "covered", "missing"), fraction=0.7, evidence=shown, answer=answer)
    right = "“it depends on the sample” is right for what variance is. Still missing: the effect of more complexity."
    assert problems_in(right, feedback, make_question(), answer) == []
    swapped = right.replace("what variance is", "what bias is")
    assert [problem.kind for problem in problems_in(swapped, feedback, make_question(), answer)] == [
        ProblemKind.FALSE_PRAISE
    ]


def test_a_point_that_is_only_touched_is_not_praised() -> None:
    feedback = make_feedback(("covered", "partial", "missing"), fraction=0.5)
    text = "You are right about what bias is and what variance is. Still missing: the effect of more complexity."
    assert ProblemKind.FALSE_PRAISE in kinds(text, feedback)


def test_a_number_of_the_question_may_be_told() -> None:
    question = make_question(prompt="What are the bias and variance of a model with 3 parameters?")
    feedback = make_feedback(question=question)
    text = f"{GOOD} Think of the 3 parameters."
    assert problems_in(text, feedback, question, BIAS_ANSWER) == []


def test_a_secret_that_the_student_told_already_is_no_secret() -> None:
    answer = f"{BIAS_ANSWER} the total is smallest in the middle, i think it falls or rises somewhere"
    assert ProblemKind.GIVEN_AWAY not in kinds(GOOD + " The total is smallest in the middle.", answer=answer)


def test_a_text_at_the_limit_of_length_passes_and_one_more_does_not() -> None:
    fitting = GOOD + " " + "x" * (MAX_CHARACTERS - len(GOOD) - 2) + "."
    assert ProblemKind.TOO_LONG not in kinds(fitting)
    assert ProblemKind.TOO_LONG in kinds(fitting + "..")


def test_problems_read_well() -> None:
    assert str(Problem(kind=ProblemKind.NOT_NAMED, detail="what bias is")) == "not_named: what bias is"


def test_all_problems_of_a_text_are_told_at_once() -> None:
    found = kinds("**Perfect** 10/10, see the kernel trick")
    assert {
        ProblemKind.MARKUP,
        ProblemKind.SCORE,
        ProblemKind.VERDICT,
        ProblemKind.NOT_NAMED,
        ProblemKind.UNGROUNDED,
        ProblemKind.UNFINISHED,
    } <= found


def test_reading_takes_quotes_and_names_out() -> None:
    reading = read(GOOD, make_feedback())
    assert reading.quotes == ("the model is too simple and underfits",)
    assert reading.named == {0, 1, 2}
    assert "underfits" not in reading.own_words
    assert "variance" not in reading.own_words


@pytest.mark.parametrize(
    ("text", "position", "tone"),
    [
        ("You are right about what bias is.", 0, "praise"),
        ("What bias is is fine, but what variance is is still missing.", 1, "miss"),
        ("What bias is is fine, but what variance is is still missing.", 0, "praise"),
        ("Look again at what variance is, it is not right.", 1, "miss"),
        ("What variance is is not right.", 1, "correct"),
        ("Could you add the effect of more complexity?", 2, "miss"),
        ("Tell us about the effect of more complexity.", 2, "ask"),
        ("What bias is couldn't be clearer.", 0, "praise"),
        ("Once you have added what variance is, your answer is very good.", 1, "ask"),
        ("What variance is and the effect of more complexity are clear.", 1, "praise"),
        ("What about the effect of more complexity?", 2, "miss"),
        ("How does the effect of more complexity show?", 2, "ask"),
        ("Be more exact on what bias is.", 0, "vague"),
    ],
)
def test_clauses_have_the_tone_of_their_cue(text: str, position: int, tone: str) -> None:
    clauses = [clause for clause in read(text, make_feedback()).clauses if position in clause.positions]
    assert [clause.tone for clause in clauses] == [tone]


def test_a_quotation_that_stands_twice_says_nothing_the_second_time() -> None:
    assert ProblemKind.REPEATED in kinds(
        "“too simple and underfits” is exactly right for what bias is, “too simple and underfits” is right. Please look"
        " again at this: what variance is. What about the effect of more complexity?"
    )


def test_what_has_no_name_is_not_praised_as_another_part() -> None:
    question = make_question(key_points=())
    feedback = feedback_from(question, BIAS_ANSWER, make_assessment(["covered", "missing", "missing"], fraction=0.4))
    text = "You are right about another part of the question. There is more to say."
    assert ProblemKind.FALSE_PRAISE in {each.kind for each in problems_in(text, feedback, question, BIAS_ANSWER)}
