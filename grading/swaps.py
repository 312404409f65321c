"""Facts told the wrong way round: the model answer says p of A and q of B, the answer q of A and p of B.

A reader of tokens finds every word of the model answer there, and a cosine hardly moves. So words are counted, in two
ways that are blind to a swap in other words but hardly ever see one that is not there:

- **Neighbours**: "x recall, y precision" is told as "x precision, y recall", and in the whole answer neither word has a
  neighbour that is its own in the model answer.
- **Topics**: two topics stand in front of clauses, and what follows the one in the model answer follows the other in
  the answer, with next to nothing in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from grading.statements import Neighbour, Neighbours, Run, Told, fact_terms, placed_terms, second_names
from grading.text import clean, stem, words

_READ, _READ_OF_REFERENCE, _READ_OF_PROMPT = 8_000, 8_000, 2_000
"""Characters: more than the encoder reads."""
_MOST_TOPICS = 12
_FEWEST_DISPLACED = 5
_SURE_KO, _SURE_EN = (1, 1.5), (2, 6)
"""How many runs of terms of each topic must be told of the other, and how many for each that is in its place.

Korean marks its topics, in English they are guessed from what stands in front.
"""
_COORDINATED_WITHIN = 3
_COORDINATES = re.compile(r"\b(?:and|or|vs|versus|from|but)\b|[,/&]")
_HANGUL = re.compile("[가-힣]")

# An answer with such words may say of A that it is not q, or in a sentence on A what B is, or a ratio.
_TURNS = re.compile(
    r"\b(?:not?|never|cannot|without|lacks?|neither|nor|none|unlike|\w+n['’]t|missing|than|instead|rather|unable|hardly"
    r"|fails?|false|wrong|untrue|myth|misconceptions?|mistake|opposite|opposed|reverse[ds]?|contrary|contrast|contrasted"
    r"|compared|differs?|differently|conversely|which|who|whose)\b|,\s+that\b|\s/\s"
    r"|않|아니|아닌|아님|없|못|달리|다르|다른|반대|거꾸로|오해|착각|잘못|틀[리린렸려]|대신|말고|비해|보다|차지",
    re.IGNORECASE,
)
# "A low k raises what a high k lowers": with these words the other way round is the same.
_DIRECTIONS_EN = frozenset(
    stem(word)
    for word in words(
        """
        increase increasing decrease decreasing raise raising raised rise rising rose lower lowering high low
        large small big great more less few many much grow growing shrink shrinking fall falling drop dropping
        reduce reducing fast slow quick strong weak better worse good bad long short deep shallow simple
        complex minimise minimize maximise maximize gain lose losing slight
        """
    )
)
_DIRECTION_KO = re.compile(
    r"높|낮|크|큰|커|작|늘|줄|증가|감소|상승|하락|올라|올리|내려|내리|떨어|많|적[은어으게]|강|약[하한해]|빠르|빨|느리|느려"
    r"|좋|나쁘|나빠|길|짧|깊|얕|단순|복잡|최소|최대|과대|과소"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What an answer tells the wrong way round.

    ``told_of_other``: terms (:func:`fact_terms`) of the model answer with the words that belong to each, and that the
    answer tells of another of them. ``names``: terms that stand for others.
    """

    told_of_other: Mapping[str, frozenset[str]]
    names: Mapping[str, str]
    is_by_topic: bool

    def concerns(self, statement: str) -> bool:
        """Whether a key point or a sentence says something that was swapped."""
        said = {self.names.get(term, term) for term in fact_terms(statement)}
        return any(term in said and not words.isdisjoint(said) for term, words in self.told_of_other.items())


