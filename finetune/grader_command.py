"""What ``mlquiz train grader`` does once its options are read: data in, a run out, the lines that it prints.

Everything heavy is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from finetune.dataset.records import PartName
    from finetune.encoder_pairs import EncoderTraining
    from finetune.graded_questions import GradedQuestion
    from finetune.reader_batches import ReaderTraining

Tell = Callable[[int, int, str], None]

DEFAULT = "default"
_MOST_MADE_UP = 6
"""Beside answers of one's own: the trees of the sample bank saw all thirty to a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The questions, and the digests of the datasets among their sources and of those that they were made from.

    ``has_files``: any come from files; ``has_test``: with the test parts of the datasets.
    """

    questions: list[GradedQuestion]
    datasets: tuple[str, ...]
    has_files: bool = False
    has_test: bool = False


def training_data(
    files: Sequence[Path], without: Sequence[str], *, bank: Literal["all", "samples", "none"], has_test: bool = False
) -> TrainingData:
    """The question banks and what ``files`` hold: CSV files, and datasets but for their test part unless ``has_test``.

    Of the banks the sample bank alone, where ``bank`` says so. Parts named in ``without`` are left out. Raises
    :class:`finetune.errors.FinetuneError`.
    """
    from finetune.dataset import graded_questions, read_dataset
    from finetune.scored_tables import csv_questions

    questions = _bank_questions(bank)
    digests: list[str] = []
    for path in files:
        if path.is_dir():
            dataset = read_dataset(path)
            names: tuple[PartName, ...] = ("train", "validation", *(("test",) if has_test else ()))
            questions += graded_questions(dataset, part={part for part in names if part not in without})
            digests += dataset.manifest.lineage
        else:
            questions += csv_questions(path, without=without)
    return TrainingData(
        questions=questions,
        datasets=tuple(digests),
        has_files=bool(files),
        has_test=has_test and bool(digests),
    )


def remembers(start: str | None) -> bool:
    """Whether the model to go on from has kept what its head was fitted on, so that no bank need be read again."""
    from finetune.remembered_rows import REMEMBERED

    folder = _folder_of(start)
    return folder is not None and (folder / REMEMBERED).is_file()


def train_reading_grader(
    data: TrainingData,
    model: str,
    models_path: Path,
    output: Path,
    *,
    start: str | None,
    settings: Mapping[str, Any],
    tell: Tell,
    seeds: int = 1,
) -> dict[str, Any]:
    """Train a reader over the encoder that ``model`` names, or with the mode full the encoder itself. Its metrics.

    What is None in ``settings`` is chosen here.
    With several ``seeds`` the first one makes the model, the others say how much of its figures is luck.
    """
    from finetune.reader_batches import ReaderTraining, suited
    from finetune.reader_training import train_reader
    from grading.models import encoder_folder

    began = _folder_of(start)
    given = {name: value for name, value in settings.items() if value is not None}
    if settings["mode"] == "full":
        return _train_full(data, model, models_path, output, given, seeds, tell)
    answers = sum(len(graded.answers) for graded in data.questions)
    training = ReaderTraining(**(suited(settings["mode"], goes_on=began is not None, answers=answers) | given))
    train = partial(
        train_reader,
        data.questions,
        encoder_folder(model, models_path),
        encoder_name=model,
        start=began,
        datasets=data.datasets,
        has_test=data.has_test,
        progress=tell,
    )
    return _with_seeds(train, output, training, seeds)


def _folder_of(start: str | None) -> Path | None:
    """Of the model that the option names: a folder, or the one that the tool ships."""
    from grading.reading_model import DEFAULT_MODEL

    return None if start is None else DEFAULT_MODEL if start == DEFAULT else Path(start)


def _train_full(
    data: TrainingData,
    model: str,
    models_path: Path,
    output: Path,
    given: Mapping[str, Any],
    seeds: int,
    tell: Tell,
) -> dict[str, Any]:
    from finetune.encoder_pairs import EncoderTraining
    from finetune.encoder_run import train_full
    from grading.models import encoder_folder

    train = partial(
        train_full,
        data.questions,
        encoder_folder(model, models_path),
        encoder_name=model,
        datasets=data.datasets,
        has_test=data.has_test,
        progress=tell,
    )
    return _with_seeds(train, output, EncoderTraining(**given), seeds)


def _with_seeds(
    train: Callable[..., dict[str, Any]], output: Path, training: ReaderTraining | EncoderTraining, seeds: int
) -> dict[str, Any]:
    more = range(training.seed + 1, training.seed + seeds)
    others = [train(output / "seeds" / f"seed-{seed}", training=replace(training, seed=seed)) for seed in more]
    return train(output, training=training, others=others)


def train_swept_graders(
    data: TrainingData,
    models: Sequence[str],
    epochs: Sequence[int],
    models_path: Path,
    output: Path,
    *,
    start: str | None,
    settings: Mapping[str, Any],
    tell: Tell,
) -> dict[str, Any]:
    """A reader for each of ``models`` and each of ``epochs``, side by side; the figures of all."""
    from finetune.sweep import sweep

    def train(model: str, count: int, folder: Path) -> Mapping[str, Any]:
        chosen = {**settings, "epochs": count}
        return train_reading_grader(data, model, models_path, folder, start=start, settings=chosen, tell=tell)

    facts = [
        ("Training", f"mode {settings['mode']}, seed {settings['seed']}"),
        ("Data", ", ".join(data.datasets) or "question banks and files"),
        ("Answers", f"{sum(len(graded.answers) for graded in data.questions):,}"),
    ]
    return sweep(models, epochs, output, train, facts=facts, tell=tell)


def train_head_grader(
    data: TrainingData, model: str, models_path: Path, output: Path, seed: int, tell: Tell
) -> dict[str, Any]:
    """Train trees over the encoder that ``model`` names, as it is. Their metrics."""
    import torch

    from finetune.grader_training import train_head
    from grading.encoder import Encoder
    from grading.encoder_loading import found_export
    from grading.models import encoder_folder
    from grading.onnx_encoder import OnnxEncoder

    served = Encoder(encoder_folder(model, models_path), name=model)
    export = found_export(model, models_path)
    return train_head(
        data.questions,
        OnnxEncoder(export, threads=torch.get_num_threads()) if export is not None else served,
        output,
        seed,
        lambda fraction, text: tell(round(fraction * 100), 100, text),
        version=served.version,
        most_made_up=_MOST_MADE_UP if data.has_files else None,
        datasets=data.datasets,
        has_test=data.has_test,
    )


def printed_sweep(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A line for each model and number of epochs."""
    rows: list[tuple[str, str]] = []
    for cell in metrics["cells"]:
        figures = [f"{name} {each['value']:.4f}" for name, each in cell["figures"].items()]
        rows.append((f"{cell['model']} {cell['epochs']}", "  ".join(figures) or f"failed: {cell['problem']}"))
    return rows


