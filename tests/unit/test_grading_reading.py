"""Scoring by reading, with a tiny random encoder and reader: evidence, determinism, files; not how good it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finetune.reader_network import ReaderNetwork
from grading.answer_signs import SIGNS, CountedSigns, ReadLogits, sigmoid
from grading.domain import Flag, KeyPoint, Question, Verdict
from grading.encoder import Encoder
from grading.errors import HeadBroken, QuestionUnusable
from grading.grader import Grader
from grading.head import Interval, Trees
from grading.keypoints import key_points_of
from grading.metrics import length_correlation, risk_coverage, weighted_rmse
from grading.nearness import Near, Nearness
from grading.reader import Reader
from grading.reading_model import DEFAULT_MODEL, Elsewhere, ReadingModel, load_reading_model
from grading.scoring import Thresholds
from grading.scoring_by_reading import ReadingScorer

QUESTION = Question(
    prompt="What does dropout do in training, and what happens at prediction time?",
    model_answers=(
        "Dropout sets random activations to zero in each training step. At prediction time all units are used.",
    ),
    key_points=(
        KeyPoint(position=0, name="in training", text="Random units are set to zero in training.", weight=2),
        KeyPoint(position=1, name="at prediction time", text="At prediction time all units are used."),
    ),
)
LOGITS = ReadLogits(
    point_said=np.array([2.0, -2.0]),
    point_contradicted=np.array([-3.0, 1.0]),
    reference_said=np.array([0.5]),
    reference_contradicted=np.array([-1.0]),
)


@pytest.fixture(scope="module")
def grader(tiny_encoder_folder: Path) -> Grader:
    import torch

    torch.manual_seed(3)
    encoder = Encoder(tiny_encoder_folder)
    weights = {name: value.numpy() for name, value in ReaderNetwork(encoder.dimension).state_dict().items()}
    model = ReadingModel(
        encoder_name="tiny",
        encoder_version=encoder.version,
        layers=None,
        adapter=None,
        reader=Reader(weights),
        trees=Trees(features=SIGNS, base=0.4, rate=1.0, trees=()),
        curve=((0.0, 1.0), (0.0, 1.0)),
        interval=Interval(edges=(0.5,), half_widths=(0.2, 0.3), confidences=(0.6, 0.7)),
        thresholds=Thresholds(covered_from=0.0, partial_from=0.0, contradicted_from=1.1),
        nearness=Nearness(cosine_below=-1.0, centers={}, others={}),
        elsewhere=None,
        digest="0123",
    )
    return Grader(ReadingScorer(encoder, model))


def signs_of(answer: str, question: Question = QUESTION) -> dict[str, float]:
    return dict(zip(SIGNS, CountedSigns(question).row(answer, LOGITS, Near()).tolist(), strict=True))


def test_evidence_is_a_stretch_of_what_the_student_wrote(grader: Grader) -> None:
    answer = "First,  units are   dropped at random. Then, when it predicts, everything is there again!"
    [assessment] = grader.assess(QUESTION, [answer])
    written = " ".join(answer.split())
    for verdict in assessment.verdicts:
        assert verdict.verdict is Verdict.COVERED
        assert verdict.evidence is not None
        assert verdict.evidence in written


def test_what_stands_beside_an_answer_does_not_move_it(grader: Grader) -> None:
    answers = ["units are dropped at random", "all units are used when it predicts", "it rains"]
    together = grader.assess(QUESTION, answers)
    assert together == [grader.assess(QUESTION, [answer])[0] for answer in answers]
    assert [each.fraction for each in together] == [0.4, 0.4, 0.4]
    assert (together[0].low, together[0].high, together[0].confidence) == (0.2, 0.6, 0.6)  # trees that agree


def test_answers_that_trees_disagree_about_have_the_wider_interval(grader: Grader) -> None:
    scorer = grader._scorer
    assert isinstance(scorer, ReadingScorer)
    leaf = {"feature": np.array([0]), "threshold": np.array([0.0]), "left": np.array([-1]), "right": np.array([-1])}
    apart = tuple({**leaf, "value": np.array([value])} for value in (-0.4, 0.6))
    model = replace(scorer.model, trees=Trees(features=SIGNS, base=0.4, rate=0.5, trees=apart))
    assert model.fraction(np.zeros(len(SIGNS))) == (pytest.approx(0.5), pytest.approx(0.5))
    interval = Interval(edges=(0.1,), half_widths=(0.2, 0.3), confidences=(0.9, 0.5))
    [unsure] = Grader(ReadingScorer(scorer.encoder, replace(model, interval=interval))).assess(QUESTION, ["units rest"])
    assert (unsure.fraction, unsure.low, unsure.high, unsure.confidence) == (0.5, 0.2, 0.8, 0.5)


def test_the_model_answer_alone_is_full_and_with_something_beside_it_is_read(grader: Grader) -> None:
    model_answer = QUESTION.model_answers[0]
    wrong = "Besides, dropout is what happens when students leave the course before the exam."
    alone, beside = grader.assess(QUESTION, [model_answer, f"{model_answer} {wrong}"])
    assert alone.fraction == 1.0
    assert Flag.MODEL_ANSWER_PASTED in alone.flags
    assert beside.fraction == 0.4


def test_a_long_answer_is_read_whole(grader: Grader) -> None:
    answer = " ".join(f"Sentence number {number} says nothing at all." for number in range(60))
    [assessment] = grader.assess(QUESTION, [f"{answer} In the end all units are used."])
    assert assessment.fraction == 0.4


def test_signs_are_the_readers_and_counted_in_the_words() -> None:
    signs = signs_of("Random units are set to zero in training.")
    weighted = (2 * sigmoid(np.array([2.0]))[0] + sigmoid(np.array([-2.0]))[0]) / 3
    assert signs["reference_said"] == 0.5
    assert signs["points_said"] == pytest.approx(np.log(weighted / (1 - weighted)))
    assert signs["least_said"] == pytest.approx(-2.0)
    assert signs["most_contradicted"] == pytest.approx(1.0)
    assert (signs["has_key_points"], signs["points"], signs["is_korean"]) == (1.0, 2.0, 0.0)


def test_a_salad_of_the_right_words_has_no_order() -> None:
    right = signs_of("At prediction time all units are used.")
    salad = signs_of("used all prediction units at time are random step zero activations")
    assert right["order"] > 0.9 > 0.5 > salad["order"]
    assert salad["recall_terms"] > 0.5


def test_foreign_words_and_opposites_are_counted() -> None:
    assert signs_of("My sister bought bread at the market.")["new_terms"] > 0.9
    assert signs_of("Dropout never sets activations to zero in a training step.")["negations"] > 0


def test_the_shipped_model_is_whole_small_and_has_a_card() -> None:
    model = load_reading_model(DEFAULT_MODEL)
    files = [path for path in DEFAULT_MODEL.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".md", ".safetensors"}
    assert sum(path.stat().st_size for path in files) < 6_000_000
    assert "Known limits" in (DEFAULT_MODEL / "card.md").read_text(encoding="utf-8")
    assert model.adapter is not None
    assert model.encoder_name == "bundled:multilingual-e5-small"
    assert 0 < model.thresholds.partial_from < model.thresholds.covered_from < 1
    assert list(model.curve[1]) == sorted(model.curve[1])


@pytest.mark.parametrize(
    "name", ["reader.safetensors", "nearness.safetensors", "head.json", "card.md", "adapter/adapter_config.json"]
)
def test_a_file_that_was_changed_is_refused_by_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "grader"
    shutil.copytree(DEFAULT_MODEL, folder)
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(HeadBroken, match=name):
        load_reading_model(folder)


def test_a_folder_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadBroken, match=r"manifest\.json is missing"):
        load_reading_model(tmp_path)
    folder = tmp_path / "grader"
    shutil.copytree(DEFAULT_MODEL, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 99}), encoding="utf-8")
    with pytest.raises(HeadBroken, match="not of a format"):
        load_reading_model(folder)


def test_weighted_rmse_weighs_the_bins_alike() -> None:
    true = np.array([0.0, 0.0, 0.0, 1.0])
    assert weighted_rmse(np.array([0.0, 0.0, 0.0, 0.5]), true) == pytest.approx(np.sqrt(0.125))


def test_the_correlation_with_length_comes_with_its_interval() -> None:
    lengths = np.exp(np.arange(20.0))
    r, (least, most) = length_correlation(np.arange(20.0), lengths)
    assert r == pytest.approx(1.0)
    assert least > 0.9
    assert most <= 1.0
    r, (least, most) = length_correlation(np.tile([0.1, -0.1], 10), lengths)
    assert least < 0 < most
    assert abs(r) < 0.2


def test_risk_falls_when_a_person_takes_the_unsure_ones() -> None:
    shares, errors = risk_coverage(np.array([0.1, 0.5, 0.1, 0.5]), np.array([0.9, 0.2, 0.9, 0.2]))
    assert shares.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert errors == pytest.approx([0.1, 0.1, 0.7 / 3, 0.3])


def test_a_point_that_stands_in_the_answer_word_for_word_is_said() -> None:
    signs = CountedSigns(QUESTION)
    last = signs.with_exact(["at prediction time ALL units are used!"], LOGITS)
    assert last.point_said.tolist() == [2.0, 4.0]
    assert last.point_contradicted.tolist() == [-3.0, -4.0]
    assert last.reference_said.tolist() == [0.5]
    both = ["At prediction time all units are used", "dropout sets random activations to zero in each training step"]
    assert signs.with_exact(both, LOGITS).reference_said.tolist() == [4.0]


@pytest.mark.parametrize(
    "said",
    [
        ["It is not true that at prediction time all units are used"],
        ["At prediction time all units are used.", "That is wrong."],
        ["Not true:", "At prediction time all units are used"],
        ["At prediction time all units are used.", "At prediction time all units are switched off."],
        [],
    ],
)
def test_what_is_quoted_beside_anything_else_is_read(said: list[str]) -> None:
    assert CountedSigns(QUESTION).with_exact(said, LOGITS) is LOGITS


def test_signs_count_word_for_word_and_a_point_of_signs_alone_is_never_found() -> None:
    one = replace(LOGITS, point_said=LOGITS.point_said[:1], point_contradicted=LOGITS.point_contradicted[:1])
    formula = CountedSigns(Question(prompt="When is it stable?", model_answers=("It is stable if x > 0.",)))
    assert formula.with_exact(["it is stable if x < 0"], one) is one
    assert formula.with_exact(["it is stable if x > 0"], one).point_said.tolist() == [4.0]
    sign = Question(prompt="Which sign?", model_answers=(), key_points=(KeyPoint(position=0, name="sign", text="−"),))
    assert CountedSigns(sign).with_exact(["a banana"], one) is one


def test_all_key_points_or_a_whole_model_answer_and_nothing_else_are_everything() -> None:
    signs = CountedSigns(QUESTION)
    points = ["at prediction time all units are used", "random units are set to zero in training"]
    first, last = QUESTION.model_answers[0].split(". ")
    assert signs.are_everything(points)
    assert signs.are_everything([last, first])
    assert not signs.are_everything([points[0], "random units are kept in training"])
    assert not signs.are_everything([*points, "Never."])
    assert not signs.are_everything(points[1:])
    assert not signs.are_everything([])


def test_what_is_denied_is_said_by_the_rest_alone_and_contradicted() -> None:
    denied = replace(LOGITS, point_said=np.array([-1.0, 3.0]), reference_said=np.array([2.0]))
    rest = replace(LOGITS, point_said=np.array([-0.5, -2.5]), reference_said=np.array([-0.7]))
    found = LOGITS.with_denied(denied, rest)
    assert found.point_said.tolist() == [2.0, -2.5]
    assert found.point_contradicted.tolist() == [-3.0, 3.0]
    assert found.reference_said.tolist() == [-0.7]
    assert found.reference_contradicted.tolist() == [2.0]
    nothing_else = LOGITS.with_denied(denied, None)
    assert nothing_else.point_said.tolist() == [2.0, -4.0]
    # A misconception is denied: that says nothing against the answer.
    assert LOGITS.with_denied(
        replace(denied, point_said=-(denied.point_said**2), reference_said=-np.ones(1)), rest
    ) is (LOGITS)


def test_an_answer_in_other_words_whose_signs_weigh_too_much_is_elsewhere(grader: Grader) -> None:
    scorer = grader._scorer
    assert isinstance(scorer, ReadingScorer)
    everything = Elsewhere(signs=("near_asked",), weights=(1.0,), bias=5.0)
    thresholds = Thresholds(covered_from=0.01, partial_from=0.005, contradicted_from=1.1)
    model = replace(scorer.model, elsewhere=everything, thresholds=thresholds)
    strict = Grader(ReadingScorer(scorer.encoder, model))
    other, own = strict.assess(QUESTION, ["my sister bought fresh bread", "random units are zero"])
    assert (other.fraction, own.fraction) == (0.0, 0.4)
    assert Flag.OFF_TOPIC in other.flags
    assert Flag.OFF_TOPIC not in own.flags
    assert {verdict.verdict for verdict in other.verdicts} == {Verdict.MISSING}


def test_the_rule_weighs_the_signs_by_their_names() -> None:
    row = np.zeros(len(SIGNS))
    row[[SIGNS.index("near_asked"), SIGNS.index("near_ahead")]] = 0.5, -0.25
    rule = Elsewhere(signs=("near_ahead", "near_asked"), weights=(-2.0, 1.0), bias=-0.99)
    assert rule(row)
    assert not replace(rule, bias=-1.01)(row)


@pytest.mark.parametrize("text", ["b\udcffias", "\udcff", "\u200b", ""])
def test_no_text_of_a_question_stops_the_grading(grader: Grader, text: str) -> None:
    point = KeyPoint(position=0, name="point", text=text)
    [assessment] = grader.assess(Question(prompt=text, model_answers=("bias",), key_points=(point,)), ["it is biased"])
    assert 0 <= assessment.fraction <= 1


def test_key_points_are_read_cleaned() -> None:
    point = KeyPoint(position=0, name="point", text="an\udcff  error", weight=2)
    assert key_points_of(Question(prompt="?", model_answers=(), key_points=(point,))) == (
        replace(point, text="an error"),
    )


@pytest.mark.parametrize("weights", [(0, 0), (1, -1), (2, -1), (1, float("nan")), (1, float("inf"))])
def test_weights_that_allow_no_mean_are_refused(grader: Grader, weights: tuple[float, ...]) -> None:
    points = tuple(replace(point, weight=weight) for point, weight in zip(QUESTION.key_points, weights, strict=True))
    with pytest.raises(QuestionUnusable, match="more than 0"):
        grader.assess(replace(QUESTION, key_points=points), ["units are dropped"])


def test_a_point_without_weight_beside_one_with_weight_is_read(grader: Grader) -> None:
    light = (QUESTION.key_points[0], replace(QUESTION.key_points[1], weight=0))
    [assessment] = grader.assess(replace(QUESTION, key_points=light), ["units are dropped"])
    assert len(assessment.verdicts) == 2
