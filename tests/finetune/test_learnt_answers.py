"""What a grader has learnt is known again, in whatever form it comes back, and nothing else is."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors import safe_open

from finetune.dataset_cli import dataset
from finetune.evaluation_cli import evaluate
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.grader_training import train_head
from finetune.learnt_answers import LEARNT, count_learnt, read_learnt, without_learnt, write_learnt
from finetune.scored_tables import csv_questions
from grading.domain import Question
from grading.encoder import Encoder

ANSWERS = ("It lowers the loss.", "Cats sleep all day long.", "The weights move.")


def asked(prompt: str, *answers: str) -> GradedQuestion:
    return GradedQuestion(
        source="course",
        group=prompt,
        question=Question(prompt=prompt, model_answers=("So.",)),
        answers=tuple(GradedAnswer(text=text, score=0.5) for text in answers),
    )


def texts(questions: Sequence[GradedQuestion]) -> list[str]:
    return [answer.text for graded in questions for answer in graded.answers]


def test_an_answer_is_known_by_its_words_and_its_question(tmp_path: Path) -> None:
    write_learnt(tmp_path, [asked("Why dropout?", "It drops units."), asked("Why decay?", "w = w - 1")], key="k")
    learnt = read_learnt(tmp_path)
    assert learnt is not None
    for prompt, answer in (("why  Dropout", " it drops UNITS "), ("Why decay?", "w = w - 1")):
        assert learnt.knows(prompt, answer)
    for prompt, answer in (("Why decay?", "It drops units."), ("Why dropout?", "Units."), ("Why decay?", "w = w + 1")):
        assert not learnt.knows(prompt, answer)


def test_what_was_learnt_is_left_out_and_counted(tmp_path: Path) -> None:
    write_learnt(tmp_path, [asked("A?", "one", "two"), asked("B?", "three")], key="k")
    judged = [asked("A?", "two", "new"), asked("B?", "three"), asked("C?", "one")]
    learnt = read_learnt(tmp_path)
    left, count = without_learnt(judged, [None, learnt])
    assert (texts(left), count) == (["new", "one"], 2)
    assert without_learnt(judged, [None]) == (judged, 0)
    assert (count_learnt(learnt, judged), count_learnt(None, judged)) == (2, None)


def test_a_model_that_does_not_say_is_not_taken_for_one_that_knows_nothing(tmp_path: Path) -> None:
    assert read_learnt(None) is None
    assert read_learnt(tmp_path) is None


def test_what_goes_on_from_a_model_knows_what_that_one_knew(tmp_path: Path) -> None:
    write_learnt(tmp_path / "one", [asked("A?", "one")], key="k")
    write_learnt(tmp_path / "two", [asked("B?", "two")], key="other", start=tmp_path / "one")
    assert count_learnt(read_learnt(tmp_path / "two"), [asked("A?", "one"), asked("B?", "two", "three")]) == 2


def test_the_file_holds_no_words_and_two_folders_have_no_hash_in_common(tmp_path: Path) -> None:
    for key in ("a", "b"):
        write_learnt(tmp_path / key, [asked("A?", "what a student wrote")], key=key)
        assert b"student" not in (tmp_path / key / LEARNT).read_bytes()
    hashes = [safe_open(tmp_path / key / LEARNT, framework="numpy").get_tensor("hashes").tolist() for key in ("a", "b")]
    assert hashes[0] != hashes[1]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twenty questions: some are in the test part of an import, whatever the hash."""
    path = tmp_path / "course.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "reference", "answer", "score"])
        for number in range(20):
            for answer in ANSWERS:
                rows.writerow([f"What does method {number} do?", "It lowers the loss.", answer, 0.5])
    return path


def test_a_model_trained_on_a_table_has_learnt_the_test_part_of_its_import(
    table: Path, tiny_encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADER_MODEL", str(tiny_encoder_folder))
    train_head(csv_questions(table), Encoder(tiny_encoder_folder), tmp_path / "run", seed=1, most_made_up=2)
    imported = CliRunner().invoke(dataset, ["import", str(table), "--output", str(tmp_path / "data")])
    assert imported.exit_code == 0, imported.output
    arguments = ["grader", "--data", str(tmp_path / "data"), "--model", str(tmp_path / "run"), "--against", "default"]
    result = CliRunner().invoke(evaluate, [*arguments, "--output", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert told["answers"] > 0
    assert told["learnt"] == {"the model": told["answers"], "the one in service": None}
    assert f"{told['answers']} of the {told['answers']} answers were learnt by the model" in result.stderr
    assert "Learnt by the model" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
