"""Sending scores: from an outbox row to the LMS's gradebook, once.

Two transactions a try. The first counts the try and fixes timestamp and comment; the second holds the row's lock while
it talks to the LMS. A try that ended without an answer (crash, time-out) may have arrived: the next one reads the
result back before it sends again, so no comment is posted twice.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from decimal import Decimal

import structlog
from psycopg import Connection

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.errors import ServiceError
from lti_tool.gradebook import outbox
from lti_tool.gradebook.ags import AgsClient, Result, Score, plain_comment
from lti_tool.gradebook.columns import Columns
from lti_tool.gradebook.comment import comment_text
from lti_tool.gradebook.errors import ChangedInLms, ServiceAway, StaleTimestamp
from lti_tool.gradebook.patience import Patience
from lti_tool.launch.launches import LAUNCH_PATH
from lti_tool.launch.platforms import get_registration
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp
from lti_tool.secrets import app_secret

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 6 * 3600.0
_TOLERANCE = Decimal("0.0002")

_log = structlog.get_logger(__name__)


class Delivery:
    """Sends scores for one worker process; keeps its HTTP client and access tokens.

    ``columns`` looks after the gradebook's columns with the same.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._launch_url = f"{settings.base_url}{LAUNCH_PATH}"
        self._http = PlatformHttp(settings)
        self._tokens = TokenSource(self._http, database, app_secret(settings))
        self.columns = Columns(database, self._http, self._tokens)
        self._patience = Patience()

    def deliver(self, registration_id: int, delivery_id: int) -> None:
        """One try for one row. Afterwards it is delivered, parked with a reason, or due again later.

        While its platform is left alone the row stays as it is, for the sweep.
        """
        with self._patience.turn(registration_id) as may_ask:
            if may_ask:
                self._deliver(registration_id, delivery_id)

    def _deliver(self, registration_id: int, delivery_id: int) -> None:
        with self._database.transaction(registration_id) as connection:
            if not outbox.begin_delivery(connection, delivery_id):
                return
            lines = outbox.list_explanation_lines(connection, delivery_id)
            outbox.set_comment(connection, delivery_id, comment_text(lines, lines[0].language if lines else "en"))
        with self._database.transaction(registration_id) as connection:
            work = outbox.lock_delivery(connection, delivery_id)
            if work is None:
                outbox.postpone(connection, delivery_id, wait_seconds=FIRST_WAIT_SECONDS)
                return
            began_at = time.monotonic()
            try:
                self._send(connection, work)
            except ServiceError as error:
                self._record_failure(connection, work, error)
                if isinstance(error, ServiceAway):
                    self._patience.note_silence(registration_id, seconds=time.monotonic() - began_at)
                else:
                    self._patience.note_answer(registration_id)
            else:
                self._patience.note_answer(registration_id)
                outbox.record_delivered(connection, work.id)
                _log.info("delivered", delivery_id=work.id, attempt_id=work.attempt_id, tries=work.tries)

    def _send(self, connection: Connection, work: outbox.DeliveryWork) -> None:
        """Post the score and read it back. Raises :class:`ServiceError`."""
        registration = get_registration(connection, work.registration_id)
        client = AgsClient(registration, self._http, self._tokens)
        before = self._result_before(client, work, registration.family)
        if work.tries > 1 and _is_this(before, work):
            return
        if not work.overwrites:
            _require_our_own(before, work)
        score = replace(_score_from(work, self._launch_url), replaces_own=work.overwrites or _is_our_own(before, work))
        try:
            client.post_score(work.line_item_url, score)
        except StaleTimestamp:
            if not _is_this(self._result(client, work), work):
                raise
            return
        try:
            after = client.get_result(work.line_item_url, work.user_sub)
        except ServiceError as error:
            # The score was taken: a failure of reading it back must not send it again.
            _log.warning("result not readable", delivery_id=work.id, error=str(error))
            return
        if not _is_near(after, work.score_given / work.score_maximum):
            raise ChangedInLms(
                "The gradebook took the score but shows another one: it was changed or locked there."
                " Unlock it in the LMS, or leave it as it is."
            )

    def _result_before(self, client: AgsClient, work: outbox.DeliveryWork, family: str) -> Result | None:
        """What the gradebook holds before anything is sent, where that can matter.

        Not before the first score of a student on Moodle and Canvas: the one locks grades that a teacher entered, the
        other shows a tool no grade before the tool's own and keeps a teacher's when asked to.
        """
        if not work.sent_fractions and family in {"moodle", "canvas"}:
            return None
        return self._result(client, work)

    def _result(self, client: AgsClient, work: outbox.DeliveryWork) -> Result | None:
        """The gradebook's result; ``None`` as well where the LMS lets the tool write grades but not read them."""
        try:
            return client.get_result(work.line_item_url, work.user_sub)
        except ServiceError as error:
            if not error.permanent:
                raise
            _log.warning("result not readable", delivery_id=work.id, error=str(error))
            return None

    def _record_failure(self, connection: Connection, work: outbox.DeliveryWork, error: ServiceError) -> None:
        _log.warning(
            "not delivered", delivery_id=work.id, tries=work.tries, permanent=error.permanent, error=str(error)
        )
        if error.permanent:
            outbox.record_parked(connection, work.id, error=str(error), because=error.parked_because)
            return
        is_stale = isinstance(error, StaleTimestamp)
        wait_seconds = 1.0 if is_stale else wait_before_next(work.tries, error.retry_after_seconds)
        outbox.record_retry(connection, work.id, error=str(error), wait_seconds=wait_seconds, renew=is_stale)


