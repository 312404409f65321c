"""Nobody reaches what belongs to another tenant, another course or another person: every address with an id, tried.

The addresses are those that the application has, so a new one is tried too: one with an id that this module does not
know fails, and so does one that nobody may open. The second half takes the checks of the code away and tries again:
another course's rows are then within reach, another tenant's are not, because PostgreSQL keeps them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import Connection, sql
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from grading.domain import Question
from lti_tool.admin.sessions import create_link, start_session
from lti_tool.db import fetch_all, fetch_one
from lti_tool.errors import NotFound
from lti_tool.gradebook import regrade_views
from lti_tool.gradebook import views as gradebook_views
from lti_tool.gradebook.explanation_store import add_explanation, latest_explanation_id
from lti_tool.gradebook.regrades import Regrade, find_regrade
from lti_tool.launch.access import SESSION_COOKIE
from lti_tool.launch.errors import QuizUnknown
from lti_tool.models.store import add_version
from lti_tool.models.versions import NewVersion
from lti_tool.questions import origins, trials
from lti_tool.questions import store as questions
from lti_tool.submissions import rating_views, result_views
from lti_tool.submissions import store as submissions
from lti_tool.submissions import views as submission_views
from lti_tool.submissions.ratings import rate_explanation
from lti_tool.training.store import add_run
from tests.course_actors import Course, Person, make_question
from tests.training_actors import make_dataset

#: Not behind a launch, and why nothing of a tenant is there.
OPEN_TO_ALL = {
    "/static/<path:filename>": "style sheets and scripts",
    "/lti/login": "the same without the key of a registration",
    "/lti/login/<uuid:login_key>": "where a launch begins: sends the browser on to the platform",
    "/lti/register/<secret>": "the secret of an invitation is the key to it",
    "/admin/sign-in/<secret>": "the secret of a link that works once is the key to it",
}
#: The administrator's pages.
ADMINISTRATION = "/admin"
PROMPT, ANSWER = "Whose prompt is this?", "Whose answer is this?"
#: Ids that :meth:`Belongings.ids` has a value for.
KNOWN_IDS = frozenset({"quiz_id", "question_id", "attempt_id", "explanation_id", "regrade_id", "trial_id"})
#: Ids of what belongs to a placement; the others are of a course.
OF_A_PLACEMENT = frozenset({"attempt_id", "regrade_id"})
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What a course has: a quiz, and a student's attempts at it, one open and one graded; and its people.

    The graded one's answer to the first question is being graded again; its explanation is called wrong.
    An instructor wrote another one before.
    """

    course: Course
    people: dict[str, Person]
    quiz_id: UUID
    question_id: int
    attempt_ids: tuple[int, int]
    explanation_id: int
    written_id: int
    regrade_id: int
    trial_id: int

    @classmethod
    def of(cls, course: Course) -> Belongings:
        """Fill a course by using it; the learner is Ada, the instructor Grace, at every school."""
        quiz_id = course.has_quiz(make_question(PROMPT), make_question("Another?"), max_attempts=2)
        people = {"learner": course.learner(), "instructor": course.instructor(), "author": course.author()}
        # A tried answer belongs to a person, not to a course: to one whom nobody else is.
        people["colleague"] = course.author("katherine-johnson")
        _attempts(people["learner"])
        course.grades(people["learner"])
        people["learner"].post("attempts", {"csrf_token": people["learner"].token()})
        with course.transaction() as connection:
            (question_id,) = connection.execute(
                "SELECT id FROM questions WHERE quiz_id = %s ORDER BY position LIMIT 1", (quiz_id,)
            ).fetchone() or (0,)
            graded, begun = (
                row[0]
                for row in connection.execute("SELECT id FROM attempts WHERE quiz_id = %s ORDER BY number", (quiz_id,))
            )
            written_id = _written(connection, graded)
            explanation_id = _called_wrong(connection, graded)
        regrade = {"csrf_token": people["instructor"].token(), "question": str(question_id)}
        page = people["instructor"].post("regrades", regrade)
        return cls(
            course=course,
            people=people,
            quiz_id=quiz_id,
            question_id=question_id,
            attempt_ids=(begun, graded),
            explanation_id=explanation_id,
            written_id=written_id,
            regrade_id=int(page.path.rsplit("/", 1)[1]),
            trial_id=_trial(course, people["colleague"]),
        )

    def ids(self, attempt_id: int) -> dict[str, object]:
        """A value for each id that addresses have."""
        return {
            "quiz_id": self.quiz_id,
            "question_id": self.question_id,
            "attempt_id": attempt_id,
            "explanation_id": self.explanation_id,
            "regrade_id": self.regrade_id,
            "trial_id": self.trial_id,
        }

    def rows(self) -> str:
        """All that the course holds, as text."""
        with self.course.transaction() as connection:
            found = [
                connection.execute(query, (self.quiz_id,)).fetchall()
                for query in (
                    "SELECT * FROM quizzes WHERE id = %s",
                    "SELECT * FROM questions WHERE quiz_id = %s ORDER BY id",
                    "SELECT key_points.* FROM key_points JOIN questions ON questions.id = question_id"
                    " WHERE quiz_id = %s ORDER BY question_id, position",
                    "SELECT * FROM resource_links WHERE quiz_id = %s ORDER BY id",
                    "SELECT * FROM attempts WHERE quiz_id = %s ORDER BY id",
                    "SELECT submissions.* FROM submissions JOIN attempts ON attempts.id = attempt_id"
                    " WHERE quiz_id = %s ORDER BY id",
                    "SELECT grades.* FROM grades JOIN submissions ON submissions.id = submission_id"
                    " JOIN attempts ON attempts.id = attempt_id WHERE quiz_id = %s ORDER BY grades.id",
                    "SELECT deliveries.* FROM deliveries JOIN attempts ON attempts.id = attempt_id"
                    " WHERE quiz_id = %s ORDER BY deliveries.id",
                    "SELECT * FROM regrades WHERE quiz_id = %s ORDER BY id",
                    "SELECT explanations.*, ratings.* FROM explanations JOIN grades ON grades.id = grade_id"
                    " JOIN submissions ON submissions.id = submission_id JOIN attempts ON attempts.id = attempt_id"
                    " LEFT JOIN explanation_ratings AS ratings ON explanation_id = explanations.id"
                    " WHERE quiz_id = %s ORDER BY explanations.id",
                )
            ]
        return repr(found)


