"""``mlquiz train …``: train the models from the command line, with a progress bar, or JSON for programs.

Everything heavy is imported inside the commands, so that ``mlquiz --help`` stays quick.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from config.settings import SettingsError, load_settings
from finetune.errors import FinetuneError
from grading.errors import GradingError

if TYPE_CHECKING:
    from finetune.graded_questions import GradedQuestion

Tell = Callable[[int, int, str], None]


@click.group()
def train() -> None:
    """Train the grader or the explainer.

    Files in, files out: a run leaves its model, a card and metrics.json in one folder. A stopped run goes on when the
    command is given again.
    """


@train.command()
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the run.")
@click.option("--model", default=None, help="Base model: bundled:…, a folder or a hub id. Default: EXPLAINER_MODEL.")
@click.option("--epochs", type=click.IntRange(1, 100), default=1, show_default=True, help="Passes over the questions.")
@click.option("--batch-size", type=click.IntRange(1, 256), default=8, show_default=True, help="Examples in a step.")
@click.option("--learning-rate", type=click.FloatRange(1e-6, 1e-1), default=2e-3, show_default=True)
@click.option("--rank", type=click.IntRange(1, 256), default=8, show_default=True, help="Rank of the adapter.")
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal runs.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Processor cores to use.")
@click.option("--json", "is_json", is_flag=True, help="Print the metrics as JSON instead of a table.")
def explainer(
    output: Path,
    model: str | None,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    rank: int,
    seed: int,
    threads: int,
    is_json: bool,
) -> None:
    """Train a LoRA adapter that words explanations, on the sample bank's English questions.

    \b
    Examples:
      mlquiz train explainer --output runs/explainer-1
      mlquiz train explainer --output runs/explainer-2 --epochs 3 --rank 16 --json
      EXPLAINER_ADAPTER=runs/explainer-1 mlquiz up
    """
    with _clear_errors(), _progress(is_json, "explainer") as tell:
        settings = load_settings()
        import torch

        from finetune.explainer_training import ExplainerTraining, train_explainer
        from grading.models import language_model_folder
        from grading.samples import load_samples

        torch.set_num_threads(threads)
        name = model or settings.explainer_model
        tell(0, 0, "loading the base model")
        metrics = train_explainer(
            load_samples("en"),
            language_model_folder(name, settings.models_path),
            output,
            base_model=name,
            training=ExplainerTraining(
                epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, rank=rank, seed=seed
            ),
            progress=tell,
        )
    _show(metrics, is_json, output, [(name, f"{found['share']:.0%}") for name, found in metrics["test"].items()])


@train.command()
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the run.")
@click.option(
    "--mode",
    type=click.Choice(["head", "lora", "portable"]),
    default="head",
    show_default=True,
    help="What learns: the reader over a frozen encoder, reader and encoder, or trees for encoders without a reader.",
)
@click.option(
    "--data",
    "files",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="CSV file with the columns question, reference, answer, score (0 to 1); may be repeated.",
)
@click.option("--without", multiple=True, help="Leave out rows with this in the column split; may be repeated.")
@click.option("--bank/--no-bank", "has_bank", default=True, show_default=True, help="Train on the question banks too.")
@click.option("--model", default=None, help="Encoder: bundled:…, a folder or a hub id. Default: GRADER_MODEL.")
@click.option("--from", "start", default=None, help="Go on from this trained grader: a folder of a run, or default.")
@click.option("--epochs", type=click.IntRange(1, 100), default=None, help="Passes.  [default: 6; with --from 2]")
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Parts to cross-validate in.")
@click.option("--layers", type=click.IntRange(1, 100), default=None, help="Keep only the encoder's first layers.")
@click.option(
    "--lora-layers",
    type=click.IntRange(1, 100),
    default=None,
    help="With --mode lora: only the top layers learn.  [default: 4 on a CPU, all on a GPU]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal runs.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Processor cores to use.")
@click.option("--json", "is_json", is_flag=True, help="Print the metrics as JSON instead of a table.")
def grader(
    output: Path,
    mode: Literal["head", "lora", "portable"],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    has_bank: bool,
    model: str | None,
    start: str | None,
    epochs: int | None,
    folds: int,
    layers: int | None,
    lora_layers: int | None,
    seed: int,
    threads: int,
    is_json: bool,
) -> None:
    """Train the model that scores answers, on the question banks and on answers of your own.

    docs/how-to/train-a-grader.md says which mode suits what, and how the data look.

    \b
    Examples:
      mlquiz train grader --output runs/grader-1
      mlquiz train grader --output runs/grader-2 --mode lora --data course.csv --no-bank --from default
      mlquiz train grader --output runs/grader-3 --model klue/roberta-base --layers 6 --threads 4 --json
    """
    if mode != "lora" and lora_layers is not None:
        raise click.UsageError("--lora-layers is for --mode lora.")
    if not has_bank and not files:
        raise click.UsageError("--no-bank leaves nothing to train on: name a file with --data.")
    if mode == "portable" and (files or without or start or layers or epochs):
        raise click.UsageError("--mode portable trains on the sample bank only: leave out the other options.")
    with _clear_errors(), _progress(is_json, "grader") as tell:
        settings = load_settings()
        import torch

        torch.set_num_threads(threads)
        name = model or settings.grader_model
        tell(0, 0, "loading the encoder")
        if mode == "portable":
            metrics = _train_portable(name, settings.models_path, output, seed, tell)
        else:
            metrics = _train_reader(
                _graded_questions(files, without, has_bank=has_bank),
                name,
                settings.models_path,
                output,
                start=start,
                tell=tell,
                epochs=epochs,
                settings={
                    "mode": mode,
                    "folds": folds,
                    "layers": layers,
                    "lora_layers": lora_layers,
                    "seed": seed,
                },
            )
    _show(metrics, is_json, output, _grader_rows(metrics))


def _graded_questions(files: tuple[Path, ...], without: tuple[str, ...], *, has_bank: bool) -> list[GradedQuestion]:
    from finetune.errors import DataUnreadable
    from finetune.graded_questions import bank_questions, contrast_questions, csv_questions, sample_questions
    from finetune.yaml_files import BankError

    try:
        banks = [*sample_questions(), *bank_questions(), *contrast_questions()] if has_bank else []
    except BankError as error:
        raise DataUnreadable(str(error)) from error
    return [*banks, *(question for path in files for question in csv_questions(path, without=without))]


def _train_reader(
    questions: list[GradedQuestion],
    model: str,
    models_path: Path,
    output: Path,
    *,
    start: str | None,
    tell: Tell,
    epochs: int | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    from finetune.reader_batches import FINE_TUNING, ReaderTraining
    from finetune.reader_training import train_reader
    from grading.models import encoder_folder
    from grading.reading_model import DEFAULT_MODEL

    began = None if start is None else DEFAULT_MODEL if start == "default" else Path(start)
    chosen = {**(FINE_TUNING if began is not None else {}), **({"epochs": epochs} if epochs else {}), **settings}
    return train_reader(
        questions,
        encoder_folder(model, models_path),
        output,
        encoder_name=model,
        training=ReaderTraining(**chosen),
        start=began,
        progress=tell,
    )


def _train_portable(model: str, models_path: Path, output: Path, seed: int, tell: Tell) -> dict[str, Any]:
    from finetune.graded_questions import sample_questions
    from finetune.grader_training import train_head
    from grading.encoder import Encoder
    from grading.models import encoder_folder

    return train_head(
        sample_questions(),
        Encoder(encoder_folder(model, models_path), name=model),
        output,
        seed,
        lambda fraction, text: tell(round(fraction * 100), 100, text),
    )


def _grader_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The overall figures of each variant: of the portable head, or with and without the head on top of the reader."""
    return [
        (f"{variant} {name}", f"{value:.4f}" if isinstance(value, float) else str(value))
        for variant, figures in metrics.items()
        if isinstance(figures, Mapping)
        for name, value in dict(figures.get("all", {})).items()
    ]


@contextmanager
def _clear_errors() -> Iterator[None]:
    """What a person can mend is said in a sentence, without a traceback."""
    from grading.explanation.errors import ExplanationError

    try:
        yield
    except (SettingsError, FinetuneError, GradingError, ExplanationError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _progress(is_json: bool, title: str) -> Iterator[Tell]:
    """A progress bar on standard error, or nothing where a program reads."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=is_json) as bars:
        task = bars.add_task(title, total=None, text="")

        def tell(done: int, total: int, text: str) -> None:
            bars.update(task, completed=done, total=total or None, text=text)

        yield tell


def _show(metrics: Mapping[str, Any], is_json: bool, output: Path, rows: list[tuple[str, str]]) -> None:
    if is_json:
        click.echo(json.dumps(metrics, ensure_ascii=False))
        return
    for name, value in rows:
        click.echo(f"{name:<14} {value}")
    click.echo(f"Written to {output}: see card.md and metrics.json there.")
