"""Gradebook columns of placements: found, made at the press of a button, renamed with the quiz, or left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from config.settings import Settings
from lti_tool.gradebook import outbox, tasks
from lti_tool.gradebook.ags import LINE_ITEM_READ_SCOPE, LINE_ITEM_SCOPE, SCORE_SCOPE
from lti_tool.gradebook.columns import Columns
from lti_tool.gradebook.errors import PermissionMissing
from lti_tool.launch.launches import GradebookServices
from lti_tool.launch.platforms import add_platform
from lti_tool.platform_http import client
from lti_tool.submissions import views
from lti_tool.worker import TEND_COLUMN, Workbench
from tests.course_actors import Course, Page, Person
from tests.fake_platform import _launch_database, database_url

__all__ = ["_launch_database", "database_url"]


@dataclass
class ColumnServer:
    """A platform with columns; a PUT writes them whole, as Moodle does."""

    server: HTTPServer
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    refusal: Response | None = None

    def __post_init__(self) -> None:
        token = {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
        self.server.expect_request("/token", method="POST").respond_with_json(token)
        self.server.expect_request("/items").respond_with_handler(self._list)
        for number in range(1, 5):
            self.server.expect_request(f"/items/{number}").respond_with_handler(self._item)

    @property
    def list_url(self) -> str:
        return self.server.url_for("/items?type_id=3")

    def has(self, link: str = "link-1", **changes: Any) -> str:
        """Another column; its address."""
        url = self.server.url_for(f"/items/{len(self.items) + 1}?type_id=3")
        self.items[url] = {"id": url, "label": "Mine", "scoreMaximum": 1, "resourceLinkId": link} | changes
        return url

    def _list(self, request: Request) -> Response:
        self.log.append(request.method)
        if self.refusal is not None:
            return self.refusal
        if request.method == "GET":
            return Response(json.dumps(list(self.items.values())))
        url = self.has(**json.loads(request.data))
        return Response(json.dumps(self.items[url]), 201)

    def _item(self, request: Request) -> Response:
        self.log.append(request.method)
        if self.refusal is not None:
            return self.refusal
        if request.method == "PUT":
            self.items[request.url] = json.loads(request.data)
        return Response(json.dumps(self.items[request.url]))


@dataclass
class Gradebook:
    """A course whose launches name no column but the list of them."""

    course: Course
    lms: ColumnServer
    columns: Columns
    woken: list[tuple[str, int, int]]

    def services(self, *scopes: str) -> GradebookServices:
        granted = scopes or (SCORE_SCOPE, LINE_ITEM_SCOPE)
        return GradebookServices(line_item_url=None, line_items_url=self.lms.list_url, scopes=granted)

    def instructor(self, *scopes: str) -> Person:
        return self.course.instructor(ags=self.services(*scopes))

    def student_is_graded(self) -> None:
        student = self.course.learner(ags=self.services())
        page = student.get("quiz").submit("#begin-form")
        name = str(page.soup.select("textarea")[0]["name"])
        page.submit("#answers-form", {name: "Units are switched off.", "then": "hand-in"}).submit("#hand-in-form")
        self.course.grades(student)

    def link(self) -> dict[str, Any]:
        with self.course.transaction() as connection:
            row = connection.execute("SELECT to_jsonb(resource_links) FROM resource_links").fetchone()
        assert row is not None
        return row[0]

    def is_swept(self) -> bool:
        """What a sweep and the workers that it wakes for columns do; whether it woke any."""
        tasks.sweep()
        untended = [(registration, link) for name, registration, link in self.woken if name == TEND_COLUMN]
        self.woken.clear()
        for registration_id, link_id in untended:
            tasks.tend_column(registration_id, link_id)
        return bool(untended)

    def waits_ten_minutes(self) -> None:
        with self.course.transaction() as connection:
            connection.execute("UPDATE resource_links SET line_item_asked_at = line_item_asked_at - interval '11 min'")

    def renames_quiz(self, title: str) -> None:
        with self.course.transaction() as connection:
            connection.execute("UPDATE quizzes SET title = %s", (title,))


@pytest.fixture
def gradebook(
    course: Course, httpserver: HTTPServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gradebook]:
    monkeypatch.setattr(client, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    known = course.registration
    with course.database.across_tenants() as connection:
        course.registration = add_platform(
            connection,
            issuer=known.issuer,
            client_id=known.client_id,
            auth_login_url=httpserver.url_for("/auth"),
            auth_token_url=httpserver.url_for("/token"),
            jwks_url=httpserver.url_for("/jwks"),
            deployment_ids=["1"],
        )
    course.has_quiz()
    woken: list[tuple[str, int, int]] = []
    bench = Workbench(settings)
    monkeypatch.setattr(tasks, "workbench", lambda: bench)
    monkeypatch.setattr(tasks, "wake", lambda name, *ids: True)
    monkeypatch.setattr(tasks, "wake_each", lambda name, found: woken.extend((name, *row) for row in found))
    yield Gradebook(course, ColumnServer(httpserver), bench.delivery.columns, woken)
    bench.database.close()


def press(person: Person) -> Page:
    return person.get("results").submit("form[action$='/results/column']")


# The button -------------------------------------------------------------------------------------------------------


def test_an_instructor_makes_the_column_that_is_missing(gradebook: Gradebook) -> None:
    page = press(gradebook.instructor())
    assert "The gradebook column is there." in page.text
    assert "No gradebook column" not in page.text
    ((url, item),) = gradebook.lms.items.items()
    assert item == {
        "id": url,
        "label": "Regularisation",
        "scoreMaximum": 10,
        "resourceLinkId": "link-1",
        "resourceId": str(gradebook.course.quiz_id),
        "tag": "mlquiz",
    }
    assert gradebook.link()["line_item_url"] == url
    assert gradebook.lms.log == ["GET", "POST"], "it looks first"  # M10


def test_a_column_that_is_there_is_taken_and_stays_as_it_is(gradebook: Gradebook) -> None:
    gradebook.lms.has(link="another")
    gradebook.lms.has(tag="other")
    url = gradebook.lms.has(tag="mlquiz")
    press(gradebook.instructor())
    assert gradebook.link()["line_item_url"] == url  # M10
    gradebook.renames_quiz("Renamed")
    assert not gradebook.is_swept()
    assert gradebook.lms.items[url]["label"] == "Mine"
    assert set(gradebook.lms.log) == {"GET"}


def test_pressing_twice_makes_one_column(gradebook: Gradebook) -> None:
    person = gradebook.instructor()
    before = person.get("results")
    for _ in range(2):
        before.submit("form[action$='/results/column']")
    assert gradebook.lms.log == ["GET", "POST"]
    assert not person.get("results").soup.select("form[action$='/results/column']")


def test_the_next_launch_keeps_the_column(gradebook: Gradebook) -> None:
    press(gradebook.instructor())
    url = gradebook.link()["line_item_url"]
    page = gradebook.instructor().get("results")
    assert gradebook.link()["line_item_url"] == url
    assert "No gradebook column" not in page.text


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Response("", 403), "does not let this tool add a column"),
        (Response("", 503, headers={"Retry-After": "60"}), "Your LMS did not answer."),
        (Response("bad label", 400), "No column was added."),
    ],
    ids=["403", "503", "400"],
)
def test_what_is_in_the_way_is_said(gradebook: Gradebook, refusal: Response, words: str) -> None:
    gradebook.lms.refusal = refusal
    page = press(gradebook.instructor())
    assert words in page.text
    assert "Create the gradebook column" in page.text, "to try again"
    assert gradebook.link()["line_item_url"] is None


def test_two_pages_of_a_school_at_most_wait_for_its_platform(gradebook: Gradebook) -> None:
    turns = gradebook.course.app.extensions["mlquiz.gradebook"].turns
    tenant = gradebook.course.registration.id
    teacher = gradebook.instructor()
    with turns.turn(tenant), turns.turn(tenant), turns.turn(tenant + 1) as others:
        assert others
        assert "Your LMS did not answer." in press(teacher).text
        assert gradebook.lms.log == []
    assert "Your LMS did not answer." not in press(teacher).text
    assert gradebook.link()["line_item_url"] is not None


def test_the_button_is_only_there_where_it_can_work(gradebook: Gradebook) -> None:
    for scopes in ((SCORE_SCOPE,), (LINE_ITEM_SCOPE,), (SCORE_SCOPE, LINE_ITEM_READ_SCOPE)):
        assert not gradebook.instructor(*scopes).get("results").soup.select("form[action$='/results/column']")
    with pytest.raises(PermissionMissing):
        gradebook.columns.provide(gradebook.course.registration.id, gradebook.link()["id"])


def test_a_student_makes_no_column(gradebook: Gradebook) -> None:
    student = gradebook.course.learner(ags=gradebook.services())
    assert student.post("results/column", {"csrf_token": student.token()}).status == 403
    assert gradebook.lms.log == []


# The sweep --------------------------------------------------------------------------------------------------------


def test_the_sweep_finds_a_column_for_scores_that_wait(gradebook: Gradebook) -> None:
    gradebook.instructor()
    url = gradebook.lms.has()
    assert not gradebook.is_swept(), "no score waits"
    gradebook.student_is_graded()
    assert gradebook.is_swept()
    assert gradebook.link()["line_item_url"] == url
    assert not gradebook.is_swept()
    with gradebook.course.database.across_tenants() as connection:
        assert len(outbox.list_due_deliveries(connection)) == 1, "the next sweep queued the score"


def test_the_sweep_makes_no_column_and_asks_every_ten_minutes(gradebook: Gradebook) -> None:
    gradebook.student_is_graded()
    assert gradebook.is_swept()
    assert not gradebook.is_swept()
    assert gradebook.lms.items == {}
    gradebook.waits_ten_minutes()
    gradebook.lms.refusal = Response("down", 500)
    assert gradebook.is_swept()
    assert gradebook.link()["line_item_url"] is None
    assert not gradebook.is_swept()


def test_a_renamed_quiz_renames_the_column_that_we_made(gradebook: Gradebook) -> None:
    press(gradebook.instructor())
    (url,) = gradebook.lms.items
    gradebook.lms.items[url]["startDateTime"] = "2026-12-01T00:00:00Z"
    assert not gradebook.is_swept()
    gradebook.renames_quiz("Regularisation in short")
    with gradebook.course.transaction() as connection:
        connection.execute("UPDATE questions SET max_points = 7")
    gradebook.waits_ten_minutes()
    assert gradebook.is_swept()
    item = gradebook.lms.items[url]
    assert (item["label"], item["scoreMaximum"]) == ("Regularisation in short", 14)
    kept = ("startDateTime", "tag", "resourceId")
    assert all(name in item for name in kept), "what a PUT leaves out is wiped"  # M9
    gradebook.waits_ten_minutes()
    assert not gradebook.is_swept()


def test_a_column_that_is_no_longer_ours_to_change_is_left_alone(gradebook: Gradebook) -> None:
    press(gradebook.instructor())
    gradebook.renames_quiz("Renamed")
    gradebook.waits_ten_minutes()
    gradebook.lms.refusal = Response("down", 500)
    gradebook.is_swept()
    assert gradebook.link()["own_line_item_label"] == "Regularisation", "that may pass"
    gradebook.waits_ten_minutes()
    gradebook.lms.refusal = Response("", 403)
    gradebook.is_swept()
    assert gradebook.link()["own_line_item_url"] is None
    gradebook.waits_ten_minutes()
    assert not gradebook.is_swept()


def test_a_column_that_the_platform_names_in_a_launch_replaces_ours(gradebook: Gradebook) -> None:
    press(gradebook.instructor())
    other = gradebook.lms.has()
    named = GradebookServices(line_item_url=other, line_items_url=gradebook.lms.list_url, scopes=(SCORE_SCOPE,))
    gradebook.course.instructor(ags=named)
    gradebook.renames_quiz("Renamed")
    gradebook.waits_ten_minutes()
    assert not gradebook.is_swept()
    assert gradebook.link()["line_item_url"] == other