def _attempts(person: Person) -> None:
    """Begin, answer and hand in."""
    page = person.post("attempts", {"csrf_token": person.token()})
    names = [str(area["name"]) for area in page.soup.select("textarea")]
    confirm = page.submit("#answers-form", {names[0]: ANSWER, "then": "hand-in"})
    confirm.submit("#hand-in-form")


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_views, "wake_grading", lambda registration_id, ids: None)
    monkeypatch.setattr(regrade_views, "wake_later", lambda *_: None)


# The addresses ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A rule of the application with one of its methods."""

    rule: Rule
    method: str

    def __str__(self) -> str:
        return f"{self.method} {self.rule.rule}"

    @property
    def own_ids(self) -> set[str]:
        return set(self.rule.arguments) - {"launch_id"}

    def tried_by(self, person: Person, belongings: Belongings, attempt_id: int) -> TestResponse:
        """This person, in their own launch, asks for what belongs to others, with a form that would be right."""
        values = {"launch_id": person.launch_id, **belongings.ids(attempt_id)}
        built = self.rule.build({name: values[name] for name in self.rule.arguments}, append_unknown=False)
        assert built is not None, f"{self} cannot be built"
        return person.client.open(built[1], method=self.method, data=_form(person, belongings))


def _form(person: Person, belongings: Belongings) -> dict[str, object]:
    """Fields of all forms at once: each takes what it knows."""
    return {
        "csrf_token": person.token(),
        "answer": "Taken over",
        f"answer-{belongings.question_id}": "Taken over",
        "empty_is_meant": "yes",
        "title": "Taken over",
        "language": "en",
        "max_attempts": "2",
        "prompt": "Taken over",
        "max_points": "7",
        "model_answer": "Taken over",
        f"points-{belongings.question_id}": "7",
        "direction": "down",
        "sample": "en-001",
        "quiz": str(belongings.quiz_id),
        "points": "1",
        "explanation": "Taken over",
        "reason": "Taken over",
        "text": "Taken over",
        "seen_explanation": str(belongings.explanation_id),
        "earlier": str(belongings.written_id),
        "rating": "HELPFUL",
    }


def _written(connection: Connection, attempt_id: int) -> int:
    """What an instructor wrote for the attempt's answer; then they took the machine's text again."""
    (grade_id,) = connection.execute(
        "SELECT grades.id FROM grades JOIN submissions ON submissions.id = submission_id WHERE attempt_id = %s",
        (attempt_id,),
    ).fetchone() or (0,)
    add_explanation(connection, grade_id, "INSTRUCTOR", "By an instructor.")
    written = latest_explanation_id(connection, grade_id)
    assert written is not None
    add_explanation(connection, grade_id, "TEMPLATE", "You said what happens.")
    return written


