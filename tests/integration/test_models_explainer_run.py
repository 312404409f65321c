"""A finished training of the explainer becomes a version, with what is known of it and without students' words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config import Settings
from finetune.dataset import read_dataset, write_dataset
from finetune.explainer_data import read_course
from finetune.explainer_sources import Sources
from finetune.explainer_training import train_explainer
from lti_tool.db import Database
from lti_tool.models.adding import add_run
from lti_tool.models.folders import remove_folder
from tests.finetune.explainer_builders import SMALL, few_samples, make_course_question, make_explained, prompts


@pytest.fixture
def _versions(settings: Settings) -> Iterator[None]:
    yield
    remove_folder(settings.versions_path)


@pytest.mark.usefixtures("_versions")
def test_a_training_on_bank_and_course_becomes_a_candidate(
    database: Database, settings: Settings, tiny_lm_folder: Path, tmp_path: Path
) -> None:
    data, run = tmp_path / "spring", tmp_path / "run"
    asked = [make_course_question(prompt) for part in ("train", "test") for prompt in prompts(part, 2)]
    explained = [make_explained(question, number) for question in asked for number in range(2)]
    write_dataset(data, questions=asked, examples=explained, producer="tests", filters={})
    metrics = train_explainer(
        Sources(samples=few_samples(), courses=[read_course(data)]),
        tiny_lm_folder,
        run,
        base_name=str(tiny_lm_folder),
        training=replace(SMALL, epochs=1),
    )
    with database.across_tenants() as connection:
        added = add_run(connection, settings, run, by="ada")
    version = added.version
    assert (version.kind, version.status) == ("EXPLAINER", "CANDIDATE")
    assert version.dataset_digest == read_dataset(data).digest
    assert version.headline == {"share": metrics["test"]["adapter"]["share"]}
    assert version.settings["base_model"] == str(tiny_lm_folder)
    kept = settings.versions_path / version.digest
    assert not (kept / "samples.jsonl").exists()
    for path in kept.iterdir():
        assert b"as in exercise" not in path.read_bytes()
