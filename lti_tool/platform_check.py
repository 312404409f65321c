"""``mlquiz doctor --platform``: is the connection with one learning platform whole, and if not, who mends it where.

Looks from the outside in: registration, keys of both sides, an access token for each service, then what the services
answer for the quiz that was opened last. Nothing is changed on the platform. Findings hold no tokens and no names of
people, and nothing of an answer but its status and OAuth's error code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask_babel import gettext as _

from config.settings import Settings
from lti_tool.db import Database, fetch_one
from lti_tool.doctor import Finding
from lti_tool.errors import NotConfigured
from lti_tool.gradebook.ags import LINE_ITEM_READ_SCOPE as COLUMN_READ
from lti_tool.gradebook.ags import LINE_ITEM_SCOPE as COLUMN
from lti_tool.gradebook.ags import RESULT_SCOPE as RESULT
from lti_tool.gradebook.ags import SCORE_SCOPE as SCORE
from lti_tool.gradebook.roster import MEMBERSHIPS_SCOPE as ROSTER
from lti_tool.launch.keys import public_jwks
from lti_tool.launch.platforms import Registration, list_deployments
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_advice import Topic, advice
from lti_tool.platform_http import PlatformError, PlatformHttp, PlatformRefused, PlatformResponse
from lti_tool.secrets import app_secret

_READ_SECONDS = 5.0
_COLUMNS_TYPE = "application/vnd.ims.lis.v2.lineitemcontainer+json"
_ROSTER_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _LatestQuiz:
    """The placement that was opened last, as its launch described it."""

    platform_link_id: str
    title: str
    line_item_url: str | None
    line_items_url: str | None
    ags_scopes: list[str]
    memberships_url: str | None


class PlatformCheck:
    """Looks at connections with platforms; one instance serves several checks."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._http = PlatformHttp(settings, read_seconds=_READ_SECONDS)
        # Our own address may well lead inside, behind the proxy of the same building.
        to_ourselves = settings.model_copy(update={"allow_private_platforms": True})
        self._own_http = PlatformHttp(to_ourselves, read_seconds=_READ_SECONDS)
        self._tokens = TokenSource(self._http, database, app_secret(settings))

    def examine(self, registration: Registration) -> Iterator[Finding]:
        """One finding after the other, as they come; what cannot be looked at yet is no problem and says why."""
        yield _registered(registration)
        yield self._platform_keys(registration)
        yield self._our_keys(registration)
        granted: dict[str, str] = {}
        yield from self._access(registration, granted)
        with self._database.transaction(registration.id) as connection:
            quiz = fetch_one(
                connection,
                _LatestQuiz,
                "SELECT l.platform_link_id, l.title, l.line_item_url, l.line_items_url, l.ags_scopes,"
                " c.memberships_url FROM resource_links l JOIN contexts c ON c.id = l.context_id"
                " LEFT JOIN (SELECT resource_link_id, max(created_at) AS at FROM launch_sessions"
                "  GROUP BY resource_link_id) AS opened ON opened.resource_link_id = l.id"
                " WHERE l.registration_id = %s ORDER BY opened.at DESC NULLS LAST, l.id DESC LIMIT 1",
                registration.id,
            )
        yield self._gradebook(registration, quiz, granted)
        yield self._roster(registration, quiz, granted)
        yield self._deployments(registration)

    # Keys ---------------------------------------------------------------------------------------------------------

    def _platform_keys(self, registration: Registration) -> Finding:
        part = _("platform's keys")
        try:
            count, usable = _counted_keys(self._http.get(registration.jwks_url, max_bytes=256 * 1024))
        except PlatformError as error:
            return _problem(part, str(error), advice(registration, "key set"))
        if usable == 0:
            detail = _("%(count)s keys, none of them for RS256 signatures", count=count)
            return _problem(part, detail, advice(registration, "key set"))
        return Finding(part=part, ok=True, detail=_("%(count)s keys, %(usable)s for RS256", count=count, usable=usable))

    def _our_keys(self, registration: Registration) -> Finding:
        """Whether the platform would find our key set at PUBLIC_URL, as far as that can be told from here."""
        part, url = _("our keys"), f"{self._settings.base_url}/lti/jwks.json"
        if _is_local(self._settings.base_url) and not _is_local(registration.issuer):
            detail = _("%(url)s is an address of this machine only", url=self._settings.base_url)
            return _problem(part, detail, _("Set PUBLIC_URL to the https address at which the platform reaches it."))
        try:
            published = _kids(self._own_http.get(url))
        except PlatformError as error:
            start = _("Start the tool (`mlquiz up`), and see that PUBLIC_URL and the proxy in front lead to it.")
            return _problem(part, str(error), start)
        with self._database.across_tenants() as connection:
            expected = {key["kid"] for key in public_jwks(connection)["keys"]}
        if published != expected:
            detail = _("%(url)s publishes other keys than this tool has", url=url)
            return _problem(part, detail, _("Another tool answers at PUBLIC_URL, or a cache keeps an old key set."))
        return Finding(part=part, ok=True, detail=_("%(count)s at %(url)s", count=len(published), url=url))

    # Access -------------------------------------------------------------------------------------------------------

    def _access(self, registration: Registration, granted: dict[str, str]) -> Iterator[Finding]:
        """A token for each service; ``granted`` gets them by scope. A refusal of everything is one finding."""
        services: tuple[tuple[str, tuple[str, ...], Topic], ...] = (
            (_("scores"), (SCORE,), "grades"),
            (_("results"), (RESULT,), "grades"),
            (_("columns"), (COLUMN, COLUMN_READ), "grades"),
            (_("roster"), (ROSTER,), "roster"),
        )
        for name, scopes, topic in services:
            part = _("token: %(service)s", service=name)
            refusal = None
            for scope in scopes:
                try:
                    granted[scope] = self._tokens.newly_asked(registration, (scope,))
                except PlatformRefused as error:
                    refusal = error
                    if _oauth_error(error) != "invalid_scope":
                        topic = "token address" if error.status in {404, 405} else "client"
                        yield _problem(_("access token"), _refusal(error), advice(registration, topic))
                        return
                except PlatformError as error:
                    yield _problem(_("access token"), str(error), advice(registration, "token address"))
                    return
                except NotConfigured as error:  # our own signing key
                    yield _problem(_("access token"), str(error), _("See `mlquiz keys --help`."))
                    return
                else:
                    yield Finding(part=part, ok=True, detail=_("granted"))
                    break
            else:
                assert refusal is not None
                yield _problem(part, _refusal(refusal), advice(registration, topic))

    # Services -----------------------------------------------------------------------------------------------------

    def _gradebook(self, registration: Registration, quiz: _LatestQuiz | None, granted: dict[str, str]) -> Finding:
        part = _("gradebook")
        if quiz is None:
            return _not_yet(part, _("nobody has opened a quiz yet"))
        if not quiz.line_items_url and not quiz.line_item_url:
            detail = _("“%(quiz)s” was launched without gradebook services", quiz=quiz.title)
            return _problem(part, detail, advice(registration, "grades"))
        if SCORE not in quiz.ags_scopes:
            detail = _("“%(quiz)s” may not send scores", quiz=quiz.title)
            return _problem(part, detail, advice(registration, "accept grades"))
        token = granted.get(COLUMN) or granted.get(COLUMN_READ)
        if not token:
            return _not_yet(part, _("no token for columns"))
        if not quiz.line_items_url:
            return Finding(part=part, ok=True, detail=_("“%(quiz)s” has a column", quiz=quiz.title))
        try:
            columns = _listed(self._http.get(quiz.line_items_url, accept=_COLUMNS_TYPE, bearer=token))
        except PlatformError as error:
            return _problem(part, _said(error), advice(registration, "grades"))
        is_there = any(
            str(each.get("resourceLinkId")) == quiz.platform_link_id or each.get("id") == quiz.line_item_url
            for each in columns
        )
        if not is_there:
            detail = _("%(count)s columns, none for “%(quiz)s”", count=len(columns), quiz=quiz.title)
            return _problem(part, detail, advice(registration, "column"))
        detail = _("%(count)s columns, one for “%(quiz)s”", count=len(columns), quiz=quiz.title)
        return Finding(part=part, ok=True, detail=detail)

    def _roster(self, registration: Registration, quiz: _LatestQuiz | None, granted: dict[str, str]) -> Finding:
        part = _("roster")
        if quiz is None:
            return _not_yet(part, _("nobody has opened a quiz yet"))
        if not quiz.memberships_url:
            detail = _("the course of “%(quiz)s” was launched without its roster", quiz=quiz.title)
            return _problem(part, detail, advice(registration, "roster"))
        if ROSTER not in granted:
            return _not_yet(part, _("no token for the roster"))
        try:
            members = _members(self._http.get(quiz.memberships_url, accept=_ROSTER_TYPE, bearer=granted[ROSTER]))
        except PlatformError as error:
            return _problem(part, _said(error), advice(registration, "roster"))
        return Finding(part=part, ok=True, detail=_("%(count)s people on its first page", count=members))

    # Deployments --------------------------------------------------------------------------------------------------

    def _deployments(self, registration: Registration) -> Finding:
        part = _("deployments")
        with self._database.transaction(registration.id) as connection:
            deployments = list_deployments(connection, registration.id)
        waiting = [each.deployment_id for each in deployments if each.status == "PENDING"]
        if waiting:
            detail = _("waiting for your approval: %(ids)s", ids=", ".join(waiting))
            approve = f"`mlquiz platform approve {registration.id} --deployment-id {waiting[0]}`"
            return _problem(part, detail, _("If it is yours: %(command)s, or on the page.", command=approve))
        active = sum(each.status == "ACTIVE" for each in deployments)
        if not active:
            return _not_yet(part, _("no launch has come yet; the first one waits here for your approval"))
        return Finding(part=part, ok=True, detail=_("%(count)s accepted, none waiting", count=active))