def _called_wrong(connection: Connection, attempt_id: int) -> int:
    """The explanation of the attempt's answer, as final as it gets; its student calls it wrong."""
    connection.execute(
        "UPDATE rewordings SET outcome = 'NOT_WANTED', finished_at = now() WHERE outcome = 'PENDING' AND grade_id IN"
        " (SELECT grades.id FROM grades JOIN submissions ON submissions.id = submission_id WHERE attempt_id = %s)",
        (attempt_id,),
    )
    row = connection.execute(
        "SELECT explanations.id FROM explanations JOIN grades ON grades.id = grade_id"
        " JOIN submissions ON submissions.id = submission_id WHERE attempt_id = %s"
        " ORDER BY explanations.id DESC LIMIT 1",
        (attempt_id,),
    ).fetchone()
    assert row is not None
    rate_explanation(connection, row[0], "WRONG")
    return row[0]


def _trial(course: Course, colleague: Person) -> int:
    """An answer that the colleague tries, and that no worker has scored yet."""
    with course.transaction() as connection:
        (user_id,) = connection.execute("SELECT id FROM users WHERE sub = %s", (colleague.sub,)).fetchone() or (0,)
        question = Question(prompt=PROMPT, model_answers=("Mine.",), language="en")
        return trials.add_trial(connection, question, ANSWER, user_id=user_id)


