"""The record: who or what scored, what was decided, every try; on the page, as CSV, and out of nobody's power."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql

from lti_tool.cli import main
from lti_tool.db import fetch_value
from lti_tool.gradebook import outbox
from lti_tool.gradebook.record import RecordRow, list_record
from lti_tool.gradebook.record_csv import BYTE_ORDER_MARK, COLUMNS, harmless
from lti_tool.gradebook.store import record_rewording
from lti_tool.launch.audit import record_event
from lti_tool.launch.roles import Role
from lti_tool.submissions import views
from tests.course_actors import Course, Person

ANSWER = "Units are switched off, wrote only me."


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


def hands_in(course: Course, student: Person) -> int:
    """A student answers the first question and is graded by the model; the id of the attempt."""
    page = student.post("attempts", {"csrf_token": student.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: ANSWER, "then": "hand-in"}).submit("#hand-in-form")
    course.grades(student)
    return number(course, "SELECT max(id) FROM attempts")


def number(course: Course, query: str, *values: object) -> int:
    with course.transaction() as connection:
        found = fetch_value(connection, query, *values)  # pyright: ignore[reportArgumentType]
    assert isinstance(found, int)
    return found


def user_id(course: Course, sub: str) -> int:
    return number(course, "SELECT id FROM users WHERE sub = %s", sub)


def overrides(course: Course, attempt_id: int, *, points: Decimal, reason: str, by: str = "grace-hopper") -> None:
    """An instructor gives another score, as the pages do it: a grade more, an event, a new version."""
    course.instructor(by)
    with course.transaction() as connection:
        (submission,) = connection.execute(
            "SELECT id FROM submissions WHERE attempt_id = %s", (attempt_id,)
        ).fetchone() or (0,)
        connection.execute(
            "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, created_by, reason)"
            " VALUES (%s, 'INSTRUCTOR', 1, %s, 1, 1, 1, (SELECT id FROM users WHERE sub = %s), %s)",
            (submission, points, by, reason),
        )
        outbox.queue_delivery(connection, attempt_id, wait_seconds=0)


def decides(course: Course, event: str, *, by: str = "grace-hopper", **facts: int | str) -> None:
    course.instructor(by)
    with course.transaction() as connection:
        (who,) = connection.execute("SELECT id FROM users WHERE sub = %s", (by,)).fetchone() or (0,)
        record_event(connection, event, registration_id=course.registration.id, user_id=who, facts=facts)


def is_tried_and_parked(course: Course) -> None:
    """Everything queued is tried once, in vain, then sent again by Grace."""
    course.instructor()
    with course.transaction() as connection:
        rows = connection.execute("SELECT id FROM deliveries WHERE status = 'QUEUED' ORDER BY id").fetchall()
        connection.execute("UPDATE deliveries SET due_at = now()")
        (grace,) = connection.execute("SELECT id FROM users WHERE sub = 'grace-hopper'").fetchone() or (0,)
        for (delivery_id,) in rows:
            outbox.record_event(connection, delivery_id, "BEGUN")
            outbox.record_event(connection, delivery_id, "PARKED", "404: no such column")
            connection.execute(
                "UPDATE deliveries SET status = 'PARKED', parked_because = 'NO_COLUMN', finished_at = now()"
                " WHERE id = %s",
                (delivery_id,),
            )
        outbox.resend_parked(connection, [row[0] for row in rows], overwrites=True, actor=f"user {grace}")


def record_of(course: Course, attempt_id: int) -> list[RecordRow]:
    with course.transaction() as connection:
        return list_record(connection, attempt_id)


def downloaded(person: Person) -> list[dict[str, str]]:
    """The rows of the CSV file, as a program reads it."""
    answer = person.get("results/record.csv")
    assert answer.response.mimetype == "text/csv"
    assert answer.response.headers["Content-Disposition"].startswith('attachment; filename="record-')
    return rows_of(answer.response.get_data())


def rows_of(content: bytes) -> list[dict[str, str]]:
    text = content.decode("utf-8")
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))


# What is in it ----------------------------------------------------------------------------------------------------


def test_the_record_of_an_attempt_tells_everything_in_order(course: Course) -> None:
    course.has_quiz()
    attempt_id = hands_in(course, course.learner())
    overrides(course, attempt_id, points=Decimal(5), reason="said it orally")
    is_tried_and_parked(course)
    rows = record_of(course, attempt_id)
    assert [row.event for row in rows if row.version != 1] == [
        "HANDED_IN",
        "SCORED_BY_MODEL",
        "SCORED_BY_INSTRUCTOR",
        "SCORE_MADE",
        "TRY_BEGUN",
        "PARKED",
        "RESENT",
    ]
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    by_model = next(row for row in rows if row.event == "SCORED_BY_MODEL")
    assert (by_model.model_versions, by_model.points, by_model.max_points) == ({"encoder": "test"}, Decimal("2.5"), 5)
    assert (by_model.question, by_model.confidence, by_model.actor_sub) == (1, 0.9, None)
    by_grace = next(row for row in rows if row.event == "SCORED_BY_INSTRUCTOR")
    assert (by_grace.actor_sub, by_grace.reason, by_grace.points) == ("grace-hopper", "said it orally", 5)
    made = [row for row in rows if row.event == "SCORE_MADE"]
    assert [(row.version, row.points, row.max_points) for row in made] == [(1, Decimal("2.5"), 10), (2, 5, 10)]
    assert rows[-1].actor_sub == "grace-hopper"
    assert rows[-1].detail == "replaces what is there"


def test_the_page_of_an_attempt_shows_its_record(course: Course) -> None:
    course.has_quiz()
    attempt_id = hands_in(course, course.learner())
    overrides(course, attempt_id, points=Decimal(5), reason="<b>said it</b> orally")
    is_tried_and_parked(course)
    decides(course, "LMS_GRADE_REPLACED", attempt_id=attempt_id, lms_grade="9 / 10")
    decides(course, "SOMETHING_NEW", attempt_id=attempt_id)
    record = course.instructor().get(f"results/{attempt_id}").form("#record")
    words = " ".join(record.get_text(" ").split())
    assert "Scored by the model · question 1: 2.5 / 5 confidence 90% · encoder test" in words
    assert "Scored by an instructor · question 1: 5 / 5 · Grace Hopper Reason: <b>said it</b> orally" in words
    assert "Could not be delivered · score 2" in words
    assert "404: no such column" in words
    assert "Grade in the LMS replaced on purpose · Grace Hopper · 9 / 10" in words
    assert "SOMETHING_NEW · Grace Hopper" in words, "what has no words yet is shown all the same"
    assert "cut off" not in words, "a try that came to an end is told by its end"
    assert not record.select("b")


@pytest.mark.parametrize(
    ("outcome", "text", "event", "words"),
    [
        ("SERVED", "Well said.", "EXPLAINED_BY_MODEL", "Explanation worded by the language model"),
        ("REFUSED", None, "EXPLANATION_REFUSED", "The language model's wording was refused"),
    ],
)
def test_the_record_names_the_explainer_that_was_asked(
    course: Course, outcome: str, text: str | None, event: str, words: str
) -> None:
    course.has_quiz()
    attempt_id = hands_in(course, course.learner())
    grade_id = number(course, "SELECT id FROM grades")
    assert [row.event for row in record_of(course, attempt_id) if "EXPLA" in row.event] == [], "nobody was asked yet"
    with course.transaction() as connection:
        reasons = () if text else ("it says Bananas",)
        versions = {"explainer": "tiny", "version": "fedcba9876543210"}
        record_rewording(connection, grade_id, outcome=outcome, text=text, reasons=reasons, versions=versions)
    (row,) = [row for row in record_of(course, attempt_id) if "EXPLA" in row.event]
    assert (row.event, row.question, row.points, row.model_versions) == (event, 1, None, versions)
    assert row.detail == "", "the reasons quote what a model wrote about the answer"
    teacher = course.instructor()
    shown = " ".join(teacher.get(f"results/{attempt_id}").form("#record").get_text(" ").split())
    assert words in shown
    assert "version fedcba9876543210 · explainer tiny" in shown
    (cell,) = [each["model_versions"] for each in downloaded(teacher) if each["event"] == event]
    assert cell == "version=fedcba9876543210; explainer=tiny"


def test_without_a_language_model_the_record_names_none(course: Course) -> None:
    course.has_quiz()
    attempt_id = hands_in(course, course.learner())
    grade_id = number(course, "SELECT id FROM grades")
    with course.transaction() as connection:
        record_rewording(connection, grade_id, outcome="NOT_WANTED", text=None, reasons=(), versions={"template": "1"})
    assert [row.event for row in record_of(course, attempt_id) if "EXPLA" in row.event] == []


def test_a_try_that_was_cut_off_is_shown(course: Course) -> None:
    course.has_quiz()
    attempt_id = hands_in(course, course.learner())
    with course.transaction() as connection:
        connection.execute("UPDATE deliveries SET due_at = now()")
        (delivery_id,) = connection.execute("SELECT id FROM deliveries").fetchone() or (0,)
        outbox.record_event(connection, delivery_id, "BEGUN")
    record = course.instructor().get(f"results/{attempt_id}").form("#record").get_text()
    assert "Being sent, no answer yet" in record
    assert "cut off" not in record, "it may still arrive"
    with course.transaction() as connection:
        outbox.record_event(connection, delivery_id, "BEGUN")
    assert "Sending was cut off" in course.instructor().get(f"results/{attempt_id}").form("#record").get_text()


def test_the_file_holds_all_attempts_and_decisions_of_the_activity_and_no_answer(course: Course) -> None:
    course.has_quiz()
    ada, blaise = course.learner(), course.learner("blaise-pascal", name="블레즈")
    first = hands_in(course, ada)
    hands_in(course, blaise)
    teacher = course.instructor()
    decides(course, "ATTEMPT_EXCUSED", attempt_id=first, reason="was ill", resource_link_id=9)
    decides(course, "ANSWER_KEY_CHANGED", quiz_id=str(course.quiz_id))
    content = teacher.get("results/record.csv").response.get_data()
    assert ANSWER.encode() not in content
    assert b"You said what happens." not in content
    rows = rows_of(content)
    assert tuple(rows[0]) == COLUMNS
    scored = [row for row in rows if row["event"] == "SCORED_BY_MODEL"]
    assert [(row["student"], row["student_lms_id"]) for row in scored] == [
        ("Ada Lovelace", "ada-lovelace"),
        ("블레즈", "blaise-pascal"),
    ]
    assert (scored[0]["course"], scored[0]["activity"]) == ("Machine learning 101", "Regularisation")
    assert (scored[0]["points"], scored[0]["max_points"], scored[0]["fraction"]) == ("2.5", "5", "0.5000")
    assert (scored[0]["by"], scored[0]["model_versions"]) == ("model", "encoder=test")
    (excused,) = [row for row in rows if row["event"] == "ATTEMPT_EXCUSED"]
    assert (excused["student"], excused["by"], excused["reason"]) == ("Ada Lovelace", "Grace Hopper", "was ill")
    assert [row["by_lms_id"] for row in rows if row["event"] == "ANSWER_KEY_CHANGED"] == ["grace-hopper"]
    moments = [datetime.fromisoformat(row["time"]) for row in rows]
    assert all(moment.tzinfo for moment in moments)
    assert moments == sorted(moments)


def test_a_try_of_an_instructor_is_marked(course: Course) -> None:
    course.has_quiz()
    teacher = course.instructor()
    hands_in(course, teacher)
    assert {(row["is_try"], row["delivery"]) for row in downloaded(teacher)} == {("yes", "")}


def test_no_cell_is_a_formula(course: Course) -> None:
    course.has_quiz(title="=1+1")
    attempt_id = hands_in(course, course.learner("@mallory", name='  =HYPERLINK("https://evil.example")'))
    overrides(course, attempt_id, points=Decimal(5), reason="\t+cmd|' /C calc'!A0")
    rows = downloaded(course.instructor())
    for row in rows:
        for name, cell in row.items():
            assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n")), (name, cell)
    assert rows[0]["student"] == '\'  =HYPERLINK("https://evil.example")', "and the text is all there"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "  =", "\u3000=", "＝", "＋", "－", "＠"])
def test_whatever_a_spreadsheet_takes_for_a_formula_is_kept_as_text(start: str) -> None:
    assert harmless(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["", "Ada", "a=b", "3.5", "O'Neil", "user-7"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


# Whose it is ------------------------------------------------------------------------------------------------------


def test_the_record_is_that_of_the_placement_alone(course: Course) -> None:
    course.has_quiz()
    mine = hands_in(course, course.learner())
    decides(course, "ATTEMPT_EXCUSED", attempt_id=mine)
    other = Course.open(course.app, course.database)
    other.has_quiz()
    school = Course.open(course.app, course.database, school="other")
    school.has_quiz()
    for elsewhere in (course.instructor(resource_link_id="link-2"), other.instructor(), school.instructor()):
        assert downloaded(elsewhere) == []


def test_the_record_is_closed_to_others(course: Course) -> None:
    course.has_quiz()
    hands_in(course, course.learner())
    for role in (Role.LEARNER, Role.NONE):
        answer = course.launch(role, "someone").get("results/record.csv")
        assert answer.status == 403
        assert b"Ada" not in answer.response.get_data()


def test_nobody_changes_the_record(course: Course, owner_url: str) -> None:
    """The tool's role may not, and even the owner is refused as long as the triggers are there."""
    course.has_quiz()
    attempt_id = hands_in(course, course.learner())
    is_tried_and_parked(course)
    decides(course, "ATTEMPT_EXCUSED", attempt_id=attempt_id)
    for table in ("audit_events", "grades", "key_point_verdicts", "explanations", "delivery_events"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), course.transaction() as connection:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
        for change in ("DELETE FROM {}", "UPDATE {} SET registration_id = registration_id"):
            query = sql.SQL(change).format(sql.Identifier(table))
            with pytest.raises(psycopg.errors.InsufficientPrivilege), course.transaction() as connection:
                connection.execute(query)
            with psycopg.connect(owner_url) as connection:
                connection.execute("SELECT set_config('mlquiz.tenant', 'all', false)")
                with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                    connection.execute(query)


