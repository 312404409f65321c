"""Plain-text handling for English and Korean: cleaning, sentences, clauses, terms, n-grams.

Everything here is linear in the length of the text, and :func:`clean` bounds that length, so that the largest paste
costs no more than a long essay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_CHARACTERS = 100_000
"""What is read of an answer; the rest of a longer one is cut off."""

BLANK = "\0"
"""Stands for a character that is not to be read, so that the places of the others stay; :func:`clean` leaves none.

No white space, since long runs of that cost the patterns below quadratic time.
"""

_LONG_SENTENCE_WORDS = 45
_WINDOW_WORDS = 30
_WORD_CHARACTERS = 100
_MAX_MARKS = 30

_SENTENCE_END = re.compile(
    r"(?<=[.?!…])[\"'”’)\]]*\s+"  # end of a sentence, then space
    r"|(?<=[。！？])\s*"
    r"|\s*[;；]\s*"
    r"|\s*\n\s*"
    r"|\s+(?=(?:[-*•·‣▪]|\(?\d{1,2}[.)])\s)"  # an item of a list written in one line
)
_LIST_MARK = re.compile(r"^\s*(?:[-*•·‣▪]+|\(?\d{1,2}[.)])\s+")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|etc|cf|approx|resp|fig|no|eq)|\b[A-Za-z]|\d)\.$", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r",\s+|\s+[-–—]\s+|:\s+|\s+\(|\)[,.]?\s+|\s+(?:but|while|whereas|because|so that|which|and then|and)\s+"
    r"|(?<=[가-힣](?:고|며))\s+|(?<=지만)\s+|(?<=는데)\s+|(?<=니까)\s+|(?<=해서)\s+|(?<=므로)\s+"
)
_KOREAN_END = re.compile(r"(?<=[가-힣](?:다|요|음|임|함|됨))\s+")
_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|\d+(?:\.\d+)?|[가-힣]+|[^\W\d_]+")
_TOKEN = re.compile(rf"[^\s{BLANK}]\S*")
_HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a text and where it stands there: ``raw`` is what the text holds from ``start`` to ``end``."""

    raw: str
    start: int = 0

    @property
    def end(self) -> int:
        """The index behind the last character."""
        return self.start + len(self.raw)

    @property
    def text(self) -> str:
        """The stretch with single spaces and without blanks."""
        return " ".join(self.raw.replace(BLANK, "").split())

    def cut(self, start: int, end: int) -> Part:
        """From ``start`` to ``end`` of this stretch, without white space around it."""
        raw = self.raw[start:end]
        return Part(raw=raw.strip(), start=self.start + start + len(raw) - len(raw.lstrip()))


def clean(text: str) -> str:
    """The text in NFC, without lone surrogates, control, invisible and bidirectional-format characters.

    White space becomes single spaces, line breaks of every kind stay as ``\\n``; at most :data:`MAX_CHARACTERS` are
    read. Cleaning a clean text changes nothing.
    """
    if _ORDINARY.fullmatch(text, 0, MAX_CHARACTERS):
        return _tidy(text[:MAX_CHARACTERS])
    # Invisible characters first: between a letter and its accent they would keep the two apart.
    kept = "".join(
        character
        for character in _LINE_BREAK.sub("\n", text[:MAX_CHARACTERS])
        if character in "\n\t" or not (unicodedata.category(character) in _DROPPED or _INVISIBLE.match(character))
    )
    # NFC makes a few rare characters longer, one mark two.
    return _tidy(_without_piles(unicodedata.normalize("NFC", _without_piles(kept)))[:MAX_CHARACTERS])


def language_of(text: str) -> str:
    """``ko`` or ``en``, by the share of Hangul among the letters; other Latin languages by their small words.

    ``und`` (undetermined) for text in another script or without letters.
    """
    letters = _LETTER.findall(text)
    if not letters:
        return "und"
    # Korean students mix English terms in; Hangul syllables carry about twice as much as a Latin letter.
    if 2 * len(_HANGUL.findall(text)) >= 0.3 * len(letters):
        return "ko"
    if sum(character < "\u0250" for character in letters) < 0.5 * len(letters):
        return "und"
    small_words = [word for word in words(text) if word in _FOREIGN_WORDS or word in STOP_WORDS]
    foreign = sum(word in _FOREIGN_WORDS and word not in STOP_WORDS for word in small_words)
    return "und" if foreign >= 3 and foreign > len(small_words) - foreign else "en"