def addresses(app: Flask, *, with_launch: bool) -> Iterator[Address]:
    """Every rule and method, behind a launch or not."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda each: each.rule):
        if ("launch_id" in rule.arguments) is with_launch:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Address(rule=rule, method=method)


def with_ids(app: Flask) -> list[Address]:
    """Those with an id of their own. Fails for one whose id is unknown here: then nobody tried it."""
    found = [address for address in addresses(app, with_launch=True) if address.own_ids]
    unknown = {str(address): address.own_ids - KNOWN_IDS for address in found if address.own_ids - KNOWN_IDS}
    assert not unknown, f"no value for these ids, add them to Belongings.ids: {unknown}"
    return found


def attempts_for(address: Address, belongings: Belongings) -> tuple[int, ...]:
    return belongings.attempt_ids if "attempt_id" in address.own_ids else belongings.attempt_ids[:1]


def answers_to(address: Address, people: dict[str, Person], belongings: Belongings) -> dict[str, set[int]]:
    """The statuses that each of these people gets; the sentence of an answer that shows what is not theirs."""
    return {
        name: {
            address.tried_by(person, belongings, attempt_id).status_code
            for attempt_id in attempts_for(address, belongings)
        }
        for name, person in people.items()
    }


# The checks of the code -------------------------------------------------------------------------------------------


def test_whoever_has_no_key_to_a_launch_sees_none_of_its_pages(course: Course) -> None:
    """Nor with the key of their own launch, however it is sent along; for all addresses of a launch, with any id."""
    belongings = Belongings.of(course)
    stranger = Belongings.of(Course.open(course.app, course.database, school="other")).people["instructor"]
    before, wrong = belongings.rows(), []
    for address in addresses(course.app, with_launch=True):
        for victim in belongings.people.values():
            plain = browser_with(course.app, victim.launch_id, cookie="")
            with_cookie = browser_with(course.app, victim.launch_id, cookie=stranger.secret)
            token = {"Authorization": f"Bearer {stranger.secret}"}
            for client, headers in ((plain, {}), (with_cookie, {}), (plain, token)):
                borrowed = Person(client, victim.launch_id, stranger.secret, stranger.sub)
                values = {"launch_id": victim.launch_id, **belongings.ids(belongings.attempt_ids[0])}
                built = address.rule.build({name: values[name] for name in address.rule.arguments})
                assert built is not None
                response = client.open(
                    built[1], method=address.method, data=_form(borrowed, belongings), headers=headers
                )
                if response.status_code != 401 or leaks(response):
                    wrong.append(f"{address}: {response.status_code}")
    assert wrong == []
    assert belongings.rows() == before


def browser_with(app: Flask, launch_id: UUID, *, cookie: str) -> FlaskClient:
    """A browser that sends this cookie to the pages of a launch."""
    client = app.test_client()
    if cookie:
        client.set_cookie(SESSION_COOKIE, cookie, path=f"/launches/{launch_id}/")
    return client


def leaks(response: TestResponse) -> bool:
    """Whether the page shows words of somebody else."""
    text = response.get_data(as_text=True)
    return PROMPT in text or ANSWER in text


@pytest.mark.parametrize("elsewhere", ["another tenant", "another course", "another placement"])
def test_an_id_of_elsewhere_is_not_found(course: Course, elsewhere: str) -> None:
    """Ada and Grace are at both places, under the same names; nothing of the one is to be had from the other."""
    intruders = people_of(course, elsewhere)
    wrong = []
    for address in with_ids(course.app):
        if elsewhere == "another placement" and not OF_A_PLACEMENT & address.own_ids:
            continue  # a quiz belongs to the course: all its instructors may change it
        belongings = Belongings.of(another_course(course))
        if elsewhere == "another placement":
            intruders = people_of(belongings.course, elsewhere)
        before = belongings.rows()
        for name, person in intruders.items():
            for attempt_id in attempts_for(address, belongings):
                response = address.tried_by(person, belongings, attempt_id)
                role_is_wrong = response.status_code == 403 and "Code <code>ROLE</code>" in response.text
                if leaks(response) or not (response.status_code == 404 or role_is_wrong):
                    wrong.append(f"{address} by the {name} of {elsewhere}: {response.status_code}")
        if belongings.rows() != before:
            wrong.append(f"{address} from {elsewhere} changed something")
        rightful = answers_to(address, belongings.people, belongings)
        if not any(statuses - {401, 403, 404} for statuses in rightful.values()):
            wrong.append(f"{address} is closed to everyone, so this proves nothing: {rightful}")
        if any(status >= 500 for statuses in rightful.values() for status in statuses):
            wrong.append(f"{address} fails: {rightful}")
    assert wrong == []


def test_another_persons_attempt_is_not_found(course: Course) -> None:
    """Neither by a fellow student nor, on the student's own pages, by an instructor of the same placement."""
    wrong = []
    for address in with_ids(course.app):
        if "attempt_id" not in address.own_ids:
            continue
        rightful = Belongings.of(another_course(course))
        learner = {"learner": rightful.people["learner"]}
        is_for_students = answers_to(address, learner, rightful)["learner"] != {403}
        belongings = Belongings.of(another_course(course))
        fellow = belongings.course
        others = {"fellow": fellow.learner("mallory"), "test user": fellow.learner("preview", is_test_user=True)}
        if is_for_students:
            others |= {"instructor": fellow.instructor("charles-babbage"), "author": fellow.author("charles-babbage")}
        before = belongings.rows()
        for name, statuses in answers_to(address, others, belongings).items():
            if not statuses <= ({404} if is_for_students else {403}):
                wrong.append(f"{address} by the {name}: {statuses}")
        if belongings.rows() != before:
            wrong.append(f"{address} changed something")
    assert wrong == []


def test_ids_inside_forms_and_addresses_are_looked_up_in_the_course_too(course: Course) -> None:
    belongings = Belongings.of(course)
    before = belongings.rows()
    for elsewhere in ("another tenant", "another course"):
        own = Belongings.of(place_of(course, elsewhere))
        for name in ("instructor", "author"):
            person = own.people[name]
            fields = {"csrf_token": person.token(), "quiz": str(belongings.quiz_id)}
            assert person.get("place", {"quiz": str(belongings.quiz_id)}).status == 404
            assert person.post("place", fields).status == 404
            if name == "instructor":
                with own.course.transaction() as connection:
                    discarded = "UPDATE regrades SET status = 'DISCARDED', finished_at = now() WHERE id = %s"
                    connection.execute(discarded, (own.regrade_id,))
                again = {"csrf_token": person.token(), "question": str(belongings.question_id)}
                assert person.post("regrades", again).status == 404
            points = {"csrf_token": person.token(), f"points-{belongings.question_id}": "1"}
            assert person.post(f"quizzes/{own.quiz_id}/points", points).status != 404
        learner = own.people["learner"]
        answers = {"csrf_token": learner.token(), f"answer-{belongings.question_id}": "Taken over"}
        assert learner.post(f"attempts/{own.attempt_ids[0]}/answers", answers).status == 200
        draft = {"csrf_token": learner.token(), "answer": "Taken over"}
        url = f"attempts/{own.attempt_ids[0]}/drafts/{belongings.question_id}"
        assert learner.post(url, draft).status == 404
    assert belongings.rows() == before


