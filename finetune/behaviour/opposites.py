"""Changes of meaning: sentences denied, in one word or as a whole. Rules of the suite's own, not those of training."""

from __future__ import annotations

import re

from grading.text import sentences


def negated(text: str, language: str) -> str | None:
    """The sentence with its statement negated in place; ``None`` where the rules find no safe place for it."""
    bare = text.strip().rstrip(".")
    if len(sentences(text)) != 1:
        return None
    changed = _negated_korean(bare) if language == "ko" else _negated_english(bare)
    return None if changed is None else f"{changed}."


def denied(text: str, language: str, number: int) -> str:
    """The statement kept word for word and denied as a whole, in a way that depends on ``number``."""
    bare = text.strip().rstrip(".")
    if language == "ko":
        ending = _DENIALS_KO[number % len(_DENIALS_KO)]
        return f"{bare}{ending}" if bare.endswith("다") else f"'{bare}'{_DENIALS_KO_QUOTED[number % 2]}"
    lowered = bare[0].lower() + bare[1:] if re.match(r"[A-Z][a-z]", bare) else bare
    return f"{_DENIALS_EN[number % len(_DENIALS_EN)]} {lowered}."


def is_simple(text: str) -> bool:
    """Whether the sentence makes one statement only, so that denying its verb denies it all."""
    return _SECOND_CLAUSE.search(text.strip().rstrip(".")) is None


def _negated_english(text: str) -> str | None:
    first = min((match for rule in (_AUXILIARY, _VERB) if (match := rule.search(text))), key=_start, default=None)
    if first is None or _HAS_NEGATION.search(text) or _OTHER_CLAUSE.search(text[: first.start()]):
        return None
    if re.match(r"\s+(?:only|just)\b|\s+\w+\s+only\b", text[first.end() :]):
        return None
    word = first.group()
    other = f"does not {_base(word)}" if first.re is _VERB else f"{word} not"
    return text[: first.start()] + other + text[first.end() :]


def _start(match: re.Match[str]) -> int:
    return match.start()


def _base(verb: str) -> str:
    return verb[:-2] if verb.endswith(("sses", "ches", "shes", "oes")) else verb[:-1]


def _negated_korean(text: str) -> str | None:
    if re.search(r"않|아니|못|없어도|안 |야 한다$", text) or "없" in text[:-2]:
        return None
    for ending, other in (("필요 없다", "필요하다"), ("있다", "없다"), ("없다", "있다"), ("는다", "지 않는다")):
        if text.endswith(ending):
            return text.removesuffix(ending) + other
    match = re.fullmatch(r"(.*)([가-힣])다", text, re.DOTALL)
    if match is None:
        return None
    before, last = match.groups()
    if last == "이" and before:
        return f"{before}{'이' if _ends_in_consonant(before) else '가'} 아니다"
    if last in _L_STEMS:
        return f"{before}{_L_STEMS[last]}지 않는다"
    code = ord(last) - 0xAC00
    if code % 28 == _N:
        return f"{before}{chr(0xAC00 + code - _N)}지 않는다"
    return f"{before}{last}지 않다"


def _ends_in_consonant(text: str) -> bool:
    last = re.sub(r"[^가-힣]", "", text)[-1:]
    return bool(last) and (ord(last) - 0xAC00) % 28 > 0


_VERBS = (
    "stands means uses takes gives removes keeps predicts depends learns trains stores adds sums holds picks finds "
    "makes needs works grows rises lowers raises reduces increases decreases improves helps shows "
    "selects sends combines computes avoids prevents returns assumes requires "
    "describes determines minimises maximises separates solves saves contains generates copies collects "
    "allows lets leads acts splits assigns compares builds fits treats "
    "encourages penalises normalises multiplies divides converts captures"
)
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|can|could|must|should|will|would|may)\b")
_VERB = re.compile(
    rf"\b(?:{'|'.join(_VERBS.split())})\b(?=\s+(?:the|a|an|how|which|each|all|for|its|that|to|from|in|by|on|over|into"
    r"|several|many|more|less|new|one|two|it|them|every|with|at|of|as|both)\b)"
)
_OTHER_CLAUSE = re.compile(r"\b(?:that|which|who|when|if|where|whose|whether|only|because)\b", re.IGNORECASE)
_SECOND_CLAUSE = re.compile(
    r"[,;:]|\b(?:and|but|so|because|while|whereas|which)\b|[가-힣](?:고|며|지만|므로|니까|는데|아서|어서|해서|라서|면)(?=[\s,])"
)
_N = 4  # the number of the final ㄴ in a Hangul syllable: 한다, 된다
_L_STEMS = {"든": "들", "안": "알", "돈": "돌", "푼": "풀", "민": "밀", "연": "열", "단": "달", "산": "살", "운": "울"}
_HAS_NEGATION = re.compile(r"\b(?:not|no|never|without|cannot|none|neither|nor|hardly)\b|n't\b")
_DENIALS_EN = (
    "It is not true that",
    "It is wrong to say that",
    "It is definitely not the case that",
    "Contrary to what many believe, it is false that",
)
_DENIALS_KO = (
    "는 것은 사실이 아니다.",
    "는 말은 틀렸다.",
    "고 생각하기 쉽지만 실제로는 전혀 그렇지 않다.",
    "는 설명은 잘못된 것이다.",
)
_DENIALS_KO_QUOTED = ("라는 말은 사실이 아니다.", "라는 설명은 틀린 것이다.")
