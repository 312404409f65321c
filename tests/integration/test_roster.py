"""Class lists: read from platforms of every manner, asked for with moderation, and who has not answered yet."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from config.settings import Settings
from lti_tool.errors import ServiceError
from lti_tool.gradebook.errors import PermissionMissing, ServiceAway
from lti_tool.gradebook.roster import MEMBERSHIPS_SCOPE, RosterClient
from lti_tool.launch.platforms import add_platform
from lti_tool.launch.roles import Role
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp, client
from lti_tool.submissions import views
from tests.course_actors import Course, Page, Person
from tests.fake_platform import _launch_database, database_url

__all__ = ["_launch_database", "database_url"]

PATH = "/services/CourseSection/2/bindings/1/memberships"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


@dataclass
class ClassListServer:
    """A platform that lists ``members`` in pages of ``page_length``; ``answer`` replaces the list."""

    server: HTTPServer
    members: list[dict[str, Any]] = field(default_factory=list)
    page_length: int = 100
    answer: Callable[[Request], Response] | None = None
    token_answer: Response | None = None
    requests: list[Request] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request("/token", method="POST").respond_with_handler(self._token)
        self.server.expect_request(PATH, method="GET").respond_with_handler(self._page)

    @property
    def url(self) -> str:
        return self.server.url_for(PATH)

    def _token(self, request: Request) -> Response:
        self.scopes.append(request.form["scope"])
        if self.token_answer is not None:
            return self.token_answer
        return Response(json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 3600}))

    def _page(self, request: Request) -> Response:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer(request)
        start = int(request.args.get("from", 0))
        body = {"id": self.url, "context": {"id": "2"}, "members": self.members[start : start + self.page_length]}
        response = Response(json.dumps(body), content_type="application/vnd.ims.lti-nrps.v2.membershipcontainer+json")
        if start + self.page_length < len(self.members):
            following = f"{self.url}?limit={self.page_length}&from={start + self.page_length}"
            response.headers["link"] = f"<{following}>; rel=“next”".encode().decode("latin-1")
        return response


def student(number: int, **changes: Any) -> dict[str, Any]:
    return {"status": "Active", "user_id": f"u{number}", "name": f"Student {number:02}", "roles": ["Learner"]} | changes


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


@pytest.fixture
def lms(course: Course, httpserver: HTTPServer) -> ClassListServer:
    made = ClassListServer(httpserver)
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
    return made


@pytest.fixture
def roster(course: Course, lms: ClassListServer, settings: Settings) -> RosterClient:
    http = PlatformHttp(settings)
    return RosterClient(course.registration, http, TokenSource(http, course.database, "s" * 40))


# The service ------------------------------------------------------------------------------------------------------


def test_all_pages_are_read_each_person_once(roster: RosterClient, lms: ClassListServer) -> None:
    lms.members = [student(number) for number in range(250)]
    lms.members[150] = student(3)  # C22: Canvas repeats people across pages
    members = roster.list_members(lms.url)
    assert len(members) == 249
    assert members[0].user_sub == "u0"
    assert (members[0].name, members[0].role, members[0].is_test_user) == ("Student 00", Role.LEARNER, False)
    assert [request.args["limit"] for request in lms.requests] == ["100", "100", "100"]
    assert all("/CourseSection/" in request.path for request in lms.requests)  # M12
    assert lms.scopes == [MEMBERSHIPS_SCOPE]
    assert lms.requests[0].headers["Accept"] == "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
    assert lms.requests[0].headers["User-Agent"].startswith("mlquiz/")  # C23


def test_a_list_without_end_is_cut_off(roster: RosterClient, lms: ClassListServer) -> None:
    lms.members, lms.page_length = [student(number) for number in range(60)], 2
    assert len(roster.list_members(lms.url)) == 40
    assert len(lms.requests) == 20


def test_roles_are_bare_or_full_names_of_the_course(roster: RosterClient, lms: ClassListServer) -> None:
    assistant = "http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant"
    expected = [
        (["Learner"], Role.LEARNER),
        ([LEARNER], Role.LEARNER),
        (["Instructor"], Role.INSTRUCTOR),
        (["Learner", assistant], Role.INSTRUCTOR),
        (["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor", "Learner"], Role.LEARNER),
        (["Mentor"], Role.NONE),
        ([], Role.NONE),
    ]
    lms.members = [student(number, roles=roles) for number, (roles, _) in enumerate(expected)]
    assert [member.role for member in roster.list_members(lms.url)] == [role for _, role in expected]


def test_who_left_is_not_listed_and_who_teaches_on_any_page_teaches(roster: RosterClient, lms: ClassListServer) -> None:
    lms.members = [
        student(1, status="Inactive"),
        student(2, status="Deleted"),
        student(3, status="active"),
        {"user_id": 4, "roles": ["Learner"], "given_name": "Ada", "family_name": "Lovelace"},
        student(5),
        student(5, roles=["Instructor"], name=None),
        student(6, user_id="a\x00b"),
        student(7, user_id="x" * 256),
        student(8, name="Eve\u202e\x07"),
    ]
    members = {member.user_sub: member for member in roster.list_members(lms.url)}
    assert set(members) == {"u3", "4", "u5", "u8"}
    assert members["4"].name == "Ada Lovelace"
    assert (members["u5"].role, members["u5"].name) == (Role.INSTRUCTOR, "Student 05")
    assert members["u8"].name == "Eve"


def test_the_people_of_one_placement_are_asked_for_by_its_id(roster: RosterClient, lms: ClassListServer) -> None:
    roster.list_members(lms.url, resource_link_id="link 1&x")
    assert dict(lms.requests[0].args) == {"rlid": "link 1&x", "limit": "100"}


def test_what_is_no_class_list_says_why(roster: RosterClient, lms: ClassListServer) -> None:
    answers: list[tuple[Response, type[ServiceError], bool]] = [
        (Response("", 403), PermissionMissing, True),
        (Response("", 401), PermissionMissing, False),
        (Response("down", 500), ServiceAway, False),
        (Response("<html>"), ServiceAway, False),
        (Response('{"members": "x"}'), ServiceAway, False),
        (Response('{"members": [{"roles": []}]}'), ServiceAway, False),
        (Response("", 400), ServiceError, True),
    ]
    for answer, error, permanent in answers:
        lms.answer = lambda request, answer=answer: answer
        with pytest.raises(error) as refusal:
            roster.list_members(lms.url)
        assert refusal.value.permanent is permanent, answer.status


def test_pages_on_other_hosts_are_not_followed(roster: RosterClient, lms: ClassListServer) -> None:
    elsewhere = '<http://127.0.0.9/memberships>; rel="next"'
    lms.answer = lambda request: Response(json.dumps({"members": [student(1)]}), headers={"Link": elsewhere})
    assert len(roster.list_members(lms.url)) == 1


# The results page -------------------------------------------------------------------------------------------------


def teacher(course: Course, lms: ClassListServer) -> Person:
    """An instructor whose launch brings the address of the class list."""
    return course.instructor(memberships_url=lms.url)


def hands_in(person: Person) -> None:
    page = person.get("quiz").submit("#begin-form")
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: "Units are switched off.", "then": "hand-in"}).submit("#hand-in-form")


def parts(person: Person) -> Page:
    """The part about the class, as the page's script fetches it."""
    return person.get("results/class")


