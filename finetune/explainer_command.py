"""What ``mlquiz train explainer`` reads before it trains, and the lines it prints after."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from config.settings import Settings
from finetune.errors import DataUnreadable
from finetune.explainer_data import read_course
from finetune.explainer_sources import Sources
from grading.grader import load_grader
from grading.samples import SampleError, load_samples


def explainer_sources(files: tuple[Path, ...], settings: Settings, *, has_bank: bool) -> Sources:
    """The courses, and the bank's questions in their languages; in English where there is no course."""
    courses = [read_course(path) for path in files]
    languages = sorted({language for course in courses for language in course.languages}) or ["en"]
    try:
        samples = [sample for language in languages for sample in load_samples(language)] if has_bank else []
    except SampleError as error:
        raise DataUnreadable(str(error)) from error
    return Sources(samples=samples, courses=courses, load_grader=partial(load_grader, settings))


def explainer_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The share of texts that pass by writer, and what was left out and why."""
    rows = [(name, f"{found['share']:.0%}") for name, found in metrics["test"].items()]
    if left_out := metrics["left_out"]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.items())
        rows.append(("left out", f"{sum(left_out.values())} answers: {reasons}"))
    return rows
