"""Fifty kinds of broken or poisoned data: each ends in a refusal or a warning that says where, never in half a folder.

A table is imported; a folder is checked, and given to the trainers' reader.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result

from finetune.dataset import Example, read_dataset
from finetune.errors import DatasetBroken
from tests.finetune.dataset_data import (
    ANSWERS,
    HEADER,
    change_example,
    change_manifest,
    course_rows,
    make_example,
    make_question,
    replace_lines,
    run,
    table,
    write,
)

GOOD = table(course_rows())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``make`` writes what is broken and gives its path; ``said`` is what the command must say of it."""

    name: str
    make: Callable[[Path], Path]
    said: tuple[str, ...]
    options: tuple[str, ...] = ()


def a_file(content: str | bytes, name: str = "course.csv") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def rows_with(row: int, cells: dict[int, object]) -> Callable[[Path], Path]:
    """The good course with other cells in this row, counted as a spreadsheet counts."""
    rows = course_rows()
    for column, value in cells.items():
        rows[row - 2][column] = value
    return a_file(table(rows))


def a_folder(change: Callable[[Path], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / "course")
        change(folder / "course")
        return folder / "course"

    return make


def a_dataset(*examples: Example) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / "course", examples)
        return folder / "course"

    return make


def shuffled_table() -> str:
    """Answers that say more or less, with the scores dealt anew."""
    chance = random.Random(5)
    reference = "It moves the weights along the negative gradient and lowers the loss step by step"
    wanted = reference.split()
    rows: list[list[object]] = []
    for number in range(240):
        said = number % 8
        text = " ".join([*chance.sample(wanted, said), *chance.sample(["cats", "dogs", "rain", "sun", "sea"], 3)])
        rows.append(["What does it do?", reference, f"{text} {number}", said / 8])
    scores = [row[3] for row in rows]
    chance.shuffle(scores)
    return table([[*row[:3], score] for row, score in zip(rows, scores, strict=True)])


def a_loop(folder: Path) -> Path:
    (folder / "course.csv").symlink_to(folder / "other.csv")
    (folder / "other.csv").symlink_to(folder / "course.csv")
    return folder / "course.csv"


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "course.csv")
    return folder / "course.csv"


def examples_as_loop(folder: Path) -> None:
    (folder / "examples.jsonl").unlink()
    (folder / "examples.jsonl").symlink_to(folder / "examples.jsonl")


def truncated(folder: Path) -> None:
    replace_lines(folder, "examples.jsonl", (folder / "examples.jsonl").read_bytes()[:-40])


def lone_surrogate(folder: Path) -> None:
    content = (folder / "examples.jsonl").read_bytes()
    replace_lines(folder, "examples.jsonl", content.replace(b"answer 1:", b"answer \\ud800:", 1))


def nan_score(folder: Path) -> None:
    content = (folder / "examples.jsonl").read_bytes()
    replace_lines(folder, "examples.jsonl", content.replace(b'"score":0.25', b'"score":NaN', 1))


def other_encoding(folder: Path) -> None:
    content = (folder / "examples.jsonl").read_bytes()
    replace_lines(folder, "examples.jsonl", content.replace(b"answer 1:", "답:".encode("cp949"), 1))


def touched(folder: Path) -> None:
    with (folder / "examples.jsonl").open("ab") as file:
        file.write(b"\n")


KOREAN = table([["무엇일까?", "오차다.", "모델이 틀리는 정도", 1], ["", "", "모르겠다", 0]])

