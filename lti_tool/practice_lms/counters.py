"""How often which endpoint was asked since the start: shows whether a tool is sparing with keys and tokens."""

from __future__ import annotations

import threading
from collections import Counter

from flask import Blueprint, Flask, Response, current_app, jsonify, request

from lti_tool.practice_lms.admin import check_token

blueprint = Blueprint("counters", __name__, url_prefix="/admin")
blueprint.before_request(check_token)


def count_requests(app: Flask) -> None:
    """Count each request under the name of its endpoint; token requests under their scopes as well."""
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def count() -> None:
        with lock:
            counts[request.endpoint or "unknown"] += 1
            if request.endpoint == "tokens.grant":
                counts[f"token for {' '.join(sorted(request.form.get('scope', '').split()))}"] += 1

    app.before_request(count)
    app.extensions["practice_lms.counts"] = counts
    app.register_blueprint(blueprint)


@blueprint.get("/counters")
def counters() -> Response:
    """The counts as JSON, by endpoint."""
    return jsonify(current_app.extensions["practice_lms.counts"])
