"""Platform storage: pages that keep a login's secret in a frame of the platform, where frames get no cookies.

LTI client side postMessages 1.0 and LTI OIDC login with client side postMessages 1.0. The messages themselves are
``static/platform_storage.js``; these are the two pages that use it, before and after the platform's own login.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, make_response, render_template

from lti_tool.launch import logins
from lti_tool.launch.errors import CookieMissing
from lti_tool.launch.launches import LAUNCH_PATH
from lti_tool.launch.logins import IssuedLogin, Login
from lti_tool.launch.platforms import Registration, origin_of
from lti_tool.web import services

#: What the second page sends the secret in. Other sites cannot: such a header needs our consent (Fetch, CORS).
PROOF_HEADER = "X-Launch-Proof"
_PROBE_SECONDS = 60


def login_page(issued: IssuedLogin, next_url: str, registration: Registration, storage_target: str) -> Response:
    """The page between login and the platform: goes on at once where cookies stick, else stores the secret first.

    Whether they stick is tried with a cookie that is like the login's own, but readable to the page.
    """
    probe = f"__Secure-probe-{logins.sha256(issued.state).hex()[:16]}"
    response = make_response(
        render_template(
            "launch/login.html",
            next_url=next_url,
            probe=f"{probe}=1",
            storage_target=storage_target,
            storage_origin=origin_of(registration.auth_login_url),
            storage_key=logins.storage_key(issued.state),
            secret=issued.cookie_value,
        )
    )
    response.set_cookie(
        probe,
        "1",
        max_age=_PROBE_SECONDS,
        path=f"{urlsplit(services().settings.base_url).path}/lti/login",
        secure=True,
        samesite="None",
        partitioned=True,
    )
    return response


def launch_page(id_token: str, state: str, login: Login, registration: Registration, restart_url: str) -> Response:
    """The page that asks the platform's frame for the secret and launches with it; nothing is used up yet.

    Without an answer it shows the way into a new window, ``restart_url``.
    """
    return make_response(
        render_template(
            "launch/launch.html",
            id_token=id_token,
            state=state,
            launch_url=f"{urlsplit(services().settings.base_url).path}{LAUNCH_PATH}",
            storage_target=login.storage_target,
            storage_origin=origin_of(registration.auth_login_url),
            storage_key=logins.storage_key(state),
            restart_url=restart_url,
            way_out=CookieMissing,
        )
    )
