"""Grow the trees of a scoring head and judge them on questions that they have not seen.

Folds are cut by question id, so that the two languages of a question stay together; the curve and the interval come
from out-of-fold predictions. Trees are grown by scikit-learn and exported as plain numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grading.domain import Verdict
from grading.features import FEATURES, LEXICAL_FEATURES
from grading.head import Interval, Trees
from grading.metrics import grading_metrics

if TYPE_CHECKING:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    _Boosted = GradientBoostingClassifier | GradientBoostingRegressor

MADE_UP_WEIGHT = 0.2
FOLDS = 5
PORTABLE_FEATURES = (*LEXICAL_FEATURES, "best", "whole", "margin", "precision_mean", "answer_to_reference", "points")
_COSINE_FEATURES = ("best", "whole", "margin", "precision_mean", "answer_to_reference")
_INTERVAL_EDGES = (0.15, 0.4, 0.65, 0.85)
_INTERVAL_COVERAGE = 0.9
_CLOSE = 0.15
_TARGETS = {Verdict.COVERED: 1.0, Verdict.PARTIAL: 0.5, Verdict.MISSING: 0.0, Verdict.CONTRADICTED: 0.0}

_SHAPE: dict[str, Any] = {"learning_rate": 0.06, "min_samples_leaf": 12, "subsample": 0.7, "max_features": 0.4}
_NEVER = -5.0
"""Log odds of a contradiction where the answers show none to learn from."""

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingAnswer:
    """An answer with its features ``[key points, FEATURES]`` (``None`` where the guard leaves nothing to score).

    ``verdicts`` are empty where only the score is known, ``weights`` are those of the key points.
    """

    group: str
    language: str
    kind: str
    is_real: bool
    score: float
    verdicts: tuple[Verdict, ...]
    weights: tuple[float, ...]
    rows: Rows | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedHead:
    """Coverage and contradiction trees with the curve from weighted coverage to the fraction."""

    coverage: Trees
    contradiction: Trees
    curve: tuple[tuple[float, ...], tuple[float, ...]]

    def total(self, answer: TrainingAnswer) -> float:
        """The weighted coverage before the curve; 0 where the guard left nothing."""
        if answer.rows is None:
            return 0.0
        return float(np.average(np.clip(self.coverage(answer.rows), 0, 1), weights=answer.weights))

    def fraction(self, answer: TrainingAnswer) -> float:
        """The fraction that the grader would give."""
        return 0.0 if answer.rows is None else float(np.interp(self.total(answer), *self.curve))


def fit(
    answers: Sequence[TrainingAnswer],
    features: Sequence[str],
    seed: int,
    curve: tuple[tuple[float, ...], tuple[float, ...]] = ((0.0, 1.0), (0.0, 1.0)),
) -> FittedHead:
    """Grow the trees on these answers."""
    from sklearn.ensemble import GradientBoostingRegressor

    rows, coverage, contradicted, weights = _table(answers, features, seed)
    known = contradicted >= 0
    regressor = GradientBoostingRegressor(**_SHAPE, n_estimators=120, max_depth=4, random_state=seed).fit(
        rows, coverage, sample_weight=weights
    )
    return FittedHead(
        coverage=exported_trees(regressor, features, float(np.average(coverage, weights=weights))),
        contradiction=_contradiction_trees(rows[known], contradicted[known], weights[known], features, seed),
        curve=curve,
    )


def cross_validated(answers: Sequence[TrainingAnswer], features: Sequence[str], seed: int) -> list[float]:
    """The weighted coverage of each answer by trees that have not seen its question."""
    totals = [0.0] * len(answers)
    for fold in _folds(answers, seed):
        fitted = fit([answer for answer in answers if answer.group not in fold], features, seed)
        for index, answer in enumerate(answers):
            if answer.group in fold:
                totals[index] = fitted.total(answer)
    return totals


def calibration_curve(
    answers: Sequence[TrainingAnswer], totals: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A rising curve from weighted coverage to score, with at most 13 points."""
    from sklearn.isotonic import IsotonicRegression

    scored = [(total, answer) for total, answer in zip(totals, answers, strict=True) if answer.rows is not None]
    x = np.array([total for total, _ in scored])
    y = np.array([answer.score for _, answer in scored])
    weights = np.array([1.0 if answer.is_real else MADE_UP_WEIGHT for _, answer in scored])
    isotonic = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(x, y, sample_weight=weights)
    grid = np.linspace(0, 1, 13)
    # Averaged over neighbours: a step of the isotonic fit would turn two nearly equal answers into different scores.
    smooth = np.array([isotonic.predict(np.clip(np.linspace(at - 0.06, at + 0.06, 9), 0, 1)).mean() for at in grid])
    smooth[0], smooth[-1] = 0.0, 1.0
    return tuple(round(float(at), 4) for at in grid), tuple(round(float(to), 4) for to in smooth)


