"""Scores and results as a platform sees and answers them. Letters in brackets: rules of Moodle (M) and Canvas (C)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.errors import ServiceError
from lti_tool.gradebook.ags import (
    LINE_ITEM_READ_SCOPE,
    LINE_ITEM_SCOPE,
    MAX_COMMENT,
    RESULT_SCOPE,
    SCORE_SCOPE,
    AgsClient,
    Score,
    plain_comment,
)
from lti_tool.gradebook.errors import (
    AttemptsExhausted,
    ClockBehind,
    OwnedByPlatform,
    PermissionMissing,
    ServiceAway,
    ServiceMissing,
    StaleTimestamp,
)
from lti_tool.gradebook.services import extended_path
from lti_tool.launch import platforms
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp, retry_after_seconds
from tests.fake_platform import FakePlatform, _launch_database, database_url, platform

__all__ = ["_launch_database", "database_url", "platform"]

SECRET = "a test's secret of more than thirty-two characters"
SENT_AT = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)
CANVAS = "https://canvas.instructure.com/lti/submission"


class Gradebook:
    """A platform's token endpoint and one line item; keeps what it was sent."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/mod/lineitems/4/lineitem") + "?type_id=2"
        self.list_url = server.url_for("/mod/lineitems") + "?type_id=2"
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.scopes: list[str] = []
        self.answers: list[Response] = []
        server.expect_request("/token.php").respond_with_handler(self._token)
        server.expect_request("/mod/lineitems/4/lineitem/scores", method="POST").respond_with_handler(self._answer)
        server.expect_request("/mod/lineitems/4/lineitem/results", method="GET").respond_with_handler(self._answer)
        server.expect_request("/mod/lineitems", method="GET").respond_with_handler(self._answer)
        server.expect_request("/mod/lineitems", method="POST").respond_with_handler(self._answer)
        server.expect_request("/mod/lineitems/4/lineitem").respond_with_handler(self._answer)

    @property
    def score(self) -> dict[str, Any]:
        return json.loads(self.bodies[-1])

    def _token(self, request: Request) -> Response:
        self.scopes.append(request.form["scope"])
        return Response(json.dumps({"access_token": f"token-{len(self.scopes)}", "token_type": "bearer"}))

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        self.bodies.append(request.get_data())
        return self.answers.pop(0) if self.answers else Response("[]")


@pytest.fixture
def gradebook(httpserver: HTTPServer) -> Gradebook:
    return Gradebook(httpserver)


def make_client(platform: FakePlatform, settings: Settings, database: Database, family: str) -> AgsClient:
    registration = platform.registration
    with database.across_tenants() as connection:
        registration = platforms.add_platform(
            connection,
            issuer=registration.issuer,
            client_id=registration.client_id,
            auth_login_url=registration.auth_login_url,
            auth_token_url=registration.auth_token_url,
            jwks_url=registration.jwks_url,
            family=family,
        )
    http = PlatformHttp(settings)
    return AgsClient(registration, http, TokenSource(http, database, SECRET))


@pytest.fixture
def moodle(platform: FakePlatform, settings: Settings, database: Database) -> AgsClient:
    return make_client(platform, settings, database, "moodle")


@pytest.fixture
def canvas(platform: FakePlatform, settings: Settings, database: Database) -> AgsClient:
    return make_client(platform, settings, database, "canvas")


def make_score(**changes: Any) -> Score:
    values: dict[str, Any] = {
        "user_sub": "student-1",
        "score_given": Decimal("7.5"),
        "score_maximum": Decimal(10),
        "comment": "Good.",
        "timestamp": SENT_AT,
        "submitted_at": SENT_AT - timedelta(minutes=5),
    }
    return Score(**(values | changes))


# What is sent -----------------------------------------------------------------------------------------------------


def test_a_score_on_moodle(moodle: AgsClient, gradebook: Gradebook) -> None:
    moodle.post_score(gradebook.url, make_score())
    (request,) = gradebook.requests
    assert request.full_path == "/mod/lineitems/4/lineitem/scores?type_id=2"  # M1
    assert request.headers["Content-Type"] == "application/vnd.ims.lis.v1.score+json"  # M2
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["User-Agent"].startswith("mlquiz/")  # C23
    assert gradebook.score == {
        "userId": "student-1",
        "scoreGiven": 7.5,
        "scoreMaximum": 10,
        "comment": "Good.",
        "timestamp": "2026-11-23T01:02:03.456+00:00",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
        "submission": {"submittedAt": "2026-11-23T00:57:03.456+00:00"},
    }
    assert gradebook.scopes == [SCORE_SCOPE]


