"""The table of attempts: what needs a person, what counts, and only what was asked for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from grading.domain import Flag
from lti_tool.gradebook import decision_views, delivery_views
from lti_tool.gradebook.outbox import queue_delivery
from lti_tool.gradebook.store import finish_attempt, record_model_grade
from lti_tool.submissions import views
from lti_tool.submissions.store import mark_graded
from tests.course_actors import Course, Page, Person, make_assessment, make_question


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


def hands_in(course: Course, student: Person, *, fraction: float = 0.5, confidence: float = 0.9) -> None:
    """A student answers the only question and is graded."""
    page = student.post("attempts", {"csrf_token": student.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(student, fraction=fraction, confidence=confidence)


def changes(course: Course, query: str, *values: object) -> None:
    with course.transaction() as connection:
        connection.execute(query, values)  # pyright: ignore[reportArgumentType]


def rows_of(page: Page) -> list[str]:
    """The words of each attempt's row, without those that say more about one."""
    return [" ".join(row.get_text(" ").split()) for row in page.soup.select("tbody tr:not(.table__note)")]


def test_the_attempt_that_counts_is_marked(course: Course) -> None:
    course.has_quiz(make_question(), max_attempts=5)
    student, teacher = course.learner(), course.instructor()
    hands_in(course, student, fraction=0.2)
    assert "counts" not in rows_of(teacher.get())[0], "one alone needs no mark"
    for fraction in (0.8, 0.5):
        hands_in(course, student, fraction=fraction)
    for policy, counting in (("BEST", [False, True, False]), ("LAST", [False, False, True]), ("AVERAGE", [True] * 3)):
        changes(course, "UPDATE quizzes SET counted_attempt = %s", policy)
        assert ["counts" in row for row in rows_of(teacher.get())] == counting, policy


def test_what_the_mark_says_is_what_the_outbox_sends(course: Course) -> None:
    """Excused, waiting and opened again attempts do not count; the mark and the newest version agree."""
    course.has_quiz(make_question(), max_attempts=5)
    student = course.learner()
    for fraction in (1.0, 0.9, 0.8, 0.4):
        hands_in(course, student, fraction=fraction)
    changes(course, "UPDATE attempts SET excused_at = now() WHERE number = 1")
    changes(course, "UPDATE attempts SET approval = 'NEEDED' WHERE number = 2")
    changes(
        course,
        "UPDATE attempts SET reopened_from = (SELECT id FROM attempts WHERE number = 3) WHERE number = 4",
    )
    rows = rows_of(course.instructor().get())
    assert ["counts" in row for row in rows] == [False, False, False, True]
    assert "excused" in rows[0]
    assert "waits for your approval" in rows[1]
    assert "goes on with attempt 3" in rows[3]
    with course.transaction() as connection:
        (newest,) = connection.execute("SELECT max(id) FROM attempts").fetchone() or (0,)
        queue_delivery(connection, newest, wait_seconds=0)
        sent = connection.execute("SELECT attempt_id FROM deliveries ORDER BY version DESC LIMIT 1").fetchone()
    assert sent == (newest,)


def test_what_the_late_rule_takes_off_is_shown(course: Course) -> None:
    course.has_quiz(make_question())
    hands_in(course, course.learner(), fraction=1.0)
    changes(course, "UPDATE quizzes SET late_rule = 'DEDUCT', late_percent_per_day = 10")
    changes(course, "UPDATE attempts SET due_at = submitted_at - interval '30 hours'")
    assert "4 / 5 late: −20%" in rows_of(course.instructor().get())[0]


def test_students_come_by_name_and_those_without_one_last(course: Course) -> None:
    course.has_quiz(make_question())
    for sub, name in (("u3", "Zoë"), ("u1", None), ("u2", "ada"), ("u4", "Blaise")):
        hands_in(course, course.learner(sub, name=name))
    names = [row.split(" attempt")[0] for row in rows_of(course.instructor().get())]
    assert names[:3] == ["ada", "Blaise", "Zoë"]
    assert names[3].startswith("Student ")


def test_the_page_sums_up_what_needs_a_person_and_shows_only_that_on_request(course: Course) -> None:
    course.has_quiz(make_question())
    for sub, confidence in (("ada", 0.9), ("blaise", 0.2), ("carl", 0.9), ("emmy", 0.9)):
        hands_in(course, course.learner(sub), confidence=confidence)
    changes(course, "UPDATE attempts SET approval = 'NEEDED' WHERE id = (SELECT min(id) FROM attempts)")
    changes(
        course,
        "UPDATE deliveries SET status = 'PARKED', parked_because = 'NO_COLUMN', finished_at = now()"
        " WHERE attempt_id = (SELECT max(id) FROM attempts)",
    )
    teacher = course.instructor()
    page = teacher.get()
    assert "1 attempt waits for your approval" in page.text
    assert page.form("form[action$='/results/approve']") is not None
    assert "1 score could not be delivered." in page.text
    assert "All 4 Waiting for approval 1 Not delivered 1 Unsure 1" in page.text
    for link, name in (("Waiting for approval", "Ada"), ("Not delivered", "Emmy"), ("Unsure", "Blaise")):
        shown = page.follow(link)
        assert [row.split()[0] for row in rows_of(shown)] == [name]
        assert link in shown.form(".filters [aria-current=page]").get_text()
        live = str(shown.form("[data-live*='results/parts']")["data-live"])
        assert parse_qs(urlsplit(live).query) == parse_qs(urlsplit(shown.url).query), "it stays so by itself"
        assert [row.split()[0] for row in rows_of(teacher.get(live))] == [name]
    assert len(rows_of(teacher.get("results?show=nonsense"))) == 4