def cross_calibrated(answers: Sequence[TrainingAnswer], totals: Sequence[float]) -> list[float]:
    """Fractions by curves that were fitted on other questions, as the figures need them."""
    fractions = [0.0] * len(answers)
    for fold in _folds(answers, seed=0):
        outside = [(answer, total) for answer, total in zip(answers, totals, strict=True) if answer.group not in fold]
        curve = calibration_curve([answer for answer, _ in outside], [total for _, total in outside])
        for index, answer in enumerate(answers):
            if answer.group in fold and answer.rows is not None:
                fractions[index] = float(np.interp(totals[index], *curve))
    return fractions


def conformal_interval(answers: Sequence[TrainingAnswer], fractions: Sequence[float]) -> Interval:
    """Half-widths that hold 90 % of the out-of-fold errors of real answers, for each part of the scale."""
    real = [index for index, answer in enumerate(answers) if answer.is_real and answer.rows is not None]
    predicted = np.array([fractions[index] for index in real])
    errors = np.abs(predicted - np.array([answers[index].score for index in real]))
    parts = np.searchsorted(_INTERVAL_EDGES, predicted)
    widths: list[float] = []
    confidences: list[float] = []
    for part in range(len(_INTERVAL_EDGES) + 1):
        own = np.sort(errors[parts == part])
        own = own if len(own) >= 10 else np.sort(errors)
        rank = min(len(own) - 1, int(np.ceil(_INTERVAL_COVERAGE * (len(own) + 1))) - 1)
        widths.append(round(float(own[rank]), 4))
        confidences.append(round(float(np.mean(own <= _CLOSE)), 4))
    return Interval(edges=_INTERVAL_EDGES, half_widths=tuple(widths), confidences=tuple(confidences))


def metrics_by_kind(answers: Sequence[TrainingAnswer], fractions: Sequence[float]) -> dict[str, Any]:
    """Figures of the real answers, overall and by kind and language, and the mean fraction of each made-up kind."""
    pairs = list(zip(answers, fractions, strict=True))

    def figures(keep: Callable[[TrainingAnswer], bool]) -> dict[str, Any]:
        chosen = [(fraction, answer.score) for answer, fraction in pairs if answer.is_real and keep(answer)]
        return grading_metrics([given for given, _ in chosen], [true for _, true in chosen]).as_dict()

    kinds = sorted({answer.kind for answer in answers if answer.is_real})
    languages = sorted({answer.language for answer in answers})
    made_up: dict[str, dict[str, float]] = {}
    for kind in sorted({answer.kind for answer in answers if not answer.is_real}):
        own = [(fraction, answer.score) for answer, fraction in pairs if answer.kind == kind and not answer.is_real]
        given, wanted = np.array(own).T
        made_up[kind] = {"mean": round(float(given.mean()), 3), "wanted": round(float(wanted.mean()), 3)}
    return {
        "all": figures(lambda answer: True),
        "by_kind": {kind: figures(lambda answer, kind=kind: answer.kind == kind) for kind in kinds},
        "by_language": {code: figures(lambda answer, code=code: answer.language == code) for code in languages},
        "made_up": made_up,
    }


