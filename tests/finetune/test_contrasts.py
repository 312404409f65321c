"""Contrast sets and the answers composed of them."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from finetune.composed_answers import composed_answers
from finetune.contrasts import CONTRASTS_FOLDER, ContrastPoint, ContrastQuestion, load_contrasts
from finetune.graded_questions import contrast_questions
from finetune.yaml_files import BankError, check_all, read_yaml
from grading.domain import Verdict

QUESTION = ContrastQuestion(
    prompt="What do bagging and boosting each lower?",
    reference="Bagging lowers the variance of its members, whereas boosting lowers their bias step by step.",
    points=[
        ContrastPoint(
            name=name,
            text=f"{name} lowers the {right}.",
            weight=weight,
            right=[f"{name} {verb} the {right}" for verb in ("reduces", "cuts", "shrinks", "brings down", "->")],
            wrong=[f"{name} {verb} the {wrong}" for verb in ("lowers", "reduces", "cuts", "shrinks", "hits", "->")],
            partly=[f"{name} lowers an error."],
        )
        for name, right, wrong, weight in (("Bagging", "variance", "bias", 1), ("Boosting", "bias", "noise", 3))
    ],
    asides=["Both are ensembles.", "I learned this last week.", "That is a good question."],
    wrong_answers=["Bagging and boosting both lower the number of features until a single one is left in the model."],
)


def test_every_file_fits_and_there_are_hundreds_in_both_languages() -> None:
    assert check_all(CONTRASTS_FOLDER, ContrastQuestion) == 0
    counts = Counter(language for language, _ in load_contrasts())
    assert counts["en"] >= 100
    assert counts["ko"] >= 100


def test_right_and_wrong_statements_are_equally_long() -> None:
    lengths = {
        language: [
            float(np.mean([len(text) for (own, _), entry in load_contrasts().items() if own == language
                           for point in entry.points for text in getattr(point, side)]))
            for side in ("right", "wrong")
        ]
        for language in ("en", "ko")
    }  # fmt: skip
    for right, wrong in lengths.values():
        assert right == pytest.approx(wrong, rel=0.25)


def test_what_an_answer_says_is_known() -> None:
    answers = list(composed_answers(QUESTION, random.Random(1)))
    right, wrong = QUESTION.points[1].right[0], QUESTION.points[1].wrong[0]
    by_text = {answer.text: answer for answer in answers}
    assert by_text[right].verdicts == (Verdict.MISSING, Verdict.COVERED)
    assert by_text[right].score == 0.75
    assert by_text[wrong].verdicts == (Verdict.MISSING, Verdict.CONTRADICTED)
    assert by_text[wrong].score == 0
    assert by_text[QUESTION.points[1].partly[0]].score == 0.375
    for answer in answers:
        if answer.kind == "composed":
            said = [any(text.rstrip(".") in answer.text for text in (p.text, *p.right)) for p in QUESTION.points]
            assert said == [verdict is Verdict.COVERED for verdict in answer.verdicts]


def test_composed_answers_are_of_all_scores_and_come_again() -> None:
    first, second = (list(composed_answers(QUESTION, random.Random(3))) for _ in range(2))
    assert first == second
    scores = [answer.score for answer in first if answer.kind == "composed"]
    assert min(scores) == 0
    assert max(scores) == 1
    assert len(set(scores)) >= 6


def test_in_composed_answers_length_does_not_tell_the_score() -> None:
    answers = [
        answer
        for graded in contrast_questions()
        for answer in graded.answers
        if answer.kind == "composed" and Verdict.MISSING not in answer.verdicts
    ]
    lengths = [np.log(len(answer.text)) for answer in answers]
    assert abs(np.corrcoef(lengths, [answer.score for answer in answers])[0, 1]) <= 0.1


def test_a_file_that_does_not_fit_is_named_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    content = QUESTION.model_dump()
    content["points"][0]["wrong"][0] = content["points"][0]["right"][0]
    import yaml

    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(BankError, match=r"broken\.yaml: points\.0: .*same statement twice"):
        read_yaml(path, ContrastQuestion)
