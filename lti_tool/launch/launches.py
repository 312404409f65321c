"""A Launch out of the verified claims of an LTI message: what is needed, checked; what is not, left behind.

Pure: no Flask, no SQL, no network. LTI core 1.3 section 5.3 and 5.4, deep linking 2.0 section 4.4.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from lti_tool.launch.claims import AgsClaim, DeepLinkingClaim, IdTokenClaims
from lti_tool.launch.errors import (
    ClaimWrong,
    ContextMissing,
    DeepLinkingNotAllowed,
    DeepLinkingUnusable,
    MessageUnknown,
    ReturnUrlWrong,
    TargetWrong,
    UserAnonymous,
    VersionWrong,
)
from lti_tool.launch.platforms import Registration, origin_of
from lti_tool.launch.roles import Role, is_test_user, role_from_claim

LAUNCH_PATH = "/lti/launch"
RESOURCE_LINK = "LtiResourceLinkRequest"
DEEP_LINKING = "LtiDeepLinkingRequest"
SUBMISSION_REVIEW = "LtiSubmissionReviewRequest"
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_UNSTORABLE = frozenset({"Cc", "Cs"})
# Characters that make a name look like other text, or break a line of it.
_MISLEADING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, kw_only=True)
class GradebookServices:
    """The AGS claim: the column of this placement (if there is exactly one), all columns, what we may do."""

    line_item_url: str | None
    line_items_url: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepLinkingSettings:
    """What the platform accepts and where it wants the answer; ``has_data`` tells an absent ``data`` from null."""

    return_url: str
    accepts_multiple: bool
    accepts_line_item: bool
    title: str
    text: str
    has_data: bool
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One verified LTI message. ``deployment_id`` is the platform's name for the deployment.

    A resource link launch has ``resource_link_id``, a deep linking launch has ``deep_linking``, a submission review
    has ``for_user_sub`` and mostly ``resource_link_id`` (else the line item tells the placement). ``attempt_id`` is an
    answer that the address names: gradebooks that keep one open it so. ``max_attempts`` and ``due_at`` are what the
    instructor chose for this placement.
    """

    registration_id: int
    deployment_id: str
    message_type: str
    sub: str
    name: str | None
    is_test_user: bool
    role: Role
    context_id: str
    context_title: str
    resource_link_id: str | None
    resource_link_title: str
    quiz_id: UUID | None
    target_link_uri: str
    ags: GradebookServices | None
    deep_linking: DeepLinkingSettings | None
    locale: str
    issued_at: datetime
    memberships_url: str | None = None
    for_user_sub: str | None = None
    attempt_id: int | None = None
    max_attempts: int | None = None
    due_at: datetime | None = None
    custom: Mapping[str, str] = field(default_factory=dict)


# A message in -----------------------------------------------------------------------------------------------------