# On the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run ``mlquiz`` in this process, with the test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_all_courses_of_a_platform_are_exported(course: Course, run: Callable[..., Result], tmp_path: Path) -> None:
    course.has_quiz()
    hands_in(course, course.learner())
    second = Course.open(course.app, course.database)
    second.has_quiz(title="Another")
    hands_in(second, second.learner("blaise-pascal"))
    school = Course.open(course.app, course.database, school="other")
    school.has_quiz()
    hands_in(school, school.learner("mallory"))
    file = tmp_path / "record.csv"
    result = run("audit", "export", "--platform", str(course.registration.id), "--output", str(file), "--json")
    assert result.exit_code == 0, result.output
    rows = rows_of(file.read_bytes())
    assert json.loads(result.stdout) == {"file": str(file), "placements": 2, "rows": len(rows)}
    assert {(row["activity"], row["student"]) for row in rows} == {
        ("Regularisation", "Ada Lovelace"),
        ("Another", "Blaise Pascal"),
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "1 of 2: Machine learning 101" in result.stderr


def test_an_export_replaces_a_file_only_when_told_to(
    course: Course, run: Callable[..., Result], tmp_path: Path
) -> None:
    course.has_quiz()
    file = tmp_path / "record.csv"
    file.write_text("mine")
    wanted = ("audit", "export", "--platform", str(course.registration.id), "--output", str(file))
    refused = run(*wanted)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert file.read_text() == "mine"
    assert run(*wanted, "--force").exit_code == 0
    assert rows_of(file.read_bytes()) == []
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["record.csv"]


def test_an_export_begins_with_a_day(course: Course, run: Callable[..., Result], tmp_path: Path) -> None:
    course.has_quiz()
    hands_in(course, course.learner())
    wanted = ("audit", "export", "--platform", str(course.registration.id), "--force", "--json", "--output")
    counts = []
    for days in (-1, 1):
        day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
        counts.append(json.loads(run(*wanted, str(tmp_path / "r.csv"), "--since", day).stdout)["rows"])
    assert counts[0] > 0
    assert counts[1] == 0


def test_an_export_of_an_unknown_platform_or_to_nowhere_is_refused(
    course: Course, run: Callable[..., Result], tmp_path: Path
) -> None:
    unknown = run("audit", "export", "--platform", "nowhere", "--output", str(tmp_path / "r.csv"))
    assert unknown.exit_code == 2
    known = str(course.registration.id)
    nowhere = run("audit", "export", "--platform", known, "--output", str(tmp_path / "no" / "r.csv"))
    assert nowhere.exit_code == 2
    assert "cannot be written" in nowhere.stderr
    assert list(tmp_path.glob("*.csv")) == []
