"""Pages that are opened by a form: the way through a launch for browsers that keep no cookie in a frame.

There the page itself holds the session's secret, the launch's token. A link cannot carry it (an address shows up in
logs, histories and referrers), so the page's script opens other pages by posting the token to their address, with a
mark in its query. The page is then answered as its GET would be: a document with a policy of its own.
docs/decisions/0006-launch-without-cookies.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Response, g, request
from werkzeug.wsgi import get_path_info

from lti_tool.launch.access import BY_FORM

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What ``static/launch_pages.js`` adds to the query of an address that it opens.
MARK = ("opened", "form")


class FormOpens:
    """WSGI: a marked POST to a page of a launch arrives as its GET, with the form's fields and without the mark.

    It only ever takes a method's power away: a POST becomes a GET, never the reverse.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] == "POST" and get_path_info(environ).startswith("/launches/"):
            query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
            if MARK in query:
                environ["REQUEST_METHOD"] = "GET"
                environ["QUERY_STRING"] = urlencode([each for each in query if each != MARK])
        return self._app(environ, start_response)


def redirect_by_form(response: Response) -> Response:
    """After a form of a launch without cookies: a redirect within the launch posts the form on, with its token.

    307 makes the browser repeat the form; the mark makes the page behind it a GET again.
    """
    if g.get("launch_carrier") == BY_FORM and response.status_code in {301, 302, 303} and response.location:
        target = urlsplit(response.location)
        launch_path = f"{request.script_root}/launches/{g.launch_session.id}/"
        if target.netloc in {"", request.host} and target.path.startswith(launch_path):
            query = "&".join(part for part in (target.query, urlencode([MARK])) if part)
            response.status_code = 307
            response.location = urlunsplit(target._replace(query=query))
    return response
