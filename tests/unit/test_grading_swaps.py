"""Facts told the wrong way round: of two things each what belongs to the other."""

from __future__ import annotations

import time
from functools import cache

import pytest

from finetune.behaviour.cases import load_cases
from grading.samples import load_samples
from grading.statements import fact_terms
from grading.swaps import Facts, find_swap
from grading.text import clean
from tests.unit.right_answers import RIGHT_ANSWERS

AXES = ("Which axes has the chart?", "Draw latency on x, throughput on y.")
AXES_KO = ("축은 무엇인가?", "이 그래프는 x축을 지연, y축을 처리량으로 하여 그린다.")
SIGNS_KO = ("부호는?", "방향이 같으면 +1.0, 방향이 반대이면 -1.0 이다.")
CACHES = (
    "What are eager and lazy caching?",
    "Eager caching sends each change to the disk at once. Lazy caching keeps a change in memory and saves it later.",
)
CACHES_KO = (
    "즉시 쓰기와 나중 쓰기는 무엇인가?",
    "즉시 쓰기는 변경된 내용을 곧바로 디스크에 저장한다. 나중 쓰기는 변경된 내용을 메모리에 모았다가 한꺼번에 옮긴다.",
)
RATES_KO = (
    "Recall (재현율) 과 Precision (정밀도) 은?",
    "재현율은 실제 양성 가운데 찾아낸 비율이고, 정밀도는 양성으로 예측한 것 가운데 맞은 비율이다.",
)

facts_of = cache(Facts)

SWAPPED = [
    (AXES, "Draw throughput on x, latency on y."),
    (AXES_KO, "x축이 처리량, y축이 지연인 그래프이다."),
    (SIGNS_KO, "같으면 -1, 반대이면 +1 이 된다."),
    (CACHES, "Lazy caching sends each change to the disk at once. Eager caching keeps a change in memory."),
    (CACHES_KO, "나중 쓰기는 변경된 내용을 곧바로 디스크에 저장하고, 즉시 쓰기는 메모리에 모았다가 한꺼번에 옮긴다."),
    # The same things by their names in another script.
    (RATES_KO, "Precision 은 실제 양성 가운데 찾아낸 비율이고, Recall 은 양성으로 예측한 것 가운데 맞은 비율이다."),
]
RIGHT = [
    (AXES, AXES[1]),
    (AXES, "Throughput on y, latency on x."),
    (AXES_KO, "y축이 처리량, x축이 지연인 그래프이다."),
    (SIGNS_KO, "반대이면 -1, 같으면 +1 이 된다."),
    (CACHES, "Lazy caching keeps a change in memory and saves it later. Eager caching sends it to the disk at once."),
    # What is meant comes first and its name after it.
    (CACHES, "Sending each change to the disk at once is eager caching, keeping it in memory is lazy caching."),
    (CACHES, "Eager caching does not keep a change in memory. Lazy caching does not send it to the disk at once."),
    (CACHES_KO, "메모리에 모았다가 한꺼번에 옮기는 것이 나중 쓰기이고, 곧바로 디스크에 저장하는 것이 즉시 쓰기이다."),
    (RATES_KO, "Recall 은 실제 양성 가운데 찾아낸 비율이고, Precision 은 양성으로 예측한 것 가운데 맞은 비율이다."),
    # Words that change places within a clause may say the same.
    (
        ("LoRA?", "행렬을 낮은 차원으로 분해한 2개의 행렬을 학습한다."),
        "행렬을 낮은 차원의 행렬 2개로 분해해서 학습한다.",
    ),
    (CACHES, ""),
    (CACHES, "I do not know."),
]


@pytest.mark.parametrize(("question", "answer"), SWAPPED)
def test_a_swap_is_found(question: tuple[str, str], answer: str) -> None:
    assert Facts(*question).swap_in(clean(answer)) is not None


@pytest.mark.parametrize(("question", "answer"), RIGHT)
def test_what_is_in_its_place_in_other_words_or_order_is_no_swap(question: tuple[str, str], answer: str) -> None:
    assert Facts(*question).swap_in(clean(answer)) is None


@pytest.mark.parametrize(
    ("prompt", "model_answer", "answer"),
    [(prompt, model, answer) for prompt, model, answers in RIGHT_ANSWERS for answer in answers],
)
def test_an_answer_that_denies_contrasts_or_turns_round_is_no_swap(prompt: str, model_answer: str, answer: str) -> None:
    assert Facts(prompt, model_answer).swap_in(clean(answer)) is None


def test_what_another_model_answer_says_is_no_swap() -> None:
    one, other = "Draw latency on x, throughput on y.", "Draw throughput on x, latency on y."
    facts = [Facts(AXES[0], text) for text in (one, other)]
    assert find_swap(facts, "It draws throughput on x, latency on y.") is None
    assert find_swap(facts[:1], "It draws throughput on x, latency on y.") is not None
    caches = [Facts(*CACHES), Facts(CACHES[0], SWAPPED[3][1])]
    assert find_swap(caches, SWAPPED[3][1]) is None


def test_a_swap_concerns_the_statements_that_say_what_was_swapped() -> None:
    swap = Facts(*CACHES).swap_in(SWAPPED[3][1])
    assert swap is not None
    assert swap.concerns("Eager caching sends each change to the disk.")
    assert swap.concerns("Lazy caching keeps a change in memory.")
    assert not swap.concerns("Both are ways to fill a store.")
    assert not swap.concerns("Eager and lazy are words.")


def test_terms_keep_the_signs_of_numbers_and_lose_particles() -> None:
    assert fact_terms("값은 -1.0 이고 x축이 +2, L1은 3개의 recall일 때") == [
        *("값은", "-1", "이고", "x", "2", "l1", "3", "recall"),
    ]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_answer_of_the_sample_bank_that_earns_anything_is_held_for_a_swap(language: str) -> None:
    held = [
        (sample.id, answer.kind, answer.text)
        for sample in load_samples(language)
        for answer in sample.answers
        if answer.score > 0
        and any(facts_of(sample.prompt, text).swap_in(clean(answer.text)) for text in sample.model_answers)
    ]
    assert held == []


def test_swaps_of_the_behaviour_suite_are_found_and_nothing_that_is_to_stay() -> None:
    found = [
        case
        for case in load_cases()
        if any(
            facts_of(case.question.prompt, text).swap_in(clean(case.texts[0])) for text in case.question.model_answers
        )
    ]
    # Every one of them is to fall, or to stay low.
    assert {case.id for case in found if case.expected.at_least > 0 or case.expected.moves is not None} == set()
    swapped = [case for case in load_cases() if case.name == "roles swapped"]
    assert len([case for case in found if case.name == "roles swapped"]) >= 0.35 * len(swapped)


def test_the_largest_paste_is_read_in_a_moment() -> None:
    facts = Facts(*CACHES)
    pasted = clean(SWAPPED[3][1] + " " + "eager lazy change disk memory later " * 2_500)
    began = time.process_time()
    facts.swap_in(pasted)
    assert time.process_time() - began < 2
