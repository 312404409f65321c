"""What a run says of the data and the code that made it."""

from __future__ import annotations

from pathlib import Path

from finetune.run_versions import code_version, dataset_digest, datasets_of, has_learnt_test
from grading.grader import CODE_VERSION
from grading.reading_model import DEFAULT_MODEL
from tests.model_runs import make_run


def test_the_code_is_program_and_scoring() -> None:
    program, _, scoring = code_version().partition(", grading ")
    assert program.startswith("mlquiz ")
    assert scoring == CODE_VERSION


def test_several_datasets_are_named_each() -> None:
    assert dataset_digest(["b" * 16, "a" * 16, "b" * 16], "c" * 64) == f"{'a' * 16}+{'b' * 16}"


def test_without_a_dataset_the_data_are_named() -> None:
    assert dataset_digest([], "c" * 64) == "c" * 64


def test_what_a_model_learnt_from_is_told_by_its_run(tmp_path: Path) -> None:
    two = make_run(tmp_path / "two", dataset_digest=f"{'a' * 16}+{'b' * 16}")
    assert datasets_of(two) == ("a" * 16, "b" * 16)
    assert datasets_of(make_run(tmp_path / "bank", dataset_digest="c" * 64)) == ()
    assert datasets_of(DEFAULT_MODEL) == datasets_of(None) == ()


def test_whether_a_test_part_was_learnt_is_told_by_the_run(tmp_path: Path) -> None:
    assert has_learnt_test(make_run(tmp_path / "all", learnt_test_part=True))
    assert not has_learnt_test(make_run(tmp_path / "one"))
    assert not has_learnt_test(None)
