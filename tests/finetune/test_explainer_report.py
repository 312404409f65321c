"""The page of a training: the curve, the checks of each epoch, before and after; texts of the bank only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from finetune.evaluation.report import Samples, Table, report_html
from finetune.explainer_examples import ExplainerCase, cases_from
from finetune.explainer_judging import Judged, by_template
from finetune.explainer_report import SHOWN, training_report
from tests.finetune.explainer_builders import few_samples

RUN = {"base_model": "bundled:tiny", "training": {"rank": 8, "seed": 1}}
HOSTILE = "<script>alert(1)</script>"


def make_metrics(**overrides: Any) -> dict[str, Any]:
    """Two epochs of which the first is kept."""
    given: dict[str, Any] = {
        "cases": {"train": 40, "validation": 6, "test": 4},
        "left_out": {},
        "steps": 10,
        "best_step": 5,
        "loss": [2.0, 1.5, 1.2, 1.0, 0.9],
        "validation": [
            {"step": 5, "cases": 6, "share": 0.5, "problems": {"not_named": 3}},
            {"step": 10, "cases": 6, "share": 1 / 3, "problems": {"not_named": 3, "false_praise": 1}},
        ],
    }
    return given | overrides


@pytest.fixture
def cases() -> list[ExplainerCase]:
    return cases_from(few_samples())[:4]


def texts_of(cases: list[ExplainerCase], text: str = "Nothing") -> dict[str, Judged]:
    """The adapter writes as the template does, the base model ``text``."""
    return {
        "adapter": by_template(cases),
        "base_model": Judged(cases=cases, texts=[text] * len(cases)),
        "template": by_template(cases),
    }


def page(cases: list[ExplainerCase], text: str = "Nothing", **overrides: Any) -> str:
    return report_html(training_report(RUN, make_metrics(**overrides), texts_of(cases, text), "d" * 16))


def table(cases: list[ExplainerCase], title: str) -> Table:
    report = training_report(RUN, make_metrics(), texts_of(cases), "d" * 16)
    (found,) = (block for section in report.sections if section.title == title for block in section.blocks)
    assert isinstance(found, Table)
    return found


def test_the_first_sentence_says_before_and_after(cases: list[ExplainerCase]) -> None:
    assert "100% pass every check; 0% did before" in page(cases)


def test_each_epoch_has_its_rates_and_the_kept_one_is_marked(cases: list[ExplainerCase]) -> None:
    found = table(cases, "Each epoch")
    assert found.columns == ["Check", "epoch 1 (kept)", "epoch 2"]
    assert found.rows == [
        ["every check passed", "50%", "33%"],
        ["false praise", "0%", "17%"],
        ["not named", "50%", "50%"],
        ["texts", 6, 6],
    ]


def test_before_and_after_stand_beside_the_template(cases: list[ExplainerCase]) -> None:
    found = table(cases, "Before and after")
    assert found.columns == ["Check", "before (base model)", "after (with the adapter)", "template"]
    assert [cell.value for cell in found.rows[0][1:]] == [0.0, 1.0, 1.0]  # pyright: ignore[reportAttributeAccessIssue]


def test_the_curve_and_the_rates_are_drawn(cases: list[ExplainerCase]) -> None:
    assert page(cases).count("<svg") == 2


def test_one_step_and_one_epoch_are_enough_for_a_page(cases: list[ExplainerCase]) -> None:
    assert "<svg" in page(cases, loss=[1.0], validation=make_metrics()["validation"][:1], steps=1, best_step=1)


def test_what_was_left_out_is_told_with_its_reason(cases: list[ExplainerCase]) -> None:
    assert "What was not learnt from" not in page(cases)
    assert "check not_named" in page(cases, left_out={"check not_named": 12})


def test_texts_are_shown_side_by_side_with_what_is_wrong(cases: list[ExplainerCase]) -> None:
    shown = page(cases)
    assert cases[0].answer[:60] in shown.replace("&#39;", "'")
    assert "not named: " in shown


def test_students_words_of_a_course_are_not_shown(cases: list[ExplainerCase]) -> None:
    own = [replace(case, source="course", answer="what a student of ours wrote") for case in cases]
    shown = page(own, "what a student of ours wrote")
    assert "what a student" not in shown
    assert "Side by side" not in shown


def test_there_are_not_more_texts_than_one_reads() -> None:
    many = cases_from(few_samples(8))
    assert len(many) > SHOWN
    report = training_report(RUN, make_metrics(), texts_of(many), "d" * 16)
    (samples,) = (block for section in report.sections for block in section.blocks if isinstance(block, Samples))
    assert len(samples.samples) == SHOWN


def test_what_a_model_writes_is_text_on_the_page(cases: list[ExplainerCase]) -> None:
    shown = page(cases, HOSTILE)
    assert HOSTILE not in shown
    assert "&lt;script&gt;" in shown


def test_the_page_needs_no_network(cases: list[ExplainerCase]) -> None:
    shown = page(cases)
    assert "<script" not in shown
    assert "//" not in shown.replace("http://www.w3.org", "")
