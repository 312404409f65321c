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
from lti_tool.gradebook.ags import AgsClient, Result, Score
from lti_tool.gradebook.columns import Columns
from lti_tool.gradebook.comment import comment_text
from lti_tool.gradebook.errors import ServiceAway, StaleTimestamp
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
        if work.tries > 1 and not work.had_equal_score and self._is_there(client, work):
            return
        score = _score_from(work, self._launch_url)
        if registration.family == "canvas" and self._is_our_own(client, work):
            score = replace(score, replaces_own=True)
        try:
            client.post_score(work.line_item_url, score)
        except StaleTimestamp:
            if not self._is_there(client, work):
                raise
            return
        if not self._is_there(client, work, unreadable_means=True):
            raise ServiceError(
                "The gradebook took the score but shows another one: it was changed or locked there."
                " Unlock it in the LMS, or leave it as it is."
            )

    def _is_there(self, client: AgsClient, work: outbox.DeliveryWork, *, unreadable_means: bool = False) -> bool:
        """Whether the gradebook's result is this score (scaled to the gradebook's own maximum).

        ``unreadable_means`` is the answer where the LMS lets the tool write grades but not read them; after a score was
        taken it is also the answer to a failure of reading back, which must not send the score again.
        """
        try:
            result = client.get_result(work.line_item_url, work.user_sub)
        except ServiceError as error:
            if not (error.permanent or unreadable_means):
                raise
            _log.warning("result not readable", delivery_id=work.id, error=str(error))
            return unreadable_means
        return _is_near(result, work.score_given / work.score_maximum)

    def _is_our_own(self, client: AgsClient, work: outbox.DeliveryWork) -> bool:
        """Whether the grade that is there is the last that we delivered; ``False`` before the first, and unreadable.

        Canvas does not tell whose a grade is, and reads back our newest score even where it let an older grade stand.
        Raises :class:`ServiceError` where somebody changed the grade since: that one stays.
        """
        if work.delivered_fraction is None:
            return False
        try:
            result = client.get_result(work.line_item_url, work.user_sub)
        except ServiceError as error:
            if not error.permanent:
                raise
            return False
        if result is None or result.score is None:
            return False
        if not _is_near(result, work.delivered_fraction):
            raise ServiceError(
                "The grade was changed in the LMS since the tool sent one, so it stays as it is there."
                " Enter the new score there if it shall count."
            )
        return True

    def _record_failure(self, connection: Connection, work: outbox.DeliveryWork, error: ServiceError) -> None:
        _log.warning(
            "not delivered", delivery_id=work.id, tries=work.tries, permanent=error.permanent, error=str(error)
        )
        if error.permanent:
            outbox.record_parked(connection, work.id, error=str(error))
            return
        is_stale = isinstance(error, StaleTimestamp)
        wait_seconds = 1.0 if is_stale else wait_before_next(work.tries, error.retry_after_seconds)
        outbox.record_retry(connection, work.id, error=str(error), wait_seconds=wait_seconds, renew=is_stale)


def _is_near(result: Result | None, fraction: Decimal) -> bool:
    if result is None or result.score is None or not result.maximum:
        return False
    return abs(result.score / result.maximum - fraction) <= _TOLERANCE


def wait_before_next(tries: int, retry_after_seconds: float | None = None) -> float:
    """Seconds to wait after failure number ``tries``: from 5 s doubling to 6 h, with jitter, or what the LMS asks."""
    backoff = min(FIRST_WAIT_SECONDS * 2 ** min(tries - 1, 20), LONGEST_WAIT_SECONDS)
    return max(backoff * random.uniform(0.75, 1.25), retry_after_seconds or 0.0)


def _score_from(work: outbox.DeliveryWork, launch_url: str) -> Score:
    # After a try that may have arrived the answer is not announced again: it would be another submission.
    may_be_there = work.tries > 1 and work.had_equal_score
    return Score(
        user_sub=work.user_sub,
        score_given=work.score_given,
        score_maximum=work.score_maximum,
        comment=work.comment,
        timestamp=work.score_timestamp,
        submitted_at=work.submitted_at,
        submission_url=None if may_be_there else f"{launch_url}?quiz={work.quiz_id}&attempt={work.attempt_id}",
        activity_progress="Completed",
        grading_progress="FullyGraded",
    )