def _is_near(result: Result | None, fraction: Decimal) -> bool:
    if result is None or result.score is None or not result.maximum:
        return False
    return abs(result.score / result.maximum - fraction) <= _TOLERANCE


def _is_this(result: Result | None, work: outbox.DeliveryWork) -> bool:
    """Whether the gradebook's result is this very score, scaled to the gradebook's own maximum.

    An earlier version of equal score is told from this one by its comment, where the platform shows comments.
    """
    if result is None or not _is_near(result, work.score_given / work.score_maximum):
        return False
    return not work.had_equal_score or _words(result.comment) == _words(work.comment)


def _words(comment: str | None) -> list[str]:
    return plain_comment(comment or "").split()


def _is_our_own(result: Result | None, work: outbox.DeliveryWork) -> bool:
    """Whether the grade that is there is one that we sent.

    Canvas does not tell whose a grade is, and reads back our newest score even where it let an older grade stand.
    """
    return any(_is_near(result, fraction) for fraction in work.sent_fractions)


def _require_our_own(result: Result | None, work: outbox.DeliveryWork) -> None:
    """Raise :class:`ChangedInLms` where there is a grade that somebody else gave: that one stays."""
    if result is None or result.score is None or _is_our_own(result, work):
        return
    raise ChangedInLms(
        "The grade was changed in the LMS since the tool sent one, so it stays as it is there."
        if work.sent_fractions
        else "The LMS already has a grade that did not come from this tool, so it stays as it is there."
    )


def wait_before_next(tries: int, retry_after_seconds: float | None = None) -> float:
    """Seconds to wait after failure number ``tries``: from 5 s doubling to 6 h, with jitter, or what the LMS asks."""
    backoff = min(FIRST_WAIT_SECONDS * 2 ** min(tries - 1, 20), LONGEST_WAIT_SECONDS)
    return max(backoff * random.uniform(0.75, 1.25), retry_after_seconds or 0.0)


def _score_from(work: outbox.DeliveryWork, launch_url: str) -> Score:
    # An answer is announced once: on Canvas a second time would be another submission, and use up an attempt.
    is_new = not work.is_announced and not (work.tries > 1 and work.had_equal_score)
    return Score(
        user_sub=work.user_sub,
        score_given=work.score_given,
        score_maximum=work.score_maximum,
        comment=work.comment,
        timestamp=work.score_timestamp,
        submitted_at=work.submitted_at,
        submission_url=f"{launch_url}?quiz={work.quiz_id}&attempt={work.attempt_id}" if is_new else None,
        activity_progress="Completed",
        grading_progress="FullyGraded",
    )
