"""Launches without cookies: the platform's frame proves the browser, a token carries the session."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask, redirect, render_template_string, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.test import TestResponse

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.launch import logins
from lti_tool.launch.views import current_session, with_session
from tests.fake_platform import (
    ABSENT,
    LTI,
    MEMBERSHIP,
    NOTHING,
    FakePlatform,
    _launch_database,
    app,
    client,
    database_url,
    events,
    platform,
    rows,
)

__all__ = ["_launch_database", "app", "client", "database_url", "platform"]

OURS = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}


class Frame:
    """A browser that keeps no cookie, and a platform's frame that keeps data for it."""

    def __init__(self, app: Flask, settings: Settings, platform: FakePlatform) -> None:
        self.client = app.test_client(use_cookies=False)
        self.client.environ_base["HTTP_HOST"] = urlsplit(settings.base_url).netloc
        self.platform = platform
        self.kept: dict[str, str] = {}

    def logs_in(self, **changes: Any) -> dict[str, str]:
        """What the tool asks the platform for; the page's script stored its secret."""
        response = self.platform.login(self.client, **({"lti_storage_target": "_parent"} | changes))
        assert response.status_code == 200, response.text
        login = part(response, "#login")
        self.kept[str(login["data-storage-key"])] = str(login["data-secret"])
        return {name: values[0] for name, values in parse_qs(urlsplit(str(login["data-next"])).query).items()}

    def proof(self, state: str) -> str:
        """What the platform's frame tells of this state."""
        return self.kept[logins.storage_key(state)]

    def launches(self, asked: dict[str, str], headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
        """Post the platform's answer, with the proof unless other ``headers`` are given."""
        token = self.platform.signed(self.platform.claims(asked["nonce"], **changes))
        return self.posts(token, asked["state"], self.proven(asked["state"]) if headers is None else headers)

    def posts(self, id_token: str, state: str, headers: dict[str, str]) -> TestResponse:
        return self.client.post("/lti/launch", data={"id_token": id_token, "state": state}, headers=headers)

    def proven(self, state: str) -> dict[str, str]:
        """Headers as the page's script sends them."""
        return {"Accept": "application/json", "X-Launch-Proof": self.proof(state), "Sec-Fetch-Site": "same-origin"}

    def enters(self, **changes: Any) -> tuple[str, str]:
        """A whole launch: the address of the session and its token."""
        response = self.launches(self.logs_in(), **changes)
        assert response.status_code == 200, response.text
        assert response.json is not None
        return response.json["location"], response.json["token"]

    def opens(self, address: str, token: str, **headers: str) -> TestResponse:
        """Open a page as the script does; redirects are not followed."""
        mark = "&opened=form" if "?" in address else "?opened=form"
        return self.client.post(address + mark, data={"launch_token": token}, headers=OURS | headers)


def part(response: TestResponse, selector: str) -> Tag:
    found = BeautifulSoup(response.text, "html.parser").select_one(selector)
    assert found is not None, response.text
    return found


def ways_out(response: TestResponse) -> list[str]:
    """Where the page leads into a new window, with a script and without."""
    links = BeautifulSoup(response.text, "html.parser").find_all("a", attrs={"data-opens-window": True})
    return [str(link["href"]) for link in links]


@pytest.fixture
def frame(app: Flask, settings: Settings, platform: FakePlatform) -> Frame:
    return Frame(app, settings, platform)


@pytest.fixture
def pages(app: Flask) -> list[str]:
    """Pages behind a launch, and what was changed there."""
    changed: list[str] = []

    @app.get("/launches/<uuid:launch_id>/form")
    @with_session("LEARNER")
    def form(launch_id: object) -> str:
        source = '{% extends "layout.html" %}{% import "_macros.html" as ui with context %}'
        source += (
            '{% block content %}<form method="post">{{ ui.csrf() }}</form><p>{{ who }}{{ asked }}</p>{% endblock %}'
        )
        return render_template_string(source, who=current_session().user_name, asked=dict(request.args))

    @app.post("/launches/<uuid:launch_id>/form")
    @with_session("LEARNER")
    def change(launch_id: object) -> ResponseReturnValue:
        changed.append(request.form.get("answer", ""))
        return redirect(f"/launches/{launch_id}/form?notice=saved#place", 303)

    @app.get("/launches/<uuid:launch_id>/away")
    @with_session()
    def away(launch_id: object) -> ResponseReturnValue:
        return redirect(request.args["to"], 303)

    return changed


# The login --------------------------------------------------------------------------------------------------------


def test_a_login_of_a_platform_that_keeps_data_answers_a_page(
    platform: FakePlatform, client: FlaskClient, database: Database
) -> None:
    response = platform.login(client, lti_storage_target="storage frame")
    assert response.status_code == 200
    login = part(response, "#login")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(str(login["data-next"])).query).items()}
    assert str(login["data-next"]).startswith(f"{platform.registration.auth_login_url}?scope=openid")
    assert (asked["prompt"], asked["login_hint"]) == ("none", "user-5")
    assert login["data-storage-target"] == "storage frame"
    assert login["data-storage-origin"] == platform.registration.issuer
    assert login["data-storage-key"] == logins.storage_key(asked["state"])
    assert logins.is_of_this_browser(asked["state"], str(login["data-secret"]))
    assert part(response, "a.button")["href"] == login["data-next"], "it goes on without a script, too"
    with database.across_tenants() as connection:
        login_row = logins.find_login(connection, asked["state"])
    assert login_row is not None
    assert login_row.storage_target == "storage frame"


