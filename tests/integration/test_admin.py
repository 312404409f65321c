"""The administration pages: who gets in and how, and what an administrator can see and do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug.test import TestResponse

from config.settings import Settings
from lti_tool import create_app
from lti_tool.admin import access, events, sessions, store
from lti_tool.db import Database
from lti_tool.launch import keys, platforms
from lti_tool.launch.audit import record_event
from lti_tool.launch.platforms import Registration, add_pending_deployment, find_deployment, list_registrations
from lti_tool.launch.registration.invitations import list_invitations
from lti_tool.secrets import app_secret
from tests.fake_platform import _launch_database, database_url

__all__ = ["_launch_database", "database_url"]


@pytest.fixture
def app(settings: Settings, database: Database) -> Iterator[Flask]:
    with database.across_tenants() as connection:
        connection.execute("DELETE FROM admin_sessions")
        connection.execute("DELETE FROM invitations")
    made = create_app(settings)
    yield made
    made.extensions["mlquiz"].database.close()


@dataclass
class Admin:
    """An administrator with a browser, signed in or not."""

    client: FlaskClient
    response: TestResponse | None = None

    @property
    def soup(self) -> BeautifulSoup:
        assert self.response is not None
        return BeautifulSoup(self.response.get_data(as_text=True), "html.parser")

    @property
    def text(self) -> str:
        main = self.soup.find("main")
        assert main is not None
        return " ".join(main.get_text(" ").split())

    def opens(self, path: str, status: int = 200) -> Admin:
        self.response = self.client.get(f"/admin{path}", follow_redirects=True)
        assert self.response.status_code == status, self.response.text
        return self

    def sends(self, path: str, status: int = 200, **values: str) -> Admin:
        """Post a form with the session's token; follows redirects."""
        values.setdefault("csrf_token", self.token())
        self.response = self.client.post(f"/admin{path}", data=values, follow_redirects=True)
        assert self.response.status_code == status, self.response.text
        return self

    def token(self) -> str:
        found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', self.client.get("/admin/keys").text)
        return found[1] if found else ""

    def value(self, selector: str) -> str:
        found = self.soup.select_one(selector)
        assert found is not None, selector
        return str(found.get("value", ""))


def link_of(database: Database) -> str:
    with database.across_tenants() as connection:
        return sessions.create_link(connection)


@pytest.fixture
def stranger(app: Flask) -> Admin:
    return Admin(app.test_client())


@pytest.fixture
def admin(app: Flask, database: Database) -> Admin:
    signed_in = Admin(app.test_client())
    assert signed_in.client.post(f"/admin/sign-in/{link_of(database)}").status_code == 303
    return signed_in


def added(database: Database, **changes: Any) -> Registration:
    values = {
        "name": "Our Moodle",
        "family": "moodle",
        "issuer": "https://moodle.example.edu",
        "client_id": "abc",
        "auth_login_url": "https://moodle.example.edu/mod/lti/auth.php",
        "auth_token_url": "https://moodle.example.edu/mod/lti/token.php",
        "jwks_url": "https://moodle.example.edu/mod/lti/certs.php",
        "deployment_ids": ["1"],
    } | changes
    with database.across_tenants() as connection:
        return platforms.add_platform(connection, **values)


def registered(database: Database) -> list[Registration]:
    with database.across_tenants() as connection:
        return list_registrations(connection)


def trail(database: Database) -> list[str]:
    with database.across_tenants() as connection:
        rows = connection.execute(
            "SELECT event FROM audit_events WHERE event <> 'admin-sign-in' ORDER BY id"
        ).fetchall()
    return [row[0] for row in rows]


# Getting in -------------------------------------------------------------------------------------------------------

EVERY_PAGE = (
    *("/", "/platforms", "/platforms/new/moodle", "/platforms/1", "/platforms/1/edit", "/platforms/1/remove"),
    *("/platforms/1/check", "/platforms/1/check/findings", "/invitations", "/keys", "/events"),
)


