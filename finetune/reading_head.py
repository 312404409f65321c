"""Fit the head of a reader on out-of-fold readings: signs → fraction, conformal interval, verdict thresholds.

The readings come from readers that had not seen the question (``readings.jsonl`` of a run); the head is judged on
questions that it has not seen either. Trees are grown by scikit-learn and exported as plain numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.head_fitting import exported_tree
from grading.answer_signs import SIGNS
from grading.domain import Verdict
from grading.head import Interval, Trees, interval_to_json, trees_to_json
from grading.reading_model import SCHEMA_VERSION, ReadingModel

FOLDS = 8
_SHAPE: dict[str, Any] = {"n_estimators": 100, "max_leaf_nodes": 128, "min_samples_leaf": 6, "max_features": 0.5}
_MADE_UP_WEIGHT = 0.03
_TRIED_WEIGHT = 0.15
_TRIED = frozenset(
    (
        "key_points",
        "terse_key_points",
        "reference",
        "reference_plain",
        "reference_and_filler",
        "reordered_reference",
        "other_question",
        "filler",
        "shuffled_words",
        "word_salad",
        "synonyms",
        "polite",
        "wrong_appended",
        "repeated_point",
    )
)
"""Answers that no student writes often and that every grader is tried with: the points themselves, another answer."""
_READ_APART = frozenset(("denied",))
"""Read otherwise when the model serves (``ReadLogits.with_denied``), so that the head must not learn from them."""
_PARTS = 10
_COVERAGE = 0.9
_CLOSE = 0.15
_FEWEST = 40  # real answers in a part
_PARTIAL_BAND = 0.25
_SURE_SHARE = 0.8
_ELSEWHERE_SIGNS = ("reference_said", "points_said", "near_asked", "near_point", "near_ahead")
_ELSEWHERE_KINDS = ("other_question", "filler")
_RIGHT_FROM = 0.3
_LOST_SHARE = 0.01

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadRow:
    """One answer: its ``signs`` ``[len(SIGNS)]``, the tutor's ``score``, and how much it weighs.

    ``said`` and ``contradicted`` are the probabilities of each key point, ``verdicts`` the true ones, empty where only
    the score is known.
    """

    group: str
    source: str
    kind: str
    is_made_up: bool
    weight: float
    score: float
    signs: Rows
    said: Rows
    contradicted: Rows
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedReadingHead:
    """``content`` is what ``head.json`` holds; ``fractions`` and ``doubts`` are cross-validated, one of each a row.

    Of remembered rows there are none.
    """

    content: dict[str, Any]
    interval: Interval
    fractions: Rows
    doubts: Rows


def fit_head(
    rows: Sequence[HeadRow],
    seed: int,
    *,
    remembered: Sequence[HeadRow] = (),
    begun: ReadingModel | None = None,
) -> FittedReadingHead:
    """The head of these rows, and what heads make of each row that saw nothing of its question.

    Intervals and thresholds come from the cross-validated fractions of real answers. ``remembered`` are rows that an
    earlier head was fitted on; of ``begun``, the model with that head, the thresholds and what is elsewhere stay: a
    course's scores say nothing of key points, and little of other subjects.
    """
    both = [*rows, *remembered]
    votes, doubts = cross_validated(both, seed)
    curve = calibration_curve(both, votes)
    fractions = cross_calibrated(both, votes, seed)
    interval = conformal_interval(both, fractions, doubts)
    content = {
        "schema_version": SCHEMA_VERSION,
        "fraction": trees_to_json(_exported(_grown(both, seed))),
        "curve": {"from": list(curve[0]), "to": list(curve[1])},
        "interval": interval_to_json(interval),
        "verdicts": verdict_thresholds(rows) if begun is None else asdict(begun.thresholds),
        "elsewhere": elsewhere_rule(rows) if begun is None else begun.elsewhere and asdict(begun.elsewhere),
    }
    own = slice(len(rows))
    return FittedReadingHead(content=content, interval=interval, fractions=fractions[own], doubts=doubts[own])


def made_up_weight(kind: str) -> float:
    """How much a made-up answer of this kind weighs beside a real one of its source."""
    if kind in _READ_APART:
        return 0.0
    return _TRIED_WEIGHT if kind in _TRIED else _MADE_UP_WEIGHT


def cross_validated(rows: Sequence[HeadRow], seed: int) -> tuple[Rows, Rows]:
    """The mean vote on each row of trees that have not seen its question, and how far apart those trees are."""
    signs = np.stack([row.signs for row in rows])
    fractions, doubts = np.zeros(len(rows)), np.zeros(len(rows))
    for train, test in _folds(rows, seed):
        forest = _grown([rows[index] for index in train], seed)
        votes = np.stack([tree.predict(signs[test]) for tree in forest.estimators_])
        fractions[test], doubts[test] = votes.mean(axis=0), votes.std(axis=0)
    return np.clip(fractions, 0, 1), doubts


def cross_calibrated(rows: Sequence[HeadRow], votes: Rows, seed: int) -> Rows:
    """The fraction of each row by a curve that was fitted on other questions, as the figures need it."""
    fractions = np.zeros(len(rows))
    for train, test in _folds(rows, seed):
        fractions[test] = np.interp(votes[test], *calibration_curve([rows[index] for index in train], votes[train]))
    return fractions


def calibration_curve(rows: Sequence[HeadRow], fractions: Rows) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A rising curve from the forest's mean, which shuns both ends of the scale, to the score; 21 points.

    Isotonic (Zadrozny and Elkan 2002), averaged over neighbours: a step would part two nearly equal answers.
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(
        fractions, [row.score for row in rows], sample_weight=_weights(rows)
    )
    grid = np.linspace(0, 1, 21)
    smooth = [float(fitted.predict(np.clip(np.linspace(at - 0.04, at + 0.04, 9), 0, 1)).mean()) for at in grid]
    return tuple(round(float(at), 4) for at in grid), tuple(round(to, 4) for to in smooth)


def conformal_interval(rows: Sequence[HeadRow], fractions: Rows, doubts: Rows) -> Interval:
    """Half-widths that hold 90 % of the out-of-fold errors of real answers, by how far apart the trees are.

    Mondrian conformal prediction (Vovk et al. 2005) in parts of like doubt; the spread of a forest tells where it errs
    (Johansson et al. 2014). Each source weighs the same, however large it is: a new course may be like any of them.
    """
    real = [index for index, row in enumerate(rows) if not row.is_made_up]
    predicted = fractions[real]
    errors = np.abs(predicted - np.array([rows[index].score for index in real]))
    sources = Counter(rows[index].source for index in real)
    weights = np.array([len(real) / sources[rows[index].source] for index in real])
    wanted = min(_PARTS, max(len(real) // _FEWEST, 1))
    edges = np.unique(np.round(np.quantile(doubts[real], np.arange(1, wanted) / wanted), 4))
    parts = np.searchsorted(edges, doubts[real])
    held = [parts == part if (parts == part).any() else parts >= 0 for part in range(len(edges) + 1)]
    widths = [_quantile(errors[own], weights[own], _COVERAGE) for own in held]
    confidences = [np.average(errors[own] <= _CLOSE, weights=weights[own]) for own in held]
    return Interval(
        edges=tuple(edges.tolist()),
        # More doubt never promises more.
        half_widths=tuple(round(float(width), 4) for width in np.maximum.accumulate(widths)),
        confidences=tuple(round(float(share), 4) for share in np.minimum.accumulate(confidences)),
    )


def verdict_thresholds(rows: Sequence[HeadRow]) -> dict[str, float]:
    """The thresholds with the most verdicts right, covered points and others weighing the same in each step.

    That a point is contradicted is said only where four in five such verdicts are right: who hears it of a right
    answer trusts nothing else.
    """
    points = [
        (said, contradicted, verdict)
        for row in rows
        if row.verdicts and not row.is_made_up
        for said, contradicted, verdict in zip(row.said, row.contradicted, row.verdicts, strict=True)
    ]
    if not points:
        return {"covered_from": 0.65, "partial_from": 0.35, "contradicted_from": 0.5}
    said = np.array([point[0] for point in points])
    contradicted = np.array([point[1] for point in points])
    truth = np.array([point[2].value for point in points])
    grid = np.round(np.arange(0.2, 0.85, 0.05), 2)
    covered = max(grid, key=lambda at: _balanced(said >= at, truth == Verdict.COVERED))
    partial = max(
        [at for at in grid if at <= covered - _PARTIAL_BAND] or [covered / 2],
        key=lambda at: _balanced(said >= at, np.isin(truth, [Verdict.COVERED, Verdict.PARTIAL])),
    )
    unsaid = said < covered
    is_wrong = truth[unsaid] == Verdict.CONTRADICTED
    strict = np.round(np.arange(0.5, 1.0, 0.05), 2)
    wrong = next((at for at in strict if _precision(contradicted[unsaid] >= at, is_wrong) >= _SURE_SHARE), strict[-1])
    return {"covered_from": float(covered), "partial_from": float(partial), "contradicted_from": float(wrong)}


def elsewhere_rule(rows: Sequence[HeadRow]) -> dict[str, Any] | None:
    """What tells filler and answers to other questions from right ones where both have few known words.

    A logistic regression. One in a hundred of the right ones in other words may be lost; they are flagged, so that a
    person sees them. None where too few of either are there to tell by.
    """
    from sklearn.linear_model import LogisticRegression

    in_other_words = [row for row in rows if row.signs[SIGNS.index("near_asked")] < 1]
    strays = [row for row in in_other_words if row.kind in _ELSEWHERE_KINDS]
    right = [row for row in in_other_words if not row.is_made_up and row.score >= _RIGHT_FROM]
    if min(len(strays), len(right)) < _FEWEST:
        return None
    columns = [SIGNS.index(name) for name in _ELSEWHERE_SIGNS]
    signs = np.stack([row.signs[columns] for row in (*strays, *right)])
    scale = np.maximum(signs.std(axis=0), 1e-6)
    fitted = LogisticRegression().fit(signs / scale, [True] * len(strays) + [False] * len(right))
    weights = fitted.coef_[0] / scale
    bias = -float(np.quantile(signs[len(strays) :] @ weights, 1 - _LOST_SHARE))
    return {"signs": list(_ELSEWHERE_SIGNS), "weights": [round(float(x), 5) for x in weights], "bias": round(bias, 5)}


def _folds(rows: Sequence[HeadRow], seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    return folds.split(rows, groups=[row.group for row in rows])


def _grown(rows: Sequence[HeadRow], seed: int) -> Any:  # noqa: ANN401 - scikit-learn has no types
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(**_SHAPE, random_state=seed).fit(
        np.stack([row.signs for row in rows]), [row.score for row in rows], sample_weight=_weights(rows)
    )


def _weights(rows: Sequence[HeadRow]) -> Rows:
    return np.array([row.weight for row in rows])


def _exported(forest: Any) -> Trees:  # noqa: ANN401 - scikit-learn has no types
    """A forest gives the mean of its trees."""
    trees = tuple(exported_tree(estimator.tree_) for estimator in forest.estimators_)
    return Trees(features=SIGNS, base=0.0, rate=1 / len(trees), trees=trees)


def _quantile(values: Rows, weights: Rows, share: float) -> float:
    """The smallest value that so large a share of the weight is not above, one value more for the unseen one."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / (weights.sum() + weights.mean())
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])


def _precision(given: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    """The share right of what is given; 0 where nothing is."""
    return float(wanted[given].mean()) if given.any() else 0.0


def _balanced(given: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    """The mean of the shares right among those wanted and among the others."""
    if wanted.all() or not wanted.any():
        return 0.0
    return float((given[wanted].mean() + (~given[~wanted]).mean()) / 2)