def test_the_page_sets_the_cookie_of_the_login_and_one_like_it_that_the_page_can_read(
    platform: FakePlatform, client: FlaskClient
) -> None:
    response = platform.login(client, lti_storage_target="_parent")
    state, probe = sorted(response.headers.getlist("Set-Cookie"), reverse=True)
    assert state.startswith("__Secure-state-")
    assert probe.startswith(str(part(response, "#login")["data-probe"]) + ";")
    for name in ("Secure", "SameSite=None", "Partitioned"):
        assert name in state
        assert name in probe
    assert "HttpOnly" in state
    assert "HttpOnly" not in probe
    assert "Path=/lti/login" in probe


def test_the_login_page_has_no_inline_script_and_may_be_framed(platform: FakePlatform, client: FlaskClient) -> None:
    response = platform.login(client, lti_storage_target="_parent")
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'self' https: http:" in policy
    assert response.headers["Cache-Control"] == "no-store"
    assert all(
        script.get("src") and not script.text for script in BeautifulSoup(response.text, "html.parser")("script")
    )


@pytest.mark.parametrize("target", ["x" * 201, "line\nbreak", "nul\x00", ["_parent", "other"]])
def test_a_storage_target_that_is_no_name_is_refused(
    platform: FakePlatform, client: FlaskClient, database: Database, target: Any
) -> None:
    response = platform.login(client, lti_storage_target=target)
    assert (response.status_code, "LTI-LOGIN-FORM" in response.text) == (400, True)
    assert rows(database) == NOTHING


def test_a_browser_whose_cookies_stick_launches_by_its_cookie(platform: FakePlatform, client: FlaskClient) -> None:
    response = platform.login(client, lti_storage_target="_parent")
    asked = parse_qs(urlsplit(str(part(response, "#login")["data-next"])).query)
    launched = platform.post(client, platform.signed(platform.claims(asked["nonce"][0])), asked["state"][0])
    assert launched.status_code == 303
    assert "__Secure-launch" in launched.headers["Set-Cookie"]


# The launch -------------------------------------------------------------------------------------------------------


def test_a_launch_without_cookie_first_gets_a_page_and_uses_nothing_up(frame: Frame, database: Database) -> None:
    asked = frame.logs_in()
    response = frame.launches(asked, headers={}, name='"><script>alert(1)</script>')
    assert response.status_code == 200
    form = part(response, "#launch")
    assert form["data-storage-key"] in frame.kept
    assert (form["data-storage-target"], form["data-storage-origin"]) == (
        "_parent",
        frame.platform.registration.issuer,
    )
    assert form["action"] == "/lti/launch"
    assert frame.proof(asked["state"]) not in response.text.replace(asked["state"], "")
    assert [href.partition("?")[0] for href in ways_out(response)] == [
        f"http://localhost:8400/lti/login/{frame.platform.registration.login_key}"
    ] * 2
    assert rows(database) == NOTHING
    assert events(database) == ["storage-asked"]
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    entered = frame.posts(fields["id_token"], fields["state"], frame.proven(asked["state"]))
    assert entered.status_code == 200
    assert events(database) == ["storage-asked", "launch"]