def launch_from_claims(
    claims: IdTokenClaims, *, registration: Registration, target_link_uri: str, base_url: str
) -> Launch:
    """The launch that verified claims describe. ``target_link_uri`` is that of the login, ``base_url`` is ours.

    Raises the :class:`LaunchRefused` of the first thing that cannot be used.
    """
    if claims.version != "1.3.0":
        raise VersionWrong("version is not 1.3.0")
    if claims.message_type not in {RESOURCE_LINK, DEEP_LINKING, SUBMISSION_REVIEW}:
        raise MessageUnknown("message type missing or unknown")
    is_deep_linking = claims.message_type == DEEP_LINKING
    is_review = claims.message_type == SUBMISSION_REVIEW
    role = role_from_claim(claims.roles)
    _check_target(claims, target_link_uri, base_url, is_required=claims.message_type == RESOURCE_LINK)
    if claims.sub is None:
        raise _anonymous(claims)
    if claims.message_type == RESOURCE_LINK and claims.resource_link is None:
        raise ClaimWrong("resource_link is missing")
    if is_review and claims.for_user is None:
        raise ClaimWrong("for_user is missing")
    if claims.context is None:
        raise ContextMissing("no context claim")
    link = None if is_deep_linking else claims.resource_link
    custom = _custom_texts(claims.custom or {})
    assert claims.iat is not None
    return Launch(
        registration_id=registration.id,
        deployment_id=claims.deployment_id,
        message_type=claims.message_type,
        sub=claims.sub,
        name=_name(claims),
        is_test_user=is_test_user(claims.roles),
        role=role,
        context_id=claims.context.id,
        context_title=one_line(claims.context.title or claims.context.label or ""),
        resource_link_id=link.id if link else None,
        resource_link_title=one_line(link.title or "") if link else "",
        quiz_id=_quiz_id(custom, "" if _is_own_choice(claims, role, registration) else claims.target_link_uri or ""),
        target_link_uri=claims.target_link_uri or target_link_uri,
        ags=_gradebook_services(claims.ags),
        deep_linking=_deep_linking(claims.deep_linking, role, registration) if is_deep_linking else None,
        locale=_locale(claims),
        issued_at=datetime.fromtimestamp(claims.iat, tz=UTC),
        memberships_url=_memberships_url(claims),
        for_user_sub=claims.for_user.user_id if is_review and claims.for_user else None,
        attempt_id=_attempt_id(claims.target_link_uri or ""),
        max_attempts=_max_attempts(custom),
        due_at=_due_at(custom),
        custom=custom,
    )


def is_launch_url(url: str, base_url: str) -> bool:
    """Whether a ``target_link_uri`` is our launch address, to the letter but for its query.

    The launch never redirects to it, so a browser cannot be led away with it; it only may name a quiz.
    """
    if not url.isascii() or not url.isprintable() or any(character in url for character in " \\\"'<>"):
        return False
    address, _, query = url.partition("?")
    return address == f"{base_url}{LAUNCH_PATH}" and "#" not in query


def one_line(text: str, limit: int = 300) -> str:
    """Text of a platform as one line of at most ``limit`` characters.

    Without control and direction characters, and without half characters (lone surrogates), which no column takes.
    """
    kept = (" " if unicodedata.category(character) in _UNSTORABLE else character for character in text[: limit * 2])
    return " ".join("".join(character for character in kept if character not in _MISLEADING).split())[:limit]


def _check_target(claims: IdTokenClaims, of_the_login: str, base_url: str, *, is_required: bool) -> None:
    # Deep linking 2.0 does not ask for the claim; a resource link launch must have it (core 5.3.4).
    target = claims.target_link_uri
    if target is None and not is_required:
        return
    if target is None or target != of_the_login or not is_launch_url(target, base_url):
        raise TargetWrong("target_link_uri is missing, not that of the login, or not ours")


def _anonymous(claims: IdTokenClaims) -> UserAnonymous | ClaimWrong:
    # A launch without a user is legal (core 5.3.6), yet nobody could be given its grade.
    is_graded = claims.ags is not None and claims.message_type == RESOURCE_LINK
    return UserAnonymous("no sub") if is_graded else ClaimWrong("sub is missing")


def _name(claims: IdTokenClaims) -> str | None:
    name = claims.name or " ".join(part for part in (claims.given_name, claims.family_name) if part)
    return one_line(name) or None


