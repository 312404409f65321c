"""``mlquiz train …``: train the models from the command line, with a progress bar, or JSON for programs.

Everything heavy is imported inside the commands, so that ``mlquiz --help`` stays quick.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from config.settings import SettingsError, load_settings
from finetune.errors import FinetuneError
from finetune.grader_command import (
    printed,
    printed_sweep,
    remembers,
    train_head_grader,
    train_reading_grader,
    train_swept_graders,
    training_data,
)
from finetune.progress_file import also_to_file, progress_file_option
from grading.errors import GradingError

Tell = Callable[[int, int, str], None]


def _counts(context: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
    """Whole numbers between commas, each once, rising."""
    try:
        found = tuple(sorted({int(each) for each in value.split(",")}))
    except ValueError as error:
        raise click.BadParameter("whole numbers between commas, such as 1,2,4", context, option) from error
    if not 1 <= found[0] <= found[-1] <= 100:
        raise click.BadParameter("from 1 to 100 passes", context, option)
    return found


@click.group()
def train() -> None:
    """Train the grader or the explainer.

    Files in, files out: a run leaves its model, a card and metrics.json in one folder. A stopped run goes on when the
    command is given again.
    """


@train.command()
@progress_file_option
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the run.")
@click.option(
    "--data",
    "files",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="A dataset's folder, or a table with the columns question, reference, answer, score, explanation; may be"
    " repeated.",
)
@click.option("--bank/--no-bank", "has_bank", default=True, show_default=True, help="Train on the sample bank too.")
@click.option("--model", default=None, help="Base model: bundled:…, a folder or a hub id. Default: EXPLAINER_MODEL.")
@click.option("--epochs", type=click.IntRange(1, 100), default=4, show_default=True, help="Most passes; may end early.")
@click.option("--patience", type=click.IntRange(1, 100), default=2, show_default=True, help="Epochs without gain.")
@click.option("--batch-size", type=click.IntRange(1, 256), default=8, show_default=True, help="Examples in a step.")
@click.option("--learning-rate", type=click.FloatRange(1e-6, 1e-1), default=2e-3, show_default=True)
@click.option("--rank", type=click.IntRange(1, 256), default=8, show_default=True, help="Rank of the adapter.")
@click.option(
    "--quantize", type=click.Choice(["4bit"]), default=None, help="QLoRA: the base model in 4 bits, on a GPU only."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal runs.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Processor cores to use.")
@click.option("--json", "is_json", is_flag=True, help="Print the metrics as JSON instead of a table.")
def explainer(
    output: Path,
    files: tuple[Path, ...],
    has_bank: bool,
    model: str | None,
    epochs: int,
    patience: int,
    batch_size: int,
    learning_rate: float,
    rank: int,
    quantize: Literal["4bit"] | None,
    seed: int,
    threads: int,
    is_json: bool,
) -> None:
    """Train a LoRA adapter that words explanations, on the sample bank and on explanations of your own.

    docs/how-to/train-an-explainer.md says how the data look and what comes out.

    \b
    Examples:
      mlquiz train explainer --output runs/explainer-1
      mlquiz train explainer --output runs/explainer-2 --data datasets/spring --threads 2 --json
      mlquiz train explainer --output runs/explainer-3 --data course.csv --no-bank --model Qwen/Qwen3-0.6B
      EXPLAINER_ADAPTER=runs/explainer-1 mlquiz up
    """
    if not has_bank and not files:
        raise click.UsageError("--no-bank leaves nothing to train on: name a dataset or a file with --data.")
    with _clear_errors(), _progress(is_json, "explainer") as tell:
        settings = load_settings()
        import torch

        from finetune.explainer_batches import ExplainerTraining
        from finetune.explainer_command import explainer_rows, explainer_sources
        from finetune.explainer_training import train_explainer
        from grading.models import language_model_folder

        torch.set_num_threads(threads)
        name = model or settings.explainer_model
        tell(0, 0, "reading")
        metrics = train_explainer(
            explainer_sources(files, settings, has_bank=has_bank),
            language_model_folder(name, settings.models_path),
            output,
            base_name=name,
            training=ExplainerTraining(
                epochs=epochs,
                patience=patience,
                batch_size=batch_size,
                learning_rate=learning_rate,
                rank=rank,
                quantize=quantize,
                seed=seed,
            ),
            progress=tell,
        )
    _show(metrics, is_json, output, explainer_rows(metrics))


@train.command("explainer-export")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--merged", type=click.Path(path_type=Path, file_okay=False), help="Folder for the merged model.")
@click.option("--gguf", type=click.Path(path_type=Path, file_okay=False), help="Folder for model.gguf.")
@click.option("--json", "is_json", is_flag=True, help="Print what was written as JSON.")
def explainer_export(run: Path, merged: Path | None, gguf: Path | None, is_json: bool) -> None:
    """Add a trained adapter into its base model: a model of its own, for transformers, vLLM or llama.cpp.

    vLLM and peft also take the run's folder itself, beside the base model.

    \b
    Examples:
      mlquiz train explainer-export runs/explainer-1 --merged models/explainer-1
      mlquiz train explainer-export runs/explainer-1 --gguf models/explainer-1-gguf
    """
    if merged is None and gguf is None:
        raise click.UsageError("Say what to write: --merged FOLDER or --gguf FOLDER.")
    with _clear_errors():
        settings = load_settings()
        from finetune.explainer_export import export_gguf, export_merged
        from grading.explanation.generators import trained_base_model
        from grading.models import language_model_folder

        written: dict[str, str] = {}
        base = language_model_folder(trained_base_model(run), settings.models_path)
        if merged is not None:
            export_merged(run, base, merged)
            written["merged"] = str(merged)
        if gguf is not None:
            written["gguf"] = str(export_gguf(run, base, gguf))
    if is_json:
        click.echo(json.dumps(written, ensure_ascii=False))
    else:
        click.echo("\n".join(f"Written: {path}" for path in written.values()))


@train.command()
@progress_file_option
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the run.")
@click.option(
    "--mode",
    type=click.Choice(["head", "reader", "lora", "full"]),
    default="head",
    show_default=True,
    help="What learns: trees over an encoder as it is (with --from over a trained reader), a reader over it, reader and"
    " encoder, or all weights of the encoder (for a GPU).",
)
@click.option(
    "--loss",
    type=click.Choice(["cosent", "cosine", "mse"]),
    default=None,
    help="With --mode full: order of the cosines, the cosine as score, or a line of it.  [default: cosent]",
)
@click.option(
    "--data",
    "files",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="A dataset's folder, or a CSV file with the columns question, reference, answer, score (0 to 1); may be"
    " repeated.",
)
@click.option("--without", multiple=True, help="Leave out rows with this in the column split; may be repeated.")
@click.option(
    "--part",
    type=click.Choice(["train", "all"]),
    default="train",
    show_default=True,
    help="Of a dataset, all but its test part, or all of it: then nothing is left to judge the model by.",
)
@click.option(
    "--bank/--no-bank",
    "has_bank",
    default=True,
    show_default=True,
    help="Train on the question banks too, with --mode head on the sample bank; with --from that remembers them.",
)
@click.option("--model", default=None, help="Encoder: bundled:…, a folder or a hub id. Default: GRADER_MODEL.")
@click.option("--from", "start", default=None, help="Go on from this trained grader: a folder of a run, or default.")
@click.option(
    "--epochs",
    type=click.IntRange(1, 100),
    default=None,
    help="Passes; with --mode full at most.  [default: 6; few answers 2; with --from 2, reader 1; full 4]",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    default=None,
    help="Parts to cross-validate in.  [default: 5; with --from, full or few answers 3]",
)
@click.option("--layers", type=click.IntRange(1, 100), default=None, help="Keep only the encoder's first layers.")
@click.option(
    "--lora-layers",
    type=click.IntRange(1, 100),
    default=None,
    help="With --mode lora: only the top layers learn.  [default: 4 on a CPU, all on a GPU]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds give equal runs.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="Train with so many seeds and say how the figures spread; the first one makes the model.",
)
@click.option("--sweep", "swept", default=None, help="Encoders, between commas: train each, side by side.")
@click.option(
    "--sweep-epochs", callback=_counts, default="1,2,4", show_default=True, help="With --sweep: passes, between commas."
)
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Processor cores to use.")
@click.option("--json", "is_json", is_flag=True, help="Print the metrics as JSON instead of a table.")
def grader(
    output: Path,
    mode: Literal["head", "reader", "lora", "full"],
    loss: Literal["cosent", "cosine", "mse"] | None,
    files: tuple[Path, ...],
    without: tuple[str, ...],
    part: Literal["train", "all"],
    has_bank: bool,
    model: str | None,
    start: str | None,
    epochs: int | None,
    folds: int | None,
    layers: int | None,
    lora_layers: int | None,
    seed: int,
    seeds: int,
    swept: str | None,
    sweep_epochs: tuple[int, ...],
    threads: int,
    is_json: bool,
) -> None:
    """Train the model that scores answers, on the question banks and on answers of your own.

    docs/how-to/train-a-grader.md says which mode suits what, and how the data look.

    \b
    Examples:
      mlquiz train grader --output runs/grader-1 --data datasets/course-1
      mlquiz train grader --output runs/grader-2 --data course.csv --no-bank --from default
      mlquiz train grader --output runs/grader-2 --mode lora --data course.csv --no-bank --from default
      mlquiz train grader --output runs/grader-3 --mode reader --model klue/roberta-base --layers 6 --threads 4 --json
      mlquiz train grader --output runs/sweep --mode reader --sweep klue/roberta-base,bundled:e5-small
    """
    if mode != "lora" and lora_layers is not None:
        raise click.UsageError("--lora-layers is for --mode lora.")
    if (mode != "full" and loss) or (mode == "full" and start):
        raise click.UsageError("--loss is for --mode full, which takes no --from.")
    if not has_bank and not files:
        raise click.UsageError("--no-bank leaves nothing to train on: name a file with --data.")
    models = tuple(dict.fromkeys(name.strip() for name in (swept or "").split(",") if name.strip()))
    if swept is not None and (not models or model or epochs or seeds > 1):
        raise click.UsageError("--sweep names the encoders; leave out --model, --epochs and --seeds.")
    if mode == "head" and (layers or epochs or swept or (not start and (folds or seeds > 1))):
        raise click.UsageError(
            "--mode head takes the encoder as it is: leave --layers, --epochs, --folds, --seeds and --sweep to the"
            " other modes. With --from it takes --folds and --seeds."
        )
    with _clear_errors(), _progress(is_json, "grader") as tell:
        settings = load_settings()
        # Threads that spin while they wait for each other burn twice the time where other processes want the cores.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch

        torch.set_num_threads(threads)
        name = model or settings.grader_model
        tell(0, 0, "loading the encoder")
        chosen = {
            "mode": mode,
            "loss": loss,
            "epochs": epochs,
            "folds": folds,
            "layers": layers,
            "lora_layers": lora_layers,
            "seed": seed,
        }
        is_known = mode == "head" and bool(files) and remembers(start)
        bank = "none" if is_known or not has_bank else "samples" if mode == "head" else "all"
        data = training_data(files, without, bank=bank, has_test=part == "all")
        if mode == "head" and start is None:
            metrics = train_head_grader(data, name, settings.models_path, output, seed, tell)
        else:
            given: dict[str, Any] = {"start": start, "settings": chosen, "tell": tell}
            if swept is None:
                metrics = train_reading_grader(data, name, settings.models_path, output, seeds=seeds, **given)
            else:
                metrics = train_swept_graders(data, models, sweep_epochs, settings.models_path, output, **given)
    _show(metrics, is_json, output, printed_sweep(metrics) if swept else printed(metrics))


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

        yield also_to_file(tell)


def _show(metrics: Mapping[str, Any], is_json: bool, output: Path, rows: list[tuple[str, str]]) -> None:
    if is_json:
        click.echo(json.dumps(metrics, ensure_ascii=False))
        return
    for name, value in rows:
        click.echo(f"{name:<14} {value}")
    click.echo(f"Written to {output}: see report.html, card.md and metrics.json there.")
