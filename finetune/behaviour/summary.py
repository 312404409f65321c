"""What the outcomes come to: passed and total by language, sort, name and origin, and the two measures of length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finetune.behaviour.case import GATES
from finetune.behaviour.judging import Outcome

LEAST_SHARE = 0.97
"""The share of cases that has to be passed in each language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many of the cases were passed."""

    passed: int
    total: int

    @property
    def share(self) -> float:
        """0..1; 1 when there are none."""
        return self.passed / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean and the number of answers behind it."""

    value: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Keys are joined by a slash: ``en/direction``, ``en/direction/antonym/unseen``, ``en/injected``.

    ``short_error`` is the mean absolute error of short right answers, ``long_wrong_mean`` the mean fraction of long
    wrong ones, both by language and on unseen questions only.
    """

    by_language: dict[str, Tally]
    by_sort: dict[str, Tally]
    by_origin: dict[str, Tally]
    by_name: dict[str, Tally]
    by_gate: dict[str, Tally]
    short_error: dict[str, Mean]
    long_wrong_mean: dict[str, Mean]

    @property
    def is_good(self) -> bool:
        """Whether each language passes :data:`LEAST_SHARE` and not a single gate fails."""
        return all(tally.share >= LEAST_SHARE for tally in self.by_language.values()) and all(
            tally.passed == tally.total for tally in self.by_gate.values()
        )

    def as_json(self) -> dict[str, Any]:
        """For programs: plain dictionaries."""
        return {**asdict(self), "is_good": self.is_good}


def summary_of(outcomes: Sequence[Outcome]) -> Summary:
    """The summary of a judgement."""
    gated = [outcome for outcome in outcomes if outcome.case.name in GATES]
    return Summary(
        by_language=_tallies(outcomes, lambda found: found.case.language),
        by_sort=_tallies(outcomes, lambda found: f"{found.case.language}/{found.case.sort}"),
        by_origin=_tallies(outcomes, lambda found: f"{found.case.language}/{_origin(found)}"),
        by_name=_tallies(
            outcomes,
            lambda found: f"{found.case.language}/{found.case.sort}/{found.case.name}/{_origin(found)}",
        ),
        by_gate=_tallies(gated, lambda found: f"{found.case.language}/{GATES[found.case.name]}"),
        short_error=_means(outcomes, "short and right", lambda got: abs(1.0 - got)),
        long_wrong_mean=_means(outcomes, "long and wrong", lambda got: got),
    )


def worst(outcomes: Iterable[Outcome], count: int) -> list[Outcome]:
    """``count`` failures, a name never twice in a row as long as there are others."""
    left: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if not outcome.passed:
            left.setdefault((outcome.case.name, outcome.case.language), []).append(outcome)
    found: list[Outcome] = []
    while left and len(found) < count:
        # The names with most failures first, one of each in turn.
        for key in sorted(left, key=lambda key: -len(left[key])):
            found.append(left[key].pop(0))
        left = {key: rest for key, rest in left.items() if rest}
    return found[:count]


def _origin(outcome: Outcome) -> str:
    return "seen" if outcome.case.seen else "unseen"


def _tallies(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, Tally]:
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total[key(outcome)] += 1
        passed[key(outcome)] += outcome.passed
    return {name: Tally(passed=passed[name], total=total[name]) for name in total}


def _means(outcomes: Iterable[Outcome], name: str, measure: Callable[[float], float]) -> dict[str, Mean]:
    values: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.case.name == name and not outcome.case.seen:
            values.setdefault(outcome.case.language, []).append(measure(outcome.got))
    return {
        language: Mean(value=round(sum(found) / len(found), 4), count=len(found)) for language, found in values.items()
    }
