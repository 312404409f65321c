"""One question in two languages, for the tests of the guard."""

from __future__ import annotations

from grading.domain import Question

ENGLISH = Question(
    prompt="What does early stopping do, and how do you choose when to stop?",
    model_answers=(
        "Early stopping ends training before the network starts to memorise. You watch the loss on held-out data and"
        " stop when it has not improved for some epochs. Then you go back to the best weights.",
    ),
)
KOREAN = Question(
    prompt="조기 종료는 무엇이고 언제 멈출지는 어떻게 정하나요?",
    model_answers=(
        "조기 종료는 모델이 외우기 시작하기 전에 학습을 끝내는 것이다."
        " 검증 손실이 몇 에폭 동안 나아지지 않으면 멈춘다.",
    ),
    language="ko",
)
