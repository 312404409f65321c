"""Sending scores: from an outbox row to the LMS's gradebook, once.

Two transactions a try. The first counts the try and fixes the comment; the second holds the locks while it talks to
the LMS. A try that ended without an answer (crash, time-out) may have arrived, or may still: it is left alone for as
long as its requests could last, and then the next one reads the result back before it sends again, so no comment is
posted twice. Tries go on with growing waits for 14 days; then the row is parked and the instructor may send it again.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from decimal import Decimal

import structlog
from psycopg import Connection

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.errors import ServiceError
from lti_tool.gradebook import outbox, sending
from lti_tool.gradebook.ags import AgsClient, Result, Score, plain_comment
from lti_tool.gradebook.columns import Columns
from lti_tool.gradebook.comment import comment_text
from lti_tool.gradebook.comment_store import get_comment_facts
from lti_tool.gradebook.errors import (
    CHANGED_SINCE,
    GIVEN_BEFORE,
    ChangedInLms,
    NoAnswer,
    ServiceAway,
    StaleTimestamp,
)
from lti_tool.gradebook.patience import Patience, Turns
from lti_tool.gradebook.sending import TOLERANCE, DeliveryWork
from lti_tool.launch.launches import LAUNCH_PATH
from lti_tool.launch.platforms import get_registration
from lti_tool.launch.tokens import TokenSource
from lti_tool.platform_http import PlatformHttp
from lti_tool.secrets import app_secret

LONGEST_DAYS = 14
# Token, result, score, result: what one try may ask, each within the platform's time and after a wait for its turn.
_REQUESTS_OF_A_TRY = 6
_PAUSE_FACTOR = 12
# So often a newer timestamp is sent at once.
_QUICK_TRIES = 3
# Canvas slows down clients that ask for more at a time.
_AT_A_TIME = 2
# Whoever sends one registration's scores for so long lets others have the thread.
_LONGEST_TURN_SECONDS = 20.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the gradebook held before; ``is_known``: it was asked, and lets us read."""

    result: Result | None
    is_known: bool


class Delivery:
    """Sends scores for one worker process; keeps its HTTP client and access tokens.

    ``columns`` looks after the gradebook's columns with the same.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._launch_url = f"{settings.base_url}{LAUNCH_PATH}"
        self._http = PlatformHttp(settings, read_seconds=settings.platform_timeout_seconds)
        self._tokens = TokenSource(self._http, database, app_secret(settings))
        self.columns = Columns(database, self._http, self._tokens)
        self._lease_seconds = _REQUESTS_OF_A_TRY * settings.platform_timeout_seconds
        self._first_wait_seconds = settings.delivery_retry_seconds
        self._longest_wait_seconds = settings.delivery_longest_retry_seconds
        self._patience = Patience(
            pause_seconds=_PAUSE_FACTOR * settings.delivery_retry_seconds,
            slow_seconds=settings.platform_timeout_seconds / 4,
        )
        self._turns = Turns(_AT_A_TIME)

    def deliver_due(self, registration_id: int, delivery_id: int) -> int | None:
        """One try for this row and then for what else of the registration is due; the id of one that is left.

        Two threads at a time do that for a registration; without effect where there are two already.
        """
        until = time.monotonic() + _LONGEST_TURN_SECONDS
        with self._turns.turn(registration_id) as has_turn:
            while has_turn and self.deliver(registration_id, delivery_id):
                with self._database.transaction(registration_id) as connection:
                    following = sending.find_due_delivery(connection)
                if following is None or following == delivery_id:
                    break
                if time.monotonic() > until:
                    return following
                delivery_id = following
        return None

    def deliver(self, registration_id: int, delivery_id: int) -> bool:
        """One try for one row. Afterwards it is delivered, parked with a reason, or due again later.

        ``False`` while its platform is left alone: the row stays as it is, for the sweep.
        """
        with self._patience.turn(registration_id) as may_ask:
            if may_ask:
                self._deliver(registration_id, delivery_id)
        return may_ask

    def _deliver(self, registration_id: int, delivery_id: int) -> None:
        with self._database.transaction(registration_id) as connection:
            if not sending.begin_delivery(
                connection, delivery_id, lease_seconds=self._lease_seconds, busy_seconds=self._first_wait_seconds
            ):
                return
            outbox.set_comment(connection, delivery_id, comment_text(get_comment_facts(connection, delivery_id)))
        with self._database.transaction(registration_id) as connection:
            work = sending.lock_delivery(connection, delivery_id, longest_days=LONGEST_DAYS)
            if work is None:
                sending.postpone(connection, delivery_id, wait_seconds=self._first_wait_seconds)
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
                sending.record_delivered(connection, work.id)
                _log.info("delivered", delivery_id=work.id, attempt_id=work.attempt_id, tries=work.tries)

    def _send(self, connection: Connection, work: DeliveryWork) -> None:
        """Post the score and read it back. Raises :class:`ServiceError`."""
        registration = get_registration(connection, work.registration_id)
        client = AgsClient(registration, self._http, self._tokens)
        before = self._found_before(client, work, registration.family)
        if work.tries > 1 and _is_this(before.result, work):
            return
        if not work.overwrites:
            _require_our_own(before.result, work)
        score = replace(
            _score_from(work, before, self._launch_url),
            replaces_own=work.overwrites or _is_our_own(before.result, work),
        )
        sending.require_locks(connection)
        try:
            client.post_score(work.line_item_url, score)
        except StaleTimestamp:
            if not _is_this(self._found(client, work).result, work):
                raise
            return
        try:
            after = client.get_result(work.line_item_url, work.user_sub)
        except ServiceError as error:
            # The score was taken: a failure of reading it back must not send it again.
            _log.warning("result not readable", delivery_id=work.id, error=str(error))
            return
        if not _is_near(after, work.fraction):
            sending.record_taken(connection, work.id)
            raise ChangedInLms(
                "The gradebook took the score but shows another one: it was changed or locked there."
                " Unlock it in the LMS, or leave it as it is."
            )

    def _found_before(self, client: AgsClient, work: DeliveryWork, family: str) -> _Found:
        """What the gradebook holds before anything is sent, where that can matter.

        Not before the first score of a student on Moodle and Canvas: the one locks grades that a teacher entered, the
        other shows a tool no grade before the tool's own and keeps a teacher's when asked to.
        """
        if not work.sent_fractions and family in {"moodle", "canvas"}:
            return _Found(result=None, is_known=True)
        return self._found(client, work)

    def _found(self, client: AgsClient, work: DeliveryWork) -> _Found:
        """The gradebook's result; unknown where the LMS lets the tool write grades but not read them."""
        try:
            return _Found(result=client.get_result(work.line_item_url, work.user_sub), is_known=True)
        except ServiceError as error:
            if not error.permanent:
                raise
            _log.warning("result not readable", delivery_id=work.id, error=str(error))
            return _Found(result=None, is_known=False)

    def _record_failure(self, connection: Connection, work: DeliveryWork, error: ServiceError) -> None:
        _log.warning(
            "not delivered", delivery_id=work.id, tries=work.tries, permanent=error.permanent, error=str(error)
        )
        if error.permanent:
            sending.record_parked(connection, work.id, error=str(error), because=error.parked_because)
            return
        if work.is_too_old:
            said = f"It was tried for {LONGEST_DAYS} days, the last time: {error} Send it again when that is mended."
            sending.record_parked(connection, work.id, error=said, because=error.parked_because)
            return
        is_stale = isinstance(error, StaleTimestamp)
        # A gradebook that finds every time too old would be asked without end.
        is_soon = is_stale and work.tries <= _QUICK_TRIES
        wait_seconds = min(1.0, self._first_wait_seconds) if is_soon else self._wait_before_next(work.tries, error)
        sending.record_retry(connection, work.id, error=str(error), wait_seconds=wait_seconds, renew=is_stale)

    def _wait_before_next(self, tries: int, error: ServiceError) -> float:
        # What may still be under way is given the time to arrive, so that the next try finds it.
        least = self._lease_seconds if isinstance(error, NoAnswer) else 0.0
        wait = wait_before_next(
            tries,
            error.retry_after_seconds,
            first_seconds=self._first_wait_seconds,
            longest_seconds=self._longest_wait_seconds,
        )
        return max(wait, least)


