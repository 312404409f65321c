"""What a run's manifest says of a version: data, code, settings, and numbers without anybody's words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lti_tool.models.folders import Kind
from lti_tool.models.versions import ModelVersion, NewVersion, described
from tests.model_runs import STUDENT_TEXT


def describe(**manifest: Any) -> NewVersion:
    return described("0" * 16, "GRADER", Path("run"), {"files": {}} | manifest)


def version(kind: Kind, **metrics: float) -> ModelVersion:
    return ModelVersion(
        digest="0" * 16,
        kind=kind,
        status="CANDIDATE",
        run_folder="run",
        dataset_digest=None,
        code_version="",
        settings={},
        metrics=metrics,
        created_by="ada",
        created_at=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    "manifest",
    [
        {"dataset_digest": "abc"},
        {"dataset": "abc"},
        {"dataset": {"digest": "abc", "name": "spring"}},
        {"run": {"dataset": "abc"}},
        {"run": {"data": "abc"}},
    ],
)
def test_the_digest_of_the_data_is_found_where_trainings_write_it(manifest: dict[str, Any]) -> None:
    assert describe(**manifest).dataset_digest == "abc"


@pytest.mark.parametrize("manifest", [{}, {"dataset": 7}, {"data": {"bank": {"questions": 4}}}])
def test_a_run_that_names_no_dataset_has_none(manifest: dict[str, Any]) -> None:
    assert describe(**manifest).dataset_digest is None


def test_the_settings_are_those_of_the_run(tmp_path: Path) -> None:
    assert describe(run={"mode": "lora", "seed": 3}).settings == {"mode": "lora", "seed": 3}
    assert describe(training={"rank": 8}, seed=1, encoder={"name": "e"}).settings == {
        "training": {"rank": 8},
        "seed": 1,
    }


def test_the_code_is_named_as_well_as_the_run_can() -> None:
    assert describe(code_version="0.2.0", producer="p").code_version == "0.2.0"
    assert describe(producer="finetune.reader_training").code_version == "finetune.reader_training"


def test_figures_are_numbers_and_never_words() -> None:
    metrics = {
        "test": {"mse": 0.05, "count": 12, "share": True, "r": None, "nan": float("nan")},
        "samples": [{"answer": STUDENT_TEXT}],
        "worst": STUDENT_TEXT,
        STUDENT_TEXT * 9: 0.1,
    }
    assert describe(metrics=metrics).metrics == {"test/mse": 0.05, "test/count": 12.0}


def test_a_figure_with_its_interval_is_its_value() -> None:
    assert describe(metrics={"figures": {"mse": {"value": 0.05, "low": 0.04, "high": 0.06}}}).metrics == {
        "figures/mse": 0.05
    }


def test_figures_come_from_the_file_that_the_manifest_vouches_for(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"mse": 0.5}', encoding="utf-8")
    listed, unlisted = {"files": {"metrics.json": ""}}, {"files": {}}
    assert described("0" * 16, "GRADER", tmp_path, listed).metrics == {"mse": 0.5}
    assert described("0" * 16, "GRADER", tmp_path, unlisted).metrics == {}


@pytest.mark.parametrize("content", ["[1, 2]", "{", ""])
def test_metrics_that_are_no_figures_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(content, encoding="utf-8")
    assert described("0" * 16, "GRADER", tmp_path, {"files": {"metrics.json": ""}}).metrics == {}


def test_a_list_shows_the_figures_of_the_test_over_all_answers() -> None:
    metrics = {"own/by_kind/short/mse": 0.3, "own/all/mse": 0.2, "test/all/mse": 0.1, "own/all/mae": 0.4}
    assert version("GRADER", **metrics).headline == {"mse": 0.1, "mae": 0.4}


def test_of_an_explainer_it_shows_the_share_that_passes() -> None:
    metrics = {"test/template/share": 1.0, "test/adapter/share": 0.9, "test/base_model/share": 0.1}
    assert version("EXPLAINER", **metrics).headline == {"share": 0.9}
