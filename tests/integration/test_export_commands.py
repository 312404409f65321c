"""``mlquiz dataset export`` and ``mlquiz student …``: what they write and say, and what an erasure leaves nowhere."""

from __future__ import annotations

import json
import re
import shutil
import threading
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from config import Settings
from finetune.dataset import read_dataset
from finetune.dataset_cli import dataset
from finetune.grader_command import training_data
from lti_tool.cli.dataset_export import dataset_export
from lti_tool.cli.output import Commands
from lti_tool.cli.students import student
from lti_tool.db import fetch_value
from lti_tool.exports.bookkeeping import _EXPORTS_LOCK, list_models_of, snapshot
from lti_tool.exports.erasure import ERASED, erase_student
from lti_tool.exports.errors import OwnerNeeded
from lti_tool.gradebook.store import lock_rewordings, record_rewording
from lti_tool.models.adding import add_run
from lti_tool.models.folders import remove_folder
from lti_tool.submissions import views
from tests.course_actors import Course, make_question
from tests.integration.test_export_answers import ALL, allows, answers, chooses, export, gives, number_of
from tests.model_runs import make_run


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


@pytest.fixture
def open_course(course: Course) -> Course:
    """A course with an answer of Ada's and one of Carl's, both may be used."""
    course.has_quiz(make_question(), max_attempts=3)
    allows(course, "YES_COURSE")
    answers(course, "Ada's units are switched off.")
    answers(course, "Random units.", "carl-gauss")
    return course


