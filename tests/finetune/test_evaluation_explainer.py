"""The evaluation of explainers: every writer words the same feedback, and the checks that serve judge them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from finetune.errors import TooFewExamples
from finetune.evaluation import ExplainerEvaluation, evaluate_explainer, explainer_report, report_html
from finetune.evaluation.explainer_evaluation import Load
from finetune.evaluation.report import LongText, Noted, Samples, Table
from grading.explanation.checks import ProblemKind
from grading.explanation.feedback import Feedback
from grading.explanation.generators import Generator
from grading.explanation.template import template_text
from grading.keypoints import key_points_of
from tests.finetune.evaluation_data import ShareOfWords, course


class Writer:
    """Writes ``text``, or the template's text where it is ``None``; keeps what it was asked."""

    def __init__(
        self, text: str | None, languages: frozenset[str] = frozenset({"en", "ko"}), *, needs_names: bool = False
    ) -> None:
        self._text = text
        self.languages = languages
        self.needs_names = needs_names
        self.asked: list[Feedback] = []

    @property
    def versions(self) -> Mapping[str, str]:
        return {"explainer": "by rule"}

    def rewrite(self, feedbacks: Sequence[Feedback]) -> list[str]:
        self.asked += feedbacks
        return [template_text(feedback) if self._text is None else self._text for feedback in feedbacks]


def loads(generator: Generator) -> Load:
    return lambda: generator


def evaluated(*writers: tuple[str, Writer], limit: int | None = None) -> ExplainerEvaluation:
    return evaluate_explainer(
        ShareOfWords(), course(6, 5), {name: loads(writer) for name, writer in writers}, limit=limit
    )


def test_the_template_is_always_judged_and_first() -> None:
    (template,) = evaluated().writers
    assert template.name == "template"
    assert template.count == 24  # the blank ones get a fixed text
    assert template.passed.value == 1.0


def test_the_bar_moves_while_texts_are_worded_and_ends_full() -> None:
    told: list[tuple[int, int, str]] = []
    evaluate_explainer(
        ShareOfWords(),
        course(6, 5),
        {"base model": loads(Writer(None)), "adapter": loads(Writer(None))},
        progress=lambda done, total, text: told.append((done, total, text)),
    )
    scored = [(done, total) for done, total, text in told if text == "scoring answers"]
    assert scored[-1] == (30, 30)
    assert [each for each in told if each[2] != "scoring answers"] == [
        (0, 48, "wording: base model"),
        (12, 48, "wording: base model"),
        (24, 48, "wording: base model"),
        (24, 48, "wording: adapter"),
        (36, 48, "wording: adapter"),
        (48, 48, "wording: adapter"),
    ]


def test_a_writer_that_follows_the_feedback_passes() -> None:
    assert evaluated(("adapter", Writer(None))).writers[1].passed.value == 1.0


def test_a_writer_that_names_the_score_is_refused_with_the_rule_and_the_words() -> None:
    bad = evaluated(("base model", Writer("You get 7/10."))).writers[1]
    assert bad.passed.value == 0.0
    assert bad.broken[ProblemKind.SCORE].value == 1.0
    text = bad.texts[0]
    assert text is not None
    assert any("7" in problem.detail for problem in text.problems)


def test_a_writer_without_words_breaks_one_rule() -> None:
    silent = evaluated(("base model", Writer(""))).writers[1]
    assert silent.broken[ProblemKind.EMPTY].value == 1.0
    assert sum(rate.value for rate in silent.broken.values()) == 1.0


def test_rates_have_intervals_over_questions() -> None:
    passed = evaluated(("adapter", Writer("Well done."))).writers[1].passed
    assert passed.low is not None
    assert passed.high is not None
    assert passed.low <= passed.value <= passed.high


def test_only_answers_in_its_languages_are_worded() -> None:
    writer = Writer(None, frozenset({"en"}))
    found = evaluated(("adapter", writer))
    assert {feedback.language for feedback in writer.asked} == {"en"}
    assert found.writers[1].count == 16
    assert [text is None for text in found.writers[1].texts] == [
        each.feedback.language == "ko" for each in found.answers
    ]


def test_a_writer_that_needs_names_is_judged_on_what_has_them() -> None:
    writer = Writer(None, needs_names=True)
    found = evaluated(("adapter", writer))
    assert [text is None for text in found.writers[1].texts] == [not each.feedback.is_named for each in found.answers]
    assert all(feedback.is_named for feedback in writer.asked)
    assert found.writers[1].count == len(writer.asked)


