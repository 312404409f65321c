"""The gate before a promotion: real graders on a dataset's test part, and explainers by the checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from config import Settings
from finetune.behaviour import cases as behaviour
from finetune.behaviour.case import Case
from finetune.dataset import (
    DatasetKeyPoint,
    DatasetQuestion,
    Example,
    graded_questions,
    read_dataset,
    write_dataset,
)
from finetune.evaluation import evaluate_explainer
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion
from finetune.learnt_answers import write_learnt
from grading.domain import Question
from grading.explanation.feedback import Feedback
from grading.explanation.template import template_text
from grading.grader import load_grader
from grading.samples import load_samples
from lti_tool.db import Database
from lti_tool.models.adding import add_run
from lti_tool.models.errors import VersionBroken, VersionUnusable
from lti_tool.models.folders import remove_folder
from lti_tool.models.gate import EvaluationGate, judgement_of, try_out
from lti_tool.models.versions import ModelVersion
from tests.model_runs import make_explainer_run, make_run, resealed


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads that wait for each other on a busy machine take twenty times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Judge:
    """A place where versions are added and judged."""

    database: Database
    settings: Settings
    folder: Path

    def adds(self, run: Path) -> ModelVersion:
        with self.database.across_tenants() as connection:
            return add_run(connection, self.settings, run, by="ada").version


@pytest.fixture
def judge(database: Database, settings: Settings, tiny_encoder_folder: Path, tmp_path: Path) -> Iterator[Judge]:
    chosen = settings.model_copy(update={"grader_model": str(tiny_encoder_folder), "explainer": "template"})
    yield Judge(database, chosen, tmp_path)
    remove_folder(chosen.versions_path)


@pytest.fixture(scope="module")
def few_cases() -> tuple[Case, ...]:
    """Every two hundredth case of the behaviour suite: all of it takes minutes."""
    return behaviour.load_cases()[::200]


@pytest.fixture
def small_suite(few_cases: tuple[Case, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "load_cases", lambda: few_cases)


def write_samples(folder: Path, *, count: int = 4, shift: float = 0.0) -> Path:
    """A dataset of sample questions, all of it its test part; ``shift`` moves the scores away from the answers."""
    samples = [each for each in load_samples("en") if len(each.answers) >= 6][:count]
    questions = [
        DatasetQuestion(
            id=sample.id,
            prompt=sample.prompt,
            language="en",
            model_answers=tuple(sample.model_answers),
            key_points=tuple(
                DatasetKeyPoint(position=place, name=point.name, text=point.text, weight=float(point.weight))
                for place, point in enumerate(sample.key_points)
            ),
            source="samples",
        )
        for sample in samples
    ]
    examples = [
        Example(
            id=f"{sample.id}-{number}",
            question=sample.id,
            answer=answer.text,
            language="en",
            score=float((answer.score + shift) % 1.0) if shift else float(answer.score),
            scored_by="PERSON",
            part="test",
        )
        for sample in samples
        for number, answer in enumerate(sample.answers)
    ]
    write_dataset(folder, questions=questions, examples=examples, producer="tests", filters={})
    return folder


# Graders ----------------------------------------------------------------------------------------------------------


def upside_down(run: Path) -> Path:
    """A grader that gives the most for the least."""
    head = json.loads((run / "head.json").read_text(encoding="utf-8"))
    for variant in head["variants"].values():
        variant["curve"]["to"] = [1 - each for each in variant["curve"]["to"]]
    (run / "head.json").write_text(json.dumps(head), encoding="utf-8")
    return resealed(run)


@pytest.mark.usefixtures("small_suite")
def test_a_grader_that_scores_as_the_current_one_does_may_serve(judge: Judge) -> None:
    data = write_samples(judge.folder / "dataset")
    judgement = EvaluationGate(judge.settings, data)(judge.adds(make_run(judge.folder / "one")), None)
    assert judgement.ok, judgement.reasons
    assert judgement.findings["candidate_trained_on"] == "d" * 64
    assert len(judgement.findings["dataset"]) == 16
    assert judgement.findings["overall"]["mse"]["value"] == 0.0


@pytest.mark.usefixtures("small_suite")
def test_a_grader_that_is_worse_is_refused_with_reasons(judge: Judge) -> None:
    data = write_samples(judge.folder / "dataset")
    candidate = judge.adds(upside_down(make_run(judge.folder / "one")))
    judgement = EvaluationGate(judge.settings, data)(candidate, None)
    assert not judgement.ok
    assert any("The candidate is worse" in reason for reason in judgement.reasons)


@pytest.mark.usefixtures("small_suite")
def test_a_candidate_is_judged_against_the_version_that_serves(judge: Judge) -> None:
    data = write_samples(judge.folder / "dataset")
    bad = judge.adds(upside_down(make_run(judge.folder / "bad")))
    good = judge.adds(make_run(judge.folder / "good"))
    judgement = EvaluationGate(judge.settings, data)(good, bad)
    assert judgement.findings["candidate_mse"] < judgement.findings["current_mse"]


@pytest.mark.usefixtures("small_suite")
def test_on_labels_that_say_nothing_no_candidate_is_proven(judge: Judge) -> None:
    data = write_samples(judge.folder / "dataset", shift=0.5)
    judgement = EvaluationGate(judge.settings, data)(judge.adds(make_run(judge.folder / "one")), None)
    assert not judgement.ok
    assert any("Check the scores of the data" in reason for reason in judgement.reasons)


def test_data_that_are_no_dataset_are_a_reason(judge: Judge) -> None:
    (judge.folder / "dataset").mkdir()
    candidate = judge.adds(make_run(judge.folder / "one"))
    judgement = EvaluationGate(judge.settings, judge.folder / "dataset")(candidate, None)
    assert not judgement.ok
    assert "manifest.json" in judgement.reasons[0]


def test_data_without_confirmed_answers_in_its_test_part_are_a_reason(judge: Judge) -> None:
    question = DatasetQuestion(id="q", prompt="What is dropout?", language="en", model_answers=("It drops units.",))
    example = Example(id="e", question="q", answer="units", language="en", score=0.5, scored_by="MODEL", part="test")
    data = judge.folder / "dataset"
    write_dataset(data, questions=[question], examples=[example], producer="tests", filters={})
    judgement = EvaluationGate(judge.settings, data)(judge.adds(make_run(judge.folder / "one")), None)
    assert not judgement.ok
    assert "the test part of dataset holds no score that a person confirmed" in judgement.reasons[0]


def test_a_candidate_that_learnt_from_a_test_part_cannot_be_judged_by_one(judge: Judge) -> None:
    data = write_samples(judge.folder / "dataset")
    judgement = EvaluationGate(judge.settings, data)(
        judge.adds(make_run(judge.folder / "one", learnt_test_part=True)), None
    )
    assert not judgement.ok
    assert "trained with --part all" in judgement.reasons[0]


def has_learnt(run: Path, questions: list[GradedQuestion]) -> Path:
    """A run that learnt these answers, as one on a table does."""
    write_learnt(run, questions, key="d" * 64)
    return resealed(run)


@pytest.mark.usefixtures("small_suite")
@pytest.mark.parametrize("knows", ["candidate", "current"])
def test_answers_that_either_grader_has_learnt_are_left_out(judge: Judge, knows: str) -> None:
    data = write_samples(judge.folder / "dataset", count=6)
    test_part = graded_questions(read_dataset(data), part={"test"})
    one = judge.adds(has_learnt(make_run(judge.folder / "one"), test_part[:2]))
    other = judge.adds(make_run(judge.folder / "other", "two"))
    pair = (one, other) if knows == "candidate" else (other, one)
    judgement = EvaluationGate(judge.settings, data)(*pair)
    assert judgement.ok, judgement.reasons
    assert judgement.findings["learnt_left_out"] == sum(len(each.answers) for each in test_part[:2])
    assert judgement.findings["questions"] == 4


@pytest.mark.usefixtures("small_suite")
def test_a_candidate_that_has_learnt_the_test_part_is_refused_and_the_reason_says_so(judge: Judge) -> None:
    data = write_samples(judge.folder / "dataset")
    test_part = graded_questions(read_dataset(data), part={"test"})
    all_of_it = judge.adds(has_learnt(make_run(judge.folder / "one"), test_part))
    most_of_it = judge.adds(has_learnt(make_run(judge.folder / "two", "two"), test_part[:2]))
    for candidate, reasons in ((all_of_it, "and nothing else is there"), (most_of_it, "at least 4 questions")):
        judgement = EvaluationGate(judge.settings, data)(candidate, None)
        assert not judgement.ok
        assert any(reasons in reason for reason in judgement.reasons)
        assert any("were left out, as the candidate" in reason for reason in judgement.reasons)


def test_a_candidate_whose_folder_is_away_cannot_be_judged(judge: Judge) -> None:
    candidate = judge.adds(make_run(judge.folder / "one"))
    remove_folder(judge.settings.versions_path / candidate.digest)
    with pytest.raises(VersionBroken, match="MODEL_VERSIONS_DIR"):
        EvaluationGate(judge.settings, write_samples(judge.folder / "dataset", count=2))(candidate, None)


def test_a_version_is_tried_out_before_it_serves(judge: Judge) -> None:
    try_out(judge.settings, judge.adds(make_run(judge.folder / "one")))


def test_a_version_whose_encoder_is_not_here_is_unusable(judge: Judge) -> None:
    candidate = judge.adds(make_run(judge.folder / "one"))
    elsewhere = judge.settings.model_copy(update={"grader_model": "/nowhere/at/all"})
    with pytest.raises(VersionUnusable, match="cannot be loaded here"):
        try_out(elsewhere, candidate)


# Explainers -------------------------------------------------------------------------------------------------------


@dataclass
class Writer:
    """Words feedback by the template, or says nonsense."""

    is_good: bool
    languages: frozenset[str] = frozenset({"en"})
    versions: tuple[()] = ()
    needs_names: bool = False

    def rewrite(self, feedbacks: list[Feedback]) -> list[str]:
        return [template_text(each) if self.is_good else "Bananas are 97% yellow." for each in feedbacks]


@pytest.fixture(scope="module")
def questions() -> list[GradedQuestion]:
    found = []
    for sample in [each for each in load_samples("en") if len(each.answers) >= 6][:6]:
        question = Question(prompt=sample.prompt, model_answers=tuple(sample.model_answers), language="en")
        answers = tuple(GradedAnswer(text=each.text, score=float(each.score)) for each in sample.answers[:3])
        found.append(GradedQuestion(source="samples", group=sample.id, question=question, answers=answers))
    return found


@pytest.mark.parametrize(
    ("candidate", "current", "is_ok", "reason"),
    [
        (Writer(is_good=True), Writer(is_good=True), True, ""),
        (Writer(is_good=True), Writer(is_good=False), True, ""),
        (Writer(is_good=False), Writer(is_good=True), False, "fewer of its texts pass the checks: 0% instead of"),
        (
            Writer(is_good=True, languages=frozenset({"ko"})),
            Writer(is_good=True),
            False,
            "it does not write en, as the current explainer does",
        ),
    ],
    ids=["the same", "better", "worse", "another language"],
)
def test_an_explainer_is_judged_by_the_checks_on_the_same_answers(
    judge: Judge,
    questions: list[GradedQuestion],
    candidate: Writer,
    current: Writer,
    is_ok: bool,
    reason: str,
) -> None:
    evaluation = evaluate_explainer(
        load_grader(judge.settings),
        questions,
        {"candidate": lambda: candidate, "current": lambda: current},  # pyright: ignore[reportArgumentType]
    )
    judgement = judgement_of(evaluation)
    assert judgement.ok == is_ok
    assert reason in " ".join(judgement.reasons)


def test_languages_that_what_serves_goes_on_with_are_not_lost(judge: Judge, questions: list[GradedQuestion]) -> None:
    current = Writer(is_good=True, languages=frozenset({"en", "ko"}))
    evaluation = evaluate_explainer(
        load_grader(judge.settings),
        questions,
        {"candidate": lambda: Writer(is_good=True), "current": lambda: current},  # pyright: ignore[reportArgumentType, reportReturnType]
    )
    assert judgement_of(evaluation, current_stays=True).ok
    assert judgement_of(evaluation).reasons == ("it does not write ko, as the current explainer does",)


def test_where_no_explainer_of_ours_serves_there_is_none_to_compare(judge: Judge, tiny_lm_folder: Path) -> None:
    candidate = judge.adds(make_explainer_run(judge.folder / "explainer", tiny_lm_folder))
    data = write_samples(judge.folder / "dataset", count=2)
    judgement = EvaluationGate(judge.settings, data)(candidate, None)
    assert not judgement.ok
    assert "EXPLAINER" in judgement.reasons[0]


def test_a_trained_explainer_and_the_current_one_are_loaded_and_compared(judge: Judge, tiny_lm_folder: Path) -> None:
    change = {"explainer": "local", "explainer_model": str(tiny_lm_folder), "explainer_adapter": ""}
    candidate = judge.adds(make_explainer_run(judge.folder / "explainer", tiny_lm_folder))
    data = write_samples(judge.folder / "dataset", count=1)
    judgement = EvaluationGate(judge.settings.model_copy(update=change), data)(candidate, None)
    assert judgement.findings["candidate"]["texts"] == judgement.findings["current"]["texts"] > 0
