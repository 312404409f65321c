"""The whole job at a Moodle that refuses what Moodle refuses: the tool passes, and no rule was idle.

One Moodle serves the file; each test has a student or a quiz of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from config.settings import Settings
from lti_tool import worker
from lti_tool.demo.visitor import VisitFailed
from lti_tool.gradebook.errors import OwnedByPlatform
from lti_tool.gradebook.line_items import LINE_ITEM_SCOPE
from lti_tool.launch.keys import rotate
from lti_tool.launch.platforms import list_deployments
from lti_tool.launch.roles import Role
from lti_tool.practice_lms.activities import find_line_item
from lti_tool.practice_lms.gradebook import find_grade
from tests.platform_rules.layer import AGS_SCOPE, EndedTokens, LostAnswers, line_item_of
from tests.platform_rules.moodle import Moodle
from tests.platform_rules.moodle_launches import (
    CourseCopy,
    M13RedirectUriIsExact,
    M18ContentItemReturn,
    M19AcceptGrades,
    M20DynamicRegistration,
    M24CourseCopy,
)
from tests.platform_rules.moodle_services import (
    M4LaterByAWholeSecond,
    M11PagesOnlyOnRequest,
    M16ScopesAreAskedFor,
    M17ToolKeysAreKept,
)
from tests.platform_rules.school import TITLE, School, moodle_school


@pytest.fixture(scope="module")
def school(
    school_settings: Settings, tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch
) -> Iterator[School[Moodle]]:
    more = (EndedTokens(), LostAnswers())
    with moodle_school(school_settings, tmp_path_factory.mktemp("moodle"), patch, *more) as opened:
        opened.adds_quiz()
        yield opened


def held(school: School[Moodle], slug: str, title: str = TITLE) -> tuple[float | None, str]:
    """Score and comment in the gradebook."""
    column = school.column(title)
    with school.lms.database.transaction() as connection:
        grade = find_grade(connection, column, school.sub(slug))
    assert grade is not None
    return grade.score, grade.comment


def test_an_answer_becomes_a_grade_with_its_comment(school: School[Moodle]) -> None:
    delivery = school.answers("mateo", fraction=0.5)
    assert school.delivers(delivery).status == "DELIVERED"
    score, comment = held(school, "mateo")
    assert score == 2
    assert "You said what happens." in comment
    assert school.services().get_result(_url(school), "11") is not None


def test_a_deep_linked_quiz_has_its_column_and_its_session_key_came_back(school: School[Moodle]) -> None:
    returned = school.layer.rule(M18ContentItemReturn)
    before = returned.exercised
    activity = school.adds_quiz("Another quiz")
    assert returned.exercised == before + 1
    assert activity.line_item is not None
    assert activity.line_item.score_maximum == 4
    assert "quiz_id" in activity.custom
    assert "quiz=" in activity.url


def test_a_better_attempt_in_the_same_second_is_taken(school: School[Moodle]) -> None:
    rule = school.layer.rule(M4LaterByAWholeSecond)
    first = school.answers("seoyeon", fraction=0.25)
    assert school.delivers(first).status == "DELIVERED"
    before = rule.exercised
    second = school.answers("seoyeon", fraction=1.0)
    assert school.delivers(second).status == "DELIVERED"
    assert rule.exercised > before
    assert held(school, "seoyeon")[0] == 4


def test_an_answer_that_is_worth_nothing_is_a_zero_and_no_gap(school: School[Moodle]) -> None:
    school.has_quiz("Too hard")
    delivery = school.answers("priya", fraction=0.0, title="Too hard")
    assert school.delivers(delivery).status == "DELIVERED"
    assert held(school, "priya", "Too hard")[0] == 0


def test_a_grade_that_the_teacher_overrode_stays_and_the_tool_says_so(school: School[Moodle]) -> None:
    assert school.delivers(school.answers("lukas", fraction=0.25)).status == "DELIVERED"
    # The teacher's edit is newer than our next score: first 409, then taken, then found to be without effect.
    school.layer.gradebook.teacher_overrides(school.column(), "14", 3.5, at=time.time() + 1)
    second = school.answers("lukas", fraction=0.75)
    result = school.delivers(second, tries=4)
    assert result.status == "PARKED"
    assert "was changed in the LMS" in (result.error or "")
    assert "changed or locked this grade in your LMS" in school.opens("ada").looks_at("results")


def test_a_student_who_left_the_course_is_not_graded_and_not_tried_again(school: School[Moodle]) -> None:
    school.has_quiz("Left behind")
    delivery = school.answers("maria", fraction=0.5, title="Left behind")
    school.layer.gradebook.unenrolled.add("15")
    result = school.delivers(delivery, tries=3)
    school.layer.gradebook.unenrolled.clear()
    assert (result.status, result.tries) == ("PARKED", 1)
    assert "not an enrolled student" in (result.error or "")


def test_a_lost_answer_is_looked_up_and_not_sent_twice(school: School[Moodle]) -> None:
    school.has_quiz("Lost")
    delivery = school.answers("mateo", fraction=0.5, title="Lost")
    school.layer.rule(LostAnswers).count = 1
    before = len(school.posts())
    assert school.delivers(delivery).status == "QUEUED"
    assert school.delivers(delivery).status == "DELIVERED"
    assert len(school.posts()) == before + 1


def test_a_token_that_is_over_is_renewed(school: School[Moodle]) -> None:
    school.has_quiz("Tokens")
    delivery = school.answers("priya", fraction=0.5, title="Tokens")
    school.layer.rule(EndedTokens).end_all()
    assert school.delivers(delivery).status == "DELIVERED"


def test_a_new_key_of_the_tool_is_fetched_when_it_signs(school: School[Moodle]) -> None:
    rule = school.layer.rule(M17ToolKeysAreKept)
    before = rule.fetches
    with school.database.across_tenants() as connection:
        rotate(connection, "a test's secret of more than thirty-two characters")
        connection.execute("UPDATE tool_keys SET created_at = created_at - interval '2 days'")
    school.adds_quiz("Signed anew")
    assert rule.fetches == before + 1


def test_without_permission_to_score_the_delivery_says_whom_to_ask(school: School[Moodle]) -> None:
    rule = school.layer.rule(M16ScopesAreAskedFor)
    school.has_quiz("No permission")
    delivery = school.answers("lukas", fraction=0.5, title="No permission")
    rule.permitted = frozenset({f"{AGS_SCOPE}result.readonly"})
    _forget_tokens(school)
    try:
        result = school.delivers(delivery)
        page = school.opens("ada", "No permission").looks_at("results")
    finally:
        rule.permitted = None
        _forget_tokens(school)
    assert result.status == "PARKED"
    assert "allow it for the tool" in (result.error or "")
    assert "No permission to send scores." in page
    assert rule.refused


def test_a_placement_that_accepts_no_grades_says_so_to_the_instructor_only(school: School[Moodle]) -> None:
    rule = school.layer.rule(M19AcceptGrades)
    school.has_quiz("Just practice")
    rule.accepts = False
    try:
        assert school.answers("maria", fraction=0.5, title="Just practice") == school.newest_delivery("maria")
        page = school.opens("ada", "Just practice").looks_at("results")
    finally:
        rule.accepts = True
    assert not school.rows(
        "SELECT 1 FROM deliveries JOIN attempts ON attempts.id = attempt_id JOIN resource_links AS link"
        " ON link.id = attempts.resource_link_id WHERE link.title = 'Just practice'"
    )
    assert "No permission to send scores." in page
    assert "Accept grades from the tool" in page


def test_with_several_columns_the_tool_finds_its_own(school: School[Moodle]) -> None:
    title = "Two columns"
    activity = school.has_quiz(title)
    assert activity.line_item is not None
    school.opens("ada", title)
    line_items_url, scopes = school.placement(title)
    client = school.services()
    for number in range(4):
        client.create_line_item(
            line_items_url,
            label=f"Bonus {number}",
            score_maximum=Decimal(10),
            resource_link_id=activity.resource_link_id,
            tag="bonus",
        )
    pages = school.layer.rule(M11PagesOnlyOnRequest)
    delivery = school.answers("mateo", fraction=0.75, title=title)
    # The column that launches named until now is still known; a fresh placement knows none.
    with school.database.transaction(school.registration.id) as connection:
        connection.execute("DELETE FROM deliveries WHERE id = %s", (delivery,))
        connection.execute(
            "UPDATE resource_links SET line_item_url = NULL WHERE platform_link_id = %s", (activity.resource_link_id,)
        )
    before = pages.exercised
    school.sweeps()
    assert pages.exercised - before == 3
    assert school.delivers(school.newest_delivery("mateo")).status == "DELIVERED"
    with school.lms.database.transaction() as connection:
        grade = find_grade(connection, activity.line_item.id, "11")
    assert grade is not None
    assert grade.score == 3
    found = client.list_line_items(line_items_url, scopes=scopes, resource_link_id=activity.resource_link_id)
    assert len(found) == 5


def test_a_column_is_changed_whole_and_one_of_an_activity_is_not_removed(school: School[Moodle]) -> None:
    school.opens("ada")
    line_items_url, scopes = school.placement()
    assert LINE_ITEM_SCOPE in scopes
    client = school.services()
    own = client.create_line_item(
        line_items_url, label="Essay", score_maximum=Decimal(5), resource_id="essay-1", tag="essay"
    )
    client.update_line_item(own.url, label="Essay, renamed")
    with school.lms.database.transaction() as connection:
        kept = find_line_item(connection, line_item_of(own.url), school.lms_tool.number)
    assert kept is not None
    assert (kept.label, kept.resource_id, kept.tag) == ("Essay, renamed", "essay-1", "essay")
    client.delete_line_item(own.url)
    with pytest.raises(OwnedByPlatform):
        client.delete_line_item(_url(school))


def test_the_class_list_comes_in_pages_from_an_address_with_capitals(school: School[Moodle]) -> None:
    school.has_quiz("Who is missing")
    school.answers("priya", fraction=0.5, title="Who is missing")
    page = school.opens("ada", "Who is missing").looks_at("results/class")
    assert "Lukas Weber" in page
    assert "Priya" not in page
    (url,) = school.rows("SELECT memberships_url FROM contexts ORDER BY id LIMIT 1")
    members = school.roster().list_members(url[0])
    assert [member.role for member in members].count(Role.LEARNER) == 5


def test_a_login_that_ran_out_is_explained(school: School[Moodle]) -> None:
    rule = school.layer.rule(M13RedirectUriIsExact)
    rule.session_is_over = True
    try:
        with pytest.raises(VisitFailed, match="401") as refusal:
            school.opens("seoyeon")
    finally:
        rule.session_is_over = False
    assert "again" in str(refusal.value)


def test_a_copied_course_begins_empty_and_never_posts_to_the_old_one(school: School[Moodle]) -> None:
    title = "For next term"
    activity = school.has_quiz(title)
    assert activity.line_item is not None
    assert school.delivers(school.answers("priya", fraction=0.25, title=title)).status == "DELIVERED"
    line_items_url, _ = school.placement(title)
    column = school.services().create_line_item(line_items_url, label="Copy", score_maximum=Decimal(4), tag="copy")
    rule = school.layer.rule(M24CourseCopy)
    rule.copy = CourseCopy(context_id="77", title="Next term", resource_link_id="copied-link", line_item_url=column.url)
    try:
        assert "Priya" not in school.opens("ada", title).looks_at("results/parts")
        assert "another course" in school.visitor("ada").looks_at("results")
        assert school.delivers(school.answers("priya", fraction=1.0, title=title)).status == "DELIVERED"
    finally:
        rule.copy = None
    assert held(school, "priya", title)[0] == 1
    with school.lms.database.transaction() as connection:
        copied = find_grade(connection, line_item_of(column.url), "13")
    assert copied is not None
    assert copied.score == 4


def test_the_tool_registers_itself_and_works_once_it_is_activated(
    school: School[Moodle], settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other-moodle")
    with (
        pytest.MonkeyPatch.context() as patching,
        moodle_school(settings, folder, patching, is_registered=False) as other,
    ):
        other.registers_itself()
        other.is_activated()
        with other.database.across_tenants() as connection:
            deployments = list_deployments(connection, other.registration.id)
        other.adds_quiz()
        delivered = other.delivers(other.answers("mateo", fraction=0.5))
    assert (other.registration.issuer, other.registration.family) == (other.lms.issuer, "moodle")
    assert [deployment.status for deployment in deployments] == ["ACTIVE"]
    assert delivered.status == "DELIVERED"
    assert other.layer.harms() == []
    rule = other.layer.rule(M20DynamicRegistration)
    assert (rule.exercised, rule.refused) == (1, 0)
    school.layer.rule(M20DynamicRegistration).exercised = rule.exercised


@pytest.mark.usefixtures("_all_of_this_file")
def test_no_rule_was_idle(school: School[Moodle]) -> None:
    assert school.layer.harms() == []
    idle = set(school.layer.idle_rules()) - {"EndedTokens", "LostAnswers"}
    assert idle == set()


def _url(school: School[Moodle]) -> str:
    """The address of the first quiz's column."""
    found = school.rows(
        "SELECT line_item_url FROM resource_links WHERE platform_link_id = %s", school.activity().resource_link_id
    )
    return found[0][0]


def _forget_tokens(school: School[Moodle]) -> None:
    """As if the tool had been started anew an hour later."""
    with school.database.across_tenants() as connection:
        connection.execute("DELETE FROM access_tokens")
    worker.workbench().delivery._tokens._kept.clear()