def test_the_proof_opens_a_session_whose_token_is_in_the_answer_only(frame: Frame, pages: list[str]) -> None:
    asked = frame.logs_in()
    response = frame.launches(asked)
    assert response.json is not None
    assert response.json.keys() == {"location", "token"}
    assert response.json["location"].startswith("/launches/")
    assert response.json["token"] not in response.json["location"]
    assert "Set-Cookie" not in response.headers
    page = frame.opens(response.json["location"] + "form", response.json["token"])
    assert "Ada Lovelace" in page.text


def refusal(response: TestResponse) -> tuple[int, str]:
    assert response.json is not None
    return response.status_code, response.json["code"]


def test_bad_launch_row_13_an_altered_state(frame: Frame, database: Database) -> None:
    asked = frame.logs_in()
    altered = asked | {"state": asked["state"] + "x"}
    assert refusal(frame.launches(altered, headers=frame.proven(asked["state"]))) == (401, "LTI-STATE")
    assert rows(database) == NOTHING


def test_bad_launch_row_14_a_platform_without_storage_is_not_asked(
    frame: Frame, platform: FakePlatform, database: Database
) -> None:
    asked = platform.logged_in(frame.client)
    response = frame.launches(asked, headers={})
    assert (response.status_code, "LTI-COOKIE" in response.text) == (401, True)
    assert "launch.js" not in response.text
    # Nor does what another login's platform might have kept count.
    binding = asked["state"].partition(".")[0]
    assert refusal(frame.launches(asked, {"Accept": "application/json", "X-Launch-Proof": binding})) == (
        401,
        "LTI-COOKIE",
    )
    assert rows(database) == NOTHING


def test_bad_launch_row_15_a_state_of_another_browser(
    frame: Frame, app: Flask, settings: Settings, platform: FakePlatform, database: Database
) -> None:
    attacker = Frame(app, settings, platform)
    asked = attacker.logs_in()
    frame.logs_in()
    assert logins.storage_key(asked["state"]) not in frame.kept, "the platform's frame has nothing to tell"
    for proof in ("", "x", *frame.kept.values()):
        headers = {"Accept": "application/json", "X-Launch-Proof": proof}
        assert refusal(attacker.launches(asked, headers)) == (401, "LTI-COOKIE")
    assert rows(database) == NOTHING


@pytest.mark.parametrize(
    "sent_by",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ],
)
def test_bad_launch_row_15_a_proof_sent_by_another_site(
    frame: Frame, database: Database, sent_by: dict[str, str]
) -> None:
    asked = frame.logs_in()
    assert refusal(frame.launches(asked, frame.proven(asked["state"]) | sent_by)) == (401, "LTI-COOKIE")
    assert rows(database) == NOTHING


def test_no_other_site_may_send_the_proof(client: FlaskClient) -> None:
    """A browser asks first, and we never consent (Fetch standard, CORS)."""
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = client.options("/lti/launch", headers=headers | {"Access-Control-Request-Headers": "x-launch-proof"})
    assert [name for name, _ in response.headers if name.lower().startswith("access-control")] == []


def test_bad_launch_row_16_a_login_of_eleven_minutes_ago(frame: Frame, database: Database) -> None:
    asked = frame.logs_in()
    with database.across_tenants() as connection:
        connection.execute("UPDATE logins SET created_at = created_at - interval '11 minutes'")
    assert refusal(frame.launches(asked)) == (401, "LTI-STATE-OLD")
    assert rows(database) == NOTHING


def test_bad_launch_row_17_a_replay(frame: Frame, pages: list[str], database: Database) -> None:
    asked = frame.logs_in()
    first = frame.launches(asked)
    assert first.json is not None
    assert refusal(frame.launches(asked)) == (409, "LTI-USED")
    assert frame.launches(asked, headers={}).status_code == 409, "nor is there a page that asks for the proof"
    assert rows(database)["launch_sessions"] == 1
    assert frame.opens(first.json["location"] + "form", first.json["token"]).status_code == 200


