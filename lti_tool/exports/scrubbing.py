"""Take out of a student's text what says who somebody is, and leave a mark of what it was."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from lti_tool.exports.names import Names, replace_names
from lti_tool.exports.patterns import Kind, replace_forms

MARKS: dict[Kind, str] = {"name": "⟨name⟩", "mail": "⟨mail⟩", "phone": "⟨phone⟩", "id": "⟨id⟩"}
#: A platform's id of a person is looked for in texts unless it is as short as any number.
_SHORTEST_SUB = 5
#: Digits and signs as East Asian keyboards write them.
_WIDE = str.maketrans("０１２３４５６７８９＋－＠", "0123456789+-@")
#: Particles of Korean stand directly after an id and are no part of it.
_TOKEN = re.compile(r"[^\W가-힣](?:[^\W가-힣]|[.@:-])*")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The people of a course: their names, and what the platform calls them."""

    names: Names
    subs: frozenset[str]

    @classmethod
    def of(cls, people: Iterable[tuple[str, str | None]]) -> People:
        """From pairs of the platform's id and a name."""
        known = list(people)
        return cls(
            names=Names.of_others(name for _, name in known if name),
            subs=frozenset(sub.casefold() for sub, _ in known if len(sub) >= _SHORTEST_SUB),
        )


@dataclass(slots=True, kw_only=True)
class Scrubber:
    """Scrubs the texts of one course after the other; ``counts`` says how often what was found."""

    people: People
    counts: Counter[str] = field(default_factory=Counter)

    def scrub(self, text: str, *, own_name: str | None, spared: frozenset[str]) -> str:
        """The text without personal data; ``spared``: the words of the question, which name nobody else."""
        text = unicodedata.normalize("NFC", text).translate(_WIDE)
        text = _TOKEN.sub(lambda found: self._without_sub(found.group()), text)
        text = replace_forms(text, self._mark)
        for names, kept in ((_own(own_name or ""), frozenset[str]()), (self.people.names, spared)):
            text, count = replace_names(text, names, spared=kept, marker=MARKS["name"])
            self.counts["name"] += count
        return text

    def _without_sub(self, token: str) -> str:
        plain = token.rstrip(".@:-")
        return self._mark("id") + token[len(plain) :] if plain.casefold() in self.people.subs else token

    def _mark(self, kind: Kind) -> str:
        self.counts[kind] += 1
        return MARKS[kind]


@lru_cache(maxsize=256)
def _own(name: str) -> Names:
    return Names.own(name)
