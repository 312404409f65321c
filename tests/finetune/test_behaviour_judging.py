from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from finetune.behaviour import command
from finetune.behaviour.case import GATES, Case, Expected, Sort
from finetune.behaviour.cases import load_cases
from finetune.behaviour.judging import Outcome, judge
from finetune.behaviour.summary import summary_of, worst
from grading.domain import Assessment, Flag, Question


def make_assessment(fraction: float, *flags: Flag) -> Assessment:
    return Assessment(
        fraction=fraction, low=fraction, high=fraction, confidence=1.0, verdicts=(), flags=frozenset(flags)
    )


class Scripted:
    """A grader that asks a function and counts its calls."""

    def __init__(self, fraction_of: Callable[[Question, str], float], *flags: Flag) -> None:
        self.fraction_of, self.flags, self.calls = fraction_of, flags, 0

    def assess(self, question: Question, answers: Sequence[str]) -> list[Assessment]:
        self.calls += 1
        assert len(set(answers)) == len(answers)
        return [make_assessment(self.fraction_of(question, answer), *self.flags) for answer in answers]


def perfect() -> Scripted:
    """Knows for each question what every text has to get."""
    wanted: dict[tuple[str, str], float] = {}
    for case in load_cases():
        expected = case.expected
        key = (case.question.prompt, case.texts[0])
        if expected.falls is not None:
            wanted[case.question.prompt, case.texts[1]] = 1.0
            wanted[key] = 0.0 if expected.at_most <= 0.4 else 0.5
        elif len(case.texts) == 1:
            wanted[key] = (expected.at_least + expected.at_most) / 2 if expected.at_least else 0.0
    for case in load_cases():
        if case.expected.falls is None and len(case.texts) == 2:
            plain = wanted.setdefault((case.question.prompt, case.texts[1]), 0.5)
            wanted[case.question.prompt, case.texts[0]] = plain
    return Scripted(lambda question, answer: wanted[question.prompt, answer], Flag.OTHER_LANGUAGE)


def make_case(name: str = "typos", **overrides: object) -> Case:
    values: dict[str, object] = {
        "id": f"en/unseen/q/{name}",
        "sort": Sort.INVARIANCE,
        "name": name,
        "language": "en",
        "seen": False,
        "question_id": "q",
        "question": Question(prompt="What is it?", model_answers=("It is this.",)),
        "texts": ("changed", "plain"),
        "expected": Expected(moves=0.1),
    }
    return Case(**(values | overrides))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expected", "got", "plain", "faults"),
    [
        (Expected(at_most=0.4), 0.4, None, 0),
        (Expected(at_most=0.4), 0.41, None, 1),
        (Expected(at_least=0.9), 0.89, None, 1),
        (Expected(moves=0.1), 0.6, 0.7, 0),
        (Expected(moves=0.1), 0.85, 0.7, 1),
        (Expected(falls=0.1), 0.6, 0.7, 0),
        (Expected(falls=0.1), 0.65, 0.7, 1),
        (Expected(falls=0.4, at_most=0.4), 0.5, 0.7, 2),
        (Expected(rises=0.05), 0.2, 0.7, 0),
        (Expected(rises=0.05), 0.8, 0.7, 1),
        (Expected(flag=Flag.OTHER_LANGUAGE), 0.0, None, 1),
    ],
)
def test_what_is_not_as_expected_is_told(expected: Expected, got: float, plain: float | None, faults: int) -> None:
    behind = None if plain is None else make_assessment(plain)
    assert len(expected.faults(make_assessment(got), behind)) == faults


def test_a_flag_that_is_there_is_no_fault() -> None:
    expected = Expected(flag=Flag.OTHER_LANGUAGE)
    assert expected.faults(make_assessment(0.0, Flag.OTHER_LANGUAGE), None) == []


def test_a_perfect_grader_passes_everything() -> None:
    grader = perfect()
    outcomes = judge(grader, load_cases())
    assert [outcome.case.id for outcome in outcomes if not outcome.passed] == []
    summary = summary_of(outcomes)
    assert summary.is_good
    assert all(tally.share == 1.0 for tally in summary.by_language.values())
    assert worst(outcomes, 5) == []