def test_bad_launch_row_18_a_replay_by_many_at_once(
    app: Flask, frame: Frame, platform: FakePlatform, database: Database
) -> None:
    asked = frame.logs_in()
    data = {"id_token": platform.signed(platform.claims(asked["nonce"])), "state": asked["state"]}

    def post(_: int) -> int:
        return app.test_client().post("/lti/launch", data=data, headers=frame.proven(asked["state"])).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(post, range(24)))
    assert statuses == [200] + [409] * 23
    assert rows(database)["launch_sessions"] == 1


def test_bad_launch_row_19_an_old_token_with_a_new_state(
    frame: Frame, platform: FakePlatform, database: Database
) -> None:
    old = platform.signed(platform.claims(frame.logs_in()["nonce"]))
    asked = frame.logs_in()
    assert refusal(frame.posts(old, asked["state"], frame.proven(asked["state"]))) == (401, "LTI-NONCE")
    assert frame.posts(old, asked["state"], {}).status_code == 401
    assert rows(database) == NOTHING


def test_bad_launch_a_token_that_is_refused_gets_no_page_that_asks(frame: Frame, database: Database) -> None:
    response = frame.launches(frame.logs_in(), headers={}, aud="other-client")
    assert (response.status_code, "LTI-AUD" in response.text) == (401, True)
    assert events(database) == ["LTI-AUD"]


def test_a_refusal_to_the_script_is_in_the_readers_language(frame: Frame) -> None:
    asked = frame.logs_in()
    frame.launches(asked)
    refused = frame.launches(asked, frame.proven(asked["state"]) | {"Accept-Language": "ko"})
    assert refused.json is not None
    assert refused.json["message"].isascii() is False


# The session ------------------------------------------------------------------------------------------------------


def test_a_page_that_is_opened_by_a_form_holds_the_token_for_scripts_and_forms(frame: Frame, pages: list[str]) -> None:
    location, token = frame.enters()
    page = frame.opens(f"{location}form?merged=1&merged=2", token)
    assert page.status_code == 200
    assert part(page, "meta[name=launch-token]")["content"] == token
    assert part(page, "form [name=launch_token]")["value"] == token
    assert "{'merged': '1'}" in part(page, "p").text, "the mark is not for the page"
    assert page.headers["Content-Security-Policy"].endswith(
        f"frame-ancestors 'self' {frame.platform.registration.issuer}"
    )
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


def test_with_a_cookie_no_page_holds_a_token(platform: FakePlatform, client: FlaskClient, pages: list[str]) -> None:
    page = client.get(platform.launch(client).location + "form")
    assert "launch_token" not in page.text
    assert "launch-token" not in page.text
    assert client.get(page.request.path).status_code == 200


def test_the_token_works_as_header(frame: Frame, pages: list[str]) -> None:
    location, token = frame.enters()
    headers = {"Authorization": f"Bearer {token}"}
    page = frame.client.get(location + "form", headers=headers)
    assert page.status_code == 200
    sent = {"csrf_token": str(part(page, "[name=csrf_token]")["value"]), "answer": "by script"}
    saved = frame.client.post(location + "form", data=sent, headers=headers | OURS)
    assert (saved.status_code, pages) == (303, ["by script"]), "a script's redirect needs no form"


def test_a_form_with_the_token_changes_something_and_its_redirect_takes_the_token_along(
    frame: Frame, pages: list[str]
) -> None:
    location, token = frame.enters()
    page = frame.opens(location + "form", token)
    sent = {
        str(field["name"]): str(field["value"])
        for field in BeautifulSoup(page.text, "html.parser").select("form input")
    }
    saved = frame.client.post(location + "form", data=sent | {"answer": "mine"}, headers=OURS)
    assert (saved.status_code, pages) == (307, ["mine"])
    assert saved.location == f"{location}form?notice=saved&opened=form#place"
    # The browser repeats the form at the marked address, where it changes nothing a second time.
    again = frame.client.post(saved.location.partition("#")[0], data=sent | {"answer": "mine"}, headers=OURS)
    assert (again.status_code, pages) == (200, ["mine"])
    assert "notice" in part(again, "p").text


