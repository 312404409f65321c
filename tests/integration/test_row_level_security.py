"""The second barrier: what PostgreSQL itself shows, takes and refuses, whatever the code forgets."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, errors, sql

from lti_tool import db
from lti_tool.db import Database, fetch_value
from lti_tool.embedded.postgres import OWNER_ROLE, TOOL_ROLE, EmbeddedPostgres
from lti_tool.launch.audit import record_event
from lti_tool.submissions import views as submission_views
from tests.course_actors import Course

#: Of no tenant: what a platform says of itself, our own keys, the administrator's invitations and sessions.
OF_NO_TENANT = frozenset(
    {
        *("platforms", "tool_keys", "invitations", "admin_sessions"),
        *("model_versions", "model_promotions", "model_load_problems", "training_runs"),
    }
)
APPEND_ONLY = frozenset({"audit_events", "grades", "key_point_verdicts", "explanations", "delivery_events"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """Two schools that are alike; each has rows in every table of tenants."""

    database: Database
    first: Course
    second: Course
    tables: tuple[str, ...]

    @property
    def schools(self) -> tuple[Course, Course]:
        return self.first, self.second


@pytest.fixture
def tenants(course: Course, monkeypatch: pytest.MonkeyPatch) -> Tenants:
    monkeypatch.setattr(submission_views, "wake_grading", lambda registration_id, ids: None)
    second = Course.open(course.app, course.database, school="other", platform_id=course.platform_id)
    for school in (course, second):
        fill(school)
    with course.database.across_tenants() as connection:
        tables = tuple(table for table, *_ in tables_of(connection) if table not in OF_NO_TENANT)
    return Tenants(database=course.database, first=course, second=second, tables=tables)


def tables_of(connection: Connection) -> list[tuple[str, bool, bool]]:
    """Each table of ours: its name, whether row-level security is on, whether it binds the owner too."""
    return connection.execute(
        """
        SELECT relname::text, relrowsecurity, relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname !~ 'yoyo' ORDER BY relname
        """
    ).fetchall()


def fill(course: Course) -> None:
    """Rows in all tables of a tenant: the course is used, the rest is put in."""
    course.has_quiz(max_attempts=2)
    learner = course.learner()
    page = learner.post("attempts", {"csrf_token": learner.token()})
    names = [str(area["name"]) for area in page.soup.select("textarea")]
    page.submit("#answers-form", {names[0]: "An answer", "then": "hand-in"}).submit("#hand-in-form")
    course.grades(learner)
    registration_id = course.registration.id
    with course.transaction() as connection:
        record_event(connection, "LAUNCHED", registration_id=registration_id)
        connection.execute(
            "INSERT INTO logins (state_hash, nonce_hash, registration_id, target_link_uri)"
            " VALUES (%s, %s, %s, 'https://quiz.example.edu/lti/launch')",
            (uuid4().bytes * 2, uuid4().bytes * 2, registration_id),
        )
        connection.execute(
            "INSERT INTO platform_keys (registration_id, jwks, fetched_at) VALUES (%s, '{}', now())",
            (registration_id,),
        )
        connection.execute("INSERT INTO rosters (context_id) SELECT id FROM contexts")
        connection.execute(
            "INSERT INTO access_tokens (scopes, token_encrypted, expires_at) VALUES ('score', 'x', now())"
        )
        connection.execute(
            "INSERT INTO delivery_events (delivery_id, try_number, event) SELECT id, 1, 'BEGUN' FROM deliveries"
        )
        connection.execute(
            "INSERT INTO regrades (resource_link_id, quiz_id, created_by)"
            " SELECT resource_link_id, quiz_id, user_id FROM attempts"
        )
        connection.execute(
            "INSERT INTO regrade_items (regrade_id, submission_id, old_grade_id)"
            " SELECT regrades.id, submission_id, grades.id FROM regrades, grades"
        )
        connection.execute(
            "INSERT INTO consents (context_id, user_id, choice)"
            " SELECT contexts.id, created_by, 'YES' FROM contexts, regrades"
        )
        connection.execute(
            "INSERT INTO dataset_exports (digest, filters, answer_count) VALUES ('0123456789abcdef', '{}', 1)"
        )
        connection.execute(
            "INSERT INTO explanation_ratings (explanation_id, rating) SELECT id, 'WRONG' FROM explanations"
        )
        connection.execute(
            "INSERT INTO model_versions (digest, kind, run_folder, created_by)"
            " VALUES ('0123456789abcdef', 'EXPLAINER', '/run', 'ada') ON CONFLICT (digest) DO NOTHING"
        )
        connection.execute(
            "INSERT INTO course_explainers (context_id, digest, chosen_by)"
            " SELECT id, '0123456789abcdef', 'ada' FROM contexts"
        )
        connection.execute(
            "INSERT INTO trials (user_id, question, answer) SELECT created_by, '{}', 'An answer' FROM regrades"
        )
        connection.execute(
            "INSERT INTO dataset_export_answers (export_id, submission_id, user_id)"
            " SELECT dataset_exports.id, submission_id, created_by FROM dataset_exports, regrade_items, regrades"
        )


def count_of(connection: Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


# The catalogue ----------------------------------------------------------------------------------------------------


def test_every_table_but_those_of_no_tenant_is_guarded(database: Database) -> None:
    with database.across_tenants() as connection:
        for table, is_on, binds_the_owner in tables_of(connection):
            policies = connection.execute(
                "SELECT polcmd, pg_get_expr(polqual, polrelid), polwithcheck, polpermissive, polroles FROM pg_policy"
                " WHERE polrelid = %s::regclass",
                (table,),
            ).fetchall()
            if table in OF_NO_TENANT:
                assert not policies
                continue
            assert (is_on, binds_the_owner) == (True, True), f"{table} has no row-level security"
            ((command, condition, check, _, roles),) = policies
            assert (command, check, roles) == ("*", None, [0]), f"the policy of {table} is not for all and everyone"
            own = "id" if table == "registrations" else "registration_id"
            assert f"{own} = " in condition
            assert "current_tenant()" in condition
            assert "sees_all_tenants()" in condition


def test_every_row_says_whose_it_is(database: Database) -> None:
    """A registration's own row has its id, and a stranger who was refused is of no registration."""
    with database.across_tenants() as connection:
        columns = dict(
            connection.execute(
                "SELECT table_name::text, is_nullable::text FROM information_schema.columns"
                " WHERE table_schema = 'public' AND column_name = 'registration_id'"
            ).fetchall()
        )
        tables = {table for table, *_ in tables_of(connection)} - OF_NO_TENANT - {"registrations"}
    assert {table for table in tables if columns.get(table) != "NO"} == {"audit_events"}
    assert columns["audit_events"] == "YES"