def test_a_writer_of_no_language_of_the_data_has_no_texts() -> None:
    found = evaluated(("adapter", Writer(None, frozenset({"fr"}))))
    assert found.writers[1].count == 0
    assert report_html(explainer_report(found, title="", facts=[]))


def test_every_writer_gets_the_same_feedback() -> None:
    first, second = Writer(None), Writer("Well done.")
    evaluated(("base model", first), ("adapter", second))
    assert first.asked == second.asked


def test_models_are_loaded_when_their_turn_comes() -> None:
    order: list[str] = []

    class Noting(Writer):
        def rewrite(self, feedbacks: Sequence[Feedback]) -> list[str]:
            order.append("wrote")
            return super().rewrite(feedbacks)

    def load() -> Generator:
        order.append("loaded")
        return Noting(None)

    evaluate_explainer(ShareOfWords(), course(), {"base model": load, "adapter": load}, limit=12)
    assert order == ["loaded", "wrote", "loaded", "wrote"]


@pytest.mark.parametrize(("limit", "count", "questions"), [(1, 1, 1), (12, 12, 6), (1000, 24, 6)])
def test_a_limit_takes_answers_from_all_questions(limit: int, count: int, questions: int) -> None:
    said = [replace(graded, answers=graded.answers[1:]) for graded in course(6, 5)]
    found = evaluate_explainer(ShareOfWords(), said, {}, limit=limit)
    assert len(found.answers) == count
    assert len({each.group for each in found.answers}) == questions


def test_nothing_but_blank_answers_is_refused() -> None:
    with pytest.raises(TooFewExamples, match="fixed one"):
        evaluate_explainer(ShareOfWords(), course(3, 1), {})


def test_no_answers_are_refused() -> None:
    with pytest.raises(TooFewExamples):
        evaluate_explainer(ShareOfWords(), [], {})


def test_the_figures_for_programs_hold_rates_and_no_texts() -> None:
    text = json.dumps(evaluated(("adapter", Writer("You get 7/10."))).as_json())
    told = json.loads(text)
    assert told["writers"]["adapter"]["broken"]["score"]["value"] == 1.0
    assert set(told["writers"]["adapter"]["broken"]) == {kind.value for kind in ProblemKind}
    assert "7/10" not in text
    assert "It trains" not in text


# the page


def test_the_page_shows_rates_reasons_and_texts_side_by_side() -> None:
    found = evaluated(("base model", Writer("You get 7/10.")), ("adapter", Writer(None)))
    page = explainer_report(found, title="Evaluation", facts=[])
    rates, base, adapter, beside = page.sections
    assert "24 texts by the adapter, 100.0% may be shown" in page.lead
    assert isinstance(rates.blocks[0], Table)
    assert list(rates.blocks[0].columns) == ["Check", "template", "base model", "adapter"]
    assert base.text == "24 of 24 texts."
    assert adapter.blocks == []
    assert isinstance(beside.blocks[0], Samples)
    assert [each.name for each in beside.blocks[0].samples[0].versions] == ["template", "base model", "adapter"]


def test_rules_that_nobody_broke_are_named_in_a_sentence() -> None:
    rates = explainer_report(evaluated(("base model", Writer(""))), title="", facts=[]).sections[0]
    assert isinstance(rates.blocks[0], Table)
    names = [row[0].text for row in rates.blocks[0].rows if isinstance(row[0], Noted)]
    assert names == ["empty"]
    assert "false praise" in rates.text


def test_problems_of_one_rule_are_told_in_one_line() -> None:
    questions = [
        replace(
            graded,
            question=replace(
                graded.question,
                key_points=tuple(replace(p, name=f"point {p.position}") for p in key_points_of(graded.question)),
            ),
        )
        for graded in course(6, 5)
    ]
    writer = loads(Writer("Keep going, there is more to say."))
    page = explainer_report(evaluate_explainer(ShareOfWords(), questions, {"base model": writer}), title="", facts=[])
    refused = page.sections[1].blocks[0]
    assert isinstance(refused, Table)
    told = max((str(row[0]) for row in refused.rows), key=lambda each: each.count("point "))
    assert told.count("not named: ") == 1
    assert told.count("point ") >= 2
    assert isinstance(refused.rows[0][1], LongText)


def test_a_language_that_is_not_written_is_said() -> None:
    page = explainer_report(evaluated(("adapter", Writer(None, frozenset({"en"})))), title="", facts=[])
    assert "(does not write this language)" in report_html(page)
