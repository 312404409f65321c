"""Assignment and grade services of the practice LMS: the rules by which strict platforms take or refuse scores."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jwt
import pytest

if TYPE_CHECKING:
    from tests.lms.conftest import ScriptedTool

AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
AGS_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
LINE_ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
NEW_ITEM = {"label": "Essay", "scoreMaximum": 20, "resourceId": "essay-1", "tag": "essay"}


def _moment(seconds: float) -> str:
    from tests.lms.conftest import moment

    return moment(seconds)


def _below(url: str, name: str) -> str:
    from tests.lms.conftest import below

    return below(url, name)


@pytest.fixture
def line_item(scripted_tool: ScriptedTool) -> str:
    """The address of a column worth 10 points."""
    return scripted_tool.line_item_of(scripted_tool.adds())


@pytest.fixture
def line_items(scripted_tool: ScriptedTool, line_item: str) -> str:
    """The address of all columns; one is there already."""
    path, _, query = line_item.partition("?")
    return f"{path.rsplit('/', 2)[0]}?{query}"


# --- scores and results -----------------------------------------------------------------------------------------


def test_a_score_arrives_scaled_to_the_column(scripted_tool: ScriptedTool, line_item: str) -> None:
    assert scripted_tool.posts_score(line_item, scoreGiven=4, scoreMaximum=5).status_code == 200
    (result,) = scripted_tool.results(line_item)
    path, query = line_item.split("?")
    assert result == {
        "id": f"{path}/results/11?{query}",
        "userId": "11",
        "resultScore": 8,
        "resultMaximum": 10,
        "scoreOf": line_item,
        "comment": "Good, one point is missing.",
        "timestamp": _moment(0),
    }


@pytest.mark.parametrize(
    ("given", "maximum", "kept"), [(0, 3, 0), (0.0, 1, 0), (1, 3, 10 / 3), (3, 3, 10), (4, 3, 40 / 3)]
)
def test_every_score_is_kept_zero_too(
    scripted_tool: ScriptedTool, line_item: str, given: float, maximum: float, kept: float
) -> None:
    assert scripted_tool.posts_score(line_item, scoreGiven=given, scoreMaximum=maximum).status_code == 200
    assert scripted_tool.results(line_item)[0]["resultScore"] == pytest.approx(kept)


def test_a_later_score_replaces_score_and_comment(scripted_tool: ScriptedTool, line_item: str) -> None:
    scripted_tool.posts_score(line_item)
    scripted_tool.posts_score(line_item, scoreGiven=5, comment="All there.", timestamp=_moment(1))
    (result,) = scripted_tool.results(line_item)
    assert (result["resultScore"], result["comment"]) == (10, "All there.")


def test_a_missing_comment_wipes_the_one_that_is_there(scripted_tool: ScriptedTool, line_item: str) -> None:
    scripted_tool.posts_score(line_item)
    scripted_tool.posts_score(line_item, comment=None, timestamp=_moment(1))
    assert scripted_tool.results(line_item)[0]["comment"] == ""


@pytest.mark.parametrize("seconds", [-5, 0, 0.9])
def test_a_score_that_is_not_a_whole_second_newer_is_refused(
    scripted_tool: ScriptedTool, line_item: str, seconds: float
) -> None:
    scripted_tool.posts_score(line_item)
    response = scripted_tool.posts_score(line_item, scoreGiven=0, timestamp=_moment(seconds))
    assert response.status_code == 409
    assert scripted_tool.results(line_item)[0]["resultScore"] == 8


def test_moments_are_compared_across_time_zones(scripted_tool: ScriptedTool, line_item: str) -> None:
    scripted_tool.posts_score(line_item, timestamp="2026-03-02T09:30:00Z")
    assert scripted_tool.posts_score(line_item, timestamp="2026-03-02T10:29:59+01:00").status_code == 409
    assert scripted_tool.posts_score(line_item, timestamp="2026-03-02T10:30:01+01:00").status_code == 200


def test_the_same_moment_is_fine_for_another_student(scripted_tool: ScriptedTool, line_item: str) -> None:
    assert scripted_tool.posts_score(line_item).status_code == 200
    assert scripted_tool.posts_score(line_item, userId="12").status_code == 200


@pytest.mark.parametrize("progress", ["NotReady", "Pending", "PendingManual", "Failed"])
def test_a_score_that_is_not_final_clears_the_grade(scripted_tool: ScriptedTool, line_item: str, progress: str) -> None:
    scripted_tool.posts_score(line_item)
    assert scripted_tool.posts_score(line_item, gradingProgress=progress, timestamp=_moment(1)).status_code == 200
    assert "resultScore" not in scripted_tool.results(line_item)[0]
    assert scripted_tool.lms.gradebook()[0]["score"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"userId": "3"},
        {"userId": "999"},
        {"userId": None},
        {"userId": 11},
        {"userId": ""},
        {"scoreMaximum": None},
        {"scoreMaximum": 0},
        {"scoreMaximum": -1},
        {"scoreMaximum": "5"},
        {"scoreGiven": -1},
        {"scoreGiven": "4"},
        {"scoreGiven": True},
        {"scoreGiven": float("nan")},
        {"scoreGiven": float("inf")},
        {"timestamp": None},
        {"timestamp": "2026-03-02"},
        {"timestamp": "2026-03-02T09:30:00"},
        {"timestamp": 1772443800},
        {"activityProgress": None},
        {"activityProgress": "Done"},
        {"gradingProgress": None},
        {"gradingProgress": "Graded"},
        {"comment": ["a"]},
    ],
    ids=str,
)
def test_a_wrong_score_is_refused(scripted_tool: ScriptedTool, line_item: str, wrong: dict[str, Any]) -> None:
    response = scripted_tool.posts_score(line_item, **wrong)
    assert response.status_code == 400
    assert response.json()["error"]
    assert scripted_tool.results(line_item) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"'])
def test_a_score_that_is_no_object_is_refused(scripted_tool: ScriptedTool, line_item: str, body: bytes) -> None:
    url = _below(line_item, "scores")
    assert scripted_tool.calls("POST", url, content_type=SCORE_TYPE, body=body).status_code == 400


@pytest.mark.parametrize("content_type", [None, "application/json", f"{SCORE_TYPE}; charset=utf-8", LINE_ITEM_TYPE])
def test_only_the_exact_content_type_is_taken(
    scripted_tool: ScriptedTool, line_item: str, content_type: str | None
) -> None:
    response = scripted_tool.calls("POST", _below(line_item, "scores"), content_type=content_type, body={})
    assert response.status_code == 415


def test_results_are_narrowed_to_one_student(scripted_tool: ScriptedTool, line_item: str) -> None:
    token = scripted_tool.token()
    for user_id in ("13", "11"):
        scripted_tool.posts_score(line_item, userId=user_id, token=token)
    assert [result["userId"] for result in scripted_tool.results(line_item)] == ["11", "13"]
    assert [result["userId"] for result in scripted_tool.results(line_item, "&user_id=13")] == ["13"]
    assert scripted_tool.results(line_item, "&user_id=12") == []


def test_results_come_in_pages_when_a_limit_is_given(scripted_tool: ScriptedTool, line_item: str) -> None:
    token = scripted_tool.token()
    for user_id in ("11", "12", "13"):
        scripted_tool.posts_score(line_item, userId=user_id, token=token)
    url: str | None = _below(line_item, "results") + "&limit=2"
    seen: list[list[str]] = []
    while url:
        response = scripted_tool.calls("GET", url, token=token)
        assert response.headers["Content-Type"] == "application/vnd.ims.lis.v2.resultcontainer+json"
        seen.append([result["userId"] for result in response.json()])
        url = response.links.get("next", {}).get("url")
    assert seen == [["11", "12"], ["13"]]


def test_every_post_is_counted_accepted_or_not(scripted_tool: ScriptedTool, line_item: str) -> None:
    scripted_tool.posts_score(line_item)
    scripted_tool.posts_score(line_item)
    scripted_tool.posts_score(line_item, timestamp=_moment(1))
    (grade,) = scripted_tool.lms.gradebook()
    assert (grade["posts"], grade["accepted"]) == (3, 2)


def test_of_twenty_equal_scores_at_once_one_is_taken(scripted_tool: ScriptedTool, line_item: str) -> None:
    token = scripted_tool.token()
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda _: scripted_tool.posts_score(line_item, token=token).status_code, range(20)))
    assert sorted(answers) == [200] + [409] * 19
    assert scripted_tool.lms.gradebook()[0]["accepted"] == 1


# --- line items -------------------------------------------------------------------------------------------------


def test_a_column_of_the_tools_own_is_made_changed_and_removed(scripted_tool: ScriptedTool, line_items: str) -> None:
    created = scripted_tool.calls("POST", line_items, content_type=LINE_ITEM_TYPE, body=NEW_ITEM)
    assert created.status_code == 201
    assert created.headers["Content-Type"] == LINE_ITEM_TYPE
    own = created.json()["id"]
    assert scripted_tool.calls("GET", own).json() == {"id": own, **NEW_ITEM}
    body = {"label": "Long essay", "scoreMaximum": 30}
    changed = scripted_tool.calls("PUT", own, content_type=LINE_ITEM_TYPE, body=body)
    # Moodle lineitem.php: what is left out of a PUT is wiped.
    assert changed.json() == {"id": own, **body, "resourceId": "", "tag": ""}
    assert scripted_tool.calls("DELETE", own).status_code == 204
    assert scripted_tool.calls("GET", own).status_code == 404


def test_the_column_of_an_activity_cannot_be_removed(scripted_tool: ScriptedTool, line_item: str) -> None:
    assert scripted_tool.calls("DELETE", line_item).status_code == 403
    assert scripted_tool.calls("GET", line_item).status_code == 200


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("", ["Overfitting quiz", "Essay"]),
        ("&tag=essay", ["Essay"]),
        ("&resource_id=quiz-7", ["Overfitting quiz"]),
        ("&resource_id=quiz-7&tag=essay", []),
        ("&resource_link_id=made-up", []),
        ("&limit=1", ["Overfitting quiz"]),
        ("&limit=1&page=2", ["Essay"]),
        ("&unknown=1", ["Overfitting quiz", "Essay"]),
    ],
)
def test_columns_are_listed_by_what_is_asked(
    scripted_tool: ScriptedTool, line_items: str, query: str, labels: list[str]
) -> None:
    scripted_tool.calls("POST", line_items, content_type=LINE_ITEM_TYPE, body=NEW_ITEM)
    response = scripted_tool.calls("GET", line_items + query)
    assert response.headers["Content-Type"] == "application/vnd.ims.lis.v2.lineitemcontainer+json"
    assert [item["label"] for item in response.json()] == labels


def test_the_next_page_keeps_the_type_id(scripted_tool: ScriptedTool, line_items: str) -> None:
    scripted_tool.calls("POST", line_items, content_type=LINE_ITEM_TYPE, body=NEW_ITEM)
    first = scripted_tool.calls("GET", line_items + "&limit=1")
    second = scripted_tool.calls("GET", first.links["next"]["url"])
    assert [item["label"] for item in second.json()] == ["Essay"]
    assert "next" not in second.links


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": None},
        {"label": ""},
        {"label": 5},
        {"scoreMaximum": None},
        {"scoreMaximum": 0},
        {"scoreMaximum": "20"},
        {"startDateTime": "soon"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_wrong_column_is_refused(
    scripted_tool: ScriptedTool, line_item: str, line_items: str, method: str, wrong: dict[str, Any]
) -> None:
    body = {name: value for name, value in (NEW_ITEM | wrong).items() if value is not None}
    url = line_items if method == "POST" else line_item
    assert scripted_tool.calls(method, url, content_type=LINE_ITEM_TYPE, body=body).status_code == 400


def test_a_column_at_an_activity_that_is_not_there_is_refused(scripted_tool: ScriptedTool, line_items: str) -> None:
    body = {**NEW_ITEM, "resourceLinkId": "made-up"}
    assert scripted_tool.calls("POST", line_items, content_type=LINE_ITEM_TYPE, body=body).status_code == 400


def test_columns_need_their_content_type_and_an_object(
    scripted_tool: ScriptedTool, line_items: str, line_item: str
) -> None:
    for method, url in (("POST", line_items), ("PUT", line_item)):
        assert scripted_tool.calls(method, url, content_type="application/json", body=NEW_ITEM).status_code == 415
        assert scripted_tool.calls(method, url, content_type=LINE_ITEM_TYPE, body=[]).status_code == 400


@pytest.mark.parametrize("query", ["&limit=0", "&limit=-1", "&limit=x", "&page=0", "&limit=%C2%B2"])
def test_a_page_that_cannot_be_is_refused(scripted_tool: ScriptedTool, line_items: str, query: str) -> None:
    assert scripted_tool.calls("GET", line_items + query).status_code == 400


# --- who may call -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("lineitem", {"list", "read", "write"}),
        ("lineitem.readonly", {"list", "read"}),
        ("score", {"score"}),
        ("result.readonly", {"results"}),
    ],
)
def test_each_scope_opens_its_own_doors_only(
    scripted_tool: ScriptedTool, line_item: str, line_items: str, scope: str, allowed: set[str]
) -> None:
    token = scripted_tool.token(AGS_SCOPE + scope)
    answers = {
        "list": scripted_tool.calls("GET", line_items, token=token),
        "read": scripted_tool.calls("GET", line_item, token=token),
        "write": scripted_tool.calls("PUT", line_item, token=token, content_type=LINE_ITEM_TYPE, body=NEW_ITEM),
        "score": scripted_tool.posts_score(line_item, token=token),
        "results": scripted_tool.calls("GET", _below(line_item, "results"), token=token),
    }
    assert {name for name, answer in answers.items() if answer.status_code == 200} == allowed
    refused = [answer for name, answer in answers.items() if name not in allowed]
    assert {answer.status_code for answer in refused} == {401}
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in refused)


def _with_other_issuer(tool: ScriptedTool) -> str:
    now = int(time.time())
    claims = {"sub": tool.client_id, "iss": tool.lms.issuer, "scopes": f"{AGS_SCOPE}lineitem", "exp": now + 60}
    return tool.signs(claims)


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "two parts"])
def test_a_call_without_a_proper_token_is_refused(scripted_tool: ScriptedTool, line_item: str, token: str) -> None:
    assert scripted_tool.calls("GET", line_item, token=token).status_code == 401
    assert scripted_tool.calls("GET", line_item, Authorization=None).status_code == 401
    assert scripted_tool.calls("GET", line_item, Authorization=f"Basic {scripted_tool.token()}").status_code == 401


def test_a_token_that_the_tool_signed_itself_is_refused(scripted_tool: ScriptedTool, line_item: str) -> None:
    assert scripted_tool.calls("GET", line_item, token=_with_other_issuer(scripted_tool)).status_code == 401


def test_an_id_token_is_no_access_token(scripted_tool: ScriptedTool, line_item: str) -> None:
    from tests.lms.conftest import read_form

    login = scripted_tool.login_parameters(f"/as/mateo/activities/{scripted_tool.lms.activities()[0]['id']}/open")
    id_token = read_form(scripted_tool.authenticates(login)).fields["id_token"]
    assert jwt.decode(id_token, options={"verify_signature": False})["sub"] == "11"
    assert scripted_tool.calls("GET", line_item, token=id_token).status_code == 401


def test_a_call_without_a_user_agent_is_refused(scripted_tool: ScriptedTool, line_item: str) -> None:
    assert scripted_tool.calls("GET", line_item, User_Agent="").status_code == 403
    assert scripted_tool.calls("GET", line_item, User_Agent="any").status_code == 200


def test_the_address_must_be_the_one_that_was_given_out(scripted_tool: ScriptedTool, line_item: str) -> None:
    path = line_item.partition("?")[0]
    assert scripted_tool.calls("GET", path).status_code == 404
    assert scripted_tool.calls("GET", f"{path}?type_id=999999").status_code == 404
    assert scripted_tool.calls("GET", line_item.replace("/ags/2/", "/ags/3/")).status_code == 404
    assert scripted_tool.posts_score(path).status_code == 404
    assert scripted_tool.lms.gradebook() == []


def test_a_tool_does_not_see_another_tools_columns(scripted_tool: ScriptedTool, line_item: str) -> None:
    scripted_tool.registers(launch_url="http://localhost:9/other/launch")
    number = scripted_tool.registration["deployment_id"]
    own_view = f"{line_item.partition('?')[0]}?type_id={number}"
    assert scripted_tool.calls("GET", line_item).status_code == 404
    assert scripted_tool.calls("GET", own_view).status_code == 404
    assert scripted_tool.calls("GET", _below(own_view, "results")).status_code == 404
    assert scripted_tool.posts_score(own_view).status_code == 404
    assert scripted_tool.calls("DELETE", own_view).status_code == 404