def sentences(text: str) -> list[str]:
    """Sentences, list items and parts between semicolons; long unpunctuated stretches in windows of 30 words."""
    return [part.text for part in sentence_parts(text)]


def sentence_parts(text: str) -> list[Part]:
    """The :func:`sentences` with their places in ``text``; none goes beyond its line."""
    found: list[Part] = []
    for piece in _joined_after_abbreviations(text, _split(_SENTENCE_END, Part(raw=text))):
        mark = _LIST_MARK.match(piece.raw)
        bare = piece.cut(mark.end() if mark else 0, len(piece.raw))
        if _LETTER.search(bare.raw) or any(character.isdigit() for character in bare.raw):
            found.extend(_bounded(bare))
    return found


def clauses(sentence: str) -> list[str]:
    """Parts of a sentence at commas, conjunctions and Korean connective endings, each of at least three words.

    What stands between two parts belongs to neither; inside a part everything stays as it was written.
    """
    return [part.text for part in clause_parts(Part(raw=sentence))]


def clause_parts(sentence: Part) -> list[Part]:
    """The :func:`clauses` of a sentence with their places; empty when there is only one."""
    spans: list[tuple[int, int]] = []
    held: int | None = None
    for piece in _split(_CLAUSE_END, sentence):
        start, end = piece.start - sentence.start, piece.end - sentence.start
        held = start if held is None else held
        if len(sentence.raw[held:end].split()) >= 3:
            spans.append((held, end))
            held = None
    if held is not None and spans:
        spans[-1] = (spans[-1][0], len(sentence.raw))
    return [sentence.cut(start, end) for start, end in spans] if len(spans) > 1 else []


def words(text: str) -> list[str]:
    """Lower-case words and numbers in order."""
    return [match.group().lower() for match in _WORD.finditer(text)]


def terms(text: str) -> list[str]:
    """What carries content, in order: stems of English words without stop words, Hangul words without endings.

    A Hangul word of three syllables and more also gives its pairs of syllables, since endings vary and compounds are
    written with and without spaces.
    """
    found: list[str] = []
    for word in words(text):
        if _HANGUL.match(word):
            found.extend(_korean_terms(word))
        elif word not in STOP_WORDS:
            found.append(stem(word))
    return found


def stem(word: str) -> str:
    """An English word without its most common endings; short words and numbers stay as they are."""
    word = word.split("'")[0].split("’")[0]
    if not word.endswith(_ANY_ENDING):
        return word
    for ending, replacement in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)] + replacement
    return word


def ngrams(text: str, size: int = 3) -> set[str]:
    """Character n-grams of the lower-case words, each padded by a space; robust to typos and Korean endings."""
    found: set[str] = set()
    for word in words(text):
        padded = f" {word} "
        found.update(padded[start : start + size] for start in range(max(1, len(padded) - size + 1)))
    return found


def squeezed(text: str) -> str:
    """Lower-case letters and digits only: equal for texts that differ in spacing and punctuation."""
    return "".join(character for character in text.lower() if character.isalnum())


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _without_piles(text: str) -> str:
    """At most 30 marks on a letter, as in the stream-safe format of UAX #15: sorting more takes quadratic time."""
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def _split(pattern: re.Pattern[str], part: Part) -> Iterator[Part]:
    """The stretches between the matches of ``pattern``, without empty ones."""
    start = 0
    for match in pattern.finditer(part.raw):
        piece = part.cut(start, match.start())
        start = match.end()
        if piece.raw:
            yield piece
    rest = part.cut(start, len(part.raw))
    if rest.raw:
        yield rest


def _joined_after_abbreviations(text: str, pieces: Iterator[Part]) -> Iterator[Part]:
    # Only places are kept of what grows: a student may write ten thousand abbreviations.
    start = end = -1
    for piece in pieces:
        if start >= 0 and "\n" in text[end : piece.start]:
            yield Part(raw=text[start:end], start=start)
            start = -1
        start, end = (piece.start if start < 0 else start), piece.end
        if not _ABBREVIATION.search(piece.raw[-12:]):
            yield Part(raw=text[start:end], start=start)
            start = -1
    if start >= 0:
        yield Part(raw=text[start:end], start=start)


def _bounded(sentence: Part) -> Iterator[Part]:
    read = sentence.text
    if len(read.split()) <= _LONG_SENTENCE_WORDS and len(read) <= 600:
        yield sentence
        return
    for part in _split(_KOREAN_END, sentence):
        tokens = list(_TOKEN.finditer(part.raw))
        size = len(tokens) if len(tokens) <= _LONG_SENTENCE_WORDS else _WINDOW_WORDS
        for start in range(0, len(tokens), size):
            yield from _without_endless_words(part, tokens[start : start + size])


