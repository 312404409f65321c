"""The form of a platform: what was typed, and what it means once it is checked.

A Moodle is described by its address, a Canvas by its environment; any other platform by each of its addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask_babel import gettext as _
from psycopg import Connection

from lti_tool.launch.platforms import FAMILIES, Registration, list_registrations, origin_of
from lti_tool.launch.registration.canvas import ENVIRONMENTS

KINDS = ("moodle", "canvas", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedPlatform:
    """A form as it was typed; ``site`` is a Moodle's address, ``environment`` the issuer of a Canvas.

    ``family`` is asked where each address is typed by itself.
    """

    kind: str
    family: str = "other"
    name: str = ""
    site: str = ""
    environment: str = next(iter(ENVIRONMENTS))
    issuer: str = ""
    client_id: str = ""
    auth_login_url: str = ""
    auth_token_url: str = ""
    jwks_url: str = ""
    deployment_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPlatform:
    """What a form means."""

    name: str
    family: str
    issuer: str
    client_id: str
    auth_login_url: str
    auth_token_url: str
    jwks_url: str
    deployment_id: str


def typed_platform(form: Mapping[str, str], kind: str) -> TypedPlatform:
    """The form as it was typed, without blanks around and without NUL (PostgreSQL's text cannot hold one)."""
    names = [name for name in TypedPlatform.__slots__ if name != "kind" and name in form]
    return TypedPlatform(kind=kind, **{name: form[name].replace("\x00", "").strip()[:2100] for name in names})


def typed_from(registration: Registration) -> TypedPlatform:
    """The form of a platform that is known, to change it: each address for itself."""
    return TypedPlatform(
        kind="other",
        family=registration.family,
        name=registration.name,
        issuer=registration.issuer,
        client_id=registration.client_id,
        auth_login_url=registration.auth_login_url,
        auth_token_url=registration.auth_token_url,
        jwks_url=registration.jwks_url,
    )


def check_platform(typed: TypedPlatform, *, https_only: bool) -> tuple[CheckedPlatform, dict[str, str]]:
    """What the form means, and one sentence for each field that cannot be used."""
    faults = _Faults(https_only=https_only)
    faults.length("name", typed.name, 200)
    if typed.kind == "moodle":
        site = typed.site.rstrip("/")
        faults.address("site", site)
        if "?" in site or site.endswith((".php", "/my")):  # a page of it: no address that follows would be right
            faults.found["site"] = _("Please enter the address of the front page, without “/my” or a page's name.")
        issuer, urls = site, (f"{site}/mod/lti/auth.php", f"{site}/mod/lti/token.php", f"{site}/mod/lti/certs.php")
    elif typed.kind == "canvas":
        issuer = typed.environment
        host = ENVIRONMENTS.get(issuer, "")
        if not host:
            faults.found["environment"] = _("Please choose one of these.")
        urls = (
            f"{host}/api/lti/authorize_redirect",
            f"{host}/login/oauth2/token",
            f"{host}/api/lti/security/jwks",
        )
    else:
        issuer, urls = typed.issuer, (typed.auth_login_url, typed.auth_token_url, typed.jwks_url)
        faults.issuer("issuer", issuer)
        if typed.family not in FAMILIES:
            faults.found["family"] = _("Please choose one of these.")
        for name, url in zip(("auth_login_url", "auth_token_url", "jwks_url"), urls, strict=True):
            faults.address(name, url)
    faults.length("client_id", typed.client_id, 255)
    if len(typed.deployment_id) > 255:
        faults.found["deployment_id"] = _("Please use at most 255 characters.")
    checked = CheckedPlatform(
        name=typed.name,
        family=typed.family if typed.kind == "other" else typed.kind,
        issuer=issuer,
        client_id=typed.client_id,
        auth_login_url=urls[0],
        auth_token_url=urls[1],
        jwks_url=urls[2],
        deployment_id=typed.deployment_id,
    )
    return checked, faults.found


def same_client(connection: Connection, checked: CheckedPlatform, *, but: int | None = None) -> Registration | None:
    """The registration that has this issuer and client id already, other than number ``but``."""
    known = list_registrations(connection, issuer=checked.issuer)
    return next((each for each in known if each.client_id == checked.client_id and each.id != but), None)


class _Faults:
    """Collects one sentence a field."""

    def __init__(self, *, https_only: bool) -> None:
        self.found: dict[str, str] = {}
        self._https_only = https_only

    def length(self, name: str, value: str, limit: int) -> None:
        if not value:
            self.found[name] = _("Please fill this in.")
        elif len(value) > limit:
            self.found[name] = _("Please use at most %(limit)s characters.", limit=limit)

    def issuer(self, name: str, value: str) -> None:
        if not 8 <= len(value) <= 2000 or any(character.isspace() for character in value):
            self.found[name] = _("Please enter it exactly as the platform shows it, e.g. https://lms.example.edu.")

    def address(self, name: str, url: str) -> None:
        rules: tuple[tuple[Callable[[str], bool], str], ...] = (
            (lambda text: not text, _("Please fill this in.")),
            (_is_no_address, _("Please enter an address such as https://moodle.example.edu.")),
            (self._is_not_secure, _("The address must begin with https://.")),
        )
        for is_wrong, sentence in rules:
            if is_wrong(url):
                self.found[name] = sentence
                return

    def _is_not_secure(self, url: str) -> bool:
        return self._https_only and not url.startswith("https://")


def _is_no_address(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url or not origin_of(url) or len(url) > 2000:
        return True
    parts = urlsplit(url)
    return parts.username is not None or bool(parts.fragment)