def _contradiction_trees(
    rows: Rows, contradicted: NDArray[np.int64], weights: Rows, features: Sequence[str], seed: int
) -> Trees:
    from sklearn.ensemble import GradientBoostingClassifier

    if len(np.unique(contradicted)) < 2:
        return Trees(features=tuple(features), base=_NEVER, rate=1.0, trees=())
    classifier = GradientBoostingClassifier(**_SHAPE, n_estimators=80, max_depth=3, random_state=seed)
    prior = float(np.average(contradicted, weights=weights))
    classifier.fit(rows, contradicted, sample_weight=weights)
    return exported_trees(classifier, features, float(np.log(prior / (1 - prior))))


def _table(
    answers: Sequence[TrainingAnswer], features: Sequence[str], seed: int
) -> tuple[Rows, Rows, NDArray[np.int64], Rows]:
    """Rows of key points with coverage, contradiction (-1 where it is not known) and weight."""
    scored = [answer for answer in answers if answer.rows is not None]
    columns = [FEATURES.index(name) for name in features]
    tables = [answer.rows[:, columns] for answer in scored if answer.rows is not None]
    if tuple(features) == PORTABLE_FEATURES:
        tables = _jittered(scored, tables, features, seed)
    coverage = np.array([target for answer in scored for target in _coverage_targets(answer)])
    contradicted = np.array([label for answer in scored for label in _contradiction_labels(answer)], np.int64)
    weights = np.array([1.0 if answer.is_real else MADE_UP_WEIGHT for answer in scored for _ in answer.weights])
    return np.concatenate(tables), coverage, contradicted, weights


def _coverage_targets(answer: TrainingAnswer) -> list[float]:
    """Where only the score is known, it is spread over the points.

    So it is for a made-up keyword list: it says no point, and yet is not nothing.
    """
    if not answer.verdicts or (not answer.is_real and set(answer.verdicts) == {Verdict.MISSING}):
        return [answer.score] * len(answer.weights)
    return [_TARGETS[verdict] for verdict in answer.verdicts]


def _contradiction_labels(answer: TrainingAnswer) -> list[int]:
    if not answer.verdicts:
        return [-1] * len(answer.weights)
    return [int(verdict is Verdict.CONTRADICTED) for verdict in answer.verdicts]


def _jittered(
    answers: Sequence[TrainingAnswer], tables: Sequence[Rows], features: Sequence[str], seed: int
) -> list[Rows]:
    """Cosines stretched at random by question: the portable head may only trust their rough size."""
    rng = np.random.default_rng(seed)
    stretch = {group: rng.uniform(0.7, 1.3) for group in sorted({answer.group for answer in answers})}
    columns = [index for index, name in enumerate(features) if name in _COSINE_FEATURES]
    stretched: list[Rows] = []
    for answer, table in zip(answers, tables, strict=True):
        changed = table.copy()
        changed[:, columns] *= stretch[answer.group]
        stretched.append(changed)
    return stretched


def _folds(answers: Sequence[TrainingAnswer], seed: int) -> list[set[str]]:
    groups = sorted({answer.group for answer in answers})
    random.Random(seed).shuffle(groups)
    return [set(groups[start::FOLDS]) for start in range(FOLDS)]


def exported_trees(model: _Boosted, features: Sequence[str], base: float) -> Trees:
    """scikit-learn's boosted trees as plain numbers; ``base`` is the value they start from."""
    trees = tuple(exported_tree(estimator.tree_) for estimator in model.estimators_[:, 0])
    return Trees(features=tuple(features), base=base, rate=float(model.learning_rate), trees=trees)


def exported_tree(tree: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - scikit-learn has no types
    """One of scikit-learn's trees as five arrays over its nodes."""
    return {
        "feature": tree.feature.astype(np.int64),
        "threshold": tree.threshold.astype(np.float64),
        "left": tree.children_left.astype(np.int64),
        "right": tree.children_right.astype(np.int64),
        "value": tree.value[:, 0, 0].astype(np.float64),
    }
