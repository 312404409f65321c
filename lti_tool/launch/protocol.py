"""What the tool says and hears in LTI: the one door to the messages, and the only caller of PyLTI1p3.

In: an id_token becomes a :class:`Launch`. Out: content items and scores become messages, modelled by the library's
classes. Pure: no Flask, no SQL, no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pylti1p3.deep_link import DeepLink
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.grade import Grade
from pylti1p3.lineitem import LineItem
from pylti1p3.registration import Registration as LibraryRegistration

from lti_tool.launch.id_token import UnverifiedToken, verify_token
from lti_tool.launch.launches import DeepLinkingSettings, Launch, launch_from_claims
from lti_tool.launch.platforms import Registration


def launch_from_token(
    token: UnverifiedToken,
    jwk: dict[str, Any],
    *,
    registration: Registration,
    nonce_hash: bytes,
    target_link_uri: str,
    base_url: str,
    now: float,
) -> Launch:
    """The launch that a token carries, once it is proven to be the platform's fresh answer to our login.

    ``nonce_hash`` and ``target_link_uri`` are those of the login; ``now`` is in seconds since 1970. Raises the
    :class:`LaunchRefused` of the first thing that is wrong.
    """
    claims = verify_token(
        token, jwk, issuer=registration.issuer, client_id=registration.client_id, nonce_hash=nonce_hash, now=now
    )
    return launch_from_claims(claims, registration=registration, target_link_uri=target_link_uri, base_url=base_url)


# Messages out -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItemDraft:
    """A gradebook column that a content item asks for."""

    label: str
    max_points: Decimal
    resource_id: str
    tag: str


def content_item(
    *, title: str, url: str, text: str = "", custom: Mapping[str, str], line_item: LineItemDraft | None = None
) -> dict[str, Any]:
    """An ``ltiResourceLink`` item (deep linking 2.0 section 3.1) without empty fields."""
    resource = DeepLinkResource().set_title(title).set_url(url).set_custom_params(dict(custom))
    if line_item is not None:
        column = LineItem().set_label(line_item.label).set_score_maximum(json_number(line_item.max_points))
        resource.set_lineitem(column.set_resource_id(line_item.resource_id).set_tag(line_item.tag))
    return {key: value for key, value in (resource.to_dict() | {"text": text}).items() if value}


def deep_linking_response(
    registration: Registration,
    deployment_id: str,
    settings: DeepLinkingSettings,
    items: Sequence[Mapping[str, Any]],
    *,
    message: str = "",
) -> dict[str, Any]:
    """The claims of an ``LtiDeepLinkingResponse`` (deep linking 2.0 section 4.5), to be signed.

    ``message`` is for the person, shown by the platform. ``data`` is there exactly if the request had it: some
    platforms refuse a null.
    """
    library_registration = LibraryRegistration().set_issuer(registration.issuer).set_client_id(registration.client_id)
    claims = DeepLink(library_registration, deployment_id, {}).get_message_jwt([])
    claims["aud"] = registration.issuer
    claims["https://purl.imsglobal.org/spec/lti-dl/claim/content_items"] = list(items)
    if message:
        claims["https://purl.imsglobal.org/spec/lti-dl/claim/msg"] = message
    data_claim = "https://purl.imsglobal.org/spec/lti-dl/claim/data"
    if settings.has_data and settings.data is not None:
        claims[data_claim] = settings.data
    else:
        claims.pop(data_claim, None)
    return claims


def score_message(
    *,
    user_sub: str,
    score_given: Decimal,
    score_maximum: Decimal,
    comment: str,
    timestamp: datetime,
    activity_progress: str,
    grading_progress: str,
    more: Mapping[str, Any],
) -> bytes:
    """A score (AGS 2.0 section 3.4.4) as JSON; zero is sent as the number 0, an empty comment is left out."""
    grade = Grade().set_user_id(user_sub)
    grade.set_score_given(json_number(score_given)).set_score_maximum(json_number(score_maximum))
    grade.set_activity_progress(activity_progress).set_grading_progress(grading_progress)
    grade.set_timestamp(iso_milliseconds(timestamp)).set_extra_claims(more)
    if comment:
        grade.set_comment(comment)
    return grade.get_value().encode()


def json_number(value: Decimal) -> int | float:
    """A number of at most four decimals; whole ones as integers."""
    rounded = value.quantize(Decimal("0.0001"))
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def iso_milliseconds(moment: datetime) -> str:
    """ISO 8601 with milliseconds and zone, as the gradebook services ask (AGS 2.0 section 3.4.7)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