def _without_endless_words(part: Part, tokens: list[re.Match[str]]) -> Iterator[Part]:
    """The stretch of these tokens, ended after each word that is cut at 100 characters."""
    first = 0
    for number, token in enumerate(tokens):
        if len(token.group()) > _WORD_CHARACTERS:
            yield part.cut(tokens[first].start(), token.start() + _WORD_CHARACTERS)
            first = number + 1
    if first < len(tokens):
        yield part.cut(tokens[first].start(), tokens[-1].end())


def _korean_terms(word: str) -> Iterator[str]:
    bare = word
    for ending in KOREAN_ENDINGS:
        if word.endswith(ending) and len(word) > len(ending):
            bare = word[: -len(ending)]
            break
    if bare in KOREAN_STOP_WORDS or word in KOREAN_STOP_WORDS:
        return
    yield bare
    if len(bare) >= 3:
        yield from (bare[start : start + 2] for start in range(len(bare) - 1))


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn"}
_ORDINARY = re.compile("[\t\n -~가-힣ㄱ-ㅎㅏ-ㅣ]*")
_LINE_BREAK = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Fillers, joiners, variation selectors and the empty Braille cell: letters or marks by their category, yet unseen."""

STOP_WORDS = _listed(
    """
    a about above after again all also am an and any are as at be because been being below between both but by
    can could did do does doing done down during each etc few for from further get gets got had has have having
    he her here hers him his how i if in into is it its itself just kind lot me more most my of off on once one
    only or other our out over own really s same she should so some something such t than that the their them
    then there these they thing things this those through to too under until up us use used uses using very was
    way we were what when where which while who whom why will with would you your like
    """
)
_FOREIGN_WORDS = _listed(
    """
    der die das und ist nicht ein eine mit von zu den dem für auf wird werden sind wenn dass oder als auch le
    la les des une est et que qui dans pour pas sur avec sont ce cette el los las una es y en por con para se
    del como il lo gli di che non per sono della o os as um uma do da não com são het een van niet
    """
)
_ENDINGS = (
    ("isations", "is"), ("izations", "is"), ("isation", "is"), ("ization", "is"), ("ising", "is"), ("izing", "is"),
    ("ised", "is"), ("ized", "is"), ("ises", "is"), ("izes", "is"), ("ise", "is"), ("ize", "is"),
    ("fulness", ""), ("ations", ""), ("ation", ""), ("ments", ""), ("ment", ""), ("ness", ""), ("ities", ""),
    ("ity", ""), ("ings", ""), ("ing", ""), ("ions", ""), ("ion", ""), ("ively", ""), ("ive", ""), ("edly", ""),
    ("ied", "y"), ("ies", "y"), ("able", ""), ("ally", ""), ("ers", ""), ("ed", ""), ("er", ""), ("es", ""),
    ("ly", ""), ("s", ""), ("e", ""),
)  # fmt: skip
_ANY_ENDING = tuple(ending for ending, _ in _ENDINGS)
KOREAN_ENDINGS = tuple(
    sorted(
        _listed(
            """
        은 는 이 가 을 를 의 에 에서 에게 으로 로 와 과 도 만 까지 부터 보다 처럼 라는 이라는 이다 다 입니다 이에요
        예요 이며 이고 하고 하며 하는 하는데 하면 해서 해요 합니다 한다 하다 했다 할 한 함 되는 되고 되며 되면 돼서
        돼요 됩니다 된다 되다 된 됨 이나 나 들 들이 들을 들은 들의 이란 란 인데 이라서 라서 이라 적인 적으로 습니다
        어요 아요 는다 ㄴ다 네요 지만 는데 니까 므로 에는 에도 에서는 으로는 로는 과의 와의
        """
        ),
        key=len,
        reverse=True,
    )
)
KOREAN_STOP_WORDS = _listed(
    """
    것 거 수 때 때문 때문에 그 이 저 및 또는 그리고 그래서 하지만 그런데 대한 대해 위해 통해 경우 정도 등 더 잘
    가장 매우 아주 같은 같이 있는 있다 있어요 있습니다 없는 없다 하는 되는 즉 예를 들어 들면 어떤 무엇 왜 각각
    모두 다시 좀 그냥 이런 그런 우리 제가 저는
    """
)
