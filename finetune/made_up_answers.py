"""Answers that are made from a question bank to teach the scoring head what real answers seldom show.

Real answers alone leave a head ignorant of gibberish, filler, keyword lists, negated and swapped model answers, and
of the model answer itself (Bexte et al. 2023; Ding et al. 2020). Each row is made from one question only, and its key
point labels are known by construction. In none of the kinds does length predict the score.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grading.domain import Verdict
from grading.polarity import with_opposite_directions
from grading.samples import SampleQuestion
from grading.text import sentences, terms, words

C, P, M, X = Verdict.COVERED, Verdict.PARTIAL, Verdict.MISSING, Verdict.CONTRADICTED


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpAnswer:
    """``kind`` says how it was made; ``verdicts`` has one entry a key point, in order; ``score`` 0..1."""

    kind: str
    text: str
    verdicts: tuple[Verdict, ...]
    score: float


def made_up_answers(
    sample: SampleQuestion, others: Sequence[SampleQuestion], rng: random.Random
) -> Iterator[MadeUpAnswer]:
    """About twenty answers to ``sample``; ``others`` are questions in the same language to borrow from."""
    yield from _empty_handed(sample, others, rng)
    yield from _references(sample, rng)
    yield from _parts(sample, rng)
    yield from _opposites(sample, rng)
    yield from _disguised(sample, rng)


def _empty_handed(
    sample: SampleQuestion, others: Sequence[SampleQuestion], rng: random.Random
) -> Iterator[MadeUpAnswer]:
    for other in rng.sample(list(others), min(2, len(others))):
        yield _all(sample, "other_question", other.model_answers[0], M, 0)
        full = [answer.text for answer in other.answers if answer.kind in ("full", "short_right")]
        yield _all(sample, "other_question", rng.choice(full), M, 0)
    yield _all(sample, "filler", " ".join(rng.sample(_FILLER[sample.language], 3)), M, 0)
    yield _all(sample, "question_and_filler", f"{sample.prompt} {rng.choice(_FILLER[sample.language])}", M, 0)
    topic = ", ".join(sample.tags)
    yield _all(sample, "tags", topic, M, 0.05)
    salad = words(" ".join((*sample.model_answers, *(point.text for point in sample.key_points))))
    rng.shuffle(salad)
    yield _all(sample, "word_salad", " ".join(salad[: rng.randint(10, 50)]), M, 0.1)
    keywords = list(dict.fromkeys(terms(sample.model_answers[0])))[:12]
    rng.shuffle(keywords)
    yield _all(sample, "keyword_list", ", ".join(keywords), M, 0.2)


def _references(sample: SampleQuestion, rng: random.Random) -> Iterator[MadeUpAnswer]:
    for model_answer in sample.model_answers:
        yield _all(sample, "reference", model_answer, C, 1)
        parts = sentences(model_answer)
        rng.shuffle(parts)
        yield _all(sample, "reordered_reference", " ".join(parts), C, 1)
    points = [point.text for point in sample.key_points]
    rng.shuffle(points)
    yield _all(sample, "key_points", " ".join(points), C, 1)
    yield _all(sample, "terse_key_points", "; ".join(_terse(text, sample.language) for text in points), C, 1)


def _parts(sample: SampleQuestion, rng: random.Random) -> Iterator[MadeUpAnswer]:
    """Some of the key points, plain, terse, and with filler or a foreign truth beside them: still k of n."""
    count = len(sample.key_points)
    for _ in range(3):
        chosen = sorted(rng.sample(range(count), rng.randint(1, count - 1)))
        texts = [sample.key_points[index].text for index in chosen]
        verdicts = tuple(C if index in chosen else M for index in range(count))
        yield _weighted(sample, "some_points", " ".join(texts), verdicts)
        yield _weighted(sample, "some_points", "; ".join(_terse(t, sample.language) for t in texts), verdicts)
        filler = rng.sample(_FILLER[sample.language], 2)
        yield _weighted(sample, "some_points_and_filler", " ".join([filler[0], *texts, filler[1]]), verdicts)


def _opposites(sample: SampleQuestion, rng: random.Random) -> Iterator[MadeUpAnswer]:
    count = len(sample.key_points)
    texts = [point.text for point in sample.key_points]
    negated = [negated_sentence(text, sample.language) for text in texts]
    turned = [with_opposite_directions(text) for text in texts]
    swapped = [_swapped_terms(text, sample) for text in texts]
    for kind, changed in (("negated", negated), ("opposite", turned), ("swapped", swapped)):
        labels = tuple(X if new != old else C for new, old in zip(changed, texts, strict=True))
        if X not in labels:
            continue
        yield _weighted(sample, kind, " ".join(changed), labels)
        one = rng.choice([index for index in range(count) if labels[index] == X])
        mixed = [changed[index] if index == one else texts[index] for index in range(count)]
        yield _weighted(sample, kind, " ".join(mixed), tuple(X if index == one else C for index in range(count)))
    for answer in sample.answers:
        if answer.kind not in ("full", "short_right"):
            continue
        turned_answer = with_opposite_directions(answer.text)
        if sum(a != b for a, b in zip(turned_answer.split(), answer.text.split(), strict=False)) >= 3:
            verdicts = tuple(X if text != new else C for text, new in zip(texts, turned, strict=True))
            if verdicts.count(X) == count:
                yield _weighted(sample, "opposite_answer", turned_answer, verdicts)


def _disguised(sample: SampleQuestion, rng: random.Random) -> Iterator[MadeUpAnswer]:
    """Real sample answers in another dress: the verdicts stay."""
    ids = [point.id for point in sample.key_points]
    for answer in sample.answers:
        if answer.kind == "dont_know":
            continue
        verdicts = tuple(Verdict(answer.verdicts[name]) for name in ids)
        dress = rng.choice(("plain", "upper", "typos", "filler", "prompt"))
        text = {
            "plain": re.sub(r"[.,;:!?]", "", answer.text).lower(),
            "upper": answer.text.upper(),
            "typos": _with_typos(answer.text, rng),
            "filler": f"{answer.text} {rng.choice(_FILLER[sample.language])}",
            "prompt": f"{sample.prompt} {answer.text}",
        }[dress]
        yield MadeUpAnswer(kind=f"same_{dress}", text=text, verdicts=verdicts, score=answer.score)


def negated_sentence(text: str, language: str) -> str:
    """The text with its first statement denied; unchanged where no place for the denial is found."""
    rules = _NEGATIONS_KO if language == "ko" else _NEGATIONS_EN
    for pattern, replacement in rules:
        changed = pattern.sub(replacement, text, count=1)
        if changed != text:
            return changed
    return text


def _all(sample: SampleQuestion, kind: str, text: str, verdict: Verdict, score: float) -> MadeUpAnswer:
    return MadeUpAnswer(kind=kind, text=text, verdicts=(verdict,) * len(sample.key_points), score=score)


def _weighted(sample: SampleQuestion, kind: str, text: str, verdicts: tuple[Verdict, ...]) -> MadeUpAnswer:
    weights = [point.weight for point in sample.key_points]
    earned = sum(weight for weight, verdict in zip(weights, verdicts, strict=True) if verdict == C)
    # A denied part makes the rest doubtful too: a tutor takes a little more off than the part's own share.
    doubt = 0.85 if X in verdicts else 1.0
    return MadeUpAnswer(kind=kind, text=text, verdicts=verdicts, score=doubt * earned / sum(weights))


def _terse(text: str, language: str) -> str:
    """A point as a hurried student writes it: no articles, no full stop, lower case; Korean endings cut."""
    if language == "ko":
        return re.sub(r"(?:이다|한다|된다|하다|다)\.?$", "", text.strip().rstrip("."))
    kept = re.sub(
        r"\b(?:the|a|an|that|which|is|are|it|its|their|so|then|very|there)\b\s*", "", text, flags=re.IGNORECASE
    )
    return kept.rstrip(".").lower()


def _swapped_terms(text: str, sample: SampleQuestion) -> str:
    """The text with two of the question's own terms in each other's place; unchanged where it has fewer than two."""
    for first, second in _tag_pairs(sample):
        if first.lower() in text.lower() and second.lower() in text.lower():
            pattern = re.compile(f"({re.escape(first)})|({re.escape(second)})", re.IGNORECASE)
            return pattern.sub(lambda match, a=first, b=second: b if match.group(1) else a, text)
    return text


def _tag_pairs(sample: SampleQuestion) -> Iterator[tuple[str, str]]:
    names = [word for word in re.findall(r"[A-Za-z0-9]{2,}|[가-힣]{2,}", sample.prompt) if terms(word)]
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
