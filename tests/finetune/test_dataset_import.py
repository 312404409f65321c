"""Import: spreadsheets as people have them, merged cells included; datasets again; and nothing where a row is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from finetune import dataset_cli
from finetune.dataset import Dataset, graded_questions, part_of_example, read_dataset
from finetune.dataset.cells import language_in, part_in, score_of, tags_of, verdicts_of
from finetune.dataset.importing import gather
from finetune.dataset.table import read_table
from finetune.errors import DatasetBroken, DataUnreadable, RowsRefused
from grading.domain import Verdict
from tests.finetune.dataset_data import (
    HEADER,
    KO_HEADER,
    change_example,
    course_rows,
    make_example,
    make_question,
    run,
    table,
    write,
)

Imports = Callable[..., Dataset]

KOREAN = table(
    [
        [
            "train",
            "경사 하강법은\n무엇일까? 😊",
            "최적화|손실",
            "손실을 줄이는 방향으로 가중치를 옮긴다.",
            "손실을 줄인다",
            "좋아요!",
            "0.9",
        ],
        ["train", "", "", "", "가중치를\n옮긴다", "", "0.65"],
        ["train", "", "", "", "모르겠다", "다시 볼까요?", "0.0"],
        [
            "train",
            "드롭아웃은 왜 쓸까?",
            "정규화",
            "뉴런을 무작위로 꺼서 과적합을 줄인다.",
            "과적합을 막는다",
            "맞아요",
            "1.0",
        ],
    ],
    KO_HEADER,
)


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    """Writes a file, imports it with these options, and reads what came of it."""

    def imported(content: str | bytes, *options: str, name: str = "course.csv") -> Dataset:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = run("import", path, "--output", tmp_path / "data", *options)
        assert result.exit_code == 0, result.output
        return read_dataset(tmp_path / "data")

    return imported


def test_an_import_says_from_which_datasets_its_rows_came(imports: Imports, tmp_path: Path) -> None:
    first, second = write(tmp_path / "one").digest, write(tmp_path / "two", [make_example(7)]).digest
    table_alone = imports("question,reference,answer,score\nWhy?,So.,Because.,1\n")
    assert table_alone.manifest.sources == ()
    assert run("import", tmp_path / "one", tmp_path / "data", "--output", tmp_path / "three").exit_code == 0
    third = read_dataset(tmp_path / "three").manifest
    assert third.sources == (first, table_alone.digest)
    result = run("import", tmp_path / "two" / "examples.jsonl", tmp_path / "three", "--output", tmp_path / "four")
    assert result.exit_code == 0, result.output
    fourth = read_dataset(tmp_path / "four").manifest
    assert fourth.sources == (second, third.digest, first, table_alone.digest)
    assert fourth.lineage == (fourth.digest, *fourth.sources)


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., RowsRefused]:
    """Writes a table and gives the refusal of its rows."""

    def refusal(content: str, **options: float) -> RowsRefused:
        (tmp_path / "course.csv").write_text(content, encoding="utf-8", newline="")
        with pytest.raises(RowsRefused) as error:
            gather([tmp_path / "course.csv"], **options)
        return error.value

    return refusal


def test_a_spreadsheet_with_merged_cells_is_read_as_it_is(imports: Imports) -> None:
    dataset = imports(KOREAN)
    assert [question.prompt for question in dataset.questions] == ["경사 하강법은\n무엇일까? 😊", "드롭아웃은 왜 쓸까?"]
    assert [question.tags for question in dataset.questions] == [("최적화", "손실"), ("정규화",)]
    assert {question.language for question in dataset.questions} == {"ko"}
    first, second = dataset.questions
    assert [example.question for example in dataset.examples] == [first.id, first.id, first.id, second.id]
    assert [example.score for example in dataset.examples] == [0.9, 0.65, 0.0, 1.0]
    assert [example.answer for example in dataset.examples][1] == "가중치를\n옮긴다"
    assert [example.explanation for example in dataset.examples] == ["좋아요!", None, "다시 볼까요?", "맞아요"]
    assert [example.explained_by for example in dataset.examples] == ["PERSON", None, "PERSON", "PERSON"]


def test_scores_of_a_table_are_labels(imports: Imports) -> None:
    dataset = imports(KOREAN)
    assert all(example.scored_by == "PERSON" for example in dataset.examples)
    assert sum(len(graded.answers) for graded in graded_questions(dataset)) == 4


def test_questions_that_differ_only_in_line_breaks_are_one(imports: Imports) -> None:
    rows = [
        ["What is\nbias?", "An error.", "a", 1],
        ["What is bias?", "An  error.", "b", 0],
        ["What is \r\n bias?", "Error", "c", 0],
    ]
    dataset = imports(table(rows))
    assert [question.prompt for question in dataset.questions] == ["What is\nbias?"]
    assert dataset.questions[0].model_answers == ("An error.", "Error")
    assert len(dataset.examples) == 3


def test_another_question_does_not_get_the_model_answer_above(refused: Callable[..., RowsRefused]) -> None:
    rows = [["What is bias?", "An error.", "a", 1], ["What is variance?", "", "b", 0]]
    assert refused(table(rows)).faults[0].endswith("row 3: the question has no model answer.")


def test_the_order_of_rows_is_kept_where_questions_alternate(imports: Imports) -> None:
    rows = [["q one?", "r", "a", 1], ["q two?", "r", "b", 1], ["q one?", "r", "c", 1]]
    assert [example.answer for example in imports(table(rows)).examples] == ["a", "b", "c"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_and_encodings_are_seen(imports: Imports, delimiter: str, encoding: str) -> None:
    content = table([["무엇일까?", "오차, 편향; 분산", "답\t하나", "0.5"]], delimiter=delimiter)
    dataset = imports(content.encode(encoding), name="course.tsv")
    assert dataset.examples[0].answer == "답\t하나"
    assert dataset.questions[0].model_answers == ("오차, 편향; 분산",)


def test_the_old_korean_encoding_is_read_when_it_is_named(imports: Imports) -> None:
    dataset = imports(table([["무엇일까?", "오차다.", "뷁 답", "1"]]).encode("cp949"), "--encoding", "cp949")
    assert dataset.examples[0].answer == "뷁 답"


def test_the_columns_may_stand_in_any_order_and_others_are_named(tmp_path: Path) -> None:
    header = ("note", "Similarity_Score", "STUDENT_ANSWER", "good_answer", "quiz")
    path = tmp_path / "course.csv"
    path.write_text(table([["x", "0.5", "a", "r", "q?"]], header), encoding="utf-8")
    result = run("import", path, "--output", tmp_path / "data")
    assert result.exit_code == 0
    assert "that were not read: note." in result.stdout
    dataset = read_dataset(tmp_path / "data")
    assert (dataset.examples[0].answer, dataset.examples[0].score) == ("a", 0.5)
    assert dataset.questions[0].prompt == "q?"


def test_blank_rows_count_and_are_left_out(refused: Callable[..., RowsRefused], imports: Imports) -> None:
    rows = [["q?", "r", "a", 1], ["", "", "", ""], ["", "", "b", "much"]]
    assert "row 4:" in refused(table(rows)).faults[0]
    dataset = imports("\n,,,\n" + table([*rows[:2], ["", "", "b", 0], ["", "", "", ""]]))
    assert [example.answer for example in dataset.examples] == ["a", "b"]


def test_rows_are_counted_as_a_spreadsheet_counts(refused: Callable[..., RowsRefused]) -> None:
    rows = [["q\n\n\n?", "r", "a\n\nb", 1], ["", "", "c", "x"]]
    assert "row 3: the score 'x' is not a number" in refused(table(rows)).faults[0]


def test_an_answer_is_kept_to_the_letter(imports: Imports) -> None:
    answer = "  =cmd|' /C calc'!A0\r\n<b>“q”</b>\u200b\t"
    dataset = imports(table([["q?", "r", answer, 1]]))
    assert dataset.examples[0].answer == answer


def test_a_row_without_score_is_no_label(imports: Imports, tmp_path: Path) -> None:
    dataset = imports(table([["q?", "r", "a", ""], ["", "", "b", 1]]))
    assert [(example.score, example.scored_by) for example in dataset.examples] == [(None, None), (1.0, "PERSON")]
    assert "There is no score" in run("check", tmp_path / "data").stdout


@pytest.mark.parametrize(
    ("cell", "max_score", "score"),
    [
        ("0.85", 1, 0.85),
        (" 1 ", 1, 1.0),
        (".5", 1, 0.5),
        ("1.", 1, 1.0),
        ("85%", 1, 0.85),
        ("85 %", 5, 0.85),
        ("4", 5, 0.8),
        ("5.0", 5, 1.0),
        ("0", 100, 0.0),
        ("", 1, None),
    ],
)
def test_scores_are_fractions(cell: str, max_score: float, score: float | None) -> None:
    assert score_of(cell, max_score) == (None if score is None else pytest.approx(score))


@pytest.mark.parametrize(
    ("cell", "max_score", "said"),
    [
        ("1.5", 1, "more than 1; mlquiz dataset import --max-score says what full marks are"),
        ("6", 5, "more than 5"),
        ("150%", 1, "more than 100%"),
        ("0,85", 1, "write a point, not a comma"),
        ("-0.5", 1, "is below 0"),
        ("nan", 1, "not a number"),
        ("inf", 1, "not a number"),
        ("1e-1", 1, "not a number"),
        ("1_0", 10, "not a number"),
        ("１", 1, "not a number"),
        ("4/5", 5, "not a number"),
        ("=1", 1, "not a number"),
        ("%", 1, "not a number"),
        ("good" * 100, 1, "good…"),
    ],
)
def test_what_is_no_score_is_refused_with_its_reason(cell: str, max_score: float, said: str) -> None:
    with pytest.raises(ValueError) as error:
        score_of(cell, max_score)
    assert said in str(error.value)
    assert len(str(error.value)) < 200


def test_full_marks_may_be_named(imports: Imports) -> None:
    dataset = imports(table([["q?", "r", "a", 4], ["", "", "b", "50%"]]), "--max-score", "5")
    assert [example.score for example in dataset.examples] == [0.8, 0.5]
    assert dataset.manifest.filters["max_score"] == 5


def test_lists_in_cells() -> None:
    assert tags_of(" a | b||a ") == ("a", "b")
    assert verdicts_of("covered|MISSING, partial") == (Verdict.COVERED, Verdict.MISSING, Verdict.PARTIAL)
    assert verdicts_of(" ") == ()
    with pytest.raises(ValueError, match="'right' is none of covered"):
        verdicts_of("covered|right")


@pytest.mark.parametrize(("cell", "code"), [("ko", "ko"), ("EN-gb", "en"), ("pt_BR", "pt"), ("", None)])
def test_languages(cell: str, code: str | None) -> None:
    assert language_in(cell) == code


@pytest.mark.parametrize(
    ("cell", "part"),
    [("train", "train"), ("Dev", "validation"), ("val", "validation"), ("test_unseen_answers", "test"), ("", None)],
)
def test_parts(cell: str, part: str | None) -> None:
    assert part_in(cell) == part


def test_words_that_are_no_language_or_part_are_refused() -> None:
    with pytest.raises(ValueError, match="no code like en or ko"):
        language_in("Korean!")
    with pytest.raises(ValueError, match="none of train, validation, test"):
        part_in("first half")


def test_parts_of_a_file_are_kept(imports: Imports) -> None:
    header = (*HEADER, "split")
    rows = [["q?", "r", f"answer {n}", 1, "test_unseen" if n % 2 else "train"] for n in range(40)]
    dataset = imports(table(rows, header))
    parts = [part_of_example(example, dataset.questions[0], "answer") for example in dataset.examples]
    assert set(parts[1::2]) == {"test"}
    assert "test" not in parts[::2]


def test_what_a_file_trains_on_is_not_tested_but_may_validate(imports: Imports) -> None:
    header = (*HEADER, "split")
    rows = [["q?", "r", f"answer {n}", 1, "test" if n == 0 else "train"] for n in range(80)]
    dataset = imports(table(rows, header))
    parts = {part_of_example(example, dataset.questions[0], "answer") for example in dataset.examples[1:]}
    assert parts == {"train", "validation"}


def test_one_part_for_everything_says_nothing(imports: Imports) -> None:
    assert {example.part for example in imports(KOREAN).examples} == {None}


def test_verdicts_are_about_the_sentences_of_the_model_answer(imports: Imports) -> None:
    header = (*HEADER, "verdicts", "language")
    rows = [
        ["q?", "It moves the weights. It lowers the loss.", "a", 0.5, "covered|missing", "en"],
        ["", "", "b", 0, "", ""],
    ]
    dataset = imports(table(rows, header))
    assert [point.text for point in dataset.questions[0].key_points] == ["It moves the weights.", "It lowers the loss."]
    assert [example.verdicts for example in dataset.examples] == [(Verdict.COVERED, Verdict.MISSING), ()]


def test_verdicts_that_do_not_fit_the_model_answer_are_refused(refused: Callable[..., RowsRefused]) -> None:
    rows = [["q?", "One sentence only here.", "a", 0.5, "covered|missing"]]
    said = refused(table(rows, (*HEADER, "verdicts"))).faults[0]
    assert said.endswith("row 2: 2 verdicts, but the model answer has 1 sentences.")


def test_the_same_file_gives_the_same_dataset(imports: Imports, tmp_path: Path) -> None:
    digest = imports(KOREAN).digest
    run("import", tmp_path / "course.csv", "--output", tmp_path / "again")
    assert read_dataset(tmp_path / "again").digest == digest


def test_equal_answers_have_ids_of_their_own(imports: Imports) -> None:
    dataset = imports(table([["q?", "r", "a", 1], ["", "", "a", 1], ["", "", "a", 0]]))
    assert len({example.id for example in dataset.examples}) == 3


def test_several_files_become_one_dataset(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(table([["q?", "r", "a", 1], ["other?", "r", "b", 0]]), encoding="utf-8")
    (tmp_path / "two.csv").write_text(table([["q?", "another way", "a", 1]]), encoding="utf-8")
    write(tmp_path / "three")
    files = [tmp_path / name for name in ("one.csv", "two.csv", "three")]
    assert run("import", *files, "--output", tmp_path / "data").exit_code == 0
    dataset = read_dataset(tmp_path / "data")
    assert len(dataset.questions) == 3
    assert len(dataset.examples) == 3 + 4
    assert dataset.questions[0].model_answers == ("r", "another way")
    assert dataset.manifest.filters["files"] == ["one.csv", "two.csv", "three"]


def test_a_dataset_comes_back_after_changes_by_hand(tmp_path: Path) -> None:
    write(tmp_path / "data")
    path = tmp_path / "data" / "examples.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"score":0.25', '"score":0.3'), encoding="utf-8")
    with pytest.raises(DatasetBroken):
        read_dataset(tmp_path / "data")
    for number, source in enumerate((tmp_path / "data", path)):
        output = tmp_path / f"mended-{number}"
        assert run("import", source, "--output", output).exit_code == 0
        assert [example.score for example in read_dataset(output).examples] == [0.0, 0.3, 0.5, 0.75]


def test_a_dataset_that_was_not_changed_keeps_its_digest(tmp_path: Path) -> None:
    manifest = write(tmp_path / "data")
    run("import", tmp_path / "data", "--output", tmp_path / "again")
    assert read_dataset(tmp_path / "again").digest == manifest.digest


def test_lines_without_a_manifest_may_be_imported(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "questions.jsonl").write_text(make_question().model_dump_json(), encoding="utf-8")
    (tmp_path / "own" / "answers.jsonl").write_text(make_example().model_dump_json(), encoding="utf-8")
    assert run("import", tmp_path / "own" / "answers.jsonl", "--output", tmp_path / "data").exit_code == 0
    assert read_dataset(tmp_path / "data").examples == (make_example(),)


def test_a_changed_line_that_does_not_fit_is_named(tmp_path: Path) -> None:
    write(tmp_path / "data")
    change_example(tmp_path / "data", score=2)
    result = run("import", tmp_path / "data", "--output", tmp_path / "again")
    assert result.exit_code == 1
    assert "examples.jsonl: line 2: score" in result.output
    assert not (tmp_path / "again").exists()


def test_the_same_dataset_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "data")
    result = run("import", tmp_path / "data", tmp_path / "data", "--output", tmp_path / "again")
    assert result.exit_code == 1
    assert "the id 'e0' is taken by another line or row" in result.output


def test_two_questions_with_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two", [make_example(9)], [make_question(prompt="Something else?")])
    result = run("import", tmp_path / "one", tmp_path / "two", "--output", tmp_path / "again")
    assert result.exit_code == 1
    assert "questions.jsonl: line 1: the question is not the one with the same id in" in result.output


def test_all_faults_are_counted_and_twenty_are_told(refused: Callable[..., RowsRefused]) -> None:
    error = refused(table([["q?", "r", "a", "x"]] * 33))
    assert error.count == 33
    assert len(error.faults) == 20
    assert "cannot be taken in: 33" in str(error)
    assert str(error).endswith("… and 13 more: 33 in all.")


def test_faults_of_different_kinds_are_told_together(refused: Callable[..., RowsRefused]) -> None:
    rows = [["", "r", "a", 1], ["q?", "", "a", 1], ["", "r", "b", 2], ["", "", "c", 1, "more"], ["", "", "d"]]
    said = refused(table(rows)).faults
    for row, text in enumerate(
        (
            "the question is blank",
            "no model answer",
            "more than 1",
            "5 cells, but the header has 4",
            "none for the score",
        ),
        start=2,
    ):
        assert f"row {row}: " in said[row - 2]
        assert text in said[row - 2]


def test_a_message_tells_no_answer(refused: Callable[..., RowsRefused]) -> None:
    assert "secret" not in str(refused(table([["q?", "r", "secret " * 20_000, 1], ["", "", "secret", "x"]])))


def test_progress_is_told_row_by_row(tmp_path: Path) -> None:
    (tmp_path / "course.csv").write_text(table(course_rows()), encoding="utf-8")
    told: list[tuple[int, int]] = []
    gather([tmp_path / "course.csv"], tell=lambda done, total: told.append((done, total)))
    assert told == [(number, 12) for number in range(1, 13)]


def test_a_table_knows_the_row_of_its_header(tmp_path: Path) -> None:
    (tmp_path / "course.csv").write_text("\n" + table([["q?", "r", "a", 1]]), encoding="utf-8")
    read = read_table(tmp_path / "course.csv")
    assert read.header_row == 2
    assert list(read.records) == [3]


def test_json_says_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "course.csv"
    path.write_text(table([[*row, "x"] for row in course_rows()], (*HEADER, "note")), encoding="utf-8")
    result = run("import", path, "--output", tmp_path / "data", "--json")
    facts = json.loads(result.stdout)
    assert facts["digest"] == read_dataset(tmp_path / "data").digest
    assert facts["counts"] == {"questions": 3, "examples": 12, "confirmed": 12, "explained": 0}
    assert facts["columns_not_read"] == {str(path): ["note"]}
    assert result.stderr == ""


def test_an_output_that_is_taken_is_said_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path / "data")
    (tmp_path / "course.csv").write_text("nonsense", encoding="utf-8")
    result = run("import", tmp_path / "course.csv", "--output", tmp_path / "data")
    assert result.exit_code == 1
    assert "name a new folder" in result.output


def test_a_workbook_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "course.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataUnreadable, match="save the sheet as “CSV UTF-8”"):
        gather([tmp_path / "course.xlsx"])


def test_a_bar_appears_where_it_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_cli, "_QUICK_SECONDS", -1.0)
    (tmp_path / "course.csv").write_text(table(course_rows()), encoding="utf-8")
    result = run("import", tmp_path / "course.csv", "--output", tmp_path / "data")
    assert "importing" in result.stderr
    assert "importing" not in result.stdout


def test_no_bar_disturbs_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_cli, "_QUICK_SECONDS", -1.0)
    (tmp_path / "course.csv").write_text(table(course_rows()), encoding="utf-8")
    assert run("import", tmp_path / "course.csv", "--output", tmp_path / "data", "--json").stderr == ""


def test_the_help_shows_examples() -> None:
    assert "mlquiz dataset import answers.csv --output" in run("import", "--help").output
    assert "mlquiz dataset check" in run("check", "--help").output


@pytest.mark.parametrize("full", ["0", "-1", "many"])
def test_full_marks_must_be_more_than_nothing(full: str, tmp_path: Path) -> None:
    (tmp_path / "course.csv").write_text(table(course_rows()), encoding="utf-8")
    result = run("import", tmp_path / "course.csv", "--output", tmp_path / "data", "--max-score", full)
    assert result.exit_code == 2
    assert not (tmp_path / "data").exists()