def test_every_reference_between_tenants_rows_carries_the_tenant(database: Database) -> None:
    """So a row cannot refer to another tenant's, not even by a number that somebody guessed."""
    with database.across_tenants() as connection:
        references = connection.execute(
            """
            SELECT conrelid::regclass::text, confrelid::regclass::text,
                array(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)),
                array(SELECT attname::text FROM pg_attribute WHERE attrelid = confrelid AND attnum = ANY (confkey))
            FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
            """
        ).fetchall()
    assert len(references) > 20
    for table, target, own, theirs in references:
        if table in OF_NO_TENANT or target in OF_NO_TENANT or target == "registrations":
            continue
        assert "registration_id" in own, f"{table} refers to {target} without the tenant"
        assert "registration_id" in theirs, f"{table} refers to {target} without the tenant"


def test_views_read_with_the_rights_of_whoever_asks(database: Database) -> None:
    with database.across_tenants() as connection:
        views = connection.execute(
            "SELECT relname::text, reloptions FROM pg_class WHERE relkind IN ('v', 'm')"
            " AND relnamespace = 'public'::regnamespace ORDER BY relname"
        ).fetchall()
    assert [name for name, _ in views] == ["attempt_totals", "counted_attempts"]
    assert all("security_invoker=true" in (options or []) for _, options in views)


