from __future__ import annotations

import pytest

from grading.polarity import (
    antonym_agreements,
    antonym_clashes,
    directions,
    may_refer,
    negation_mismatch,
    negations,
    number_clash,
    swap_share,
    with_opposite_directions,
)
from grading.text import terms


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It does not help", 1),
        ("It doesn’t help and never will", 2),
        ("It helps", 0),
        ("A notable note", 0),
        ("과적합이 아니다", 1),
        ("줄지 않는다", 1),
        ("안 배운 것", 1),
        ("안정적이다", 0),
    ],
)
def test_negations_are_counted(text: str, count: int) -> None:
    assert negations(text) == count


@pytest.mark.parametrize(
    ("sentence", "may"),
    [
        ("No.", True),
        ("That is wrong.", True),
        ("My neighbour says the opposite of all this.", True),
        ("Nobody I asked would not agree with that.", True),
        ("제 친구는 그게 틀렸다고 하더라고요.", True),
        ("It is an interesting subject to think about.", False),
        ("지난 십 년 동안 많이 발전한 분야입니다.", False),
    ],
)
def test_a_sentence_that_denies_or_judges_may_speak_of_the_one_before(sentence: str, may: bool) -> None:
    assert may_refer(sentence) is may


def test_one_negation_more_is_a_mismatch_and_two_are_none() -> None:
    assert negation_mismatch("Bagging reduces variance", "Bagging does not reduce variance") == 1
    assert negation_mismatch("Bagging reduces variance", "It is not true that bagging doesn't reduce variance") == 0


@pytest.mark.parametrize(
    ("point", "window"),
    [
        ("Variance increases with complexity", "variance decreases with complexity"),
        ("High bias means underfitting", "high bias means overfitting"),
        ("편향이 커진다", "편향이 작아진다"),
        ("비지도 학습이다", "지도 학습이다"),
    ],
)
def test_the_opposite_word_is_a_clash(point: str, window: str) -> None:
    assert antonym_clashes(point, window) >= 1
    assert antonym_clashes(point, point) == 0


def test_a_window_with_both_sides_is_no_clash() -> None:
    assert antonym_clashes("Bias decreases", "bias decreases and variance increases") == 0
    assert antonym_agreements("Bias decreases", "bias gets smaller") == 1
    assert directions("nothing of the kind") == set()


def test_swapped_pairs_are_seen_by_their_neighbours() -> None:
    anchors = terms("What are precision and recall?")
    point = "Precision is the share of predicted positives, recall the share of found ones."
    right = "precision: share of predicted positives; recall: share of the found ones"
    swapped = "recall is the share of predicted positives, precision the share of found ones"
    assert swap_share(point, right, anchors) == 0
    assert swap_share(point, swapped, anchors) > 0.3
    assert swap_share("no anchor here", swapped, anchors) == 0


def test_other_numbers_clash_and_missing_numbers_do_not() -> None:
    assert number_clash("between 0 and 1", "between -5 and 7") == 1
    assert number_clash("between 0 and 1", "from 0 on") == 0
    assert number_clash("between 0 and 1", "in the unit interval") == 0


def test_opposites_are_put_in_place() -> None:
    assert with_opposite_directions("Bias increases and is high") == "Bias decreases and is low"
    assert with_opposite_directions("편향이 증가한다") == "편향이 감소한다"
    assert with_opposite_directions("A token is a piece of text") == "A token is a piece of text"
