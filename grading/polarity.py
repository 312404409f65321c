"""Signs that a sentence says the opposite of another: negation, antonyms, swapped pairs, other numbers.

A sentence encoder hardly sees these ("high bias" and "low bias" are neighbours for it), so they are counted in the
text. All measures are 0 where nothing speaks for a contradiction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from grading.text import terms, words

_NEGATION_EN = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|nor|without|cannot|hardly|isn't|aren't|doesn't|don't|didn't|won't|can't"
    r"|isnt|arent|doesnt|dont|cant|wont|instead of|rather than|fails? to|unable)\b",
    re.IGNORECASE,
)
_JUDGES = re.compile(
    r"\b(?:wrong|false|true|untrue|incorrect|correct|right|opposite|contrary|reverse|vice versa|myth|lie|mistaken?"
    r"|same|both|former|latter|otherwise|nonsense|joke|kidding)\b|반대|거꾸로|틀[리린렸려]|거짓|잘못|오해|맞[다지는아]"
    r"|사실|농담|마찬가지|전자|후자",
    re.IGNORECASE,
)
_FEWEST_WORDS = 4
_NEGATION_KO = re.compile(r"않|아니|없|못\s?[하한할해했]|(?<![가-힣])안\s[가-힣]|말고|지\s?못|불가능")


def negations(text: str) -> int:
    """How many negating words the text has."""
    straight = text.replace("’", "'")
    return len(_NEGATION_EN.findall(straight)) + len(_NEGATION_KO.findall(straight))


def may_refer(sentence: str) -> bool:
    """Whether a sentence may judge or deny the one before it: a short one, or one with a word of denying or judging."""
    return len(sentence.split()) < _FEWEST_WORDS or bool(negations(sentence) or _JUDGES.search(sentence))


def negation_mismatch(point: str, window: str) -> float:
    """1 when exactly one of the two negates an odd number of times."""
    return float(negations(point) % 2 != negations(window) % 2)


def antonym_clashes(point: str, window: str) -> float:
    """How many of the point's directional words appear in the window only as their opposite."""
    in_point, in_window = directions(point), directions(window)
    clashes = 0
    for pair, side in in_point:
        if (pair, -side) in in_window and (pair, side) not in in_window and (pair, -side) not in in_point:
            clashes += 1
    return float(clashes)


def antonym_agreements(point: str, window: str) -> float:
    """How many of the point's directional words appear in the window too."""
    return float(len(directions(point) & directions(window)))


def directions(text: str) -> set[tuple[int, int]]:
    """The directional words of a text as (number of the pair, side +1 or -1)."""
    lowered = text.lower()
    return {(pair, side) for pair, side, pattern in _DIRECTIONS if pattern.search(lowered)}


def swap_share(point: str, window: str, anchors: Iterable[str]) -> float:
    """The share of the words common to both that stand next to another anchor in the window than in the point.

    ``anchors`` are the terms of the question: for "bias and variance" a window that says of one what the point says
    of the other has its words near the wrong anchor. 0 when there are fewer than two anchors in the point.
    """
    anchor_set = set(anchors)
    in_point, in_window = _nearest_anchor(point, anchor_set), _nearest_anchor(window, anchor_set)
    common = [word for word in in_point if word in in_window and in_point[word] and in_window[word]]
    if not common:
        return 0.0
    return sum(not (in_point[word] & in_window[word]) for word in common) / len(common)


def number_clash(point: str, window: str) -> float:
    """1 when the point has numbers, the window has numbers, and they have none in common."""
    in_point, in_window = _numbers(point), _numbers(window)
    return float(bool(in_point) and bool(in_window) and not in_point & in_window)


def with_opposite_directions(text: str) -> str:
    """The text with each directional word replaced by its opposite; unchanged where it has none."""

    def opposite(match: re.Match[str]) -> str:
        return _SWAPS[match.group().lower()]

    return _SWAP_PATTERN.sub(opposite, text)


def _numbers(text: str) -> set[str]:
    return {word for word in words(text) if word[0].isdigit()}


def _nearest_anchor(text: str, anchors: set[str]) -> dict[str, set[str]]:
    """For each content word the anchors that it follows most closely (the one before it, else the first after)."""
    nearest: dict[str, set[str]] = {}
    current = ""
    waiting: list[str] = []
    for term in terms(text):
        if term in anchors:
            current = term
            for word in waiting:
                nearest.setdefault(word, set()).add(term)
            waiting.clear()
        elif current:
            nearest.setdefault(term, set()).add(current)
        else:
            waiting.append(term)
    return nearest


