"""Gates before the model: answers that need no model, and what must be taken out of an answer before it is scored.

Nothing a gate does can raise a score: it takes sentences away or sets the score to 0. A pasted model answer is only
flagged; whether that is allowed is for the instructor to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from grading.domain import Flag, Question
from grading.instructions import without_instructions
from grading.plausibility import is_gibberish
from grading.refusals import is_dont_know
from grading.text import BLANK, Part, clean, language_of, ngrams, sentence_parts, sentences, squeezed, terms, words

_NEAR_COPY = 0.85
_PADDING_SHARE = 0.2
_NEARLY_WHOLE = 0.97
_BESIDE = 1.15
_MAX_SENTENCES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedAnswer:
    """What is left to score.

    ``parts`` are its sentences in the student's own words and order, each once, with their places in ``written``, the
    cleaned answer; ``is_empty_handed`` says that nothing is left that could earn points, so that the fraction is 0
    without asking the model; ``is_model_answer_alone`` that it is a model answer with next to nothing beside it.
    """

    written: str
    parts: tuple[Part, ...]
    flags: frozenset[Flag]
    is_empty_handed: bool
    is_model_answer_alone: bool = False

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences to score, words said twice in a row once."""
        return tuple(part.text for part in self.parts)

    @property
    def text(self) -> str:
        """What is scored, as one text."""
        return " ".join(self.sentences)


def guard(question: Question, answer: str) -> GuardedAnswer:
    """The answer without instructions, copies of the question and repetitions, and what was noticed about it."""
    written = clean(answer)
    flags: set[Flag] = set()
    if not any(character.isalnum() for character in written):
        return _empty_handed(written, {Flag.BLANK})
    if squeezed(written) == squeezed(clean(question.prompt)):
        return _empty_handed(written, {Flag.QUESTION_COPIED})
    # What is taken out is blanked, so that the places of the rest stay those in the student's text.
    asked = (question.prompt, *question.model_answers)
    subject = frozenset(word for text in asked for word in (*words(text), *terms(text)))
    told, is_instructing = without_instructions(written, subject)
    if is_instructing:
        flags.add(Flag.INSTRUCTION)
    text = _without_stutter(told, flags)
    kept = _without_repetitions(sentence_parts(text), flags)[:_MAX_SENTENCES]
    kept = _without_question(question, kept, flags)
    if not kept:
        return _empty_handed(written, flags or {Flag.BLANK})
    left = " ".join(part.text for part in kept)
    if is_dont_know(left, question):
        return _empty_handed(written, flags | {Flag.DONT_KNOW})
    if is_gibberish(left, known=asked):
        return _empty_handed(written, flags | {Flag.GIBBERISH})
    if language_of(left) != _expected_language(question) and len(words(left)) >= 4:
        flags.add(Flag.OTHER_LANGUAGE)
    texts = [part.text for part in kept]
    is_pasted = is_model_answer(texts, question)
    if is_pasted:
        flags.add(Flag.MODEL_ANSWER_PASTED)
    return GuardedAnswer(
        written=written,
        parts=tuple(kept),
        flags=frozenset(flags),
        is_empty_handed=False,
        is_model_answer_alone=is_pasted and _has_little_beside(texts, question),
    )


def is_model_answer(kept: list[str], question: Question) -> bool:
    """Whether a model answer is in the answer, nearly whole, its sentences as they are.

    "It is not true that" before it in one sentence makes it another answer.
    """
    own = [squeezed(part) for part in kept]
    answer = "".join(own)
    for model_answer in question.model_answers:
        reference = squeezed(clean(model_answer))
        if (len(answer) >= _NEARLY_WHOLE * len(reference) and answer in reference) or _is_run_of(own, reference):
            return True
        parts = {squeezed(part) for part in sentences(clean(model_answer))}
        if len(parts) > 1 and parts <= set(own):
            return True
    return False


def _has_little_beside(kept: list[str], question: Question) -> bool:
    """Whether an answer that holds a model answer is hardly longer than it."""
    length = sum(len(squeezed(part)) for part in kept)
    return any(length <= _BESIDE * len(squeezed(clean(text))) for text in question.model_answers)


def _is_run_of(parts: list[str], whole: str) -> bool:
    """Whether some of the parts in a row make the whole."""
    for start in range(len(parts)):
        rest = whole
        for part in parts[start:]:
            if not rest or not rest.startswith(part):
                break
            rest = rest[len(part) :]
        if not rest:
            return bool(whole)
    return False


def _empty_handed(written: str, flags: Iterable[Flag]) -> GuardedAnswer:
    return GuardedAnswer(written=written, parts=(), flags=frozenset(flags), is_empty_handed=True)


def _expected_language(question: Question) -> str:
    return language_of(" ".join((question.prompt, *question.model_answers)))


def _without_stutter(text: str, flags: set[Flag]) -> str:
    """A word said several times in a row is kept once, the others are blanked; signs and numbers are no words."""
    kept: list[str] = []
    for line in text.split("\n"):
        tokens: list[str] = []
        last, run = "", 0
        for token in line.split(" "):
            run = run + 1 if token and token.lower() == last and any(map(str.isalpha, token)) else 0
            if run >= 2:
                flags.add(Flag.REPEATED)
            tokens.append(BLANK * len(token) if run else token)
            last = token.lower()
        kept.append(" ".join(tokens))
    return "\n".join(kept)


def _without_repetitions(parts: list[Part], flags: set[Flag]) -> list[Part]:
    """Each sentence once. Flagged where it is padding: a heading said twice, "not said" in a list of notes are not."""
    kept: list[Part] = []
    times: Counter[str] = Counter()
    for part in parts:
        key = squeezed(part.raw)
        times[key] += 1
        if times[key] == 1 or len(key) <= 3:
            kept.append(part)
    again = sum(len(key) * (count - 1) for key, count in times.items() if len(key) > 3)
    if again >= _PADDING_SHARE * sum(len(key) * count for key, count in times.items()) > 0:
        flags.add(Flag.REPEATED)
    return kept


def _without_question(question: Question, parts: list[Part], flags: set[Flag]) -> list[Part]:
    """Sentences that only repeat the question earn nothing and are left out."""
    prompt = clean(question.prompt)
    copies = [prompt, *sentences(prompt)]
    keys = {squeezed(copy) for copy in copies}
    grams = [ngrams(copy) for copy in copies if len(squeezed(copy)) >= 12]
    kept = [part for part in parts if not _is_copy(part.text, keys, grams)]
    if len(kept) < len(parts):
        flags.add(Flag.QUESTION_COPIED)
    return kept


def _is_copy(part: str, keys: set[str], grams: list[set[str]]) -> bool:
    if squeezed(part) in keys and len(squeezed(part)) >= 12:
        return True
    own = ngrams(part)
    return any(len(own & other) >= _NEAR_COPY * len(own | other) for other in grams)
