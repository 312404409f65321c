"""Students who answer and instructors who override, by the functions that the pages call.

The pages themselves are left out: 10,000 answers through forms would test the web server, and take the time that the
deliveries need. Every step is a transaction of its own, as in the pages, and is done again when the database is away,
as a person would.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import psycopg
from psycopg import Connection

from lti_tool.db import Database, fetch_value
from lti_tool.errors import AlreadyDone, DatabaseUnavailable, Refused
from lti_tool.gradebook.decisions import override_grade
from lti_tool.launch import platforms
from lti_tool.launch.launches import RESOURCE_LINK, GradebookServices, Launch
from lti_tool.launch.platforms import Registration
from lti_tool.launch.roles import Role
from lti_tool.launch.sessions import start_session
from lti_tool.questions.store import NewKeyPoint, NewQuestion, add_quiz
from lti_tool.submissions.store import find_attempt, hand_in, list_submissions, save_draft, start_attempt
from lti_tool.worker import wake_grading
from tests.chaos.size import Size

POLICIES = ("BEST", "LAST", "AVERAGE")
_SCOPES = tuple(f"https://purl.imsglobal.org/spec/lti-ags/scope/{name}" for name in ("score", "result.readonly"))
_WORDS = ("dropout", "switches", "random", "units", "off", "while", "training", "weights", "0", "x", "y?", "드롭아웃")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """Someone in a placement of a quiz."""

    registration_id: int
    resource_link_id: int
    user_id: int
    quiz_id: UUID
    question_ids: tuple[int, ...]
    model_answer: str


@dataclass(kw_only=True)
class People:
    """All students, and what they and their instructors did."""

    database: Database
    size: Size
    random: random.Random
    students: list[Student] = field(default_factory=list)
    overridden: int = 0
    repeated: int = 0

    def enrol(self, town: str) -> None:
        """Two schools with a quiz for each policy; students, some of whom have left the course."""
        for family in ("moodle", "canvas"):
            # Hosts of their own: their clocks differ.
            site = f"{town if family == 'moodle' else town.replace('127.0.0.1', 'localhost')}/{family}"
            registration = self._school(family, site)
            for number, policy in enumerate(POLICIES, 1):
                url = f"{site}/services/ags/1/lineitems/{number}/lineitem?type_id=1"
                self._class(registration, f"{family}-{policy}", policy, url)

    def hand_in_everything(self) -> int:
        """Every student, every attempt; attempts of one student come one after the other. How many answers."""
        rounds = [(student, number) for number in range(self.size.attempts) for student in self.students]
        # Where the database is away for long, the next round begins before a student is through with the last one:
        # beginning would then give the attempt that is open, and its answers would be counted twice.
        one_at_a_time = {student: threading.Lock() for student in self.students}

        def hands_in(one: tuple[Student, int]) -> int:
            with one_at_a_time[one[0]]:
                return self._hands_in(*one)

        with ThreadPoolExecutor(4) as threads:
            return sum(threads.map(hands_in, rounds))

    def override_now_and_then(self, stop: threading.Event) -> None:
        """Instructors change the score of an answer that was scored already, while scores are under way."""
        while self.overridden < self.size.overrides and not stop.is_set():
            student = self.random.choice(self.students)
            with suppress(Refused):
                self.overridden += self._again(lambda student=student: self._overrides(student))
            stop.wait(self.size.override_seconds)

    def _school(self, family: str, site: str) -> Registration:
        with self.database.across_tenants() as connection:
            return platforms.add_platform(
                connection,
                issuer=site,
                client_id="tool",
                family=family,
                auth_login_url=f"{site}/auth",
                auth_token_url=f"{site}/token",
                jwks_url=f"{site}/jwks",
                deployment_ids=["1"],
            )

    def _class(self, registration: Registration, name: str, policy: str, line_item_url: str) -> None:
        with self.database.transaction(registration.id) as connection:
            start_session(connection, _launch(registration, name, "teacher", Role.INSTRUCTOR, None, None), registration)
            quiz_id = self._quiz(connection, name, policy)
            questions = connection.execute("SELECT id FROM questions WHERE quiz_id = %s ORDER BY position", (quiz_id,))
            ids = tuple(row[0] for row in questions.fetchall())
            per_class = self.size.students // (2 * len(POLICIES))
            for number in range(per_class):
                has_left = number < self.size.strangers_per_class
                sub = f"{'left-' if has_left else ''}{name}-{number}"
                launch = _launch(registration, name, sub, Role.LEARNER, quiz_id, line_item_url)
                start_session(connection, launch, registration)
                row = connection.execute(
                    "SELECT users.id, resource_links.id FROM users, resource_links"
                    " WHERE sub = %s AND platform_link_id = %s",
                    (sub, name),
                ).fetchone()
                assert row is not None
                self.students.append(
                    Student(
                        registration_id=registration.id,
                        user_id=row[0],
                        resource_link_id=row[1],
                        quiz_id=quiz_id,
                        question_ids=ids,
                        model_answer=_MODEL_ANSWER,
                    )
                )

    def _quiz(self, connection: Connection, name: str, policy: str) -> UUID:
        context_id = fetch_value(connection, "SELECT id FROM contexts WHERE platform_context_id = %s", name)
        assert isinstance(context_id, int)
        questions = [_question(number) for number in range(self.size.questions)]
        quiz_id = add_quiz(
            connection,
            context_id=context_id,
            title=name,
            language="en",
            max_attempts=self.size.attempts,
            questions=questions,
        )
        connection.execute("UPDATE quizzes SET counted_attempt = %s WHERE id = %s", (policy, quiz_id))
        return quiz_id

    def _hands_in(self, student: Student, number: int) -> int:
        answers = {question_id: self._answer(student) for question_id in student.question_ids}
        attempt_id = self._again(lambda: self._begins(student))
        if attempt_id is None:
            return 0
        with suppress(AlreadyDone):
            self._again(lambda: self._types(student, attempt_id, answers))
            received = self._again(lambda: self._submits(student, attempt_id))
            # Every tenth wake is lost: the sweep must find what waits.
            wake_grading(student.registration_id, received[: len(received) if number % 10 else 1])
        return len(answers)

    def _answer(self, student: Student) -> str:
        kind = self.random.random()
        if kind < 0.1:
            return student.model_answer
        if kind < 0.2:
            return "I don't know"
        return " ".join(self.random.choices(_WORDS, k=12))

    def _begins(self, student: Student) -> int:
        with self.database.transaction(student.registration_id) as connection:
            return start_attempt(
                connection,
                resource_link_id=student.resource_link_id,
                user_id=student.user_id,
                quiz_id=student.quiz_id,
                max_attempts=self.size.attempts,
                is_preview=False,
            ).id

    def _types(self, student: Student, attempt_id: int, answers: dict[int, str]) -> None:
        with self.database.transaction(student.registration_id) as connection:
            for question_id, answer in answers.items():
                save_draft(connection, attempt_id=attempt_id, question_id=question_id, answer=answer)

    def _submits(self, student: Student, attempt_id: int) -> list[int]:
        with self.database.transaction(student.registration_id) as connection:
            return hand_in(connection, attempt_id, explanation_wait_seconds=self.size.explanation_wait_seconds)

    def _overrides(self, student: Student) -> bool:
        with self.database.transaction(student.registration_id) as connection:
            attempt_id = fetch_value(
                connection,
                "SELECT max(id) FROM attempts WHERE user_id = %s AND resource_link_id = %s AND status = 'GRADED'",
                student.user_id,
                student.resource_link_id,
            )
            attempt = find_attempt(connection, attempt_id) if isinstance(attempt_id, int) else None
            if attempt is None:
                return False
            submission = self.random.choice(list_submissions(connection, attempt.id))
            seen = fetch_value(connection, "SELECT max(id) FROM grades WHERE submission_id = %s", submission.id)
            override_grade(
                connection,
                attempt,
                submission.question_id,
                points=Decimal(self.random.randrange(0, 50_001)) / 10_000,
                explanation=f"Looked at {self.overridden}.",
                reason="chaos",
                seen_grade=seen if isinstance(seen, int) else None,
                user_id=student.user_id,
            )
            return True

    def _again(self, step: Callable[[], _Result]) -> _Result:
        """Do a step; while the database is away, again."""
        for _ in range(600):
            try:
                return step()
            except (DatabaseUnavailable, psycopg.Error):
                self.repeated += 1
                time.sleep(0.2)
        raise AssertionError("the database did not come back within two minutes")


def _launch(
    registration: Registration, course: str, sub: str, role: Role, quiz_id: UUID | None, line_item_url: str | None
) -> Launch:
    return Launch(
        registration_id=registration.id,
        deployment_id="1",
        message_type=RESOURCE_LINK,
        sub=sub,
        name=None,
        is_test_user=False,
        role=role,
        context_id=course,
        context_title=course,
        resource_link_id=course,
        resource_link_title=course,
        quiz_id=quiz_id,
        target_link_uri="http://localhost/lti/launch",
        ags=GradebookServices(line_item_url=line_item_url, line_items_url=None, scopes=_SCOPES)
        if line_item_url
        else None,
        deep_linking=None,
        locale="en",
        issued_at=datetime.now(UTC),
    )


_MODEL_ANSWER = "Dropout switches random units off while training, so that they cannot co-adapt."


def _question(number: int) -> NewQuestion:
    return NewQuestion(
        prompt=f"What is dropout, seen from side {number}?",
        max_points=(Decimal(5), Decimal("2.5"), Decimal(1), Decimal(3), Decimal("0.3333"))[number % 5],
        model_answers=(_MODEL_ANSWER,),
        key_points=(NewKeyPoint(name="what", text="Random units are switched off.", weight=Decimal(1)),),
    )
