"""Dataset folders: what is written is read, what was changed is refused, and nothing is half written."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from finetune.dataset import Dataset, Example, read_dataset, write_dataset
from finetune.dataset.records import MAX_LINE_BYTES
from finetune.errors import DatasetBroken, DatasetFolderTaken, DatasetUnwritable, FinetuneError
from grading.domain import Verdict
from tests.finetune.dataset_data import (
    change_example,
    change_manifest,
    make_example,
    make_question,
    replace_lines,
    write,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "data")
    return tmp_path / "data"


def broken(folder: Path) -> str:
    with pytest.raises(DatasetBroken) as error:
        read_dataset(folder)
    return str(error.value)


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_a_killed_process_left_goes_away_and_what_one_works_at_stays(tmp_path: Path, is_killed: bool) -> None:
    target, other = tmp_path / "data", tmp_path / ".data-of-others.12345678.partial"
    other.mkdir()
    program = (
        "import time; from pathlib import Path; from finetune.dataset.writing import beside\n"
        f"with beside(Path({str(target)!r})) as folder:\n"
        "    (folder / 'examples.jsonl').write_text('half'); print(folder, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        try:
            assert folder.is_dir()
            if is_killed:
                process.kill()
                process.wait()
            write(target)
            assert folder.exists() is not is_killed
        finally:
            process.kill()
    assert other.is_dir()
    assert read_dataset(target).examples


def test_what_is_written_is_read(tmp_path: Path) -> None:
    example = make_example(
        answer="가중치를 \n=옮긴다, “loss” ↓",
        language="ko",
        verdicts=("covered", "missing"),
        explanation="Say what it lowers.",
        explained_by="MODEL",
        learner="learner-1",
        rating="NOT_HELPFUL",
        course="course-1",
        part="test",
    )
    manifest = write(tmp_path / "data", [example], [make_question()])
    dataset = read_dataset(tmp_path / "data")
    assert dataset == Dataset(questions=(make_question(),), examples=(example,), manifest=manifest)
    assert dataset.examples[0].verdicts == (Verdict.COVERED, Verdict.MISSING)


def test_the_manifest_says_where_it_came_from_and_how_much_it_is(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["schema_version"] == 1
    assert manifest["kind"] == "dataset"
    assert manifest["producer"] == "tests"
    assert manifest["filters"] == {"quizzes": ["one"]}
    assert manifest["counts"] == {"questions": 1, "examples": 4, "confirmed": 4, "explained": 0}
    assert manifest["created_at"].endswith("Z")
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert set(manifest["files"]) == {path.name for path in folder.iterdir()} - {"manifest.json"}


def test_the_digest_is_of_the_content_alone(folder: Path, tmp_path: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    canonical = json.dumps(files, sort_keys=True, separators=(",", ":"))
    assert read_dataset(folder).digest == hashlib.sha256(canonical.encode()).hexdigest()[:16]
    change_manifest(folder, producer="another", created_at="2020-01-01T00:00:00Z")
    assert read_dataset(folder).digest == write(tmp_path / "again").digest
    assert write(tmp_path / "other", [make_example()]).digest != read_dataset(folder).digest


def test_the_schema_describes_each_field_of_both_files(folder: Path) -> None:
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    example = json.loads((folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()[0])
    question = json.loads((folder / "questions.jsonl").read_text(encoding="utf-8"))
    assert set(schema["examples.jsonl"]["properties"]) == set(example)
    assert set(schema["questions.jsonl"]["properties"]) == set(question)


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    assert len(read_dataset(tmp_path / "data").examples) == 4


def test_what_students_wrote_is_for_the_owner_alone(folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0


def test_folders_above_are_made(tmp_path: Path) -> None:
    write(tmp_path / "all" / "datasets" / "data")
    assert [path.name for path in (tmp_path / "all" / "datasets").iterdir()] == ["data"]


def test_a_dataset_is_never_written_over(folder: Path) -> None:
    before = (folder / "examples.jsonl").read_bytes()
    with pytest.raises(DatasetFolderTaken, match="name a new folder"):
        write(folder, [make_example()])
    assert (folder / "examples.jsonl").read_bytes() == before


def test_a_file_in_the_way_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine", encoding="utf-8")
    with pytest.raises(DatasetFolderTaken):
        write(tmp_path / "data")
    assert (tmp_path / "data").read_text(encoding="utf-8") == "mine"


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DatasetUnwritable, match="cannot be written"):
        write(tmp_path / "file" / "data")


def test_a_loop_of_links_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(DatasetUnwritable, match="cannot be used"):
        write(tmp_path / "one")


def test_a_writer_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Example]:
        yield make_example()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(
            tmp_path / "data", questions=[make_question()], examples=interrupted(), producer="tests", filters={}
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ([make_example(question="q9")], "line 1: there is no question 'q9'"),
        ([make_example(), make_example()], "line 2: the id 'e1' repeats"),
        ([make_example(verdicts=("covered",))], "line 1: 1 verdicts, but the question has 2 key points"),
        (
            [make_example(answer="\x01" * 99_000, explanation="\x01" * 99_000)],
            f"line 1: longer than {MAX_LINE_BYTES:,} bytes",
        ),
    ],
    ids=["question", "id", "verdicts", "long"],
)
def test_examples_that_no_reader_would_take_are_not_written(examples: list[Example], said: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetBroken, match=said):
        write(tmp_path / "data", examples)
    assert list(tmp_path.iterdir()) == []


def test_a_question_is_written_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetBroken, match="the id 'q1' repeats"):
        write(tmp_path / "data", [], [make_question(), make_question()])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"score": 1.01}, "line 2: score: Input should be less than or equal to 1"),
        ({"score": -0.1}, "line 2: score: Input should be greater than or equal to 0"),
        ({"score": "0.5"}, "line 2: score: Input should be a valid number"),
        ({"score": True}, "line 2: score: Input should be a valid number"),
        ({"scored_by": "ROBOT"}, "line 2: scored_by: Input should be 'PERSON' or 'MODEL'"),
        ({"answer": None}, "line 2: answer: Input should be a valid string"),
        ({"answer": "x" * 100_001}, "line 2: answer: String should have at most 100000 characters"),
        ({"answer": "a\0b"}, "line 2: answer: Value error, the text holds a NUL character"),
        ({"language": "English"}, "line 2: language: String should match pattern"),
        ({"verdicts": ["fine", "missing"]}, "line 2: verdicts.0: Input should be 'covered'"),
        ({"verdicts": ["covered"]}, "line 2: 1 verdicts, but the question has 2 key points"),
        ({"question": "q7"}, "line 2: there is no question 'q7'"),
        ({"id": "e0"}, "line 2: the id 'e0' is that of line 1 too"),
        ({"id": " "}, "line 2: id: Value error, the text is blank"),
        ({"name": "Ann"}, "line 2: name: Extra inputs are not permitted"),
        ({"part": "exam"}, "line 2: part: Input should be 'train', 'validation' or 'test'"),
    ],
)
def test_a_line_that_does_not_fit_is_named(changes: dict[str, object], said: str, folder: Path) -> None:
    change_example(folder, **changes)
    assert f"examples.jsonl: {said}" in broken(folder)


def test_a_fault_does_not_repeat_what_a_student_wrote(folder: Path) -> None:
    change_example(folder, answer="secret " * 20_000)
    assert "secret" not in broken(folder)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"model_answers": ()}, "model_answers"),
        ({"prompt": " \n"}, "the text is blank"),
        ({"key_points": ({"position": 1, "name": "", "text": "x"},)}, "do not count 0, 1, 2"),
        ({"key_points": ({"position": 0, "name": "", "text": "x", "weight": 0.0},)}, "greater than 0"),
        ({"key_points": ({"position": 0, "name": "", "text": "x", "weight": float("inf")},)}, "finite number"),
    ],
)
def test_a_question_that_cannot_be_graded_against_is_refused(overrides: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        make_question(**overrides)


def test_blank_lines_and_a_mark_of_an_editor_do_no_harm(folder: Path) -> None:
    content = (folder / "examples.jsonl").read_bytes()
    replace_lines(folder, "examples.jsonl", b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n\r\n"))
    assert len(read_dataset(folder).examples) == 4


def test_a_line_without_end_is_not_held_in_memory(folder: Path) -> None:
    good = (folder / "examples.jsonl").read_bytes()
    replace_lines(folder, "examples.jsonl", b"x" * (3 * MAX_LINE_BYTES) + b"\n" + good)
    text = broken(folder)
    assert text.count("\n") == 0
    assert f"line 1: longer than {MAX_LINE_BYTES:,} bytes" in text


def test_a_file_that_was_changed_is_refused_with_the_way_to_keep_it(folder: Path) -> None:
    with (folder / "examples.jsonl").open("ab") as file:
        file.write(b"\n")
    assert "examples.jsonl: changed since it was written" in broken(folder)
    assert "mlquiz dataset import" in broken(folder)


@pytest.mark.parametrize("name", ["examples.jsonl", "questions.jsonl"])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name}: the file is missing" in broken(folder)


def test_a_folder_without_manifest_is_unfinished(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert "manifest.json is missing" in broken(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 2}, "schema version 2; this version of mlquiz reads 'dataset' of schema version 1"),
        ({"schema_version": None}, "schema version None"),
        ({"kind": "GRADER"}, "'GRADER' of schema version 1"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"files": {}}, "files: examples.jsonl is not listed"),
        ({"files": {"../secrets.jsonl": "0"}}, "files"),
        ({"files": "none"}, "files"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_manifest_that_is_not_known_is_refused(changes: dict[str, object], said: str, folder: Path) -> None:
    change_manifest(folder, **changes)
    assert said in broken(folder)


def test_only_the_first_twenty_faults_are_told_and_all_are_counted(folder: Path) -> None:
    replace_lines(folder, "examples.jsonl", b"{}\n" * 33)
    lines = broken(folder).splitlines()
    assert len(lines) == 21
    assert "line 20:" in lines[19]
    assert lines[20] == "… and 13 more: 33 in all."


def test_every_refusal_is_an_error_that_the_command_line_says_in_a_sentence() -> None:
    assert all(issubclass(each, FinetuneError) for each in (DatasetBroken, DatasetFolderTaken, DatasetUnwritable))