def test_a_score_on_canvas_makes_no_new_submission_and_spares_the_teachers_grade(
    canvas: AgsClient, gradebook: Gradebook
) -> None:
    canvas.post_score(gradebook.url, make_score())
    assert gradebook.score[CANVAS] == {
        "new_submission": False,  # C8
        "prioritize_non_tool_grade": True,  # C11
        "submitted_at": "2026-11-23T00:57:03.456+00:00",  # C13
    }


def test_canvas_is_told_that_a_grade_is_our_own_and_keeps_one_that_a_pending_score_would_clear(
    canvas: AgsClient, gradebook: Gradebook
) -> None:
    canvas.post_score(gradebook.url, make_score(replaces_own=True))
    assert gradebook.score[CANVAS]["prioritize_non_tool_grade"] is False  # C11
    assert "preserve_score" not in gradebook.score[CANVAS]  # C10: with it no score is written, final or not
    canvas.post_score(gradebook.url, make_score(grading_progress="Pending"))
    assert gradebook.score[CANVAS]["preserve_score"] is True


@pytest.mark.parametrize(
    ("given", "sent"),
    [("0", "0"), ("0.0000", "0"), ("3.33333333", "3.3333"), ("10", "10"), ("0.1", "0.1"), ("2.50", "2.5")],
)
def test_points_are_numbers_of_four_decimals_and_zero_is_one(
    moodle: AgsClient, gradebook: Gradebook, given: str, sent: str
) -> None:
    moodle.post_score(gradebook.url, make_score(score_given=Decimal(given)))
    assert f'"scoreGiven": {sent},'.encode() in gradebook.bodies[-1]  # M8


def test_a_submission_is_never_later_than_its_score(canvas: AgsClient, gradebook: Gradebook) -> None:
    canvas.post_score(gradebook.url, make_score(submitted_at=SENT_AT + timedelta(minutes=3)))
    assert gradebook.score[CANVAS]["submitted_at"] == gradebook.score["timestamp"]  # C9


def test_times_of_other_zones_are_sent_as_the_same_moment(moodle: AgsClient, gradebook: Gradebook) -> None:
    from datetime import timezone

    seoul = SENT_AT.astimezone(timezone(timedelta(hours=9)))
    moodle.post_score(gradebook.url, make_score(timestamp=seoul, submitted_at=None))
    assert gradebook.score["timestamp"] == "2026-11-23T01:02:03.456+00:00"
    assert "submission" not in gradebook.score


def test_a_score_that_is_not_final_never_reaches_moodle(moodle: AgsClient, gradebook: Gradebook) -> None:
    with pytest.raises(ServiceError) as refusal:
        moodle.post_score(gradebook.url, make_score(grading_progress="Pending"))
    assert refusal.value.permanent  # M5
    assert gradebook.requests == []


def test_an_empty_comment_is_left_out(moodle: AgsClient, gradebook: Gradebook) -> None:
    moodle.post_score(gradebook.url, make_score(comment=None))
    assert "comment" not in gradebook.score


def test_comments_are_plain_and_bounded() -> None:
    assert plain_comment("a\r\nb\x07\x00c\ud800") == "a\nbc"  # M7
    assert plain_comment("<b>x < y</b>") == "<b>x < y</b>"
    long = plain_comment("x" * (MAX_COMMENT + 5))
    assert len(long) == MAX_COMMENT
    assert long.endswith("x…")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/item", "https://a.example/item/scores"),
        ("https://a.example/item/", "https://a.example/item/scores"),
        ("https://a.example/item?type_id=2", "https://a.example/item/scores?type_id=2"),
        ("https://a.example/item/?a=%2F&b=#part", "https://a.example/item/scores?a=%2F&b="),
    ],
)
def test_the_path_grows_before_the_query(url: str, expected: str) -> None:
    assert extended_path(url, "scores") == expected


ANSWER_URL = "https://quiz.example.edu/lti/launch?quiz=q&attempt=3"


