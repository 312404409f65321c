"""The gradebook's comment: plain, whole, bounded; and points that are neither lost nor invented on the way."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.gradebook.comment import MAX_COMMENT_CHARACTERS, comment_text, shown
from lti_tool.gradebook.delivery import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, wait_before_next
from lti_tool.gradebook.outbox import ExplanationLine
from lti_tool.submissions.tasks import points_from


def line(
    position: int = 0, points: str = "1.5", explanation: str | None = "Good.", language: str = "en"
) -> ExplanationLine:
    return ExplanationLine(
        language=language, position=position, points=Decimal(points), max_points=Decimal(2), explanation=explanation
    )


def test_each_question_has_its_paragraph_and_the_machine_is_named() -> None:
    text = comment_text([line(), line(position=1, points="0", explanation=None)], "en")
    assert text.splitlines()[0] == "1. (1.5/2) Good."
    assert "2. (0/2) Not answered." in text
    assert "machine" in text


def test_a_korean_quiz_has_a_korean_comment() -> None:
    assert "답하지 않았어요" in comment_text([line(explanation=None, language="ko")], "ko")


def test_another_language_falls_back_to_english() -> None:
    assert "Not answered." in comment_text([line(explanation=None, language="fr")], "fr")


@pytest.mark.parametrize("count", [1, 3, 20])
def test_a_long_comment_is_cut_where_each_question_still_has_its_share(count: int) -> None:
    text = comment_text([line(position=number, explanation="word " * 2000) for number in range(count)], "en")
    assert len(text) <= MAX_COMMENT_CHARACTERS
    assert f"{count}. (1.5/2)" in text
    assert text.endswith("last word.")


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
        expected = min(FIRST_WAIT_SECONDS * 2 ** (tries - 1), LONGEST_WAIT_SECONDS)
        assert 0.75 * expected <= wait_before_next(tries) <= 1.25 * expected


def test_the_platform_may_ask_for_a_longer_wait_and_not_for_a_shorter_one() -> None:
    assert wait_before_next(1, retry_after_seconds=500) == 500
    assert wait_before_next(5, retry_after_seconds=1) >= 0.75 * 80
