from __future__ import annotations

import re
from collections import Counter

import pytest

from finetune.bank import BANK_FOLDER, BankKind
from finetune.behaviour.case import GATES, Case, Sort
from finetune.behaviour.cases import load_cases
from finetune.behaviour.decoys import BLANKS, gibberish
from finetune.behaviour.making import dice
from finetune.behaviour.material import LANGUAGES, QUESTIONS_FOLDER, SEEN_QUESTIONS, Material, load_material
from grading.samples import SAMPLES_FOLDER

ANSWERS_OF_A_QUESTION = Counter(
    {
        BankKind.FULL: 1,
        BankKind.REWORDED: 1,
        BankKind.SHORT: 3,
        BankKind.PART: 1,
        BankKind.FLIPPED: 1,
        BankKind.ONE_WRONG: 1,
        BankKind.LONG_WRONG: 3,
        BankKind.MIXED: 1,
    }
)


def unseen() -> list[Material]:
    return [material for material in load_material() if not material.seen]


def named(name: str) -> list[Case]:
    return [case for case in load_cases() if case.name == name]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_26_questions_of_its_own_and_20_of_the_sample_bank(language: str) -> None:
    counted = Counter(material.seen for material in load_material() if material.language == language)
    assert counted[False] >= 26
    assert counted[True] == SEEN_QUESTIONS


def test_a_question_of_the_suite_has_twelve_answers_of_the_agreed_kinds() -> None:
    for material in unseen():
        assert Counter(answer.kind for answer in material.answers) == ANSWERS_OF_A_QUESTION, material.id


def test_full_answers_are_worth_everything_and_wrong_ones_next_to_nothing() -> None:
    for material in unseen():
        for answer in material.answers:
            if answer.kind in ("full", "reworded", "short"):
                assert answer.score == 1.0, material.id
            if answer.kind in ("flipped", "long_wrong"):
                assert answer.score <= 0.1, material.id


def test_short_answers_are_short_and_long_wrong_ones_long() -> None:
    for material in unseen():
        least = 44 if material.language == "ko" else 58  # a Korean word carries its particles
        assert all(len(answer.text.split()) <= 20 for answer in material.of_kind("short")), material.id
        assert all(least <= len(answer.text.split()) <= 110 for answer in material.of_kind("long_wrong")), material.id


def test_every_edit_changes_the_model_answer() -> None:
    for material in unseen():
        assert material.edits, material.id
        for edit in material.edits:
            assert edit.old in material.reference, (material.id, edit.old)
            assert edit.old != edit.new


def test_no_edits_are_left_without_their_question() -> None:
    for language in LANGUAGES:
        text = (QUESTIONS_FOLDER / f"edits_{language}.yaml").read_text(encoding="utf-8")
        ids = set(re.findall(r"^([a-z0-9-]+):", text, flags=re.MULTILINE))
        assert ids == {material.id for material in unseen() if material.language == language}


def test_no_unseen_question_is_one_that_graders_are_trained_on() -> None:
    # Read as text, since checking hundreds of files against their schema would take most of a minute.
    files = [path for folder in (BANK_FOLDER, SAMPLES_FOLDER) for path in folder.glob("*/*.yaml")]
    trained_on = "\n".join(" ".join(path.read_text(encoding="utf-8").split()) for path in files)
    assert [material.id for material in unseen() if material.question.prompt in trained_on] == []
    assert all(material.question.prompt in trained_on for material in load_material() if material.seen)


def test_no_id_is_given_twice() -> None:
    counted = Counter(case.id for case in load_cases())
    assert [case_id for case_id, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_more_than_700_cases_of_all_sorts_seen_and_unseen(language: str) -> None:
    cases = [case for case in load_cases() if case.language == language]
    assert len(cases) >= 700
    counted = Counter((case.sort, case.seen) for case in cases)
    assert all(counted[sort, seen] >= 100 for sort in Sort for seen in (True, False))


def test_the_cases_are_the_same_each_time() -> None:
    again = load_cases.__wrapped__()
    assert [(case.id, case.texts) for case in again] == [(case.id, case.texts) for case in load_cases()]


def test_a_comparison_compares_two_different_texts() -> None:
    for case in load_cases():
        expected = case.expected
        is_comparison = (expected.moves, expected.falls, expected.rises) != (None, None, None)
        assert len(case.texts) == (2 if is_comparison else 1), case.id
        assert len(set(case.texts)) == len(case.texts), case.id


def test_every_gate_has_cases_in_both_languages_and_asks_for_nothing() -> None:
    for name in GATES:
        assert {case.language for case in named(name)} == set(LANGUAGES)
        for case in named(name):
            assert case.expected.at_most == 0.0 or case.expected.rises is not None


def test_whole_answers_turned_round_must_fall_far() -> None:
    for case in named("flipped by hand"):
        assert (case.expected.falls, case.expected.at_most) == (0.4, 0.4)


def test_the_first_key_points_are_expected_at_their_share() -> None:
    for case in named("first key points"):
        points = case.question.key_points
        said = [point.weight for point in points if point.text.rstrip(".") in case.texts[0]]
        share = sum(said) / sum(point.weight for point in points)
        assert case.expected.at_least <= share <= case.expected.at_most, case.id


def test_blanks_hold_no_letter_and_gibberish_is_drawn_from_the_question() -> None:
    assert not any(character.isalnum() for text in BLANKS for character in text)
    first, second, *_ = unseen()
    assert gibberish(0, dice(first, "gibberish")) == gibberish(0, dice(first, "gibberish"))
    assert gibberish(0, dice(first, "gibberish")) != gibberish(0, dice(second, "gibberish"))


def test_a_huge_paste_is_100_kb() -> None:
    assert all(len(case.texts[0]) == 100_000 for case in named("100 kB"))