def test_the_form_token_is_needed_as_ever(frame: Frame, pages: list[str]) -> None:
    location, token = frame.enters()
    assert frame.client.post(location + "form", data={"launch_token": token}, headers=OURS).status_code == 403
    by_header = frame.client.post(location + "form", headers={"Authorization": f"Bearer {token}"})
    assert by_header.status_code == 403
    assert pages == []


@pytest.mark.parametrize("place", ["https://evil.example/launches/x/", "/lti/jwks.json", "//evil.example/", "other"])
def test_the_token_leaves_no_launch(frame: Frame, pages: list[str], place: str) -> None:
    location, token = frame.enters()
    target = frame.enters()[0] + "form" if place == "other" else place
    response = frame.opens(f"{location}away?to={target}", token)
    assert (response.status_code, response.location) == (303, target)


@pytest.mark.parametrize(
    "sent_by",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_no_other_site_can_plant_its_launch_in_a_browser(
    frame: Frame, pages: list[str], sent_by: dict[str, str]
) -> None:
    location, token = frame.enters()
    response = frame.client.post(f"{location}form?opened=form", data={"launch_token": token}, headers=sent_by)
    assert (response.status_code, "FORM-TOKEN" in response.text) == (403, True)
    assert "Ada Lovelace" not in response.text


def test_an_old_browser_that_names_our_origin_is_believed(frame: Frame, pages: list[str]) -> None:
    location, token = frame.enters()
    data, headers = {"launch_token": token}, {"Origin": "http://localhost:8400"}
    assert frame.client.post(f"{location}form?opened=form", data=data, headers=headers).status_code == 200


def test_two_launches_of_one_browser_never_mix(frame: Frame, pages: list[str]) -> None:
    first, token = frame.enters()
    second, other_token = frame.enters(sub="student-2", name="Grace Hopper")
    assert "Ada Lovelace" in frame.opens(first + "form", token).text
    assert "Grace Hopper" in frame.opens(second + "form", other_token).text
    for location, wrong in ((first, other_token), (second, token)):
        assert frame.opens(location + "form", wrong).status_code == 401
        by_header = frame.client.get(location + "form", headers={"Authorization": f"Bearer {wrong}"})
        assert by_header.status_code == 401


def test_a_role_holds_for_a_token_too(frame: Frame, pages: list[str]) -> None:
    location, token = frame.enters(**{f"{LTI}/roles": [f"{MEMBERSHIP}#Instructor"]})
    assert frame.opens(location + "form", token).status_code == 403


def test_the_mark_opens_pages_of_launches_only(client: FlaskClient, frame: Frame, pages: list[str]) -> None:
    assert client.post("/?opened=form").status_code == 405
    assert client.post("/lti/launch?opened=form").status_code == 415
    location, token = frame.enters()
    unmarked = frame.client.post(f"{location}form?opened=other", data={"launch_token": token}, headers=OURS)
    assert unmarked.status_code == 403, "a POST as any other, without its form token"


def test_a_page_asked_for_without_any_secret_may_reopen_itself_once(frame: Frame, pages: list[str]) -> None:
    location, token = frame.enters()
    closed = frame.client.get(location + "form")
    assert (closed.status_code, "launch-closed" in closed.text) == (401, True)
    for wrong in ("x", token + "x"):
        refused = frame.opens(location + "form", wrong)
        assert (refused.status_code, "launch-closed" in refused.text) == (401, False), "no second try"
    assert part(closed, "h1").text


def test_hints_too_long_for_a_new_window_leave_a_sentence(frame: Frame) -> None:
    asked = frame.logs_in(lti_message_hint="x" * 4000)
    page = frame.launches(asked, headers={})
    assert page.status_code == 200
    assert ways_out(page) == []
    assert "Open the activity from your course in a new window." in page.text


def test_a_launch_without_storage_is_as_before(frame: Frame, platform: FakePlatform) -> None:
    response = platform.login(frame.client, lti_storage_target=ABSENT)
    assert response.status_code == 302
    assert len(response.headers.getlist("Set-Cookie")) == 1
