"""Gradebooks that show one answer: submission review messages, and addresses that name an attempt.

Row 67 of the bad launches: whose answer it is, and who asks, decides; everything else is a 404.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_tool.db import Database, fetch_value
from lti_tool.launch import platforms
from lti_tool.questions.store import add_quiz
from lti_tool.submissions import store
from tests.course_actors import make_question
from tests.fake_platform import (
    ABSENT,
    AGS,
    LTI,
    MEMBERSHIP,
    FakePlatform,
    _launch_database,
    app,
    client,
    database_url,
    events,
    platform,
    rows,
)

__all__ = ["_launch_database", "app", "client", "database_url", "platform"]

INSTRUCTOR: dict[str, Any] = {f"{LTI}/roles": [f"{MEMBERSHIP}#Instructor"], "sub": "teacher-1", "name": "Grace Hopper"}


@dataclass
class Gradebook:
    """A platform whose gradebook opens answers in the tool; one student has handed in."""

    platform: FakePlatform
    client: FlaskClient
    database: Database
    quiz_id: UUID
    attempt_id: int

    def reviews(self, sub: str = "student-1", **changes: Any) -> TestResponse:
        """An instructor opens what a student handed in."""
        message = {f"{LTI}/message_type": "LtiSubmissionReviewRequest", f"{LTI}/for_user": {"user_id": sub}}
        return self.platform.launch(self.client, **(INSTRUCTOR | message | changes))

    def opens(self, attempt: object, **changes: Any) -> TestResponse:
        """Somebody opens the address that came with a score; a student unless changed."""
        target = f"{self.platform.target}?quiz={self.quiz_id}&attempt={attempt}"
        return self.platform.launch(
            self.client, change_login={"target_link_uri": target}, **({f"{LTI}/target_link_uri": target} | changes)
        )

    def hands_in(self, sub: str = "student-1", **changes: Any) -> int:
        """A student launches and hands an answer in; the attempt's id."""
        assert self.platform.launch(self.client, sub=sub, **changes).status_code == 303
        return hand_in(self.database, self.platform.registration.id, sub, self.quiz_id)

    def shown(self, response: TestResponse) -> tuple[str, str]:
        """Path below the launch and visible text of the page that a launch leads to."""
        assert response.status_code == 303, response.text
        page = self.client.get(urlsplit(response.location).path, follow_redirects=True)
        assert page.status_code == 200
        return page.request.path.split("/", 3)[3], page.text

    def is_refused(self, response: TestResponse, before: dict[str, int]) -> bool:
        """Whether it is a 404 that left nothing but its row in the audit trail."""
        assert response.status_code == 404
        assert "LTI-REVIEW" in response.text
        assert rows(self.database) == before
        assert events(self.database)[-1] == "LTI-REVIEW"
        return True


def hand_in(database: Database, registration_id: int, sub: str, quiz_id: UUID, *, stop_before: bool = False) -> int:
    """What a student's attempt leaves: handed in, or still open."""
    with database.transaction(registration_id) as connection:
        link_id, user_id = connection.execute(
            "SELECT resource_link_id, user_id FROM launch_sessions JOIN users ON users.id = user_id"
            " WHERE sub = %s ORDER BY launch_sessions.created_at DESC LIMIT 1",
            (sub,),
        ).fetchone() or (0, 0)
        attempt = store.start_attempt(
            connection,
            resource_link_id=link_id,
            user_id=user_id,
            quiz_id=quiz_id,
            max_attempts=5,
            is_preview=False,
        )
        if not stop_before:
            question_id = fetch_value(connection, "SELECT id FROM questions WHERE quiz_id = %s", quiz_id)
            assert isinstance(question_id, int)
            store.save_draft(connection, attempt_id=attempt.id, question_id=question_id, answer=f"answer of {sub}")
            store.hand_in(connection, attempt.id)
        return attempt.id


def make_quiz(database: Database, registration_id: int) -> UUID:
    """A quiz in the first course of the registration, placed at all its links."""
    with database.transaction(registration_id) as connection:
        context_id = fetch_value(connection, "SELECT min(id) FROM contexts")
        assert isinstance(context_id, int)
        quiz_id = add_quiz(
            connection, context_id=context_id, title="Regularisation", language="en", questions=[make_question()]
        )
        connection.execute("UPDATE resource_links SET quiz_id = %s", (quiz_id,))
    return quiz_id


@pytest.fixture
def gradebook(platform: FakePlatform, client: FlaskClient, database: Database) -> Gradebook:
    assert platform.launch(client).status_code == 303
    quiz_id = make_quiz(database, platform.registration.id)
    attempt_id = hand_in(database, platform.registration.id, "student-1", quiz_id)
    return Gradebook(platform, client, database, quiz_id, attempt_id)


