"""From a run to the command that an administrator would type for it.

Every part of a command is a word of ours, a number, or a folder that was found by a digest; a reason for a forced
promotion is one argument, whatever it says.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from config.settings import Settings
from lti_tool.training.datasets import datasets_folder, get_dataset
from lti_tool.training.store import TrainingRun
from lti_tool.worker import model_threads

OUTPUT = "run"
"""What a training leaves, inside the folder of the run."""
REPORT = "report.html"
ANSWER, LOG, PROGRESS = "answer.json", "log.txt", "progress.jsonl"
"""What the command prints for programs, what it says, and how far it is."""

BY_VARIABLE = "MLQUIZ_BY"
"""Who asked for it, for the record that a command keeps."""

_NOT_FOR_TRAININGS = ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "SECRET_KEY", "EXPLAINER_API_KEY")


def runs_folder(settings: Settings) -> Path:
    """Where the folders of runs lie."""
    return settings.data_path / "training"


def report_of(run: TrainingRun) -> Path | None:
    """The report of a run, ``None`` where it left none."""
    path = Path(run.folder) / OUTPUT / REPORT if run.folder else None
    return path if path is not None and path.is_file() and not path.is_symlink() else None


def export_folder(run: TrainingRun, settings: Settings) -> Path:
    """Where an export puts its dataset."""
    return datasets_folder(settings) / f"export-{run.id}"


def command_of(run: TrainingRun, settings: Settings) -> list[str]:
    """The command of a run. Raises :class:`~lti_tool.training.errors.DatasetMissing`."""
    return [sys.executable, "-m", "lti_tool", *_arguments(run, settings), "--json"]


def environment_of(run: TrainingRun, settings: Settings) -> dict[str, str]:
    """What the command finds around it; a training has no way to the database and to no secret."""
    values = {**os.environ, **settings.as_environment(), "OMP_NUM_THREADS": str(model_threads(settings))}
    values |= {"DATABASE_OWNER_URL": "", BY_VARIABLE: run.created_by}
    if run.kind in ("GRADER", "EXPLAINER", "CHECK"):
        values |= dict.fromkeys(_NOT_FOR_TRAININGS, "")
    return values


def _arguments(run: TrainingRun, settings: Settings) -> list[str]:
    match run.kind:
        case "GRADER" | "EXPLAINER":
            return ["train", run.kind.lower(), *_training(run, settings)]
        case "EXPORT":
            return ["dataset", "export", *_export(run, settings)]
        case "CHECK":
            return ["dataset", "check", _data(run, settings)]
        case "PROMOTION":
            return ["models", "promote", run.version_digest or "", *_promotion(run, settings)]


def _training(run: TrainingRun, settings: Settings) -> list[str]:
    chosen = run.settings
    arguments = ["--data", _data(run, settings), "--output", str(Path(run.folder or "") / OUTPUT)]
    for name in ("mode", "epochs", "rank", "seed"):
        if name in chosen:
            arguments += [f"--{name}", str(chosen[name])]
    if chosen.get("start") == "default":
        arguments += ["--from", "default"]
    if "has_bank" in chosen:
        arguments += ["--bank" if chosen["has_bank"] else "--no-bank"]
    return [*arguments, "--threads", str(model_threads(settings))]


def _export(run: TrainingRun, settings: Settings) -> list[str]:
    chosen = run.settings
    arguments = ["--output", str(export_folder(run, settings))]
    for course in chosen.get("courses", ()):
        arguments += ["--course", str(int(course))]
    if chosen.get("since"):
        arguments += ["--since", str(chosen["since"])]
    return [*arguments, *(["--all-scores"] if chosen.get("all_scores") else [])]


def _promotion(run: TrainingRun, settings: Settings) -> list[str]:
    arguments = ["--data", _data(run, settings)] if run.dataset_digest else []
    if course := run.settings.get("course"):
        arguments += ["--course", str(int(course))]
    reason = run.settings.get("reason")
    return [*arguments, *(["--force", f"--reason={reason}"] if reason else [])]


def _data(run: TrainingRun, settings: Settings) -> str:
    return str(get_dataset(settings, run.dataset_digest or "").folder)
