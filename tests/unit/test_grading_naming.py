"""Sentences of a model answer get the name of what they are about, in words that the question has."""

from __future__ import annotations

import pytest

from grading.naming import topic_of


@pytest.mark.parametrize(
    ("sentence", "prompt", "name"),
    [
        ("The bias is the error of a model that is too simple.", "What are bias and variance?", "bias"),
        ("Bagging trains its trees side by side.", "How do bagging and boosting differ?", "Bagging"),
        ("Drawbacks: it is slow, and it needs memory.", "Name two benefits and two drawbacks.", "Drawbacks"),
        ("The main advantage of pooling is that the map gets smaller.", "What is the main advantage of pooling?",
         "main advantage of pooling"),
        ("풀링은 특성 맵의 크기를 줄인다.", "풀링과 스트라이드는 무엇인가요?", "풀링"),
        ("GRU 는 게이트가 두 개이고, LSTM 은 세 개이다.", "GRU 와 LSTM 의 게이트는 몇 개인가요?", "GRU, LSTM"),
        ("배깅 (Bagging) 은 트리를 따로 학습한다.", "배깅과 부스팅을 비교하세요.", "배깅"),
        ("학습률을 낮추는 이유는 진동을 막기 위해서이다.", "학습률은 왜 낮추나요?", "이유"),
        ("추론할 때는 드롭아웃을 끈다.", "학습할 때와 추론할 때 드롭아웃은 어떻게 다른가요?", "추론할 때"),
        ("즉, 차이점은 기억의 길이이다.", "둘의 차이는 무엇인가요?", "차이점"),
    ],
)  # fmt: skip
def test_the_topic_in_front_is_the_name(sentence: str, prompt: str, name: str) -> None:
    assert topic_of(sentence, prompt) == name


@pytest.mark.parametrize(
    ("sentence", "prompt"),
    [
        # The topic is the answer.
        ("Softmax is what several exclusive classes need.", "Which function do exclusive classes need?"),
        ("소프트맥스는 클래스가 서로 배타적일 때 쓴다.", "배타적인 클래스에는 어떤 함수를 쓰나요?"),
        # It says nothing.
        ("It reduces the variance.", "Does it reduce the variance?"),
        ("If the rate is high, the loss jumps.", "What if the rate is high?"),
        ("이것은 분산을 줄인다.", "이것은 무엇을 줄이나요?"),
        # An adnominal verb looks like a topic.
        ("분산을 줄이는 앙상블을 쓴다.", "분산을 줄이는 방법은 무엇인가요?"),
        ("있는 그대로 둔다.", "데이터는 어떻게 있나요?"),
        ("", "What?"),
        ("...", "..."),
    ],
)
def test_no_name_is_better_than_one_that_gives_away_or_says_nothing(sentence: str, prompt: str) -> None:
    assert topic_of(sentence, prompt) == ""


@pytest.mark.parametrize(
    ("sentence", "prompt"),
    [
        ("False: it groups points by distance alone.", "True or false: k-means needs labels. Give a reason."),
        ("Yes: given the class they are independent.", "Does naive Bayes assume that features are independent?"),
        ("Recall is more important here.", "Which matters more in screening, precision and recall?"),
        ("Bagging reduces the variance.", "What reduces variance, bagging or boosting?"),
        ("재현율은 더 중요해요.", "암 검사에서는 정밀도와 재현율 가운데 무엇이 더 중요한가요?"),
        ("배깅은 분산을 줄인다.", "분산을 줄이는 것은 배깅인가요, 부스팅인가요?"),
        ("For example: a decision tree.", "Give an example for a model that overfits."),
        ("No: it can be zero.", "Explain what you know on the loss."),
        ("Art is one use.", "How do you start?"),
    ],
)
def test_a_question_that_offers_its_answer_gives_no_names(sentence: str, prompt: str) -> None:
    assert topic_of(sentence, prompt) == ""


def test_how_long_an_answer_shall_be_is_no_alternative() -> None:
    assert topic_of("Bias is an error.", "What is bias? Write one or two sentences.") == "Bias"


def test_names_are_short_and_few() -> None:
    prompt = "Compare a, b, c, d and e. " + " ".join(f"word{n}" for n in range(40))
    assert topic_of(" ".join(f"word{n}" for n in range(40)) + " is long.", prompt) == ""
    korean = "가는 크고, 나는 작고, 다는 길고, 라는 짧다."
    assert topic_of(korean, "가 나 다 라를 비교하세요.") == "가, 나, 다"


def test_a_long_sentence_takes_no_time() -> None:
    sentence = "무엇은 " * 20_000
    assert len(topic_of(sentence, "무엇은 무엇인가요?")) <= 60
    assert topic_of("word " * 50_000, "word") == ""
    assert topic_of("또 " * 50_000, "또") == ""