# Submission review ------------------------------------------------------------------------------------------------


def test_a_submission_review_opens_the_answer(gradebook: Gradebook) -> None:
    path, text = gradebook.shown(gradebook.reviews())
    assert path == f"results/{gradebook.attempt_id}"
    assert "answer of student-1" in text


def test_a_review_finds_the_placement_by_its_column(gradebook: Gradebook) -> None:
    response = gradebook.reviews(**{f"{LTI}/resource_link": ABSENT, f"{LTI}/target_link_uri": ABSENT})
    assert gradebook.shown(response)[0] == f"results/{gradebook.attempt_id}"


def test_a_review_changes_nothing_about_the_placement(gradebook: Gradebook) -> None:
    def link() -> tuple[Any, ...] | None:
        with gradebook.database.across_tenants() as connection:
            return connection.execute("SELECT quiz_id, line_item_url, ags_scopes, title FROM resource_links").fetchone()

    before = link()
    gradebook.shown(gradebook.reviews(**{AGS: ABSENT, f"{LTI}/resource_link": {"id": "link-9", "title": "Other"}}))
    assert link() == before


def test_of_several_attempts_the_one_in_the_gradebook_is_shown(gradebook: Gradebook) -> None:
    second = gradebook.hands_in()
    assert gradebook.shown(gradebook.reviews())[0] == f"results/{second}"
    with gradebook.database.transaction(gradebook.platform.registration.id) as connection:
        connection.execute(
            "INSERT INTO deliveries (line_item_url, user_id, attempt_id, version, score_given, score_maximum,"
            " submitted_at, due_at) SELECT 'https://a.example/1', user_id, id, 1, 1, 1, now(), now() FROM attempts"
            " WHERE id = %s",
            (gradebook.attempt_id,),
        )
    assert gradebook.shown(gradebook.reviews())[0] == f"results/{gradebook.attempt_id}"


def test_bad_launch_67_a_review_asked_by_a_learner_is_not_found(gradebook: Gradebook) -> None:
    before = rows(gradebook.database)
    for changes in (
        {f"{LTI}/roles": [f"{MEMBERSHIP}#Learner"], "sub": "student-2"},
        {f"{LTI}/roles": [f"{MEMBERSHIP}#Learner"], "sub": "student-1"},
        {f"{LTI}/roles": ["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"], "sub": "staff"},
    ):
        assert gradebook.is_refused(gradebook.reviews(**changes), before)


def test_bad_launch_67_a_review_of_a_user_without_answer_is_not_found(gradebook: Gradebook) -> None:
    assert gradebook.platform.launch(gradebook.client, sub="student-2").status_code == 303
    hand_in(gradebook.database, gradebook.platform.registration.id, "student-2", gradebook.quiz_id, stop_before=True)
    before = rows(gradebook.database)
    for sub in ("student-2", "nobody", "teacher-1"):
        assert gradebook.is_refused(gradebook.reviews(sub), before)


def test_bad_launch_67_a_review_of_a_user_of_another_deployment_is_not_found(gradebook: Gradebook) -> None:
    known = gradebook.platform.registration
    with gradebook.database.across_tenants() as connection:
        platforms.activate(connection, known.id, "8")
    before = rows(gradebook.database)
    assert gradebook.is_refused(gradebook.reviews(**{f"{LTI}/deployment_id": "8"}), before)


def test_bad_launch_67_a_review_in_another_course_or_placement_is_not_found(gradebook: Gradebook) -> None:
    before = rows(gradebook.database)
    elsewhere: list[dict[str, Any]] = [
        {f"{LTI}/context": {"id": "course-4"}},
        {f"{LTI}/resource_link": {"id": "link-10"}},
        {f"{LTI}/resource_link": ABSENT, AGS: ABSENT},
    ]
    for changes in elsewhere:
        assert gradebook.is_refused(gradebook.reviews(**changes), before)


def other_tenant(gradebook: Gradebook) -> FakePlatform:
    """Another school on the same issuer, with the same ids for everything."""
    known = gradebook.platform.registration
    with gradebook.database.across_tenants() as connection:
        other = platforms.add_platform(
            connection,
            issuer=known.issuer,
            client_id="other-client",
            family=known.family,
            auth_login_url=known.auth_login_url,
            auth_token_url=known.auth_token_url,
            jwks_url=known.jwks_url,
            deployment_ids=["7"],
        )
    return FakePlatform(server=gradebook.platform.server, base_url=gradebook.platform.base_url, registration=other)