def test_every_route_of_the_administration_needs_a_sign_in(app: Flask, stranger: Admin) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    assert len(rules) >= 20
    for rule in rules:
        if "sign_in" in rule.endpoint:
            continue
        path = rule.rule.replace("<int:number>", "1").replace("<kind>", "moodle")
        for method in (rule.methods or set()) & {"GET", "POST"}:
            response = stranger.client.open(path, method=method)
            assert response.status_code == 401, f"{method} {path}"
            assert "mlquiz admin link" in response.text
            assert response.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


def test_opening_the_link_does_not_use_it_up_pressing_the_button_does(stranger: Admin, database: Database) -> None:
    link = link_of(database)
    for _ in range(3):
        assert "Sign in" in stranger.opens(f"/sign-in/{link}").text
    assert "Platforms" in stranger.sends(f"/sign-in/{link}").text
    assert "no longer works" in stranger.opens(f"/sign-in/{link}", 410).text
    assert "no longer works" in stranger.sends(f"/sign-in/{link}", 410).text


def test_of_two_browsers_with_one_link_one_gets_in(app: Flask, database: Database) -> None:
    link, together = link_of(database), Barrier(4)

    def press(_: int) -> int:
        together.wait()
        return app.test_client().post(f"/admin/sign-in/{link}").status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(press, range(4))) == [303, 410, 410, 410]


@pytest.mark.parametrize("kind", ["LINK", "SESSION"])
def test_links_and_sessions_end_in_time(admin: Admin, stranger: Admin, database: Database, kind: str) -> None:
    link = link_of(database)
    with database.across_tenants() as connection:
        connection.execute(
            "UPDATE admin_sessions SET expires_at = now() - interval '1 second' WHERE kind = %s", (kind,)
        )
    stranger.opens(f"/sign-in/{link}", 410 if kind == "LINK" else 200)
    admin.opens("/platforms", 401 if kind == "SESSION" else 200)


def test_neither_a_links_secret_nor_another_text_is_a_session(app: Flask, database: Database) -> None:
    for value in (link_of(database), "x" * 43, "", "\u20ac"):
        client = app.test_client()
        client.set_cookie("admin", value)
        assert client.get("/admin/platforms").status_code == 401


def test_signing_out_ends_the_session_everywhere(admin: Admin, app: Flask) -> None:
    cookie = admin.client.get_cookie("admin")
    assert cookie is not None
    copy = app.test_client()
    copy.set_cookie("admin", cookie.value)
    assert copy.get("/admin/platforms").status_code == 200
    admin.sends("/sign-out")
    assert copy.get("/admin/platforms").status_code == 401
    assert admin.client.get_cookie("admin") is None


def test_old_links_are_forgotten_when_a_new_one_is_made(database: Database, app: Flask) -> None:
    link_of(database)
    with database.across_tenants() as connection:
        connection.execute("UPDATE admin_sessions SET expires_at = now() - interval '1 day'")
    link_of(database)
    with database.across_tenants() as connection:
        assert connection.execute("SELECT count(*) FROM admin_sessions").fetchone() == (1,)


@pytest.mark.parametrize(("public_url", "name", "is_secure"), [("", "admin", False), ("https", "__Host-admin", True)])
def test_the_cookie_is_for_this_tool_alone(
    settings: Settings, database: Database, public_url: str, name: str, is_secure: bool
) -> None:
    address = "https://quiz.example.edu" if public_url else ""
    app = create_app(settings.model_copy(update={"public_url": address}))
    try:
        response = app.test_client().post(f"/admin/sign-in/{link_of(database)}")
    finally:
        app.extensions["mlquiz"].database.close()
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{name}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert ("Secure" in cookie) is is_secure
    assert "Domain" not in cookie


