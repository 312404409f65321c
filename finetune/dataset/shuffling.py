"""Do the scores follow the answers? Shuffled labels teach nothing, and look like any others row by row.

An answer that says more of what the model answer says gets, on the whole, more points. That is weak for one answer, but
over a set it is far from chance: a permutation test (Fisher 1935; Good 2005) of the rank correlation within questions.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from finetune.dataset.finding import Finding, Material
from finetune.dataset.records import DatasetQuestion, Example
from grading.text import clean, terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_EXAMPLES = 30

_MANY_EXAMPLES, _MOST_EXAMPLES = 100, 5_000
_DOUBT_FEW, _DOUBT_MANY = 0.5, 0.05
"""A p above this is doubtful: few answers to hard questions scatter, a hundred do not."""
_PERMUTATIONS = 500
_READ_CHARACTERS = 5_000


def shuffling_findings(material: Material) -> Iterator[Finding]:
    """A finding where the scores have no or a negative relation to what the answers say."""
    import numpy as np

    chosen = [index for index, example in enumerate(material.examples) if example.score is not None]
    if len(chosen) < FEWEST_EXAMPLES:
        return
    judged = random.Random(0).sample(chosen, min(len(chosen), _MOST_EXAMPLES))
    examples = [material.examples[index] for index in judged]
    overlaps = np.array(_overlaps(examples, material.by_id()))
    scores = np.array([example.score for example in examples])
    if np.ptp(scores) == 0 or np.ptp(overlaps) == 0:
        return
    p = p_of_shuffling(overlaps, scores, [example.question for example in examples])
    if p > (_DOUBT_MANY if len(chosen) >= _MANY_EXAMPLES else _DOUBT_FEW):
        text = (
            f"The scores do not follow the answers (p = {p:.2f} that they are shuffled so or better): are they in the"
            " rows that they belong to?"
        )
        yield Finding(kind="scores_shuffled", text=text, groups=material.at(chosen))


def p_of_shuffling(overlaps: NDArray[np.float64], scores: NDArray[np.float64], questions: Sequence[str]) -> float:
    """The share of shuffled scores that follow the overlaps as well as these do, 0..1, the same at every call.

    Scores are shuffled within questions, unless hardly any question has two answers.
    """
    import numpy as np

    groups: dict[str, list[int]] = defaultdict(list)
    for index, question in enumerate(questions):
        groups[question].append(index)
    rows = [np.array(group) for group in groups.values() if len(group) > 1]
    if sum(map(len, rows)) < FEWEST_EXAMPLES:
        rows = [np.arange(len(scores))]
    said, given = _ranks(overlaps), _ranks(scores)
    for row in rows:
        said[row] -= said[row].mean()
    chance = np.random.default_rng(0)

    def agreement(shuffled: bool) -> float:
        return sum(float(said[row] @ (chance.permutation(given[row]) if shuffled else given[row])) for row in rows)

    observed = agreement(shuffled=False) - 1e-9
    better = sum(agreement(shuffled=True) >= observed for _ in range(_PERMUTATIONS))
    return (1 + better) / (1 + _PERMUTATIONS)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, equal values at the mean of theirs."""
    import numpy as np

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]


def _overlaps(examples: Sequence[Example], questions: Mapping[str, DatasetQuestion]) -> list[float]:
    """How much an answer shares with the model answer that is nearest: Dice's coefficient of their terms."""
    wanted = {name: [_terms(text) for text in question.model_answers] for name, question in questions.items()}
    found: list[float] = []
    for example in examples:
        said = _terms(example.answer)
        found.append(max(2 * len(said & each) / max(1, len(said) + len(each)) for each in wanted[example.question]))
    return found


def _terms(text: str) -> frozenset[str]:
    return frozenset(terms(clean(text[:_READ_CHARACTERS])))