def test_a_course_copied_to_another_tenant_leaves_its_quizzes_behind(course: Course) -> None:
    """A placement there names the quiz still: the launch is refused, and nothing of the copy is stored."""
    belongings = Belongings.of(course)
    other = Course.open(course.app, course.database, school="other", quiz_id=belongings.quiz_id)
    for opens in (other.learner, other.instructor):
        with pytest.raises(QuizUnknown):
            opens()
    with other.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM resource_links").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM launch_sessions").fetchone() == (0,)


def test_addresses_outside_of_launches_are_known(course: Course) -> None:
    """Whatever has an id and needs neither a launch nor the administrator is listed with its reason."""
    outside = {address.rule.rule for address in addresses(course.app, with_launch=False) if address.rule.arguments}
    assert {rule for rule in outside if not rule.startswith(ADMINISTRATION)} == {
        rule for rule in OPEN_TO_ALL if not rule.startswith(ADMINISTRATION)
    }


def test_no_launch_opens_the_administration(course: Course) -> None:
    """Not one of its addresses, for nobody of a course; to the administrator the same addresses are open."""
    people = Belongings.of(course).people.values()
    with course.database.across_tenants() as connection:
        secret = start_session(connection, create_link(connection))
    administrator = course.app.test_client()
    administrator.set_cookie("admin", secret or "")
    ids = ids_of_the_administration(course)
    wrong = []
    for address in addresses(course.app, with_launch=False):
        if not address.rule.rule.startswith(ADMINISTRATION) or address.rule.rule in OPEN_TO_ALL:
            continue
        values = {name: ids.get((part_of(address.rule), name), "moodle") for name in address.rule.arguments}
        built = address.rule.build(values)
        assert built is not None
        for person in people:
            person.client.set_cookie("admin", person.secret)
            response = person.client.open(built[1], method=address.method, data={"csrf_token": person.token()})
            if response.status_code != 401:
                wrong.append(f"{address}: {response.status_code}")
        if address.rule.rule.endswith(("/check/findings", "/report")):
            continue  # the one would ask the platform over the network, the other is there when a training has ended
        if address.method == "GET" and administrator.get(built[1]).status_code not in (200, 302, 303):
            wrong.append(f"{address} is closed to the administrator too, so this proves nothing")
    assert wrong == []


def part_of(rule: Rule) -> str:
    """Of the administration: the word behind ``/admin/``."""
    return rule.rule.split("/")[2]


def ids_of_the_administration(course: Course) -> dict[tuple[str, str], object]:
    """Something real of each part: its id by the part and the name in the address."""
    settings = course.app.extensions["mlquiz"].settings
    digest = make_dataset(settings)
    version = NewVersion(
        digest=digest, kind="GRADER", run_folder="run", dataset_digest=digest, code_version="1", settings={}, metrics={}
    )
    with course.database.across_tenants() as connection:
        add_version(connection, version, "an administrator")
        number = add_run(connection, "GRADER", by="an administrator")
    return {
        ("platforms", "number"): course.registration.id,
        ("invitations", "number"): course.registration.id,
        ("trainings", "number"): number,
        ("trainings", "kind"): "grader",
        ("datasets", "digest"): digest,
        ("models", "digest"): digest,
    }


# Without the checks of the code -----------------------------------------------------------------------------------


