"""Names of people, found in a text as words: in Latin and other scripts with spaces, in Hangul, in Han.

A name is looked for as a whole, in either order, and in its parts. Much of what people are called is an ordinary word
too (Will, Max, 지수), so the names of *others* are found more carefully than the learner's own:

==================  ==========================================  =================================================
what                of the learner                              of others in the course
==================  ==========================================  =================================================
whole name          always                                      always, but where one word that the question has too
a part of it        always                                      not where the question has the word too
2 or 3 letters      only with a capital                         only with a capital
``the``, ``will``   only with a capital                         never
given name 민준     always                                      before a word for people: 민준이가, 민준 씨
MinjunKim           always                                      only with a capital, not where the question has it
저는김민준입니다    always                                      never
==================  ==========================================  =================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Self

#: A run of letters of one script: particles of Korean stand directly after a Latin name.
_WORD = re.compile(r"[가-힣]+|[^\W\d_가-힣]+")
#: What may stand between the words of one name.
_BETWEEN = re.compile(r"[\s.,'’·_-]{0,2}")
_HANGUL = re.compile(r"[가-힣]+")
#: A whole name, that is: rarely a part of another word, and many write 저는김민준입니다 without a space.
_LONG_HANGUL = re.compile(r"[가-힣]{3,}")
_WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
_WORD_OR_MARK = re.compile(rf"⟨\w+⟩|{_WORD.pattern}")
_LONGEST_HANGUL = 12
_SHORTEST_JOINED = 5
_TWO_SYLLABLE_FAMILIES = ("남궁", "황보", "제갈", "사공", "선우", "서문", "독고", "동방")
# fmt: off
_PARTICLES = frozenset({
    "은", "는", "이", "가", "을", "를", "의", "와", "과", "도", "만", "랑", "이랑", "에게", "한테", "께", "께서",
    "아", "야", "으로", "로", "이다", "입니다", "라고", "이라고", "이는", "이가", "이를", "이의", "이도", "님",
    "님은", "님이", "님의", "님께", "씨", "씨는", "씨가", "씨의", "씨에게", "교수", "교수님", "교수님이",
    "교수님은", "교수님께서", "선생님", "선생님이", "선생님은", "조교", "조교님", "학생", "학생이", "학생은",
})
# fmt: on
_FOR_PEOPLE = re.compile(r"(?:이가|이는|이를|이의|이도|이랑|에게|한테|께서|\s?(?:님|씨|학생|교수|선생|조교|선배|후배))")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    words: tuple[str, ...]
    needs_capital: bool = False
    is_spared: bool = False
    is_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names to look for, by their first word; ``unspaced`` are found inside of words too.

    Those are names in scripts that put no spaces between words, and the learner's own whole name in Hangul.
    """

    by_word: dict[str, tuple[_Name, ...]]
    unspaced: tuple[str, ...]

    @classmethod
    def own(cls, name: str) -> Self:
        """The learner's own name."""
        return cls._of([name], is_own=True)

    @classmethod
    def of_others(cls, names: Iterable[str]) -> Self:
        """The names of all people of the course."""
        return cls._of(names, is_own=False)

    @classmethod
    def _of(cls, names: Iterable[str], *, is_own: bool) -> Self:
        found: defaultdict[str, set[_Name]] = defaultdict(set)
        unspaced: set[str] = set()
        for name in names:
            plain = unicodedata.normalize("NFC", name)
            unspaced.update(_WITHOUT_SPACES.findall(plain))
            for each in _names_of(_WITHOUT_SPACES.sub(" ", plain), is_own=is_own):
                found[each.words[0]].add(each)
                if is_own and len(each.words) == 1 and _LONG_HANGUL.fullmatch(each.words[0]):
                    unspaced.add(each.words[0])
        by_length = {word: tuple(sorted(each, key=lambda one: -len(one.words))) for word, each in found.items()}
        return cls(by_word=by_length, unspaced=tuple(sorted(unspaced, key=len, reverse=True)))


def words_of(*texts: str) -> frozenset[str]:
    """The words of texts, for comparing."""
    return frozenset(_plain(found.group()) for text in texts for found in _WORD.finditer(text))


def replace_names(text: str, names: Names, *, spared: frozenset[str], marker: str) -> tuple[str, int]:
    """The text with ``marker`` in place of each name, and how many there were; ``spared``: words of the question."""
    count = 0
    for name in names.unspaced:
        count += text.count(name)
        text = text.replace(name, marker)
    pieces, end = [], 0
    for start, stop in _places(text, names, spared):
        pieces += [text[end:start], marker]
        end = stop
        count += 1
    return "".join([*pieces, text[end:]]), count


