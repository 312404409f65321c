"""Finding questions in the sample bank."""

from __future__ import annotations

from decimal import Decimal

import pytest

from grading.samples import load_samples
from lti_tool.errors import Unusable
from lti_tool.questions.bank import LANGUAGES, find_samples, list_topics, question_from_sample, sample_from_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_search_all_questions_of_the_language_come_by_topic(language: str) -> None:
    found = find_samples(language)
    assert len(found) == len(load_samples(language)) >= 40
    assert [sample.topic for sample in found] == sorted(sample.topic for sample in found)
    assert {sample.language for sample in found} == {language}


def test_every_word_must_occur_whatever_its_case() -> None:
    found = find_samples("en", text="  GRADIENT Boosting ")
    assert [sample.id for sample in found] == ["gradient-boosting"]
    assert find_samples("en", text="gradient xyzzy") == ()


def test_korean_words_are_found() -> None:
    found = find_samples("ko", text="과적합")
    assert found
    assert all("과적합" in f"{sample.topic} {sample.tags} {sample.prompt}" for sample in found)


def test_a_tag_or_a_topic_narrows_the_list() -> None:
    by_tag = find_samples("en", tag="transformer")
    assert by_tag
    assert all("transformer" in sample.tags for sample in by_tag)
    topic, number = list_topics("en")[0]
    assert len(find_samples("en", tag=topic)) >= number
    assert find_samples("en", tag="no such tag") == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_topics_are_counted(language: str) -> None:
    topics = list_topics(language)
    assert sum(number for _, number in topics) == len(load_samples(language))
    assert topics == sorted(topics)


def test_a_sample_becomes_a_question_with_key_points_and_weights() -> None:
    sample = sample_from_id("overfitting", "en")
    question = question_from_sample(sample, Decimal("2.5"))
    assert (question.prompt, question.max_points, question.sample_id) == (sample.prompt, Decimal("2.5"), "overfitting")
    assert question.model_answers == tuple(sample.model_answers)
    assert [(point.name, point.weight) for point in question.key_points] == [
        (point.name, point.weight) for point in sample.key_points
    ]


@pytest.mark.parametrize(("sample_id", "language"), [("no-such", "en"), ("overfitting", "fr"), ("", "en")])
def test_an_unknown_sample_is_refused(sample_id: str, language: str) -> None:
    with pytest.raises(Unusable) as refusal:
        sample_from_id(sample_id, language)
    assert "Choose from the list" in refusal.value.instructor_text
