"""Training a reader on tiny random encoders: what learns, what is left, going on after a kill, refusals."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.numpy import load_file

from finetune.errors import ModelUnsuitable, RunMismatch, TooFewExamples
from finetune.graded_answer import GradedAnswer
from finetune.one_cycle import one_cycle
from finetune.reader_batches import ReaderTraining, reading_pairs
from finetune.reader_encoder import trainable_encoder
from finetune.reader_examples import Text, reader_questions
from finetune.reader_model import ReaderModel
from finetune.reader_network import ReaderNetwork, Side
from finetune.reader_states import EncodedStates
from finetune.reader_tokens import tokens_of
from finetune.reader_training import train_reader
from finetune.remembered_rows import read_remembered
from finetune.run_versions import code_version
from grading.encoder import Encoder
from grading.errors import HeadBroken, ModelBroken
from grading.grader import Grader
from grading.reader import Reader
from grading.reading_model import load_reading_model
from grading.scoring_by_reading import ReadingScorer
from grading.token_states import TokenStates
from grading.unpacking import file_sha256
from tests.conftest_models import ARCHITECTURES, build_tiny_transformer
from tests.finetune.reader_data import TINY, few_questions, scored_question

pytestmark = pytest.mark.slow

LORA = replace(TINY, mode="lora", epochs=2, batch_size=24)
ONE_STEP = replace(TINY, made_up_share=0.1)
QUESTIONS = few_questions()
MADE_UP = sum(each.graded.is_made_up for question in reader_questions(QUESTIONS) for each in question.answers)
Run = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads that wait for each other on a busy machine take twenty times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "bert", "bert")


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of reader and adapter from start to end."""
    output = tmp_path_factory.mktemp("runs") / "run"
    return output, train_reader(QUESTIONS, folder, output, encoder_name="tiny", training=LORA, datasets=["a" * 16])


def manifest_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "manifest.json").read_text(encoding="utf-8"))


def arrays_of(run: Path) -> dict[str, np.ndarray]:
    paths = [run / "reader.safetensors", run / "adapter" / "adapter_model.safetensors"]
    return {name: array for path in paths if path.exists() for name, array in load_file(path).items()}


def served(run: Path, folder: Path) -> Grader:
    """The grader of a run, with the float encoder."""
    model = load_reading_model(run)
    return Grader(ReadingScorer(Encoder(folder, layers=model.layers, adapter=model.adapter), model))


# --- what a run leaves -------------------------------------------------------------------------------------------


