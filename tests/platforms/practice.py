"""The practice LMS as a platform of the matrix."""

from __future__ import annotations

import threading
from pathlib import Path

from werkzeug.serving import make_server

from lti_tool.practice_lms import create_practice_lms
from lti_tool.practice_lms.activities import ContentItem, add_activity
from lti_tool.practice_lms.lms import EXTENSION
from lti_tool.practice_lms.tools import ToolApplication, register_tool
from tests.fake_platform import PlatformKey
from tests.platforms.matrix_platform import MatrixPlatform, PlatformRegistration, Role

_PEOPLE: dict[Role, str] = {"learner": "mateo", "instructor": "ada"}


class PracticePlatform(MatrixPlatform):
    """A practice LMS on a socket of its own, with one graded activity of the tool."""

    name = "practice"

    def __init__(self, folder: Path, tool_url: str) -> None:
        super().__init__()
        # The issuer holds the port, so the server is there before its application.
        self._server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
        issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._server.app = create_practice_lms(folder, issuer)
        lms = self._server.app.extensions[EXTENSION]
        application = ToolApplication(
            name="Quiz tool",
            login_url=f"{tool_url}/lti/login",
            launch_url=f"{tool_url}/lti/launch",
            jwks_url=f"{tool_url}/lti/jwks.json",
            deep_link_url=f"{tool_url}/lti/launch",
        )
        item = ContentItem.model_validate(
            {
                "type": "ltiResourceLink",
                "title": "Overfitting",
                "url": f"{tool_url}/lti/launch",
                "lineItem": {"scoreMaximum": 10},
            }
        )
        with lms.database.transaction() as connection:
            tool = register_tool(connection, application)
            self._activity = add_activity(connection, tool, item)
        self._tool_number = tool.number
        self.key = PlatformKey(lms.identity.key_set["keys"][0]["kid"], lms.identity.private_key)
        self.registration = PlatformRegistration(
            issuer=issuer,
            client_id=tool.client_id,
            deployment_id=tool.deployment_id,
            auth_login_url=f"{issuer}/auth",
            auth_token_url=lms.token_url,
            jwks_url=f"{issuer}/jwks",
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def course_url(self, role: Role, *, deep_linking: bool) -> str:
        """A link of the course page."""
        page = f"{self.registration.issuer}/as/{_PEOPLE[role]}"
        if deep_linking:
            return f"{page}/tools/{self._tool_number}/choose"
        return f"{page}/activities/{self._activity.id}/open"

    def review_url(self, user_id: str) -> str:
        """What the gradebook opens for the instructor: the submission of a student."""
        return f"{self.registration.issuer}/as/ada/activities/{self._activity.id}/submissions/{user_id}/open"

    def stop(self) -> None:
        """End the server and its thread."""
        self._browser.close()
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()