def printed(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The overall figures of each variant: of trees alone, or with and without the head on top of the reader.

    Below them the baseline's, where there is one.
    """
    rows = [
        (f"{variant} {name}", f"{value:.4f}" if isinstance(value, float) else str(value))
        for variant, figures in metrics.items()
        if isinstance(figures, Mapping)
        for name, value in dict(figures.get("all", {})).items()
    ]
    baseline = metrics.get("baseline", {}).get("cosine", {}).get("figures", {})
    rows += [(f"cosine {name}", f"{each['value']:.4f}") for name, each in baseline.items()]
    spread = metrics.get("seeds", {})
    return rows + [
        (f"seeds {name}", f"{each['mean']:.4f} ± {each['deviation']:.4f}")
        for name, each in spread.items()
        if isinstance(each, Mapping)
    ]


def _bank_questions(bank: Literal["all", "samples", "none"]) -> list[GradedQuestion]:
    from finetune.errors import DataUnreadable
    from finetune.graded_questions import bank_questions, contrast_questions, sample_questions
    from finetune.yaml_files import BankError

    if bank == "none":
        return []
    try:
        return (
            sample_questions() if bank == "samples" else [*sample_questions(), *bank_questions(), *contrast_questions()]
        )
    except BankError as error:
        raise DataUnreadable(str(error)) from error