@pytest.fixture
def no_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the code forgets here: that a quiz belongs to a course, and an attempt to a person and a placement."""

    def any_quiz(connection: Connection, quiz_id: UUID, _: int) -> questions.Quiz:
        query = questions._QUIZ_TOTALS + " WHERE quizzes.id = %s GROUP BY quizzes.id"
        found = fetch_one(connection, questions.Quiz, query, quiz_id)
        if found is None:
            raise NotFound("not there")
        return found

    def any_attempt(connection: Connection, attempt_id: int) -> submissions.Attempt:
        found = submissions.find_attempt(connection, attempt_id)
        if found is None:
            raise NotFound("not there")
        return found

    monkeypatch.setattr(questions, "get_quiz", any_quiz)

    def any_regrade(connection: Connection, regrade_id: int) -> Regrade:
        found = find_regrade(connection, regrade_id)
        if found is None:
            raise NotFound("not there")
        return found

    monkeypatch.setattr(regrade_views, "own_regrade", any_regrade)
    own_trial = trials.take_trial

    def any_trial(connection: Connection, trial_id: int, *, user_id: int) -> trials.Trial | None:
        row = connection.execute("SELECT user_id FROM trials WHERE id = %s", (trial_id,)).fetchone()
        return own_trial(connection, trial_id, user_id=row[0] if row else user_id)

    monkeypatch.setattr(trials, "take_trial", any_trial)
    for module in (questions, submission_views, result_views, gradebook_views, regrade_views):
        monkeypatch.setattr(module, "get_placed_quiz", any_quiz)
    for module in (submission_views, result_views, rating_views):
        monkeypatch.setattr(module, "get_own_attempt", any_attempt)
    monkeypatch.setattr(gradebook_views, "attempt_here", any_attempt)
    monkeypatch.setattr(gradebook_views, "may_see_key", lambda *_: True)
    monkeypatch.setattr(origins, "may_see_key", lambda *_: True)


def test_with_the_checks_removed_still_no_row_of_another_tenant(course: Course, no_checks: None) -> None:
    """The same addresses. That the checks are gone shows in what the other course of the same tenant gets."""
    strangers, neighbours = people_of(course, "another tenant"), people_of(course, "another course")
    wrong = []
    for address in with_ids(course.app):
        belongings = Belongings.of(another_course(course))
        before = belongings.rows()
        for name, person in strangers.items():
            for attempt_id in attempts_for(address, belongings):
                response = address.tried_by(person, belongings, attempt_id)
                role_is_wrong = response.status_code == 403 and "Code <code>ROLE</code>" in response.text
                if leaks(response) or not (response.status_code == 404 or role_is_wrong):
                    wrong.append(f"{address} by the {name} of another tenant: {response.status_code}")
        if belongings.rows() != before:
            wrong.append(f"{address} from another tenant changed something")
        reached = answers_to(address, neighbours, belongings)
        if not any(statuses - {401, 403, 404} for statuses in reached.values()):
            wrong.append(f"{address} has a check that no_checks leaves in place: {reached}")
    assert wrong == []


def test_it_is_postgresql_that_keeps_them_apart(course: Course, no_checks: None, owner_url: str) -> None:
    """The proof of the test before: with row-level security off as well, the other tenant reads it all."""
    belongings = Belongings.of(course)
    strangers = people_of(course, "another tenant")
    with psycopg.connect(owner_url) as connection:
        for (table,) in connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relrowsecurity").fetchall():
            connection.execute(sql.SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(sql.Identifier(table)))
    page = strangers["learner"].get(f"attempts/{belongings.attempt_ids[1]}/result")
    assert (page.status, PROMPT in page.text, ANSWER in page.text) == (200, True, True)


def test_a_page_that_asks_for_every_row_gets_those_of_its_tenant(course: Course) -> None:
    """What a query without any condition shows behind a launch."""
    other = Course.open(course.app, course.database, school="other")
    mine, theirs = Belongings.of(course), Belongings.of(other)
    for own, foreign in ((mine, theirs), (theirs, mine)):
        with own.course.transaction() as connection:
            quizzes = {row.id for row in fetch_all(connection, IdRow, "SELECT id FROM quizzes")}
            attempts = {row.id for row in fetch_all(connection, IdRow, "SELECT id FROM attempts")}
        assert own.quiz_id in quizzes
        assert foreign.quiz_id not in quizzes
        assert set(own.attempt_ids) <= attempts
        assert not set(foreign.attempt_ids) & attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRow:
    """Just a row's id."""

    id: object


# Places -----------------------------------------------------------------------------------------------------------


def another_course(course: Course) -> Course:
    """A fresh course of the same school."""
    return Course.open(course.app, course.database, platform_id=f"fresh-{next(_numbers)}")


def place_of(course: Course, elsewhere: str) -> Course:
    school = "other" if elsewhere == "another tenant" else "lms"
    return Course.open(course.app, course.database, school=school, platform_id=f"elsewhere-{next(_numbers)}")


def people_of(course: Course, elsewhere: str) -> dict[str, Person]:
    """Ada and Grace, but elsewhere: at a place with a quiz and attempts of its own."""
    if elsewhere != "another placement":
        people = Belongings.of(place_of(course, elsewhere)).people
        return {name: person for name, person in people.items() if name != "colleague"}
    link: dict[str, Callable[..., Person]] = {"learner": course.learner, "instructor": course.instructor}
    return {name: opens(resource_link_id="link-2") for name, opens in link.items()} | {"author": course.author()}