REFUSED_TABLES = (
    Case(
        name="cp949 not named",
        make=a_file(KOREAN.encode("cp949")),
        said=("row 2: byte 34 is not UTF-8", "--encoding cp949"),
    ),
    Case(
        name="one byte of Latin-1",
        make=a_file(GOOD.encode().replace(b"no idea", b"no id\xe9e", 1)),
        said=("row 5: byte", "is not UTF-8"),
    ),
    Case(name="UTF-16 without mark", make=a_file(GOOD.encode("utf-16-le")), said=("row 1: a NUL character",)),
    Case(name="UTF-16 cut in a character", make=a_file(KOREAN.encode("utf-16")[:-7]), said=("is not UTF-16",)),
    Case(name="UTF-32", make=a_file(GOOD.encode("utf-32")), said=("row 1: a NUL character",)),
    Case(
        name="UTF-16 read as cp949",
        make=a_file(GOOD.encode("utf-16")),
        said=("leave out --encoding",),
        options=("--encoding", "cp949"),
    ),
    Case(name="UTF-8 read as cp949", make=a_file(KOREAN), said=("is not CP949",), options=("--encoding", "cp949")),
    Case(name="NUL in a cell", make=rows_with(4, {2: "weights\0are changed"}), said=("row 4: a NUL character",)),
    Case(
        name="surrogate in UTF-8",
        make=a_file(GOOD.encode().replace(b"no idea", b"\xed\xa0\x80", 1)),
        said=("row 5: byte",),
    ),
    Case(name="empty file", make=a_file(b""), said=("the file is empty",)),
    Case(name="blank lines only", make=a_file("\n\n,,,\n"), said=("the file is empty",)),
    Case(name="header only", make=a_file(table([])), said=("no row below the header",)),
    Case(name="no header", make=a_file("\n".join(GOOD.splitlines()[1:])), said=("row 1: no column question or quiz",)),
    Case(
        name="missing column",
        make=a_file(GOOD.replace(",score", ",points", 1)),
        said=("row 1: no column score or similarity_score",),
    ),
    Case(
        name="column twice",
        make=a_file(table([[*row, 1] for row in course_rows()], (*HEADER, "Score"))),
        said=("row 1: columns 4 and 5 are all called",),
    ),
    Case(
        name="columns changed places",
        make=a_file(table([[row[0], row[1], row[3], row[2]] for row in course_rows()])),
        said=("cannot be taken in: 12", "row 2: the score", "row 13: the score"),
    ),
    Case(
        name="quote never closed",
        make=a_file(GOOD.replace("no idea", '"no idea', 1)),
        said=("not readable as CSV", "is a quote missing"),
    ),
    Case(name="quote missing in the header", make=a_file('"' + GOOD * 40), said=("row 1", "is a quote missing")),
    Case(
        name="cut off in a row",
        make=a_file(GOOD[: GOOD.rindex(",0")]),
        said=("row 13: only 3 cells, none for the score",),
    ),
    Case(
        name="more cells than columns",
        make=a_file(GOOD.replace("no idea", "no, idea", 1)),
        said=("row 5: 5 cells, but the header has 4",),
    ),
    Case(
        name="decimal comma",
        make=rows_with(3, {3: "0,8"}),
        said=("row 3: the score '0,8' is not a number; write a point",),
    ),
    Case(name="NaN", make=rows_with(3, {3: "NaN"}), said=("row 3: the score 'NaN' is not a number",)),
    Case(name="infinity", make=rows_with(3, {3: "inf"}), said=("row 3: the score 'inf' is not a number",)),
    Case(name="negative", make=rows_with(3, {3: -0.5}), said=("row 3: the score '-0.5' is below 0",)),
    Case(name="150 %", make=rows_with(3, {3: "150%"}), said=("row 3: the score 150% is more than 100%",)),
    Case(
        name="points instead of fractions",
        make=rows_with(2, {3: 5}),
        said=("row 2: the score 5 is more than 1", "--max-score"),
    ),
    Case(name="formula as score", make=rows_with(3, {3: "=1+1"}), said=("row 3: the score '=1+1' is not a number",)),
    Case(name="control characters as score", make=rows_with(3, {3: "\x1b[2J"}), said=(r"row 3: the score '\x1b[2J'",)),
    Case(
        name="endless cell",
        make=rows_with(3, {2: "a" * 100_001}),
        said=("row 3: the answer has more than 100,000 characters",),
    ),
    Case(
        name="endless model answer",
        make=rows_with(6, {1: "a " * 60_000}),
        said=("row 6: the model answer has more than",),
    ),
    Case(name="no question above", make=rows_with(2, {0: ""}), said=("row 2: the question is blank",)),
    Case(name="no model answer", make=rows_with(6, {1: " "}), said=("row 6: the question has no model answer",)),
    Case(name="pipe instead of a file", make=a_pipe, said=("it is no ordinary file",)),
    Case(name="loop of links", make=a_loop, said=("does not exist",)),
    Case(name="folder without dataset", make=lambda folder: folder, said=("no dataset: manifest.json is missing",)),
    Case(
        name="lines without questions",
        make=a_file(make_example().model_dump_json(), "examples.jsonl"),
        said=("questions.jsonl: the file is missing",),
    ),
    Case(name="workbook", make=a_file(b"PK\x03\x04", "course.xlsx"), said=("a workbook is not read",)),
    Case(name="picture", make=a_file(b"\x89PNG\r\n\x1a\n\0\0"), said=("row 1: byte 1 is not UTF-8",)),
)

