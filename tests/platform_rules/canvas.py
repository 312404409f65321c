"""Canvas's rules, one class a row of the notes (C1 to C24), read in ``app/controllers/lti/ims`` of canvas-lms.

Two rows are stricter here than the API's documentation sounds. ``scores_controller.rb`` writes no score at all where
``preserve_score`` is true, final or not (C10), and with ``prioritize_non_tool_grade`` it protects *any* score that is
there, the tool's own as well (C11). The result, which the tool reads back, takes the new score in both cases.

What a layer of HTTP cannot show:

====  =============================================================  ==================================================
row   why not here                                                   where the tool's side is tested
====  =============================================================  ==================================================
C4    whether a frame answers ``lti.capabilities`` is the browser's  ``tests/browser``; the rule here always names a
      matter                                                         storage target
C19   the developer key's JSON is pasted by a person, no request     ``test_canvas.py`` reads the JSON as Canvas does
C20   Safari's treatment of Canvas's own cookies                     ``tests/browser`` (the new window)
====  =============================================================  ==================================================
"""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass, field

from flask import Flask
from werkzeug import Response

from lti_tool.practice_lms.activities import find_line_item
from tests.platform_rules.canvas_gradebook import (
    C7NotBeforeTheResult,
    C8StudentsWithAttemptsLeft,
    C9NotSubmittedInTheFuture,
    C10PreserveScore,
    C11PrioritizeNonToolGrade,
    C12EveryCommentIsKept,
    C13LateBySubmission,
    C14SpeedGraderOpensTheSubmission,
    C21TeachersGradeStays,
    CanvasGradebook,
    CanvasResult,
    CanvasRule,
    Taking,
    canvas_error,
)
from tests.platform_rules.canvas_platform import (
    C1IssuerIsShared,
    C2DeploymentOfAnAccount,
    C3LoginNamesDeployment,
    C4StorageTargetIsAlwaysThere,
    C5PeopleAreAnonymous,
    C6RolesOfAssistantsAndTestStudents,
    C15CoupledColumnsStay,
    C16CourseCopy,
    C17Throttle,
    C18DynamicRegistration,
    C22RosterRepeatsPeople,
    C23UserAgentIsNeeded,
    C24HeadersChangeCase,
)
from tests.platform_rules.layer import (
    Exchange,
    Rule,
    RuleLayer,
    json_answer,
)

RESULTS_TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"


@dataclass
class Canvas(RuleLayer):
    """The practice LMS behind Canvas's rules, with Canvas's gradebook in place of its own."""

    gradebook: CanvasGradebook = field(default_factory=CanvasGradebook)

    def answer(self, exchange: Exchange) -> Response:
        """Scores and results are Canvas's; everything else is the practice LMS's."""
        if exchange.kind not in {"scores", "results"} or exchange.request.method not in {"POST", "GET"}:
            return super().answer(exchange)
        for rule in self.rules:
            if (refusal := rule.refuse(exchange)) is not None:
                rule.refused += 1
                return refusal
        answer = self._not_granted(exchange)
        if answer is None:
            answer = self._take(exchange) if exchange.kind == "scores" else self._results(exchange)
        for rule in self.rules:
            rule.change_answer(exchange, answer)
        return answer

    def _not_granted(self, exchange: Exchange) -> Response | None:
        """The practice LMS looks at token, scope and line item; a body that holds no score is never taken by it."""
        environ = dict(exchange.environ)
        if exchange.kind == "scores":
            environ |= {"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "2"}
        asked = Response.from_app(self.app, environ, buffered=True)
        if asked.status_code in {401, 403, 404}:
            return canvas_error(asked.status_code, "Insufficient permissions")
        return None

    def _take(self, exchange: Exchange) -> Response:
        post = exchange.score
        if post is None or post.moment is None:
            return canvas_error(400, "param is missing or the value is empty: userId")
        taking = Taking(post=post, submission=self.gradebook.submission(post.key))
        for rule in self.rules:
            if isinstance(rule, CanvasRule):
                rule.take(taking)
        given, maximum = post.body.get("scoreGiven"), post.body.get("scoreMaximum")
        if taking.writes_score and given is not None:
            scale = self._score_maximum(exchange) / maximum if maximum else 1.0
            taking.submission.score, taking.submission.grader = given * scale, "tool"
        # result.update!: the result takes the score even where the submission did not.
        self.gradebook.results[post.key] = CanvasResult(
            given, maximum, str(post.body.get("comment") or ""), post.moment
        )
        url = f"{exchange.lms.url}{exchange.path.removesuffix('/scores')}/results/{secrets.randbits(20)}"
        return json_answer(200, {"resultUrl": url}, "application/vnd.ims.lis.v1.score+json; charset=utf-8")

    def _score_maximum(self, exchange: Exchange) -> float:
        with exchange.lms.database.transaction() as connection:
            item = find_line_item(connection, exchange.line_item_id, int(exchange.request.args.get("type_id", "0")))
        assert item is not None
        return item.score_maximum

    def _results(self, exchange: Exchange) -> Response:
        wanted = exchange.request.args.get("user_id")
        found = [
            {
                "id": f"{exchange.lms.url}{exchange.path}/{number}",
                "userId": user_id,
                "resultScore": result.score,
                "resultMaximum": result.maximum,
                "comment": result.comment,
                "scoreOf": f"{exchange.lms.url}{exchange.path.removesuffix('/results')}",
            }
            for number, ((line_item_id, user_id), result) in enumerate(self.gradebook.results.items())
            if line_item_id == exchange.line_item_id and wanted in (None, user_id)
        ]
        return json_answer(200, found, f"{RESULTS_TYPE}; charset=utf-8")


def canvas(app: Flask, *more: Rule, is_shared: bool = True) -> Canvas:
    """The practice LMS as a school on Canvas; its extension must be a :class:`CanvasLms`. ``more`` rules come first.

    Without ``is_shared`` it is a Canvas of the school's own, with an issuer of its own.
    """
    gradebook = CanvasGradebook()
    rules = (
        *more,
        C23UserAgentIsNeeded(),
        *([C1IssuerIsShared()] if is_shared else []),
        C17Throttle(),
        C18DynamicRegistration(),
        C2DeploymentOfAnAccount(),
        C3LoginNamesDeployment(),
        C4StorageTargetIsAlwaysThere(),
        C5PeopleAreAnonymous(),
        C6RolesOfAssistantsAndTestStudents(assistants={"14"}, test_students={"15"}),
        C15CoupledColumnsStay(),
        C16CourseCopy(),
        C22RosterRepeatsPeople(),
        C7NotBeforeTheResult(gradebook),
        C9NotSubmittedInTheFuture(gradebook),
        C8StudentsWithAttemptsLeft(gradebook),
        C13LateBySubmission(gradebook),
        C14SpeedGraderOpensTheSubmission(gradebook),
        C10PreserveScore(gradebook),
        C11PrioritizeNonToolGrade(gradebook),
        C21TeachersGradeStays(gradebook),
        C12EveryCommentIsKept(gradebook),
        C24HeadersChangeCase(),
    )
    return Canvas(app, rules, gradebook=gradebook)
