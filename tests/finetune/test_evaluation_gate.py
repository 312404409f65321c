"""The comparison of two graders, and the gate before promotion: what passes, and each thing that does not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from finetune.behaviour.summary import Summary
from finetune.evaluation import Verdict, compared, is_not_worse
from finetune.evaluation.judged import Judged
from finetune.evaluation.promotion_gate import BY_CHANCE, chance_of_labels
from tests.finetune.evaluation_data import given, make_behaviour, make_judged

GOOD = make_behaviour(failed=10)


@pytest.fixture
def current() -> Judged:
    return make_judged(noise=0.15, seed=1)


@pytest.fixture
def candidate() -> Judged:
    return make_judged(noise=0.1, seed=2)


def verdict(candidate: Judged, current: Judged, *, after: Summary = GOOD, before: Summary = GOOD) -> Verdict:
    return is_not_worse(candidate, current, candidate_behaviour=after, current_behaviour=before)


def only_reason(found: Verdict) -> str:
    (reason,) = found.reasons
    assert not found.ok
    return reason


def shuffled(judged: Judged, seed: int, *, within: bool = False) -> Judged:
    rng = np.random.default_rng(seed)
    keys = rng.random(len(judged)) + (judged.question if within else 0)
    order = np.argsort(keys)
    return replace(judged, true=judged.true[order])


# comparison


def test_a_better_grader_has_differences_below_zero(candidate: Judged, current: Judged) -> None:
    found = compared(candidate, current)
    assert found.overall.mse.value == pytest.approx(np.mean(candidate.error**2) - np.mean(current.error**2))
    assert found.overall.mae.value < 0
    assert found.overall.mse.high is not None
    assert found.overall.mse.high < 0
    assert found.overall.worse == 0.0


def test_the_parts_are_thirds_bands_and_languages(candidate: Judged, current: Judged) -> None:
    kinds = [each.kind for each in compared(candidate, current).slices]
    assert (kinds.count("length"), kinds.count("band"), kinds.count("language")) == (3, 5, 2)


def test_a_grader_is_not_worse_than_itself(current: Judged) -> None:
    found = compared(current, current)
    assert all(each.worse == 0.0 and each.mse.value == 0.0 for each in (found.overall, *found.slices))


def test_equally_good_graders_are_worse_with_even_chance() -> None:
    chances = [compared(make_judged(seed=2 * seed), make_judged(seed=2 * seed + 1)).overall.worse for seed in range(20)]
    assert 0.25 < np.mean(chances) < 0.75


def test_the_difference_is_narrower_than_those_of_unpaired_graders(candidate: Judged) -> None:
    """Errors that both make cancel out: that is what pairing is for."""
    nearly = given(candidate, np.clip(candidate.predicted + 0.001, 0, 1))
    found = compared(nearly, candidate).overall.mse
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < 0.001


def test_other_answers_are_refused(candidate: Judged) -> None:
    with pytest.raises(ValueError, match="different answers"):
        compared(candidate, make_judged(noise=0.1, labels=1))


# what passes


def test_a_better_candidate_passes(candidate: Judged, current: Judged) -> None:
    found = verdict(candidate, current)
    assert found.ok
    assert found.reasons == ()


def test_an_equal_candidate_passes(current: Judged) -> None:
    assert verdict(current, current).ok


def test_the_figures_are_ready_for_json(candidate: Judged, current: Judged) -> None:
    told = json.loads(json.dumps(verdict(candidate, current).as_json()))
    assert told["ok"] is True
    assert told["figures"]["answers"] == 200
    assert told["figures"]["candidate_mse"] < told["figures"]["current_mse"] < told["figures"]["mse_of_the_mean"]
    assert told["figures"]["behaviour"] == {"candidate": 0.99, "current": 0.99}
    assert {each["kind"] for each in told["figures"]["slices"]} == {"length", "band", "language"}


def test_equal_inputs_give_equal_verdicts(candidate: Judged, current: Judged) -> None:
    assert verdict(candidate, current) == verdict(candidate, current)


# errors


def test_a_worse_candidate_is_refused(candidate: Judged, current: Judged) -> None:
    assert any("its mean squared error is +" in reason for reason in verdict(current, candidate).reasons)


def test_a_small_rise_that_is_nearly_certain_is_refused(current: Judged) -> None:
    worse = given(current, current.true + current.error * 1.02)
    found = verdict(worse, current)
    assert 0 < np.mean(worse.error**2) - np.mean(current.error**2) < 0.002
    assert "probability of 100%" in only_reason(found)


def test_a_rise_of_the_mean_is_refused_however_uncertain(current: Judged) -> None:
    """One question fails badly: the mean says worse, the draws do not agree."""
    slightly_better = current.true + current.error * 0.97
    failed = given(current, np.where(current.question == 0, 1 - current.true, slightly_better))
    found = compared(failed, current).overall
    assert found.mse.value > 0.002
    assert found.worse < 0.9
    assert any("The candidate is worse: " in reason for reason in verdict(failed, current).reasons)


def test_a_candidate_that_fails_one_language_is_refused(current: Judged) -> None:
    korean = current.language == "ko"
    far_off = np.clip(current.true + np.where(current.true < 0.5, 0.45, -0.45), 0, 1)
    candidate = given(current, np.where(korean, far_off, current.true))
    assert any("language ko" in reason for reason in verdict(candidate, current).reasons)


def test_a_fall_on_a_few_answers_is_no_part_of_its_own(current: Judged) -> None:
    rare = replace(current, language=np.where(np.arange(len(current)) < 29, "fr", "en"))
    worse = given(rare, np.where(rare.language == "fr", np.clip(rare.true - 0.3, 0, 1), rare.true))
    assert not any("language fr" in reason for reason in verdict(worse, rare).reasons)
    enough = replace(worse, language=np.where(np.arange(len(worse)) < 30, "fr", "en"))
    wholly = given(enough, np.where(enough.language == "fr", 1 - enough.true, enough.true))
    assert any("language fr" in reason for reason in verdict(wholly, enough).reasons)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(candidate: Judged, current: Judged, value: float) -> None:
    with pytest.raises(ValueError, match="no number"):
        verdict(given(candidate, np.full(len(candidate), value)), current)


# behaviour


def test_a_point_less_of_the_behaviour_suite_is_allowed(candidate: Judged, current: Judged) -> None:
    assert verdict(candidate, current, after=make_behaviour(failed=20), before=make_behaviour(failed=10)).ok


def test_more_than_a_point_less_is_refused(candidate: Judged, current: Judged) -> None:
    found = verdict(candidate, current, after=make_behaviour(failed=21), before=make_behaviour(failed=10))
    assert "97.9% of the cases instead of 99.0%" in only_reason(found)


@pytest.mark.parametrize("gate", ["degenerate", "blank", "injected"])
def test_a_single_failed_case_of_a_gate_is_refused(candidate: Judged, current: Judged, gate: str) -> None:
    reason = only_reason(verdict(candidate, current, after=make_behaviour(failed=10, gate=gate)))
    assert f"en/{gate}" in reason
    assert "19 of 20" in reason


def test_a_gate_that_the_current_one_fails_too_is_refused_all_the_same(candidate: Judged, current: Judged) -> None:
    bad = make_behaviour(failed=10, gate="blank")
    assert not verdict(candidate, current, after=bad, before=bad).ok


def test_a_candidate_without_the_behaviour_suite_is_refused(candidate: Judged, current: Judged) -> None:
    assert "was not judged by it" in only_reason(verdict(candidate, current, after=make_behaviour(without=True)))


def test_suites_of_another_size_are_refused(candidate: Judged, current: Judged) -> None:
    assert "differ: 1000 cases and 0" in only_reason(verdict(candidate, current, before=make_behaviour(without=True)))


# labels


def test_giving_everybody_the_mean_is_refused(current: Judged) -> None:
    found = verdict(given(current, np.full(len(current), current.true.mean())), current)
    assert any("no better than giving everybody the mean" in reason for reason in found.reasons)


@pytest.mark.parametrize("within", [False, True])
def test_shuffled_labels_never_pass(within: bool) -> None:
    """A good grader in service, a candidate that learned from shuffled labels to stay near the mean, the same test."""
    for seed in range(25):
        current = shuffled(make_judged(noise=0.1, seed=seed), seed, within=within)
        rng = np.random.default_rng(seed)
        level = np.bincount(current.question, current.true) / np.bincount(current.question)
        near = level[current.question] if within else np.full(len(current), current.true.mean())
        candidate = given(current, np.clip(near + rng.normal(0, 0.02, len(current)), 0, 1))
        found = verdict(candidate, current)
        assert compared(candidate, current).overall.worse < 0.5  # the errors alone would let it pass
        assert not found.ok, seed
        assert any("The scores say nothing" in reason for reason in found.reasons)


def test_shuffled_labels_do_not_pass_for_the_grader_in_service_either() -> None:
    for seed in range(20):
        judged = shuffled(make_judged(noise=0.1, seed=seed), seed)
        assert not verdict(judged, judged).ok


def test_honest_labels_are_hardly_ever_taken_for_shuffled_ones() -> None:
    assert all(chance_of_labels(make_judged(10, 5, noise=0.25, seed=seed)) <= BY_CHANCE for seed in range(20))


def test_the_chance_of_shuffled_labels_is_uniform() -> None:
    chances = [chance_of_labels(shuffled(make_judged(6, 6, seed=seed), seed)) for seed in range(80)]
    assert 0.35 < np.mean(chances) < 0.65
    assert 0.1 < np.mean(np.array(chances) < 0.25) < 0.4


def test_too_few_answers_cannot_show_that_labels_mean_something() -> None:
    few = make_judged(2, 2, noise=0.01)
    assert chance_of_labels(few) > BY_CHANCE


def test_answers_to_one_question_prove_nothing_however_many_they_are() -> None:
    current, better = (make_judged(1, 60, noise=noise, seed=seed) for noise, seed in ((0.15, 1), (0.05, 2)))
    assert compared(better, current).overall.worse == 0.0
    assert "at least 4 questions" in only_reason(verdict(better, current))
    assert verdict(make_judged(4, 15, noise=0.05, seed=2), make_judged(4, 15, noise=0.15, seed=1)).ok


def test_questions_with_one_answer_each_are_shuffled_among_all() -> None:
    assert chance_of_labels(make_judged(60, 1)) <= BY_CHANCE
    assert chance_of_labels(shuffled(make_judged(60, 1), 3)) > BY_CHANCE