def _is_near(result: Result | None, fraction: Decimal) -> bool:
    if result is None or result.score is None or not result.maximum:
        return False
    return abs(result.score / result.maximum - fraction) <= TOLERANCE


def _is_this(result: Result | None, work: DeliveryWork) -> bool:
    """Whether the gradebook's result is this very score, scaled to the gradebook's own maximum.

    An earlier version of equal score is told from this one by its comment, where the platform shows comments.
    """
    if result is None or not _is_near(result, work.fraction):
        return False
    return not work.had_equal_score or _words(result.comment) == _words(work.comment)


def _words(comment: str | None) -> list[str]:
    return plain_comment(comment or "").split()


def _is_our_own(result: Result | None, work: DeliveryWork) -> bool:
    """Whether the grade that is there is one that we sent.

    Canvas does not tell whose a grade is, and reads back our newest score even where it let an older grade stand.
    """
    return any(_is_near(result, fraction) for fraction in work.sent_fractions)


def _require_our_own(result: Result | None, work: DeliveryWork) -> None:
    """Raise :class:`ChangedInLms` where there is a grade that somebody else gave: that one stays."""
    if result is None or result.score is None or _is_our_own(result, work):
        return
    raise ChangedInLms(CHANGED_SINCE if work.sent_fractions else GIVEN_BEFORE)


def wait_before_next(
    tries: int,
    retry_after_seconds: float | None = None,
    *,
    first_seconds: float = 5.0,
    longest_seconds: float = 6 * 3600.0,
) -> float:
    """Seconds to wait after failure number ``tries``: each twice the one before, with jitter, or what the LMS asks."""
    backoff = min(first_seconds * 2 ** min(tries - 1, 20), longest_seconds)
    return max(backoff * random.uniform(0.75, 1.25), retry_after_seconds or 0.0)


def _score_from(work: DeliveryWork, before: _Found, launch_url: str) -> Score:
    # An answer is announced once: on Canvas a second time would be another submission, and use up an attempt.
    is_new = not (work.is_announced or _may_be_announced(work, before))
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


def _may_be_announced(work: DeliveryWork, before: _Found) -> bool:
    """Whether a try without a known end may have told of the attempt, going by what the gradebook shows."""
    if not before.is_known:
        return work.tries > 1 or bool(work.announcing_fractions)
    shows_this = work.tries > 1 and before.result is not None and _words(before.result.comment) == _words(work.comment)
    return shows_this or any(_is_near(before.result, fraction) for fraction in work.announcing_fractions)
