"""Reading an answer by the ONNX export beside two calls of the float encoder, the way it was done before.

In one run and by turns, because shared machines are noisy: the ratios say something, the milliseconds little.
Takes two to three minutes, and two more where the three exports are not there yet.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from config import load_settings
from grading.encoder import Encoder
from grading.encoder_loading import exported_folder, load_encoder
from grading.onnx_encoder import OnnxEncoder
from grading.samples import load_samples
from tests.benchmarks.fresh_process import in_a_fresh_process

NAME = "bundled:multilingual-e5-small"
THREADS = 2
LAYERS = (None, 8, 6)
ROUNDS = 12
ANSWER_TOKENS = 55
BULK = 1000
# What the bulk may take in each way; beyond it, the rate so far counts.
BULK_SECONDS = 10.0


def measure() -> dict[str, float]:
    """The figures: milliseconds an answer, ratios to the old way, and a fresh process's start and memory."""
    import torch

    models_path = load_settings().models_path
    torch.set_num_threads(THREADS)
    torch_encoder = load_encoder(NAME, models_path, backend="torch")
    folders = [exported_folder(NAME, models_path, layers=layers) for layers in LAYERS]
    encoders = [OnnxEncoder(folder, threads=THREADS) for folder in folders]
    answers, model_answers = _answers(torch_encoder, ANSWER_TOKENS)
    one_thread = OnnxEncoder(folders[0])
    figures = _single(torch_encoder, encoders, one_thread, answers, model_answers)
    figures |= _bulk(torch_encoder, encoders, folders[0], answers)
    figures |= _start(folders[0])
    return {name: round(value, 3) for name, value in figures.items()}


def _answers(encoder: Encoder, tokens: int) -> tuple[list[str], list[str]]:
    """Texts of about ``tokens`` tokens, Korean and English, and as many model answers."""
    texts = {"answers": [], "models": []}
    for language in ("ko", "en"):
        for sample in load_samples(language)[:4]:
            pieces = [answer.text for answer in sample.answers]
            texts["answers"] += [_of_length(encoder, f"{piece} {pieces[0]} {pieces[-1]}", tokens) for piece in pieces]
            texts["models"] += [_of_length(encoder, sample.model_answers[0], tokens)] * len(pieces)
    return texts["answers"], texts["models"]


def _of_length(encoder: Encoder, text: str, tokens: int) -> str:
    [states] = encoder.read([text])
    spans = states.spans[states.is_content][: tokens - 5]
    return text[: int(spans[-1, 1])]


def _single(
    torch_encoder: Encoder,
    encoders: Sequence[Encoder],
    one_thread: Encoder,
    answers: list[str],
    model_answers: list[str],
) -> dict[str, float]:
    """One answer after the other, the ways by turns; model answers are remembered where that is possible.

    Two torch threads wait for each other, so that a busy neighbour slows them down out of proportion: the ratio of
    one thread to one thread is the one to trust on a shared machine.
    """
    for encoder in (*encoders, one_thread):
        encoder.read(model_answers, remember=True)
    pairs = list(zip(answers, model_answers, strict=True))
    ways = {
        "two_torch_encodes": partial(_encode_both, torch_encoder, THREADS),
        "two_torch_encodes_one_thread": partial(_encode_both, torch_encoder, 1),
    }
    ways |= {_label(layers): partial(_read_both, encoder) for layers, encoder in zip(LAYERS, encoders, strict=True)}
    ways["onnx_12_layers_one_thread"] = partial(_read_both, one_thread)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 2):
        for name, way in ways.items():
            taken = _seconds(lambda way=way, turn=turn: way(pairs[turn % len(pairs)]))
            if turn >= 2:  # the first two warm up
                seconds[name].append(taken)
    figures = {f"{name}_ms": 1000 * statistics.median(durations) for name, durations in seconds.items()}
    for name, durations in seconds.items():
        if name.startswith("onnx"):
            old_way = "two_torch_encodes_one_thread" if name.endswith("one_thread") else "two_torch_encodes"
            # Neighbours slow down all ways of a turn alike: the median of the turns' ratios, not a ratio of medians.
            ratios = (before / after for before, after in zip(seconds[old_way], durations, strict=True))
            figures[f"{name}_times_faster"] = statistics.median(ratios)
    return figures


def _encode_both(encoder: Encoder, threads: int, pair: tuple[str, str]) -> None:
    import torch

    torch.set_num_threads(threads)
    for text in pair:
        encoder.encode([text])


def _read_both(encoder: Encoder, pair: tuple[str, str]) -> None:
    for text in pair:
        encoder.read([text])


def _bulk(torch_encoder: Encoder, encoders: Sequence[Encoder], folder: Path, answers: list[str]) -> dict[str, float]:
    """A thousand different answers in small batches, a portion of each way by turns."""
    import torch

    texts = [f"{number} {answers[number % len(answers)]}" for number in range(BULK)]
    ways: dict[str, Callable[[list[str]], object]] = {"torch_encode": torch_encoder.encode}
    ways |= {_label(layers): encoder.read for layers, encoder in zip(LAYERS, encoders, strict=True)}
    ways["onnx_12_layers_batches_of_4"] = OnnxEncoder(folder, threads=THREADS, batch_size=4).read
    torch.set_num_threads(THREADS)
    spent, done = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0)
    for begin in range(0, BULK, 20):
        portion = texts[begin : begin + 20]
        for name, way in ways.items():
            if spent[name] < BULK_SECONDS:
                spent[name] += _seconds(lambda way=way, portion=portion: way(portion))
                done[name] += len(portion)
    rates = {name: spent[name] / done[name] for name in ways}
    figures = {f"bulk_{name}_ms": 1000 * rate for name, rate in rates.items()}
    figures |= {f"bulk_{name}_answers": float(count) for name, count in done.items()}
    # The old way encodes the model answer again with each answer.
    for name, rate in rates.items():
        if name != "torch_encode":
            figures[f"bulk_{name}_times_faster"] = 2 * rates["torch_encode"] / rate
    return figures


def _start(folder: Path) -> dict[str, float]:
    """A fresh process that loads the export and reads one answer, beside one that imports torch; best of three."""
    reads = (
        "import time; began = time.perf_counter();"
        "from pathlib import Path; from grading.onnx_encoder import OnnxEncoder;"
        f"OnnxEncoder(Path({str(folder)!r}), threads={THREADS}).read(['What a fresh process reads first.']);"
        "import psutil;"
        "print(time.perf_counter() - began, psutil.Process().memory_info().rss / 2**20)"
    )
    imports = (
        "import time; began = time.perf_counter(); import sentence_transformers, psutil;"
        "print(time.perf_counter() - began, psutil.Process().memory_info().rss / 2**20)"
    )
    seconds, megabytes = in_a_fresh_process(reads)
    torch_seconds, torch_megabytes = in_a_fresh_process(imports)
    return {
        "fresh_process_seconds": seconds,
        "fresh_process_memory_mb": megabytes,
        "seconds_as_share_of_importing_sentence_transformers": seconds / torch_seconds,
        "memory_as_share_of_importing_sentence_transformers": megabytes / torch_megabytes,
    }


def _label(layers: int | None) -> str:
    return f"onnx_{layers or 12}_layers"


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