def test_a_run_leaves_a_model_readings_card_and_manifest(finished: Run) -> None:
    output, metrics = finished
    names = {
        "adapter",
        "reader.safetensors",
        "nearness.safetensors",
        "learnt.safetensors",
        "remembered.safetensors",
        "head.json",
        "metrics.json",
        "card.md",
        "manifest.json",
    }
    assert {path.name for path in output.iterdir()} == names | {"readings.jsonl", "report.html"}
    manifest = manifest_of(output)
    assert manifest["metrics"] == json.loads((output / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert manifest["files"] == {name: file_sha256(output / name) for name in manifest["files"]}
    # The students' answers may be taken out of a model that is passed on.
    assert set(manifest["files"]) == {
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "reader.safetensors",
        "nearness.safetensors",
        "learnt.safetensors",
        "remembered.safetensors",
        "head.json",
        "metrics.json",
        "card.md",
    }
    assert manifest["encoder"]["layers"] == 2
    assert manifest["sources"]["samples"] == {"questions": 8, "real": 24, "made_up": MADE_UP, "weight": 1.0}
    for path in output.rglob("*.[jm]*"):
        assert str(output.parent) not in path.read_text(encoding="utf-8")


def test_a_run_says_on_which_data_and_by_which_code(finished: Run) -> None:
    manifest = manifest_of(finished[0])
    assert manifest["producer"] == "finetune.reader_training"
    assert manifest["dataset_digest"] == "a" * 16
    assert manifest["code_version"] == code_version()


def test_a_run_compares_itself_with_the_baseline_on_the_same_answers(finished: Run) -> None:
    output, metrics = finished
    figures, baseline = metrics["figures"], metrics["baseline"]
    assert figures["mse"]["value"] == metrics["head"]["all"]["mse"]
    assert figures["mse"]["low"] <= figures["mse"]["value"] <= figures["mse"]["high"]
    difference = figures["mse"]["value"] - baseline["cosine"]["figures"]["mse"]["value"]
    assert baseline["difference"]["mse"]["value"] == pytest.approx(difference, abs=2e-4)
    assert "cosine of the published encoder" in (output / "card.md").read_text(encoding="utf-8")


def test_the_report_shows_figures_curves_and_answers(finished: Run) -> None:
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    for shown in ("Against the baseline", 'aria-label="Loss"', "Prediction against truth", "Calibration", "Risk and"):
        assert shown in page
    assert "By length" in page
    assert "mode lora, 2 passes, seed 1" in page


def test_answers_that_the_guard_decides_are_judged_but_not_read(folder: Path, tmp_path: Path) -> None:
    first = QUESTIONS[0]
    blank = replace(
        first, answers=(*first.answers, GradedAnswer(text=" ", score=0.0, verdicts=first.answers[0].verdicts))
    )
    metrics = train_reader([blank, *QUESTIONS[1:]], folder, tmp_path / "run", training=ONE_STEP)
    assert metrics["head"]["all"]["count"] == metrics["reader"]["all"]["count"] == 25
    assert len((tmp_path / "run" / "readings.jsonl").read_text(encoding="utf-8").splitlines()) == 24 + MADE_UP


def test_only_so_many_made_up_answers_are_used_as_are_asked_for() -> None:
    few = reader_questions(QUESTIONS, most_made_up=4)
    assert all(sum(each.graded.is_made_up for each in question.answers) <= 4 for question in few)
    assert any(each.graded.is_made_up for question in few for each in question.answers)
    assert few == reader_questions(QUESTIONS, most_made_up=4)
    assert reader_questions(QUESTIONS, most_made_up=1000) == reader_questions(QUESTIONS)


def test_the_weights_are_small(finished: Run) -> None:
    assert all(array.dtype == np.float16 for array in arrays_of(finished[0]).values())


def test_the_loss_falls(finished: Run) -> None:
    losses = finished[1]["loss"]
    assert len(losses) >= 5
    assert np.mean(losses[-2:]) < losses[0]


def test_only_the_top_layers_learned(finished: Run) -> None:
    arrays = load_file(finished[0] / "adapter" / "adapter_model.safetensors")
    assert {name.split(".layer.")[1].split(".")[0] for name in arrays} == {"1"}
    assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in arrays} == {"query", "key", "value", "dense"}
    assert all(np.abs(array).sum() > 0 for name, array in arrays.items() if "lora_B" in name)


def test_the_readings_name_question_answer_and_logits(finished: Run) -> None:
    lines = (finished[0] / "readings.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    real = [row for row in rows if not row["is_made_up"]]
    assert len(real) == 24
    assert [row["answer"] for row in real[:3]] == [answer.text for answer in reader_questions(QUESTIONS)[0].answers[:3]]
    question = QUESTIONS[0].question
    assert real[0]["question"] == question.prompt
    assert [each["text"] for each in real[0]["points"]] == [point.text for point in question.key_points]
    assert all(math.isfinite(each["said"]) for each in (*real[0]["points"], *real[0]["references"]))


def test_the_card_tells_the_figures_of_the_metrics(finished: Run) -> None:
    output, metrics = finished
    card = (output / "card.md").read_text(encoding="utf-8")
    assert f"| all | 24 | {metrics['head']['all']['mse']:.4f} |" in card
    assert f"| all | 24 | {metrics['reader']['all']['mse']:.4f} |" in card
    assert f"| samples | 8 | 24 | {MADE_UP} | 1 |" in card
    assert "Where not to use it" in card


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("mode", ["reader", "lora"])
def test_every_architecture_trains_a_step_and_serves(architecture: str, mode: Any, tmp_path: Path) -> None:
    folder = build_tiny_transformer(tmp_path / architecture, architecture)
    training = replace(ONE_STEP, mode=mode, lora_layers=None)
    metrics = train_reader(QUESTIONS, folder, tmp_path / "run", training=training)
    assert metrics["steps"] == 3
    assert (tmp_path / "run" / "adapter").exists() == (mode == "lora")
    [assessed] = served(tmp_path / "run", folder).assess(QUESTIONS[0].question, ["it learns the noise of the data"])
    assert 0 <= assessed.fraction <= 1


# --- what is trained is what serves ------------------------------------------------------------------------------


def reader_over(folder: Path, run: Path, texts: list[Text]) -> ReaderModel:
    """The model of a run, loaded to go on from."""
    training = replace(LORA, layers=load_reading_model(run).layers, max_tokens=128)
    encoder = trainable_encoder(str(folder), name="", training=training, start=run)
    tokens = tokens_of(texts, encoder.tokenizer, prefix=encoder.prefix, pad_id=encoder.pad_id, max_tokens=128)
    states = EncodedStates(encoder.model, tokens, encoder.pad_id, torch.device("cpu"))
    model = ReaderModel(encoder, states, tokens, Accelerator())
    model.begin(1, run)
    return model


def test_torch_reads_in_batches_what_numpy_reads_one_by_one(finished: Run, folder: Path) -> None:
    run, _ = finished
    questions = reader_questions(QUESTIONS)
    pairs = [pair for question in questions for each in question.answers for pair in reading_pairs(question, each)]
    # What does not fit into one window is read in several when the model serves.
    short = [pair for pair in pairs if len(pair[0][0]) < 95 and len(pair[1][0]) < 120][:40]
    assert len(short) >= 15
    found = reader_over(folder, run, [text for pair in short for text in pair]).read(short)
    encoder = Encoder(folder, layers=2, adapter=run / "adapter")
    reader = Reader(load_file(run / "reader.safetensors"))
    for (point, answer), logits in zip(short, found.tolist(), strict=True):
        [read_point] = encoder.read([point[0]], context=[point[1] or ""])
        [read_answer] = encoder.read([answer[0]])
        [reading] = reader.read(reader.prepare([read_point]), reader.prepare([read_answer]))
        assert logits == pytest.approx([reading.said, reading.contradicted], abs=1e-4)


def test_the_two_readers_agree_on_the_same_states(folder: Path) -> None:
    torch.manual_seed(4)
    network = ReaderNetwork(32).eval()
    reader = Reader({name: array.numpy() for name, array in network.state_dict().items()})
    encoder = Encoder(folder)
    [point] = encoder.read(["the learning rate is a step"], context=["what is it?"])
    [answer] = encoder.read(["a step"])
    with torch.enable_grad():
        logits = network(side_of(point, 3), side_of(answer, 5))[0].tolist()
    # Beside a longer text, the shorter one is padded.
    [longer] = encoder.read(["the learning rate is a step and then another step"], context=["what is it?"])
    [reading, _] = reader.read(reader.prepare([point, longer]), reader.prepare([answer]))
    assert logits == pytest.approx([reading.said, reading.contradicted], abs=1e-4)


def side_of(read: TokenStates, padding: int) -> Side:
    pad = torch.nn.functional.pad
    return Side(
        states=pad(torch.tensor(read.states), (0, 0, 0, padding))[None],
        ids=pad(torch.tensor(read.ids), (0, padding))[None],
        marks=pad(torch.tensor(read.marks).long(), (0, padding))[None],
        mask=pad(torch.ones(len(read.ids), dtype=torch.bool), (0, padding))[None],
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_texts_are_cut_into_the_tokens_that_serve(architecture: str, tmp_path: Path) -> None:
    folder = build_tiny_transformer(tmp_path / f"{architecture}-e5-small", architecture)
    encoder = trainable_encoder(str(folder), name="", training=replace(TINY, max_tokens=128), start=None)
    texts: list[Text] = [("a step, 학습 (b)", "what is it?"), ("a step", None), ("", None), ("long " * 60, None)]
    tokens = tokens_of(texts, encoder.tokenizer, prefix=encoder.prefix, pad_id=encoder.pad_id, max_tokens=128)
    for text, context in texts[:3]:
        [read] = Encoder(folder).read([text], context=None if context is None else [context])
        assert tokens[text, context].ids.tolist() == read.ids.tolist()
        assert tokens[text, context].marks.tolist() == read.marks.tolist()
    [long] = Encoder(folder).read([texts[3][0]])
    cut = tokens[texts[3]]
    assert len(cut) == 128
    ends = 2 if architecture in ("roberta", "xlm-roberta") else 3
    assert cut.ids[-1] == long.ids[-1] == ends
    assert cut.ids[:-1].tolist() == long.ids[:127].tolist()


# --- going on ----------------------------------------------------------------------------------------------------


class KilledError(Exception):
    pass


@pytest.mark.parametrize(("mode", "share"), [("reader", 0.6), ("lora", 0.3), ("lora", 0.8)])
def test_a_killed_run_goes_on_to_the_same_weights(
    mode: Any, share: float, finished: Run, folder: Path, tmp_path: Path
) -> None:
    training = replace(LORA, mode=mode, lora_layers=1 if mode == "lora" else None)
    whole, metrics = finished
    if mode == "reader":
        whole = tmp_path / "whole"
        metrics = train_reader(QUESTIONS, folder, whole, encoder_name="tiny", training=training)

    def stop(done: int, total: int, text: str) -> None:
        if "loss" in text and done >= share * total:
            raise KilledError

    with pytest.raises(KilledError):
        train_reader(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny", training=training, progress=stop)
    assert not (tmp_path / "run" / "manifest.json").exists()
    told: list[int] = []
    again = train_reader(
        QUESTIONS,
        folder,
        tmp_path / "run",
        encoder_name="tiny",
        training=training,
        progress=lambda done, _total, text: told.append(done) if "loss" in text else None,
    )
    assert told[0] > 1, "it began anew instead of going on"
    one, other = arrays_of(whole), arrays_of(tmp_path / "run")
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert one.keys() == other.keys()
    assert {**again, "seconds": 0} == {**metrics, "seconds": 0}
    assert (whole / "readings.jsonl").read_bytes() == (tmp_path / "run" / "readings.jsonl").read_bytes()
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_finished_run_is_not_trained_again(finished: Run, folder: Path) -> None:
    told: list[str] = []
    again = train_reader(
        QUESTIONS,
        folder,
        finished[0],
        encoder_name="tiny",
        training=LORA,
        progress=lambda _done, _total, text: told.append(text),
    )
    assert again == json.loads(json.dumps(finished[1]))
    assert not any("loss" in text for text in told)


def test_a_folder_with_another_run_is_refused(finished: Run, folder: Path) -> None:
    with pytest.raises(RunMismatch, match="another training"):
        train_reader(QUESTIONS, folder, finished[0], encoder_name="tiny", training=replace(LORA, seed=2))
    with pytest.raises(RunMismatch, match="another data"):
        train_reader(few_questions(9), folder, finished[0], encoder_name="tiny", training=LORA)


# --- going on from a trained reader ------------------------------------------------------------------------------


def test_a_course_goes_on_from_a_trained_reader(finished: Run, folder: Path, tmp_path: Path) -> None:
    course = [scored_question(number) for number in range(8)]
    gentle = replace(ONE_STEP, mode="lora", layers=None, encoder_rate=1e-6, reader_rate=1e-6)
    train_reader(
        course, folder, tmp_path / "run", training=gentle, start=finished[0], datasets=["b" * 16], has_test=True
    )
    before, after = arrays_of(finished[0]), arrays_of(tmp_path / "run")
    assert before.keys() == after.keys()
    assert all(np.allclose(before[name], after[name], atol=2e-3) for name in before)
    manifest = manifest_of(tmp_path / "run")
    assert manifest["run"]["start"] == file_sha256(finished[0] / "manifest.json")[:16]
    assert manifest["dataset_digest"] == f"{'a' * 16}+{'b' * 16}", "whoever is erased is in the first run's data too"
    assert (manifest_of(finished[0])["learnt_test_part"], manifest["learnt_test_part"]) == (False, True)
    assert manifest["encoder"]["layers"] == 2
    assert "went on from another" in (tmp_path / "run" / "card.md").read_text(encoding="utf-8")
    assert load_reading_model(tmp_path / "run").layers == 2


def test_a_head_alone_leaves_reader_and_encoder_as_they_were(finished: Run, folder: Path, tmp_path: Path) -> None:
    course = [scored_question(number) for number in range(8)]
    training = replace(ONE_STEP, mode="head", layers=None, epochs=0, most_made_up=2)
    metrics = train_reader(course, folder, tmp_path / "run", training=training, start=finished[0])
    assert metrics["steps"] == 0
    for name in ("reader.safetensors", "nearness.safetensors", "adapter/adapter_model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (finished[0] / name).read_bytes(), name
    before, after = (json.loads((run / "head.json").read_text()) for run in (finished[0], tmp_path / "run"))
    assert before["fraction"] != after["fraction"]
    assert (before["verdicts"], before["elsewhere"]) == (after["verdicts"], after["elsewhere"])
    card = (tmp_path / "run" / "card.md").read_text(encoding="utf-8")
    assert "Encoder and reader stayed as they were" in card
    # Cross-validated figures are of the course alone, whatever else the trees were grown on.
    assert f"| all | {sum(len(each.answers) for each in course)} |" in card
    [assessed] = served(tmp_path / "run", folder).assess(course[0].question, ["it learns the noise of the data"])
    assert 0 <= assessed.fraction <= 1


def test_what_was_learnt_before_is_remembered_beside_the_course(finished: Run, folder: Path, tmp_path: Path) -> None:
    course = [scored_question(number) for number in range(8)]
    training = replace(ONE_STEP, mode="head", layers=None, epochs=0, most_made_up=0)
    train_reader(course, folder, tmp_path / "run", training=training, start=finished[0])
    before, after = read_remembered(finished[0]), read_remembered(tmp_path / "run")
    real = [row for row in after if not row.is_made_up]
    assert sum(not row.is_made_up for row in before) == 24
    assert len(real) == 24 + sum(len(each.answers) for each in course)
    assert len({row.source for row in after}) == 2
    assert len({row.group for row in after}) == 16
    # The head of a course that forgot the rest has other trees.
    forgetful = shutil.copytree(finished[0], tmp_path / "forgetful")
    (forgetful / "remembered.safetensors").unlink()
    manifest = manifest_of(forgetful)
    del manifest["files"]["remembered.safetensors"]
    (forgetful / "manifest.json").write_text(json.dumps(manifest))
    train_reader(course, folder, tmp_path / "other", training=training, start=forgetful)
    heads = [(tmp_path / name / "head.json").read_text() for name in ("run", "other")]
    assert json.loads(heads[0])["fraction"] != json.loads(heads[1])["fraction"]


def test_the_adapter_of_lower_layers_stays(folder: Path, tmp_path: Path) -> None:
    both = replace(ONE_STEP, mode="lora", lora_layers=2)
    train_reader(QUESTIONS, folder, tmp_path / "both", training=both)
    train_reader(QUESTIONS, folder, tmp_path / "top", training=replace(both, lora_layers=1), start=tmp_path / "both")
    before, after = (arrays_of(tmp_path / name) for name in ("both", "top"))
    changed = {
        name.split(".layer.")[1][0] for name in before if "lora_B" in name and (before[name] != after[name]).any()
    }
    assert before.keys() == after.keys()
    assert changed == {"1"}


def test_a_frozen_encoder_keeps_the_adapter_it_had(finished: Run, folder: Path, tmp_path: Path) -> None:
    train_reader(QUESTIONS, folder, tmp_path / "run", training=replace(ONE_STEP, lora_layers=None), start=finished[0])
    one, other = (path / "adapter" / "adapter_model.safetensors" for path in (finished[0], tmp_path / "run"))
    assert one.read_bytes() == other.read_bytes()
    assert served(tmp_path / "run", folder).assess(QUESTIONS[0].question, ["it learns the noise"])


def test_a_start_over_another_encoder_is_refused(finished: Run, tmp_path: Path) -> None:
    other = build_tiny_transformer(tmp_path / "mpnet", "mpnet")
    with pytest.raises(ModelUnsuitable, match=r"trained for the encoder tiny"):
        train_reader(QUESTIONS, other, tmp_path / "run", training=replace(TINY, layers=None), start=finished[0])


def test_a_start_with_other_layers_is_refused(finished: Run, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnsuitable, match="trained on 2 layers"):
        train_reader(QUESTIONS, folder, tmp_path / "run", training=replace(TINY, layers=1), start=finished[0])


def test_a_start_without_a_reader_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadBroken, match=r"manifest\.json is missing"):
        train_reader(QUESTIONS, folder, tmp_path / "run", training=TINY, start=tmp_path)


def test_too_few_questions_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TooFewExamples, match="at least 8 different questions"):
        train_reader(QUESTIONS[:7], folder, tmp_path / "run", training=TINY)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["reader", "lora"])
def test_more_layers_than_there_are_are_refused(mode: Any, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match="4 layers are asked for"):
        train_reader(QUESTIONS, folder, tmp_path / "run", training=replace(TINY, mode=mode, layers=4))


# --- rates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [10, 40, 333])
def test_rates_and_momentum_go_one_cycle(steps: int) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=steps + 1, pct_start=0.1)
    for step in range(steps):
        group = optimizer.param_groups[0]
        assert one_cycle(step, steps) == pytest.approx((group["lr"], group["betas"][0]), rel=1e-6)
        optimizer.step()
        cycle.step()


@pytest.mark.parametrize("steps", [1, 2, 8, 9])
def test_a_run_of_few_steps_has_rates_too(steps: int) -> None:
    for step in range(steps):
        share, momentum = one_cycle(step, steps)
        assert 0 < share <= 1
        assert 0.85 <= momentum <= 0.95


def test_the_settings_are_those_of_the_shipped_model() -> None:
    training = ReaderTraining()
    assert (training.rank, training.alpha, training.batch_size, training.epochs) == (32, 64, 128, 6)
