"""What the head sees of an answer: one row of numbers for each key point.

None of them grows with the answer's length as such. Cosines are rescaled by the encoder's own floor (the mean cosine
of unrelated sentences, 0.76 for e5, near 0 for others), so that 0 means unrelated and 1 identical for every encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.domain import KeyPoint, Question
from grading.encoder import Encoder
from grading.guard import GuardedAnswer
from grading.keypoints import Alignment, align, key_points_of, references_of, windows_of
from grading.polarity import antonym_agreements, antonym_clashes, negation_mismatch, number_clash, swap_share
from grading.text import Part, clean, language_of, ngrams, sentences, terms

_SHARED_SIGNS = ("best", "recall_new", "recall_ngrams", "antonyms", "negation", "new_share", "margin")
"""Also looked at across the points: an answer that fits all of them a little says more than one that fits one."""

FEATURES = (
    "best",  # cosine of the point and the nearest window
    "best_shortened",  # the same among sentences alone
    "whole",  # of the point and the whole answer
    "lift",  # best above the cosine of point and question
    "margin",  # how much nearer the window is to this point than to any other
    "window_to_reference",  # of the nearest window and any sentence of a model answer
    "answer_to_reference",  # of the whole answer and a model answer
    "answer_to_question",
    "precision_mean",  # over the answer's sentences: nearest sentence of a model answer or key point
    "precision_min",
    "recall_window",  # share of the point's own terms in the nearest window
    "recall_answer",  # ... in the answer
    "recall_new",  # ... of those that the question does not give away
    "recall_ngrams",  # the same with character trigrams
    "new_share",  # share of the window's terms that neither reference nor question have
    "answer_new_share",
    "negation",
    "antonyms",
    "antonyms_agree",
    "swap",
    "numbers",
    "answer_antonyms",  # mean over the answer's sentences, each against the reference sentence nearest to it
    "answer_negations",
    "other_language",
    "points",  # how many key points the question has
    *(f"others_{name}" for name in _SHARED_SIGNS),  # mean over the question's other points
    *(f"least_{name}" for name in _SHARED_SIGNS),  # minimum over all of its points
)
_OWN_FEATURES = FEATURES[: -2 * len(_SHARED_SIGNS)]
LEXICAL_FEATURES = tuple(
    name
    for name in FEATURES
    if name.removeprefix("others_")
    .removeprefix("least_")
    .startswith(("recall", "new_", "answer_new", "negation", "antonyms", "swap", "numbers"))
)
"""Those that no encoder takes part in, save for the choice of the window."""

_FILLER_BELOW = {"en": 0.27, "ko": 0.4}
"""Rescaled cosine to the nearest reference sentence; Korean sentences lie closer to each other in e5."""

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFeatures:
    """``rows`` ``[points, len(FEATURES)]``; ``pairs`` the vectors of point and nearest window ``[2, points, d]``."""

    rows: Rows
    alignment: Alignment
    pairs: NDArray[np.float32]

    def is_off_topic(self, threshold: float) -> bool:
        """Whether the answer is no nearer to question and model answer than ``threshold`` (0 unrelated, 1 equal)."""
        nearness = [self.rows[0, FEATURES.index(name)] for name in ("answer_to_reference", "answer_to_question")]
        return max(nearness) < threshold


class QuestionFeatures:
    """What of a question is compared with answers; built once for a batch of answers to it."""

    def __init__(self, question: Question, encoder: Encoder) -> None:
        """Encode prompt, key points and model answers; raises :class:`grading.errors.QuestionUnusable`."""
        self.points: tuple[KeyPoint, ...] = key_points_of(question)
        references = references_of(question)
        self.reference_sentences = list(
            dict.fromkeys(
                [*(part for text in references for part in sentences(text)), *(point.text for point in self.points)]
            )
        )
        self._floor = encoder.floor
        self.point_vectors = encoder.encode([point.text for point in self.points], remember=True)
        self.reference_vectors = encoder.encode(references, remember=True)
        self.sentence_vectors = encoder.encode(self.reference_sentences, remember=True)
        prompt = clean(question.prompt)
        self.prompt_vector = encoder.encode([prompt], remember=True)[0]
        self.prompt_terms = set(terms(prompt))
        self.known_terms = self.prompt_terms.union(*(terms(text) for text in (*references, *self.reference_sentences)))
        self.own_terms = set().union(*(terms(point.text) for point in self.points)) - self.prompt_terms
        self.point_terms = [set(terms(point.text)) for point in self.points]
        prompt_ngrams = ngrams(prompt)
        self.point_ngrams = [ngrams(point.text) - prompt_ngrams for point in self.points]
        self.language = language_of(" ".join(references))

    def without_filler(self, answer: GuardedAnswer, vectors: NDArray[np.float32]) -> GuardedAnswer:
        """The answer without sentences that have nothing to do with the question: they shall neither earn nor cost.

        ``vectors`` are those of its sentences. Unchanged when nothing else would be left. A sentence with a term of
        the question's own subject stays.
        """
        if len(answer.parts) < 2:
            return answer
        nearness = (vectors @ self.sentence_vectors.T).max(axis=1)
        floor = _FILLER_BELOW.get(self.language, _FILLER_BELOW["en"])
        kept = tuple(
            part
            for part, near in zip(answer.parts, nearness, strict=True)
            if self._rescaled(near) >= floor or set(terms(part.text)) & self.own_terms
        )
        return replace(answer, parts=kept) if kept else answer

    def rows(self, answer: GuardedAnswer, windows: Sequence[Part], vectors: NDArray[np.float32]) -> AnswerFeatures:
        """The features of one answer; ``vectors`` are those of its windows, then of the whole answer."""
        alignment = align(self.point_vectors, windows, vectors[:-1])
        whole = vectors[-1]
        sentence_count = min(len(answer.parts), len(windows))
        shared = self._answer_features(answer, vectors[:sentence_count], whole)
        answer_terms = set(terms(answer.text))
        answer_ngrams = ngrams(answer.text)
        rows = np.zeros((len(self.points), len(FEATURES)))
        for number, point in enumerate(self.points):
            chosen = int(alignment.best[number])
            values = shared | self._point_features(number, point, windows[chosen].text, vectors[chosen], whole)
            values["best"] = self._rescaled(alignment.similarities[number].max())
            values["best_shortened"] = self._rescaled(alignment.similarities[number, :sentence_count].max())
            values["lift"] = values["best"] - self._rescaled(self.point_vectors[number] @ self.prompt_vector)
            values["recall_answer"] = _share(self.point_terms[number] & answer_terms, self.point_terms[number])
            own = self.point_terms[number] - self.prompt_terms
            values["recall_new"] = _share(own & answer_terms, own)
            values["recall_ngrams"] = _share(self.point_ngrams[number] & answer_ngrams, self.point_ngrams[number])
            rows[number, : len(_OWN_FEATURES)] = [values[name] for name in _OWN_FEATURES]
        _add_shared_signs(rows)
        pairs = np.stack([self.point_vectors, vectors[alignment.best]])
        return AnswerFeatures(rows=rows, alignment=alignment, pairs=pairs)

    def _point_features(
        self, number: int, point: KeyPoint, window: str, vector: NDArray[np.float32], whole: NDArray[np.float32]
    ) -> dict[str, float]:
        to_points = self.point_vectors @ vector
        others = np.delete(to_points, number)
        window_terms = set(terms(window))
        return {
            "whole": self._rescaled(self.point_vectors[number] @ whole),
            "margin": float(to_points[number] - others.max()) / (1 - self._floor) if others.size else 0.0,
            "window_to_reference": self._rescaled((self.sentence_vectors @ vector).max()),
            "recall_window": _share(self.point_terms[number] & window_terms, self.point_terms[number]),
            "new_share": _share(window_terms - self.known_terms, window_terms),
            "negation": negation_mismatch(point.text, window),
            "antonyms": antonym_clashes(point.text, window),
            "antonyms_agree": antonym_agreements(point.text, window),
            "swap": swap_share(point.text, window, self.prompt_terms),
            "numbers": number_clash(point.text, window),
        }

    def _answer_features(
        self, answer: GuardedAnswer, vectors: NDArray[np.float32], whole: NDArray[np.float32]
    ) -> dict[str, float]:
        to_references = vectors @ self.sentence_vectors.T
        nearest = to_references.argmax(axis=1)
        pairs = [(self.reference_sentences[n], part) for n, part in zip(nearest, answer.sentences, strict=False)]
        best = to_references.max(axis=1)
        answer_terms = set(terms(answer.text))
        return {
            "answer_to_reference": self._rescaled((self.reference_vectors @ whole).max()),
            "answer_to_question": self._rescaled(self.prompt_vector @ whole),
            "precision_mean": self._rescaled(best.mean()),
            "precision_min": self._rescaled(best.min()),
            "answer_new_share": _share(answer_terms - self.known_terms, answer_terms),
            "answer_antonyms": float(np.mean([antonym_clashes(*pair) for pair in pairs])),
            "answer_negations": float(np.mean([negation_mismatch(*pair) for pair in pairs])),
            "other_language": float(language_of(answer.text) != self.language),
            "points": float(len(self.points)),
        }

    def _rescaled(self, cosine: float) -> float:
        return float((cosine - self._floor) / (1 - self._floor))


def answer_features(
    question: QuestionFeatures, answers: Sequence[GuardedAnswer], encoder: Encoder
) -> list[AnswerFeatures]:
    """The features of several answers to one question, encoded together. Each answer must have something in it."""
    known: dict[str, NDArray[np.float32]] = {}

    def encoded(texts: Sequence[str]) -> NDArray[np.float32]:
        unknown = list(dict.fromkeys(text for text in texts if text not in known))
        known.update(zip(unknown, encoder.encode(unknown), strict=True))
        return np.stack([known[text] for text in texts])

    encoded([sentence for answer in answers for sentence in answer.sentences])
    answers = [question.without_filler(answer, encoded(answer.sentences)) for answer in answers]
    windows = [windows_of(answer.parts) for answer in answers]
    texts = [[*(window.text for window in own), answer.text] for own, answer in zip(windows, answers, strict=True)]
    encoded([text for own in texts for text in own])
    return [
        question.rows(answer, own, encoded(parts)) for answer, own, parts in zip(answers, windows, texts, strict=True)
    ]


def _add_shared_signs(rows: Rows) -> None:
    """Fill the last columns from those of the points; a single point stands for the others too."""
    count = len(_SHARED_SIGNS)
    signs = rows[:, [FEATURES.index(name) for name in _SHARED_SIGNS]]
    for number in range(len(rows)):
        others = np.delete(signs, number, axis=0)
        rows[number, -2 * count : -count] = others.mean(axis=0) if len(others) else signs[number]
    rows[:, -count:] = signs.min(axis=0)


def _share(part: set[str], whole: set[str]) -> float:
    return len(part) / len(whole) if whole else 0.0
