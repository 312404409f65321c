"""Scores that did not arrive: who can mend it, sending again, and deciding about a grade changed in the LMS."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pytest_httpserver import HTTPServer

from config import Settings
from lti_tool.gradebook import delivery_views
from lti_tool.gradebook.delivery import Delivery
from lti_tool.launch.roles import Role
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person
from tests.scripted_gradebook import ScriptedGradebook, refuses

WHO = {
    "NO_PERMISSION": "Whoever administers your LMS can allow it",
    "NO_COLUMN": "You can mend it: add the quiz",
    "NOT_A_STUDENT": "Nobody needs to do anything",
    "NO_ATTEMPTS_LEFT": "You can mend it: allow more attempts",
    "REFUSED": "Whoever administers your LMS can find out why",
}


@dataclass
class School:
    """A course whose scores go to a scripted gradebook; ``woken`` is what workers were told."""

    course: Course
    delivery: Delivery
    gradebook: ScriptedGradebook
    woken: list[tuple[object, ...]]

    def hands_in(self, sub: str, *, fraction: float = 0.5) -> int:
        """A student answers and is graded; the id of the attempt."""
        student = self.course.learner(sub)
        page = student.post("attempts", {"csrf_token": student.token()})
        name = str(page.soup.select("textarea")[0]["name"])
        page.submit("#answers-form", {name: "an answer", "then": "hand-in"}).submit("#hand-in-form")
        self.course.grades(student, fraction=fraction)
        return self.value("SELECT max(id) FROM attempts")

    def delivers(self) -> None:
        """What workers do with everything that is queued."""
        with self.course.transaction() as connection:
            connection.execute("UPDATE deliveries SET due_at = now() WHERE status = 'QUEUED'")
            rows = connection.execute("SELECT id FROM deliveries WHERE status = 'QUEUED'").fetchall()
        for (delivery_id,) in rows:
            self.delivery.deliver(self.course.registration.id, delivery_id)

    def parks(self, sub: str, because: str = "NO_COLUMN") -> int:
        """A student's score is parked for this reason; the id of the attempt."""
        attempt_id = self.hands_in(sub)
        self.change(
            "UPDATE deliveries SET status = 'PARKED', tries = 1, finished_at = now(), last_error = 'it said no',"
            " parked_because = %s WHERE attempt_id = %s",
            because,
            attempt_id,
        )
        return attempt_id

    def is_changed_in_the_lms(self, sub: str = "ada-lovelace", points: float = 9.0) -> int:
        """A score arrived, a teacher typed another grade, and the better second attempt was not sent."""
        self.hands_in(sub)
        self.delivers()
        self.types(points, sub)
        attempt_id = self.hands_in(sub, fraction=0.75)
        self.delivers()
        return attempt_id

    def types(self, points: float, sub: str = "ada-lovelace") -> None:
        """A teacher types a grade into the gradebook, out of 10."""
        self.gradebook.keeps({"userId": sub, "scoreGiven": points, "scoreMaximum": 10})

    def states(self) -> list[str]:
        with self.course.transaction() as connection:
            return [row[0] for row in connection.execute("SELECT status FROM deliveries ORDER BY id").fetchall()]

    def value(self, query: str, *values: object) -> int:
        with self.course.transaction() as connection:
            row = connection.execute(query, values).fetchone()  # pyright: ignore[reportArgumentType]
        assert row is not None
        return row[0]

    def change(self, query: str, *values: object) -> None:
        with self.course.transaction() as connection:
            connection.execute(query, values)  # pyright: ignore[reportArgumentType]

    def decisions(self) -> list[tuple[str, str, dict]]:
        """Events of instructors' decisions: what, who, and the facts."""
        with self.course.transaction() as connection:
            return connection.execute(
                "SELECT event, sub, details FROM audit_events JOIN users ON users.id = user_id"
                " WHERE event LIKE 'LMS_GRADE%' ORDER BY audit_events.id"
            ).fetchall()