_PAIRS: tuple[tuple[str, str], ...] = (
    (r"\b(?:increas|grow|rise|rises|rising|higher|high|large|larger|big|bigger|more|up|greater|goes up|raise)\w*"
     r"|커[지진질져]|크|증가|높|늘|올라|많|↑",
     r"\b(?:decreas|shrink|fall|falls|falling|lower|low|small|smaller|less|fewer|down|reduc|drop)\w*"
     r"|작[아은으]|줄|감소|낮|내려|적[어은]|↓"),
    (r"\b(?:overfit)\w*|과적합",
     r"\b(?:underfit)\w*|과소\s?적합"),
    (r"\b(?:positive)s?\b|양성|양의",
     r"\b(?:negative)s?\b|음성|음의"),
    (r"\b(?:complex|flexible)\w*|복잡",
     r"\b(?:simple|simpler|rigid)\b|단순"),
    (r"\b(?:fast|faster|quick|quicker|cheap|cheaper)\w*|빠[르른]|빨",
     r"\b(?:slow|slower|expensive|costly)\w*|느[리린려]|비싸|비싼"),
    (r"\b(?:before|first)\b|먼저|이전|전에|앞",
     r"\b(?:after|afterwards|last)\b|나중|이후|다음|뒤"),
    (r"\b(?:same|equal|identical)\b|같[은아이]|동일",
     r"\b(?:different|unequal)\b|다른|다르|달라"),
    (r"\b(?:supervised|labelled|labeled)\b|(?<!비)지도\s?학습|레이블이 있|라벨이 있|정답이 있",
     r"\b(?:unsupervised|unlabelled|unlabeled)\b|비지도|레이블이 없|라벨이 없|정답 없"),
    (r"\b(?:parallel|simultaneous|independent)\w*|병렬|동시|독립",
     r"\b(?:sequential|one after|dependent|in turn)\w*|순차|차례|의존"),
    (r"\b(?:train|training)\b|학습 데이터|훈련",
     r"\b(?:test|testing|validation|unseen|new)\b|테스트|검증|새로운"),
    (r"\b(?:all|every|entire|whole)\b|모든|전체",
     r"\b(?:single|one|subset|part|few|some)\b|하나|일부|한 개"),
    (r"\b(?:linear)\w*|(?<!비)선형",
     r"\b(?:non-?linear|curved)\w*|비선형"),
    (r"\b(?:sensitive|affected|influenced|unstable)\b|민감|흔들|불안정",
     r"\b(?:robust|insensitive|unaffected|stable)\b|강건|둔감|안정|영향을 덜"),
    (r"\b(?:minimi[sz]e|min)\w*|최소",
     r"\b(?:maximi[sz]e|max)\w*|최대"),
    (r"\b(?:continuous|numeric|number|real)\w*|연속|수치|실수",
     r"\b(?:discrete|categor|class|label)\w*|이산|범주|클래스"),
    (r"\b(?:local)\w*|지역|국소",
     r"\b(?:global)\w*|전역"),
    (r"\b(?:sparse|zero|zeros)\b|희소|0으로|0이",
     r"\b(?:dense|nonzero|non-zero)\b|밀집|0이 아닌"),
    (r"\b(?:better|good|improv\w*|well)\b|좋|개선|향상",
     r"\b(?:worse|bad|badly|poor|poorly|worsen\w*|degrad\w*)\b|나쁘|나빠|못하|악화|떨어"),
    (r"\b(?:encoder)\w*|인코더",
     r"\b(?:decoder)\w*|디코더"),
)  # fmt: skip
_DIRECTIONS = tuple(
    (number, side, re.compile(pattern))
    for number, pair in enumerate(_PAIRS)
    for side, pattern in zip((1, -1), pair, strict=True)
)
_SWAP_LIST = (
    ("increases", "decreases"), ("increase", "decrease"), ("high", "low"), ("higher", "lower"), ("large", "small"),
    ("larger", "smaller"), ("more", "less"), ("rises", "falls"), ("rise", "fall"), ("up", "down"),
    ("big", "small"), ("grows", "shrinks"), ("overfitting", "underfitting"), ("positive", "negative"),
    ("positives", "negatives"), ("complex", "simple"), ("faster", "slower"), ("before", "after"),
    ("same", "different"), ("all", "one"), ("supervised", "unsupervised"), ("linear", "nonlinear"),
    ("minimises", "maximises"), ("better", "worse"), ("good", "bad"), ("sensitive", "robust"), ("global", "local"),
    ("labelled", "unlabelled"), ("first", "last"), ("training", "test"), ("keeps", "loses"), ("adds", "removes"),
    ("parallel", "sequential"), ("fewer", "more"), ("커진다", "작아진다"), ("커지고", "작아지고"),
    ("커지", "작아지"), ("증가", "감소"), ("높", "낮"), ("늘어", "줄어"), ("크다", "작다"), ("과적합", "과소적합"),
    ("양성", "음성"), ("복잡", "단순"), ("빠르", "느리"), ("먼저", "나중에"), ("같은", "다른"),
    ("비지도", "지도"), ("비선형", "선형"), ("최소", "최대"), ("좋", "나쁘"), ("민감", "둔감"), ("전역", "지역"),
    ("전체", "일부"), ("있", "없"), ("큰", "작은"), ("많은", "적은"), ("빨리", "천천히"), ("줄이", "늘리"),
    ("줄인다", "늘린다"),
)  # fmt: skip
_SWAPS: dict[str, str] = {}
for _left, _right in _SWAP_LIST:
    _SWAPS.setdefault(_left, _right)
    _SWAPS.setdefault(_right, _left)
_SWAP_PATTERN = re.compile(
    "|".join(
        rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
        for word in sorted(_SWAPS, key=len, reverse=True)
    ),
    re.IGNORECASE,
)