# Findings ---------------------------------------------------------------------------------------------------------


def _registered(registration: Registration) -> Finding:
    part = _("registration")
    if registration.disabled_at is not None:
        enable = _("Enable it: `mlquiz platform enable %(number)s`, or on the page.", number=registration.id)
        return _problem(part, _("%(name)s is disabled", name=registration.name), enable)
    return Finding(part=part, ok=True, detail=f"{registration.name}, {registration.issuer}")


def _problem(part: str, detail: str, what_to_do: str) -> Finding:
    return Finding(part=part, ok=False, detail=detail, advice=what_to_do)


def _not_yet(part: str, why: str) -> Finding:
    """Nothing to look at; not a fault of anybody."""
    advice_for_later = _("Open a quiz from a course as its instructor, then check again.")
    return Finding(part=part, ok=True, detail=_("not looked at: %(why)s", why=why), advice=advice_for_later)


def _refusal(error: PlatformRefused) -> str:
    code = _oauth_error(error)
    return _("refused (%(status)s)", status=error.status) if not code else f"{_('refused')} ({error.status}, {code})"


def _said(error: PlatformError) -> str:
    return _refusal(error) if isinstance(error, PlatformRefused) and error.status >= 400 else str(error)


def _oauth_error(error: PlatformRefused) -> str:
    """OAuth's error code (RFC 6749 section 5.2), and nothing else of what the platform wrote."""
    try:
        code = json.loads(error.excerpt)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""