WARNED_TABLES = (
    Case(name="formula injection", make=rows_with(4, {2: "=cmd|' /C calc'!A0"}), said=("like a formula", "row 4\n")),
    Case(name="huge cell", make=rows_with(4, {2: "very long " * 2_500}), said=("more than 20,000", "row 4\n")),
    Case(name="scores missing", make=rows_with(4, {3: ""}), said=("There is no score", "row 4\n")),
    Case(name="answer missing", make=rows_with(5, {2: ""}), said=("The answer is empty", "row 5\n")),
    Case(
        name="copies with other scores",
        make=rows_with(3, {2: ANSWERS[0].upper()}),
        said=("has different scores", "row 2+3\n"),
    ),
    Case(
        name="labels shuffled", make=a_file(shuffled_table()), said=("The scores do not follow the answers", "row 2, 3")
    ),
    Case(
        name="all full marks",
        make=a_file(table(course_rows(5, (1, 1, 1, 1)))),
        said=("20 of 20 scores are 1", "row 2, 3"),
    ),
)

BROKEN_FOLDERS = (
    Case(name="wrong digest", make=a_folder(touched), said=("examples.jsonl: changed since it was written",)),
    Case(
        name="path out of the folder",
        make=a_folder(lambda folder: change_manifest(folder, files={"../../x": "0"})),
        said=("manifest.json: files",),
    ),
    Case(
        name="absolute path",
        make=a_folder(lambda folder: change_manifest(folder, files={"/etc/passwd": "0"})),
        said=("manifest.json: files",),
    ),
    Case(
        name="unknown version",
        make=a_folder(lambda folder: change_manifest(folder, schema_version=99)),
        said=("schema version 99", "Update mlquiz"),
    ),
    Case(
        name="manifest cut off",
        make=a_folder(lambda folder: (folder / "manifest.json").write_text('{"kind": ')),
        said=("manifest.json: Invalid JSON",),
    ),
    Case(
        name="manifest nested without end",
        make=a_folder(lambda folder: (folder / "manifest.json").write_text("[" * 90_000)),
        said=("manifest.json: Invalid JSON",),
    ),
    Case(name="lines cut off", make=a_folder(truncated), said=("examples.jsonl: line 4: Invalid JSON",)),
    Case(
        name="lone surrogate",
        make=a_folder(lone_surrogate),
        said=("examples.jsonl: line 2: Invalid JSON", "hex escape"),
    ),
    Case(name="NaN in a line", make=a_folder(nan_score), said=("examples.jsonl: line 2: score",)),
    Case(
        name="line in another encoding", make=a_folder(other_encoding), said=("examples.jsonl: line 2: Invalid JSON",)
    ),
    Case(
        name="score out of range",
        make=a_folder(lambda folder: change_example(folder, score=40)),
        said=("examples.jsonl: line 2: score",),
    ),
    Case(
        name="unknown question",
        make=a_folder(lambda folder: change_example(folder, question="q404")),
        said=("line 2: there is no question 'q404'",),
    ),
    Case(name="link to itself", make=a_folder(examples_as_loop), said=("examples.jsonl: the file is missing",)),
)

