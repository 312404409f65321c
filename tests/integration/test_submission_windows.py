"""One attempt open in two windows: what was written in the one is never lost through the other."""

from __future__ import annotations

import threading
import zlib

import pytest

from lti_tool.submissions import views
from lti_tool.submissions.drafts import TypedDraft, mark_of
from tests.course_actors import Course, Page, make_question

NOTICE = "This answer was also changed in another window; both texts are kept, please look."


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


def two_windows(course: Course) -> tuple[Page, Page]:
    """The same answering page on a laptop and on a phone, each with a launch of its own."""
    course.learner().get().submit("#begin-form")
    return course.learner().get(), course.learner().get()


def names(page: Page) -> list[str]:
    return [str(area["name"]) for area in page.soup.select("textarea")]


def writes(page: Page, *answers: str, then: str = "stay") -> Page:
    return page.submit("#answers-form", {**dict(zip(names(page), answers, strict=False)), "then": then})


def autosaves(page: Page, answer: str, place: int = 0, **known: str) -> dict[str, object]:
    """What a page's script sends; by default it knows what stands on the page."""
    area = page.soup.select("textarea")[place]
    number = str(area["data-question"])
    fields = {name: str(page.form(f"input[name={name}-{number}]")["value"]) for name in ("base", "known")} | known
    fields |= {"answer": answer, "csrf_token": page.person.token()}
    reply = page.person.post(str(area["data-save-url"]), fields)
    assert reply.status == 200, reply.text
    told = reply.response.get_json()
    assert isinstance(told, dict)
    return told


def stored(course: Course) -> list[str]:
    with course.transaction() as connection:
        rows = connection.execute("SELECT answer FROM submissions ORDER BY question_id").fetchall()
    return [row[0] for row in rows]


def test_a_blank_page_erases_nothing_that_was_written_elsewhere(course: Course) -> None:
    course.has_quiz()
    laptop, phone = two_windows(course)
    writes(phone, "First on the phone.", "Second on the phone.")
    confirm = writes(laptop, then="hand-in")
    assert "All 2 answers are saved." in confirm.text
    assert stored(course) == ["First on the phone.", "Second on the phone."]


def test_an_old_text_that_nobody_touched_does_not_come_back(course: Course) -> None:
    course.has_quiz(make_question())
    course.learner().get().submit("#begin-form")
    writes(course.learner().get(), "A first\n draft.")
    laptop, phone = course.learner().get(), course.learner().get()
    writes(phone, "Quite another answer.")
    writes(laptop, then="hand-in")
    assert stored(course) == ["Quite another answer."]


def test_two_texts_are_both_kept_and_shown_before_handing_in(course: Course) -> None:
    course.has_quiz()
    laptop, phone = two_windows(course)
    writes(phone, "From the phone.")
    shown = writes(laptop, "From the laptop.", "Only here.", then="hand-in")
    assert shown.form("#answers-form") is not None, "not on to handing in"
    assert shown.text.count(NOTICE) == 1, "said at the one answer that it is about"
    assert shown.soup.select("textarea")[0].get_text() == "\nFrom the phone.\n\nFrom the laptop."
    assert stored(course) == ["From the phone.\n\nFrom the laptop.", "Only here."]
    assert "All 2 answers are saved." in writes(shown, "Mended by hand.", then="hand-in").text
    assert stored(course)[0] == "Mended by hand.", "the page that shows both may change both"


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("Units are", "Units are switched off.", "Units are switched off."),
        ("Units are\nswitched off.", "switched off.", "Units are\nswitched off."),
        ("No", "Now I know.", "No\n\nNow I know."),
        ("same", "same", "same"),
        (" \n", "Words.", "Words."),
    ],
)
def test_a_text_that_holds_the_other_serves_for_both(course: Course, first: str, second: str, kept: str) -> None:
    course.has_quiz(make_question())
    laptop, phone = two_windows(course)
    writes(phone, first)
    writes(laptop, second)
    assert stored(course) == [kept]


def test_a_student_may_delete_what_the_page_showed(course: Course) -> None:
    course.has_quiz(make_question())
    course.learner().get().submit("#begin-form")
    page = writes(course.learner().get(), "Not good.")
    writes(page, "")
    assert stored(course) == [""]


def test_the_longest_answers_are_not_put_together_beyond_the_bound(course: Course) -> None:
    course.has_quiz(make_question())
    laptop, phone = two_windows(course)
    writes(phone, "a" * 60_000)
    refused = writes(laptop, "b" * 60_000)
    assert refused.status == 422
    assert "longer than 100,000 characters" in refused.text
    assert stored(course) == ["a" * 60_000]


def test_the_script_is_told_what_is_stored_now(course: Course) -> None:
    course.has_quiz(make_question())
    laptop, phone = two_windows(course)
    assert set(autosaves(phone, "From the phone.")) == {"saved_at"}
    told = autosaves(laptop, "From the laptop.")
    assert told["merged"] is True
    assert told["answer"] == "From the phone.\n\nFrom the laptop." == stored(course)[0]
    again = autosaves(laptop, "Mended.", base=str(told["saved_at"]))
    assert set(again) == {"saved_at"}
    assert stored(course) == ["Mended."]


def test_a_page_that_missed_an_answer_to_its_own_saving_is_no_other_window(course: Course) -> None:
    course.has_quiz(make_question())
    page = two_windows(course)[0]
    autosaves(page, "abc")
    told = autosaves(page, "abd", known=f"{mark_of('')} {mark_of('xyz')} {mark_of('abc')}")
    assert set(told) == {"saved_at"}
    assert stored(course) == ["abd"]


def test_an_empty_autosave_brings_the_other_windows_text(course: Course) -> None:
    course.has_quiz(make_question())
    laptop, phone = two_windows(course)
    saved = autosaves(phone, "From the phone.")
    assert autosaves(laptop, " ") == {"saved_at": saved["saved_at"], "answer": "From the phone.", "merged": True}


@pytest.mark.parametrize("base", ["", "yesterday", "2026-01-01T00:00:00", "9" * 5000])
def test_a_base_that_is_no_moment_counts_as_none(course: Course, base: str) -> None:
    course.has_quiz(make_question())
    laptop, phone = two_windows(course)
    writes(phone, "One.")
    assert autosaves(laptop, "Two.", base=base, known="\ufffd ;")["answer"] == "One.\n\nTwo."


def test_no_word_is_lost_when_windows_save_at_the_same_moment(course: Course) -> None:
    course.has_quiz(make_question())
    windows = [course.learner().get().submit("#begin-form"), *(course.learner().get() for _ in range(7))]
    begin = threading.Barrier(len(windows))

    def save(number: int) -> None:
        begin.wait(10)
        if number % 2:
            autosaves(windows[number], f"thought-{number}")
        else:
            writes(windows[number], f"thought-{number}")

    threads = [threading.Thread(target=save, args=(number,)) for number in range(len(windows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(stored(course)[0].split()) == [f"thought-{number}" for number in range(len(windows))]


def test_marks_are_the_plain_checksum_that_scripts_reckon_too() -> None:
    assert mark_of("") == "0"
    assert mark_of("한국어 답") == f"{zlib.crc32('한국어 답'.encode()):x}"
    assert mark_of("\ud800") == mark_of("?")
    assert TypedDraft.from_form({"base": "x"}) is None