class Facts:
    """What a model answer says of what; built once a question."""

    def __init__(self, prompt: str, reference: str) -> None:
        """Take the question's prompt, and a model answer or key points in sentences."""
        self._prompt = clean(prompt)[:_READ_OF_PROMPT]
        self._reference = clean(reference)[:_READ_OF_REFERENCE]
        self._told = Told.of(self._reference, {})
        self._owners = _owners(self._told.neighbours)
        self._is_korean = bool(_HANGUL.search(self._reference))

    def swap_in(self, answer: str) -> Swap | None:
        """What ``answer``, a clean text, tells the wrong way round; ``None`` where no swap is found for certain."""
        answer = answer[:_READ]
        if self._turns(answer):
            return None
        return self._swapped_neighbours(Told.of(answer, {})) or self._swapped_topics(answer)

    def says(self, answer: str, swap: Swap) -> bool:
        """Whether this text says the same as ``answer`` of what by another text is swapped."""
        answer = answer[:_READ]
        if swap.is_by_topic:
            _, reference, told = self._alike(answer)
            known, displaced, _ = _compared(reference, told, *swap.told_of_other)
            return len(known) > 2 * len(displaced)
        neighbours = Told.of(answer, {}).neighbours
        return any(self._told.neighbours.get(term, set()) & neighbours.get(term, set()) for term in swap.told_of_other)

    def _turns(self, answer: str) -> bool:
        """Whether the answer has words of negation, contrast or reversal that the model answer has not."""
        own = {match.group().lower() for match in _TURNS.finditer(self._reference)}
        return any(match.group().lower() not in own for match in _TURNS.finditer(answer))

    def _swapped_neighbours(self, told: Told) -> Swap | None:
        found: dict[str, frozenset[str]] = {}
        for one, other in self._exchanged(told.neighbours):
            own, others = _apart(self._told.neighbours, one, other), _apart(self._told.neighbours, other, one)
            said, said_of_other = _apart(told.neighbours, one, other), _apart(told.neighbours, other, one)
            if said & own or said_of_other & others:
                continue
            wrong, wrong_of_other = said & others, said_of_other & own
            sides = {side for side, _ in wrong} & {side for side, _ in wrong_of_other}
            exchanged = {one, other, *(word for _, word in wrong | wrong_of_other)}
            if (
                sides
                and not any(map(_is_direction, exchanged))
                and told.has_side_by_side((one, wrong), (other, wrong_of_other))
                and self._told.has_side_by_side((other, wrong), (one, wrong_of_other))
            ):
                found[one] = frozenset(word for _, word in wrong_of_other)
                found[other] = frozenset(word for _, word in wrong)
        return Swap(told_of_other=found, names={}, is_by_topic=False) if found else None

    def _exchanged(self, said: Neighbours) -> list[tuple[str, str]]:
        """Pairs of words each of which stands beside a neighbour of the other."""
        beside = {
            word: {owner for neighbour in said[word] for owner in self._owners.get(neighbour, ()) if owner != word}
            for word in said
            if word in self._told.neighbours
        }
        return sorted(
            (one, other) for one in beside for other in beside[one] if one < other and one in beside.get(other, ())
        )

    def _swapped_topics(self, answer: str) -> Swap | None:
        names, reference, told = self._alike(answer)
        for one, other in combinations(sorted(reference.topics & told.topics)[:_MOST_TOPICS], 2):
            if _is_direction(one) or _is_direction(other):
                continue
            if not self._is_korean and not self._are_asked_for(one, other, names):
                continue
            known, displaced, right = _compared(reference, told, one, other)
            of_one, of_other = ([run for run in displaced if topic in right[run]] for topic in (one, other))
            # Where only the order of words differs, "p of q" may be told as "q has p".
            has_words = any(len(run) == 1 for run in displaced)
            if has_words and self._is_swap(len(of_one), len(of_other), in_place=len(known) - len(displaced)):
                told_of_other = {one: frozenset[str]().union(*of_one), other: frozenset[str]().union(*of_other)}
                return Swap(told_of_other=told_of_other, names=names, is_by_topic=True)
        return None

    def _alike(self, answer: str) -> tuple[Mapping[str, str], Told, Told]:
        """The second names of terms, and model answer and answer with the first ones in their place."""
        names = second_names(self._prompt, self._reference, answer)
        return names, Told.of(self._reference, names), Told.of(answer, names)

    def _is_swap(self, of_one: int, of_other: int, *, in_place: int) -> bool:
        """Whether so many runs of terms of each of two topics, told of the other, are more than the rest by far."""
        fewest, for_each_in_place = _SURE_KO if self._is_korean else _SURE_EN
        least = max(_FEWEST_DISPLACED, for_each_in_place * in_place)
        return min(of_one, of_other) >= fewest and of_one + of_other >= least

    def _are_asked_for(self, one: str, other: str, names: Mapping[str, str]) -> bool:
        """Whether the question joins the two, "X and Y", "X/Y": English marks no topics, so they must be said there."""
        found = [(names.get(term, term), place) for term, place in placed_terms(self._prompt)]
        return any(
            {one, other} == {term, later} and bool(_COORDINATES.search(self._prompt[end:start]))
            for number, (term, (_, end)) in enumerate(found)
            for later, (start, _) in found[number + 1 : number + 1 + _COORDINATED_WITHIN]
        )


def _compared(reference: Told, told: Told, one: str, other: str) -> tuple[list[Run], list[Run], Mapping[Run, set[str]]]:
    """Runs of terms that follow one of two topics only, in both texts; those of the other topic in ``told``."""
    right, said = reference.runs_by_topic(one, other), told.runs_by_topic(one, other)
    known = [
        run
        for run in right
        if len(right[run]) == 1 and len(said.get(run, ())) == 1 and not any(map(_is_direction, run))
    ]
    return known, [run for run in known if right[run] != said[run]], right


def _is_direction(term: str) -> bool:
    return term in _DIRECTIONS_EN or _DIRECTION_KO.match(term) is not None


def _owners(neighbours: Neighbours) -> dict[Neighbour, set[str]]:
    found: dict[Neighbour, set[str]] = {}
    for word, beside in neighbours.items():
        for neighbour in beside:
            found.setdefault(neighbour, set()).add(word)
    return found


def _apart(neighbours: Neighbours, one: str, other: str) -> set[Neighbour]:
    """The neighbours of ``one`` that ``other`` has not, and that are not one of the two."""
    return {each for each in neighbours[one] - neighbours[other] if each[1] not in (one, other)}


def find_swap(facts: Sequence[Facts], answer: str) -> Swap | None:
    """What ``answer`` tells the wrong way round by one of several model answers, unless another says what it says."""
    for each in facts:
        swap = each.swap_in(answer)
        if swap is not None and not any(other.says(answer, swap) for other in facts if other is not each):
            return swap
    return None