# Forms and headers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/keys", "/invitations", "/platforms/1/state", "/platforms/1/remove", "/sign-out"])
def test_a_form_without_its_token_or_from_elsewhere_changes_nothing(
    admin: Admin, database: Database, path: str
) -> None:
    added(database)
    right = {"csrf_token": admin.token()}
    attacks: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"csrf_token": "0" * 64}, {}),
        ({"csrf_token": "\u20ac"}, {}),
        (right, {"Sec-Fetch-Site": "cross-site"}),
        (right, {"Sec-Fetch-Site": "same-site"}),
        (right, {"Origin": "https://evil.example"}),
    ]
    for form, headers in attacks:
        response = admin.client.post(f"/admin{path}", data=form, headers=headers)
        assert response.status_code == 403
        assert "nothing was changed" in response.text
    assert trail(database) == []
    admin.opens("/platforms")


def test_another_sites_button_cannot_use_a_link_up(stranger: Admin, database: Database) -> None:
    link = link_of(database)
    response = stranger.client.post(f"/admin/sign-in/{link}", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    stranger.opens(f"/sign-in/{link}")


def test_no_page_may_be_framed_kept_or_named_to_others(admin: Admin, database: Database) -> None:
    number = added(database).id
    for path in EVERY_PAGE:
        if path.endswith("/findings"):
            continue
        headers = admin.opens(path.replace("/1", f"/{number}")).response.headers  # pyright: ignore
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "'unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_whoever_tries_links_one_after_the_other_is_stopped(
    app: Flask, stranger: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One window of the limit, however long this test takes.
    monkeypatch.setattr("lti_tool.launch.rates._WINDOW_SECONDS", 1e9)
    monkeypatch.setattr(app.extensions["mlquiz.admin"].sign_ins, "_limit", 3)
    statuses = [stranger.client.get(f"/admin/sign-in/{number}").status_code for number in range(5)]
    assert statuses == [410, 410, 410, 429, 429]
    assert stranger.client.post("/admin/sign-in/x").headers["Retry-After"] == "60"
    monkeypatch.setattr(app.extensions["mlquiz.admin"].requests, "_limit", 2)
    assert stranger.client.get("/admin/platforms").status_code == 429


def test_an_unknown_platform_is_not_there(admin: Admin) -> None:
    for path in (
        "/platforms/999",
        "/platforms/99999999999999999999",
        "/platforms/999/edit",
        "/platforms/999/check",
        "/platforms/new/blackboard",
    ):
        assert "no such platform" in admin.opens(path, 404).text
    admin.sends("/platforms/999/state", 404, state="disabled")


# Platforms --------------------------------------------------------------------------------------------------------


def test_without_a_platform_the_page_says_how_to_connect_one(admin: Admin) -> None:
    assert "No platform yet" in admin.opens("/").text
    assert admin.soup.select_one("a.button--main") is not None


def test_what_waits_comes_first_and_is_approved_by_one_button(admin: Admin, database: Database) -> None:
    added(database, name="First", issuer="https://one.example.edu")
    second = added(database, name="Second", issuer="https://two.example.edu")
    with database.across_tenants() as connection:
        add_pending_deployment(connection, second.id, "42:ab/c")
    text = admin.opens("/platforms").text
    assert text.index("Second") < text.index("First")
    assert "42:ab/c" in text
    admin.sends(f"/platforms/{second.id}/deployments", deployment_id="42:ab/c", decision="approve")
    assert "Approved" in admin.text
    with database.across_tenants() as connection:
        deployment = find_deployment(connection, second.id, "42:ab/c")
    assert deployment is not None
    assert deployment.status == "ACTIVE"
    admin.sends(f"/platforms/{second.id}/deployments", deployment_id="42:ab/c", decision="refuse")
    assert "refused" in admin.text
    assert trail(database) == ["platform-approved", "platform-refused"]


def test_a_deployment_that_no_launch_has_named_cannot_be_approved(admin: Admin, database: Database) -> None:
    number = added(database).id
    admin.sends(f"/platforms/{number}/deployments", 404, deployment_id="invented", decision="approve")
    admin.sends(f"/platforms/{number}/deployments", 404, decision="approve")


def test_a_moodle_is_added_by_its_address_alone(admin: Admin, database: Database) -> None:
    admin.sends("/platforms/new/moodle", name="Our Moodle", site="https://moodle.example.edu/lms/ ", client_id="a1B2")
    (registration,) = registered(database)
    assert registration.issuer == "https://moodle.example.edu/lms"
    assert registration.auth_login_url == "https://moodle.example.edu/lms/mod/lti/auth.php"
    assert registration.auth_token_url == "https://moodle.example.edu/lms/mod/lti/token.php"
    assert registration.jwks_url == "https://moodle.example.edu/lms/mod/lti/certs.php"
    assert registration.family == "moodle"
    assert admin.value("#login-url") == f"http://localhost:8400/lti/login/{registration.login_key}"
    assert admin.value("#jwks-url") == "http://localhost:8400/lti/jwks.json"
    assert "None yet. The first launch" in admin.text
    assert trail(database) == ["platform-added"]


@pytest.mark.parametrize("page", ["/my/", "/my/courses.php", "/login/index.php", "/?redirect=0"])
def test_a_page_of_a_moodle_is_not_taken_for_its_address(admin: Admin, database: Database, page: str) -> None:
    admin.sends("/platforms/new/moodle", 422, name="M", site=f"https://moodle.example.edu{page}", client_id="a1B2")
    assert "Please enter the address of the front page" in admin.text
    assert registered(database) == []


@pytest.mark.parametrize("kind", ["moodle", "other"])
def test_the_addresses_to_enter_first_are_beside_the_form(admin: Admin, kind: str) -> None:
    admin.opens(f"/platforms/new/{kind}")
    assert admin.value("#launch-url") == "http://localhost:8400/lti/launch"
    assert admin.value("#jwks-url") == "http://localhost:8400/lti/jwks.json"
    assert admin.value("#login-url") == "http://localhost:8400/lti/login"


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ("https://canvas.instructure.com", "https://sso.canvaslms.com"),
        ("https://canvas.beta.instructure.com", "https://sso.beta.canvaslms.com"),
        ("https://canvas.test.instructure.com", "https://sso.test.canvaslms.com"),
    ],
    ids=["production", "beta", "test"],
)
def test_a_canvas_is_added_by_its_environment(admin: Admin, database: Database, environment: str, host: str) -> None:
    form = {"name": "Canvas", "environment": environment, "client_id": "100", "deployment_id": "42:ab"}
    admin.sends("/platforms/new/canvas", **form)
    (registration,) = registered(database)
    assert (registration.issuer, registration.family) == (environment, "canvas")
    assert registration.auth_login_url == f"{host}/api/lti/authorize_redirect"
    assert registration.auth_token_url == f"{host}/login/oauth2/token"
    assert registration.jwks_url == f"{host}/api/lti/security/jwks"
    with database.across_tenants() as connection:
        deployment = find_deployment(connection, registration.id, "42:ab")
    assert deployment is not None
    assert deployment.status == "ACTIVE"


