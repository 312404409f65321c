"""Moodle's rules, one class a row of the notes (M1 to M24), read in ``mod/lti`` of Moodle 4.5 to 5.2.

What a layer of HTTP cannot show:

====  =============================================================  ==================================================
row   why not here                                                   where the tool's side is tested
====  =============================================================  ==================================================
M15   that a ``SameSite=Lax`` cookie is not sent is the browser's    ``tests/browser``; the rule here refuses what would
      doing                                                          need such a cookie: a POST, or ``repost``
M23   what a browser without platform storage falls back to          ``tests/browser`` (partitioned cookie, new window)
====  =============================================================  ==================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Flask
from werkzeug import Response

from tests.platform_rules.layer import (
    Exchange,
    Rule,
    RuleLayer,
)
from tests.platform_rules.moodle_launches import (
    MOODLE_PATH,
    M10SeveralColumnsNoClaim,
    M13RedirectUriIsExact,
    M14HintComesBackUnaltered,
    M15AuthenticationRequestIsAGet,
    M18ContentItemReturn,
    M19AcceptGrades,
    M20DynamicRegistration,
    M21IssuerHasAPath,
    M23NoStorageTarget,
    M24CourseCopy,
)
from tests.platform_rules.moodle_services import (
    Cell,
    M1TypeIdStaysInTheQuery,
    M2ContentTypeIsExact,
    M3OnlyGradableUsers,
    M4LaterByAWholeSecond,
    M5OnlyFinalScoresCount,
    M6OverriddenGradeStays,
    M7CommentIsPlainAndReplaced,
    M8ScoreIsRescaled,
    M9LineItemIsWrittenWhole,
    M11PagesOnlyOnRequest,
    M12RosterPathHasCapitals,
    M16ScopesAreAskedFor,
    M17ToolKeysAreKept,
    M22UserAgentIsNeeded,
    MoodleGradebook,
)


@dataclass
class Moodle(RuleLayer):
    """The practice LMS behind Moodle's rules."""

    gradebook: MoodleGradebook = field(default_factory=MoodleGradebook)

    def answer(self, exchange: Exchange) -> Response:
        """The answer of rules and LMS; what was accepted is written down afterwards."""
        answer = super().answer(exchange)
        score = exchange.score
        if score is not None and score.moment is not None and answer.status_code < 300:
            has_grade = score.is_final and score.body.get("scoreGiven") is not None
            comment = str(score.body.get("comment") or "")
            self.gradebook.cells[score.key] = Cell(int(score.moment.timestamp()), has_grade, comment)
        return answer


def moodle(app: Flask, *more: Rule) -> Moodle:
    """The practice LMS as a Moodle; ``more`` are rules that come first."""
    gradebook = MoodleGradebook()
    rules = (
        *more,
        M22UserAgentIsNeeded(),
        M1TypeIdStaysInTheQuery(),
        M2ContentTypeIsExact(),
        M12RosterPathHasCapitals(),
        M13RedirectUriIsExact(),
        M15AuthenticationRequestIsAGet(),
        M14HintComesBackUnaltered(),
        M21IssuerHasAPath(),
        M20DynamicRegistration(),
        M17ToolKeysAreKept(),
        M16ScopesAreAskedFor(),
        M19AcceptGrades(),
        M18ContentItemReturn(),
        M23NoStorageTarget(),
        M24CourseCopy(),
        M10SeveralColumnsNoClaim(),
        M11PagesOnlyOnRequest(),
        M9LineItemIsWrittenWhole(),
        M8ScoreIsRescaled(),
        M3OnlyGradableUsers(gradebook),
        M4LaterByAWholeSecond(gradebook),
        M5OnlyFinalScoresCount(gradebook),
        M7CommentIsPlainAndReplaced(gradebook),
        M6OverriddenGradeStays(gradebook),
    )
    return Moodle(app, rules, prefix=MOODLE_PATH, gradebook=gradebook)