@pytest.fixture
def school(course: Course, settings: Settings, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> School:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    woken: list[tuple[object, ...]] = []
    monkeypatch.setattr(delivery_views, "wake_later", lambda *what: woken.append(what))
    gradebook = ScriptedGradebook(httpserver, maximum=10.0)
    gradebook.serves(course)
    course.has_quiz(max_attempts=5)
    return School(course, Delivery(settings, course.database), gradebook, woken)


# What the pages say -----------------------------------------------------------------------------------------------


def test_a_parked_score_says_what_happened_and_who_can_mend_it(school: School) -> None:
    for because in WHO:
        school.parks(because.lower(), because)
    page = school.course.instructor().get()
    said = [" ".join(note.get_text(" ").split()) for note in page.soup.select(".table__note")]
    for because, who in WHO.items():
        assert [who in note for note in said].count(True) == 1, because
    assert all("The gradebook's answer: it said no" in note for note in said)
    assert "5 scores could not be delivered." in page.text


def test_the_student_sees_nothing_of_it(school: School) -> None:
    attempt_id = school.parks("ada-lovelace", "NO_PERMISSION")
    text = school.course.learner().get(f"attempts/{attempt_id}/result").text
    assert "2.5" in text
    assert "administers" not in text
    assert "it said no" not in text


def test_an_older_score_that_was_parked_asks_for_nobody_once_there_is_a_newer_one(school: School) -> None:
    first = school.parks("ada-lovelace")
    school.hands_in("ada-lovelace", fraction=0.9)
    teacher = school.course.instructor()
    page = teacher.get()
    assert "replaced by a newer score" in page.text
    assert "could not be delivered" not in page.text
    sent = teacher.post(f"results/{first}/send-again", {"csrf_token": teacher.token()})
    assert "Nothing was left to be sent again." in sent.text
    assert school.states() == ["PARKED", "QUEUED"]


# Sending again ----------------------------------------------------------------------------------------------------


def test_a_score_is_sent_again_once_the_cause_is_mended(school: School) -> None:
    school.hands_in("ada-lovelace")
    school.gradebook.script = [refuses(404, "no such column")]
    school.delivers()
    assert school.states() == ["PARKED"]
    page = school.course.instructor().get().submit("form[action$='/send-again']:not(#send-all-form)")
    assert "On its way again." in page.text
    delivery_id = school.value("SELECT id FROM deliveries")
    assert school.woken == [(delivery_views.DELIVER, school.course.registration.id, delivery_id)]
    school.delivers()
    assert school.states() == ["DELIVERED"]
    grace = school.value("SELECT id FROM users WHERE sub = 'grace-hopper'")
    assert school.value("SELECT count(*) FROM delivery_events WHERE event = 'RESENT' AND detail = %s", f"user {grace}")


def test_all_are_sent_again_but_those_that_need_a_decision(school: School) -> None:
    school.parks("ada-lovelace")
    school.parks("blaise-pascal", "NO_PERMISSION")
    school.parks("carl-gauss", "CHANGED_IN_LMS")
    page = school.course.instructor().get()
    assert "2 scores could not be delivered." in page.text
    assert "1 grade was changed in your LMS." in page.text
    page.submit("#send-all-form")
    assert school.states() == ["QUEUED", "QUEUED", "PARKED"]
    assert school.woken == [(delivery_views.SWEEP,)]


def test_scores_of_another_placement_stay_as_they_are(school: School) -> None:
    attempt_id = school.parks("ada-lovelace")
    elsewhere = school.course.instructor(resource_link_id="link-2")
    fields = {"csrf_token": elsewhere.token(), "choice": "leave"}
    elsewhere.post("results/send-again", fields)
    assert elsewhere.post(f"results/{attempt_id}/send-again", fields).status == 404
    school.change("UPDATE deliveries SET parked_because = 'CHANGED_IN_LMS'")
    assert elsewhere.get(f"results/{attempt_id}/lms-grade").status == 404
    assert elsewhere.post(f"results/{attempt_id}/lms-grade", fields).status == 404
    assert school.states() == ["PARKED"]
    assert school.decisions() == []


def test_students_send_nothing_again_and_decide_nothing(school: School) -> None:
    attempt_id = school.parks("ada-lovelace", "CHANGED_IN_LMS")
    for role in (Role.LEARNER, Role.NONE):
        person = school.course.launch(role, "ada-lovelace")
        fields = {"csrf_token": person.token(), "choice": "leave"}
        assert person.get(f"results/{attempt_id}/lms-grade").status == 403
        for address in (f"{attempt_id}/lms-grade", f"{attempt_id}/send-again", "send-again"):
            assert person.post(f"results/{address}", fields).status == 403
    assert school.decisions() == []


# A grade that was changed in the LMS ------------------------------------------------------------------------------


def choice_page(school: School, teacher: Person | None = None) -> Page:
    return (teacher or school.course.instructor()).get().follow("Decide")


def chooses(page: Page, choice: str) -> Page:
    return page.submit("#decide-form", {"choice": choice})


def test_the_choice_shows_which_score_would_replace_which(school: School) -> None:
    school.is_changed_in_the_lms()
    page = choice_page(school)
    assert "In your LMS 9 of 10" in page.text
    assert "From this tool 3.75 of 10" in page.text
    assert school.states() == ["DELIVERED", "PARKED"], "looking changes nothing"


def test_a_grade_that_was_left_is_shown_quietly_until_another_score_is_parked(school: School) -> None:
    attempt_id = school.is_changed_in_the_lms()
    page = chooses(choice_page(school), "leave")
    assert "The grade in your LMS stays as it is." in page.text
    assert "the LMS's grade stands" in page.text
    overview = page.person.get("results")
    assert "was changed in your LMS" not in overview.text
    assert "the LMS's grade stands" in overview.text
    assert school.gradebook.results["ada-lovelace"]["resultScore"] == 9
    ((event, who, facts),) = school.decisions()
    assert (event, who, facts["attempt_id"]) == ("LMS_GRADE_LEFT", "grace-hopper", attempt_id)
    school.hands_in("ada-lovelace", fraction=1.0)
    school.delivers()
    assert "1 grade was changed in your LMS." in page.person.get("results").text


def test_a_decision_to_leave_it_can_be_taken_back(school: School) -> None:
    attempt_id = school.is_changed_in_the_lms()
    page = chooses(choice_page(school), "leave")
    chooses(page.person.get(f"results/{attempt_id}").follow("Decide again"), "replace")
    school.delivers()
    assert school.gradebook.results["ada-lovelace"]["resultScore"] == 3.75


def test_a_grade_is_replaced_on_purpose_and_the_record_says_by_whom(school: School) -> None:
    attempt_id = school.is_changed_in_the_lms()
    page = chooses(choice_page(school), "replace")
    assert "takes the place of the grade in your LMS" in page.text
    assert school.states() == ["DELIVERED", "QUEUED"]
    school.delivers()
    assert school.gradebook.results["ada-lovelace"]["resultScore"] == 3.75
    assert school.states() == ["DELIVERED", "DELIVERED"]
    ((event, who, facts),) = school.decisions()
    assert (event, who) == ("LMS_GRADE_REPLACED", "grace-hopper")
    assert (facts["attempt_id"], facts["lms_grade"]) == (attempt_id, "9 / 10")


def test_what_the_page_did_not_show_is_not_replaced(school: School) -> None:
    school.is_changed_in_the_lms()
    page = choice_page(school)
    school.types(8)
    again = chooses(page, "replace")
    assert "Nothing was replaced: a grade changed meanwhile." in again.text
    assert "In your LMS 8 of 10" in again.text
    assert school.states() == ["DELIVERED", "PARKED"]
    chooses(again, "replace")
    assert school.states() == ["DELIVERED", "QUEUED"]


def test_while_the_lms_does_not_answer_it_can_only_be_left(school: School) -> None:
    school.is_changed_in_the_lms()
    shown = choice_page(school)
    school.gradebook.result_status = 500
    page = choice_page(school)
    assert "Your LMS did not answer." in page.text
    assert not page.soup.select("button[value=replace]")
    assert "Nothing was replaced." in chooses(shown, "replace").text
    assert school.states() == ["DELIVERED", "PARKED"]


def test_where_grades_cannot_be_read_the_page_says_so_and_leaves_the_choice(school: School) -> None:
    school.is_changed_in_the_lms()
    school.gradebook.result_status = 403
    page = choice_page(school)
    assert "does not let this tool read its grades" in page.text
    chooses(page, "replace")
    assert school.states() == ["DELIVERED", "QUEUED"]


def test_a_grade_that_was_taken_away_in_the_lms_is_no_zero(school: School) -> None:
    school.is_changed_in_the_lms()
    school.gradebook.results.clear()
    assert "In your LMS no grade" in choice_page(school).text


def test_nothing_is_decided_about_a_score_that_arrived(school: School) -> None:
    attempt_id = school.hands_in("ada-lovelace")
    school.delivers()
    teacher = school.course.instructor()
    assert "Nothing was left to be sent again." in teacher.get(f"results/{attempt_id}/lms-grade").text
    fields = {"csrf_token": teacher.token(), "choice": "leave"}
    assert "Nothing was left to be sent again." in teacher.post(f"results/{attempt_id}/lms-grade", fields).text
    assert school.decisions() == []