def test_bad_launch_67_a_review_of_a_user_of_another_tenant_is_not_found(gradebook: Gradebook) -> None:
    school = Gradebook(
        other_tenant(gradebook), gradebook.client, gradebook.database, gradebook.quiz_id, gradebook.attempt_id
    )
    before = rows(gradebook.database)
    assert school.is_refused(school.reviews(), before)
    assert school.is_refused(school.opens(gradebook.attempt_id, **INSTRUCTOR), before)


@pytest.mark.parametrize("for_user", [ABSENT, {}, {"user_id": ""}, {"user_id": 5}, "student-1"])
def test_a_review_without_a_user_is_refused(gradebook: Gradebook, for_user: object) -> None:
    assert gradebook.reviews(**{f"{LTI}/for_user": for_user}).status_code == 400


# Addresses that name an attempt -----------------------------------------------------------------------------------


def test_an_instructor_opens_an_answer_by_its_address(gradebook: Gradebook) -> None:
    path, text = gradebook.shown(gradebook.opens(gradebook.attempt_id, **INSTRUCTOR))  # C14
    assert path == f"results/{gradebook.attempt_id}"
    assert "answer of student-1" in text


def test_a_gradebook_may_open_it_from_another_placement_of_the_course(gradebook: Gradebook) -> None:
    before = rows(gradebook.database)["resource_links"]
    response = gradebook.opens(gradebook.attempt_id, **INSTRUCTOR, **{f"{LTI}/resource_link": {"id": "course-level"}})
    assert gradebook.shown(response)[0] == f"results/{gradebook.attempt_id}"
    assert rows(gradebook.database)["resource_links"] == before


def test_a_student_opens_only_the_result_of_their_own(gradebook: Gradebook) -> None:
    path, text = gradebook.shown(gradebook.opens(gradebook.attempt_id))
    assert path == f"attempts/{gradebook.attempt_id}/result"
    assert "answer of student-1" in text
    assert gradebook.platform.launch(gradebook.client, sub="student-2").status_code == 303
    before = rows(gradebook.database)
    assert gradebook.is_refused(gradebook.opens(gradebook.attempt_id, sub="student-2"), before)


def test_the_due_date_of_another_placement_does_not_come_along(gradebook: Gradebook) -> None:
    registration_id = gradebook.platform.registration.id
    with gradebook.database.transaction(registration_id) as connection:
        connection.execute("UPDATE attempts SET due_at = '2026-01-01T12:00:00Z'")
    later = {f"{LTI}/custom": {"due_at": "2036-01-01T12:00:00Z"}}
    for changes in (later | {f"{LTI}/resource_link": {"id": "another-quiz"}}, later):
        assert gradebook.opens(gradebook.attempt_id, **changes).status_code == 303
    with gradebook.database.transaction(registration_id) as connection:
        years = connection.execute(
            "SELECT extract(year FROM due_at)::integer FROM launch_sessions WHERE review_attempt_id IS NOT NULL"
            " ORDER BY created_at"
        ).fetchall()
    assert years == [(2026,), (2036,)], "its own placement may give more time"


def test_bad_launch_67_an_answer_of_another_course_or_one_that_is_open_is_not_found_by_its_address(
    gradebook: Gradebook,
) -> None:
    assert gradebook.platform.launch(gradebook.client, sub="student-2").status_code == 303
    registration_id = gradebook.platform.registration.id
    still_open = hand_in(gradebook.database, registration_id, "student-2", gradebook.quiz_id, stop_before=True)
    before = rows(gradebook.database)
    other_course = {f"{LTI}/context": {"id": "course-4"}}
    assert gradebook.is_refused(gradebook.opens(gradebook.attempt_id, **INSTRUCTOR, **other_course), before)
    assert gradebook.is_refused(gradebook.opens(still_open, **INSTRUCTOR), before)
    assert gradebook.is_refused(gradebook.opens(999_999, **INSTRUCTOR), before)
    assert gradebook.is_refused(gradebook.opens(gradebook.attempt_id, **{f"{LTI}/roles": []}), before)


@pytest.mark.parametrize(
    "number", ["", "abc", "-1", "1e3", "9" * 30], ids=["none", "word", "negative", "float", "huge"]
)
def test_what_is_no_number_of_an_attempt_is_an_ordinary_launch(gradebook: Gradebook, number: str) -> None:
    target = f"{gradebook.platform.target}?attempt={number}"
    response = gradebook.platform.launch(
        gradebook.client, change_login={"target_link_uri": target}, **{f"{LTI}/target_link_uri": target}
    )
    assert gradebook.shown(response)[0].startswith(f"attempts/{gradebook.attempt_id}")
