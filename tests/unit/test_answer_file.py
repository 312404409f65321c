"""Files of answers: read as spreadsheets write them, refused with a sentence, written with nothing else changed."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import click
import pytest

from grading.answer_columns import COLUMNS, column_of
from grading.domain import Assessment, Flag
from lti_tool.cli import answer_file
from lti_tool.cli.answer_file import AnswerFile, read_answer_file, write_graded_file

PLAIN = "question,reference,answer\nWhat is bias?,A systematic error.,an error\n"


def assessed(fraction: float = 0.5, *flags: Flag) -> Assessment:
    return Assessment(
        fraction=fraction, low=0.25, high=0.75, confidence=0.9, verdicts=(), flags=frozenset(flags), versions={}
    )


@pytest.fixture
def read(tmp_path: Path):
    def reads(content: str | bytes) -> AnswerFile:
        path = tmp_path / "in.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_answer_file(path)

    return reads


@pytest.mark.parametrize(
    "header",
    [
        "question,reference,answer",
        "quiz,good_answer,user_answer",
        "question,reference_answer,student_answer",
        " Question , REFERENCE ,Answer",
        "answer,reference,question",
    ],
)
def test_the_known_headers_are_found_wherever_they_stand(read, header: str) -> None:
    cells = ("q?", "r", "a") if not header.startswith("answer") else ("a", "r", "q?")
    [row] = read(f"{header}\n{','.join(cells)}\n").answers
    assert (row.row, row.question, row.reference, row.answer) == (2, "q?", "r", "a")


def test_the_first_known_name_counts() -> None:
    assert column_of("question", ["quiz", "question"]) == "question"
    assert column_of("score", ["similarity_score"]) == "similarity_score"
    assert column_of("answer", ["replies"]) is None
    assert set(COLUMNS) == {"question", "reference", "answer", "score"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_delimiter_and_byte_order_mark_are_seen_and_kept(read, tmp_path: Path, delimiter: str, bom: str) -> None:
    content = bom + delimiter.join(["question", "reference", "note", "answer"]) + "\r\n"
    content += delimiter.join(["q?", "r", "", '"one; two, three\tfour"']) + "\r\n"
    file = read(content)
    assert [row.answer for row in file.answers] == ["one; two, three\tfour"]
    write_graded_file(tmp_path / "out.csv", file, {2: assessed()})
    written = (tmp_path / "out.csv").read_bytes().decode()
    assert written.startswith(bom + "question" + delimiter)
    assert written.count("\r\n") == 2
    assert written.rstrip().endswith(delimiter.join(["0.5000", "0.2500", "0.7500", "0.9000", ""]).rstrip())


def test_blank_cells_are_those_of_the_row_above(read) -> None:
    file = read("quiz,good_answer,user_answer\nq1,r1,a\n,,b\n,r2,c\nq2,r3,\nq2,,d\n")
    assert [(row.question, row.reference, row.answer) for row in file.answers] == [
        ("q1", "r1", "a"),
        ("q1", "r1", "b"),
        ("q1", "r2", "c"),
        ("q2", "r3", ""),
        ("q2", "r3", "d"),
    ]
    assert file.records[1] == ("", "", "b")


def test_everything_that_was_there_is_there_again(read, tmp_path: Path) -> None:
    content = (
        'id,question,reference,answer,note\n1,"What is\nbias?","An ""error""","=SUM(A1:A2)\nsecond line",+1\n'
        "\n2,,,  spaces  ,'@x\n3,,\n"
    )
    file = read(content)
    write_graded_file(
        tmp_path / "out.csv", file, {2: assessed(1, Flag.REPEATED, Flag.INSTRUCTION), 5: assessed(0, Flag.BLANK)}
    )
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["id", "question", "reference", "answer", "note", *answer_file.ADDED_COLUMNS]
    assert rows[1][:5] == ["1", "What is\nbias?", 'An "error"', "=SUM(A1:A2)\nsecond line", "+1"]
    assert rows[1][5:] == ["1.0000", "0.2500", "0.7500", "0.9000", "instruction|repeated"]
    assert rows[2] == []
    assert rows[3] == ["2", "", "", "  spaces  ", "'@x", *[""] * 5]
    assert rows[4] == ["3", "", "", "", "", "0.0000", "0.2500", "0.7500", "0.9000", "blank"]
    assert [row.row for row in file.answers] == [2, 4, 5]


