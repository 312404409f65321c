"""One attempt on the instructor's page: what there is to decide about it, and where to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from grading.errors import QuestionUnusable
from lti_tool.gradebook.decision_forms import TypedScore
from lti_tool.gradebook.doubts import AnswerDoubt
from lti_tool.gradebook.history import GradeRecord
from lti_tool.gradebook.overview import Overview, OverviewRow
from lti_tool.gradebook.review_queue import Choice
from lti_tool.gradebook.standing import Reopening
from lti_tool.questions.store import Question, Quiz, grading_question
from lti_tool.submissions.results import QuestionResult
from lti_tool.submissions.store import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill:
    """A form of the page that could not be used: it is shown again as it was.

    ``form``: ``score-<question id>``, ``explanation-<question id>``, ``excuse`` or ``reopen``. ``typed``: what it held.
    ``faults``: a sentence a field. ``problem``: a sentence about the whole.
    """

    form: str = ""
    typed: object = None
    faults: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What the page says about an attempt besides its answers. ``row`` is its row in the table of attempts.

    ``previous`` and ``following`` are its neighbours among those that the address asks for, of which it is the
    ``place``th (``None``: it is not, or not any more) of ``place_count``; ``next_waiting`` is the next one that waits
    for an instructor, of ``waiting_count`` in all.
    """

    attempt: Attempt
    row: OverviewRow
    history: Mapping[int, Sequence[GradeRecord]]
    reopening: Reopening | None
    reopened: OverviewRow | None
    refill: Refill
    choice: Choice
    place: int | None
    place_count: int
    previous: OverviewRow | None
    following: OverviewRow | None
    next_waiting: OverviewRow | None
    waiting_count: int

    @classmethod
    def of(
        cls,
        attempt: Attempt,
        attempts: Overview,
        *,
        history: Mapping[int, Sequence[GradeRecord]],
        reopening: Reopening | None,
        refill: Refill,
    ) -> Review:
        """Of an attempt among all of its placement, in their order."""
        rows = [row for row in attempts.ordered if row.status != "OPEN" or row.attempt_id == attempt.id]
        here = next(here for here, row in enumerate(rows) if row.attempt_id == attempt.id)
        before = [row for row in rows[:here] if attempts.shows(row)]
        after = [row for row in rows[here + 1 :] if attempts.shows(row)]
        is_shown = attempts.shows(rows[here])
        waiting = list_waiting(rows)
        return cls(
            attempt=attempt,
            row=rows[here],
            history=history,
            reopening=reopening,
            reopened=next((row for row in attempts.all_rows if row.attempt_id == attempt.reopened_from), None),
            refill=refill,
            choice=attempts.choice,
            place=len(before) + 1 if is_shown else None,
            place_count=len(before) + is_shown + len(after),
            previous=before[-1] if before else None,
            following=after[0] if after else None,
            next_waiting=next((row for row in (*rows[here + 1 :], *rows[:here]) if row in waiting), None),
            waiting_count=len(waiting),
        )

    @property
    def waits(self) -> bool:
        """An instructor is to approve it: its score, or at least its explanation, is held back."""
        return self.row.is_waiting or self.row.holds_explanation

    @property
    def is_decided_here(self) -> bool:
        """It can be excused and opened again: not while it is open, and not a try of an instructor."""
        return self.attempt.status != "OPEN" and not self.attempt.is_preview

    @property
    def is_past_due(self) -> bool:
        """Its due date has passed."""
        return self.attempt.due_at is not None and self.attempt.due_at <= datetime.now(UTC)

    def records_of(self, result: QuestionResult) -> Sequence[GradeRecord]:
        """The grades of a question, the one that counts first."""
        return self.history.get(result.question_id, ())

    def doubt_of(self, result: QuestionResult) -> AnswerDoubt | None:
        """How far the score of a question can be trusted; ``None`` where it was left unanswered."""
        return next((answer for answer in self.row.answers if answer.question_id == result.question_id), None)

    def parts_of(self, result: QuestionResult, question: Question, quiz: Quiz) -> tuple[str, ...]:
        """The parts of the model answer that the verdicts of a question without key points are about.

        None where that is not certain: the score was put back, or the quiz was changed since it was given.
        """
        records = self.records_of(result)
        if question.key_points or result.grade_source != "MODEL" or records[0].created_at < quiz.updated_at:
            return ()
        parts = _parts_of_model_answer(question, quiz)
        return parts if len(parts) == len(result.verdicts) else ()

    def typed_of(self, result: QuestionResult) -> TypedScore:
        """The form of a question's score: as it was typed, or as it stands. It knows the grade that is shown now."""
        typed = self.refill.typed
        if self.refill.form == f"score-{result.question_id}" and isinstance(typed, TypedScore):
            return replace(typed, seen_grade=str(result.grade_id or ""))
        return TypedScore.from_result(result)

    def typed_text_of(self, result: QuestionResult) -> str:
        """The form of a question's explanation: as it was typed, or the text as it stands."""
        typed = self.refill.typed
        if self.refill.form == f"explanation-{result.question_id}" and isinstance(typed, str):
            return typed
        return result.explanation or ""

    def faults_of(self, form: str) -> Mapping[str, str]:
        """A sentence a field of this form; none if it was not the one that was sent."""
        return self.refill.faults if form == self.refill.form else {}


def list_waiting(rows: Sequence[OverviewRow]) -> list[OverviewRow]:
    """Those of the rows that wait for an instructor: for approval, or with their explanation alone."""
    return [row for row in rows if row.is_waiting or row.holds_explanation]


def _parts_of_model_answer(question: Question, quiz: Quiz) -> tuple[str, ...]:
    from grading.keypoints import key_points_of  # brings numpy, which few pages of the web process need

    try:
        return tuple(point.text for point in key_points_of(grading_question(question, quiz)))
    except QuestionUnusable:
        return ()