def _plain(word: str) -> str:
    """For comparing: in small letters, and without accents, which many leave out of their own name."""
    apart = unicodedata.normalize("NFD", word.casefold())
    return unicodedata.normalize("NFC", "".join(each for each in apart if unicodedata.category(each) != "Mn"))


def _names_of(name: str, *, is_own: bool) -> Iterator[_Name]:
    parts = [tuple(_plain(found.group()) for found in _WORD.finditer(part)) for part in re.split(r"[\s,;()/]+", name)]
    parts = [part for part in parts if part]
    whole = tuple(word for part in parts for word in part)
    if len(parts) > 1:
        yield _Name(words=whole)
        yield _Name(words=(*parts[-1], *(word for part in parts[:-1] for word in part)))
        yield from _joined(parts, is_own=is_own)
        if len(whole) == 2 and all(_HANGUL.fullmatch(word) for word in whole):
            yield from (_Name(words=("".join(each),), is_spared=not is_own) for each in (whole, whole[::-1]))
    for part in parts:
        yield from _part(part, is_own=is_own)


def _joined(parts: list[tuple[str, ...]], *, is_own: bool) -> Iterator[_Name]:
    """MinjunKim and KimMinjun, as people call themselves where no space is allowed."""
    for ordered in (parts, [parts[-1], *parts[:-1]]):
        word = "".join(piece for part in ordered for piece in part)
        if len(word) >= _SHORTEST_JOINED and not _HANGUL.search(word):
            yield _Name(words=(word,), needs_capital=not is_own, is_spared=not is_own)


def _part(part: tuple[str, ...], *, is_own: bool) -> Iterator[_Name]:
    letters = sum(len(word) for word in part)
    if letters < 2:
        return
    if _HANGUL.fullmatch(part[0]) and len(part) == 1:
        yield _Name(words=part, is_spared=not is_own)
        family = 2 if part[0].startswith(_TWO_SYLLABLE_FAMILIES) and letters == 4 else 1
        if letters == family + 2:
            yield _Name(words=(part[0][family:],), is_spared=not is_own, is_given=not is_own)
        return
    is_common = len(part) == 1 and part[0] in _common_words()
    if is_own or not is_common:
        yield _Name(words=part, needs_capital=letters <= 3 or is_common, is_spared=not is_own)


@cache
def _common_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # heavy

    return frozenset(ENGLISH_STOP_WORDS)


def _places(text: str, names: Names, spared: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where names stand, from left to right, none inside another or inside a marker."""
    words = [each for each in _WORD_OR_MARK.finditer(text) if not each.group().startswith("⟨")]
    end = 0
    for number, word in enumerate(words):
        if word.start() < end:
            continue
        stop = _end_of_name(text, words, number, names, spared)
        if stop is not None:
            yield word.start(), stop
            end = stop


def _end_of_name(
    text: str, words: list[re.Match[str]], number: int, names: Names, spared: frozenset[str]
) -> int | None:
    first = words[number].group()
    for length in range(min(len(first), _LONGEST_HANGUL), 1, -1) if _HANGUL.fullmatch(first) else (len(first),):
        for name in names.by_word.get(_plain(first[:length]), ()):
            stop = _end_of(text, words[number : number + len(name.words)], name, length)
            if stop is None or (name.needs_capital and not first[0].isupper()):
                continue
            if not (name.is_spared and len(name.words) == 1 and name.words[0] in spared):
                return stop
    return None


def _end_of(text: str, words: list[re.Match[str]], name: _Name, length: int) -> int | None:
    """Where the name ends that begins with the first of the words; ``length`` letters of it belong to the name."""
    if len(name.words) == 1:
        stop = words[0].start() + length
        rest = words[0].group()[length:]
        if name.is_given:
            return stop if _FOR_PEOPLE.match(text, stop) else None
        return stop if not rest or length > 2 or rest in _PARTICLES else None
    following = words[1:]
    if length < len(words[0].group()) or len(following) < len(name.words) - 1:
        return None
    for before, word, wanted in zip(words, following, name.words[1:], strict=False):
        is_last = word is following[-1]
        found = _plain(word.group())
        fits = found == wanted or (is_last and found.startswith(wanted) and found.removeprefix(wanted) in _PARTICLES)
        if not fits or not _BETWEEN.fullmatch(text, before.end(), word.start()):
            return None
    return following[-1].start() + len(name.words[-1])
