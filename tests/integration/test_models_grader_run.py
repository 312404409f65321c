"""A run of ``mlquiz train grader`` becomes a version and serves: nothing of the students' words comes along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from config import Settings
from finetune.reader_batches import Mode
from finetune.reader_training import train_reader
from finetune.run_versions import code_version
from grading.grader import load_grader
from lti_tool.db import Database
from lti_tool.models.adding import Added, add_run
from lti_tool.models.folders import intact_folder, remove_folder
from tests.conftest_models import build_tiny_transformer
from tests.finetune.reader_data import TINY, few_questions

QUESTIONS = few_questions()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "bert", "bert")


@pytest.fixture(scope="module", params=["reader", "lora"])
def run(request: pytest.FixtureRequest, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    mode: Mode = request.param
    output = tmp_path_factory.mktemp("runs") / mode
    training = replace(TINY, mode=mode, lora_layers=1 if mode == "lora" else None)
    datasets = ("0123456789abcdef",)
    train_reader(QUESTIONS, encoder, output, encoder_name=str(encoder), training=training, datasets=datasets)
    return output


@pytest.fixture
def added(run: Path, settings: Settings, database: Database) -> Iterator[Added]:
    with database.across_tenants() as connection:
        yield add_run(connection, settings, run, by="ada")
    remove_folder(settings.versions_path)


def test_a_run_becomes_a_candidate_that_says_on_which_data_and_by_which_code(added: Added) -> None:
    version = added.version
    assert added.is_new
    assert (version.kind, version.status) == ("GRADER", "CANDIDATE")
    assert version.dataset_digest == "0123456789abcdef"
    assert version.code_version == code_version()


def test_the_list_shows_the_figures_of_the_grader_and_not_of_the_baseline(added: Added) -> None:
    figures = added.version.metrics
    assert added.version.headline["mse"] == figures["head/all/mse"]
    assert "baseline/cosine/figures/mse" in figures
    assert "baseline/difference/mse" in figures


def test_a_version_holds_no_answer_of_a_student(added: Added, settings: Settings) -> None:
    folder = intact_folder(settings.versions_path, added.version.digest)
    names = {path.name for path in folder.rglob("*")}
    assert names.isdisjoint({"report.html", "readings.jsonl"})
    words = [answer.text for graded in QUESTIONS for answer in graded.answers if len(answer.text) > 20]
    for path in folder.rglob("*.[jm]*"):
        text = path.read_text(encoding="utf-8")
        assert not any(each in text for each in words)


def test_a_version_serves_with_the_encoder_that_it_was_trained_for(added: Added, settings: Settings) -> None:
    grader = load_grader(settings, version=intact_folder(settings.versions_path, added.version.digest))
    [assessed] = grader.assess(QUESTIONS[0].question, ["it learns the noise of the data"])
    assert assessed.versions["version"] == added.version.digest
    assert 0 <= assessed.low <= assessed.fraction <= assessed.high <= 1
