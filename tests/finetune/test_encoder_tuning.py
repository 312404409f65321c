"""``--mode full``: all weights of a tiny encoder learn, figures are of unseen questions, the run serves itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import TrainerState

from config import load_settings
from finetune import encoder_run, encoder_tuning
from finetune.encoder_pairs import EncoderTraining, learning_and_deciding, scored_pairs
from finetune.encoder_run import train_full
from finetune.encoder_tuning import ScoreLine, SeededBatches, is_finished
from finetune.errors import ModelUnsuitable, RunMismatch, TooFewExamples
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.run_versions import code_version
from grading.encoder import Encoder
from grading.errors import HeadBroken
from grading.grader import Grader, grader_from, load_grader
from grading.unpacking import file_sha256
from lti_tool.models.folders import intact_folder, keep_run, kind_of_run, manifest_of_run
from tests.conftest_models import build_tiny_transformer
from tests.finetune.reader_data import few_questions, scored_question

pytestmark = pytest.mark.slow

TINY = EncoderTraining(epochs=2, folds=2, batch_size=8, rate=1e-3)
QUESTIONS = few_questions()
ANSWERS = [answer.text for answer in QUESTIONS[0].answers] + ["no idea", "My cat sleeps all day long."]
Run = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "bert", "bert")


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    output = tmp_path_factory.mktemp("runs") / "run"
    return output, train_full(QUESTIONS, folder, output, encoder_name="tiny", training=TINY)


def manifest_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "manifest.json").read_text(encoding="utf-8"))


def scores(grader: Grader) -> list[tuple[float, float, float]]:
    found = grader.assess(QUESTIONS[0].question, ANSWERS)
    return [(assessment.fraction, assessment.low, assessment.confidence) for assessment in found]


def changed(run: Path, tmp_path: Path) -> Path:
    """A copy whose encoder has one weight changed."""
    copy = shutil.copytree(run, tmp_path / "changed")
    path = copy / "encoder" / "model.safetensors"
    arrays = load_file(path)
    name = next(iter(arrays))
    arrays[name] = arrays[name] + 1
    save_file(arrays, path, metadata={"format": "pt"})
    return copy


# --- what a run leaves -------------------------------------------------------------------------------------------


def test_a_run_leaves_encoder_head_card_and_manifest(finished: Run, folder: Path) -> None:
    output, metrics = finished
    names = {"encoder", "learnt.safetensors", "head.json", "metrics.json", "card.md", "manifest.json", "report.html"}
    assert {path.name for path in output.iterdir()} == names
    manifest = manifest_of(output)
    assert manifest["metrics"] == json.loads((output / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert manifest["files"] == {name: file_sha256(output / name) for name in manifest["files"]}
    paths = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == paths - {"manifest.json", "report.html"}
    assert manifest["encoder"] == {"name": "tiny", "version": Encoder(folder).version, "layers": None}
    assert manifest["code_version"] == code_version()
    assert manifest["dataset_digest"] == manifest["run"]["data"]
    assert manifest["sources"] == {"samples": {"questions": 8, "real": 24}}
    assert metrics["own"]["all"]["count"] == 24
    assert len(metrics["best_epochs"]) == TINY.folds + 1


def test_nothing_that_is_passed_on_quotes_an_answer_or_is_a_pickle(finished: Run) -> None:
    output, _ = finished
    listed = [output / name for name in manifest_of(output)["files"]]
    assert {path.suffix for path in listed} == {".json", ".safetensors", ".md"}
    for path in listed:
        content = path.read_bytes()
        assert not any(answer.text.encode() in content for graded in QUESTIONS for answer in graded.answers)
        assert str(output.parent).encode() not in content


def test_the_report_shows_figures_baseline_and_loss(finished: Run) -> None:
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    for shown in ("Against the baseline", 'aria-label="Loss"', "mode full, 2 passes, seed 1", "cosent"):
        assert shown in page
    assert "random weights" not in page


def test_all_weights_learn(finished: Run, folder: Path) -> None:
    before, after = load_file(folder / "model.safetensors"), load_file(finished[0] / "encoder" / "model.safetensors")
    # A pooler that the checkpoint lacks is drawn on loading; nothing uses it.
    assert {name for name in before.keys() ^ after.keys() if "pooler" not in name} == set()
    # A bias added to every key cancels in the softmax: nothing in it can be learned.
    still = {name for name in before if np.array_equal(before[name], after[name])}
    assert {name for name in still if "key.bias" not in name} == set()


@pytest.mark.parametrize(
    ("architecture", "loss"), [("roberta", "cosine"), ("xlm-roberta", "mse"), ("roberta-wordpiece", "cosent")]
)
def test_every_loss_and_architecture_trains_and_serves(architecture: str, loss: Any, tmp_path: Path) -> None:
    base = build_tiny_transformer(tmp_path / architecture, architecture)
    training = replace(TINY, loss=loss, epochs=1)
    metrics = train_full(QUESTIONS, base, tmp_path / "run", encoder_name="tiny", training=training)
    assert len(metrics["loss"]) == metrics["steps"] > 0
    assert np.isfinite(metrics["loss"]).all()
    assert scores(grader_from("tiny", tmp_path, tmp_path / "run"))[0][0] > 0


def test_answers_with_nothing_but_a_score_are_trained_on(folder: Path, tmp_path: Path) -> None:
    scored = [
        GradedAnswer(text="It learns weights and lowers the loss.", score=1.0),
        GradedAnswer(text="It learns weights.", score=0.5),
        GradedAnswer(text="It sorts the data by hand.", score=0.0),
    ]
    questions = [replace(scored_question(number), answers=tuple(scored)) for number in range(8)]
    metrics = train_full(questions, folder, tmp_path / "run", encoder_name="tiny", training=replace(TINY, epochs=1))
    assert metrics["own"]["all"]["count"] == 24
    assert manifest_of(tmp_path / "run")["sources"] == {"course": {"questions": 8, "real": 24}}


def test_fewer_layers_are_kept(folder: Path, tmp_path: Path) -> None:
    training = replace(TINY, epochs=1, layers=1)
    train_full(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny", training=training)
    assert json.loads((tmp_path / "run" / "encoder" / "config.json").read_text())["num_hidden_layers"] == 1
    assert scores(grader_from("tiny", tmp_path, tmp_path / "run"))


# --- honest figures ----------------------------------------------------------------------------------------------


def test_no_encoder_of_a_fold_has_seen_its_questions(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    asked: list[set[str]] = []
    tune, features = encoder_run.tuned_encoder, encoder_run.training_answers

    def watched_tune(encoder: str, learning: list[Any], deciding: list[Any], *rest: Any, **named: Any) -> Any:
        seen.append({pair.reference for pair in (*learning, *deciding)})
        return tune(encoder, learning, deciding, *rest, **named)

    def watched_features(questions: list[GradedQuestion], *rest: Any) -> Any:
        asked.append({answer for graded in questions for answer in graded.question.model_answers})
        return features(questions, *rest)

    monkeypatch.setattr(encoder_run, "tuned_encoder", watched_tune)
    monkeypatch.setattr(encoder_run, "training_answers", watched_features)
    train_full(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny", training=replace(TINY, epochs=1))
    whole = {answer for graded in QUESTIONS for answer in graded.question.model_answers}
    assert len(asked) == 2
    assert asked[0] | asked[1] == whole
    assert not asked[0] & asked[1]
    assert [len(seen[fold] & asked[fold]) for fold in (0, 1)] == [0, 0]
    assert len(seen) == 3
    assert len(seen[2]) > len(seen[0])


def test_the_questions_that_say_when_to_stop_are_not_learned_from() -> None:
    translated = [*QUESTIONS, replace(QUESTIONS[0], source="translation")]
    learning, deciding = learning_and_deciding(translated, seed=3)
    assert len(learning) + len(deciding) == len(translated)
    assert deciding
    assert not {graded.group for graded in learning} & {graded.group for graded in deciding}
    assert learning_and_deciding(translated, seed=3) == (learning, deciding)
    assert any(learning_and_deciding(translated, seed)[1] != deciding for seed in range(4, 9))


def test_a_pair_has_what_the_guard_leaves_and_one_model_answer_in_turn() -> None:
    graded = replace(
        QUESTIONS[0],
        question=replace(QUESTIONS[0].question, model_answers=("First wording of it.", "Second wording of it.")),
        answers=(
            GradedAnswer(text=QUESTIONS[0].answers[0].text, score=1.0),
            GradedAnswer(text="   ", score=0.0),
            GradedAnswer(text=QUESTIONS[1].answers[0].text, score=0.2),
            GradedAnswer(text=QUESTIONS[0].answers[1].text, score=0.5),
        ),
    )
    pairs = scored_pairs([graded])
    assert [pair.score for pair in pairs if pair.score in (1.0, 0.5)] == [1.0, 0.5]
    assert pairs[0].reference == "First wording of it."
    assert pairs[-1].reference == "Second wording of it."
    assert all(pair.answer.strip() for pair in pairs)


def test_answers_without_content_are_nothing_to_tune_on() -> None:
    with pytest.raises(TooFewExamples, match="nothing to tune"):
        scored_pairs([replace(QUESTIONS[0], answers=(GradedAnswer(text=" ", score=0.0),))])


# --- the parts of the training -----------------------------------------------------------------------------------


def batches(seed: int, epoch: int) -> list[list[int]]:
    sampler = SeededBatches(range(10), batch_size=4, drop_last=False, seed=seed)  # pyright: ignore
    sampler.set_epoch(epoch)
    return list(sampler)


def test_the_order_of_a_pass_hangs_on_seed_and_pass_alone() -> None:
    assert [len(batch) for batch in batches(1, 2)] == [4, 4, 2]
    assert sorted(place for batch in batches(1, 2) for place in batch) == list(range(10))
    assert batches(1, 2) == batches(1, 2)
    assert batches(1, 2) != batches(1, 3)
    assert batches(1, 2) != batches(2, 2)


def test_the_line_gives_cosines_mean_and_spread_of_the_scores_and_never_falls() -> None:
    cosines, given = [0.9, 0.8, 0.85, 0.75], [0.0, 1.0, 0.3, 0.9]
    line = ScoreLine(cosines, given)
    found = line(torch.tensor(cosines)).numpy()
    assert found.mean() == pytest.approx(np.mean(given), abs=1e-6)
    assert found.std() == pytest.approx(np.std(given), abs=1e-6)
    assert line.slope > 0
    assert ScoreLine([0.8, 0.8], [0.2, 0.4]).slope == 1.0
    assert ScoreLine([0.7, 0.8], [0.5, 0.5]).slope == 1.0


@pytest.mark.parametrize(
    ("losses", "patience", "is_end"),
    [([], 1, False), ([3.0], 1, False), ([3.0, 2.0], 1, False), ([2.0, 3.0], 1, True), ([2.0, 3.0], 2, False)],
)
def test_a_training_ends_when_it_gains_no_more(losses: list[float], patience: int, is_end: bool) -> None:
    state = TrainerState(log_history=[{"eval_loss": loss} for loss in losses])
    assert is_finished(state, replace(TINY, epochs=3, patience=patience)) is is_end


def test_a_training_ends_with_its_last_pass() -> None:
    assert is_finished(TrainerState(log_history=[{"eval_loss": 2.0}, {"eval_loss": 1.0}]), TINY)


def test_what_is_put_before_the_texts_of_e5_stays_with_the_tuned_encoder(folder: Path, tmp_path: Path) -> None:
    train_full(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny-e5", training=replace(TINY, epochs=1))
    tuned = tmp_path / "run" / "encoder"
    named, unnamed = Encoder(tuned, name="tiny-e5"), Encoder(tuned)
    assert named.prefix == unnamed.prefix == "query: "
    assert np.array_equal(named.encode(["a text"]), unnamed.encode(["a text"]))
    plain = Encoder(tuned)
    plain._model.default_prompt_name = None
    assert np.allclose(plain.encode(["query: a text"]), named.encode(["a text"]), atol=1e-6)
    assert not np.allclose(plain.encode(["a text"]), named.encode(["a text"]), atol=1e-3)


# --- serving -----------------------------------------------------------------------------------------------------


def test_a_run_becomes_a_version_that_grades_with_its_own_encoder(
    finished: Run, tiny_encoder_folder: Path, tmp_path: Path
) -> None:
    output, _ = finished
    manifest = manifest_of_run(output)
    assert kind_of_run(manifest, output) == "GRADER"
    digest, _ = keep_run(output, tmp_path / "versions", manifest)
    version = intact_folder(tmp_path / "versions", digest)
    settings = load_settings(grader_model=str(tiny_encoder_folder))
    grader = load_grader(settings, version=version)
    assert grader.versions["version"] == digest
    assert grader.versions["encoder"] == f"tiny@{Encoder(output / 'encoder').version}"
    assert grader.versions["head"].startswith("own@")
    # Graded again, by another process's load, and straight from the run: the same to the last digit.
    assert (
        scores(grader) == scores(load_grader(settings, version=version)) == scores(grader_from("x", tmp_path, output))
    )
    full, *_ = grader.assess(QUESTIONS[0].question, [QUESTIONS[0].question.model_answers[0]])
    off, *_ = grader.assess(QUESTIONS[0].question, ["My cat sleeps all day long."])
    assert full.fraction > off.fraction


def test_the_head_serves_no_other_encoder(finished: Run, tiny_encoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadBroken, match="another or was changed"):
        grader_from("tiny", tmp_path, changed(finished[0], tmp_path))
    copy = shutil.copytree(finished[0], tmp_path / "without")
    shutil.rmtree(copy / "encoder")
    with pytest.raises(HeadBroken, match="another or was changed"):
        grader_from(str(tiny_encoder_folder), tmp_path, copy)


# --- refusals ----------------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_trained_again_and_another_is_refused(finished: Run, folder: Path) -> None:
    output, metrics = finished
    before = (output / "manifest.json").read_bytes()
    again = train_full(QUESTIONS, folder, output, encoder_name="tiny", training=TINY)
    assert again == json.loads(json.dumps(metrics))
    assert (output / "manifest.json").read_bytes() == before
    with pytest.raises(RunMismatch, match="another training"):
        train_full(QUESTIONS, folder, output, encoder_name="tiny", training=replace(TINY, loss="mse"))
    with pytest.raises(RunMismatch, match="another data"):
        train_full(QUESTIONS[1:], folder, output, encoder_name="tiny", training=TINY)


def test_an_unfinished_run_of_other_settings_is_refused(folder: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, text: str) -> None:
        if "loss" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_full(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny", training=TINY, progress=stop)
    with pytest.raises(RunMismatch, match="another training"):
        train_full(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny", training=replace(TINY, seed=2))


def test_too_few_questions_are_refused(folder: Path, tmp_path: Path) -> None:
    empty = replace(QUESTIONS[4], answers=())
    with pytest.raises(TooFewExamples, match="at least 5 different questions with answers are needed, there are 4"):
        train_full([*QUESTIONS[:4], empty], folder, tmp_path / "run", training=TINY)
    assert not (tmp_path / "run").exists()


def test_a_missing_package_is_a_sentence_that_names_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_tuning, "find_spec", lambda name: None)
    with pytest.raises(ModelUnsuitable, match="pip install 'mlquiz\\[full\\]'"):
        train_full(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny", training=TINY)


def test_a_rate_that_leaves_no_number_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnsuitable, match="no number"):
        train_full(QUESTIONS, folder, tmp_path / "run", encoder_name="tiny", training=replace(TINY, rate=1e30))
    assert not (tmp_path / "run" / "manifest.json").exists()
