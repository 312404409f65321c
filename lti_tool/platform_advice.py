"""Where on the platform's side a connection is mended: the menus of Moodle and Canvas, by topic."""

from __future__ import annotations

from typing import Literal

from flask_babel import gettext as _

from lti_tool.launch.platforms import Registration

Topic = Literal["key set", "token address", "client", "grades", "accept grades", "column", "roster"]


def advice(registration: Registration, topic: Topic) -> str:
    """What to do about ``topic``, in the words of the platform's own menus."""
    if registration.family == "moodle":
        return _in_moodle(registration, topic)
    if registration.family == "canvas":
        return _in_canvas(topic)
    return _elsewhere(topic)


def _in_moodle(registration: Registration, topic: Topic) -> str:
    manage = _("In Moodle: Site administration → Plugins → Activity modules → External tool → Manage tools →")
    match topic:
        case "key set":
            url = f"{registration.issuer}/mod/lti/certs.php"
            if registration.jwks_url == url:
                return _right_address()
            return _("The key set of a Moodle is %(url)s: correct it here.", url=url)
        case "token address":
            url = f"{registration.issuer}/mod/lti/token.php"
            if registration.auth_token_url == url:
                return _right_address()
            return _("The token address of a Moodle is %(url)s: correct it here.", url=url)
        case "client":
            return f"{manage} " + _(
                "the tool's gear: “Public key type” must be “Keyset URL” with this tool's /lti/jwks.json; its"
                " magnifying glass shows the client id. The Moodle server must be able to reach this tool."
            )
        case "grades":
            return f"{manage} " + _(
                "the tool's gear → Services → “IMS LTI Assignment and Grade Services”: “Use this service for grade"
                " sync and column management”."
            )
        case "accept grades":
            return _(
                "In Moodle: the activity's settings → Privacy → “Accept grades from the tool”; for all activities:"
                " Manage tools → the tool's gear → Privacy."
            )
        case "column":
            return _("In Moodle: the activity's settings → Grade: choose a type other than “None”.")
        case "roster":
            return f"{manage} " + _(
                "the tool's gear → Services → “IMS LTI Names and Role Provisioning”: “Use this service to retrieve"
                " members' information as per privacy settings”."
            )


def _right_address() -> str:
    return _(
        "This is where a Moodle of this issuer answers. If the issuer is right, look at the firewalls and the name"
        " server between this tool and the Moodle, and whether the Moodle runs."
    )


def _in_canvas(topic: Topic) -> str:
    key = _("In Canvas: Admin → Developer Keys → the tool's key →")
    match topic:
        case "key set" | "token address":
            return _(
                "Canvas answers at sso.canvaslms.com: /api/lti/security/jwks and /login/oauth2/token; its beta at"
                " sso.beta.canvaslms.com. Correct it here."
            )
        case "client":
            return f"{key} " + _(
                "its state must be “ON”, its number is the client id, and “JWK Method” must be “Public JWK URL” with"
                " this tool's /lti/jwks.json."
            )
        case "grades":
            return f"{key} " + _(
                "edit → LTI Advantage Services: switch on line items (create and view), submission results (view) and"
                " submission results (create and update)."
            )
        case "accept grades" | "column":
            return _(
                "In Canvas: add the quiz as an assignment (Assignments → + Assignment → Submission Type: External"
                " Tool); one in a module alone has no column."
            )
        case "roster":
            return f"{key} " + _(
                "edit → LTI Advantage Services: switch on “Can retrieve user data associated with the context”."
            )


def _elsewhere(topic: Topic) -> str:
    match topic:
        case "key set":
            return _("Correct the address of the platform's key set here, or mend it there.")
        case "token address":
            return _("Correct the platform's token address here, or mend it there.")
        case "client":
            return _(
                "Compare the client id on both sides; on the platform, enter this tool's /lti/jwks.json as its key set."
            )
        case "grades":
            return _(
                "On the platform: allow this tool the Assignment and Grade Services (line items, results, scores)."
            )
        case "accept grades" | "column":
            return _("On the platform: make the activity a graded one, and let the tool send its grades.")
        case "roster":
            return _("On the platform: allow this tool the Names and Role Provisioning Service.")