def test_the_first_score_of_an_answer_on_canvas_is_a_submission_that_opens_it(
    canvas: AgsClient, gradebook: Gradebook
) -> None:
    canvas.post_score(gradebook.url, make_score(submission_url=ANSWER_URL))
    assert gradebook.score[CANVAS] == {
        "new_submission": True,  # C8, C14: Canvas takes the address with a new submission only
        "submission_type": "basic_lti_launch",
        "submission_data": ANSWER_URL,
        "prioritize_non_tool_grade": True,
        "submitted_at": "2026-11-23T00:57:03.456+00:00",
    }


def test_other_platforms_are_not_told_of_it(moodle: AgsClient, gradebook: Gradebook) -> None:
    moodle.post_score(gradebook.url, make_score(submission_url=ANSWER_URL))
    assert set(gradebook.score) & {CANVAS, "submission"} == {"submission"}


def test_a_score_counts_where_no_further_submission_is_taken(canvas: AgsClient, gradebook: Gradebook) -> None:
    exhausted = "The maximum number of allowed attempts has been reached for this submission"
    gradebook.answers.append(Response(exhausted, status=422))  # C8
    canvas.post_score(gradebook.url, make_score(submission_url=ANSWER_URL))
    first, second = (json.loads(body)[CANVAS] for body in gradebook.bodies)
    assert first["new_submission"] is True
    assert second["new_submission"] is False
    assert "submission_data" not in second
    gradebook.answers.append(Response(exhausted, status=422))
    with pytest.raises(AttemptsExhausted, match="no attempts left"):
        canvas.post_score(gradebook.url, make_score())


def test_a_clock_that_is_behind_is_told_its_own_present(
    canvas: AgsClient, gradebook: Gradebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted_at = datetime.now(UTC) - timedelta(seconds=30)
    score = make_score(submitted_at=submitted_at, timestamp=submitted_at + timedelta(seconds=20))
    monkeypatch.setattr(PlatformHttp, "lag_of", lambda self, url: timedelta(minutes=3))
    gradebook.answers.append(Response("Provided submitted_at timestamp of 2026 in the future", status=400))
    canvas.post_score(gradebook.url, score)
    told = datetime.fromisoformat(gradebook.score["submission"]["submittedAt"])
    assert abs(told - (datetime.now(UTC) - timedelta(minutes=3))) < timedelta(seconds=5)  # C9
    first, second = (json.loads(body)["timestamp"] for body in gradebook.bodies)
    assert first == second, "scores must not grow older: the timestamp stays"


def test_a_future_that_the_platforms_clock_does_not_explain_is_tried_again_later(
    canvas: AgsClient, gradebook: Gradebook
) -> None:
    gradebook.answers.append(Response("Provided submitted_at timestamp of 2026 in the future", status=400))
    with pytest.raises(ClockBehind) as refusal:
        canvas.post_score(gradebook.url, make_score())
    assert not refusal.value.permanent
    assert len(gradebook.bodies) == 1


# What comes back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "permanent", "words"),
    [
        (Response("user not enrolled", status=400), True, "not an enrolled student"),  # M3
        (Response("", status=403), True, "permissions"),
        (Response("", status=404), True, "no longer exists"),
        (Response("max attempts", status=422), True, "no attempts left"),  # C8
        (Response("", status=418), True, "418"),
        (Response("", status=429, headers={"Retry-After": "17"}), False, "busy"),
        (Response("", status=500), False, "busy"),
        (Response("", status=503), False, "busy"),
        (Response("403 Forbidden (Rate Limit Exceeded)", status=403), False, "busy"),  # C17
        (Response("", status=403, headers={"x-rate-limit-remaining": "0.0"}), False, "busy"),  # C17, C24
        (Response("", status=302, headers={"Location": "/elsewhere"}), True, "302"),
    ],
)
def test_what_an_answer_means_for_the_delivery(
    moodle: AgsClient, gradebook: Gradebook, answer: Response, permanent: bool, words: str
) -> None:
    gradebook.answers.append(answer)
    with pytest.raises(ServiceError, match=words) as refusal:
        moodle.post_score(gradebook.url, make_score())
    assert refusal.value.permanent is permanent
    assert not isinstance(refusal.value, StaleTimestamp)
    assert refusal.value.retry_after_seconds == (17 if answer.status_code == 429 else None)