WARNED_FOLDERS = (
    Case(
        name="one course floods",
        make=a_dataset(*(make_example(n, course="loud" if n < 30 else "quiet", score=n % 7 / 7) for n in range(40))),
        said=("The course 'loud' gave 30 of 40", "examples.jsonl line 1, 2"),
    ),
    Case(
        name="one learner floods",
        make=a_dataset(*(make_example(n, learner="loud" if n < 30 else f"l{n}", score=n % 7 / 7) for n in range(40))),
        said=("The learner 'loud' gave 30 of 40", "examples.jsonl line 1, 2"),
    ),
    Case(
        name="scores of a model",
        make=a_dataset(*(make_example(n, scored_by="MODEL", score=n / 5) for n in range(5))),
        said=("No person confirmed the score", "examples.jsonl line 1, 2, 3, 4, 5"),
    ),
)


def names(case: Case) -> str:
    return case.name


def require_said(result: Result, case: Case) -> None:
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    for text in case.said:
        assert text in result.output


def test_there_are_fifty_kinds_and_more() -> None:
    every = [case.name for case in (*REFUSED_TABLES, *WARNED_TABLES, *BROKEN_FOLDERS, *WARNED_FOLDERS)]
    assert len(set(every)) == len(every) >= 50


@pytest.mark.parametrize("case", REFUSED_TABLES, ids=names)
def test_what_cannot_be_taken_in_is_refused_and_nothing_is_written(case: Case, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = case.make(tmp_path / "in")
    result = run("import", path, "--output", tmp_path / "data", *case.options)
    assert result.exit_code in (1, 2)
    require_said(result, case)
    assert [each.name for each in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("case", WARNED_TABLES, ids=names)
def test_what_looks_wrong_is_taken_in_with_a_warning_that_names_rows(case: Case, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = case.make(tmp_path / "in")
    result = run("import", path, "--output", tmp_path / "data")
    assert result.exit_code == 0
    require_said(result, case)
    read_dataset(tmp_path / "data")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", "in"]


@pytest.mark.parametrize("case", BROKEN_FOLDERS, ids=names)
def test_a_broken_folder_is_refused_by_the_check_and_by_the_trainers(case: Case, tmp_path: Path) -> None:
    folder = case.make(tmp_path)
    result = run("check", folder)
    assert result.exit_code == 1
    require_said(result, case)
    with pytest.raises(DatasetBroken) as error:
        read_dataset(folder)
    for text in case.said:
        assert text in str(error.value)


@pytest.mark.parametrize("case", WARNED_FOLDERS, ids=names)
def test_a_folder_that_looks_wrong_is_named_by_lines(case: Case, tmp_path: Path) -> None:
    folder = case.make(tmp_path)
    result = run("check", folder)
    assert result.exit_code == 0
    require_said(result, case)


def test_a_good_course_has_no_warning(tmp_path: Path) -> None:
    path = a_file(GOOD)(tmp_path)
    result = run("import", path, "--output", tmp_path / "data")
    assert result.exit_code == 0
    assert "Warnings" not in result.output


def test_an_answer_like_a_formula_stays_as_it_is(tmp_path: Path) -> None:
    path = rows_with(4, {2: "=cmd|' /C calc'!A0"})(tmp_path)
    run("import", path, "--output", tmp_path / "data")
    assert read_dataset(tmp_path / "data").examples[2].answer == "=cmd|' /C calc'!A0"


def test_a_question_of_another_dataset_does_not_slip_in(tmp_path: Path) -> None:
    write(tmp_path / "course", [make_example(question="q2")], [make_question(2)])
    replace_lines(tmp_path / "course", "questions.jsonl", make_question(3).model_dump_json().encode())
    assert "there is no question 'q2'" in run("check", tmp_path / "course").output
