"""Figures, slices and curves: values as they are computed by hand, intervals that follow the questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from finetune.errors import TooFewExamples
from finetune.evaluation.curves import calibration_curve, risk_curve
from finetune.evaluation.figures import NAMES, grader_figures
from finetune.evaluation.judged import Judged, judge_answers
from finetune.evaluation.resampling import RESAMPLES, Figure, figure, mean_figures, resampled, resampled_means
from finetune.evaluation.slices import Slice, band_members, length_members, paired_members, slices_of
from grading.domain import Flag
from grading.metrics import grading_metrics, weighted_rmse
from tests.finetune.evaluation_data import ShareOfWords, course, given, make_judged


@pytest.fixture
def judged() -> Judged:
    return make_judged(12, 8)


def of_kind(slices: Sequence[Slice], kind: str) -> list[Slice]:
    return [each for each in slices if each.kind == kind]


# judging


def test_answers_are_judged_in_the_order_of_the_data() -> None:
    questions = course(2, 3)
    judged = judge_answers(ShareOfWords(), questions)
    assert judged.texts == tuple(answer.text for graded in questions for answer in graded.answers)
    assert judged.true.tolist() == [0.0, 0.25, 0.5] * 2
    assert judged.question.tolist() == [0, 0, 0, 1, 1, 1]
    assert judged.predicted.tolist() == judged.true.tolist()


def test_languages_prompts_lengths_and_flags_stand_beside_each_answer() -> None:
    judged = judge_answers(ShareOfWords(), course(3, 2))
    assert judged.language.tolist() == ["en", "en", "en", "en", "ko", "ko"]
    assert judged.prompts[5] == "How does method 2 judge a model?"
    assert judged.length[1] == len(judged.texts[1])
    assert judged.flags[0] == {Flag.BLANK}
    assert judged.flags[1] == frozenset()


def test_a_question_and_its_translation_are_drawn_as_one() -> None:
    english, other = course(2, 2)
    judged = judge_answers(ShareOfWords(), [english, replace(other, group=english.group)])
    assert judged.questions == (english.group,)
    assert judged.question.tolist() == [0, 0, 0, 0]


def test_the_progress_counts_questions() -> None:
    told: list[tuple[int, int]] = []
    judge_answers(ShareOfWords(), course(3, 1), lambda done, total, _: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_no_answer_is_refused_in_a_sentence() -> None:
    with pytest.raises(TooFewExamples, match="no scored answer"):
        judge_answers(ShareOfWords(), [])


@pytest.mark.parametrize("part", ["true", "question"])
def test_other_answers_cannot_be_paired(judged: Judged, part: str) -> None:
    changed = getattr(judged, part).copy()
    changed[0] = changed[-1] if part == "question" else 1 - changed[0]
    assert judged.has_same_answers_as(given(judged, judged.predicted * 0.5))
    assert not judged.has_same_answers_as(replace(judged, **{part: changed}))
    assert not judged.has_same_answers_as(replace(judged, texts=(*judged.texts[:-1], "another")))


# the bootstrap by question


def test_means_over_draws_of_questions_are_those_of_drawing_them_one_by_one() -> None:
    question = np.array([0, 0, 0, 1, 2, 2])
    values = np.array([1.0, 0.0, 2.0, 5.0, 3.0, 3.0])
    by_sums = resampled_means(values[:, None], question)[:, 0]
    one_by_one = resampled(lambda rows: values[rows].mean(keepdims=True), question)[:, 0]
    assert len(by_sums) == len(one_by_one) == RESAMPLES
    assert np.mean(by_sums) == pytest.approx(np.mean(one_by_one), abs=0.05)
    assert np.std(by_sums) == pytest.approx(np.std(one_by_one), rel=0.1)


def test_equal_data_give_equal_intervals(judged: Judged) -> None:
    assert grader_figures(judged) == grader_figures(judged)


def test_answers_that_repeat_each_other_do_not_narrow_the_interval() -> None:
    """Ten copies of each answer are no more evidence than one; drawing answers would say so."""
    values = np.random.default_rng(0).normal(size=(20, 1))
    (once,) = mean_figures(values, np.arange(20))
    (copied,) = mean_figures(np.repeat(values, 10, axis=0), np.repeat(np.arange(20), 10))
    assert copied.as_json() == once.as_json()


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(size=(400, 1))
    (found,) = mean_figures(values, np.arange(400))
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.1)
    assert found.low < found.value < found.high


def test_one_question_gives_no_interval() -> None:
    assert mean_figures(np.ones((5, 1)), np.zeros(5, np.int64)) == [Figure(value=1.0)]


def test_draws_without_a_value_are_left_out() -> None:
    draws = np.array([np.nan, 1.0, 1.0, np.nan])
    assert figure(1.0, draws, 3) == Figure(value=1.0, low=1.0, high=1.0)
    assert figure(1.0, np.array([np.nan]), 3) == Figure(value=1.0)


def test_answers_outside_a_slice_do_not_count_in_its_draws() -> None:
    values = np.column_stack([[1.0, 1.0, 7.0], [1.0, 1.0, np.nan]])
    draws = resampled_means(values, np.array([0, 1, 2]))
    assert set(draws[~np.isnan(draws[:, 1]), 1]) == {1.0}
    assert np.isnan(draws[:, 1]).any()
    assert np.nanmax(draws[:, 0]) == pytest.approx(7.0)


def test_figures_for_programs_are_rounded_and_keep_what_is_missing() -> None:
    assert Figure(value=0.123456, low=0.0, high=0.2).as_json() == {"value": 0.1235, "low": 0.0, "high": 0.2}
    assert Figure(value=1.0).as_json() == {"value": 1.0, "low": None, "high": None}


# figures


def test_the_values_are_those_of_the_metrics(judged: Judged) -> None:
    found = grader_figures(judged)
    plain = grading_metrics(judged.predicted.tolist(), judged.true.tolist())
    assert tuple(found) == NAMES
    for name in ("mse", "mae", "bias", "pearson_r", "big_error_share"):
        assert found[name].value == pytest.approx(getattr(plain, name))
    assert found["weighted_rmse"].value == pytest.approx(weighted_rmse(judged.predicted, judged.true))


@pytest.mark.parametrize("name", NAMES)
def test_every_value_lies_inside_its_interval(judged: Judged, name: str) -> None:
    found = grader_figures(judged)[name]
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


def test_a_grader_that_gives_all_the_same_has_no_correlation(judged: Judged) -> None:
    assert "pearson_r" not in grader_figures(given(judged, np.full(len(judged), 0.5)))


def test_an_interval_that_ends_at_the_score_covers_it(judged: Judged) -> None:
    found = grader_figures(replace(judged, low=judged.true, high=judged.true))
    assert found["interval_covers"].value == 1.0
    assert found["interval_width"].value == 0.0
    assert grader_figures(replace(judged, low=judged.true + 0.01))["interval_covers"].value == 0.0


def test_paying_for_length_shows(judged: Judged) -> None:
    paid = given(judged, judged.true + np.log(judged.length) / 20)
    found = grader_figures(paid)["corr_residual_log_length"]
    assert found.value == pytest.approx(1.0)
    assert found.low is not None
    assert found.low > 0.9


# slices


def test_every_answer_is_in_one_third_one_band_and_one_language(judged: Judged) -> None:
    counted = dict.fromkeys(("length", "band", "language"), 0)
    for kind, _, members in paired_members(judged):
        counted[kind] += int(members.sum())
    assert set(counted.values()) == {len(judged)}


def test_thirds_by_length_are_named_by_their_ends() -> None:
    judged = replace(make_judged(1, 6), length=np.array([10.0, 20, 30, 40, 50, 60]))
    parts = list(length_members(judged))
    assert [name for _, name, _ in parts] == ["up to 26 characters", "27 to 43 characters", "over 43 characters"]
    assert [members.sum() for _, _, members in parts] == [2, 2, 2]


def test_answers_of_one_length_are_one_part() -> None:
    judged = replace(make_judged(2, 3), length=np.full(6, 20.0))
    assert [name for _, name, _ in length_members(judged)] == ["up to 20 characters"]


def test_a_score_at_the_edge_belongs_to_the_band_above() -> None:
    judged = replace(make_judged(1, 6), true=np.array([0.0, 0.1, 0.35, 0.65, 0.9, 1.0]))
    bands = {name: members.tolist() for _, name, members in band_members(judged)}
    assert list(bands) == ["0 to 0.1", "0.1 to 0.35", "0.35 to 0.65", "0.65 to 0.9", "0.9 to 1"]
    assert bands["0.9 to 1"] == [False, False, False, False, True, True]


def test_slices_hold_the_errors_of_their_answers_only(judged: Judged) -> None:
    korean = judged.language == "ko"
    worse = given(judged, np.where(korean, np.clip(judged.true - 0.4, 0, 1), judged.true))
    found = {each.name: each for each in of_kind(slices_of(worse), "language")}
    assert found["en"].mse.value == 0.0
    assert found["ko"].mae.value == pytest.approx(np.abs(worse.error[korean]).mean())
    assert found["ko"].bias.value < 0
    assert (found["ko"].count, found["ko"].questions) == (32, 4)


def test_flags_are_slices_and_so_are_answers_without(judged: Judged) -> None:
    found = {each.name: each.count for each in of_kind(slices_of(judged), "flag")}
    assert found == {"repeated": 9, "none": 87}


def test_the_worst_question_comes_first(judged: Judged) -> None:
    worst = given(judged, np.where(judged.question == 7, 1 - judged.true, judged.true))
    found = of_kind(slices_of(worst), "question")
    assert found[0].name == "question 7"
    assert found[0].mse.low is None
    assert len(found) == 12


# curves


def test_the_calibration_curve_of_a_generous_grader_lies_below_the_diagonal(judged: Judged) -> None:
    generous = given(judged, np.clip(judged.true + 0.2, 0, 1))
    assert all(each.true.value < each.given for each in calibration_curve(generous) if each.given < 0.95)


def test_the_calibration_curve_counts_every_answer_once(judged: Judged) -> None:
    points = calibration_curve(judged)
    assert sum(each.count for each in points) == len(judged)
    assert [each.given for each in points] == sorted(each.given for each in points)


def test_a_full_fraction_is_in_the_last_step(judged: Judged) -> None:
    (point,) = calibration_curve(given(judged, np.ones(len(judged))))
    assert point.given == 1.0
    assert point.true.value == pytest.approx(judged.true.mean())


def test_the_risk_curve_ends_at_the_error_of_all(judged: Judged) -> None:
    risk = risk_curve(judged)
    assert risk.at(1.0) == pytest.approx(np.abs(judged.error).mean())
    assert list(risk.as_json()) == [f"mae_with_{share}%_graded" for share in (40, 60, 80, 100)]


def test_a_certain_grader_that_knows_its_errors_has_a_rising_risk(judged: Judged) -> None:
    risk = risk_curve(replace(judged, confidence=1 - np.abs(judged.error)))
    assert risk.at(0.4) < risk.at(0.8) < risk.at(1.0)