# Answers ----------------------------------------------------------------------------------------------------------


def _is_local(url: str) -> bool:
    return (urlsplit(url).hostname or "") in _LOCAL_HOSTS


def _keys_of(response: PlatformResponse) -> list[dict[str, Any]]:
    body = response.json()
    keys = body.get("keys") if isinstance(body, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise _unexpected(response, _("no key set"))
    return keys


def _counted_keys(response: PlatformResponse) -> tuple[int, int]:
    """How many keys there are, and how many of them sign with RS256."""
    keys = _keys_of(response)
    usable = [
        key
        for key in keys
        if key.get("kty") == "RSA" and key.get("alg", "RS256") == "RS256" and key.get("use", "sig") == "sig"
    ]
    return len(keys), sum(bool(key.get("kid")) for key in usable)


def _kids(response: PlatformResponse) -> set[str]:
    return {str(key.get("kid")) for key in _keys_of(response)}


def _listed(response: PlatformResponse) -> list[dict[str, Any]]:
    body = response.json()
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        raise _unexpected(response, _("no list of columns"))
    return body


def _members(response: PlatformResponse) -> int:
    body = response.json()
    members = body.get("members") if isinstance(body, dict) else None
    if not isinstance(members, list):
        raise _unexpected(response, _("no list of members"))
    return len(members)


def _unexpected(response: PlatformResponse, what: str) -> PlatformRefused:
    host = urlsplit(response.url).netloc
    message = _("%(host)s answers, but with %(what)s", host=host, what=what)
    return PlatformRefused(message, status=response.status, headers=response.headers)