@pytest.fixture
def run(database_url: str, owner_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the commands in this process, with the test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DATABASE_OWNER_URL", owner_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    group = Commands("mlquiz", commands={"export": dataset_export, "student": student})

    def runs(*arguments: str, **more: object) -> Result:
        return CliRunner().invoke(group, arguments, **more)  # pyright: ignore[reportArgumentType]

    return runs


def of(course: Course, sub: str = "ada-lovelace") -> tuple[str, ...]:
    return ("--platform", str(course.registration.id), "--student", sub)


# Export --------------------------------------------------------------------------------------------------------------


def test_an_export_says_what_is_in_it_and_what_was_left_out(open_course: Course, run, tmp_path: Path) -> None:
    gives(open_course, 4)
    result = run("export", "--output", str(tmp_path / "out"), "--course", "machine learning 101")
    assert result.exit_code == 0, result.output
    assert re.search(r"1 answers to 1 questions in .*, dataset [0-9a-f]{16}\n", result.stdout)
    assert "taken out: 1 name" in result.stdout
    assert "left out: 1 not confirmed" in result.stdout
    assert "units are switched" not in result.output
    assert len(read_dataset(tmp_path / "out").examples) == 1


def test_an_export_speaks_json_and_nothing_else(open_course: Course, run, tmp_path: Path) -> None:
    quiz = ("--quiz", str(open_course.quiz_id))
    result = run("export", "--output", str(tmp_path / "out"), *quiz, "--since", "2020-01-01", "--all-scores", "--json")
    facts = json.loads(result.stdout)
    assert facts["digest"] == read_dataset(tmp_path / "out").digest
    assert facts["counts"]["examples"] == 2
    assert facts["left_out"] == dict.fromkeys(
        ("course_says_no", "student_did_not_agree", "student_was_erased", "student_needs_person", "not_confirmed"), 0
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--course", "Physics"), 2, "no course is called"),
        (("--quiz", "00000000-0000-0000-0000-000000000007"), 2, "no quiz has the number"),
        (("--quiz", "seven"), 2, "seven"),
        (("--since", "yesterday"), 2, "yesterday"),
        (("--since", "2999-01-01"), 2, "no released answer fits"),
        ((), 2, "--all-scores takes them too"),
    ],
)
def test_wrong_usage_ends_with_a_sentence_and_no_folder(
    open_course: Course, run, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = run("export", "--output", str(tmp_path / "out"), *arguments)
    assert result.exit_code == code
    assert words in result.output + result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


# Consent -------------------------------------------------------------------------------------------------------------


def test_the_operator_sees_a_students_choices_and_withdraws_them(open_course: Course, run) -> None:
    chooses(open_course, "ada-lovelace", "YES")
    assert "used (course: YES_COURSE, student: YES)" in run("student", "consent", *of(open_course)).stdout
    result = run("student", "consent", *of(open_course), "--withdraw", "--json")
    (choice,) = json.loads(result.stdout)
    assert (choice["course"], choice["choice"], choice["is_used"]) == ("Machine learning 101", "NO", False)
    with open_course.transaction() as connection:
        by = fetch_value(connection, "SELECT details ->> 'by' FROM audit_events WHERE event = 'CONSENT_WITHDRAWN'")
    assert by == "operator"


def test_the_operator_sees_from_when_on_a_silent_students_attempts_are_used(open_course: Course, run) -> None:
    allows(open_course, "ASK_STUDENTS")
    assert "not used (course: ASK_STUDENTS, student: not said)" in run("student", "consent", *of(open_course)).stdout
    allows(open_course, "YES_COURSE")
    assert re.search(
        r"attempts begun since 20[\d-]+ [\d:]+ UTC used", run("student", "consent", *of(open_course)).stdout
    )
    (choice,) = json.loads(run("student", "consent", *of(open_course), "--json").stdout)
    assert (choice["is_used"], choice["used_since"] is None) == (True, False)


def test_a_student_that_the_platform_does_not_have_is_named(open_course: Course, run) -> None:
    for command in (("consent",), ("erase", "--yes")):
        result = run("student", *command, *of(open_course, "nobody"))
        assert result.exit_code == 2
        assert "'nobody'" in result.stderr


def test_another_schools_student_is_not_found(open_course: Course, run) -> None:
    other = Course.open(open_course.app, open_course.database, school="other")
    assert run("student", "erase", "--yes", *of(other)).exit_code == 2


# Erasure -------------------------------------------------------------------------------------------------------------


def everything(owner_url: str, course: Course) -> str:
    """All rows of all tables but the trail, as text."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("SELECT set_config('mlquiz.tenant', %s, true)", (str(course.registration.id),))
        tables = connection.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname !~ 'yoyo'"
        ).fetchall()
        rows = [connection.execute(f"SELECT {name}::text FROM {name}").fetchall() for (name,) in tables]  # pyright: ignore
    return str(rows)


def test_nothing_that_a_student_wrote_and_no_quotation_of_it_stays(open_course: Course, run, owner_url: str) -> None:
    gives(open_course, 4, "You wrote that units are switched off.")
    with open_course.transaction() as connection:
        connection.execute("UPDATE deliveries SET comment = 'units are switched off'")
        connection.execute(
            "INSERT INTO rosters (context_id, members, fetched_at) SELECT id,"
            """ '[{"sub": "ada-lovelace", "name": "Ada Lovelace"},"""
            """ {"sub": "x", "name": "Emmy"}]', now() FROM contexts"""
        )
        connection.execute(
            "INSERT INTO explanation_ratings (explanation_id, rating, note)"
            " SELECT explanations.id, 'WRONG', 'noted by ' || sub FROM explanations"
            " JOIN grades ON grades.id = grade_id JOIN submissions ON submissions.id = submission_id"
            " JOIN attempts ON attempts.id = attempt_id JOIN users ON users.id = user_id"
            " WHERE explanations.source <> 'INSTRUCTOR'"
        )
    before = everything(owner_url, open_course)
    assert "units are switched" in before
    assert "noted by ada-lovelace" in before
    result = run("student", "erase", *of(open_course), "--yes")
    assert result.exit_code == 0, result.output
    assert "1 answers erased" in result.stdout
    after = everything(owner_url, open_course)
    assert "Ada's" not in after
    assert "Ada Lovelace" not in after
    assert "You wrote that" not in after
    assert "noted by ada-lovelace" not in after
    assert "Emmy" in after, "the others of the class list stay"
    assert "Random units." in after, "the answers of others stay"
    assert "noted by carl-gauss" in after, "and what they said"


