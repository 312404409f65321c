"""What the demo asks the practice LMS and the tool's database: who is registered, what is graded, what arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from psycopg import Connection

from config.settings import Settings
from lti_tool.db import Database, fetch_all
from lti_tool.launch.platforms import add_platform

TIMEOUT_SECONDS = 20
TOLERANCE = Decimal("0.0002")


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An activity of the practice course."""

    id: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GradebookEntry:
    """What the practice LMS's gradebook holds for a student; ``posts`` counts the messages that came for it."""

    user_sub: str
    name: str
    score: Decimal | None
    maximum: Decimal
    comment: str
    posts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRow:
    """An answer with its grade and explanation, and the delivery of its attempt, from the tool's database."""

    user_sub: str
    user_name: str | None
    position: int
    answer: str
    points: Decimal | None
    max_points: Decimal
    explanation: str | None
    explanation_source: str | None
    delivery_status: str | None
    score_given: Decimal | None
    score_maximum: Decimal | None
    comment: str | None


class PracticeLms:
    """The practice LMS as a program sees it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        token = (folder / "admin.token").read_text(encoding="utf-8").strip()
        self._headers = {"Authorization": f"Bearer {token}"}

    def register(self, settings: Settings, database: Database) -> None:
        """Make tool and platform known to each other; once is enough, again does no harm."""
        application = {
            "name": "mlquiz",
            "login_url": f"{settings.base_url}/lti/login",
            "launch_url": f"{settings.base_url}/lti/launch",
            "deep_link_url": f"{settings.base_url}/lti/launch",
            "jwks_url": f"{settings.base_url}/lti/jwks.json",
        }
        platform = self._post("/admin/tool", application)
        with database.across_tenants() as connection:
            registration = add_platform(
                connection,
                name="Practice LMS",
                family="moodle",
                issuer=platform["issuer"],
                client_id=platform["client_id"],
                auth_login_url=platform["auth_login_url"],
                auth_token_url=platform["auth_token_url"],
                jwks_url=platform["jwks_url"],
                deployment_ids=[platform["deployment_id"]],
            )
        # Only now the tool's login address is known: it belongs to the registration.
        self._post("/admin/tool", {**application, "login_url": f"{application['login_url']}/{registration.login_key}"})

    def activities(self) -> list[Activity]:
        """The activities of the course."""
        course = self._get("/admin/course")
        return [Activity(id=item["id"], title=item["title"]) for item in course["activities"]]

    def user_subs(self) -> dict[str, str]:
        """LTI's ``sub`` of each person, by the name in the address."""
        return {person["slug"]: str(person["id"]) for person in self._get("/admin/course")["people"]}

    def gradebook(self, label: str) -> list[GradebookEntry]:
        """What the gradebook holds in the column with this label."""
        return [
            GradebookEntry(
                user_sub=str(item["user_id"]),
                name=item["name"],
                score=None if item["score"] is None else Decimal(str(item["score"])),
                maximum=Decimal(str(item["maximum"])),
                comment=item["comment"] or "",
                posts=item["posts"],
            )
            for item in self._get("/admin/gradebook")
            if item["label"] == label
        ]

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        response = requests.get(self.url + path, headers=self._headers, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        return response.json()

    def _post(self, path: str, body: dict[str, str]) -> dict[str, str]:
        response = requests.post(self.url + path, json=body, headers=self._headers, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        return response.json()


def list_demo_rows(connection: Connection, issuer: str, quiz_title: str) -> list[DemoRow]:
    """Every answer of the first attempts at the quiz that came from this platform."""
    return fetch_all(
        connection,
        DemoRow,
        """
        SELECT users.sub AS user_sub, users.name AS user_name, questions.position, submissions.answer, grades.points,
            questions.max_points, explanations.text AS explanation, explanations.source AS explanation_source,
            deliveries.status AS delivery_status, deliveries.score_given, deliveries.score_maximum, deliveries.comment
        FROM submissions
        JOIN attempts ON attempts.id = submissions.attempt_id
        JOIN users ON users.id = attempts.user_id
        JOIN registrations ON registrations.id = users.registration_id
        JOIN platforms ON platforms.id = registrations.platform_id
        JOIN questions ON questions.id = submissions.question_id
        JOIN quizzes ON quizzes.id = attempts.quiz_id
        LEFT JOIN LATERAL (
            SELECT * FROM grades WHERE grades.submission_id = submissions.id ORDER BY id DESC LIMIT 1
        ) AS grades ON true
        LEFT JOIN LATERAL (
            SELECT * FROM explanations WHERE explanations.grade_id = grades.id ORDER BY id DESC LIMIT 1
        ) AS explanations ON true
        LEFT JOIN LATERAL (
            SELECT * FROM deliveries WHERE deliveries.attempt_id = attempts.id ORDER BY version DESC LIMIT 1
        ) AS deliveries ON true
        WHERE platforms.issuer = %s AND quizzes.title = %s AND attempts.number = 1 AND NOT attempts.is_preview
        ORDER BY users.id, questions.position
        """,
        issuer,
        quiz_title,
    )


def differences(rows: Sequence[DemoRow], gradebook: Sequence[GradebookEntry], users: Sequence[str]) -> list[str]:
    """What the gradebook holds otherwise than the database; empty when they are equal."""
    found = []
    entries = {entry.user_sub: entry for entry in gradebook}
    for user in users:
        of_user = [row for row in rows if row.user_sub == user]
        entry = entries.get(user)
        if not of_user or of_user[0].score_given is None or of_user[0].score_maximum is None:
            found.append(f"user {user}: nothing was delivered")
            continue
        sent = of_user[0]
        graded = sum((row.points or Decimal(0) for row in of_user), Decimal(0))
        if sent.score_given != graded:
            found.append(f"user {user}: grades add up to {graded}, the delivery says {sent.score_given}")
        if entry is None or entry.score is None:
            found.append(f"user {user}: the gradebook is empty, the database says {sent.score_given}")
        elif abs(entry.score / entry.maximum - graded / sum(row.max_points for row in of_user)) > TOLERANCE:
            found.append(f"user {user}: the gradebook says {entry.score}, the database {sent.score_given}")
        elif entry.comment != (sent.comment or ""):
            found.append(f"user {user}: the gradebook's comment is another one")
    return found
