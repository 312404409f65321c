"""Gates before the model: answers that need no model, and what must be taken out of an answer before it is scored.

Nothing a gate does can raise a score: it takes sentences away or sets the score to 0. A pasted model answer is only
flagged; whether that is allowed is for the instructor to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from grading.distress import needs_person
from grading.domain import Flag, Question
from grading.instructions import ATTACKS, without_instructions
from grading.plausibility import is_gibberish, is_mashed
from grading.polarity import negations
from grading.refusals import asks_openly, is_dont_know
from grading.text import BLANK, Part, clean, language_of, ngrams, sentence_parts, sentences, squeezed, terms, words

_NEAR_COPY = 0.85
_PADDING_SHARE = 0.2
_NEARLY_WHOLE = 0.97
_MAX_SENTENCES = 64
_SHORTEST_COPY = 12
_STRAIGHT = str.maketrans("’−", "'-")
_LOOSE_SPACE = re.compile(r"(?<!\d) | (?!\d)")
_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_OPTION = re.compile(r"(?:(?<=\s)|^)(?:\(?(?:[A-Ea-e1-9]|[ㄱ-ㅁ가나다라마])[).]|[①-⑨])\s*(?=\S)")
_ASKED = re.compile(r"^\W*(?:question|q|prompt|문제|질문)\s*\d*\s*[:.)]\s*", re.IGNORECASE)
_IS_QUESTION = re.compile(r"(?:[?？]|나요|까요?|는가|은가|인가|ㄴ가|는지요?|까)\W*$")
_QUOTED = re.compile(r"(?<!\w)'[^'\n]{3,400}'(?!\w)|\"[^\"\n]{3,400}\"|“[^”\n]{3,400}”|‘[^’\n]{3,400}’")
_ADDRESSING = re.compile(r"\b(?:please|pls|grad(?:e|er|ing)|my|me|you)\b|제발|주세요|채점", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedAnswer:
    """What is left to score.

    ``parts`` are its sentences in the student's own words and order, each once, with their places in ``written``, the
    cleaned answer; ``is_empty_handed`` says that nothing is left that could earn points, so that the fraction is 0
    without asking the model; ``is_model_answer_alone`` that it is a model answer and nothing else,
    sign for sign.
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
    """The answer without instructions, copies of the question and repetitions, and what was noticed about it.

    Sentences of a model answer or key point pass every gate. That somebody needs a person changes nothing else.
    """
    written = clean(answer)
    found = _guarded(question, written)
    return replace(found, flags=found.flags | {Flag.NEEDS_PERSON}) if needs_person(written) else found


def _guarded(question: Question, written: str) -> GuardedAnswer:
    flags: set[Flag] = set()
    if not any(character.isalnum() for character in written):
        return _empty_handed(written, {Flag.BLANK})
    own = _keys_of_own(question)
    if squeezed(written) == squeezed(clean(question.prompt)) and _key(written) not in own:
        return _empty_handed(written, {Flag.QUESTION_COPIED})
    asked = (question.prompt, *question.model_answers)
    # What is taken out is blanked, so that the places of the rest stay those in the student's text.
    told = _without_instructions(written, asked, own, flags)
    text = _without_stutter(told, flags)
    kept = _without_repetitions(sentence_parts(text), flags)[:_MAX_SENTENCES]
    kept = _without_question(question, kept, own, flags)
    kept = _without_mashed(kept, asked, own, flags)
    kept = _without_open_questions(question, kept, own)
    if not kept:
        return _empty_handed(written, flags or {Flag.BLANK})
    left = " ".join(part.text for part in kept)
    if not any(_key(part.text) in own for part in kept):
        if is_dont_know("\n".join(part.text for part in kept), question):
            return _empty_handed(written, flags | {Flag.DONT_KNOW})
        if is_gibberish(left, known=asked):
            return _empty_handed(written, flags | {Flag.GIBBERISH})
    if language_of(left) != _expected_language(question) and _is_a_sentence(left):
        flags.add(Flag.OTHER_LANGUAGE)
    if is_model_answer([part.text for part in kept], question):
        flags.add(Flag.MODEL_ANSWER_PASTED)
    return GuardedAnswer(
        written=written,
        parts=tuple(kept),
        flags=frozenset(flags),
        is_empty_handed=False,
        is_model_answer_alone=_key(written) in {_key(clean(text)) for text in question.model_answers},
    )


def _is_a_sentence(text: str) -> bool:
    """Long enough to tell its language; Chinese and Japanese leave no spaces between words."""
    return len(words(text)) >= 4 or len(_WITHOUT_SPACES.findall(text)) >= 8


def is_model_answer(kept: list[str], question: Question) -> bool:
    """Whether a model answer is in the answer, nearly whole, its sentences as they are.

    "It is not true that" before it in one sentence makes it another answer, and so does another sign.
    """
    own = [_key(part) for part in kept]
    answer = "".join(own)
    for model_answer in question.model_answers:
        parts = [_key(part) for part in sentences(clean(model_answer))]
        reference = "".join(parts)
        if (len(answer) >= _NEARLY_WHOLE * len(reference) and answer in reference) or _is_run_of(own, reference):
            return True
        if len(parts) > 1 and set(parts) <= set(own):
            return True
    return False


