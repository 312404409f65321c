"""What the head sees of an answer: the reader's verdicts in sum, and signs that are counted in the words.

None of them grows with the answer's length. The reader sees tokens in their context; the counted signs see exact
words, numbers and directions, and how much of the answer the question and the model answer already had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grading.domain import Question
from grading.keypoints import key_points_of, references_of
from grading.nearness import KNOWN_BELOW, Near
from grading.polarity import antonym_agreements, antonym_clashes, negation_mismatch, number_clash, swap_share
from grading.registers import in_plain_register
from grading.text import clean, ngrams, sentences, terms

SIGNS = (
    "reference_said",  # logit: the answer says what the model answer says; of several the best
    "points_said",  # logit of the weighted mean over the key points
    "least_said",  # logit of the point that is said least
    "points_contradicted",  # logit of the weighted mean
    "most_contradicted",
    "reference_contradicted",
    "has_key_points",  # 0 where sentences of the model answer stand in for them
    "points",  # how many
    "recall_ngrams",  # of the model answer's character trigrams, those of the question left out
    "precision_ngrams",
    "recall_terms",
    "new_terms",  # share of the answer's terms that neither question nor model answer has
    "order",  # of the answer's neighbouring words that the model answer has too: the share that are neighbours there
    "negations",  # mean over the model answer's sentences, each against the answer's nearest in words
    "antonyms",
    "antonyms_agree",
    "numbers",
    "swaps",
    "is_korean",
    "near_asked",  # grading.nearness; 1 where the words are known
    "near_point",
    "near_ahead",
)
_LEAST = 1e-4
_SURE = 4.0
"""The logit of what stands in the answer word for word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLogits:
    """What the reader found: logits ``said`` and ``contradicted`` of each key point and of each model answer."""

    point_said: NDArray[np.float64]
    point_contradicted: NDArray[np.float64]
    reference_said: NDArray[np.float64]
    reference_contradicted: NDArray[np.float64]

    def with_denied(self, denied: ReadLogits, rest: ReadLogits | None) -> ReadLogits:
        """Of an answer of which ``denied`` is kept word for word and denied as a whole, ``rest`` is all else of it."""
        points, references = denied.point_said > 0, denied.reference_said > 0
        if not (points.any() or references.any()):
            return self  # a misconception was denied, as it should be
        point_rest = -_SURE if rest is None else rest.point_said
        reference_rest = -_SURE if rest is None else rest.reference_said
        return ReadLogits(
            point_said=np.where(points, np.minimum(self.point_said, point_rest), self.point_said),
            point_contradicted=np.where(
                points, np.maximum(self.point_contradicted, denied.point_said), self.point_contradicted
            ),
            # What denies a key point does not say the model answer, whatever else is right in it.
            reference_said=np.minimum(self.reference_said, reference_rest),
            reference_contradicted=np.where(
                references, np.maximum(self.reference_contradicted, denied.reference_said), self.reference_contradicted
            ),
        )

    def with_swapped(self, points: NDArray[np.bool_]) -> ReadLogits:
        """Of an answer that tells facts the wrong way round: what these points say is contradicted, and not said."""
        return ReadLogits(
            point_said=np.where(points, np.minimum(self.point_said, -_SURE), self.point_said),
            point_contradicted=np.where(points, np.maximum(self.point_contradicted, _SURE), self.point_contradicted),
            reference_said=np.minimum(self.reference_said, -_SURE),
            reference_contradicted=np.maximum(self.reference_contradicted, _SURE),
        )


