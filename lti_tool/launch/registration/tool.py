"""How the tool presents itself to platforms: name, description, and the services it asks for."""

from __future__ import annotations

TOOL_ID = "mlquiz"
TOOL_NAME = "ML quiz"
TOOL_DESCRIPTION = "Machine-learning questions answered in one's own words, with a first score and an explanation."

SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
ROSTER = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
#: Columns, results and scores of the gradebook (AGS 2.0), the people of the course (NRPS 2.0).
SCOPES = (
    "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
    "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
    SCORE,
    ROSTER,
)
