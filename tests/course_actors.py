"""Actors for tests of pages: a course of a platform, and people in it who open launches and fill in forms.

A person uses plain links and forms, as a browser without scripts would. The launch itself is stored by the code that
a real launch uses; only the signed message before it is left out (tests of launches have that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Self
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from bs4 import BeautifulSoup, Tag
from flask import Flask, g
from flask.testing import FlaskClient
from psycopg import Connection
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from grading.domain import Assessment, Flag, KeyPointVerdict, Verdict
from lti_tool.db import Database, fetch_value
from lti_tool.gradebook import regrade_items
from lti_tool.gradebook.store import finish_attempt, record_model_grade
from lti_tool.launch import platforms
from lti_tool.launch.access import SESSION_COOKIE, csrf_token
from lti_tool.launch.launches import DEEP_LINKING, RESOURCE_LINK, DeepLinkingSettings, GradebookServices, Launch
from lti_tool.launch.platforms import Registration
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import start_session
from lti_tool.questions.store import NewKeyPoint, NewQuestion, add_quiz, get_grading_question
from lti_tool.submissions.store import mark_graded

SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
_numbers = count(1)


def make_question(prompt: str = "What is dropout?", **changes: object) -> NewQuestion:
    """A question with two key points, 5 points."""
    values: dict[str, object] = {
        "prompt": prompt,
        "max_points": Decimal(5),
        "model_answers": ("Dropout switches random units off while training. This prevents co-adaptation.",),
        "key_points": (
            NewKeyPoint(name="what happens", text="Random units are switched off in training.", weight=Decimal(2)),
            NewKeyPoint(name="why it helps", text="Units cannot co-adapt.", weight=Decimal(1)),
        ),
    }
    return NewQuestion(**values | changes)  # pyright: ignore[reportArgumentType]


@dataclass(slots=True)
class Page:
    """A page as a browser shows it."""

    person: Person
    response: TestResponse
    url: str
    soup: BeautifulSoup = field(init=False)

    def __post_init__(self) -> None:
        self.soup = BeautifulSoup(self.response.get_data(as_text=True), "html.parser")

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        """All visible words, blanks collapsed."""
        main = self.soup.find("main") or self.soup
        return " ".join(main.get_text(" ").split())

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def form(self, selector: str) -> Tag:
        found = self.soup.select_one(selector)
        assert found is not None, f"no form {selector} in {self.text[:500]}"
        return found

    def submit(self, selector: str, changes: Mapping[str, str | Sequence[str]] | None = None) -> Page:
        """Fill the form in and send it by its first button."""
        form = self.form(selector)
        values = _filled(form)
        for name, value in (changes or {}).items():
            values.setlist(name, [value] if isinstance(value, str) else list(value))
        target = urljoin(self.url, str(form.get("action") or self.url))
        if str(form.get("method", "get")).lower() == "get":
            return self.person.get(target, values)
        return self.person.post(target, values)

    def follow(self, words: str) -> Page:
        """Click the first link with these words."""
        for link in self.soup.find_all("a"):
            if words in " ".join(link.get_text(" ").split()):
                return self.person.get(urljoin(self.url, str(link["href"])))
        raise AssertionError(f"no link {words!r}")


def _filled(form: Tag) -> MultiDict[str, str]:
    """The values that a browser would send of an untouched form."""
    values: MultiDict[str, str] = MultiDict()
    for element in form.find_all(["input", "textarea", "select"]):
        name = element.get("name")
        if not name or element.has_attr("disabled"):
            continue
        if element.name == "textarea":
            values.add(str(name), element.get_text().removeprefix("\n"))
        elif element.name == "select":
            chosen = element.find("option", selected=True) or element.find("option")
            values.add(str(name), str(chosen["value"]) if chosen else "")
        elif element.get("type") in ("checkbox", "radio"):
            if element.has_attr("checked"):
                values.add(str(name), str(element.get("value", "on")))
        else:
            values.add(str(name), str(element.get("value", "")))
    return values


@dataclass(slots=True)
class Person:
    """Someone with an open launch."""

    client: FlaskClient
    launch_id: UUID
    secret: str
    sub: str

    def get(self, url: str = "", values: Mapping[str, str] | None = None) -> Page:
        """Open an address, relative to the launch, and follow redirects."""
        response = self.client.get(self._path(url), query_string=values or None, follow_redirects=True)
        return Page(self, response, response.request.url)

    def post(self, url: str, values: Mapping[str, object] | None = None) -> Page:
        """Send fields; the form token must be among them."""
        response = self.client.post(self._path(url), data=values, follow_redirects=True)
        return Page(self, response, response.request.url)

    def token(self) -> str:
        """The form token of this launch."""
        with self.client.application.test_request_context():
            g.launch_secret = self.secret
            return csrf_token()

    def _path(self, url: str) -> str:
        parts = urlsplit(urljoin(f"/launches/{self.launch_id}/", url))
        return parts.path + (f"?{parts.query}" if parts.query else "")


@dataclass(slots=True)
class Course:
    """A course with one placement of a quiz."""

    app: Flask
    database: Database
    registration: Registration
    platform_id: str
    quiz_id: UUID | None = None
    line_item_url: str | None = "https://lms.example.edu/items/1"
    scopes: tuple[str, ...] = (SCORE_SCOPE,)

    @classmethod
    def open(cls, app: Flask, database: Database, *, school: str = "lms", **changes: object) -> Self:
        """A new course of a school; a school is a tenant."""
        site = f"https://{school}.example.edu"
        with database.across_tenants() as connection:
            registration = platforms.add_platform(
                connection,
                issuer=site,
                client_id="client-1",
                auth_login_url=f"{site}/auth",
                auth_token_url=f"{site}/token",
                jwks_url=f"{site}/jwks",
                deployment_ids=["1"],
            )
        values: dict[str, object] = {"platform_id": f"course-{next(_numbers)}"}
        return cls(app, database, registration, **values | changes)  # pyright: ignore[reportArgumentType]

    def transaction(self) -> AbstractContextManager[Connection]:
        """A transaction of the course's tenant."""
        return self.database.transaction(self.registration.id)

    def launch(
        self,
        role: Role,
        sub: str,
        *,
        deep_linking: bool = False,
        offered: Mapping[str, object] | None = None,
        **changes: object,
    ) -> Person:
        """Someone opens the tool; ``offered`` changes what a deep linking request accepts."""
        accepted: dict[str, object] = {
            "return_url": "https://lms.example.edu/return",
            "accepts_multiple": False,
            "accepts_line_item": True,
            "title": "",
            "text": "",
            "has_data": False,
        }
        settings = DeepLinkingSettings(**accepted | dict(offered or {}))  # pyright: ignore[reportArgumentType]
        ags = GradebookServices(
            line_item_url=self.line_item_url, line_items_url="https://lms.example.edu/items", scopes=self.scopes
        )
        values: dict[str, object] = {
            "registration_id": self.registration.id,
            "deployment_id": "1",
            "message_type": DEEP_LINKING if deep_linking else RESOURCE_LINK,
            "sub": sub,
            "name": sub.replace("-", " ").title(),
            "is_test_user": False,
            "role": role,
            "context_id": self.platform_id,
            "context_title": "Machine learning 101",
            "resource_link_id": None if deep_linking else "link-1",
            "resource_link_title": "",
            "quiz_id": None if deep_linking else self.quiz_id,
            "target_link_uri": "http://localhost/lti/launch",
            "ags": ags if self.line_item_url else None,
            "deep_linking": settings if deep_linking else None,
            "locale": "en",
            "issued_at": datetime.now(UTC),
        }
        with self.transaction() as connection:
            launch = Launch(**values | changes)  # pyright: ignore[reportArgumentType]
            launch_id, secret = start_session(connection, launch, self.registration)
        client = self.app.test_client()
        client.set_cookie(SESSION_COOKIE, secret, path=f"/launches/{launch_id}/")
        return Person(client, launch_id, secret, sub)

    def instructor(self, sub: str = "grace-hopper", **changes: object) -> Person:
        """An instructor opens the placement."""
        return self.launch(Role.INSTRUCTOR, sub, **changes)  # pyright: ignore[reportArgumentType]

    def author(self, sub: str = "grace-hopper", **changes: object) -> Person:
        """An instructor picks content for the course (deep linking)."""
        return self.launch(Role.INSTRUCTOR, sub, deep_linking=True, **changes)  # pyright: ignore[reportArgumentType]

    def learner(self, sub: str = "ada-lovelace", **changes: object) -> Person:
        """A student opens the placement."""
        return self.launch(Role.LEARNER, sub, **changes)  # pyright: ignore[reportArgumentType]

    def has_quiz(self, *questions: NewQuestion, **changes: object) -> UUID:
        """The placement gets a quiz of these questions (default: two)."""
        self.author()  # the first launch makes the course known
        with self.transaction() as connection:
            values: dict[str, object] = {
                "title": "Regularisation",
                "language": "en",
                "questions": questions or (make_question(), make_question("What is early stopping?")),
            }
            self.quiz_id = add_quiz(connection, context_id=self.context_id(connection), **values | changes)  # pyright: ignore[reportArgumentType]
        return self.quiz_id

    def context_id(self, connection: Connection) -> int:
        """Our number of this course."""
        found = fetch_value(connection, "SELECT id FROM contexts WHERE platform_context_id = %s", self.platform_id)
        assert isinstance(found, int)
        return found

    def grades(
        self, person: Person, *, fraction: float = 0.5, confidence: float = 0.9, flags: frozenset[Flag] = frozenset()
    ) -> None:
        """What a worker does with everything that this person handed in: a grade each, and the attempt is finished."""
        with self.transaction() as connection:
            rows = connection.execute(
                "SELECT submissions.id, attempt_id, max_points FROM submissions"
                " JOIN attempts ON attempts.id = attempt_id JOIN users ON users.id = user_id"
                " JOIN questions ON questions.id = question_id WHERE sub = %s AND submissions.status = 'RECEIVED'",
                (person.sub,),
            ).fetchall()
            assert rows, "nothing was handed in"
            for submission_id, attempt_id, max_points in rows:
                points = Decimal(str(fraction)) * max_points
                assessment = replace(make_assessment(fraction=fraction, confidence=confidence), flags=flags)
                names = dict(
                    connection.execute(
                        "SELECT position, name FROM key_points JOIN submissions USING (question_id)"
                        " WHERE submissions.id = %s",
                        (submission_id,),
                    ).fetchall()
                )
                record_model_grade(
                    connection,
                    submission_id,
                    assessment,
                    points=points,
                    explanation="You said what happens.",
                    names=names,
                )
                mark_graded(connection, submission_id)
                finish_attempt(connection, attempt_id, explanation_wait_seconds=60)

    def grades_again(self, *, fraction: float = 0.8) -> None:
        """What a worker does where the grader finds this for every answer that is to be graded again."""
        with self.transaction() as connection:
            (regrade_id,) = connection.execute("SELECT id FROM regrades WHERE status = 'COMPUTING'").fetchone() or (0,)
            while begun := regrade_items.begin_items(connection, regrade_id):
                for work in regrade_items.lock_items(connection, regrade_id, begun):
                    regrade_items.record_new_score(
                        connection,
                        regrade_id,
                        work.submission_id,
                        get_grading_question(connection, work.question_id),
                        make_assessment(fraction=fraction),
                        points=Decimal(str(fraction)) * work.max_points,
                        explanation="Now you said it all.",
                    )
            regrade_items.finish_computing(connection, regrade_id)


def make_assessment(*, fraction: float = 0.5, confidence: float = 0.9) -> Assessment:
    """What the grader might find: the first key point covered, the second missing."""
    return Assessment(
        fraction=fraction,
        low=max(0.0, fraction - 0.1),
        high=min(1.0, fraction + 0.1),
        confidence=confidence,
        verdicts=(
            KeyPointVerdict(position=0, verdict=Verdict.COVERED, similarity=0.9, evidence="units are switched off"),
            KeyPointVerdict(position=1, verdict=Verdict.MISSING, similarity=0.4),
        ),
        versions={"encoder": "test"},
    )