def test_sending_all_again_leads_back_to_what_was_shown(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_views, "wake_later", lambda *what: None)
    course.has_quiz(make_question())
    hands_in(course, course.learner())
    changes(course, "UPDATE deliveries SET status = 'PARKED', parked_because = 'NO_PERMISSION', finished_at = now()")
    page = course.instructor().get("results?show=undelivered").submit("#send-all-form")
    assert "show=undelivered" in page.url
    assert "On its way again." in page.text
    assert "Every score has arrived or is on its way." in page.text
    assert len(rows_of(page.follow("Show all attempts"))) == 1


# The list to look through -----------------------------------------------------------------------------------------


def answers_all(course: Course, sub: str, *findings: tuple[float, float], flags: frozenset[Flag] = frozenset()) -> None:
    """A student answers the first questions; of each the machine finds (fraction, width of its interval)."""
    student = course.learner(sub)
    page = student.post("attempts", {"csrf_token": student.token()})
    names = [str(area["name"]) for area in page.soup.select("textarea")[: len(findings)]]
    page.submit("#answers-form", {**dict.fromkeys(names, "an answer"), "then": "hand-in"}).submit("#hand-in-form")
    with course.transaction() as connection:
        rows = connection.execute(
            "SELECT submissions.id, attempt_id FROM submissions JOIN questions ON questions.id = question_id"
            " WHERE attempt_id = (SELECT max(id) FROM attempts) ORDER BY position"
        ).fetchall()
        for (submission_id, attempt_id), (fraction, width) in zip(rows, findings, strict=True):
            low = max(0.0, fraction - width / 2)
            found = replace(make_assessment(fraction=fraction), low=low, high=low + width, flags=flags)
            points = Decimal(str(fraction)) * 5
            names_of = {0: "what happens", 1: "why it helps"}
            record_model_grade(connection, submission_id, found, points=points, explanation="So.", names=names_of)
            mark_graded(connection, submission_id)
            finish_attempt(connection, attempt_id, explanation_wait_seconds=60)


def first_names(page: Page) -> list[str]:
    return [row.split()[0] for row in rows_of(page)]


def test_attempts_are_listed_by_question_by_kind_and_by_doubt(course: Course) -> None:
    course.has_quiz(make_question(), make_question("What is early stopping?"))
    answers_all(course, "ada", (0.6, 0.1), (0.6, 0.2))
    answers_all(course, "blaise", (0.6, 0.3))
    answers_all(course, "carl", (0.6, 0.2), (0.6, 0.5), flags=frozenset({Flag.OFF_TOPIC}))
    teacher = course.instructor()
    page = teacher.get("results")
    second = str(page.soup.select("#only option")[2]["value"])
    assert first_names(page) == ["Ada", "Blaise", "Carl"]
    by_doubt = page.submit("#sorting", {"sort": "doubt"})
    assert first_names(by_doubt) == ["Carl", "Blaise", "Ada"], "the widest interval first"
    assert "question 2: 3 / 5 likely 35–85%" in rows_of(by_doubt)[0]
    of_second = by_doubt.submit("#sorting", {"only": second})
    assert first_names(of_second) == ["Carl", "Ada"], "who answered it"
    flagged = of_second.follow("Flagged")
    assert first_names(flagged) == ["Carl"]
    query = parse_qs(urlsplit(flagged.url).query)
    assert query == {"show": ["flagged"], "only": [second], "sort": ["doubt"]}
    live = str(flagged.form("[data-live*='results/parts']")["data-live"])
    assert parse_qs(urlsplit(live).query) == query, "it stays so by itself"
    assert first_names(teacher.get(live)) == ["Carl"]
    assert first_names(flagged.submit("#sorting", {"only": "", "sort": ""})) == ["Carl"], "the kind stays"
    for nonsense in ("only=x", "only=" + "9" * 40, "sort=x", "show=x"):
        assert teacher.get(f"results?{nonsense}").status == 200


def test_whoever_needs_a_person_comes_first_in_any_order(course: Course) -> None:
    course.has_quiz()
    answers_all(course, "ada", (0.6, 0.5))
    answers_all(course, "blaise", (0.6, 0.1), flags=frozenset({Flag.NEEDS_PERSON}))
    page = course.instructor().get("results")
    assert first_names(page) == ["Blaise", "Ada"]
    assert "needs a person" in rows_of(page)[0]
    assert first_names(page.submit("#sorting", {"sort": "doubt"})) == ["Blaise", "Ada"]