@pytest.mark.parametrize(
    "answer",
    [
        Response("", status=409),  # M4
        Response("Provided timestamp of 2026 before last updated timestamp of 2027", status=400),  # C7
    ],
)
def test_a_stale_timestamp_is_told_from_other_refusals(
    moodle: AgsClient, gradebook: Gradebook, answer: Response
) -> None:
    gradebook.answers.append(answer)
    with pytest.raises(StaleTimestamp) as refusal:
        moodle.post_score(gradebook.url, make_score())
    assert not refusal.value.permanent


def test_a_token_that_is_no_longer_taken_is_renewed_once(moodle: AgsClient, gradebook: Gradebook) -> None:
    gradebook.answers.append(Response("", status=401))
    moodle.post_score(gradebook.url, make_score())
    assert [request.headers["Authorization"] for request in gradebook.requests] == ["Bearer token-1", "Bearer token-2"]
    gradebook.answers += [Response("", status=401), Response("", status=401)]
    with pytest.raises(ServiceError) as refusal:
        moodle.post_score(gradebook.url, make_score())
    assert not refusal.value.permanent
    assert len(gradebook.requests) == 4


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (Response('{"error": "invalid_scope"}', status=400), True),  # M16
        (Response('{"error": "invalid_client"}', status=400), False),
        (Response("", status=503), False),
    ],
)
def test_without_a_token_only_a_missing_permission_is_final(
    platform: FakePlatform,
    settings: Settings,
    database: Database,
    httpserver: HTTPServer,
    answer: Response,
    permanent: bool,
) -> None:
    httpserver.expect_request("/token.php").respond_with_response(answer)
    with pytest.raises(ServiceError) as refusal:
        make_client(platform, settings, database, "moodle").post_score(platform.registration.issuer, make_score())
    assert refusal.value.permanent is permanent


def test_an_unreachable_gradebook_is_worth_another_try(moodle: AgsClient, gradebook: Gradebook) -> None:
    with pytest.raises(ServiceError) as refusal:
        moodle.post_score("http://127.0.0.1:1/item", make_score())
    assert not refusal.value.permanent


def test_a_gradebook_at_a_private_address_is_not(
    platform: FakePlatform, settings: Settings, database: Database, gradebook: Gradebook
) -> None:
    http = PlatformHttp(settings.model_copy(update={"allow_private_platforms": False}))
    tokens = TokenSource(PlatformHttp(settings), database, SECRET)
    with pytest.raises(ServiceError) as refusal:
        AgsClient(platform.registration, http, tokens).post_score("https://10.0.0.1/item", make_score())
    assert refusal.value.permanent


def test_a_result_is_read_for_the_user_only(moodle: AgsClient, gradebook: Gradebook) -> None:
    entries = [
        {"id": "r1", "userId": "student-2", "resultScore": 1, "resultMaximum": 10},
        {"id": "r2", "userId": "student-1", "resultScore": 0, "resultMaximum": 10, "comment": "c"},
    ]
    gradebook.answers.append(Response(json.dumps(entries)))
    result = moodle.get_result(gradebook.url, "student-1")
    assert result is not None
    assert (result.score, result.maximum, result.comment) == (Decimal(0), Decimal(10), "c")
    request = gradebook.requests[0]
    assert dict(request.args) == {"type_id": "2", "user_id": "student-1"}
    assert request.headers["Accept"] == "application/vnd.ims.lis.v2.resultcontainer+json"
    assert gradebook.scopes == [RESULT_SCOPE]


def test_no_result_is_not_zero(moodle: AgsClient, gradebook: Gradebook) -> None:
    assert moodle.get_result(gradebook.url, "student-1") is None
    gradebook.answers.append(Response('[{"id": "r", "userId": "student-1"}]'))
    result = moodle.get_result(gradebook.url, "student-1")
    assert result is not None
    assert result.score is None  # M8
    gradebook.answers.append(Response("", status=404))
    assert moodle.get_result(gradebook.url, "student-1") is None


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        '{"a": 1}',
        '[{"resultScore": 1}]',
        '[{"userId": "student-1", "resultScore": "x"}]',
        '[{"userId": "student-1", "resultScore": "1e999999"}]',
        '[{"userId": "student-1", "resultScore": 1, "resultMaximum": -1e300}]',
        '[{"userId": "student-1", "resultScore": "NaN"}]',
    ],
)
def test_an_answer_that_is_no_list_of_results_is_tried_again(
    moodle: AgsClient, gradebook: Gradebook, body: str
) -> None:
    gradebook.answers.append(Response(body))
    with pytest.raises(ServiceError) as refusal:
        moodle.get_result(gradebook.url, "student-1")
    assert not refusal.value.permanent


