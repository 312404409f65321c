"""What all stations know, and where they look: the database, the gradebook, the record."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from lti_tool.db import Database
from lti_tool.demo.practice import TOLERANCE, GradebookEntry, PracticeLms
from lti_tool.gradebook.record_csv import BYTE_ORDER_MARK
from tests.circle.commands import Operator
from tests.circle.people import Class
from tests.circle.quiz import QUIZ_TITLE, Asked
from tests.circle.rows import AnswerRow, list_answers
from tests.circle.size import Size
from tests.integration.stack import wait_for

PLATFORM = "Practice LMS"


class NotSeen(Exception):
    """A station did not show what it should; the message says what was missing."""


def require(is_so: bool, what: str) -> None:
    """Raise :class:`NotSeen` where the sentence ``what`` is not true."""
    if not is_so:
        raise NotSeen(f"not true: {what}")


@dataclass(kw_only=True)
class Circle:
    """What all stations know, and what each leaves for the next ones."""

    size: Size
    lms: PracticeLms
    questions: Sequence[Asked]
    operator: Operator
    database: Database
    subs: dict[str, str]
    logs: Path
    course: Class = field(init=False)
    data: Path = field(init=False)
    dataset: str = ""
    grader: str = ""
    explainer: str = ""

    def __post_init__(self) -> None:
        self.data = self.operator.folder / "dataset"

    def answers(self, *, attempt: int = 1) -> list[AnswerRow]:
        with self.database.across_tenants() as connection:
            return list_answers(connection, attempt=attempt)

    def gradebook(self) -> dict[str, GradebookEntry]:
        return {entry.user_sub: entry for entry in self.lms.gradebook(QUIZ_TITLE)}

    def waits_until_explained(self, count: int, *, attempt: int = 1) -> None:
        """Until so many answers are scored, and the explainer was asked about each."""
        wait_for(
            lambda: sum(row.worded not in (None, "PENDING") for row in self.answers(attempt=attempt)) == count,
            f"{count} answers to be scored and explained",
            seconds=600,
        )

    def waits_until_delivered(self, count: int, *, attempt: int = 1) -> None:
        wait_for(
            lambda: sum(row.delivery_status == "DELIVERED" for row in self.answers(attempt=attempt)) == count,
            f"the scores of {count} answers to arrive in the gradebook",
        )

    def requires_gradebook(self, rows: Sequence[AnswerRow]) -> None:
        """The gradebook has, for each student of these answers, the points that count."""
        held = self.gradebook()
        for sub in {row.user_sub for row in rows}:
            own = [row for row in rows if row.user_sub == sub]
            points = sum((row.points or Decimal(0) for row in own), Decimal(0))
            require(own[0].score_given == points, f"the score that was sent is {points}, not {own[0].score_given}")
            entry = held.get(sub)
            if entry is None or entry.score is None:
                raise NotSeen(f"the gradebook has no score for {sub}")
            share = points / sum(row.max_points for row in own)
            is_equal = abs(entry.score / entry.maximum - share) <= TOLERANCE
            require(is_equal, f"the {entry.score} of the gradebook are {points} points")

    def exported_record(self, slug: str, *, attempt: int) -> list[dict[str, str]]:
        """The rows of ``mlquiz audit export`` about a student's attempt."""
        path = self.operator.folder / "record.csv"
        self.operator.types("audit", "export", "--platform", PLATFORM, "--output", str(path))
        text = path.read_text(encoding="utf-8").removeprefix(BYTE_ORDER_MARK)
        about = (self.subs[slug], str(attempt))
        return [row for row in csv.DictReader(text.splitlines()) if (row["student_lms_id"], row["attempt"]) == about]