# The role ---------------------------------------------------------------------------------------------------------


def test_the_embedded_servers_role_is_bound(postgres: EmbeddedPostgres, database_url: str, owner_url: str) -> None:
    assert TOOL_ROLE != OWNER_ROLE
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        assert row == (TOOL_ROLE, False, False, False, False, False)
        owned = connection.execute("SELECT count(*) FROM pg_class WHERE pg_has_role(relowner, 'MEMBER')").fetchone()
        assert owned == (0,)
    assert db.weakness_of_role(database_url) == ""
    assert "superuser" in db.weakness_of_role(owner_url)


WAYS_OUT = (
    "ALTER TABLE submissions DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE submissions NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY of_the_tenant ON submissions",
    "CREATE POLICY everything ON submissions USING (true)",
    "ALTER TABLE grades DISABLE TRIGGER append_only",
    "CREATE OR REPLACE FUNCTION current_tenant() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
    "CREATE TABLE public.copies AS SELECT * FROM submissions",
    "DROP TABLE submissions",
    "TRUNCATE submissions CASCADE",
    "SET ROLE mlquiz",
    "SET SESSION AUTHORIZATION mlquiz",
    "GRANT mlquiz TO mlquiz_tool",
    "ALTER ROLE mlquiz_tool BYPASSRLS",
    "CREATE ROLE another SUPERUSER",
    "COPY submissions TO PROGRAM 'cat'",
    "DELETE FROM _yoyo_migration",
)


