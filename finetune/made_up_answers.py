"""Answers that are made from a question bank to teach the scoring head what real answers seldom show.

Real answers alone leave a head ignorant of gibberish, filler, keyword lists, negated and swapped model answers, and
of the model answer itself (Bexte et al. 2023; Ding et al. 2020). Each row is made from one question only, and its key
point labels are known by construction. In none of the kinds does length predict the score.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from finetune.behaviour.forms import with_polite_endings
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.made_up_forms import denied, in_other_words
from grading.domain import Verdict
from grading.keypoints import key_points_of
from grading.polarity import with_opposite_directions
from grading.text import clean, sentences, terms, words

C, P, M, X = Verdict.COVERED, Verdict.PARTIAL, Verdict.MISSING, Verdict.CONTRADICTED


def made_up_answers(
    graded: GradedQuestion, others: Sequence[GradedQuestion], rng: random.Random
) -> Iterator[GradedAnswer]:
    """About forty answers to the question; ``others`` are questions in the same language to borrow from."""
    yield from _empty_handed(graded, others, rng)
    yield from _references(graded, rng)
    yield from _parts(graded, rng)
    yield from _opposites(graded, rng)
    yield from _reworded(graded, rng)
    yield from _disguised(graded, rng)


def _empty_handed(
    graded: GradedQuestion, others: Sequence[GradedQuestion], rng: random.Random
) -> Iterator[GradedAnswer]:
    question = graded.question
    for other in rng.sample(list(others), min(2, len(others))):
        yield _all(graded, "other_question", other.question.model_answers[0], M, 0)
        right = [answer.text for answer in other.answers if answer.score >= 0.9]
        if right:
            yield _all(graded, "other_question", rng.choice(right), M, 0)
    filler = _FILLER[_language(graded)]
    yield _all(graded, "filler", " ".join(rng.sample(filler, 3)), M, 0)
    yield _all(graded, "question_and_filler", f"{question.prompt} {rng.choice(filler)}", M, 0)
    if graded.tags:
        yield _all(graded, "tags", ", ".join(graded.tags), M, 0.05)
    points = [point.text for point in key_points_of(question)]
    salad = words(" ".join((*question.model_answers, *points)))
    rng.shuffle(salad)
    yield _all(graded, "word_salad", " ".join(salad[: rng.randint(10, 50)]), M, 0.1)
    shuffled = clean(question.model_answers[0]).split()
    rng.shuffle(shuffled)
    yield _all(graded, "shuffled_words", " ".join(shuffled), M, 0.15)
    keywords = list(dict.fromkeys(terms(question.model_answers[0])))[:12]
    rng.shuffle(keywords)
    yield _all(graded, "keyword_list", ", ".join(keywords), M, 0.15)


def _references(graded: GradedQuestion, rng: random.Random) -> Iterator[GradedAnswer]:
    question = graded.question
    for model_answer in question.model_answers:
        yield _all(graded, "reference", model_answer, C, 1)
        parts = sentences(clean(model_answer))
        if len(parts) > 1:
            rng.shuffle(parts)
            yield _all(graded, "reordered_reference", " ".join(parts), C, 1)
        filler = rng.choice(_FILLER[_language(graded)])
        yield _all(graded, "reference_and_filler", f"{filler} {model_answer}", C, 1)
        yield _all(graded, "reference_plain", _plain(model_answer), C, 1)
    if question.key_points:
        points = [point.text for point in question.key_points]
        rng.shuffle(points)
        yield _all(graded, "key_points", " ".join(points), C, 1)
        yield _all(graded, "terse_key_points", "; ".join(_terse(text, _language(graded)) for text in points), C, 1)


def _parts(graded: GradedQuestion, rng: random.Random) -> Iterator[GradedAnswer]:
    """Some of the key points, plain, terse, repeated, and with filler beside them: still k of n."""
    points = key_points_of(graded.question)
    if len(points) < 2:
        return
    language = _language(graded)
    for _ in range(3):
        chosen = sorted(rng.sample(range(len(points)), rng.randint(1, len(points) - 1)))
        texts = [points[index].text for index in chosen]
        verdicts = tuple(C if index in chosen else M for index in range(len(points)))
        yield _weighted(graded, "some_points", " ".join(texts), verdicts)
        yield _weighted(graded, "some_points", "; ".join(_terse(t, language) for t in texts), verdicts)
        filler = rng.sample(_FILLER[language], 2)
        yield _weighted(graded, "some_points_and_filler", " ".join([filler[0], *texts, filler[1]]), verdicts)
    only = rng.randrange(len(points))
    verdicts = tuple(C if index == only else M for index in range(len(points)))
    repeated = " ".join([_ended(points[only].text)] * rng.randint(4, 9))
    yield _weighted(graded, "repeated_point", repeated, verdicts)
    first = " ".join(point.text for point in points[:-1])
    yield _weighted(graded, "all_but_the_last", first, (*(C,) * (len(points) - 1), M))


def _opposites(graded: GradedQuestion, rng: random.Random) -> Iterator[GradedAnswer]:
    language = _language(graded)
    texts = [point.text for point in key_points_of(graded.question)]
    count = len(texts)
    negated = [negated_sentence(text, language) for text in texts]
    turned = [with_opposite_directions(text) for text in texts]
    swapped = [_swapped_terms(text, graded) for text in texts]
    for kind, changed in (("negated", negated), ("opposite", turned), ("swapped", swapped)):
        labels = tuple(X if new != old else C for new, old in zip(changed, texts, strict=True))
        if X not in labels:
            continue
        yield _weighted(graded, kind, " ".join(changed), labels)
        if count > 1:
            one = rng.choice([index for index in range(count) if labels[index] == X])
            mixed = [changed[index] if index == one else texts[index] for index in range(count)]
            yield _weighted(graded, kind, " ".join(mixed), tuple(X if index == one else C for index in range(count)))


def _reworded(graded: GradedQuestion, rng: random.Random) -> Iterator[GradedAnswer]:
    """What should be said, nearly word for word: in other words still right, denied wrong, half wrong with an addition.

    A right answer that goes on with a confident wrong one no longer shows that the student knows.
    """
    language = _language(graded)
    reference = graded.question.model_answers[0] if graded.question.model_answers else ""
    points = [_ended(point.text) for point in key_points_of(graded.question)]
    for text in (reference, " ".join(points)):
        other = in_other_words(text, language)
        if other != text:
            yield _all(graded, "synonyms", other, C, 1)
        if language == "ko" and (polite := with_polite_endings(text)) != text:
            yield _all(graded, "polite", polite, C, 1)
    first = rng.randrange(len(points))
    statements = (denied(point, language, first + number) for number, point in enumerate(points))
    yield _all(graded, "denied", " ".join(statements), X, 0.1)
    wrong = [answer.text for answer in graded.answers if answer.kind in _WRONG_KINDS and answer.score <= _WRONG]
    if reference and wrong:
        joined = f"{_ended(reference)} {rng.choice(_ALSO[language])}{rng.choice(wrong)}"
        yield _all(graded, "wrong_appended", joined, P, _HALF_WRONG)


def _disguised(graded: GradedQuestion, rng: random.Random) -> Iterator[GradedAnswer]:
    """Real answers in another dress: verdicts and score stay."""
    for answer in graded.answers:
        if answer.kind == "dont_know" or answer.is_made_up or len(answer.text) < 8:
            continue
        # The sets of students' answers are large enough to dress up only some of them.
        if not answer.verdicts and rng.random() < 0.5:
            continue
        dress = rng.choice(("plain", "upper", "typos", "filler", "prompt", "junk"))
        filler = rng.choice(_FILLER[_language(graded)])
        text = {
            "plain": _plain(answer.text),
            "upper": answer.text.upper(),
            "typos": _with_typos(answer.text, rng),
            "filler": f"{answer.text} {filler}" if rng.random() < 0.5 else f"{filler} {answer.text}",
            "prompt": f"{graded.question.prompt} {answer.text}",
            "junk": f"{answer.text}\n{_junk(filler, rng)}",
        }[dress]
        yield GradedAnswer(
            kind=f"same_{dress}", text=text, verdicts=answer.verdicts, score=answer.score, is_made_up=True
        )


def negated_sentence(text: str, language: str) -> str:
    """The text with its first statement denied; unchanged where no place for the denial is found."""
    rules = _NEGATIONS_KO if language == "ko" else _NEGATIONS_EN
    for pattern, replacement in rules:
        changed = pattern.sub(replacement, text, count=1)
        if changed != text:
            return changed
    return text


def _all(graded: GradedQuestion, kind: str, text: str, verdict: Verdict, score: float) -> GradedAnswer:
    count = len(key_points_of(graded.question))
    return GradedAnswer(kind=kind, text=text, verdicts=(verdict,) * count, score=score, is_made_up=True)


def _weighted(graded: GradedQuestion, kind: str, text: str, verdicts: tuple[Verdict, ...]) -> GradedAnswer:
    weights = [point.weight for point in key_points_of(graded.question)]
    earned = sum(weight for weight, verdict in zip(weights, verdicts, strict=True) if verdict == C)
    # A denied part makes the rest doubtful too: a tutor takes a little more off than the part's own share.
    doubt = 0.85 if X in verdicts else 1.0
    return GradedAnswer(kind=kind, text=text, verdicts=verdicts, score=doubt * earned / sum(weights), is_made_up=True)


def _language(graded: GradedQuestion) -> str:
    """``ko`` or ``en``: which of the two sets of rules below serves."""
    return "ko" if graded.question.language == "ko" else "en"


def _ended(text: str) -> str:
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text.rstrip()}."


def _plain(text: str) -> str:
    return re.sub(r"[.,;:!?]", "", text).lower()


def _terse(text: str, language: str) -> str:
    """A point as a hurried student writes it: no articles, no full stop, lower case; Korean endings cut."""
    if language == "ko":
        return re.sub(r"(?:이다|한다|된다|하다|다)\.?$", "", text.strip().rstrip("."))
    kept = re.sub(
        r"\b(?:the|a|an|that|which|is|are|it|its|their|so|then|very|there)\b\s*", "", text, flags=re.IGNORECASE
    )
    return kept.rstrip(".").lower()


def _junk(filler: str, rng: random.Random) -> str:
    """What means nothing: a reader that has never seen it takes it for whatever it likes."""
    if rng.random() < 0.5:
        return filler[::-1]
    return " ".join("".join(rng.choices("bcdfghjklmnpqrstvwxz", k=rng.randint(3, 7))) for _ in range(rng.randint(2, 5)))


def _swapped_terms(text: str, graded: GradedQuestion) -> str:
    """The text with two of the question's own terms in each other's place; unchanged where it has fewer than two."""
    for first, second in _tag_pairs(graded):
        if first.lower() in text.lower() and second.lower() in text.lower():
            pattern = re.compile(f"({re.escape(first)})|({re.escape(second)})", re.IGNORECASE)
            return pattern.sub(lambda match, a=first, b=second: b if match.group(1) else a, text)
    return text


def _tag_pairs(graded: GradedQuestion) -> Iterator[tuple[str, str]]:
    names = [word for word in re.findall(r"[A-Za-z0-9]{2,}|[가-힣]{2,}", graded.question.prompt) if terms(word)]
    bare = [re.sub(r"(?:은|는|이|가|을|를|과|와|의|에서|에|으로|로)$", "", word) for word in names]
    unique = [word for word in dict.fromkeys(bare) if len(word) >= 2]
    for index, first in enumerate(unique):
        for second in unique[index + 1 :]:
            if first.lower() not in second.lower() and second.lower() not in first.lower():
                yield first, second


def _with_typos(text: str, rng: random.Random) -> str:
    characters = list(text)
    for _ in range(max(1, len(characters) // 40)):
        index = rng.randrange(len(characters) - 1)
        if characters[index].isalpha() and characters[index + 1].isalpha():
            characters[index], characters[index + 1] = characters[index + 1], characters[index]
    return "".join(characters)


_WRONG_KINDS = ("flipped", "wrong", "wrong_answer")
_WRONG = 0.15
_HALF_WRONG = 0.6
_ALSO = {"en": ("Also, ", "Besides, ", "And ", ""), "ko": ("또한 ", "게다가 ", "")}
_NEGATIONS_EN = (
    (re.compile(r"\b(is|are|was|can|will|should|must|has|does|do|may)\b(?! not)"), r"\1 not"),
    (re.compile(r"\bnot\s+"), ""),
    (re.compile(r"\b([a-z]{3,}[^su])s\b(?=\s+(?:the|a|an|how|which|each|all|from|to|in|by|on)\b)"), r"does not \1"),
)
_NEGATIONS_KO = (
    (re.compile(r"지 않"), "지만 그대로 있"),
    (re.compile(r"이다(?=[.,\s]|$)"), "이 아니다"),
    (re.compile(r"([가-힣])한다(?=[.,\s]|$)"), r"\1하지 않는다"),
    (re.compile(r"된다(?=[.,\s]|$)"), "되지 않는다"),
    (re.compile(r"있다(?=[.,\s]|$)"), "있지 않다"),
    (re.compile(r"진다(?=[.,\s]|$)"), "지지 않는다"),
    (re.compile(r"([가-힣])다(?=[.,\s]|$)"), r"\1다는 것은 사실이 아니다"),
)
_FILLER = {
    "en": (
        "This is a very important topic in machine learning and it comes up in many projects.",
        "In practice it always depends on the data set and on what one wants to achieve.",
        "We talked about this in the lecture and I found it quite interesting.",
        "There are many different methods and each of them has advantages and disadvantages.",
        "Researchers have written a lot about it in recent years.",
        "Nowadays artificial intelligence is used in almost every part of our life.",
        "A good engineer should always think carefully about such questions.",
        "Of course there is much more that could be said about it.",
        "With modern libraries all of this can be done in a few lines of code.",
        "It is one of the basic ideas that everyone who works with models should know.",
    ),
    "ko": (
        "이것은 머신러닝에서 아주 중요한 주제이고 여러 프로젝트에서 자주 나옵니다.",
        "실제로는 항상 데이터와 목적에 따라 달라집니다.",
        "수업 시간에 다뤘던 내용인데 꽤 흥미로웠어요.",
        "여러 가지 방법이 있고 각각 장점과 단점이 있습니다.",
        "최근 몇 년 동안 많은 연구가 이루어졌습니다.",
        "요즘은 인공지능이 우리 생활의 거의 모든 곳에 쓰이고 있어요.",
        "좋은 엔지니어라면 이런 문제를 항상 신중하게 생각해야 합니다.",
        "물론 이것 말고도 할 말은 훨씬 많습니다.",
        "요즘 라이브러리를 쓰면 이런 건 몇 줄이면 끝나요.",
        "모델을 다루는 사람이라면 누구나 알아야 하는 기본 개념 중 하나입니다.",
    ),
}  # fmt: skip