def test_a_name_that_is_taken_gets_another(read, tmp_path: Path) -> None:
    file = read("question,reference,answer,Score,model_flags,flags\nq,r,a,1,x,y\n")
    names = write_graded_file(tmp_path / "out.csv", file, {})
    assert names == ("model_score", "low", "high", "confidence", "model_flags_2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        ("question,reference,answer\n", "no row below the header"),
        ("question,reference,reply\nq,r,a\n", "row 1: no column answer or user_answer or student_answer"),
        ("just text\nmore\n", "row 1: no column question or quiz; there is just text"),
        ("question,reference,answer\n,r,a\n", "row 2: the question is blank"),
        ("question,reference,answer\nq,,a\n", "row 2: the question has no model answer"),
        ("question,reference,answer\nq,r,a\nq2,,a\n", "row 3: the question has no model answer"),
        ("question,reference,answer\nq,r,a\nq,r,one, two\n", "row 3: 4 cells, but the header has 3"),
        ('question,reference,answer\nq,r,"never closed\nq,r,a\n', "line 3: not readable as CSV"),
        ("question,reference,answer\nq,r,가\n".encode("cp949"), "line 2: it is not UTF-8"),
        ("question,reference,answer\nq,r,a\n".encode("utf-16"), "line 1: it is not UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 50 else None,
)
def test_a_bad_file_is_refused_with_its_place(read, content: str | bytes, message: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        read(content)
    assert message in caught.value.message
    assert "in.csv" in caught.value.message
    assert caught.value.exit_code == 1


def test_a_very_long_cell_is_read_and_the_limit_is_put_back(read) -> None:
    limit = csv.field_size_limit()
    file = read(f"question,reference,answer\nq,r,{'x' * 300_000}\n")
    assert len(file.answers[0].answer) == 300_000
    assert csv.field_size_limit() == limit


def test_a_file_that_cannot_be_finished_is_not_there(read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = read(PLAIN)

    def stops(assessment: object) -> tuple[str, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(answer_file, "_cells", stops)
    with pytest.raises(KeyboardInterrupt):
        write_graded_file(tmp_path / "out.csv", file, {2: assessed()})
    assert os.listdir(tmp_path) == ["in.csv"]


def test_a_folder_that_is_not_there_is_named(read, tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="cannot be written"):
        write_graded_file(tmp_path / "nowhere" / "out.csv", read(PLAIN), {})


def written(folder: Path, file: AnswerFile) -> str:
    """What is written when every answer is assessed."""
    write_graded_file(folder / "out.csv", file, {row.row: assessed() for row in file.answers})
    return (folder / "out.csv").read_bytes().decode()


GRADES = "0.5000,0.2500,0.7500,0.9000,"


def test_lines_may_end_in_carriage_returns_alone(read, tmp_path: Path) -> None:
    file = read(b"question,reference,answer\rq,r,a\rq,r,b\r")
    assert [(row.row, row.answer) for row in file.answers] == [(2, "a"), (3, "b")]
    assert written(tmp_path, file).split("\r")[1:] == [f"q,r,a,{GRADES}", f"q,r,b,{GRADES}", ""]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("inside", ["\n", "\r\n", "\r"])
def test_a_line_break_in_a_cell_stays_in_it(read, tmp_path: Path, end: str, inside: str) -> None:
    cell = f"one{inside}two"
    written(tmp_path, read(f'question,reference,answer{end}q,r,"{cell}"{end}'))
    [row] = read((tmp_path / "out.csv").read_bytes()).answers
    assert row.answer == cell


def test_a_quoted_line_break_in_the_header_is_read(read) -> None:
    [row] = read('"what\ncourse";question;reference;answer\nx;q;r;"a, b, c"\n').answers
    assert row.answer == "a, b, c"


def test_a_name_as_long_as_a_file_is_refused_with_its_place(read) -> None:
    limit = csv.field_size_limit()
    with pytest.raises(click.ClickException, match="row 1, column 4: a name of 200000 characters") as caught:
        read(f"question,reference,answer,{'x' * 200_000}\nq,r,a,b\n")
    assert len(caught.value.message) < 500
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("blank", [",,\n,,\n", " , ,\n", "\n\n", ",,,,\n", "\n,,\n \n"])
def test_blank_rows_below_the_last_answer_stay_as_they_are(read, tmp_path: Path, blank: str) -> None:
    file = read(f"question,reference,answer\nq,r,a\n,,\n,,b\n{blank}")
    assert [(row.row, row.answer) for row in file.answers] == [(2, "a"), (3, ""), (4, "b")]
    assert written(tmp_path, file).endswith(f"\n,,b,{GRADES}\n{blank}")


@pytest.mark.parametrize("blank", ["\n", "\n\n", ",,\n", " \n"])
def test_blank_rows_above_the_header_stay_and_are_counted(read, tmp_path: Path, blank: str) -> None:
    file = read(f"{blank}{PLAIN}")
    assert [row.row for row in file.answers] == [blank.count("\n") + 2]
    assert written(tmp_path, file).startswith(f"{blank}question,reference,answer,score")
    assert written(tmp_path, file).endswith(f",an error,{GRADES}\n")
    with pytest.raises(click.ClickException, match=f"row {blank.count(chr(10)) + 1}: no column answer"):
        read(f"{blank}question,reference\nq,r\n")


@pytest.mark.parametrize(
    ("header", "places"),
    [
        ("question,reference,answer,answer", "columns 3 and 4 are both called answer"),
        ("Question,reference,answer, question ", "columns 1 and 4 are both called"),
        ("question,reference,answer,REFERENCE", "columns 2 and 4 are both called"),
    ],
)
def test_two_columns_of_one_name_are_refused_with_both_places(read, header: str, places: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        read(f"{header}\nq,r,a,b\n")
    assert places in caught.value.message


def test_other_columns_may_share_a_name(read) -> None:
    assert read("note,question,reference,answer,note\n1,q,r,a,2\n").answers[0].answer == "a"


def test_a_second_byte_order_mark_is_no_part_of_a_name(read, tmp_path: Path) -> None:
    file = read(f"\ufeff\ufeff{PLAIN}")
    assert file.header[0] == "question"
    assert written(tmp_path, file).startswith("\ufeffquestion")


def test_what_steers_a_terminal_is_spelt_out_in_an_error(read) -> None:
    with pytest.raises(click.ClickException) as caught:
        read("question,reference,\x1b[31mred,zero\u200bwidth\nq,r,a,b\n")
    assert "\\x1b[31mred, zero\\u200bwidth" in caught.value.message
    assert caught.value.message.isprintable()