class CountedSigns:
    """The words of a question that an answer's are counted against; built once a question."""

    def __init__(self, question: Question) -> None:
        """Raises :class:`grading.errors.QuestionUnusable` as :func:`key_points_of` does."""
        self._weights = np.array([point.weight for point in key_points_of(question)], float)
        self._has_key_points = bool(question.key_points)
        self._is_korean = question.language == "ko"
        self._prompt_terms = set(terms(question.prompt))
        prompt_ngrams = ngrams(question.prompt)
        references = references_of(question)
        given = [point.text for point in question.key_points]
        everything = " ".join((*references, *given))
        self._all_ngrams = ngrams(everything)
        self._known_terms = self._prompt_terms | set(terms(everything))
        self._known_pairs = set().union(*(pairwise(terms(text)) for text in (*references, *given, question.prompt)))
        self._point_sentences = [_plain_sentences(sentences(clean(point.text))) for point in key_points_of(question)]
        self._reference_sentences = [_plain_sentences(sentences(text)) for text in references]
        self._asked_sentences = frozenset[str]().union(*self._point_sentences, *self._reference_sentences)
        self._references = [
            _Reference(
                ngrams=ngrams(text) - prompt_ngrams,
                terms=frozenset(terms(text)) - self._prompt_terms,
                sentences=tuple((part, frozenset(terms(part))) for part in sentences(text) or [text]),
            )
            for text in references
        ]

    def row(self, answer: str, logits: ReadLogits, near: Near) -> NDArray[np.float64]:
        """``[len(SIGNS)]`` for one answer."""
        said, contradicted = sigmoid(logits.point_said), sigmoid(logits.point_contradicted)
        best = int(logits.reference_said.argmax())
        read = (
            logits.reference_said[best],
            _logit(float(np.average(said, weights=self._weights))),
            _logit(float(said.min())),
            _logit(float(np.average(contradicted, weights=self._weights))),
            _logit(float(contradicted.max())),
            logits.reference_contradicted[best],
            float(self._has_key_points),
            float(len(self._weights)),
        )
        return np.array([*read, *self._counted(answer), float(self._is_korean), near.asked, near.point, near.ahead])

    def with_exact(self, said: Sequence[str], logits: ReadLogits) -> ReadLogits:
        """The logits, but sure of what stands in the answer word for word; ``said`` are the answer's sentences.

        Only for an answer that is made of nothing but key points and sentences of model answers: with anything beside
        them it may be quoting what it denies.
        """
        found = self._word_for_word(said)
        if found is None:
            return logits
        points, references = found
        return ReadLogits(
            point_said=np.where(points, np.maximum(logits.point_said, _SURE), logits.point_said),
            point_contradicted=np.where(points, -_SURE, logits.point_contradicted),
            reference_said=np.where(references, np.maximum(logits.reference_said, _SURE), logits.reference_said),
            reference_contradicted=np.where(references, -_SURE, logits.reference_contradicted),
        )

    def are_everything(self, said: Sequence[str]) -> bool:
        """Whether these sentences are all key points, or a whole model answer, word for word, and nothing else."""
        found = self._word_for_word(said)
        if found is None:
            return False
        points, references = found
        return (self._has_key_points and all(points)) or any(references)

    def is_in_other_words(self, answer: str) -> bool:
        """Whether few of the answer's terms are in question, model answers or key points too."""
        own = set(terms(answer))
        return _share(own & self._known_terms, own) < KNOWN_BELOW

    def _word_for_word(self, said: Sequence[str]) -> tuple[list[bool], list[bool]] | None:
        """Which key points and which model answers are among these sentences; ``None`` if anything else is, or none."""
        own = _plain_sentences(said)
        if not own or not own <= self._asked_sentences:
            return None
        points = [bool(needed) and needed <= own for needed in self._point_sentences]
        references = [bool(needed) and needed <= own for needed in self._reference_sentences]
        return points, references

    def _counted(self, answer: str) -> tuple[float, ...]:
        """Against the model answer that has most of its trigrams in the answer."""
        own_ngrams, own_terms = ngrams(answer), set(terms(answer))
        parts = [(part, set(terms(part))) for part in sentences(answer) or [answer]]
        reference = max(self._references, key=lambda each: _share(each.ngrams & own_ngrams, each.ngrams))
        pairs = [
            (text, max(parts, key=lambda part: len(part[1] & its_terms))[0]) for text, its_terms in reference.sentences
        ]

        return (
            _share(reference.ngrams & own_ngrams, reference.ngrams),
            _share(own_ngrams & self._all_ngrams, own_ngrams),
            _share(reference.terms & own_terms, reference.terms),
            _share(own_terms - self._known_terms, own_terms),
            self._order(terms(answer)),
            float(np.mean([negation_mismatch(*pair) for pair in pairs])),
            float(np.mean([antonym_clashes(*pair) for pair in pairs])),
            float(np.mean([antonym_agreements(*pair) for pair in pairs])),
            float(np.mean([number_clash(*pair) for pair in pairs])),
            float(np.mean([swap_share(*pair, self._prompt_terms) for pair in pairs])),
        )

    def _order(self, own: Sequence[str]) -> float:
        """Words in a row are a student's own or the model answer's; a salad has the words without their order."""
        known = [pair for pair in pairwise(own) if pair[0] in self._known_terms and pair[1] in self._known_terms]
        return sum(pair in self._known_pairs for pair in known) / len(known) if known else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    ngrams: set[str]
    terms: frozenset[str]
    sentences: tuple[tuple[str, frozenset[str]], ...]


def _plain_sentences(texts: Sequence[str]) -> frozenset[str]:
    """Sentences without capitals, register and the marks at their ends; signs inside stay: x > 0 is not x < 0."""
    plain = (" ".join(text.casefold().split()).strip(".,;:!? ") for text in texts)
    return frozenset(in_plain_register(text) for text in plain if text)


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities."""
    return 1 / (1 + np.exp(-np.asarray(logits, float)))


def _logit(probability: float) -> float:
    bounded = min(max(probability, _LEAST), 1 - _LEAST)
    return float(np.log(bounded / (1 - bounded)))


def _share(part: Sequence[str] | set[str] | frozenset[str], whole: Sequence[str] | set[str] | frozenset[str]) -> float:
    return len(part) / len(whole) if whole else 0.0