def test_a_maximum_next_to_nothing_is_none(moodle: AgsClient, gradebook: Gradebook) -> None:
    gradebook.answers.append(Response('[{"userId": "student-1", "resultScore": 1, "resultMaximum": "1e-999999"}]'))
    result = moodle.get_result(gradebook.url, "student-1")
    assert result is not None
    assert result.maximum == 0, "nothing is divided by it"


def line_item(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"https://a.example/{number}", "label": "Q", "scoreMaximum": 10, "resourceLinkId": "9", **more}


def test_the_column_of_a_placement_is_found_by_its_tag(moodle: AgsClient, gradebook: Gradebook) -> None:
    items = [line_item(1, tag="other"), line_item(2, tag="mlquiz"), line_item(3, resourceLinkId="8", tag="mlquiz")]
    gradebook.answers.append(Response(json.dumps(items)))
    found = moodle.find_line_item(gradebook.list_url, resource_link_id="9", tag="mlquiz", scopes=[LINE_ITEM_READ_SCOPE])
    assert found is not None
    assert (found.url, found.score_maximum) == ("https://a.example/2", Decimal(10))
    assert dict(gradebook.requests[0].args) == {"type_id": "2", "resource_link_id": "9", "limit": "100"}  # M10, M11
    assert gradebook.scopes == [LINE_ITEM_READ_SCOPE]


def test_no_column_is_none_and_the_wider_scope_serves_too(moodle: AgsClient, gradebook: Gradebook) -> None:
    assert moodle.find_line_item(gradebook.list_url, resource_link_id="9", scopes=[LINE_ITEM_SCOPE]) is None
    assert gradebook.scopes == [LINE_ITEM_SCOPE]


def test_pages_are_followed_on_the_same_host_also_with_curly_quotes(moodle: AgsClient, gradebook: Gradebook) -> None:
    link = f"<{gradebook.list_url}&from=1>; rel=“next”"
    gradebook.answers.append(Response("[]", headers={"link": link.encode().decode("latin-1")}))  # M11
    gradebook.answers.append(
        Response(json.dumps([line_item(5)]), headers={"Link": '<http://127.0.0.9/evil>; rel="next"'})
    )
    found = moodle.find_line_item(gradebook.list_url, resource_link_id="9", scopes=[LINE_ITEM_READ_SCOPE])
    assert found is not None
    assert found.url == "https://a.example/5"
    assert len(gradebook.requests) == 2


def test_columns_are_listed_by_what_is_given_whatever_the_platform_filters(
    moodle: AgsClient, gradebook: Gradebook
) -> None:
    items = [line_item(1, resourceId="q1", tag="a"), line_item(2, resourceId="q2", tag="a"), {"id": "no address"}]
    for wanted, urls in (({"resource_id": "q2"}, ["2"]), ({"tag": "a"}, ["1", "2"]), ({"resource_id": "q3"}, [])):
        gradebook.answers.append(Response(json.dumps(items)))
        found = moodle.list_line_items(gradebook.list_url, scopes=[LINE_ITEM_SCOPE], **wanted)
        assert [item.url.rpartition("/")[2] for item in found] == urls
        assert dict(gradebook.requests[-1].args) == {"type_id": "2", "limit": "100"} | wanted


def test_a_column_is_made_for_a_placement(moodle: AgsClient, gradebook: Gradebook) -> None:
    gradebook.answers.append(Response(json.dumps(line_item(6, scoreMaximum=12.5)), 201))
    made = moodle.create_line_item(
        gradebook.list_url,
        label="Regularisation",
        score_maximum=Decimal("12.50"),
        resource_link_id="9",
        resource_id="quiz-1",
        tag="mlquiz",
        starts_at=SENT_AT,
        ends_at=SENT_AT + timedelta(days=1),
        grades_released=False,
    )
    (request,) = gradebook.requests
    assert (request.method, request.full_path) == ("POST", "/mod/lineitems?type_id=2")
    assert request.headers["Content-Type"] == "application/vnd.ims.lis.v2.lineitem+json"  # M2
    assert gradebook.scopes == [LINE_ITEM_SCOPE]
    assert gradebook.score == {
        "label": "Regularisation",
        "scoreMaximum": 12.5,
        "resourceLinkId": "9",
        "resourceId": "quiz-1",
        "tag": "mlquiz",
        "startDateTime": "2026-11-23T01:02:03.456+00:00",
        "endDateTime": "2026-11-24T01:02:03.456+00:00",
        "gradesReleased": False,
    }
    assert (made.url, made.score_maximum) == ("https://a.example/6", Decimal("12.5"))