def names(page: Page) -> list[str]:
    return [" ".join(item.get_text(" ").split()) for item in page.soup.select("ul.names li")]


def test_the_page_itself_waits_for_no_platform(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    page = teacher(course, lms).get("results")
    assert "Asking your LMS for the class list" in page.text
    region = page.form("[data-live$='/results/class']")
    marker = region.select_one("[data-next]")
    assert marker is not None
    assert marker["data-next"] == "0.1", "the script asks at once"
    assert lms.requests == []


def test_who_has_not_answered_yet(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    hands_in(course.learner("u1"))
    course.learner("u2").get("quiz").submit("#begin-form")
    lms.members = [
        *(student(number) for number in (3, 1, 2)),
        student(9, roles=["Instructor"]),
        student(8, roles=["Learner", "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"]),
        student(7, status="Inactive"),
    ]
    page = parts(teacher(course, lms))
    assert names(page) == ["Student 02 answering", "Student 03"]
    assert "2 of 3 students, as of" in page.text
    assert page.form("[data-next]")["data-next"] == "30"


def test_an_answer_that_comes_in_is_counted_without_asking_again(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    lms.members = [student(1), student(2)]
    instructor = teacher(course, lms)
    assert names(parts(instructor)) == ["Student 01", "Student 02"]
    hands_in(course.learner("u1"))
    assert names(parts(instructor)) == ["Student 02"]
    hands_in(course.learner("u2"))
    assert "Everybody has answered." in parts(instructor).text
    assert len(lms.requests) == 1


def test_tries_of_instructors_and_test_users_are_no_answers(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    hands_in(course.instructor("u1"))
    hands_in(course.learner("u2", is_test_user=True))
    lms.members = [student(1), student(2), student(3)]
    page = parts(teacher(course, lms))
    assert names(page) == ["Student 01", "Student 03"]
    assert "2 of 2 students" in page.text


def test_answers_at_another_placement_do_not_count_here(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    lms.members = [student(1)]
    hands_in(course.learner("u1", resource_link_id="link-2"))
    assert names(parts(teacher(course, lms))) == ["Student 01"]


def test_without_names_there_are_pseudonyms_and_a_count(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    course.learner("u1", name=None).get("quiz").submit("#begin-form")
    lms.members = [student(number, name=None) for number in (1, 2, 3)]
    page = parts(teacher(course, lms))
    assert len(names(page)) == 1
    assert names(page)[0].startswith("Student ")
    assert "2 students whose names your LMS keeps back" in page.text
    assert "u2" not in page.text


def test_who_left_the_course_keeps_their_results(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    hands_in(course.learner("u1", name="Blaise Pascal"))
    lms.members = [student(2)]
    instructor = teacher(course, lms)
    parts(instructor)
    page = instructor.get("results")
    assert "Blaise Pascal" in page.text
    assert names(page) == ["Student 02"]


def test_only_students_are_stored(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    lms.members = [student(1, email="a@example.org"), student(2, roles=["Instructor"])]
    parts(teacher(course, lms))
    with course.transaction() as connection:
        (stored,) = connection.execute("SELECT members FROM rosters").fetchone() or (None,)
    assert stored == [{"sub": "u1", "name": "Student 01"}]


def test_names_of_the_platform_are_data(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    lms.members = [student(1, name="<img src=x onerror=alert(1)>")]
    page = parts(teacher(course, lms))
    assert names(page) == ["<img src=x onerror=alert(1)>"]
    assert not page.soup.select("img")


def test_a_course_is_asked_once_a_minute_whoever_asks(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    lms.members = [student(1)]
    first, second = teacher(course, lms), teacher(course, lms)
    parts(first)
    for person in (first, second):
        page = person.get("results").submit("form[action$='/results/class']")
        assert page.path.endswith("/results")
    assert len(lms.requests) == 1
    age(course, "61 seconds")
    lms.members = [student(1), student(2)]
    page = second.get("results").submit("form[action$='/results/class']")
    assert names(page) == ["Student 01", "Student 02"]
    assert len(lms.requests) == 2


def test_a_page_without_a_turn_looks_again_in_a_moment(course: Course, lms: ClassListServer) -> None:
    person = teacher(course, lms)
    turns = course.app.extensions["mlquiz.gradebook"].turns
    with turns.turn(course.registration.id), turns.turn(course.registration.id):
        page = parts(person)
        assert [each["data-next"] for each in page.soup.select("[data-next]")] == ["2"]
        assert "Asking your LMS for the class list" in page.soup.get_text()
    assert parts(person).soup.select_one("[data-next]")["data-next"] == "30"  # pyright: ignore[reportOptionalSubscript]


def test_two_who_look_at_once_ask_once(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    lms.members = [student(1)]
    lms.answer = lambda request: (time.sleep(0.3), Response(json.dumps({"members": lms.members})))[1]
    people = [teacher(course, lms) for _ in range(3)]
    pages: list[Page] = []
    threads = [threading.Thread(target=lambda one=one: pages.append(parts(one))) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(lms.requests) == 1
    assert sorted("Asking your LMS" in page.text for page in pages) == [False, True, True]


def test_an_old_list_is_asked_for_again_when_the_page_is_looked_at(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    instructor = teacher(course, lms)
    lms.members = [student(1)]
    parts(instructor)
    age(course, "11 minutes")
    lms.members = []
    assert "lists no students" in parts(instructor).text


def test_a_platform_that_is_away_leaves_the_last_list_with_its_time(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    instructor = teacher(course, lms)
    lms.members = [student(1)]
    parts(instructor)
    age(course, "11 minutes")
    lms.answer = lambda request: Response("down", 503)
    page = parts(instructor)
    assert "Your LMS did not answer." in page.text
    assert "class list as of 20" in page.text
    assert names(page) == ["Student 01"]
    age(course, "61 seconds")
    lms.answer = None
    assert "1 of 1 students, as of" in parts(instructor).text


def test_a_missing_permission_says_what_to_do_and_is_not_asked_for_all_the_time(
    course: Course, lms: ClassListServer
) -> None:
    course.has_quiz()
    instructor = teacher(course, lms)
    lms.token_answer = Response('{"error": "invalid_scope"}', 400)
    page = parts(instructor)
    assert "does not let this tool read the class list" in page.text
    assert "retrieve members" in page.text
    age(course, "2 minutes")
    parts(instructor)
    assert len(lms.scopes) == 1
    lms.token_answer = None
    lms.members = [student(1)]
    assert names(instructor.get("results").submit("form[action$='/results/class']")) == ["Student 01"]


def test_a_launch_without_the_service_says_what_to_do(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    instructor = course.instructor()
    page = instructor.get("results")
    assert "does not share its class list" in page.text
    assert not page.soup.select("form[action$='/results/class']")
    assert "does not share" in parts(instructor).text
    instructor.post("results/class", {"csrf_token": instructor.token()})
    assert lms.scopes == []


def test_the_class_is_for_instructors(course: Course, lms: ClassListServer) -> None:
    course.has_quiz()
    learner = course.learner(memberships_url=lms.url)
    assert learner.get("results/class").status == 403
    assert learner.post("results/class", {"csrf_token": learner.token()}).status == 403
    assert teacher(course, lms).post("results/class", {}).status == 403, "without the form's token"
    assert lms.requests == []


def age(course: Course, interval: str) -> None:
    with course.transaction() as connection:
        connection.execute(
            "UPDATE rosters SET asked_at = asked_at - %s::interval, fetched_at = fetched_at - %s::interval",
            (interval, interval),
        )
