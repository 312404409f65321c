"""Changes of form that leave the meaning as it is. Each returns the text unchanged where it has nothing to change."""

from __future__ import annotations

import re
import textwrap

from grading.text import sentences

_INVISIBLE = ("\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad")
_AE, _E = 1, 5  # numbers of the vowels ㅐ and ㅔ in a Hangul syllable


def with_typos(text: str, language: str) -> str:
    """About every fifth longer word with a slip of the keyboard; in Korean ㅐ for ㅔ or a missing space."""
    words = text.split(" ")
    eligible = [place for place, word in enumerate(words) if _may_slip(word, language)]
    joined: set[int] = set()
    for place in eligible[1::5]:
        if language == "ko":
            changed = _other_vowel(words[place])
            if changed == words[place] and "\n" not in words[place]:
                joined.add(place)
            words[place] = changed
        else:
            words[place] = _letters_swapped(words[place])
    return "".join(word + ("" if place in joined else " ") for place, word in enumerate(words)).rstrip(" ")


def without_punctuation(text: str) -> str:
    """Without the marks that end or divide sentences; those inside numbers, words and formulas stay."""
    return re.sub(r"[.,;:!?]+(?=\s|$)", "", text)


def reordered(parts: list[str]) -> str:
    """The sentences last to first."""
    return " ".join(reversed(parts))


def as_list(parts: list[str]) -> str:
    """The sentences as the items of a list."""
    return "\n".join(f"- {part}" for part in parts)


def with_synonyms(text: str, language: str) -> str:
    """Other words for the same, where there are some."""
    for pattern, other in _SYNONYMS[language]:
        text = pattern.sub(other, text)
    return text


def with_contractions(text: str) -> str:
    """English in the tone of a chat: it's, doesn't, can't."""
    for pattern, other in _CONTRACTIONS:
        text = pattern.sub(other, text)
    return text


def with_polite_endings(text: str) -> str:
    """Korean sentences in -다 with the polite ending -습니다."""
    return " ".join(_polite(sentence) for sentence in sentences(text))


def with_invisible_characters(text: str) -> str:
    """Zero-width characters and soft hyphens inside the words."""
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    return "".join(piece + _INVISIBLE[number % len(_INVISIBLE)] for number, piece in enumerate(pieces))


def with_line_breaks(text: str) -> str:
    """Broken into short lines, as pasted from a PDF."""
    return "\n".join(textwrap.wrap(text, 48))


def with_hidden_direction(text: str) -> str:
    """Inside right-to-left overrides and isolates, with zero-width characters between the words."""
    return "\u202e" + text.replace(" ", " \u200f\u200b") + "\u202c\u2067\u2069"


def with_lone_surrogates(text: str) -> str:
    """With halves of characters that no UTF-8 text can hold."""
    middle = text.find(" ") + 1
    return f"\ud83d{text[:middle]}\udc00{text[middle:]}\ud800"


def word_patterns(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Words, whole ones where they are English, with what takes their place."""
    return tuple((re.compile(rf"\b{old}\b" if old.isascii() else old), new) for old, new in pairs)


def _may_slip(word: str, language: str) -> bool:
    if language == "ko":
        return len(re.findall(r"[가-힣]", word)) >= 3
    return re.fullmatch(r"[a-z]{6,}[.,;]?", word) is not None


def _letters_swapped(word: str) -> str:
    for place in range(2, len(word) - 2):
        if word[place] != word[place + 1]:
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return word


def _other_vowel(word: str) -> str:
    for place, character in enumerate(word):
        if "가" <= character <= "힣":
            code = ord(character) - 0xAC00
            vowel = code // 28 % 21
            if vowel in (_AE, _E):
                other = code + ((_E if vowel == _AE else _AE) - vowel) * 28
                return word[:place] + chr(other + 0xAC00) + word[place + 1 :]
    return word


def _polite(sentence: str) -> str:
    match = re.fullmatch(r"(.*)([가-힣])다\.?", sentence, re.DOTALL)
    if match is None:
        return sentence
    before, last = match.groups()
    code = ord(last) - 0xAC00
    final = code % 28
    if last == "는":
        return f"{before}습니다."
    if final == 0:
        return f"{before}{chr(0xAC00 + code + 17)}니다."
    if final == 4:  # ㄴ: 한다, 된다
        return f"{before}{chr(0xAC00 + code - 4 + 17)}니다."
    return f"{before}{last}습니다."


_SYNONYMS = {
    "en": word_patterns(
        (
            ("because", "since"), ("large", "big"), ("larger", "bigger"), ("uses", "employs"), ("whereas", "while"),
            ("needs", "requires"), ("often", "frequently"), ("therefore", "hence"), ("so that", "such that"),
            ("picks", "chooses"), ("keeps", "retains"), ("kept", "retained"), ("computed", "calculated"),
            ("computes", "calculates"), ("several", "multiple"), ("whole", "entire"), ("typical", "usual"),
            ("examples", "samples"), ("(?<!for )example", "sample"), ("very", "really"), ("main", "principal"),
            ("method", "technique"), ("needed", "required"), ("hardly", "barely"),
            ("helps", "aids"), ("only", "just"), ("tells", "says"), ("many", "lots of"), ("finds", "determines"),
        )
    ),
    "ko": word_patterns(
        (
            ("데이터", "자료"), ("방법", "방식"), ("예를 들어", "가령"), ("따라서", "그러므로"), ("그러나", "하지만"),
            ("가장", "제일"), ("예제", "샘플"), ("레이블", "라벨"), ("단어", "낱말"), ("서로 다른", "각기 다른"),
            ("기울기", "그래디언트"), ("매우", "아주"), ("계산", "산출"), ("나타낸", "표현한"),
            ("모델", "모형"), ("사용", "이용"), ("필요하", "요구되"), ("함께", "같이"),
        )
    ),
}  # fmt: skip
_CONTRACTIONS = word_patterns(
    (
        ("does not", "doesn't"), ("do not", "don't"), ("is not", "isn't"), ("are not", "aren't"),
        ("cannot", "can't"), ("It is", "It's"), ("it is", "it's"), ("need not", "needn't"), ("that is", "that's"),
        ("they are", "they're"), ("have not", "haven't"), ("has not", "hasn't"),
    )
)  # fmt: skip
