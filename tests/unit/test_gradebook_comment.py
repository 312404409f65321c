"""The gradebook's comment: plain, whole, bounded; and points that are neither lost nor invented on the way."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.gradebook.comment import MAX_COMMENT_CHARACTERS, comment_text, shown
from lti_tool.gradebook.comment_store import CommentFacts, ExplanationLine
from lti_tool.gradebook.delivery import wait_before_next
from lti_tool.submissions.tasks import points_from


def line(
    position: int = 0, points: str = "1.5", explanation: str | None = "Good.", source: str | None = "MODEL"
) -> ExplanationLine:
    return ExplanationLine(
        position=position,
        points=Decimal(points),
        max_points=Decimal(2),
        explanation=explanation,
        grade_source=source if explanation is not None else None,
    )


def comment(*lines: ExplanationLine, **facts: object) -> str:
    values: dict[str, object] = {"language": "en", "lines": list(lines or (line(),))}
    return comment_text(CommentFacts(**values | facts))  # pyright: ignore[reportArgumentType]


def test_each_question_has_its_paragraph_and_the_machine_is_named() -> None:
    text = comment(line(), line(position=1, points="0", explanation=None))
    assert text.splitlines()[0] == "1. (1.5/2) Good."
    assert "2. (0/2) Not answered." in text
    assert "machine" in text


def test_a_score_that_comes_back_says_so_and_which_one_it_is() -> None:
    assert comment(number=2, again="RETURNS", version=3).startswith("Attempt 2. This counts again (score no. 3).")
    assert comment(again="RETURNS", version=3) != comment(again="RETURNS", version=5)
    assert comment(language="ko", again="RETURNS", version=3).startswith("이 점수가 다시 반영돼요 (점수 3번).")


def test_a_score_of_which_only_the_text_is_new_does_not_say_that_it_counts_again() -> None:
    text = comment(again="TEXT", version=3)
    assert text.startswith("The score is the same as before, what is said about it is new (score no. 3).")
    assert text != comment(again="TEXT", version=5)
    assert comment(language="ko", again="TEXT", version=3).startswith(
        "점수는 전과 같고 설명이 새로워졌어요 (점수 3번)."
    )


@pytest.mark.parametrize(
    ("language", "says"), [("en", "The explanation is in the quiz."), ("ko", "설명은 퀴즈에서 볼 수 있어요.")]
)
def test_a_text_for_its_student_alone_stays_out_of_the_comment(language: str, says: str) -> None:
    private = replace(line(explanation="It sounds hard."), is_private=True)
    text = comment(private, line(position=1), language=language)
    assert f"1. (1.5/2) {says}" in text
    assert "2. (1.5/2) Good." in text
    assert "hard" not in text
    held = comment(private, language=language, hides_explanations="AFTER_APPROVAL")
    assert says not in held
    assert "hard" not in held


def test_a_korean_quiz_has_a_korean_comment() -> None:
    text = comment(
        line(explanation=None),
        language="ko",
        number=2,
        deducted_percent=Decimal(10),
        hides_explanations="AFTER_APPROVAL",
    )
    assert "답하지 않았어요" in text
    assert not re.search("[A-Za-z]", text)


def test_another_language_falls_back_to_english() -> None:
    assert "Not answered." in comment(line(explanation=None), language="fr")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("hides", [None, "AFTER_DUE", "AFTER_APPROVAL"])
@pytest.mark.parametrize("count", [1, 3, 20, 300, 2000])
def test_a_long_comment_is_cut_where_each_question_still_has_its_share(
    count: int, hides: str | None, language: str
) -> None:
    lines = [
        line(position=number, explanation="word " * 2000, source=("MODEL", "INSTRUCTOR")[number % 2])
        for number in range(count)
    ]
    text = comment(
        *lines,
        language=language,
        number=12,
        averaged_attempts=11,
        deducted_percent=Decimal("12.5"),
        hides_explanations=hides,
        due_at=datetime(2026, 11, 30, tzinfo=UTC),
    )
    assert len(text) <= MAX_COMMENT_CHARACTERS
    assert count > 20 or f"{count}. (1.5/2" in text
    assert text.endswith("last word." if language == "en" else "최종 판단은 선생님이 해요.")


def test_attempts_of_equal_score_have_different_comments() -> None:
    assert comment().startswith("1. (1.5/2) Good.")
    assert comment(number=2).startswith("Attempt 2.\n\n1. (1.5/2) Good.")
    assert comment(number=3, averaged_attempts=3).startswith(
        "Average of 3 attempts. This is about the last one, attempt 3.\n\n1."
    )
    assert comment(number=3, averaged_attempts=2) != comment(number=3, averaged_attempts=3)


def test_what_lateness_cost_is_told() -> None:
    assert comment(deducted_percent=Decimal("10.00")).startswith("Handed in late: 10 % taken off.\n\n")
    assert comment(number=2, deducted_percent=Decimal("12.5")).startswith(
        "Attempt 2. Handed in late: 12.5 % taken off.\n\n"
    )
    assert "up to 20 % taken off" in comment(number=2, averaged_attempts=2, deducted_percent=Decimal(20))


def test_what_an_instructor_scored_is_not_said_to_be_by_a_machine() -> None:
    text = comment(line(source="INSTRUCTOR"), line(position=1, explanation=None))
    assert text.endswith("Scored by your instructor.")
    assert "machine" not in text
    mixed = comment(line(), line(position=1, explanation="Well done.", source="INSTRUCTOR"))
    assert "1. (1.5/2) Good." in mixed
    assert "2. (1.5/2, scored by your instructor) Well done." in mixed
    assert "Where it does not say otherwise, scored by a machine" in mixed


def test_hidden_explanations_are_left_out_with_where_they_will_be() -> None:
    lines = (line(), line(position=1), line(position=2, explanation=None))
    due = datetime(2026, 11, 30, 13, 5, tzinfo=timezone(timedelta(hours=9)))
    after_due = comment(*lines, hides_explanations="AFTER_DUE", due_at=due)
    assert after_due.startswith("1. (1.5/2)\n2. (1.5/2)\n3. (1.5/2) Not answered.\n\n")
    assert "The explanations are in the quiz after 2026-11-30 04:05 UTC." in after_due
    released = comment(*lines, hides_explanations="AFTER_APPROVAL")
    assert "when your instructor has released them." in released
    assert "Good." not in after_due + released


@pytest.mark.parametrize(
    ("points", "expected"),
    [("0", "0"), ("2", "2"), ("10", "10"), ("1.5000", "1.5"), ("0.6667", "0.67"), ("100", "100")],
)
def test_points_are_shown_with_two_decimals_at_most(points: str, expected: str) -> None:
    assert shown(Decimal(points)) == expected


@pytest.mark.parametrize(
    ("fraction", "maximum", "expected"),
    [(0.0, "2", "0"), (1.0, "2", "2"), (1 / 3, "1", "0.3333"), (2 / 3, "1", "0.6667"), (0.5, "0.5", "0.25")],
)
def test_points_are_the_fraction_of_the_maximum(fraction: float, maximum: str, expected: str) -> None:
    assert points_from(fraction, Decimal(maximum)) == Decimal(expected)


@given(st.floats(0, 1), st.decimals("0.01", "100", places=2))
def test_points_stay_between_zero_and_the_maximum(fraction: float, maximum: Decimal) -> None:
    points = points_from(fraction, maximum)
    assert 0 <= points <= maximum
    assert abs(points - Decimal(fraction) * maximum) <= Decimal("0.0001")


def test_the_wait_doubles_and_ends_at_six_hours() -> None:
    for tries in range(1, 40):
        expected = min(5 * 2 ** (tries - 1), 6 * 3600)
        assert 0.75 * expected <= wait_before_next(tries) <= 1.25 * expected


def test_the_platform_may_ask_for_a_longer_wait_and_not_for_a_shorter_one() -> None:
    assert wait_before_next(1, retry_after_seconds=500) == 500
    assert wait_before_next(5, retry_after_seconds=1) >= 0.75 * 80
