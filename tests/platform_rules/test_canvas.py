"""The whole job at a school on Canvas that refuses what Canvas refuses: the tool passes, and no rule was idle.

One school serves the file; each test has a student or a quiz of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from config.settings import Settings
from lti_tool.demo.visitor import VisitFailed
from lti_tool.gradebook.errors import OwnedByPlatform
from lti_tool.launch import platforms
from lti_tool.launch.roles import Role
from tests.platform_rules.canvas import Canvas
from tests.platform_rules.canvas_gradebook import (
    C9NotSubmittedInTheFuture,
    C14SpeedGraderOpensTheSubmission,
    Submission,
)
from tests.platform_rules.canvas_platform import (
    ISSUER,
    C1IssuerIsShared,
    C2DeploymentOfAnAccount,
    C3LoginNamesDeployment,
    C16CourseCopy,
    C17Throttle,
    C18DynamicRegistration,
)
from tests.platform_rules.layer import EndedTokens, LostAnswers, line_item_of
from tests.platform_rules.moodle_launches import CourseCopy
from tests.platform_rules.school import TITLE, School, canvas_school


@pytest.fixture(scope="module")
def school(
    school_settings: Settings, tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch
) -> Iterator[School[Canvas]]:
    more = (EndedTokens(), LostAnswers())
    with canvas_school(school_settings, tmp_path_factory.mktemp("canvas"), patch, *more) as opened:
        opened.adds_quiz()
        yield opened


def submission(school: School[Canvas], slug: str, title: str = TITLE) -> Submission:
    """What SpeedGrader shows."""
    return school.layer.gradebook.submission((school.column(title), school.sub(slug)))


def test_an_answer_becomes_a_submission_with_grade_and_comment(school: School[Canvas]) -> None:
    assert school.delivers(school.answers("mateo", fraction=0.5)).status == "DELIVERED"
    kept = submission(school, "mateo")
    assert (kept.score, kept.grader, kept.attempts) == (2, "tool", 1)
    assert len(kept.comments) == 1
    assert "You said what happens." in kept.comments[0]


def test_a_better_attempt_replaces_the_tools_own_grade(school: School[Canvas]) -> None:
    assert school.delivers(school.answers("seoyeon", fraction=0.25)).status == "DELIVERED"
    assert school.delivers(school.answers("seoyeon", fraction=1.0)).status == "DELIVERED"
    kept = submission(school, "seoyeon")
    assert (kept.score, kept.attempts) == (4, 2)
    assert len(kept.comments) == 2


def test_a_grade_that_the_teacher_changed_stays_and_the_tool_says_so(school: School[Canvas]) -> None:
    title = "Changed by hand"
    school.has_quiz(title)
    assert school.delivers(school.answers("priya", fraction=0.25, title=title)).status == "DELIVERED"
    school.layer.gradebook.teacher_grades(school.column(title), "13", 3.5)
    result = school.delivers(school.answers("priya", fraction=1.0, title=title))
    assert result.status == "PARKED"
    assert "changed in the LMS" in (result.error or "")
    assert (submission(school, "priya", title).score, submission(school, "priya", title).grader) == (3.5, "teacher")
    assert "changed in the LMS" in school.opens("ada", title).looks_at("results")


def test_a_grade_that_the_teacher_gave_before_stays(school: School[Canvas]) -> None:
    title = "Graded before"
    school.has_quiz(title)
    school.layer.gradebook.teacher_grades(school.column(title), "11", 1.5)
    school.delivers(school.answers("mateo", fraction=1.0, title=title))
    assert submission(school, "mateo", title).score == 1.5


def test_an_answer_that_is_worth_nothing_is_a_zero_and_no_gap(school: School[Canvas]) -> None:
    title = "Too hard"
    school.has_quiz(title)
    assert school.delivers(school.answers("priya", fraction=0.0, title=title)).status == "DELIVERED"
    assert submission(school, "priya", title).score == 0


def test_a_comment_whose_answer_was_lost_is_not_repeated(school: School[Canvas]) -> None:
    title = "Lost"
    school.has_quiz(title)
    delivery = school.answers("mateo", fraction=0.5, title=title)
    school.layer.rule(LostAnswers).count = 1
    assert school.delivers(delivery).status == "QUEUED"
    assert school.delivers(delivery).status == "DELIVERED"
    assert len(submission(school, "mateo", title).comments) == 1


@pytest.mark.parametrize("status", [403, 429])
def test_a_throttled_score_waits_and_arrives(school: School[Canvas], status: int) -> None:
    title = f"Throttled with {status}"
    school.has_quiz(title)
    delivery = school.answers("seoyeon", fraction=0.5, title=title)
    school.layer.rule(C17Throttle).script = [status]
    waiting = school.delivers(delivery)
    assert (waiting.status, waiting.tries) == ("QUEUED", 1)
    assert school.delivers(delivery).status == "DELIVERED"


def test_a_token_that_is_over_is_renewed(school: School[Canvas]) -> None:
    title = "Tokens"
    school.has_quiz(title)
    delivery = school.answers("priya", fraction=0.5, title=title)
    school.layer.rule(EndedTokens).end_all()
    assert school.delivers(delivery).status == "DELIVERED"


def test_who_handed_in_before_the_due_date_is_not_late(school: School[Canvas]) -> None:
    title = "On time"
    school.has_quiz(title)
    delivery = school.answers("mateo", fraction=0.5, title=title)
    school.layer.gradebook.due_at = datetime.now(UTC) + timedelta(milliseconds=1)
    try:
        assert school.delivers(delivery).status == "DELIVERED"
    finally:
        school.layer.gradebook.due_at = None
    kept = submission(school, "mateo", title)
    assert kept.submitted_at is not None
    assert not kept.is_late


def test_an_attempt_more_than_canvas_counts_still_brings_its_grade(school: School[Canvas]) -> None:
    title = "One attempt only"
    school.has_quiz(title)
    submission(school, "mateo", title).allowed_attempts = 1
    assert school.delivers(school.answers("mateo", fraction=0.25, title=title)).status == "DELIVERED"
    assert school.delivers(school.answers("mateo", fraction=0.75, title=title)).status == "DELIVERED"
    kept = submission(school, "mateo", title)
    assert (kept.score, kept.attempts) == (3, 1)


def test_who_left_the_course_is_not_graded_and_not_tried_again(school: School[Canvas]) -> None:
    title = "Left behind"
    school.has_quiz(title)
    delivery = school.answers("seoyeon", fraction=0.5, title=title)
    school.layer.gradebook.removed.add("12")
    result = school.delivers(delivery, tries=2)
    school.layer.gradebook.removed.clear()
    assert (result.status, result.tries) == ("PARKED", 1)
    assert "not a student" in (result.error or "")


def test_a_clock_that_is_behind_ours_is_followed(school: School[Canvas]) -> None:
    title = "Clocks"
    school.has_quiz(title)
    rule = school.layer.rule(C9NotSubmittedInTheFuture)
    delivery = school.answers("priya", fraction=0.5, title=title)
    rule.behind = timedelta(minutes=3)
    try:
        assert school.delivers(delivery).status == "DELIVERED"
    finally:
        rule.behind = timedelta(0)
    assert submission(school, "priya", title).score == 2


def test_the_test_student_is_graded_and_never_posted(school: School[Canvas]) -> None:
    before = len(school.posts())
    school.answers("maria", fraction=0.5)
    assert school.newest_delivery("maria") is None
    school.sweeps()
    assert len(school.posts()) == before
    assert school.rows("SELECT is_test_user FROM users WHERE sub = '15'") == [(True,)]
    assert school.rows("SELECT status FROM attempts JOIN users ON users.id = user_id WHERE sub = '15'") == [("GRADED",)]


def test_a_teaching_assistant_sees_results_under_pseudonyms(school: School[Canvas]) -> None:
    title = "Anonymous"
    school.has_quiz(title)
    school.answers("mateo", fraction=0.5, title=title)
    page = school.opens("lukas", title).looks_at("results")
    assert "Mateo" not in page
    assert school.rows("SELECT count(*) FROM users WHERE name IS NOT NULL") == [(0,)]
    assert "2" in page


def test_a_further_account_waits_for_the_administrator_whatever_the_login_said(school: School[Canvas]) -> None:
    account, login = school.layer.rule(C2DeploymentOfAnAccount), school.layer.rule(C3LoginNamesDeployment)
    account.account, login.pretended = "2:8865aa05b4b79b64a91a86042e43af5ea8ae79eb", school.lms_tool.deployment_id
    try:
        with pytest.raises(VisitFailed, match=r"403.*approval"):
            school.opens("mateo")
        with school.database.across_tenants() as connection:
            (pending,) = [
                deployment
                for deployment in platforms.list_deployments(connection, school.registration.id)
                if deployment.status == "PENDING"
            ]
            platforms.activate(connection, school.registration.id, pending.deployment_id)
        assert "/launches/" in school.opens("mateo").url
    finally:
        account.account = login.pretended = None
    assert pending.deployment_id == "2:8865aa05b4b79b64a91a86042e43af5ea8ae79eb"


def test_another_school_on_the_same_issuer_is_another_tenant(school: School[Canvas]) -> None:
    with school.database.across_tenants() as connection:
        other = platforms.add_platform(
            connection,
            issuer=ISSUER,
            client_id="10000000000002",
            family="canvas",
            auth_login_url="https://sso.canvaslms.com/api/lti/authorize_redirect",
            auth_token_url="https://sso.canvaslms.com/login/oauth2/token",
            jwks_url="https://sso.canvaslms.com/api/lti/security/jwks",
        )
        known = platforms.list_registrations(connection, issuer=ISSUER)
    assert other.login_key != school.registration.login_key
    assert len(known) == 2
    # The first one's launches go on as before.
    assert "/launches/" in school.opens("priya").url


def test_the_browser_is_led_from_the_sign_in_host_to_the_school(school: School[Canvas]) -> None:
    rule = school.layer.rule(C1IssuerIsShared)
    before = rule.exercised
    school.opens("seoyeon")
    assert rule.exercised == before + 1


def test_speedgrader_opens_the_answer_for_the_instructor_only(school: School[Canvas]) -> None:
    title = "Graded fast"
    school.has_quiz(title)
    assert school.delivers(school.answers("mateo", fraction=0.5, title=title)).status == "DELIVERED"
    rule = school.layer.rule(C14SpeedGraderOpensTheSubmission)
    kept = submission(school, "mateo", title)
    assert kept.submission_type == "basic_lti_launch"
    rule.opened = kept.url
    try:
        instructor = school.opens("ada", title)
        assert "/results/" in instructor.url
        assert "mateo says that the network learns noise." in instructor.page.get_text(" ")
        with pytest.raises(VisitFailed, match=r"404.*no such answer here"):
            school.opens("priya", title)
    finally:
        rule.opened = ""


def test_repeated_and_inactive_people_are_counted_once_or_not(school: School[Canvas]) -> None:
    school.opens("ada")
    ((url,),) = school.rows("SELECT memberships_url FROM contexts ORDER BY id LIMIT 1")
    members = school.roster().list_members(url)
    subs = [member.user_sub for member in members]
    assert sorted(subs) == ["11", "12", "13", "14", "15", "3"]
    assert [member.name for member in members] == [None] * 6
    assert next(member for member in members if member.user_sub == "3").role is Role.INSTRUCTOR


def test_a_column_of_an_assignment_is_not_removed(school: School[Canvas]) -> None:
    school.opens("ada")
    found = school.rows(
        "SELECT line_item_url FROM resource_links WHERE platform_link_id = %s", school.activity().resource_link_id
    )
    with pytest.raises(OwnedByPlatform):
        school.services().delete_line_item(found[0][0])


def test_a_copied_course_begins_empty_and_never_posts_to_the_old_one(school: School[Canvas]) -> None:
    title = "For next term"
    school.has_quiz(title)
    assert school.delivers(school.answers("priya", fraction=0.25, title=title)).status == "DELIVERED"
    line_items_url, _ = school.placement(title)
    column = school.services().create_line_item(line_items_url, label="Copy", score_maximum=Decimal(4), tag="copy")
    rule = school.layer.rule(C16CourseCopy)
    rule.copy = CourseCopy(context_id="77", title="Next term", resource_link_id="copied-link", line_item_url=column.url)
    try:
        page = school.opens("ada", title).looks_at("results/parts")
        assert school.delivers(school.answers("priya", fraction=1.0, title=title)).status == "DELIVERED"
    finally:
        rule.copy = None
    assert "Student" not in page
    assert submission(school, "priya", title).score == 1
    assert school.layer.gradebook.submission((line_item_of(column.url), "13")).score == 4


def test_the_tool_registers_itself_at_a_canvas_of_the_schools_own(
    school: School[Canvas], settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other-canvas")
    with (
        pytest.MonkeyPatch.context() as patching,
        canvas_school(settings, folder, patching, is_registered=False) as other,
    ):
        other.registers_itself(wants_names=False)
        other.is_activated()
        # The answer named no deployment: the first launch does, and waits for approval.
        with pytest.raises(VisitFailed, match=r"403.*approval"):
            other.adds_quiz()
        with other.database.across_tenants() as connection:
            (pending,) = platforms.list_deployments(connection, other.registration.id)
            platforms.activate(connection, other.registration.id, pending.deployment_id)
        other.adds_quiz()
        delivered = other.delivers(other.answers("mateo", fraction=0.5))
    assert (other.registration.issuer, other.registration.family) == (other.lms.issuer, "canvas")
    assert delivered.status == "DELIVERED"
    assert other.layer.harms() == []
    rule = other.layer.rule(C18DynamicRegistration)
    assert rule.refused == 0
    school.layer.rule(C18DynamicRegistration).exercised = rule.exercised


def test_the_developer_key_is_what_canvas_takes(school: School[Canvas]) -> None:
    key = requests.get(f"{school.settings.base_url}/lti/canvas.json", timeout=5).json()
    for name in ("title", "description", "oidc_initiation_url", "target_link_uri", "scopes", "public_jwk_url"):
        assert key[name], name
    (extension,) = key["extensions"]
    assert extension["platform"] == "canvas.instructure.com"
    assert extension["privacy_level"] in {"public", "name_only", "email_only", "anonymous"}
    placements = {place["placement"]: place["message_type"] for place in extension["settings"]["placements"]}
    assert placements["assignment_selection"] == "LtiDeepLinkingRequest"
    assert all(value.startswith("$Canvas.") for value in key["custom_fields"].values())
    assert requests.get(key["public_jwk_url"], timeout=5).json()["keys"]


@pytest.mark.usefixtures("_all_of_this_file")
def test_no_rule_was_idle(school: School[Canvas]) -> None:
    assert school.layer.harms() == []
    idle = set(school.layer.idle_rules()) - {"EndedTokens", "LostAnswers"}
    assert idle == set()
