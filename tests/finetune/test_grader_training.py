from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune.errors import RunMismatch, TooFewExamples
from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion, sample_questions
from finetune.grader_training import train_head
from finetune.head_card import head_card
from finetune.head_fitting import (
    TrainingAnswer,
    calibration_curve,
    conformal_interval,
    cross_calibrated,
    cross_validated,
    fit,
)
from finetune.made_up_answers import made_up_answers, negated_sentence
from finetune.run_versions import code_version
from grading.domain import Verdict
from grading.encoder import Encoder
from grading.features import FEATURES
from grading.grader import grader_from
from grading.unpacking import file_sha256


def of_language(language: str, count: int) -> list[GradedQuestion]:
    return [graded for graded in sample_questions() if graded.question.language == language][:count]


@pytest.fixture(scope="module")
def trained(tiny_encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("head") / "head"
    samples = [*of_language("en", 5), *of_language("ko", 2)]
    return output, train_head(samples, Encoder(tiny_encoder_folder), output, seed=1)


def test_training_writes_a_head_that_the_grader_serves(
    trained: tuple[Path, dict[str, Any]], tiny_encoder_folder: Path, tmp_path: Path
) -> None:
    output, _ = trained
    grader = grader_from(str(tiny_encoder_folder), tmp_path, folder=output)
    assert grader.versions["head"].startswith("own@")
    question = of_language("en", 1)[0].question
    [full, off] = grader.assess(
        question, [" ".join(p.text for p in question.key_points), "My cat sleeps all day long."]
    )
    assert full.fraction > off.fraction


def test_the_folder_describes_itself(trained: tuple[Path, dict[str, Any]]) -> None:
    output, metrics = trained
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    names = ["card.md", "head.json", "learnt.safetensors", "manifest.json", "metrics.json", "report.html"]
    assert sorted(path.name for path in output.iterdir()) == names
    assert manifest["metrics"] == json.loads((output / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert set(manifest["files"]) == {"card.md", "head.json", "learnt.safetensors", "metrics.json"}
    assert manifest["code_version"] == code_version()
    assert len(manifest["dataset_digest"]) == 64
    assert manifest["files"]["head.json"] == file_sha256(output / "head.json")
    assert manifest["questions"] == 7
    assert manifest["answers"]["real"] == sum(len(s.answers) for s in (*of_language("en", 5), *of_language("ko", 2)))
    for variant in ("own", "portable"):
        assert set(metrics[variant]["by_language"]) == {"en", "ko"}
        assert metrics[variant]["by_kind"]["dont_know"]["mae"] < 0.1
        assert metrics[variant]["all"]["count"] == manifest["answers"]["real"]


def test_the_report_shows_head_and_baseline(trained: tuple[Path, dict[str, Any]]) -> None:
    output, metrics = trained
    assert metrics["figures"]["mse"]["value"] == pytest.approx(metrics["own"]["all"]["mse"], abs=1e-4)
    assert "mse" in metrics["baseline"]["cosine"]["figures"]
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "Against the baseline" in page
    assert "mode head, seed 1" in page


def test_the_same_seed_gives_the_same_bytes(
    trained: tuple[Path, dict[str, Any]], tiny_encoder_folder: Path, tmp_path: Path
) -> None:
    output, metrics = trained
    samples = [*of_language("en", 5), *of_language("ko", 2)]
    again = train_head(samples, Encoder(tiny_encoder_folder), tmp_path / "again", seed=1)
    assert again == metrics
    for name in ("head.json", "learnt.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (output / name).read_bytes()


def test_too_few_questions_are_refused(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TooFewExamples, match="at least 5 different questions"):
        train_head(of_language("en", 4), Encoder(tiny_encoder_folder), tmp_path / "head", seed=1)
    assert not (tmp_path / "head").exists()


def test_another_run_in_the_folder_is_left_alone(
    trained: tuple[Path, dict[str, Any]], tiny_encoder_folder: Path
) -> None:
    output, _ = trained
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    samples = [*of_language("en", 5), *of_language("ko", 2)]
    with pytest.raises(RunMismatch, match="another seed; choose an empty folder"):
        train_head(samples, Encoder(tiny_encoder_folder), output, seed=2)
    with pytest.raises(RunMismatch, match="another dataset_digest"):
        train_head(of_language("en", 6), Encoder(tiny_encoder_folder), output, seed=1)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_answers_without_verdicts_teach_by_their_score(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    scored = [replace(graded, answers=(GradedAnswer(text="a guess", score=0.5),)) for graded in of_language("en", 5)]
    train_head(scored, Encoder(tiny_encoder_folder), tmp_path / "head", seed=1, most_made_up=6)
    grader = grader_from(str(tiny_encoder_folder), tmp_path, tmp_path / "head")
    assert grader.assess(scored[0].question, ["a guess"])[0].fraction == pytest.approx(0.5, abs=0.2)


# --- made-up answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ko"])
def test_made_up_answers_are_labelled_point_by_point(language: str) -> None:
    bank = of_language(language, 12)
    for sample in bank:
        others = [other for other in bank if other.group != sample.group]
        made = list(made_up_answers(sample, others, random.Random(1)))
        assert len(made) >= 20
        for answer in made:
            assert len(answer.verdicts) == len(sample.question.key_points)
            assert 0 <= answer.score <= 1
            assert answer.text.strip()
        by_kind = {answer.kind: answer for answer in made}
        assert by_kind["reference"].score == 1
        assert by_kind["filler"].score == 0
        assert by_kind["other_question"].score == 0
        assert by_kind["keyword_list"].score <= 0.4
        assert set(by_kind["denied"].verdicts) == {Verdict.CONTRADICTED}
        assert 0 < by_kind["repeated_point"].score < 1
        if "wrong_appended" in by_kind:
            assert by_kind["wrong_appended"].text.startswith(sample.question.model_answers[0][:20])
            assert 0 < by_kind["wrong_appended"].score < 1
        assert 0 < by_kind["some_points"].score < 1


def test_made_up_answers_repeat_with_their_seed() -> None:
    bank = of_language("en", 3)
    first, second = (list(made_up_answers(bank[0], bank[1:], random.Random(5))) for _ in range(2))
    assert first == second


def test_length_predicts_no_made_up_score() -> None:
    bank = of_language("en", 20)
    lengths, scores = [], []
    for sample in bank:
        own = len(sample.question.model_answers[0])
        for answer in made_up_answers(sample, [o for o in bank if o.group != sample.group], random.Random(2)):
            lengths.append(len(answer.text) / own)
            scores.append(answer.score)
    assert abs(np.corrcoef(lengths, scores)[0, 1]) < 0.35


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Variance is high.", "en", "Variance is not high."),
        ("편향은 오차이다.", "ko", "편향은 오차이 아니다."),
        ("손실이 감소한다.", "ko", "손실이 감소하지 않는다."),
        ("Yes", "en", "Yes"),
    ],
)
def test_a_statement_is_denied(text: str, language: str, expected: str) -> None:
    assert negated_sentence(text, language) == expected


# --- fitting -----------------------------------------------------------------------------------------------------


def synthetic(count: int, seed: int = 0) -> list[TrainingAnswer]:
    """Answers whose coverage is told by one feature and nothing else."""
    rng = np.random.default_rng(seed)
    answers = []
    for number in range(count):
        verdicts = tuple(rng.choice([Verdict.COVERED, Verdict.MISSING, Verdict.CONTRADICTED], size=2))
        rows = rng.normal(size=(2, len(FEATURES)))
        rows[:, 0] = [float(v == Verdict.COVERED) for v in verdicts]
        rows[:, 1] = [float(v == Verdict.CONTRADICTED) for v in verdicts]
        answers.append(
            TrainingAnswer(
                group=f"q{number % 10}",
                language="en",
                kind="partial",
                is_real=True,
                score=float(rows[:, 0].mean()),
                verdicts=tuple(Verdict(v) for v in verdicts),
                weights=(1.0, 1.0),
                rows=rows,
            )
        )
    return answers


def test_what_can_be_learned_is_learned_for_unseen_questions() -> None:
    answers = synthetic(200)
    fractions = cross_calibrated(answers, cross_validated(answers, FEATURES, seed=0))
    assert np.mean(np.abs(np.array(fractions) - [a.score for a in answers])) < 0.1
    fitted = fit(answers, FEATURES, seed=0)
    contradiction = np.concatenate([fitted.contradiction(a.rows) for a in answers if a.rows is not None])
    truth = np.array([v is Verdict.CONTRADICTED for a in answers for v in a.verdicts])
    assert contradiction[truth].min() > contradiction[~truth].max()


def test_what_cannot_be_learned_is_not_claimed() -> None:
    answers = synthetic(200)
    rng = np.random.default_rng(3)
    noise = [
        TrainingAnswer(
            group=a.group, language="en", kind="partial", is_real=True, score=a.score,
            verdicts=a.verdicts, weights=a.weights, rows=rng.normal(size=(2, len(FEATURES))),
        )
        for a in answers
    ]  # fmt: skip
    fractions = cross_validated(noise, FEATURES, seed=0)
    assert abs(np.corrcoef(fractions, [a.score for a in noise])[0, 1]) < 0.3


def test_the_curve_rises_from_0_to_1() -> None:
    answers = synthetic(100)
    totals = [0.2 + 0.5 * answer.score for answer in answers]
    x, y = calibration_curve(answers, totals)
    assert (x[0], x[-1], y[0], y[-1]) == (0, 1, 0, 1)
    assert list(y) == sorted(y)
    assert np.interp(0.7, x, y) > 0.8


def test_the_interval_holds_nine_of_ten_errors() -> None:
    answers = synthetic(300)
    rng = np.random.default_rng(0)
    fractions = [float(np.clip(a.score + rng.normal(0, 0.1), 0, 1)) for a in answers]
    interval = conformal_interval(answers, fractions)
    inside = [
        low <= answer.score <= high
        for answer, (low, high, _) in zip(answers, (interval.around(f, f) for f in fractions), strict=True)
    ]
    assert 0.87 <= np.mean(inside) <= 0.97


def test_the_card_names_encoder_figures_and_limits(trained: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = trained
    card = head_card("some-encoder", "abcd", 3, {"real": 5, "made up": 9}, metrics, {"samples": 3, "term1": 2})
    assert "some-encoder" in card
    assert "| dont_know |" in card
    assert "|  |" not in card
    assert "5 graded answers (3 of the sample question bank" in card
    assert ", 2 of term1) and 9 answers made up from them" in card
