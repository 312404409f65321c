"""Tables of tutors' scores, as training and evaluation read them: what is taken, and what is refused by its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.errors import DataUnreadable
from finetune.scored_tables import csv_questions

HEAD = "question,reference,answer,score\n"


def table(folder: Path, text: str) -> Path:
    path = folder / "course.csv"
    path.write_bytes(text.encode())
    return path


def test_merged_cells_and_blank_rows_of_a_spreadsheet_are_read(tmp_path: Path) -> None:
    path = table(
        tmp_path, "\ufeffquestion;reference;answer;score\r\nWhat?;It.;one;0.5\r\n;;;\r\n;;;100%\r\nWhy?;So.;no;0\r\n"
    )
    what, why = csv_questions(path)
    assert (what.question.prompt, what.question.model_answers) == ("What?", ("It.",))
    assert [(answer.text, answer.score) for answer in what.answers] == [("one", 0.5), ("", 1.0)]
    assert (why.question.model_answers, why.source) == (("So.",), "course")


@pytest.mark.parametrize("column", ["split", "data_type", " Split "])
def test_rows_of_a_part_are_left_out_and_still_name_the_question_below(tmp_path: Path, column: str) -> None:
    path = table(
        tmp_path, f"question,reference,answer,score,{column}\nWhat?,It.,kept back,1,test\n,,learnt,0.5,train\n"
    )
    (what,) = csv_questions(path, without=["test"])
    assert [answer.text for answer in what.answers] == ["learnt"]
    assert what.question.prompt == "What?"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("What?,It.,one\n", "row 2: only 3 cells, none for the score; the file may be cut off."),
        ("What?,It.,one,1\n\nWhy?,,two,1\n", "row 4: the question has no model answer."),
        (",It.,one,1\n", "row 2: the question is blank"),
        ("What?,It.,one, and two,1\n", "row 2: 5 cells, but the header has 4"),
        ("What?,It.,one,\n", "row 2: the score is blank."),
        ("What?,It.,one,3\n", "row 2: the score 3 is more than 1; mlquiz dataset import --max-score"),
    ],
)
def test_a_row_that_cannot_be_taken_in_is_named(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(DataUnreadable) as refused:
        csv_questions(table(tmp_path, HEAD + rows))
    assert said in str(refused.value)


def test_all_rows_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match=r"cannot be taken in: 2\n.*row 2: .*\n.*row 4: "):
        csv_questions(table(tmp_path, HEAD + "What?,It.,one,x\n,,two,1\n,,three,2\n"))
