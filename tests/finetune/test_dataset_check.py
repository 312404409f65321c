"""Checks: each thing that a person should look at is found and named by its line, and fine data are left in peace."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune.dataset import DatasetQuestion, Example, part_of_example
from finetune.dataset.checking import Report, check_dataset, findings_of
from finetune.dataset.finding import Finding, Material, Place
from finetune.dataset.leaks import near_pairs
from finetune.dataset.shuffling import p_of_shuffling
from tests.finetune.dataset_data import ANSWERS, change_example, make_example, make_question, replace_lines, run, write

Checks = Callable[..., dict[str, Finding]]

WANTED = ["moves", "weights", "along", "negative", "lowers", "step"]
WORDS = ["rate", "batch", "epoch", "layer", "noise", "data", "label", "fold", "kernel", "margin", "split", "tree"]


@pytest.fixture
def checks(tmp_path: Path) -> Checks:
    """Writes a dataset and gives the findings by kind."""

    def checked(examples: Sequence[Example], questions: Sequence[DatasetQuestion] | None = None) -> dict[str, Finding]:
        write(tmp_path / "data", examples, questions)
        report = check_dataset(tmp_path / "data")
        assert report.is_usable
        return {finding.kind: finding for finding in report.warnings}

    return checked


def lines(finding: Finding) -> list[list[int]]:
    return [[place.number for place in group] for group in finding.groups]


def fine(count: int = 12) -> list[Example]:
    """Different answers; those that say more of the model answer have higher scores."""
    chance = random.Random(7)
    return [
        make_example(
            number,
            answer=" ".join([*chance.sample(WANTED, number % 6), *chance.sample(WORDS, 8 - number % 6)]),
            score=round(number % 6 / 6 + chance.random() / 6, 2),
        )
        for number in range(count)
    ]


def with_second(**changes: Any) -> list[Example]:
    """Fine examples, the second with something else."""
    examples = fine()
    examples[1] = Example(**(examples[1].model_dump() | changes))
    return examples


def test_nothing_is_found_in_fine_data(checks: Checks) -> None:
    assert checks(fine()) == {}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"score": None, "scored_by": None}, "score_missing"),
        ({"scored_by": "MODEL"}, "score_unconfirmed"),
        ({"scored_by": None}, "score_unconfirmed"),
        ({"answer": " \n"}, "answer_empty"),
        ({"answer": " ".join(random.Random(1).choices(WORDS, k=5000))}, "cell_huge"),
        ({"explanation": "very " * 5000}, "cell_huge"),
        ({"answer": "=HYPERLINK(A1)"}, "formula"),
        ({"answer": "@SUM(1)"}, "formula"),
        ({"explanation": "+cmd|calc"}, "formula"),
        ({"answer": "손실을 줄이는 방향으로 가중치를 조금씩 옮기는 최적화 방법이다"}, "language"),
        ({"answer": "el modelo no aprende los datos de la clase con una red y se pierde por el ruido"}, "language"),
    ],
)
def test_what_is_wrong_with_one_example_is_named_by_its_line(
    changes: dict[str, Any], kind: str, checks: Checks
) -> None:
    found = checks(with_second(**changes))
    assert list(found) == [kind]
    assert lines(found[kind]) == [[2]]


@pytest.mark.parametrize("answer", ["- first, it moves", "-1", "+ a plus", "a = b", "= ", "e-mail"])
def test_a_list_or_a_sum_is_no_formula(answer: str, checks: Checks) -> None:
    assert checks(with_second(answer=answer)) == {}


def test_a_few_english_terms_are_no_other_language(checks: Checks) -> None:
    question = make_question(language="ko")
    examples = [make_example(number, answer=answer) for number, answer in enumerate(("S-BERT", "cosine loss", "PCA"))]
    assert checks(examples, [question]) == {}


def test_copies_are_named_together(checks: Checks) -> None:
    examples = with_second(answer="Loss, falls!")
    examples[4] = make_example(4, answer="loss falls", score=examples[1].score)
    examples[7] = make_example(7, answer="LOSS  falls.", score=examples[1].score)
    found = checks(examples)
    assert list(found) == ["duplicate"]
    assert lines(found["duplicate"]) == [[2, 5, 8]]


def test_copies_with_different_scores_are_another_matter(checks: Checks) -> None:
    examples = with_second(answer="Loss, falls!", score=0.2)
    examples[4] = make_example(4, answer="loss falls", score=0.9)
    found = checks(examples)
    assert list(found) == ["scores_differ"]
    assert lines(found["scores_differ"]) == [[2, 5]]


def test_a_copy_without_score_does_not_contradict(checks: Checks) -> None:
    examples = with_second(answer="Loss, falls!", score=0.2)
    examples[4] = make_example(4, answer="loss falls", score=None, scored_by=None)
    assert set(checks(examples)) == {"duplicate", "score_missing"}


def test_the_same_answer_to_another_question_is_no_copy(checks: Checks) -> None:
    questions = [make_question(1, prompt="What is bias?"), make_question(2, prompt="Why is depth of use?")]
    examples = [
        make_example(10 * number + place, answer=answer, score=place / 4, question=f"q{number}")
        for number in (1, 2)
        for place, answer in enumerate(ANSWERS)
    ]
    assert checks(examples, questions) == {}


def test_a_question_with_too_few_answers_is_named(checks: Checks) -> None:
    questions = [
        make_question(1),
        make_question(2, prompt="Why is depth of use?"),
        make_question(3, prompt="And width?"),
    ]
    found = checks([*fine(), make_example(50, question="q2"), make_example(51, question="q2", answer="b")], questions)
    assert found["few_answers"].where() == "questions.jsonl line 2, 3"


@pytest.mark.parametrize("who", ["course", "learner"])
def test_who_floods_the_set_is_named(who: str, checks: Checks) -> None:
    examples = [
        Example(**(example.model_dump() | {who: "loud" if number < 25 else f"quiet {number}"}))
        for number, example in enumerate(fine(40))
    ]
    found = checks(examples)
    assert list(found) == [f"{who}_floods"]
    assert "'loud' gave 25 of 40 examples (62%)" in found[f"{who}_floods"].text
    assert lines(found[f"{who}_floods"]) == [[number] for number in range(1, 26)]


@pytest.mark.parametrize(("loud", "total"), [(20, 30), (24, 48), (40, 40)])
def test_half_of_the_set_few_examples_or_the_only_course_are_no_flood(loud: int, total: int, checks: Checks) -> None:
    examples = [
        Example(**(example.model_dump() | {"course": "one" if number < loud else "two"}))
        for number, example in enumerate(fine(total))
    ]
    assert checks(examples) == {}


def test_scores_that_are_nearly_all_the_same_are_named(checks: Checks) -> None:
    examples = [make_example(number, answer=each.answer, score=1.0) for number, each in enumerate(fine(20))]
    examples[3] = make_example(3, answer=examples[3].answer, score=0.4)
    found = checks(examples)
    assert list(found) == ["scores_same"]
    assert "19 of 20 scores are 1" in found["scores_same"].text
    assert [4] not in lines(found["scores_same"])


def leaking(by: str) -> tuple[str, str]:
    """Two nearly equal texts whose parts differ."""
    base = "the weights move along the negative gradient of the loss until nothing changes any more in epoch number "
    question = make_question()

    def part(number: int) -> str:
        text = f"{base}{number}"
        if by == "question":
            return part_of_example(make_example(), make_question(prompt=text), "question")
        return part_of_example(make_example(answer=text), question, "answer")

    other = next(number for number in range(1, 100) if part(number) != part(0))
    return f"{base}0", f"{base}{other}"


def test_nearly_equal_answers_in_different_parts_are_named(checks: Checks) -> None:
    examples = fine()
    for place, answer in zip((2, 6), leaking("answer"), strict=True):
        examples[place] = make_example(place, answer=answer)
    found = checks(examples)
    assert list(found) == ["answer_leaks"]
    assert lines(found["answer_leaks"]) == [[3, 7]]


def test_nearly_equal_questions_in_different_parts_are_named(checks: Checks) -> None:
    questions = [make_question(number, prompt=prompt) for number, prompt in enumerate(leaking("question"), 1)]
    examples = [
        *fine(),
        *(make_example(50 + n, question="q2", answer=answer, score=n / 4) for n, answer in enumerate(ANSWERS)),
    ]
    found = checks(examples, questions)
    assert list(found) == ["question_leaks"]
    assert found["question_leaks"].where() == "questions.jsonl line 1+2"


def test_a_copy_that_the_data_put_into_another_part_is_a_leak(checks: Checks) -> None:
    examples = with_second(answer="Loss, falls!", part="test")
    examples[4] = make_example(4, answer="loss falls", score=examples[1].score, part="train")
    assert lines(checks(examples)["answer_leaks"]) == [[2, 5]]


def test_near_pairs() -> None:
    texts = ["ab", "ab", "abc", "x" * 300, "x" * 290 + "y" * 10, "", ""]
    assert list(near_pairs(texts)) == [(0, 1), (5, 6)]
    long = "".join(chr(97 + number * number % 23) + str(number) for number in range(300))
    assert list(near_pairs([long, f"{long}!", long[:200]])) == [(0, 1)]
    assert list(near_pairs(["alone"])) == []


def scored(follow: bool, count: int = 120) -> list[Example]:
    """Answers that say more or less of the model answer, their scores in place or dealt anew."""
    chance = random.Random(3)
    examples: list[tuple[str, float]] = []
    for _ in range(count):
        said = chance.randrange(len(WANTED) + 1)
        text = chance.sample(WANTED, said) + chance.sample(["cats", "dogs", "birds", "trees", "rain", "sun"], 4)
        examples.append((" ".join(text), said / len(WANTED)))
    scores = [score for _, score in examples]
    if not follow:
        chance.shuffle(scores)
    return [
        make_example(n, answer=text, score=score)
        for n, ((text, _), score) in enumerate(zip(examples, scores, strict=True))
    ]


def is_found_shuffled(examples: Sequence[Example]) -> bool:
    places = [Place(file="f", unit="line", number=number) for number in range(len(examples))]
    material = Material(
        questions=[make_question()], examples=examples, question_places=places[:1], example_places=places
    )
    return "scores_shuffled" in [finding.kind for finding in findings_of(material)]


def test_scores_that_follow_the_answers_are_believed() -> None:
    assert not is_found_shuffled(scored(follow=True))
    assert not is_found_shuffled(scored(follow=True, count=400))


def test_shuffled_scores_are_found() -> None:
    assert is_found_shuffled(scored(follow=False, count=400))


def test_reversed_scores_are_found() -> None:
    reverse = [Example(**(each.model_dump() | {"score": 1 - (each.score or 0)})) for each in scored(follow=True)]
    assert is_found_shuffled(reverse)


def test_too_few_scores_are_not_judged() -> None:
    reverse = [Example(**(each.model_dump() | {"score": 1 - (each.score or 0)})) for each in scored(True, 29)]
    assert not is_found_shuffled(reverse)


def test_scores_that_are_all_equal_are_not_judged() -> None:
    equal = [Example(**(each.model_dump() | {"score": 0.5})) for each in scored(follow=True)]
    assert not is_found_shuffled(equal)


def test_scores_shuffled_within_questions_are_found_where_questions_differ_in_difficulty() -> None:
    chance = np.random.default_rng(0)
    easy = np.repeat([0.0, 1.0], 200)
    overlaps = easy + chance.random(400) / 2
    questions = [f"q{int(each)}" for each in easy]
    followed = easy + overlaps
    shuffled = easy + chance.random(400)
    assert p_of_shuffling(overlaps, followed, questions) < 0.01
    assert p_of_shuffling(overlaps, shuffled, questions) > 0.05


def test_questions_with_one_answer_each_are_judged_together() -> None:
    overlaps = np.linspace(0, 1, 60)
    questions = [f"q{number}" for number in range(60)]
    assert p_of_shuffling(overlaps, overlaps**2, questions) < 0.01
    assert p_of_shuffling(overlaps, -overlaps, questions) > 0.99


def test_places_are_told_short_and_counted() -> None:
    places = tuple((Place(file="a.csv", unit="row", number=number),) for number in range(2, 14))
    assert Finding(kind="k", text="t", groups=places).where() == "a.csv row 2, 3, 4, 5, 6, 7, 8, 9 … (12 in all)"


def test_many_places_that_belong_together_are_told_short() -> None:
    group = tuple(Place(file="a.csv", unit="row", number=number) for number in range(2, 32))
    assert Finding(kind="k", text="t", groups=(group,)).where() == "a.csv row 2+3+4+5+6+7+8+9+… (30)"


def test_places_in_two_files_are_told_with_both() -> None:
    one, other = Place(file="a.csv", unit="row", number=2), Place(file="b.jsonl", unit="line", number=9)
    finding = Finding(kind="k", text="t", groups=((one, other), (other,)))
    assert finding.where() == "a.csv row 2+b.jsonl line 9, b.jsonl line 9"
    assert finding.as_json()["places"][0] == [{"file": "a.csv", "row": 2}, {"file": "b.jsonl", "line": 9}]


def test_a_check_goes_on_behind_a_line_that_does_not_fit(tmp_path: Path) -> None:
    write(tmp_path / "data", with_second(answer=" "))
    content = (tmp_path / "data" / "examples.jsonl").read_bytes().splitlines(keepends=True)
    replace_lines(tmp_path / "data", "examples.jsonl", b"".join([*content[:2], b"{]\n", *content[3:]]))
    report = check_dataset(tmp_path / "data")
    assert report.faults.count == 1
    assert "line 3: Invalid JSON" in report.faults.kept[0]
    assert [finding.kind for finding in report.warnings] == ["answer_empty"]
    assert report.counts["examples"] == 11


def test_a_dataset_without_examples_is_no_use(tmp_path: Path) -> None:
    write(tmp_path / "data", [])
    report: Report = check_dataset(tmp_path / "data")
    assert not report.is_usable
    assert "there is no example" in str(report.faults)


def test_the_command_says_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "data", fine())
    result = run("check", tmp_path / "data")
    assert result.exit_code == 0
    assert result.stdout == "12 answers (12 in en) to 1 questions.\nNo faults.\n"
    assert result.stderr == ""


def test_warnings_do_not_fail_a_check(tmp_path: Path) -> None:
    write(tmp_path / "data", with_second(answer=" "))
    result = run("check", tmp_path / "data")
    assert result.exit_code == 0
    assert "- The answer is empty.\n  examples.jsonl line 2\n" in result.stdout


def test_faults_fail_a_check(tmp_path: Path) -> None:
    write(tmp_path / "data", fine())
    change_example(tmp_path / "data", score=7)
    result = run("check", tmp_path / "data")
    assert result.exit_code == 1
    assert "Faults: 1\n" in result.stdout
    assert "Models are not trained on this." in result.stdout


def test_json_has_every_place(tmp_path: Path) -> None:
    manifest = write(tmp_path / "data", [make_example(number, answer=" ") for number in range(30)])
    result = run("check", tmp_path / "data", "--json")
    facts = json.loads(result.stdout)
    assert result.exit_code == 0
    assert facts["is_usable"] is True
    assert facts["digest"] == manifest.digest
    assert facts["languages"] == {"en": 30}
    [empty] = [warning for warning in facts["warnings"] if warning["kind"] == "answer_empty"]
    assert empty["places"] == [[{"file": "examples.jsonl", "line": number}] for number in range(1, 31)]


def test_json_tells_faults_apart(tmp_path: Path) -> None:
    write(tmp_path / "data", fine())
    change_example(tmp_path / "data", score=7)
    facts = json.loads(run("check", tmp_path / "data", "--json").stdout)
    assert facts["is_usable"] is False
    assert facts["faults"]["count"] == 1
    assert "line 2: score" in facts["faults"]["first"][0]
    assert facts["warnings"] == []