def _key(text: str) -> str:
    """Equal for texts that differ only in capitals, spaces and full stops; signs and points in numbers stay.

    Sentences stay apart: "No. Dropout helps" is not "no dropout helps".
    """
    pieces: list[str] = []
    for line in text.lower().translate(_STRAIGHT).split("\n"):
        for token in line.split():
            bare = token.rstrip(".;…。")
            pieces += [bare] if bare == token else [bare, "\n"]
        pieces.append("\n")
    return re.sub("\n+", "\n", _LOOSE_SPACE.sub("", " ".join(pieces))).strip("\n")


@lru_cache(maxsize=256)
def _keys_of_own(question: Question) -> frozenset[str]:
    """The instructor's model answers and key points, and each of their sentences."""
    texts = [clean(text) for text in (*question.model_answers, *(point.text for point in question.key_points))]
    return frozenset(_key(part) for text in texts for part in (text, *sentences(text))) - {""}


def _without_instructions(written: str, asked: tuple[str, ...], own: frozenset[str], flags: set[Flag]) -> str:
    """The text with line breaks for what speaks to the grader; the instructor's sentences are not looked at."""
    subject = frozenset(word for text in asked for word in (*words(text), *terms(text)))
    hidden = [(part, "\n") for part in sentence_parts(written) if _key(part.text) in own]
    if subject & ATTACKS:
        hidden += [(part, BLANK) for part in _quotations(written)]
    told, is_instructing = without_instructions(_hidden(written, hidden), subject)
    if is_instructing:
        flags.add(Flag.INSTRUCTION)
    pieces: list[str] = []
    done = 0
    for part, _ in sorted(hidden, key=lambda each: each[0].start):
        is_taken_out = told[part.start : part.end].strip(BLANK) and _key(part.text) not in own
        if part.start >= done and not is_taken_out:
            pieces += [told[done : part.start], part.raw]
            done = part.end
    return "".join([*pieces, told[done:]])


def _hidden(text: str, parts: list[tuple[Part, str]]) -> str:
    signs = list(text)
    for part, sign in parts:
        signs[part.start : part.end] = sign * len(part.raw)
    return "".join(signs)


def _quotations(written: str) -> Iterable[Part]:
    """What a sentence quotes that itself says more: an example of an attack, where attacks are asked for."""
    for sentence in sentence_parts(written):
        found = list(_QUOTED.finditer(sentence.raw))
        around = _QUOTED.sub(" ", sentence.raw)
        if found and len(words(around)) >= 4 and not _ADDRESSING.search(around):
            yield from (sentence.cut(*match.span()) for match in found)


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
        key = _key(part.text)
        times[key] += 1
        if times[key] == 1 or len(key) <= 3:
            kept.append(part)
    again = sum(len(key) * (count - 1) for key, count in times.items() if len(key) > 3)
    if again >= _PADDING_SHARE * sum(len(key) * count for key, count in times.items()) > 0:
        flags.add(Flag.REPEATED)
    return kept


def _without_question(question: Question, parts: list[Part], own: frozenset[str], flags: set[Flag]) -> list[Part]:
    """Sentences that only repeat the question earn nothing and are left out.

    One option of several is an answer, all of them are a copy.
    """
    prompt = clean(question.prompt)
    options = {squeezed(text) for text in _OPTION.split(prompt)[1:]} - {""}
    chosen = {option for part in parts if (option := squeezed(_OPTION.sub("", part.text))) in options}
    asked = chosen if len(chosen) < len(options) else set[str]()
    copies = [prompt, *sentences(prompt)]
    kept = [
        part
        for part in parts
        if _key(part.text) in own
        or squeezed(_OPTION.sub("", part.text)) in asked
        or not any(_is_copy(_ASKED.sub("", part.text), copy) for copy in copies)
    ]
    if len(kept) < len(parts):
        flags.add(Flag.QUESTION_COPIED)
    return kept


def _without_open_questions(question: Question, parts: list[Part], own: frozenset[str]) -> list[Part]:
    """What the student asks of the question ("And what is recall?") is no answer, where there is one beside it."""
    return [part for part in parts if _key(part.text) in own or not asks_openly(part.text, question)] or parts


def _is_copy(part: str, copy: str) -> bool:
    """Whether a sentence is a sentence of the prompt: word for word, or a question still with few letters changed.

    Another order of words or a "not" makes a statement of a question, and a statement is an answer.
    """
    if len(squeezed(copy)) < _SHORTEST_COPY:
        return False
    said, asked = words(part), words(copy)
    if squeezed(part) == squeezed(copy):
        return True
    if not _IS_QUESTION.search(copy[-20:]) or not said or (said[0], said[-1]) != (asked[0], asked[-1]):
        return False
    mine, other = ngrams(part), ngrams(copy)
    return negations(part) == negations(copy) and len(mine & other) >= _NEAR_COPY * len(mine | other)


def _without_mashed(parts: list[Part], known: tuple[str, ...], own: frozenset[str], flags: set[Flag]) -> list[Part]:
    """Mashed keys beside a statement are left out; an answer of nothing else is judged as a whole."""
    kept = [part for part in parts if _key(part.text) in own or not is_mashed(part.text, known)]
    if not kept or len(kept) == len(parts):
        return parts
    flags.add(Flag.GIBBERISH)
    return kept