OTHER = {
    "name": "D2L",
    "family": "other",
    "issuer": "https://d2l.example.edu",
    "client_id": "x",
    "auth_login_url": "https://d2l.example.edu/auth",
    "auth_token_url": "https://d2l.example.edu/token",
    "jwks_url": "https://d2l.example.edu/jwks",
}


@pytest.mark.parametrize(
    ("kind", "changes", "field", "words"),
    [
        ("other", {"name": ""}, "name", "fill this in"),
        ("other", {"name": "x" * 201}, "name", "at most 200"),
        ("other", {"issuer": "d2l example"}, "issuer", "exactly"),
        ("other", {"issuer": ""}, "issuer", "exactly"),
        ("other", {"client_id": ""}, "client_id", "fill this in"),
        ("other", {"client_id": "c" * 256}, "client_id", "at most 255"),
        ("other", {"auth_login_url": "javascript:alert(1)"}, "auth_login_url", "an address"),
        ("other", {"auth_token_url": "https://me@evil.example/"}, "auth_token_url", "an address"),
        ("other", {"jwks_url": "https://d2l.example.edu/jwks#top"}, "jwks_url", "an address"),
        ("other", {"jwks_url": "https://[broken"}, "jwks_url", "an address"),
        ("other", {"family": "blackboard"}, "family", "choose one"),
        ("other", {"deployment_id": "d" * 256}, "deployment_id", "at most 255"),
        ("moodle", {"site": "moodle.example.edu"}, "site", "an address"),
        ("moodle", {"site": ""}, "site", "fill this in"),
        ("canvas", {"environment": "https://evil.example"}, "environment", "choose one"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_a_wrong_field_is_marked_and_nothing_typed_is_lost(
    admin: Admin, database: Database, kind: str, changes: dict[str, str], field: str, words: str
) -> None:
    typed = OTHER | {"site": "https://m.example", "environment": "https://canvas.instructure.com"} | changes
    admin.sends(f"/platforms/new/{kind}", 422, **typed)
    assert registered(database) == []
    assert "Nothing was saved yet" in admin.text
    fault = admin.soup.select_one(f"#fault-{field}")
    assert fault is not None
    assert words in fault.get_text()
    marked = admin.soup.select_one(f"#{field}")
    assert marked is not None
    assert marked["aria-invalid"] == "true"
    assert f"fault-{field}" in str(marked["aria-describedby"])
    for name in ("name", "client_id"):
        assert admin.value(f"#{name}") == typed[name]
    if kind == "other" and field != "family":
        assert admin.value(f"#{field}") == typed[field]


def test_in_production_addresses_must_be_secure(settings: Settings, database: Database) -> None:
    app = create_app(
        settings.model_copy(update={"public_url": "https://q.example.edu", "allow_private_platforms": False})
    )
    try:
        browser = Admin(app.test_client())
        browser.client.post(f"/admin/sign-in/{link_of(database)}", base_url="https://q.example.edu")
        token = re.search(
            r'name="csrf_token" value="(\w+)"', browser.client.get("/admin/keys", base_url="https://q.example.edu").text
        )
        assert token
        form = OTHER | {"jwks_url": "http://d2l.example.edu/jwks", "csrf_token": token[1]}
        response = browser.client.post("/admin/platforms/new/other", data=form, base_url="https://q.example.edu")
        assert response.status_code == 422
        assert "must begin with https://" in response.text
    finally:
        app.extensions["mlquiz"].database.close()


def test_a_client_that_is_registered_already_is_not_written_over(admin: Admin, database: Database) -> None:
    known = added(database)
    admin.sends("/platforms/new/moodle", 422, name="Again", site="https://moodle.example.edu", client_id="abc")
    assert "registration with this client id" in admin.text
    assert registered(database) == [known]


def test_another_registration_of_an_issuer_is_of_the_same_kind(admin: Admin, database: Database) -> None:
    known = added(database)
    assert known.family == "moodle"
    form = OTHER | {"issuer": known.issuer, "client_id": "another", "family": "other"}
    admin.sends("/platforms/new/other", 422, **form)
    assert "another kind of platform" in admin.text
    assert registered(database) == [known]


def test_what_is_typed_cannot_become_markup(admin: Admin, database: Database) -> None:
    name = '"><script>alert(1)</script>'
    admin.sends("/platforms/new/moodle", name=name, site="https://moodle.example.edu", client_id="<b>")
    assert name in admin.text
    assert "<script>alert" not in admin.response.text  # pyright: ignore
    assert "<script>alert" not in admin.opens("/events").response.text  # pyright: ignore


def test_a_platform_is_changed_and_what_was_fetched_from_it_is_forgotten(admin: Admin, database: Database) -> None:
    number = added(database).id
    with database.transaction(number) as connection:
        connection.execute(
            "INSERT INTO platform_keys (registration_id, jwks, fetched_at) VALUES (%s, '{\"keys\": []}', now())",
            (number,),
        )
        connection.execute(
            "INSERT INTO access_tokens (scopes, token_encrypted, expires_at)"
            " VALUES ('s', 'x', now() + interval '1 hour')"
        )
    admin.opens(f"/platforms/{number}/edit")
    assert admin.value("#client_id") == "abc"
    form = OTHER | {"name": "Renamed", "family": "canvas", "client_id": "new", "issuer": "https://another.example"}
    admin.sends(f"/platforms/{number}/edit", **form)
    (changed,) = registered(database)
    assert (changed.name, changed.family, changed.client_id) == ("Renamed", "canvas", "new")
    assert changed.auth_token_url == OTHER["auth_token_url"]
    assert changed.issuer == "https://moodle.example.edu", "another issuer is another platform"
    with database.across_tenants() as connection:
        assert connection.execute("SELECT count(*) FROM platform_keys").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM access_tokens").fetchone() == (0,)
    admin.sends(f"/platforms/{number}/edit", 422, **(form | {"auth_login_url": "ftp://x"}))
    assert admin.value("#auth_login_url") == "ftp://x"


def test_a_platform_cannot_take_the_client_id_of_its_sibling(admin: Admin, database: Database) -> None:
    first, second = added(database), added(database, client_id="def")
    assert first.issuer == second.issuer
    admin.sends(f"/platforms/{second.id}/edit", 422, **(OTHER | {"client_id": "abc"}))
    assert "another registration with this client id" in admin.text
    values = {name: OTHER[name] for name in ("name", "family", "auth_login_url", "auth_token_url", "jwks_url")}
    with database.across_tenants() as connection, pytest.raises(platforms.PlatformWrong, match="client id"):
        store.update_registration(connection, second.id, client_id="abc", **values)


def test_changing_a_disabled_platform_does_not_enable_it(admin: Admin, database: Database) -> None:
    number = added(database).id
    admin.sends(f"/platforms/{number}/state", state="disabled")
    admin.sends(f"/platforms/{number}/edit", **OTHER)
    assert registered(database)[0].disabled_at is not None


def test_disabling_is_undone_by_enabling(admin: Admin, database: Database) -> None:
    number = added(database).id
    assert "Nobody gets in" in admin.sends(f"/platforms/{number}/state", state="disabled").text
    assert registered(database)[0].disabled_at is not None
    admin.sends(f"/platforms/{number}/state", state="enabled")
    assert registered(database)[0].disabled_at is None
    assert trail(database) == ["platform-disabled", "platform-enabled"]


def test_a_platform_without_launches_is_removed_after_a_question(admin: Admin, database: Database) -> None:
    number = added(database).id
    assert "nothing is lost" in admin.opens(f"/platforms/{number}/remove").text
    assert len(registered(database)) == 1
    assert "Removed" in admin.sends(f"/platforms/{number}/remove").text
    assert registered(database) == []
    assert trail(database) == ["platform-removed"]


def test_a_platform_with_people_is_disabled_instead_of_removed(admin: Admin, database: Database) -> None:
    number = added(database).id
    with database.transaction(number) as connection:
        connection.execute("INSERT INTO users (registration_id, sub) VALUES (%s, 's1'), (%s, 's2')", (number, number))
    assert "2 people" in admin.opens(f"/platforms/{number}/remove").text
    assert "Disable it instead" in admin.sends(f"/platforms/{number}/remove", 409).text
    assert len(registered(database)) == 1
    assert trail(database) == []


def test_the_numbers_of_a_platform_are_its_own(admin: Admin, database: Database) -> None:
    ours, theirs = added(database), added(database, issuer="https://other.example.edu", name="Other")
    with database.transaction(theirs.id) as connection:
        connection.execute("INSERT INTO users (registration_id, sub) VALUES (%s, 's1')", (theirs.id,))
        record_event(connection, "launch", registration_id=theirs.id)
    with database.across_tenants() as connection:
        assert store.usage_of(connection, ours.id).is_none
        assert store.usage_of(connection, ours.id).last_launch_at is None
        usage = store.usage_of(connection, theirs.id)
    assert (usage.people, usage.courses, usage.answers) == (1, 0, 0)
    assert usage.last_launch_at is not None


# The connection ---------------------------------------------------------------------------------------------------


def test_the_check_shows_its_findings_in_a_part_of_their_own_and_at_once_without_scripts(
    admin: Admin, database: Database, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/jwks").respond_with_json({"keys": []})
    httpserver.expect_request("/token").respond_with_json({"error": "invalid_client"}, status=401)
    here = httpserver.url_for("")
    number = added(database, issuer=here, jwks_url=f"{here}jwks", auth_token_url=f"{here}token").id
    waiting = admin.opens(f"/platforms/{number}/check")
    live = waiting.soup.select_one("[data-live]")
    assert live is not None
    assert live["data-live"] == f"/admin/platforms/{number}/check/findings"
    assert waiting.soup.select_one(f'.without-script a[href="/admin/platforms/{number}/check?now=1"]') is not None
    for path in (f"/platforms/{number}/check/findings", f"/platforms/{number}/check?now=1"):
        response = admin.client.get(f"/admin{path}")
        assert response.status_code == 200
        words = " ".join(BeautifulSoup(response.text, "html.parser").get_text(" ").split())
        assert "0 keys, none of them for RS256" in words
        assert "401, invalid_client" in words
        assert "to mend" in words
        assert 'data-part="findings"' in response.text


def test_checks_are_not_for_hammering_a_platform(
    app: Flask, admin: Admin, database: Database, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One window of the limit, however long this test takes.
    monkeypatch.setattr("lti_tool.launch.rates._WINDOW_SECONDS", 1e9)
    here = httpserver.url_for("")
    number = added(database, issuer=here, jwks_url=f"{here}jwks", auth_token_url=f"{here}token").id
    monkeypatch.setattr(app.extensions["mlquiz.admin"].checks, "_limit", 1)
    admin.opens(f"/platforms/{number}/check?now=1")
    admin.opens(f"/platforms/{number}/check?now=1", 429)
    admin.opens(f"/platforms/{number}/check/findings", 429)


# Invitations ------------------------------------------------------------------------------------------------------


def test_an_invitations_address_is_shown_once(admin: Admin, database: Database) -> None:
    admin.sends("/invitations", name="Our Moodle", wants_names="yes")
    url = admin.value("#invitation-url")
    assert url.startswith("http://localhost:8400/lti/register/")
    with database.across_tenants() as connection:
        (invitation,) = list_invitations(connection)
    assert (invitation.name, invitation.wants_names) == ("Our Moodle", True)
    assert url not in admin.opens("/invitations").response.text  # pyright: ignore
    assert "good until" in admin.text
    admin.sends(f"/invitations/{invitation.id}/revoke")
    assert "no longer works" in admin.text
    assert "None yet" in admin.text
    assert trail(database) == ["invitation-made", "invitation-revoked"]


def test_an_invitation_needs_a_name_and_keeps_what_was_chosen(admin: Admin, database: Database) -> None:
    admin.sends("/invitations", 422, name="  ")
    assert "fill this in" in admin.text
    box = admin.soup.select_one("input[name=wants_names]")
    assert box is not None
    assert not box.has_attr("checked")
    admin.sends("/invitations", 422, name="x" * 201, wants_names="yes")
    with database.across_tenants() as connection:
        assert list_invitations(connection) == []
    admin.sends("/invitations", name="Without names")
    with database.across_tenants() as connection:
        assert [each.wants_names for each in list_invitations(connection)] == [False]


# Keys -------------------------------------------------------------------------------------------------------------


def test_a_new_key_is_made_by_a_button_and_signs_a_day_later(admin: Admin, database: Database) -> None:
    assert "every 30 days" in admin.opens("/keys").text
    with database.across_tenants() as connection:
        (first,) = keys.list_keys(connection)
    assert "signs from" in admin.sends("/keys").text
    with database.across_tenants() as connection:
        states = {key.kid: key.state for key in keys.list_keys(connection)}
    assert states.pop(first.kid) == "SIGNING"
    assert list(states.values()) == ["NEXT"]
    assert trail(database) == ["keys-rotated"]


def test_a_key_of_another_secret_is_explained_and_not_replaced(
    admin: Admin, database: Database, settings: Settings
) -> None:
    with database.across_tenants() as connection:
        keys.signing_key(connection, app_secret(settings) + "x")
    admin.sends("/keys", 409)
    assert "mlquiz keys rotate --lost" in admin.text
    assert trail(database) == []


# Events -----------------------------------------------------------------------------------------------------------


def event(database: Database, name: str, registration_id: int | None = None, **values: str) -> None:
    with database.across_tenants() as connection:
        record_event(connection, name, registration_id=registration_id, **values)


def test_the_number_of_an_error_page_leads_to_what_happened(admin: Admin, database: Database) -> None:
    number = added(database).id
    event(database, "LTI-COOKIE", number, detail="no cookie of this login", correlation_id="0a1b2c3d4e5f")
    event(database, "LTI-TIME", number, correlation_id="ffffffffffff")
    found = admin.opens("/events?number=%200A1B2C3D4E5F%20").text
    assert "LTI-COOKIE" in found
    assert "did not send the login's cookie" in found
    assert "Our Moodle" in found
    assert "LTI-TIME" not in found
    assert "DATA_DIR/logs" in admin.opens("/events?number=123456").text


def test_events_are_of_one_platform_and_the_last_days_if_asked(admin: Admin, database: Database) -> None:
    ours, theirs = added(database), added(database, issuer="https://other.example.edu", name="Other")
    event(database, "LTI-TIME", ours.id)
    event(database, "LTI-NONCE", theirs.id)
    event(database, "LTI-REGISTRATION")
    every = admin.opens("/events").text
    assert all(code in every for code in ("LTI-TIME", "LTI-NONCE", "LTI-REGISTRATION"))
    of_one = admin.opens(f"/events?platform={ours.id}").text
    assert "LTI-TIME" in of_one
    assert "LTI-NONCE" not in of_one
    with database.across_tenants() as connection:
        connection.execute(
            "INSERT INTO audit_events (event, at) VALUES ('LTI-OLD', now() - interval '8 days'),"
            " ('LTI-ANCIENT', now() - interval '40 days')"
        )
    assert "LTI-OLD" not in admin.opens("/events?days=7").text
    assert "LTI-OLD" in admin.opens("/events?days=30").text
    assert "LTI-ANCIENT" not in admin.opens("/events?days=4000").text
    assert "Nothing happened" in admin.opens("/events?platform=999999").text


def test_wrong_filters_are_no_errors(admin: Admin) -> None:
    for query in ("platform=x", "days=-1", "days=x", "number=%00", "platform=99999999999999999999"):
        admin.opens(f"/events?{query}")


def test_every_code_of_a_refused_launch_is_explained(app: Flask) -> None:
    with app.test_request_context():
        codes = events.refusals()
        assert {"LTI-COOKIE", "LTI-DEPLOYMENT", "LTI-KEYS", "LTI-REG-INVITATION"} <= set(codes)
        assert [code for code in codes if not events.explanation(code)] == []
        assert events.explanation("no such event") == ""


def test_limits_are_generous_for_people() -> None:
    assert access.REQUESTS_PER_MINUTE >= 120
    assert access.SIGN_INS_PER_MINUTE >= 10
