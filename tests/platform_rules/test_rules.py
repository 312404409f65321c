"""Each rule refuses, changes or reports: one that lets everything pass would prove nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask, Response, request
from werkzeug.test import Client, TestResponse

from lti_tool.practice_lms import create_practice_lms
from lti_tool.practice_lms.lms import EXTENSION
from lti_tool.practice_lms.tools import ToolApplication, register_tool
from tests.platform_rules import canvas as canvas_module
from tests.platform_rules import canvas_gradebook, canvas_platform, moodle_launches, moodle_services
from tests.platform_rules.canvas import canvas
from tests.platform_rules.canvas_gradebook import CanvasGradebook, Submission, Taking
from tests.platform_rules.canvas_platform import CanvasLms
from tests.platform_rules.layer import (
    AGS_CLAIM,
    LTI_CLAIM,
    PLATFORM_CONFIGURATION,
    TOOL_CONFIGURATION,
    EndedTokens,
    Exchange,
    LostAnswers,
    Rule,
    RuleLayer,
    ScorePost,
)
from tests.platform_rules.moodle import moodle
from tests.platform_rules.moodle_services import Cell, MoodleGradebook

AGS = "/services/ags/2/lineitems/7/lineitem"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
AGENT = {"User-Agent": "tool/1"}
NOW = datetime(2026, 11, 23, 10, 0, 0, 500_000, tzinfo=UTC)
COMPLETE = {
    "response_types": ["id_token"],
    "initiate_login_uri": "https://tool.example/login",
    "redirect_uris": ["https://tool.example/launch"],
    "client_name": "Tool",
    "jwks_uri": "https://tool.example/jwks",
    "token_endpoint_auth_method": "private_key_jwt",
    TOOL_CONFIGURATION: {"domain": "tool.example", "target_link_uri": "https://tool.example/launch"},
}


def patient(**answers: Any) -> Flask:
    """A platform that takes everything; ``answers`` are the JSON of results and class lists."""
    app = Flask("patient")

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "DELETE"])
    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
    def everything(path: str) -> Response:
        name = path.rpartition("/")[2]
        answer = Response(json.dumps(answers.get(name, {})), content_type="application/json")
        if request.args.get("limit") and name in answers:
            answer.headers["Link"] = '<http://lms.example/next>; rel="next"'
        return answer

    return app


def through(*rules: Rule, **answers: Any) -> Client:
    """A client of a patient platform behind these rules."""
    return Client(RuleLayer(patient(**answers), rules))


def score(
    client: Client, moment: datetime = NOW, *, path: str = f"{AGS}/scores?type_id=1", **changes: Any
) -> TestResponse:
    """Post a score of 4 out of 5; what is changed to ``None`` is left out."""
    body = {
        "userId": "11",
        "scoreGiven": 4,
        "scoreMaximum": 5,
        "comment": "Good.",
        "timestamp": moment.isoformat(),
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    } | changes
    present = {name: value for name, value in body.items() if value is not None}
    return client.post(path, data=json.dumps(present), content_type=SCORE_TYPE, headers=AGENT)


@pytest.fixture
def lms(tmp_path: Any) -> Flask:
    """A practice LMS with one tool."""
    app = create_practice_lms(tmp_path / "lms", "http://127.0.0.1:9")
    application = ToolApplication(
        name="Tool",
        login_url="http://localhost:9/login",
        launch_url="http://localhost:9/launch",
        jwks_url="http://localhost:9/jwks",
        deep_link_url="http://localhost:9/launch",
    )
    with app.extensions[EXTENSION].database.transaction() as connection:
        app.config["CLIENT_ID"] = register_tool(connection, application).client_id
    return app


def auth(lms: Flask, rule: Rule, *, method: str = "GET", **changes: str | None) -> TestResponse:
    """An authentication request to the practice LMS behind one rule."""
    asked = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": lms.config["CLIENT_ID"],
        "redirect_uri": "http://localhost:9/launch",
        "login_hint": "11",
        "lti_message_hint": "hint",
        "state": "state",
        "nonce": "nonce",
    } | changes
    present = {name: value for name, value in asked.items() if value is not None}
    client = Client(RuleLayer(lms, [rule]))
    return client.get("/auth", query_string=present) if method == "GET" else client.post("/auth", data=present)


# Moodle -----------------------------------------------------------------------------------------------------------


def test_m1_an_address_that_lost_its_type_id_is_refused() -> None:
    client = through(moodle_services.M1TypeIdStaysInTheQuery())
    assert score(client).status_code == 200
    assert score(client, path=f"{AGS}/scores").status_code == 403
    assert score(client, path=f"{AGS}/scores?type_id=1/scores").status_code == 403
    assert client.get("/services/ags/2/lineitems").status_code == 401


@pytest.mark.parametrize("wrong", ["application/json", f"{SCORE_TYPE}; charset=utf-8"])
def test_m2_another_content_type_is_refused(wrong: str) -> None:
    client = through(moodle_services.M2ContentTypeIsExact())
    assert score(client).status_code == 200
    answer = client.post(f"{AGS}/scores", data=b"{}", content_type=wrong)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["request"]["method"] == "POST"
    assert client.get(f"{AGS}/results", headers={"Accept": "application/json"}).status_code == 400


def test_m3_a_teacher_gets_no_grade() -> None:
    gradebook = MoodleGradebook(unenrolled={"12"})
    client = through(moodle_services.M3OnlyGradableUsers(gradebook))
    assert score(client).status_code == 200
    assert [score(client, userId=user).status_code for user in ("3", "12", "1001")] == [400, 400, 400]


@pytest.mark.parametrize(("seconds", "status"), [(-1, 409), (0, 409), (0.4, 409), (0.6, 200), (2, 200)])
def test_m4_a_score_of_the_same_second_is_refused(seconds: float, status: int) -> None:
    gradebook = MoodleGradebook({(7, "11"): Cell(int(NOW.timestamp()), True, "")})
    client = through(moodle_services.M4LaterByAWholeSecond(gradebook))
    assert score(client, NOW + timedelta(seconds=seconds)).status_code == status
    assert score(client, timestamp="yesterday").status_code == 400


def test_m4_a_teachers_edit_moves_the_time() -> None:
    gradebook = MoodleGradebook()
    client = through(moodle_services.M4LaterByAWholeSecond(gradebook))
    gradebook.teacher_overrides(7, "11", 3, at=NOW.timestamp() + 5)
    assert score(client).status_code == 409
    assert score(client, NOW + timedelta(seconds=6)).status_code == 200


def test_m5_a_score_that_is_not_final_is_reported_as_clearing() -> None:
    gradebook = MoodleGradebook({(7, "11"): Cell(0, True, "")})
    rule = moodle_services.M5OnlyFinalScoresCount(gradebook)
    score(through(rule))
    assert rule.harms == []
    score(through(rule), gradingProgress="Pending")
    assert rule.harms == ["the grade of 11 was cleared by Pending"]


def test_m6_an_overridden_grade_is_what_is_read_back() -> None:
    gradebook = MoodleGradebook(overridden={(7, "11"): 3.5})
    client = through(moodle_services.M6OverriddenGradeStays(gradebook), results=[{"userId": "11", "resultScore": 8}])
    assert client.get(f"{AGS}/results").json == [{"userId": "11", "resultScore": 3.5}]


def test_m7_lost_feedback_and_markup_are_reported() -> None:
    rule = moodle_services.M7CommentIsPlainAndReplaced(MoodleGradebook({(7, "11"): Cell(0, True, "Good.")}))
    client = through(rule)
    score(client)
    assert rule.harms == []
    score(client, comment=None)
    score(client, comment="<p>Good.</p>")
    assert len(rule.harms) == 2


def test_m8_what_is_no_number_is_refused_and_a_dropped_zero_reported() -> None:
    rule = moodle_services.M8ScoreIsRescaled()
    client = through(rule, results=[{"id": "1", "userId": "11", "comment": "Good.", "resultMaximum": 10}])
    assert score(client, scoreGiven="4").status_code == 400
    assert score(client, scoreGiven=0).status_code == 200
    assert rule.harms == []
    score(client, scoreGiven=None)
    score(client, scoreMaximum=None)
    assert len(rule.harms) == 2
    assert client.get(f"{AGS}/results").json == [{"id": "1", "userId": "11"}]


def test_m9_half_a_line_item_is_refused_and_a_wiped_tag_reported(lms: Flask) -> None:
    rule = moodle_services.M9LineItemIsWrittenWhole()
    client = Client(RuleLayer(lms, [rule]))
    with lms.extensions[EXTENSION].database.transaction() as connection:
        connection.execute(
            "INSERT INTO line_item (id, tool_number, coupled, label, score_maximum, resource_id, tag)"
            " VALUES (7, 1, 0, 'Essay', 5, '', 'essay'), (8, 1, 1, 'Quiz', 5, '', '')"
        )
    url = f"{AGS}?type_id=1"
    assert client.put(url, json={"scoreMaximum": 5}).status_code == 400
    assert client.put(url, json={"label": "Essay"}).status_code == 400
    client.put(url, json={"label": "Essay", "scoreMaximum": 5})
    assert rule.harms == ["tag 'essay' of line item 7 was wiped"]
    assert client.delete(url.replace("/7/", "/8/")).status_code == 403
    assert client.delete(url.replace("/7/", "/9/")).status_code == 404


def test_m10_several_columns_take_the_claim_away(lms: Flask) -> None:
    with lms.extensions[EXTENSION].database.transaction() as connection:
        connection.execute(
            "INSERT INTO activity (id, resource_link_id, tool_number, title, text, url, custom)"
            " VALUES (1, 'link-1', 1, '', '', '', '{}'), (2, 'link-2', 1, '', '', '', '{}')"
        )
        connection.execute(
            "INSERT INTO line_item (tool_number, activity_id, coupled, label, score_maximum, resource_id, tag)"
            " VALUES (1, 1, 1, 'One', 5, '', ''), (1, 1, 0, 'Two', 5, '', ''), (1, 2, 1, 'Three', 5, '', '')"
        )
    rule = moodle_launches.M10SeveralColumnsNoClaim()
    exchange = Exchange({"REQUEST_METHOD": "GET", "PATH_INFO": "/auth", "wsgi.input": None}, lms.extensions[EXTENSION])
    kept = [_claims(link) for link in ("link-1", "link-2")]
    for claims in kept:
        rule.change_claims(exchange, claims)
    assert ["lineitem" in claims[AGS_CLAIM] for claims in kept] == [False, True]


def test_m11_pages_are_linked_in_curly_quotes_where_a_limit_is_given(lms: Flask) -> None:
    rule = moodle_services.M11PagesOnlyOnRequest()
    layer = RuleLayer(patient(lineitems=[]), [rule])
    layer.app.extensions[EXTENSION] = lms.extensions[EXTENSION]
    client = Client(layer)
    assert "Link" not in client.get("/services/ags/2/lineitems").headers
    link = client.get("/services/ags/2/lineitems?limit=100").headers["Link"].encode("latin-1").decode()
    assert "from=2>; rel=“next”" in link
    assert 'rel="next"' not in link


def test_m12_the_roster_is_nowhere_else(lms: Flask) -> None:
    layer = RuleLayer(patient(memberships={}), [moodle_services.M12RosterPathHasCapitals()])
    layer.app.extensions[EXTENSION] = lms.extensions[EXTENSION]
    client = Client(layer)
    assert client.get("/services/coursesection/2/memberships").status_code == 400
    assert 'from=4>; rel="next"' in client.get("/services/CourseSection/2/memberships").headers["Link"]


@pytest.mark.parametrize(
    "wrong", ["http://localhost:9/launch/", "http://localhost:9/launch?quiz=1", "http://evil/launch"]
)
def test_m13_another_redirect_uri_ends_on_a_page(lms: Flask, wrong: str) -> None:
    assert auth(lms, moodle_launches.M13RedirectUriIsExact(), redirect_uri=wrong).status_code == 404


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("scope", "openid profile", "invalid_scope"),
        ("response_type", "code", "unsupported_response_type"),
        ("response_mode", "query", "invalid_request"),
        ("response_mode", None, "invalid_request"),
        ("prompt", "login", "invalid_request"),
        ("nonce", None, "invalid_request"),
    ],
)
def test_m13_other_faults_come_back_in_a_form(lms: Flask, name: str, value: str | None, error: str) -> None:
    changes: dict[str, Any] = {name: value}
    answer = auth(lms, moodle_launches.M13RedirectUriIsExact(), **changes)
    assert f'name="error" value="{error}"' in answer.text
    assert 'action="http://localhost:9/launch"' in answer.text


def test_m14_a_hint_that_was_touched_is_refused(lms: Flask) -> None:
    rule = moodle_launches.M14HintComesBackUnaltered()
    opened = Response(status=302, headers={"Location": "http://localhost:9/login?iss=x&lti_message_hint=h"})
    exchange = Exchange({"REQUEST_METHOD": "GET", "PATH_INFO": "/as/ada/tools/1/choose", "wsgi.input": None}, None)
    rule.change_answer(exchange, opened)
    (given,) = rule._given
    assert 'value="invalid_request"' in auth(lms, rule, lti_message_hint=given.strip()).text
    assert 'value="invalid_request"' in auth(lms, rule, lti_message_hint=json.dumps(json.loads(given))).text
    passed = auth(lms, rule, lti_message_hint=given)
    assert "lti_message_hint is unknown" in passed.text  # the LMS behind saw its own hint, which it never gave


def test_m15_a_posted_authentication_request_loses_its_session(lms: Flask) -> None:
    rule = moodle_launches.M15AuthenticationRequestIsAGet()
    assert "repost" in auth(lms, rule, method="POST").text
    assert auth(lms, rule, repost="1").status_code == 303
    assert rule.refused == 2


def test_m16_scopes_that_are_not_permitted_give_no_token() -> None:
    rule = moodle_services.M16ScopesAreAskedFor()
    rule.permitted = frozenset({"a"})
    client = through(rule, token={"access_token": "t", "expires_in": 99})
    assert client.post("/token", data={"scope": "b c"}).json == {"error": "invalid_scope"}
    assert client.post("/token", data={"scope": "a b"}).json == {"access_token": "t", "expires_in": 3600}


def test_m17_a_key_that_is_not_published_gives_no_token(lms: Flask, httpserver: Any) -> None:
    httpserver.expect_request("/jwks").respond_with_json({"keys": [{"kid": "known"}]})
    rule = moodle_services.M17ToolKeysAreKept()
    with lms.extensions[EXTENSION].database.transaction() as connection:
        connection.execute("UPDATE tool SET jwks_url = ?", (httpserver.url_for("/jwks"),))
    layer = RuleLayer(patient(), [rule])
    layer.app.extensions[EXTENSION] = lms.extensions[EXTENSION]
    client = Client(layer)
    for kid, status in (("known", 200), ("known", 200), ("unknown", 400)):
        claims = {"iss": lms.config["CLIENT_ID"]}
        assertion = jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": kid})
        assert client.post("/token", data={"client_assertion": assertion}).status_code == status
    assert rule.fetches == 2


def test_m18_an_answer_without_the_session_key_is_refused_and_one_without_column_reported() -> None:
    rule = moodle_launches.M18ContentItemReturn()
    client = through(rule)
    items = {"https://purl.imsglobal.org/spec/lti-dl/claim/content_items": [{"title": "Q", "custom": {"a": "1\n2"}}]}
    token = jwt.encode(items, "k" * 32, algorithm="HS256")
    assert client.post("/deep-linking/return?course=2&id=1", data={"JWT": token}).status_code == 404
    rule._session_keys.add("key")
    assert client.post("/deep-linking/return?course=2&id=1&sesskey=key", data={"JWT": token}).status_code == 200
    assert len(rule.harms) == 2


def test_m19_and_m23_take_away_what_the_teacher_or_moodle_does_not_give() -> None:
    accepts = moodle_launches.M19AcceptGrades()
    accepts.accepts = False
    claims = _claims("link-1")
    exchange = Exchange({"REQUEST_METHOD": "GET", "PATH_INFO": "/as/ada/tools/1/choose", "wsgi.input": None}, None)
    accepts.change_claims(exchange, claims)
    assert claims[AGS_CLAIM] == {"scope": ["other"]}
    opened = Response(status=302, headers={"Location": "http://t/login?iss=x&lti_storage_target=_parent"})
    moodle_launches.M23NoStorageTarget().change_answer(exchange, opened)
    assert opened.headers["Location"] == "http://t/login?iss=x"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"response_types": ["code"]}, "invalid_response_types"),
        ({"redirect_uris": "https://tool.example/launch"}, "invalid_redirect_uris"),
        ({"token_endpoint_auth_method": "none"}, "invalid_token_endpoint_auth_method"),
        ({"application_type": "native"}, "invalid_application_type"),
        ({"jwks_uri": None}, "missing required attribute jwks_uri"),
        ({TOOL_CONFIGURATION: {"domain": "tool.example"}}, "missing required attribute target_link_uri"),
    ],
)
def test_m20_an_application_that_lacks_something_is_refused(changes: dict[str, Any], reason: str) -> None:
    rule = moodle_launches.M20DynamicRegistration()
    client = through(rule, **{"openid-configuration": {PLATFORM_CONFIGURATION: {}}})
    assert client.post("/register", json=COMPLETE).status_code == 200
    answer = client.post("/register", json=COMPLETE | changes)
    assert (answer.status_code, answer.text) == (400, reason)
    told = client.get("/.well-known/openid-configuration").json
    assert told is not None
    assert told[PLATFORM_CONFIGURATION]["product_family_code"] == "moodle"


def test_m21_an_assertion_for_another_address_is_refused(lms: Flask) -> None:
    layer = RuleLayer(patient(), [moodle_launches.M21IssuerHasAPath()])
    layer.app.extensions[EXTENSION] = lms.extensions[EXTENSION]
    for audience, status in (("http://127.0.0.1:9/token", 200), ("http://127.0.0.1:9", 400)):
        assertion = jwt.encode({"aud": audience}, "k" * 32, algorithm="HS256")
        assert Client(layer).post("/token", data={"client_assertion": assertion}).status_code == status


@pytest.mark.parametrize("rule", [moodle_services.M22UserAgentIsNeeded, canvas_platform.C23UserAgentIsNeeded])
@pytest.mark.parametrize("path", ["/jwks", "/token", f"{AGS}/scores", "/services/CourseSection/2/memberships"])
def test_m22_and_c23_a_nameless_client_is_refused(rule: type[Rule], path: str) -> None:
    client = through(rule())
    assert client.post(path, headers={"User-Agent": ""}).status_code == 403
    assert client.post(path, headers=AGENT).status_code == 200


@pytest.mark.parametrize("kind", [moodle_launches.M24CourseCopy, canvas_platform.C16CourseCopy])
def test_m24_and_c16_a_copy_has_other_ids(kind: Callable[[], Any]) -> None:
    rule = kind()
    rule.copy = moodle_launches.CourseCopy(
        context_id="9", title="Copy", resource_link_id="new", line_item_url="http://new"
    )
    claims = _claims("link-1")
    rule.change_claims(Exchange({"REQUEST_METHOD": "GET", "PATH_INFO": "/auth", "wsgi.input": None}, None), claims)
    assert claims[f"{LTI_CLAIM}context"]["id"] == "9"
    assert claims[f"{LTI_CLAIM}resource_link"]["id"] == "new"
    assert claims[AGS_CLAIM]["lineitem"] == "http://new"


# Canvas -----------------------------------------------------------------------------------------------------------


def _claims(link: str) -> dict[str, Any]:
    return {
        "sub": "14",
        "name": "Lukas",
        f"{LTI_CLAIM}context": {"id": "2"},
        f"{LTI_CLAIM}resource_link": {"id": link},
        AGS_CLAIM: {
            "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score", "other"],
            "lineitem": "http://old",
        },
    }


def _canvas_lms(lms: Flask) -> CanvasLms:
    made = lms.extensions[EXTENSION]
    return CanvasLms(
        issuer=canvas_platform.ISSUER,
        school="https://school.example",
        sign_in="https://sso.example",
        database=made.database,
        identity=made.identity,
        tool_keys=made.tool_keys,
    )


def test_c1_the_sign_in_host_leads_on_and_the_school_has_no_keys(lms: Flask) -> None:
    layer = RuleLayer(patient(), [canvas_platform.C1IssuerIsShared()])
    layer.app.extensions[EXTENSION] = _canvas_lms(lms)
    client = Client(layer)
    led = client.get("/auth?state=s", base_url="https://sso.example")
    assert led.headers["Location"] == "https://school.example/auth?state=s"
    assert client.get("/jwks", base_url="https://school.example").status_code == 404
    assert client.get("/jwks", base_url="https://sso.example").status_code == 200


def test_c2_to_c6_change_who_and_where_somebody_is() -> None:
    account, people = canvas_platform.C2DeploymentOfAnAccount(), canvas_platform.C5PeopleAreAnonymous()
    account.account = "2:abc"
    roles = canvas_platform.C6RolesOfAssistantsAndTestStudents(assistants={"14"}, test_students={"15"})
    exchange = Exchange({"REQUEST_METHOD": "GET", "PATH_INFO": "/as/ada/tools/1/choose", "wsgi.input": None}, None)
    assistant, tester = _claims("link-1"), _claims("link-1") | {"sub": "15"}
    for rule in (account, people, roles):
        rule.change_claims(exchange, assistant)
        rule.change_claims(exchange, tester)
    assert assistant[f"{LTI_CLAIM}deployment_id"] == "2:abc"
    assert "name" not in assistant
    assert [role.rpartition("#")[2] for role in assistant[f"{LTI_CLAIM}roles"]] == ["Instructor", "TeachingAssistant"]
    assert tester[f"{LTI_CLAIM}roles"][-1].endswith("#TestUser")
    opened = Response(status=302, headers={"Location": "http://t/login?iss=x&lti_deployment_id=1"})
    canvas_platform.C3LoginNamesDeployment().change_answer(exchange, opened)
    canvas_platform.C4StorageTargetIsAlwaysThere().change_answer(exchange, opened)
    location = opened.headers["Location"]
    assert "lti_deployment_id" not in location
    assert "&deployment_id=1" in location
    assert "lti_storage_target=post_message_forwarding" in location


@pytest.mark.parametrize(("milliseconds", "status"), [(-1, 400), (0, 200), (1, 200)])
def test_c7_a_score_before_the_result_is_refused(milliseconds: int, status: int) -> None:
    result = canvas_gradebook.CanvasResult(1, 1, "", NOW)
    client = through(canvas_gradebook.C7NotBeforeTheResult(CanvasGradebook(results={(7, "11"): result})))
    answer = score(client, NOW + timedelta(milliseconds=milliseconds))
    assert answer.status_code == status
    assert score(client, timestamp="2026-11-23T10:00:00").status_code == 400  # no zone


def test_c8_strangers_missing_maxima_and_attempts_beyond_the_last_are_refused() -> None:
    gradebook = CanvasGradebook(submissions={(7, "12"): Submission(attempts=1, allowed_attempts=1)}, removed={"13"})
    client = through(canvas_gradebook.C8StudentsWithAttemptsLeft(gradebook))
    assert score(client).status_code == 200
    assert [score(client, userId=user).status_code for user in ("3", "13")] == [422, 422]
    assert score(client, scoreMaximum=None).status_code == 422
    spent = score(client, userId="12")
    assert spent.status_code == 422
    assert "maximum number of allowed attempts" in spent.text
    assert score(client, userId="12", **_extension(new_submission=False)).status_code == 200


def test_c9_a_submission_in_the_future_is_refused() -> None:
    client = through(canvas_gradebook.C9NotSubmittedInTheFuture(CanvasGradebook()))
    soon, later = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (30, 90))
    assert score(client, submission={"submittedAt": soon.isoformat()}).status_code == 200
    assert score(client, submission={"submittedAt": later.isoformat()}).status_code == 400
    assert score(client, **_extension(submitted_at=later.isoformat())).status_code == 400


@pytest.mark.parametrize(
    ("changes", "written", "harm"),
    [
        ({}, True, ""),
        ({"preserve_score": True}, False, "was not written"),
        ({"gradingProgress": "Pending"}, False, "was cleared"),
        ({"gradingProgress": "Pending", "preserve_score": True}, False, ""),
    ],
)
def test_c10_preserving_writes_nothing_and_pending_clears(changes: dict[str, Any], written: bool, harm: str) -> None:
    rule = canvas_gradebook.C10PreserveScore(CanvasGradebook())
    taking = _taking(Submission(score=2, grader="tool"), **changes)
    rule.take(taking)
    assert taking.writes_score is written
    assert bool(harm) == bool(rule.harms)
    assert all(harm in said for said in rule.harms)


def test_c11_and_c21_tell_a_lost_score_and_an_overwritten_one() -> None:
    protecting, staying = (
        kind(CanvasGradebook())
        for kind in (canvas_gradebook.C11PrioritizeNonToolGrade, canvas_gradebook.C21TeachersGradeStays)
    )
    for grader, protects in (("teacher", True), ("teacher", False), ("tool", True), ("tool", False)):
        taking = _taking(Submission(score=2, grader=grader), prioritize_non_tool_grade=protects)
        protecting.take(taking)
        staying.take(taking)
        assert taking.writes_score is not protects
    assert protecting.harms == ["a newer score of 11 was not written: the tool's own was there"]
    assert staying.harms == ["the teacher's grade of 11 was overwritten"]


def test_c12_a_comment_that_comes_twice_is_reported() -> None:
    rule = canvas_gradebook.C12EveryCommentIsKept(CanvasGradebook())
    submission = Submission()
    rule.take(_taking(submission))
    assert rule.harms == []
    rule.take(_taking(submission))
    assert submission.comments == ["Good.", "Good."]
    assert len(rule.harms) == 1


def test_c13_lateness_goes_by_the_submission() -> None:
    rule = canvas_gradebook.C13LateBySubmission(CanvasGradebook(due_at=NOW))
    early, late, missing = (
        Submission(submitted_at=NOW),
        Submission(submitted_at=NOW + timedelta(seconds=1)),
        Submission(),
    )
    for submission in (early, late, missing):
        rule.take(_taking(submission))
    assert (early.is_late, late.is_late) == (False, True)
    assert len(rule.harms) == 1


def test_c14_an_unknown_submission_type_is_dropped() -> None:
    rule = canvas_gradebook.C14SpeedGraderOpensTheSubmission(CanvasGradebook())
    kept = Submission()
    rule.take(
        _taking(kept, submission_type="basic_lti_launch", submission_data="https://tool.example/launch?attempt=1")
    )
    assert kept.url == "https://tool.example/launch?attempt=1"
    assert rule.harms == []
    rule.take(_taking(Submission(), submission_type="lti_launch"))
    rule.take(_taking(Submission(), submission_type="basic_lti_launch"))
    assert len(rule.harms) == 2


def test_c15_a_coupled_column_is_not_deleted(lms: Flask) -> None:
    with lms.extensions[EXTENSION].database.transaction() as connection:
        connection.execute(
            "INSERT INTO line_item (id, tool_number, coupled, label, score_maximum, resource_id, tag)"
            " VALUES (7, 1, 1, 'Quiz', 5, '', '')"
        )
    assert (
        Client(RuleLayer(lms, [canvas_platform.C15CoupledColumnsStay()])).delete(f"{AGS}?type_id=1").status_code == 401
    )


def test_c17_throttling_says_so_and_passes() -> None:
    rule = canvas_platform.C17Throttle()
    rule.script = [403, 429, None]
    client = through(rule)
    answers = [score(client) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [403, 429, 200, 200]
    assert answers[0].headers["X-Rate-Limit-Remaining"] == "0.0"
    assert "Rate Limit Exceeded" in answers[0].text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({f"{canvas_gradebook.CANVAS}privacy_level": "all"}, 422),
        ({"messages": []}, 422),
        ({"messages": [{"type": "LtiDeepLinkingRequest"}]}, 422),
        ({"messages": [{"type": "LtiDeepLinkingRequest", "placements": ["somewhere"]}]}, 422),
    ],
)
def test_c18_applications_name_placements_and_bear_a_token(changes: dict[str, Any], status: int) -> None:
    client = through(canvas_platform.C18DynamicRegistration(), register={TOOL_CONFIGURATION: {"deployment_id": "1"}})
    message = {"type": "LtiDeepLinkingRequest", "placements": ["link_selection"]}
    tool = {f"{canvas_gradebook.CANVAS}privacy_level": "anonymous", "messages": [message]} | changes
    bearer = {"Authorization": "Bearer t"}
    answer = client.post("/register", json=COMPLETE | {TOOL_CONFIGURATION: tool}, headers=bearer)
    assert answer.status_code == status
    if status == 200:
        assert answer.json == {TOOL_CONFIGURATION: {}}
    assert client.get("/.well-known/openid-configuration").status_code == 401


def test_c22_people_come_twice_and_after_they_left(lms: Flask) -> None:
    layer = RuleLayer(patient(memberships={"members": []}), [canvas_platform.C22RosterRepeatsPeople()])
    layer.app.extensions[EXTENSION] = lms.extensions[EXTENSION]
    first, second = (Client(layer).get(f"/services/CourseSection/2/memberships?page={page}") for page in (1, 2))
    assert first.json == {"members": []}
    assert second.json is not None
    assert [member["status"] for member in second.json["members"]] == ["Active", "Inactive"]


def test_c24_header_names_change_their_case() -> None:
    rule = canvas_platform.C24HeadersChangeCase()
    client = through(rule)
    names = [[name for name, _ in client.get("/jwks").headers] for _ in range(2)]
    assert "content-type" in names[0]
    assert "Content-Type" in names[1]


# Beside the rows --------------------------------------------------------------------------------------------------


def test_answers_are_lost_and_tokens_end_when_told_to() -> None:
    lost, ended = LostAnswers(), EndedTokens()
    client = through(lost, ended, token={"access_token": "t"})
    client.post("/token")
    lost.count = 1
    assert [score(client).status_code for _ in range(2)] == [504, 200]
    ended.end_all()
    answer = client.get(f"{AGS}/results", headers={"Authorization": "Bearer t"})
    assert answer.status_code == 401


def test_every_row_has_a_rule_or_a_reason(lms: Flask) -> None:
    moodle_rows = {rule.row for rule in moodle(lms).rules}
    canvas_rows = {rule.row for rule in canvas(lms).rules}
    assert moodle_rows == {f"M{number}" for number in range(1, 25)}
    assert canvas_rows | {"C19", "C20"} == {f"C{number}" for number in range(1, 25)}
    for row in ("C19", "C20"):
        assert f"\n{row} " in (canvas_module.__doc__ or "")


def test_every_rule_is_tested_here() -> None:
    tested = " ".join(name for name in globals() if name.startswith("test_"))
    spans = {f"c{number}" for number in range(2, 7)}  # test_c2_to_c6
    for module in (moodle_launches, moodle_services, canvas_gradebook, canvas_platform):
        for name, kind in vars(module).items():
            if isinstance(kind, type) and issubclass(kind, Rule) and kind.row and kind.__module__ == module.__name__:
                row = kind.row.lower()
                assert row in spans or f"_{row}_" in f"{tested} ".replace(" ", "_ "), name


def _extension(**values: Any) -> dict[str, Any]:
    return {canvas_gradebook.EXTENSION: values}


def _taking(submission: Submission, **changes: Any) -> Taking:
    progress = changes.pop("gradingProgress", "FullyGraded")
    body = {"userId": "11", "scoreGiven": 4, "scoreMaximum": 5, "comment": "Good.", "gradingProgress": progress}
    post = ScorePost(
        line_item_id=7, body=body | {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ")} | _extension(**changes)
    )
    return Taking(post=post, submission=submission)
