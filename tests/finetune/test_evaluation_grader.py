"""The evaluation of a grader from questions to figures, and what its page says."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from finetune.behaviour.cases import load_cases
from finetune.errors import TooFewExamples
from finetune.evaluation import Report, evaluate_grader, evaluation_of, grader_report, report_html
from finetune.evaluation.grader_report import WORST
from finetune.evaluation.report import Block, Finding, LongText, Noted, Plots, Table
from tests.finetune.evaluation_data import ShareOfWords, course, given, make_behaviour, make_judged

FEW_CASES = load_cases()[:12]


def report(**told: object) -> Report:
    evaluation = evaluate_grader(ShareOfWords(0.1), course(), **told)  # type: ignore[arg-type]
    return grader_report(evaluation, title="Evaluation", facts=[("Model", "by rule")])


def blocks(page: Report, title: str) -> list[Block]:
    (section,) = [each for each in page.sections if each.title == title]
    return list(section.blocks)


def table(page: Report, title: str, column: str) -> Table:
    return next(each for each in blocks(page, title) if isinstance(each, Table) and column in each.columns)


# figures


def test_a_grader_that_agrees_with_the_tutor_makes_no_error() -> None:
    found = evaluate_grader(ShareOfWords(), course())
    assert found.figures["mse"].value == 0.0
    assert found.figures["pearson_r"].value == pytest.approx(1.0)


def test_a_generous_grader_has_a_bias() -> None:
    found = evaluate_grader(ShareOfWords(0.1), course())
    assert found.figures["bias"].value == pytest.approx(0.08)  # a full answer cannot be given more


def test_no_answers_are_refused() -> None:
    with pytest.raises(TooFewExamples):
        evaluate_grader(ShareOfWords(), [])


def test_the_figures_for_programs_are_complete_and_hold_no_students_words() -> None:
    found = evaluate_grader(ShareOfWords(0.1), course(), against=ShareOfWords(0.3), cases=FEW_CASES)
    text = json.dumps(found.as_json())
    told = json.loads(text)
    assert (told["answers"], told["questions"]) == (30, 6)
    assert told["figures"]["mae"]["value"] == pytest.approx(0.08)
    assert {each["kind"] for each in told["slices"]} == {"length", "band", "language", "flag", "question"}
    assert sum(each["count"] for each in told["calibration"]) == 30
    assert "mae_with_60%_graded" in told["risk_coverage"]
    assert told["against"]["comparison"]["overall"]["mse"]["value"] < 0
    assert "It trains on one part" not in text


def test_without_suite_and_comparison_there_is_nothing_of_them() -> None:
    assert not {"behaviour", "against"} & set(evaluate_grader(ShareOfWords(), course()).as_json())


def test_the_gate_is_asked_only_where_both_went_through_the_suite() -> None:
    without = evaluate_grader(ShareOfWords(0.1), course(), against=ShareOfWords(0.3)).against
    both = evaluate_grader(ShareOfWords(0.1), course(), against=ShareOfWords(0.3), cases=FEW_CASES).against
    assert without is not None
    assert without.gate is None
    assert both is not None
    assert both.gate is not None
    assert both.behaviour is not None


def test_answers_that_were_judged_already_give_the_same_figures() -> None:
    judged = make_judged(6, 5)
    found = evaluation_of(judged, behaviour=make_behaviour())
    assert found.judged is judged
    assert found.behaviour == make_behaviour()
    assert len(found.as_json()["slices"]) == len(found.slices)


# the page


def test_the_lead_says_how_far_off_the_grader_is() -> None:
    assert report().lead.startswith("On 30 answers to 6 questions the grader is off by 0.080 of the points on average")


def test_one_answer_is_told_in_the_singular() -> None:
    evaluation = evaluate_grader(ShareOfWords(), course(1, 1))
    assert "On 1 answer to 1 question the" in grader_report(evaluation, title="", facts=[]).lead
    assert report_html(grader_report(evaluation, title="", facts=[]))


def test_without_a_comparison_the_figures_come_first() -> None:
    assert [each.title for each in report().sections] == ["How right it is", "Where it errs", "Worst answers"]


def test_with_everything_the_verdict_comes_first() -> None:
    page = report(against=ShareOfWords(0.3), cases=FEW_CASES)
    titles = [each.title for each in page.sections]
    assert titles[0] == "Against the grader in service"
    assert "Behaviour suite" in titles
    assert isinstance(blocks(page, titles[0])[0], Finding)


def test_the_figures_of_the_one_in_service_stand_beside() -> None:
    assert table(report(against=ShareOfWords()), "How right it is", "In service")
    assert "In service" not in table(report(), "How right it is", "Figure").columns


@pytest.mark.parametrize(("failed", "said"), [(0, "may be promoted"), (900, "would not be promoted")])
def test_the_verdict_of_the_gate_is_told(failed: int, said: str) -> None:
    candidate, current = make_judged(noise=0.1, seed=1), make_judged(noise=0.2, seed=2)
    with_suite = evaluate_grader(ShareOfWords(), course(), against=ShareOfWords(), cases=FEW_CASES)
    assert with_suite.against is not None
    assert with_suite.against.gate is not None
    reasons = ("It behaves worse.",) if failed else ()
    gate = replace(with_suite.against.gate, ok=not failed, reasons=reasons)
    against = replace(with_suite.against, judged=current, gate=gate)
    page = grader_report(evaluation_of(candidate, against=against), title="", facts=[])
    (finding,) = [each for each in blocks(page, "Against the grader in service") if isinstance(each, Finding)]
    assert said in finding.text
    assert finding.is_good is not bool(failed)
    assert tuple(finding.reasons) == reasons


def test_a_comparison_without_the_suite_says_so() -> None:
    (finding,) = [
        each for each in blocks(report(against=ShareOfWords()), "Against the grader in service")
        if isinstance(each, Finding)
    ]  # fmt: skip
    assert "behaviour suite was not run" in finding.text


def test_three_figures_show_accuracy_and_two_where_it_errs() -> None:
    counts = [
        len(each.plots)
        for title in ("How right it is", "Where it errs")
        for each in blocks(report(), title)
        if isinstance(each, Plots)
    ]
    assert counts == [3, 2]


@pytest.mark.parametrize("column", ["Length", "The tutor's score", "Language", "Flag", "Question"])
def test_errors_are_shown_by_each_part(column: str) -> None:
    assert table(report(), "Where it errs", column).rows


def test_questions_are_shown_in_their_own_words() -> None:
    asked = table(report(), "Where it errs", "Question").rows[0][0]
    assert isinstance(asked, LongText)
    assert asked.text.startswith("How does method")


def test_the_behaviour_suite_is_shown_with_what_fails_most_first() -> None:
    evaluation = evaluation_of(make_judged(4, 5), behaviour=make_behaviour(failed=30, gate="injected"))
    page = grader_report(evaluation, title="", facts=[])
    gates = table(page, "Behaviour suite", "Gate")
    assert gates.rows[0][:3] == ["en, injected", 19, 20]
    finding = blocks(page, "Behaviour suite")[0]
    assert isinstance(finding, Finding)
    assert not finding.is_good


def test_the_worst_answers_come_with_their_questions_and_the_worst_first() -> None:
    judged = make_judged()
    far_off = int(np.argmax(judged.true))
    predicted = judged.predicted.copy()
    predicted[far_off] = 0.0
    page = grader_report(evaluation_of(given(judged, predicted)), title="", facts=[])
    rows = table(page, "Worst answers", "Tutor").rows
    assert len(rows) == WORST
    first, tutor, words = rows[0]
    assert isinstance(first, Noted)
    assert first.text == "0.00"
    assert tutor == "1.00"
    assert isinstance(words, LongText)
    assert words.text == f"answer {far_off}"
    assert words.lead == judged.prompts[far_off]


def test_a_blank_answer_is_told_as_blank() -> None:
    judged = replace(make_judged(1, 1), texts=("",))
    page = grader_report(evaluation_of(judged), title="", facts=[])
    words = table(page, "Worst answers", "Tutor").rows[0][2]
    assert isinstance(words, LongText)
    assert words.text == "(blank)"


def test_the_whole_page_can_be_drawn() -> None:
    html = report_html(report(against=ShareOfWords(0.3), cases=FEW_CASES))
    assert html.count("<svg") == 6
    assert "nan" not in html
