"""Score answers by reading them token by token against key points and model answers: the way of the shipped model.

::

    answer ──encoder, once──▶ token states ──reader──▶ said / contradicted of each key point and model answer
                                                          └──signs──head──▶ fraction

Key points and model answers are read with the question before them and kept, so that an answer costs one pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from grading.answer_signs import CountedSigns, ReadLogits, sigmoid
from grading.denials import denied_statement
from grading.domain import KeyPoint, Question
from grading.encoder import Encoder
from grading.guard import GuardedAnswer
from grading.keypoints import key_points_of, references_of
from grading.nearness import Near
from grading.plausibility import is_formula
from grading.polarity import may_refer
from grading.reader import Prepared, Reading
from grading.reading_model import ReadingModel
from grading.scoring import Scored
from grading.swaps import Facts, find_swap
from grading.text import Part, clause_parts, clean, terms
from grading.token_states import TokenStates

_KEPT_QUESTIONS = 256
_CLAUSE_SHARE = 0.7
"""A clause is shown in place of its sentence when so much of the attention to the sentence lies on it."""
_OFF_TOPIC_BELOW = 0.1
_SAYS_NOTHING, _DENIES_NOTHING = -3.5, -2.0
_FAR_FROM_ASKED, _FAR_FROM_POINTS = 0.1, 0.2
"""With these limits 3 in 4 empty sentences are taken for remarks, and 1 in 70 of right answers to unknown questions:
such as the reader finds nothing in anyway."""
_LOUD_LETTERS, _LOUD_SHARE = 20, 0.8
_FEW_TERMS = 12
"""Right answers of so few terms, all of their own words, can stand as far from the question as a recipe does."""


class ReadingScorer:
    """One loaded encoder with the reader that was trained for it. Not safe for several threads at once."""

    def __init__(self, encoder: Encoder, model: ReadingModel, load_plain: Callable[[], Encoder] | None = None) -> None:
        """Take what :func:`grading.grader.load_grader` loads.

        ``load_plain`` loads the encoder as it was published, when it is first needed; None: ``encoder`` is that.
        """
        self.encoder = encoder
        self.model = model
        self._load_plain = load_plain
        self.interval = model.interval
        self.thresholds = model.thresholds
        self.versions: Mapping[str, str] = {
            "encoder": f"{encoder.name}@{encoder.version}",
            "head": f"reader@{model.digest}",
        }
        self._questions: OrderedDict[Question, ReadQuestion] = OrderedDict()

    @cached_property
    def plain_encoder(self) -> Encoder:
        """The encoder without what it learned here: only that one knows what lies outside of the subject."""
        return self.encoder if self._load_plain is None else self._load_plain()

    def question(self, question: Question) -> ReadQuestion:
        """Read prompt, key points and model answers, or find what was read of them before."""
        if question not in self._questions:
            self._questions[question] = ReadQuestion(question, self)
            while len(self._questions) > _KEPT_QUESTIONS:
                self._questions.popitem(last=False)
        self._questions.move_to_end(question)
        return self._questions[question]


class ReadQuestion:
    """A question whose key points and model answers were read."""

    def __init__(self, question: Question, scorer: ReadingScorer) -> None:
        self.points: tuple[KeyPoint, ...] = key_points_of(question)
        self._scorer = scorer
        self._reader = scorer.model.reader
        # A tokenizer refuses half a surrogate pair.
        self._prompt = clean(question.prompt)
        self._points = self._read(self._prompt, [point.text for point in self.points])
        self._references = self._read(self._prompt, references_of(question))
        self._signs = CountedSigns(question)
        self._reference_texts = references_of(question)
        self._language = question.language
        told = [*self._reference_texts]
        if question.key_points:
            told.append(" ".join(f"{point.text.rstrip('.')}." for point in self.points))
        self._facts = [Facts(question.prompt, text) for text in told]

    def score(self, answer: GuardedAnswer) -> Scored:
        """One pass of the encoder over the answer, one reading a key point and model answer."""
        answer = self._without_remarks(answer)
        (states,) = self._scorer.encoder.read([_calm(answer.text)])
        prepared = self._reader.prepare([states])
        of_points = self._reader.read(self._points, prepared)
        read = self._with_denials(answer, self._logits(prepared, of_points))
        swap = find_swap(self._facts, answer.text)
        if swap is not None:
            read = read.with_swapped(np.array([swap.concerns(point.text) for point in self.points]))
        logits = self._signs.with_exact(answer.sentences, read)
        near = self._near(answer.text)
        row = self._signs.row(answer.text, logits, near)
        fraction, doubt = self._scorer.model.fraction(row)
        coverages, contradictions = sigmoid(logits.point_said), sigmoid(logits.point_contradicted)
        windows, similarities = self._evidence(answer, states, of_points)
        if self._signs.are_everything(answer.sentences):
            fraction, doubt = 1.0, 0.0
        in_other_words = self._signs.is_in_other_words(answer.text)
        is_guess = in_other_words and is_formula(answer.text)
        if is_guess or swap is not None or (in_other_words and len(terms(answer.text)) < _FEW_TERMS):
            # Signs where words were asked for, a few words of which nothing is known, words that seem to have changed
            # places: a person can tell.
            doubt = np.inf
        if not is_guess and (near.is_far or (in_other_words and self._is_elsewhere(row))):
            fraction, coverages, contradictions = 0.0, np.zeros_like(coverages), np.zeros_like(contradictions)
        nothing = max(float(coverages.max()), float(contradictions.max()), fraction)
        return Scored(
            fraction=fraction,
            doubt=doubt,
            coverages=coverages,
            contradictions=contradictions,
            windows=windows,
            similarities=similarities,
            is_off_topic=nothing < _OFF_TOPIC_BELOW and not is_guess,
        )

    def full(self, answer: GuardedAnswer) -> Scored:
        """All points said, whatever the model makes of it: the evidence is still the nearest stretch."""
        return replace(
            self.score(answer),
            fraction=1.0,
            doubt=0.0,
            coverages=np.ones(len(self.points)),
            contradictions=np.zeros(len(self.points)),
            is_off_topic=False,
        )

    def _logits(self, answer: Prepared, of_points: Sequence[Reading]) -> ReadLogits:
        of_references = self._reader.read(self._references, answer)
        return ReadLogits(
            point_said=np.array([reading.said for reading in of_points]),
            point_contradicted=np.array([reading.contradicted for reading in of_points]),
            reference_said=np.array([reading.said for reading in of_references]),
            reference_contradicted=np.array([reading.contradicted for reading in of_references]),
        )

    def _with_denials(self, answer: GuardedAnswer, whole: ReadLogits) -> ReadLogits:
        """What the answer keeps word for word and denies is said by the rest of it only, and contradicted."""
        statements = [denied_statement(sentence) for sentence in answer.sentences]
        denied = " ".join(f"{statement.rstrip('.')}." for statement in statements if statement is not None)
        if not denied:
            return whole
        kept = [sentence for sentence, said in zip(answer.sentences, statements, strict=True) if said is None]
        read = self._read_alone(denied)
        rest = self._read_alone(" ".join(kept)) if kept else None
        return whole.with_denied(read, rest)

    def _read_alone(self, text: str) -> ReadLogits:
        prepared = self._reader.prepare(self._scorer.encoder.read([_calm(text)]))
        return self._logits(prepared, self._reader.read(self._points, prepared))

    def _without_remarks(self, answer: GuardedAnswer) -> GuardedAnswer:
        """Without sentences that say nothing of what was asked, neither rightly nor wrongly: the weather, the course.

        They must neither earn nor cost. A sentence that may speak of the one before it ("That is wrong.") stays.
        """
        if len(answer.parts) == 1:
            return answer
        kept = tuple(part for part in answer.parts if not self._is_remark(part.text))
        return replace(answer, parts=kept) if kept else answer

    def _is_remark(self, sentence: str) -> bool:
        if not self._signs.is_in_other_words(sentence) or may_refer(sentence) or is_formula(sentence):
            return False
        near = self._near(sentence)
        if near.asked >= _FAR_FROM_ASKED or near.point >= _FAR_FROM_POINTS:
            return False
        prepared = self._reader.prepare(self._scorer.encoder.read([_calm(sentence)]))
        readings = self._reader.read(self._points, prepared) + self._reader.read(self._references, prepared)
        return all(each.said < _SAYS_NOTHING and each.contradicted < _DENIES_NOTHING for each in readings)

    def _is_elsewhere(self, row: NDArray[np.float64]) -> bool:
        """A good answer to another question sounds right to a reader that does not know what this one asks."""
        elsewhere = self._scorer.model.elsewhere
        return elsewhere is not None and elsewhere(row)

    def _near(self, answer: str) -> Near:
        """Asked of the published encoder, where the words alone do not say that the answer is about the question."""
        if not self._signs.is_in_other_words(answer):
            return Near()
        encoder = self._scorer.plain_encoder
        texts = [self._prompt, *self._reference_texts, *(point.text for point in self.points)]
        vectors = encoder.encode(texts, remember=True)
        asked, points = np.split(vectors, [len(texts) - len(self.points)])
        return self._scorer.model.nearness.of(
            encoder.encode([answer])[0], asked=asked, points=points, language=self._language
        )

    def _read(self, prompt: str, texts: Sequence[str]) -> Prepared:
        return self._reader.prepare(self._scorer.encoder.read(texts, context=[prompt] * len(texts), remember=True))

    def _evidence(
        self, answer: GuardedAnswer, states: TokenStates, readings: Sequence[Reading]
    ) -> tuple[tuple[Part, ...], NDArray[np.float64]]:
        """For each point the sentence, or a clause of it, that was looked at most, and its cosine with the point."""
        places = _places(answer.parts)
        windows: list[Part] = []
        similarities: list[float] = []
        for mean, reading in zip(self._points.mean, readings, strict=True):
            attention = np.where(states.is_content, reading.attention, 0.0)
            part, start = max(places, key=lambda place: _looked_at(attention, states, place[1], place[0]))
            window = _clause_of(part, start, attention, states)
            windows.append(window)
            offset = start + part.text.find(window.text) if window is not part else start
            inside = _inside(states, offset, offset + len(window.text))
            rows = states.states[inside] if inside.any() else states.states
            similarities.append(_cosine(rows.mean(axis=0), mean))
        return tuple(windows), np.array(similarities)


def _calm(text: str) -> str:
    """Text that was typed with the caps lock on in small letters, as the encoder was trained with; else unchanged."""
    letters = [character for character in text if character.isascii() and character.isalpha()]
    lowered = text.lower()
    is_loud = len(letters) >= _LOUD_LETTERS and sum(map(str.isupper, letters)) > _LOUD_SHARE * len(letters)
    return lowered if is_loud and len(lowered) == len(text) else text


def _places(parts: Sequence[Part]) -> list[tuple[Part, int]]:
    """The sentences of a guarded answer with their places in its joined text."""
    places: list[tuple[Part, int]] = []
    start = 0
    for part in parts:
        places.append((part, start))
        start += len(part.text) + 1
    return places


def _inside(states: TokenStates, start: int, end: int) -> NDArray[np.bool_]:
    middles = states.spans.mean(axis=1)
    return states.is_content & (start <= middles) & (middles < end)


def _looked_at(attention: NDArray[np.float64], states: TokenStates, start: int, part: Part) -> float:
    return float(attention[_inside(states, start, start + len(part.text))].sum())


def _clause_of(part: Part, start: int, attention: NDArray[np.float64], states: TokenStates) -> Part:
    """The clause of a sentence that nearly all of the attention lies on, if there is one."""
    whole = _looked_at(attention, states, start, part)
    for clause in clause_parts(part):
        offset = part.text.find(clause.text)
        if offset >= 0 and _looked_at(attention, states, start + offset, clause) >= _CLAUSE_SHARE * whole > 0:
            return clause
    return part


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12))