def test_what_is_not_given_of_a_new_column_is_left_out(moodle: AgsClient, gradebook: Gradebook) -> None:
    gradebook.answers.append(Response(json.dumps(line_item(6)), 201))
    moodle.create_line_item(gradebook.list_url, label="Q", score_maximum=Decimal(1))
    assert gradebook.score == {"label": "Q", "scoreMaximum": 1}


@pytest.mark.parametrize("body", ["", "[]", '{"label": "Q"}', '{"id": "javascript:1"}'])
def test_a_column_without_an_address_was_not_made(moodle: AgsClient, gradebook: Gradebook, body: str) -> None:
    gradebook.answers.append(Response(body, 201))
    with pytest.raises(ServiceAway):
        moodle.create_line_item(gradebook.list_url, label="Q", score_maximum=Decimal(1))


def test_a_changed_column_keeps_all_else_that_the_platform_wrote(moodle: AgsClient, gradebook: Gradebook) -> None:
    was = line_item(4, resourceId="r", tag="t", startDateTime="whenever", ltiLinkId="7", gradesReleased=True)
    gradebook.answers += [Response(json.dumps(was)), Response("")]
    changed = moodle.update_line_item(gradebook.url, label="New name", score_maximum=Decimal(20))
    read, written = gradebook.requests
    assert (read.method, written.method) == ("GET", "PUT")
    assert written.headers["Content-Type"] == "application/vnd.ims.lis.v2.lineitem+json"
    assert gradebook.score == was | {"label": "New name", "scoreMaximum": 20}  # M9
    assert (changed.label, changed.resource_id, changed.tag, changed.starts_at) == ("New name", "r", "t", None)
    assert changed.grades_released is True


def test_one_column_is_read_and_a_missing_one_is_told_apart(moodle: AgsClient, gradebook: Gradebook) -> None:
    gradebook.answers.append(Response(json.dumps(line_item(4, endDateTime="2026-12-01T00:00:00Z"))))
    item = moodle.get_line_item(gradebook.url, scopes=[LINE_ITEM_READ_SCOPE])
    assert item.ends_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert gradebook.scopes == [LINE_ITEM_READ_SCOPE]
    gradebook.answers.append(Response("", 404))
    with pytest.raises(ServiceMissing):
        moodle.get_line_item(gradebook.url, scopes=[LINE_ITEM_READ_SCOPE])


def test_a_column_is_removed(moodle: AgsClient, gradebook: Gradebook) -> None:
    gradebook.answers.append(Response("", 204))
    moodle.delete_line_item(gradebook.url)
    assert [request.method for request in gradebook.requests] == ["DELETE"]


def test_a_column_of_an_activity_is_the_platforms(
    moodle: AgsClient, gradebook: Gradebook, platform: FakePlatform, settings: Settings, database: Database
) -> None:
    gradebook.answers.append(Response("", 403))
    with pytest.raises(OwnedByPlatform) as refusal:
        moodle.delete_line_item(gradebook.url)  # M9
    assert refusal.value.permanent
    gradebook.answers += [Response("", 401), Response("", 401)]
    with pytest.raises(PermissionMissing):
        moodle.delete_line_item(gradebook.url)
    canvas = make_client(platform, settings, database, "canvas")
    gradebook.answers += [Response("", 401), Response("", 401)]
    with pytest.raises(OwnedByPlatform):
        canvas.delete_line_item(gradebook.url)  # C15
    gradebook.answers.append(Response("403 Forbidden (Rate Limit Exceeded)", 403))
    with pytest.raises(ServiceAway):
        canvas.delete_line_item(gradebook.url)  # C17


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("5", 5, 5), ("99999", 3600, 3600), ("-4", 0, 0), ("Mon, 01 Jan 2001 00:00:00 GMT", 0, 0)],
)
def test_retry_after_is_a_number_or_a_date(value: str, low: float, high: float) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is not None
    assert low <= seconds <= high


@pytest.mark.parametrize("value", [None, "", "soon", "nan"])
def test_a_retry_after_that_says_nothing_is_none(value: str | None) -> None:
    assert retry_after_seconds(value) is None
