"""Altered login requests: no failure of the tool, nobody is sent elsewhere, nothing left of what is refused."""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.launch.rates import MinuteLimit
from tests.fuzz.amount import amount
from tests.fuzz.oracle import may_log_in, query_of
from tests.fuzz.values import texts
from tests.matrix.scene import Scene

pytestmark = pytest.mark.timeout(3600)
NAMES = (
    "iss",
    "login_hint",
    "target_link_uri",
    "lti_message_hint",
    "client_id",
    "lti_deployment_id",
    "lti_storage_target",
    "redirect_uri",
    "state",
)
Change = tuple[str, str, Any]
_encodable = texts.filter(lambda text: not any("\ud800" <= character <= "\udfff" for character in text))
_names = st.one_of(st.sampled_from(NAMES), _encodable)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), _names, st.none()),
        st.tuples(st.sampled_from(["replace", "repeat", "append", "put before"]), _names, _encodable),
        st.tuples(st.just("same again"), _names, st.none()),
        st.tuples(st.just("long"), _names, st.integers(8000, 9000)),
    ),
    max_size=3,
)


def _changed(parameters: dict[str, str], drawn: list[Change]) -> list[tuple[str, str]]:
    sent = list(parameters.items())
    for what, name, value in drawn:
        old = dict(sent).get(name, "")
        match what:
            case "drop":
                sent = [pair for pair in sent if pair[0] != name]
            case "replace":
                sent = [pair for pair in sent if pair[0] != name] + [(name, value)]
            case "repeat":
                sent.append((name, value))
            case "same again":
                sent.append((name, old))
            case "append":
                sent = [(key, text + value if key == name else text) for key, text in sent]
            case "put before":
                sent = [(key, value + text if key == name else text) for key, text in sent]
            case "long":
                sent = [pair for pair in sent if pair[0] != name] + [(name, "x" * value)]
    return sent


def _next_address(page: str) -> str:
    """Where the page for platform storage leads."""
    (address,) = re.findall(r'data-next="([^"]+)"', page)
    return html.unescape(address)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_fuzzed_logins_lead_to_the_registered_platform_or_nowhere(
    scene: Scene, method: str, request: pytest.FixtureRequest
) -> None:
    launch_url = f"{scene.settings.base_url}/lti/launch"
    told = scene.platform.registration
    own_address = f"/lti/login/{scene.registration.login_key}"
    asked = scene.platform.login_request("learner") | {"lti_storage_target": "_parent"}
    tally: Counter[str] = Counter()

    @amount(0.1)
    @given(changes, st.booleans())
    def try_it(drawn: list[Change], has_own_address: bool) -> None:
        sent = _changed(asked, drawn)
        address = own_address if has_own_address else "/lti/login"
        scene.app.extensions["mlquiz.launch"].login_limit._counts.clear()
        scene.app.extensions["mlquiz.launch"].refusal_limit._counts.clear()
        before, logins_before = scene.before, _logins(scene)
        if method == "GET":
            response = scene.browser.get(f"{address}?{urlencode(sent)}")
        else:
            form = "application/x-www-form-urlencoded"
            response = scene.browser.post(address, data=urlencode(sent), content_type=form)
        allowed = may_log_in(sent, issuer=told.issuer, client_id=told.client_id, launch_url=launch_url)
        tally[str(response.status_code)] += 1
        if response.status_code in {200, 302}:
            assert allowed is not None, "let on what must not pass"
            target = response.location if response.status_code == 302 else _next_address(response.text)
            assert target.startswith(f"{told.auth_login_url}?")
            query = query_of(target)
            assert query["redirect_uri"] == launch_url
            assert query["client_id"] == told.client_id
            assert query["login_hint"] == allowed["login_hint"]
            assert scene.rows() == before
            assert _logins(scene) == logins_before + 1
        else:
            assert response.status_code in {400, 403}, f"{response.status} {response.text}"
            assert "Location" not in response.headers
            scene.before = scene.rows()
            assert scene.before == before | {"audit_events": before["audit_events"] + 1}
            assert _logins(scene) == logins_before

    assert isinstance(scene.app.extensions["mlquiz.launch"].login_limit, MinuteLimit)
    scene.before = scene.rows()
    try_it()
    request.node.user_properties.append(("tally", str(dict(tally.most_common()))))
    assert tally["302"] + tally["200"] >= 1
    assert tally["400"] + tally["403"] >= 1


def _logins(scene: Scene) -> int:
    row = scene.owner.execute("SELECT count(*) FROM logins").fetchone()
    assert row is not None
    return row[0]
