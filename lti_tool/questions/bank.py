"""Find questions in the sample bank and make them questions of a quiz."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from grading.samples import SampleQuestion, get_sample, load_samples
from grading.yaml_files import LANGUAGES
from lti_tool.errors import Unusable
from lti_tool.questions.store import NewKeyPoint, NewQuestion

__all__ = ["LANGUAGES", "find_samples", "list_topics", "question_from_sample", "sample_from_id"]


def find_samples(language: str, *, text: str = "", tag: str = "") -> tuple[SampleQuestion, ...]:
    """Questions of one language whose topic, tags or prompt hold every word of ``text``, by topic.

    ``tag`` keeps only those with this tag or topic.
    """
    words = text.casefold().split()
    found = [
        sample
        for sample in load_samples(language)
        if (not tag or tag in (sample.topic, *sample.tags)) and all(word in _searchable(sample) for word in words)
    ]
    return tuple(sorted(found, key=lambda sample: (sample.topic, sample.id)))


def list_topics(language: str) -> list[tuple[str, int]]:
    """Topics of one language with the number of their questions, in the order of the alphabet."""
    return sorted(Counter(sample.topic for sample in load_samples(language)).items())


def sample_from_id(sample_id: str, language: str) -> SampleQuestion:
    """The sample question with this id; :class:`Unusable` when the bank has none."""
    try:
        return get_sample(sample_id, language)
    except KeyError as error:
        raise Unusable(str(error), instructor_text="That question is not in the bank. Choose from the list.") from error


def question_from_sample(sample: SampleQuestion, max_points: Decimal) -> NewQuestion:
    """A question of a quiz with the sample's model answers and key points."""
    return NewQuestion(
        prompt=sample.prompt,
        max_points=max_points,
        model_answers=tuple(sample.model_answers),
        key_points=tuple(
            NewKeyPoint(name=point.name, text=point.text, weight=Decimal(point.weight)) for point in sample.key_points
        ),
        sample_id=sample.id,
    )


def _searchable(sample: SampleQuestion) -> str:
    return " ".join((sample.topic, *sample.tags, sample.id, sample.prompt)).casefold()
