"""Figures of a training in plain words: what is measured, and of which answers.

A run names its figures by the path to them, such as ``own/by_language/ko/mse``; there are hundreds, most of them about
answers that were made up to train by. Those without a plain name are left to ``mlquiz models show``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask_babel import gettext as _

_COUNTS = frozenset({"count", "cases"})
_SCORERS = frozenset({"own", "head"})
"""The head over an encoder or a reader, which is what serves; what else a run judges is for who trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFigure:
    """The path of a figure and its two names; ``is_count``: a whole number."""

    path: str
    name: str
    of: str
    is_count: bool


def plain_figures(paths: Iterable[str]) -> list[PlainFigure]:
    """The figures that have plain names, those of all answers first; of two for the same one."""
    names, found = _names(), dict[tuple[str, str], PlainFigure]()
    # Those with intervals, which begin with "figures", are the same as those of the head.
    for path in sorted(paths, key=lambda path: (not path.startswith("figures/"), path)):
        group, _slash, last = path.rpartition("/")
        if group == "cases":
            group, last = path, "cases"
        of = _of(group)
        if of and last in names:
            found.setdefault((of, last), PlainFigure(path=path, name=names[last], of=of, is_count=last in _COUNTS))
    order = list(names)
    groups = list(dict.fromkeys(each.of for each in sorted(found.values(), key=lambda each: _rank(each.path))))
    return [found[of, last] for of in groups for last in order if (of, last) in found]


def _names() -> dict[str, str]:
    return {
        "mse": _("mean squared error"),
        "mae": _("mean error"),
        "pearson_r": _("correlation"),
        "weighted_rmse": _("error, all bands of scores weighing the same"),
        "big_error_share": _("share that is off by half of the points or more"),
        "bias": _("given minus true: above 0, too generous"),
        "interval_covers": _("share of scores inside the interval"),
        "interval_width": _("width of the interval"),
        "corr_residual_log_length": _("correlation of error and length: 0 is fair"),
        "probability_worse": _("probability of being worse"),
        "share": _("texts that pass"),
        "passed": _("texts that pass"),
        "count": _("number of answers"),
        "cases": _("number of answers"),
    }


def _groups() -> Mapping[str, str]:
    return {
        "figures": _("all answers"),
        "test": _("all answers"),
        "test/adapter": _("texts of this model"),
        "test/base_model": _("texts of the language model before the training"),
        "test/template": _("texts of the template"),
        "cases/train": _("learnt from"),
        "cases/validation": _("looked at to choose"),
        "cases/test": _("kept to be judged by"),
        "baseline/difference": _("this model minus the plainest grader"),
        "baseline/cosine/figures": _("the plainest grader, to compare with"),
    }


def _of(group: str) -> str:
    """Of which answers or texts; empty where there is no plain name for them."""
    groups = _groups()
    if group in groups:
        return groups[group]
    scorer, _slash, part = group.partition("/")
    if scorer not in _SCORERS:
        return ""
    kind, _slash, value = part.partition("/")
    match kind, value:
        case "all", "":
            return groups["figures"]
        case "by_language", "en":
            return _("answers in English")
        case "by_language", "ko":
            return _("answers in Korean")
        case "by_source", "bank":
            return _("answers of the training bank")
        case "by_source", "samples":
            return _("answers of the sample bank")
        case "by_source", "contrasts":
            return _("answers of the contrast sets")
        case "by_source", _:
            return _("answers of “%(source)s”", source=value)
        case _:
            return ""


def _rank(path: str) -> tuple[bool, bool, str]:
    """All answers first, the plainest grader last."""
    return path.startswith(("baseline/", "cases/")), not path.startswith(("figures/", "own/all/", "head/all/")), path