def test_the_role_cannot_free_itself(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in WAYS_OUT:
            with pytest.raises(errors.InsufficientPrivilege):
                pytest.fail(f"done: {connection.execute(statement).statusmessage}: {statement}")  # pyright: ignore


def test_what_is_append_only_is_neither_changed_nor_deleted(database: Database) -> None:
    for table in sorted(APPEND_ONLY):
        for statement in ("UPDATE {} SET registration_id = registration_id", "DELETE FROM {}", "TRUNCATE {}"):
            query = sql.SQL(statement).format(sql.Identifier(table))  # pyright: ignore
            with pytest.raises(errors.InsufficientPrivilege), database.across_tenants() as connection:
                connection.execute(query)


# Rows -------------------------------------------------------------------------------------------------------------


def test_each_tenant_sees_its_rows_and_no_others(tenants: Tenants) -> None:
    with tenants.database.across_tenants() as connection:
        all_rows = {table: count_of(connection, table) for table in tenants.tables}
    own_rows = []
    for school in tenants.schools:
        with school.transaction() as connection:
            own_rows.append({table: count_of(connection, table) for table in tenants.tables})
    first, second = own_rows
    assert [table for table in tenants.tables if not first[table]] == [], "fill() leaves these tables empty"
    assert first == second
    assert all_rows == {table: first[table] + second[table] for table in tenants.tables}


def test_a_transaction_without_a_tenant_sees_nothing(tenants: Tenants, database_url: str) -> None:
    for tenant in (None, "", "0", "-1", "ALL", "all ", "1 OR true", "9" * 18):
        with psycopg.connect(database_url) as connection:
            if tenant is not None:
                connection.execute("SELECT set_config('mlquiz.tenant', %s, true)", (tenant,))
            seen = [table for table in (*tenants.tables, "attempt_totals") if count_of(connection, table)]
        assert seen == [], f"seen as {tenant!r}"


def test_no_row_is_made_without_a_tenant(tenants: Tenants, database_url: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(
            "INSERT INTO contexts (registration_id, deployment_id, platform_context_id) VALUES (%s, 1, 'c')",
            (tenants.first.registration.id,),
        )
    with pytest.raises(errors.NotNullViolation), tenants.database.across_tenants() as connection:
        connection.execute("INSERT INTO contexts (deployment_id, platform_context_id) VALUES (1, 'c')")


def test_another_tenants_rows_are_neither_changed_nor_deleted(tenants: Tenants) -> None:
    """A change without any condition reaches the own rows only; what refers to them may hold them back."""
    before = snapshot(tenants, tenants.second)
    for table in tenants.tables:
        column = "id" if table == "registrations" else "registration_id"
        for statement in ("DELETE FROM {table}", "UPDATE {table} SET {column} = {column}"):
            query = sql.SQL(statement).format(table=sql.Identifier(table), column=sql.Identifier(column))  # pyright: ignore
            try:
                with tenants.first.transaction() as connection:
                    connection.execute(query)
            except (errors.ForeignKeyViolation, errors.InsufficientPrivilege, errors.GeneratedAlways):
                continue
    assert snapshot(tenants, tenants.second) == before


def snapshot(tenants: Tenants, school: Course) -> dict[str, list[tuple]]:
    with school.transaction() as connection:
        return {
            table: connection.execute(
                sql.SQL("SELECT {table}::text FROM {table} ORDER BY 1").format(table=sql.Identifier(table))
            ).fetchall()
            for table in tenants.tables
        }


def test_no_row_is_made_for_another_tenant_or_given_to_it(tenants: Tenants) -> None:
    """Every table, by a copy of one of its own rows that names the other tenant."""
    for table in tenants.tables:
        column = "id" if table == "registrations" else "registration_id"
        with tenants.first.transaction() as connection:
            query = sql.SQL("SELECT row_to_json({table})::text FROM {table} LIMIT 1").format(
                table=sql.Identifier(table)
            )
            row = fetch_value(connection, query)  # pyright: ignore
        changes = f'{{"{column}": {tenants.second.registration.id}}}'
        inserted = sql.SQL(
            "INSERT INTO {table} OVERRIDING SYSTEM VALUE"
            " SELECT (jsonb_populate_record(NULL::{table}, %s::jsonb || %s::jsonb)).*"
        ).format(table=sql.Identifier(table))
        with (
            pytest.raises(errors.InsufficientPrivilege, match="row-level security"),
            tenants.first.transaction() as connection,
        ):
            connection.execute(inserted, (row, changes))
        if table in APPEND_ONLY or table == "registrations":
            continue
        moved = sql.SQL("UPDATE {} SET {} = %s").format(sql.Identifier(table), sql.Identifier(column))
        with (
            pytest.raises(errors.InsufficientPrivilege, match="row-level security"),
            tenants.first.transaction() as connection,
        ):
            connection.execute(moved, (tenants.second.registration.id,))


REFERENCES: dict[str, str] = {
    "a course of their deployment": "INSERT INTO contexts (deployment_id, platform_context_id)"
    " VALUES ({deployments}, 'x')",
    "a quiz in their course": "INSERT INTO quizzes (context_id, title, language) VALUES ({contexts}, 'x', 'en')",
    "a question of their quiz": "INSERT INTO questions (quiz_id, position, prompt, max_points, model_answers)"
    " VALUES ('{quizzes}', 9, 'x', 1, '{{x}}')",
    "a key point of their question": "INSERT INTO key_points (question_id, position, name, text, weight)"
    " VALUES ({questions}, 9, 'x', 'x', 1)",
    "a placement of their quiz": "UPDATE resource_links SET quiz_id = '{quizzes}'",
    "an attempt of their person": "UPDATE attempts SET user_id = {users}, number = 9",
    "an attempt at their placement": "UPDATE attempts SET resource_link_id = {resource_links}, number = 9",
    "a submission in their attempt": "UPDATE submissions SET attempt_id = {attempts}",
    "a submission to their question": "UPDATE submissions SET question_id = {questions}",
    "a grade of their submission": "INSERT INTO explanations (grade_id, source, text)"
    " VALUES ({grades}, 'TEMPLATE', 'x')",
    "a rating of their explanation": "INSERT INTO explanation_ratings (explanation_id, rating)"
    " VALUES ({explanations}, 'WRONG')",
    "a delivery for their person": "UPDATE deliveries SET user_id = {users}",
    "a session of their person": "UPDATE launch_sessions SET user_id = {users}",
    "a session that reviews their attempt": "UPDATE launch_sessions SET review_attempt_id = {attempts}",
    "a roster of their course": "UPDATE rosters SET context_id = {contexts}",
}


def test_no_row_refers_to_another_tenants(tenants: Tenants) -> None:
    with tenants.second.transaction() as connection:
        ids = {
            table: fetch_value(connection, f"SELECT max(id::text) FROM {table}")  # pyright: ignore
            for table in ("deployments", "contexts", "quizzes", "questions", "resource_links", "users")
        } | {
            table: fetch_value(connection, f"SELECT max(id) FROM {table}")  # pyright: ignore
            for table in ("attempts", "submissions", "grades", "explanations")
        }
        # Their keys would be taken before the reference is looked at.
        connection.execute("DELETE FROM rosters")
        connection.execute("DELETE FROM explanation_ratings")
    taken = []
    for name, statement in REFERENCES.items():
        try:
            with tenants.first.transaction() as connection:
                connection.execute(statement.format(**ids))  # pyright: ignore
            taken.append(name)
        except errors.ForeignKeyViolation:
            continue
    assert taken == []


def test_the_totals_of_attempts_are_those_of_the_tenant(tenants: Tenants) -> None:
    seen = []
    for school in tenants.schools:
        with school.transaction() as connection:
            totals = connection.execute("SELECT attempt_id FROM attempt_totals").fetchall()
            assert totals == connection.execute("SELECT id FROM attempts").fetchall()
        seen.append(totals)
    assert len(seen[0]) == 1
    assert seen[0] != seen[1]


# Connections ------------------------------------------------------------------------------------------------------


def fails(connection: Connection) -> None:
    raise ZeroDivisionError


def fails_in_sql(connection: Connection) -> None:
    connection.execute("SELECT 1 / 0")


def catches_and_goes_on(connection: Connection) -> None:
    with pytest.raises(errors.DivisionByZero), connection.transaction():
        connection.execute("SELECT 1 / 0")


def works(connection: Connection) -> None:
    connection.execute("SELECT 1")


def test_a_connection_goes_back_to_the_pool_as_nobodys(tenants: Tenants, database_url: str) -> None:
    database = Database(database_url, max_connections=1)
    used: set[int] = set()
    first, second = (school.registration.id for school in tenants.schools)
    for work in (works, fails, fails_in_sql, catches_and_goes_on):
        for opens in (lambda: database.transaction(first), database.across_tenants):
            with suppress(ZeroDivisionError, errors.DivisionByZero), opens() as connection:
                used.add(connection.info.backend_pid)
                work(connection)
            with database._pool.connection() as connection:
                used.add(connection.info.backend_pid)
                assert not fetch_value(connection, "SELECT current_setting('mlquiz.tenant', true)"), work.__name__
                assert count_of(connection, "submissions") == 0
            with database.transaction(second) as connection:
                seen = fetch_value(connection, "SELECT array_agg(DISTINCT registration_id) FROM submissions")
                assert seen == [second], work.__name__
    assert len(used) == 1, "the pool gave another connection, so this proves nothing"
    database.close()


def test_only_a_number_names_a_tenant(database: Database) -> None:
    for value in ("all", "", "1; DROP TABLE users"):
        with pytest.raises(ValueError, match="invalid literal"), database.transaction(value):  # pyright: ignore
            pass
