"""Statements that are kept word for word and denied as a whole."""

from __future__ import annotations

import pytest

from finetune import made_up_forms
from finetune.behaviour import opposites
from finetune.behaviour.material import load_material
from grading.denials import denied_statement

DENIED = [
    ("It is not true that dropout is used when predicting.", "dropout is used when predicting."),
    ("Contrary to what you hear, it is false that bagging lowers the bias.", "bagging lowers the bias."),
    ("It's simply wrong to say that more data always helps", "more data always helps"),
    ("It’s not really correct that PCA needs labels.", "PCA needs labels."),
    ("I don't think that ridge sets weights to zero.", "ridge sets weights to zero."),
    ("We cannot say that a larger k overfits.", "a larger k overfits."),
    ("That momentum speeds up training is a myth.", "momentum speeds up training"),
    ("The claim that trees need scaling is not true!", "trees need scaling"),
    ("드롭아웃은 예측할 때 쓴다는 것은 사실이 아니다.", "드롭아웃은 예측할 때 쓴다"),
    ("배깅은 편향을 줄인다는 말은 틀렸다.", "배깅은 편향을 줄인다"),
    ("'편향의 감소'라는 설명은 잘못된 것이다.", "편향의 감소"),
    ("학습률이 클수록 좋다고 생각하기 쉽지만 실제로는 그렇지 않다.", "학습률이 클수록 좋다"),
    ("릿지는 가중치를 0으로 만든다라고 볼 수는 없다.", "릿지는 가중치를 0으로 만든다"),
]
KEPT = [
    "Dropout is not used when predicting.",
    "It is true that dropout is used in training.",
    "The test error is wrong when the test set was seen.",
    "The model is wrong about that image.",
    "A false positive is a case that is wrongly called positive.",
    "I think that this does not overfit.",
    "It is not clear whether more layers help.",
    "정답이 틀린 경우에 손실이 커진다.",
    "드롭아웃은 예측할 때 쓰지 않는다.",
    "모델이 틀렸다는 것을 손실이 말해 준다.",
    "",
]


@pytest.mark.parametrize(("sentence", "said"), DENIED)
def test_what_is_denied_as_a_whole_is_found(sentence: str, said: str) -> None:
    assert denied_statement(sentence) == said


@pytest.mark.parametrize("sentence", KEPT)
def test_a_sentence_that_denies_a_part_or_nothing_is_left(sentence: str) -> None:
    assert denied_statement(sentence) is None


@pytest.mark.parametrize("denied", [made_up_forms.denied, opposites.denied])
def test_all_denials_of_training_and_of_the_suite_are_found(denied: object) -> None:
    assert callable(denied)
    for material in load_material():
        for number, point in enumerate(material.points):
            said = denied_statement(denied(point, material.language, number))
            assert said is not None
            assert said.rstrip(".").lower() == point.rstrip(".").lower()


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    ["it is not true " * 20_000 + "that", "가" * 200_000 + "고 하는", "고 하는 것은 " * 40_000, "that x is " * 30_000],
)
def test_what_looks_like_a_denial_without_end_takes_no_time(text: str) -> None:
    assert denied_statement(text) is None