def test_scores_stay_as_they_were(open_course: Course, owner_url: str) -> None:
    grades = "SELECT points FROM grades ORDER BY id"
    with open_course.transaction() as connection:
        before = connection.execute(grades).fetchall()
    erase_student(owner_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    with open_course.transaction() as connection:
        assert connection.execute(grades).fetchall() == before
        shown = connection.execute("SELECT text, count(*) FROM explanations GROUP BY text ORDER BY text").fetchall()
    assert (ERASED, 1) in shown
    assert len(shown) == 2


def test_the_erased_students_result_page_still_opens(open_course: Course, owner_url: str) -> None:
    erase_student(owner_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    page = open_course.learner().get("quiz")
    assert page.status == 200
    assert "switched off" not in page.text


def test_after_an_erasure_rows_are_append_only_again(open_course: Course, owner_url: str) -> None:
    erase_student(owner_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    for statement in ("UPDATE explanations SET text = 'x'", "UPDATE key_point_verdicts SET evidence = 'x'"):
        with psycopg.connect(owner_url) as connection, pytest.raises(psycopg.errors.RaiseException):
            connection.execute(statement)  # pyright: ignore[reportArgumentType]


def test_an_erased_student_is_never_exported_again_even_with_new_answers(
    open_course: Course, owner_url: str, tmp_path: Path
) -> None:
    erase_student(owner_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    answers(open_course, "Something new.")
    result = export(open_course, tmp_path / "out", ALL)
    assert [each.answer for each in read_dataset(tmp_path / "out").examples] == ["Random units."]
    assert result.tally.student_was_erased == 2


def test_an_erasure_names_the_datasets_and_the_models_that_learnt_from_them(
    open_course: Course, run, owner_url: str, tmp_path: Path
) -> None:
    digest = export(open_course, tmp_path / "with", ALL).manifest.digest
    chooses(open_course, "ada-lovelace", "NO")
    export(open_course, tmp_path / "without", ALL)
    with psycopg.connect(owner_url) as connection:
        _has_models(connection, digest)
    facts = json.loads(run("student", "erase", *of(open_course), "--yes", "--json").stdout)
    assert facts["answers"] == 1
    assert [(each["digest"], each["answer_count"]) for each in facts["datasets"]] == [(digest, 1)]
    assert [(each["digest"], each["kind"], each["dataset_digest"]) for each in facts["models"]] == [
        ("aaaaaaaaaaaaaaaa", "GRADER", digest)
    ]
    again = run("student", "erase", *of(open_course), "--yes").stdout
    assert "0 answers erased" in again
    assert f"dataset {digest} of" in again
    assert "grader aaaaaaaaaaaaaaaa (current) was trained with dataset" in again


def test_an_erasure_follows_an_export_through_imports_to_folders_models_and_trainings(
    open_course: Course, run, owner_url: str, tmp_path: Path
) -> None:
    first = export(open_course, tmp_path / "with", ALL).manifest.digest
    again, other = tmp_path / "data" / "datasets" / "again", tmp_path / "data" / "datasets" / "other"
    _is_imported(tmp_path / "with", tmp_path / "between", "Mended once.")
    _is_imported(tmp_path / "between", again, "Mended twice.")
    (tmp_path / "own.csv").write_text("question,reference,answer,score\nWhy?,So.,Because.,1\n", encoding="utf-8")
    assert CliRunner().invoke(dataset, ["import", str(tmp_path / "own.csv"), "--output", str(other)]).exit_code == 0
    last, unrelated = read_dataset(again).digest, read_dataset(other).digest
    assert len({first, last, unrelated}) == 3
    with psycopg.connect(owner_url) as connection:
        _has_models(connection, "+".join(training_data([again], [], bank="none").datasets))
        connection.execute(
            "INSERT INTO training_runs (kind, dataset_digest, created_by, folder)"
            " VALUES ('GRADER', %s, 'root', '/training/7'), ('GRADER', %s, 'root', '/training/8')",
            (last, unrelated),
        )
    facts = json.loads(run("student", "erase", *of(open_course), "--yes", "--json").stdout)
    assert [each["digest"] for each in facts["datasets"]] == [first]
    assert [(each["digest"], each["folder"]) for each in facts["derived"]] == [(last, str(again))]
    assert [each["digest"] for each in facts["models"]] == ["aaaaaaaaaaaaaaaa"]
    assert facts["run_folders"] == ["/runs/1", "/training/7"]
    said = run("student", "erase", *of(open_course), "--yes").stdout.replace("\n", " ")
    assert f"{again} (dataset {last}) was imported from such a dataset" in said


def _is_imported(source: Path, target: Path, answer: str) -> None:
    """A copy of a dataset in which somebody changed an answer."""
    changed = source.with_name(f"{source.name}-changed")
    shutil.copytree(source, changed)
    text = (changed / "examples.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    lines[0]["answer"] = answer
    (changed / "examples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = CliRunner().invoke(dataset, ["import", str(changed / "examples.jsonl"), "--output", str(target)])
    assert result.exit_code == 0, result.output


def test_an_erasure_names_a_model_of_however_many_datasets(
    open_course: Course, settings: Settings, owner_url: str, tmp_path: Path
) -> None:
    digest = export(open_course, tmp_path / "with", ALL).manifest.digest
    trained_on = "+".join([*(f"{number:016x}" for number in range(8)), digest])
    with open_course.database.across_tenants() as connection:
        version = add_run(connection, settings, make_run(tmp_path / "run", dataset_digest=trained_on), by="ada").version
    remove_folder(settings.versions_path)
    erasure = erase_student(owner_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    assert [(each.digest, each.dataset_digest) for each in erasure.models] == [(version.digest, trained_on)]


def test_an_erasure_names_the_folders_of_trainings_that_quote_answers(
    open_course: Course, run, owner_url: str, tmp_path: Path
) -> None:
    digest = export(open_course, tmp_path / "with", ALL).manifest.digest
    with psycopg.connect(owner_url) as connection:
        _has_models(connection, digest)
        connection.execute(
            """
            INSERT INTO training_runs (kind, dataset_digest, created_by, folder) VALUES
                ('GRADER', %(digest)s, 'root', '/training/7'), ('EXPLAINER', %(digest)s, 'root', NULL),
                ('CHECK', %(digest)s, 'root', '/training/8'), ('GRADER', '0000000000000000', 'root', '/training/9'),
                ('GRADER', %(digest)s, 'root', '/runs')
            """,
            {"digest": digest},
        )
    facts = json.loads(run("student", "erase", *of(open_course), "--yes", "--json").stdout)
    assert facts["run_folders"] == ["/runs/1", "/training/7"]
    assert "/training/7 is of a training" in run("student", "erase", *of(open_course), "--yes").stdout


def _has_models(connection: psycopg.Connection, dataset_digest: str) -> None:
    """A model of this dataset, and one of another."""
    connection.execute(
        """
        INSERT INTO model_versions (digest, kind, status, run_folder, dataset_digest, created_by) VALUES
            ('aaaaaaaaaaaaaaaa', 'GRADER', 'CURRENT', '/runs/1', %s, 'root'),
            ('bbbbbbbbbbbbbbbb', 'EXPLAINER', 'CANDIDATE', '/runs/2', '0000000000000000', 'root')
        """,
        (dataset_digest,),
    )


def test_an_erasure_names_an_explainer_that_serves_a_course(open_course: Course, run, tmp_path: Path) -> None:
    digest = export(open_course, tmp_path / "with", ALL).manifest.digest
    with open_course.transaction() as connection:
        connection.execute(
            "INSERT INTO model_versions (digest, kind, run_folder, dataset_digest, created_by)"
            " VALUES ('bbbbbbbbbbbbbbbb', 'EXPLAINER', '/runs/2', %s, 'root')",
            (digest,),
        )
        connection.execute(
            "INSERT INTO course_explainers (context_id, digest, chosen_by)"
            " SELECT id, 'bbbbbbbbbbbbbbbb', 'root' FROM contexts LIMIT 1"
        )
    told = run("student", "erase", *of(open_course), "--yes").stdout
    assert "explainer bbbbbbbbbbbbbbbb (candidate, explains in 1 courses)" in told


def test_before_there_is_a_registry_no_model_is_named(open_course: Course, owner_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("DROP TABLE IF EXISTS model_versions CASCADE")
        assert list_models_of(connection, ["0123456789abcdef"]) == []


def test_an_erasure_is_recorded_without_a_name(open_course: Course, owner_url: str) -> None:
    erase_student(owner_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    with open_course.transaction() as connection:
        found = connection.execute("SELECT details FROM audit_events WHERE event = 'STUDENT_ERASED'").fetchall()
    assert found == [({"answers": 1},)]


def test_an_erasure_asks_first(open_course: Course, run) -> None:
    result = run("student", "erase", *of(open_course), input="n\n")
    assert result.exit_code == 1
    assert "cannot be undone" in result.output
    assert run("student", "erase", *of(open_course), "--json").exit_code == 2
    with open_course.transaction() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM submissions WHERE answer = ''") == 0


def test_the_tools_own_role_cannot_erase(open_course: Course, database_url: str) -> None:
    with pytest.raises(OwnerNeeded, match="DATABASE_OWNER_URL"):
        erase_student(database_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    with open_course.transaction() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM submissions WHERE answer = ''") == 0


def test_an_erasure_waits_for_an_export_that_is_under_way(open_course: Course, owner_url: str) -> None:
    with snapshot(open_course.database), psycopg.connect(owner_url) as connection:
        assert fetch_value(connection, "SELECT pg_try_advisory_xact_lock(%s)", _EXPORTS_LOCK) is False
    with psycopg.connect(owner_url) as connection:
        assert fetch_value(connection, "SELECT pg_try_advisory_xact_lock(%s)", _EXPORTS_LOCK) is True


def test_an_erasure_waits_for_a_worker_that_has_an_answer_in_hand_and_erases_what_it_wrote(
    open_course: Course, owner_url: str
) -> None:
    ada = number_of(open_course, "ada-lovelace")
    with open_course.transaction() as connection:
        connection.execute("INSERT INTO rewordings (grade_id) SELECT id FROM grades ON CONFLICT DO NOTHING")
        connection.execute("UPDATE rewordings SET outcome = 'PENDING', finished_at = NULL")
    erasing = threading.Thread(target=erase_student, args=(owner_url, open_course.registration.id, ada))
    with open_course.transaction() as connection:
        work = lock_rewordings(connection, [row[0] for row in connection.execute("SELECT id FROM grades").fetchall()])
        assert len(work) == 2
        erasing.start()
        _waits_until_somebody_waits(owner_url)
        for each in work:
            record_rewording(connection, each.grade_id, outcome="SERVED", text=each.answer, reasons=(), versions={})
    erasing.join(60)
    assert not erasing.is_alive()
    with open_course.transaction() as connection:
        found = {
            text for (text,) in connection.execute("SELECT text FROM explanations WHERE source = 'LLM'").fetchall()
        }
    assert found == {ERASED, "Random units."}


def _waits_until_somebody_waits(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for _ in range(2000):
            if fetch_value(connection, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return
            connection.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody waits")


def test_answers_that_wait_to_be_graded_again_are_not_read_any_more(open_course: Course, owner_url: str) -> None:
    instructor = number_of(open_course, "grace-hopper")
    with open_course.transaction() as connection:
        connection.execute(
            "INSERT INTO regrades (resource_link_id, quiz_id, created_by) SELECT id, quiz_id, %s FROM resource_links",
            (instructor,),
        )
        connection.execute(
            "INSERT INTO regrade_items (regrade_id, submission_id, old_grade_id)"
            " SELECT regrades.id, submission_id, grades.id FROM regrades, grades"
        )
    erase_student(owner_url, open_course.registration.id, number_of(open_course, "ada-lovelace"))
    with open_course.transaction() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM regrade_items") == 1