@pytest.mark.parametrize(
    ("show", "words"),
    [
        ("waiting", "Nothing waits for your approval."),
        ("undelivered", "Every score has arrived or is on its way."),
        ("unsure", "No answer is left of which the machine is unsure."),
        ("flagged", "No answer is flagged"),
        ("changed", "No score was changed by a person."),
        ("all", "Nobody has answered this question yet."),
    ],
)
def test_an_empty_list_says_what_to_do(course: Course, show: str, words: str) -> None:
    course.has_quiz(make_question(), make_question("What is early stopping?"))
    answers_all(course, "ada", (0.6, 0.1))
    teacher = course.instructor()
    second = str(teacher.get("results").soup.select("#only option")[2]["value"])
    page = teacher.get(f"results?show={show}&only={second}")
    assert words in page.text
    assert first_names(page.follow("Show all attempts")) == ["Ada"]


def test_the_list_is_looked_through_from_attempt_to_attempt(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_views, "wake_later", lambda *what: None)
    course.has_quiz(make_question(), make_question("What is early stopping?"))
    for name, fraction, width in (("ada", 0.1, 0.1), ("blaise", 0.6, 0.6), ("carl", 0.1, 0.3), ("emmy", 0.2, 0.2)):
        answers_all(course, name, (fraction, width))
    page = course.instructor().get("results?show=unsure&sort=doubt")
    assert first_names(page) == ["Carl", "Emmy", "Ada"]
    review = page.follow("Carl")
    assert "1 of 3 · Unsure · most doubtful first" in review.form(".queue").get_text(" ", strip=True)
    scored = review.submit("form[action*='/score']", {"points": "4", "reason": "read it"})
    assert "not in the list any more; 2 left" in scored.text
    assert "The score is changed." in scored.text
    second = scored.follow("Next")
    assert second.form("h1").get_text() == "Emmy", "the list goes on where it was"
    assert second.form(".queue [rel=next]").get_attribute_list("accesskey") == ["n"]
    assert second.follow("Next").form("h1").get_text() == "Ada"
    assert second.form(".queue").select("[rel=prev]") == [], "what was done is not gone back to"
    faulty = second.submit("form[action*='/score']", {"points": "9", "reason": "read it"})
    assert faulty.status == 422
    assert faulty.follow("Next").form("h1").get_text() == "Ada", "not lost by a mistake in the form"
    assert first_names(second.follow("Regularisation")) == ["Emmy", "Ada"]
    assert first_names(course.instructor().get("results?show=changed")) == ["Carl"]
    assert "changed by a person" in rows_of(course.instructor().get("results"))[2]


def test_a_score_that_was_put_back_counts_as_the_machines(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_views, "wake_later", lambda *what: None)
    course.has_quiz(make_question())
    answers_all(course, "ada", (0.6, 0.1))
    teacher = course.instructor()
    changed = (
        teacher.get("results").follow("Ada").submit("form[action$='/score']", {"points": "1", "reason": "read it"})
    )
    assert first_names(teacher.get("results?show=changed")) == ["Ada"]
    changed.submit("form[action$='/earlier-score']")
    assert "No score was changed by a person." in teacher.get("results?show=changed").text


# Score and key points ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fraction", "disagrees"), [(0.3, True), (0.33, False), (1.0, False), (0.0, True)])
def test_a_score_far_from_its_verdicts_asks_for_a_look(course: Course, fraction: float, disagrees: bool) -> None:
    """The point of weight 2 is covered, that of weight 1 is missing: two thirds."""
    course.has_quiz(make_question())
    hands_in(course, course.learner(), fraction=fraction)
    teacher = course.instructor()
    page = teacher.get("results")
    assert ("score and key points disagree" in page.text) == disagrees
    assert ("Ada" in " ".join(rows_of(teacher.get("results?show=unsure")))) == disagrees
    review = page.follow("Ada Lovelace")
    assert ("Score and key points disagree – look at this one." in review.text) == disagrees
    assert (
        f"The score is {100 * fraction:.0f}% of the points; the key points alone would say 67%." in review.text
    ) == (disagrees)
    assert "disagree" not in course.learner().get("quiz").text, "students have no use for it"


def test_an_approved_or_changed_score_that_disagrees_is_no_longer_unsure(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_views, "wake_later", lambda *what: None)
    course.has_quiz(make_question())
    for name in ("ada", "blaise"):
        hands_in(course, course.learner(name), fraction=0.1)
    teacher = course.instructor()
    page = teacher.get("results?show=unsure")
    assert first_names(page) == ["Ada", "Blaise"]
    page.follow("Ada").submit("form[action*='/score']", {"points": "4", "reason": "read it"})
    assert first_names(teacher.get("results?show=unsure")) == ["Blaise"]
    changes(course, "UPDATE attempts SET approval = 'APPROVED'")
    assert "No answer is left of which the machine is unsure." in teacher.get("results?show=unsure").text