def _custom_texts(custom: Mapping[str, Any]) -> dict[str, str]:
    """Custom parameters as texts: Canvas expands some of its variables to numbers. What is no scalar is left out."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in custom.items()
        if isinstance(value, (str, int, float, bool))
    }


def _quiz_id(custom: Mapping[str, str], target_link_uri: str) -> UUID | None:
    """The quiz that the placement names, in its custom parameter or its address; platforms lose the one or other."""
    for candidate in (custom.get("quiz_id", ""), *parse_qs(urlsplit(target_link_uri).query).get("quiz", ())):
        try:
            return UUID(candidate)
        except ValueError:
            continue
    return None


def _is_own_choice(claims: IdTokenClaims, role: Role, registration: Registration) -> bool:
    """Whether a student may have made up the address of this launch.

    Canvas launches any address of a tool for whoever may see the course (external_tools/retrieve?url=…). Such a launch
    has no placement but the course's own, whose id is that of the course: there only instructors choose a quiz, or
    students would answer one outside of its placement, as often as they like.
    """
    if registration.family != "canvas" or role is Role.INSTRUCTOR or claims.resource_link is None:
        return False
    return claims.context is not None and claims.resource_link.id == claims.context.id


def _attempt_id(target_link_uri: str) -> int | None:
    """The attempt that an address in the gradebook names (Canvas opens it as an ordinary launch)."""
    for candidate in parse_qs(urlsplit(target_link_uri).query).get("attempt", ()):
        if candidate.isascii() and candidate.isdecimal() and len(candidate) <= 18:
            return int(candidate)
    return None


def _max_attempts(custom: Mapping[str, str]) -> int | None:
    """Attempts for this placement, as our own content item set them; anything else counts as not set."""
    value = custom.get("max_attempts", "")
    return (
        int(value) if value.isascii() and value.isdecimal() and 1 <= len(value) <= 2 and 1 <= int(value) <= 20 else None
    )


def _due_at(custom: Mapping[str, str]) -> datetime | None:
    """When the platform stops taking answers; it fills the variable in, or leaves its name where it knows none."""
    try:
        moment = datetime.fromisoformat(custom.get("due_at", ""))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None


def _memberships_url(claims: IdTokenClaims) -> str | None:
    if claims.memberships is None:
        return None
    url = claims.memberships.context_memberships_url
    if not origin_of(url):
        raise ClaimWrong("the address of the roster is not http(s)")
    return url


def _gradebook_services(claim: AgsClaim | None) -> GradebookServices | None:
    if claim is None:
        return None
    for url in (claim.lineitem, claim.lineitems):
        if url is not None and not origin_of(url):
            raise ClaimWrong("a line item address is not http(s)")
    return GradebookServices(
        line_item_url=claim.lineitem, line_items_url=claim.lineitems, scopes=tuple(claim.scope or ())
    )


def _deep_linking(claim: DeepLinkingClaim | None, role: Role, registration: Registration) -> DeepLinkingSettings:
    if role is not Role.INSTRUCTOR:
        raise DeepLinkingNotAllowed("deep linking without the role of an instructor")
    if claim is None:
        raise ClaimWrong("deep_linking_settings is missing")
    if "ltiResourceLink" not in claim.accept_types:
        raise DeepLinkingUnusable("ltiResourceLink is not accepted")
    if not is_return_url(claim.deep_link_return_url, registration):
        raise ReturnUrlWrong("the return address is not of the platform")
    return DeepLinkingSettings(
        return_url=claim.deep_link_return_url,
        accepts_multiple=claim.accept_multiple in (True, "true"),
        accepts_line_item=claim.accept_lineitem not in (False, "false"),
        title=one_line(claim.title or ""),
        text=(claim.text or "")[:2000],
        has_data="data" in claim.model_fields_set,
        data=claim.data,
    )


def is_return_url(url: str, registration: Registration) -> bool:
    """Whether an address may receive a deep linking response.

    It must be of a registered origin. Schools on Canvas's shared issuer keep their own domains, which nobody can
    register; there any https address that the platform signed will do.
    """
    if not url.isascii() or not url.isprintable() or any(character in url for character in " \\\"'<>"):
        return False
    parts = urlsplit(url)
    if not origin_of(url) or parts.username is not None or parts.password is not None:
        return False
    if origin_of(url) in registration.origins:
        return True
    return registration.family == "canvas" and parts.scheme == "https"


def _locale(claims: IdTokenClaims) -> str:
    locale = (claims.presentation.locale if claims.presentation else None) or ""
    return locale if len(locale) <= 35 and _LANGUAGE_TAG.fullmatch(locale) else "en"
