"""``mlquiz train …``: train the models from the command line, with a progress bar, or JSON for programs.

Everything heavy is imported inside the commands, so that ``mlquiz --help`` stays quick.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from config.settings import SettingsError, load_settings
from finetune.errors import FinetuneError
from grading.errors import GradingError

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
@click.option("--mode", type=click.Choice(["head"]), default="head", show_default=True, help="What learns.")
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal runs.")
@click.option("--json", "is_json", is_flag=True, help="Print the metrics as JSON instead of a table.")
def grader(output: Path, mode: str, seed: int, is_json: bool) -> None:
    """Train the head that turns similarities into a score, on the sample bank in both languages.

    \b
    Examples:
      mlquiz train grader --mode head --output runs/grader-1
      mlquiz train grader --mode head --output runs/grader-2 --seed 7 --json
    """
    del mode  # one mode for now; the option stands so that commands written today go on working
    with _clear_errors(), _progress(is_json, "grader") as tell:
        settings = load_settings()
        from finetune.grader_training import train_head
        from grading.encoder import Encoder
        from grading.models import encoder_folder
        from grading.samples import load_samples

        tell(0, 0, "loading the encoder")
        encoder = Encoder(encoder_folder(settings.grader_model, settings.models_path))
        metrics = train_head(
            load_samples(), encoder, output, seed, lambda fraction, text: tell(round(fraction * 100), 100, text)
        )
    _show(metrics, is_json, output, _grader_rows(metrics))


def _grader_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The overall figures of each variant of the head."""
    return [
        (f"{variant} {name}", f"{value:.4f}" if isinstance(value, float) else str(value))
        for variant, figures in metrics.items()
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