def test_every_question_is_assessed_in_one_call() -> None:
    grader = Scripted(lambda question, answer: 0.5)
    told: list[tuple[int, int, str]] = []
    outcomes = judge(grader, load_cases(), lambda *report: told.append(report))
    assert [outcome.case.id for outcome in outcomes] == [case.id for case in load_cases()]
    assert grader.calls == len({case.question.prompt for case in load_cases()})
    assert told[-1] == (grader.calls, grader.calls, "done")


def test_a_constant_grader_fails_every_direction_and_passes_every_invariance() -> None:
    summary = summary_of(judge(Scripted(lambda question, answer: 0.7), load_cases()))
    for language in ("en", "ko"):
        assert summary.by_sort[f"{language}/direction"].passed == 0
        assert summary.by_sort[f"{language}/invariance"].share == 1.0
        assert summary.by_gate[f"{language}/degenerate"].passed == 0
        assert summary.by_gate[f"{language}/blank"].passed == 0
    assert not summary.is_good


def test_a_grader_that_counts_words_fails_both_short_and_long() -> None:
    summary = summary_of(judge(Scripted(lambda question, answer: min(1.0, len(answer.split()) / 60)), load_cases()))
    for language in ("en", "ko"):
        assert summary.short_error[language].value > 0.5
        assert summary.long_wrong_mean[language].value > 0.7
        assert summary.short_error[language].count >= 78
        assert summary.long_wrong_mean[language].count >= 78
    assert not summary.is_good


def test_one_open_gate_is_enough_to_fail() -> None:
    outcomes = judge(perfect(), load_cases())
    gate = next(number for number, outcome in enumerate(outcomes) if outcome.case.name in GATES)
    outcomes[gate] = Outcome(case=outcomes[gate].case, got=1.0, faults=("0.00 to 0.00",))
    summary = summary_of(outcomes)
    assert summary.by_language[outcomes[gate].case.language].share > 0.99
    assert not summary.is_good


def test_the_worst_are_taken_from_all_names_in_turn() -> None:
    failed = [
        Outcome(case=make_case(name, id=f"{name}{number}"), got=0.0, faults=("x",))
        for name in ("typos", "list")
        for number in range(3)
    ]
    assert [outcome.case.name for outcome in worst(failed, 4)] == ["typos", "list", "typos", "list"]


def test_the_tables_show_failures_with_texts_that_no_terminal_could_show() -> None:
    outcome = Outcome(case=make_case(texts=("\ud83d [b]raw[/b]", "plain")), got=0.2, faults=("moves by at most 0.10",))
    page = io.StringIO()
    command.show(Console(file=page, width=120), summary_of([outcome]), [outcome])
    assert "got 0.20, expected moves by at most 0.10" in page.getvalue()
    assert "[b]raw[/b]" in page.getvalue()
    assert "does not behave" in page.getvalue()


@pytest.mark.parametrize(("grader", "exit_code"), [("perfect", 0), ("constant", 1)])
def test_the_command_writes_json_and_says_by_its_exit_code_whether_the_grader_behaves(
    grader: str, exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = perfect() if grader == "perfect" else Scripted(lambda question, answer: 0.5)
    monkeypatch.setattr("grading.grader.load_grader", lambda settings: chosen)
    result = CliRunner().invoke(command.main, ["--json", str(tmp_path / "found.json"), "--worst", "2"])
    assert result.exit_code == exit_code, result.output
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["summary"]["is_good"] is (exit_code == 0)
    assert len(found["outcomes"]) == len(load_cases())


def test_the_command_explains_a_model_that_is_not_there() -> None:
    result = CliRunner().invoke(command.main, ["--model", "/nowhere/at/all"])
    assert result.exit_code == 1
    assert "Error" in result.output


def test_a_quick_look_takes_all_cases_of_every_nth_question() -> None:
    chosen = command.chosen_cases("ko", 5)
    questions = {case.question.prompt for case in load_cases() if case.language == "ko"}
    kept = {case.question.prompt for case in chosen}
    assert len(kept) == -(-len(questions) // 5)
    assert chosen == [case for case in load_cases() if case.question.prompt in kept]
    assert command.chosen_cases(None, 1) == list(load_cases())
