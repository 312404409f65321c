"""Posts an altered message and judges what the tool made of it, by the oracle and by what is stored."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlencode

from lti_tool.launch.id_token import LEEWAY_SECONDS
from tests.fuzz.faults import Edit
from tests.fuzz.messages import Form, edited
from tests.fuzz.oracle import LTI, Expected, may_launch, teaches
from tests.matrix.scene import Scene
from tests.platforms.matrix_platform import PlatformMessage

REFUSALS = {400, 401, 403, 404, 413, 415, 422}
# A message is replaced before the platform's own minute is over.
_MESSAGE_SECONDS = 20.0


@dataclass(slots=True, kw_only=True)
class Launcher:
    """Keeps one login waiting for its launch; a launch that is accepted uses it up, then another begins."""

    scene: Scene
    is_deep_linking: bool
    tally: Counter[str] = field(default_factory=Counter)
    _message: PlatformMessage | None = None
    _made_at: float = 0.0
    _rows: dict[str, int] = field(default_factory=dict)

    def tries(self, edits: list[Edit]) -> None:
        """One example."""
        message = self.waiting()
        form = edited(message.claims, message.header, self.scene.platform.key, message.state, edits)
        self.posts(form, message)

    def posts(self, form: Form, message: PlatformMessage) -> None:
        """Post a form; fail if it should not have passed, broke something, or left something."""
        before = self._rows
        self.scene.app.extensions["mlquiz.launch"].refusal_limit._counts.clear()
        response = self.scene.browser.post(
            "/lti/launch", data=urlencode(form), content_type="application/x-www-form-urlencoded"
        )
        after = self._rows = self.scene.rows()
        claims = may_launch(form, self._expected(message), time.time())
        if response.status_code == 303:
            self._message = None
            assert claims is not None, "accepted what must not pass"
            self._assert_session_is_of(claims)
            self.tally["accepted"] += 1
            return
        assert response.status_code in REFUSALS, f"{response.status} {response.text}"
        (code,) = re.findall(r"<code>(LTI-[A-Z0-9-]+)</code>", response.text)
        self.tally[code if claims is None else f"{code}, though harmless"] += 1
        new = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        if code == "LTI-DEPLOYMENT":
            new.pop("deployments", None)
        assert new == {"audit_events": 1}, f"{code} left {new}"

    def waiting(self) -> PlatformMessage:
        """The platform's message for the login that waits."""
        if self._message is None or time.monotonic() - self._made_at > _MESSAGE_SECONDS:
            role = "instructor" if self.is_deep_linking else "learner"
            self._message = self.scene.message(role=role, deep_linking=self.is_deep_linking)
            self._made_at = time.monotonic()
            self._rows = self.scene.rows()
        return self._message

    def _expected(self, message: PlatformMessage) -> Expected:
        told = self.scene.platform.registration
        assert LEEWAY_SECONDS == 30
        return Expected(
            issuer=told.issuer,
            client_id=told.client_id,
            deployments=(told.deployment_id,),
            target=f"{self.scene.settings.base_url}/lti/launch",
            key_id=self.scene.platform.key.kid,
            public_key=self.scene.platform.key.private.public_key(),
            state=message.state,
            nonce=message.claims["nonce"],
        )

    def _assert_session_is_of(self, claims: dict[str, object]) -> None:
        row = self.scene.owner.execute(
            "SELECT u.sub, s.role, c.platform_context_id, s.registration_id FROM launch_sessions s"
            " JOIN users u ON u.id = s.user_id JOIN contexts c ON c.id = s.context_id"
            " ORDER BY s.created_at DESC LIMIT 1"
        ).fetchone()
        assert row is not None
        sub, role, context, registration_id = row
        course = claims[f"{LTI}context"]
        roles = claims[f"{LTI}roles"]
        assert isinstance(course, dict)
        assert isinstance(roles, list)
        assert (sub, context, registration_id) == (claims["sub"], course["id"], self.scene.registration.id)
        assert (role == "INSTRUCTOR") <= teaches(roles)
