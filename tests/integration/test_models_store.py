"""Versions in PostgreSQL: added once, one in charge of a kind, taken back step by step, two people at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import errors

from config import Settings
from lti_tool.db import Database, fetch_value
from lti_tool.models import store
from lti_tool.models.adding import Added, add_run
from lti_tool.models.errors import (
    AlreadyCurrent,
    CurrentChanged,
    ModelVersionError,
    NothingToRollBack,
    NotProven,
    ReasonMissing,
    RunRefused,
    VersionBroken,
    VersionUnknown,
)
from lti_tool.models.folders import Kind, remove_folder
from lti_tool.models.promotion import Change, Judgement, promote, roll_back
from lti_tool.models.versions import ModelVersion
from tests.course_actors import Course
from tests.model_runs import STUDENT_TEXT, make_run, resealed

OK = Judgement(ok=True, findings={"candidate_mse": 0.04})


@dataclass
class Registry:
    """Versions, as one who runs the tool handles them."""

    database: Database
    settings: Settings
    folder: Path

    def adds(self, note: str = "one", *, kind: Kind | None = None, **manifest: Any) -> Added:
        run = self.folder / note
        if not run.exists():
            make_run(run, note, **manifest)
        with self.database.across_tenants() as connection:
            return add_run(connection, self.settings, run, by="ada", kind=kind)

    def promotes(
        self,
        version: ModelVersion,
        *,
        judged_against: str | None = "",
        judgement: Judgement | None = OK,
        by: str = "ada",
        forced_because: str | None = None,
    ) -> Change:
        against = self.current() if judged_against == "" else judged_against
        with self.database.across_tenants() as connection:
            return promote(
                connection,
                self.settings,
                version,
                judged_against=against,
                judgement=judgement,
                by=by,
                forced_because=forced_because,
            )

    def rolls_back(self, taken_for_current: str | None = "") -> Change:
        expected = self.current() if taken_for_current == "" else taken_for_current
        with self.database.across_tenants() as connection:
            return roll_back(connection, "GRADER", taken_for_current=expected, by="ada")

    def current(self) -> str | None:
        with self.database.across_tenants() as connection:
            return store.current_digest(connection, "GRADER")

    def statuses(self) -> dict[str, str]:
        with self.database.across_tenants() as connection:
            return {each.digest: each.status for each in store.list_versions(connection)}

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        with self.database.across_tenants() as connection:
            return connection.execute(
                "SELECT event, details FROM audit_events WHERE event ~ '^model-' ORDER BY id"
            ).fetchall()


@pytest.fixture
def registry(database: Database, settings: Settings, tmp_path: Path) -> Iterator[Registry]:
    (tmp_path / "runs").mkdir()
    yield Registry(database, settings, tmp_path / "runs")
    remove_folder(settings.versions_path)


# Adding -----------------------------------------------------------------------------------------------------------


def test_a_run_becomes_a_candidate_with_all_that_is_known_of_it(registry: Registry) -> None:
    added = registry.adds()
    assert added.is_new
    version = added.version
    assert (version.kind, version.status, version.created_by) == ("GRADER", "CANDIDATE", "ada")
    assert version.dataset_digest == "d" * 64
    assert version.code_version == "tests"
    assert version.settings["seed"] == 1
    assert version.headline == {"mse": 0.05, "mae": 0.15, "pearson_r": 0.8}
    assert version.run_folder == str(registry.folder / "one")
    assert version.promoted_at is None


def test_adding_it_twice_changes_nothing_and_says_so(registry: Registry) -> None:
    first, second = registry.adds(), registry.adds()
    assert (first.is_new, second.is_new) == (True, False)
    assert first.version == second.version
    assert [event for event, _ in registry.events()] == ["model-added"]


def test_adding_it_again_brings_a_lost_folder_back(registry: Registry) -> None:
    version = registry.adds().version
    remove_folder(registry.settings.versions_path / version.digest)
    assert not registry.adds().is_new
    assert (registry.settings.versions_path / version.digest / "head.json").is_file()


def test_a_refused_run_leaves_neither_row_nor_folder(registry: Registry) -> None:
    run = make_run(registry.folder / "one")
    (run / "weights.pt").write_bytes(b"0")
    with pytest.raises(RunRefused, match=r"weights\.pt"):
        registry.adds("one")
    assert registry.statuses() == {}
    assert not registry.settings.versions_path.exists()


def test_no_words_of_students_get_into_the_database(registry: Registry) -> None:
    registry.adds(metrics={"samples": [{"answer": STUDENT_TEXT}], "mse": 0.1})
    with registry.database.across_tenants() as connection:
        rows = fetch_value(connection, "SELECT model_versions::text FROM model_versions")
    assert STUDENT_TEXT not in str(rows)


def test_a_version_goes_by_the_beginning_of_its_digest(registry: Registry) -> None:
    version = registry.adds().version
    with registry.database.across_tenants() as connection:
        assert store.get_version(connection, version.digest[:6]) == version
        assert store.get_version(connection, version.digest.upper()) == version


@pytest.mark.parametrize("beginning", ["", "abc", "0000000000000000", "%", "' OR true --"])
def test_a_digest_of_nothing_is_refused(registry: Registry, beginning: str) -> None:
    registry.adds()
    with registry.database.across_tenants() as connection, pytest.raises(VersionUnknown, match="mlquiz models list"):
        store.get_version(connection, beginning)


def test_a_beginning_of_two_versions_is_refused_with_both(registry: Registry) -> None:
    with registry.database.across_tenants() as connection:
        connection.execute(
            "INSERT INTO model_versions (digest, kind, run_folder, created_by)"
            " VALUES ('aaaa000000000000', 'GRADER', '/runs/1', 'ada'),"
            " ('aaaa111111111111', 'GRADER', '/runs/2', 'ada')"
        )
        with pytest.raises(VersionUnknown, match="aaaa000000000000 or aaaa111111111111"):
            store.get_version(connection, "aaaa")


# Promoting --------------------------------------------------------------------------------------------------------


def test_a_candidate_that_is_not_worse_serves_and_the_one_before_is_retired(registry: Registry) -> None:
    first, second = registry.adds("one").version, registry.adds("two").version
    assert registry.promotes(first) == Change(kind="GRADER", before=None, now=first.digest)
    assert registry.promotes(second) == Change(kind="GRADER", before=first.digest, now=second.digest)
    assert registry.statuses() == {first.digest: "RETIRED", second.digest: "CURRENT"}


def test_a_promotion_is_on_record_with_who_and_what_was_found(registry: Registry) -> None:
    version = registry.adds().version
    registry.promotes(version, by="grace")
    with registry.database.across_tenants() as connection:
        promoted = store.get_version(connection, version.digest)
    assert (promoted.promoted_by, promoted.findings) == ("grace", {"candidate_mse": 0.04})
    event, details = registry.events()[-1]
    assert event == "model-promoted"
    assert details["digest"] == version.digest
    assert "by grace" in details["detail"]


@pytest.mark.parametrize(
    "judgement", [None, Judgement(ok=False, reasons=("The candidate is worse: by 0.1.",))], ids=["none", "worse"]
)
def test_without_proof_it_is_refused_and_nothing_changes(registry: Registry, judgement: Judgement | None) -> None:
    version = registry.adds().version
    with pytest.raises(NotProven, match="--force --reason"):
        registry.promotes(version, judgement=judgement)
    assert registry.statuses() == {version.digest: "CANDIDATE"}
    assert [event for event, _ in registry.events()] == ["model-added"]


def test_the_refusal_has_the_gates_reasons(registry: Registry) -> None:
    with pytest.raises(NotProven, match=r"worse by 0\.1"):
        registry.promotes(registry.adds().version, judgement=Judgement(ok=False, reasons=("worse by 0.1",)))


def test_forced_with_a_reason_it_serves_and_the_reason_is_on_record(registry: Registry) -> None:
    version = registry.adds().version
    registry.promotes(version, judgement=None, forced_because="  Agreed with the course team ")
    event, details = registry.events()[-1]
    assert (event, details["reason"]) == ("model-promotion-forced", "Agreed with the course team")
    with registry.database.across_tenants() as connection:
        assert store.get_version(connection, version.digest).forced_because == "Agreed with the course team"


def test_the_record_says_what_was_overridden(registry: Registry) -> None:
    judgement = Judgement(ok=False, reasons=("worse by 0.1",), findings={"candidate_mse": 0.14})
    registry.promotes(registry.adds("one").version, judgement=judgement, forced_because="Agreed with the course team")
    assert registry.events()[-1][1]["overridden"] == "worse by 0.1"
    judgement = Judgement(ok=False, reasons=("line 3: 'Ada wrote …' is no number",))
    registry.promotes(registry.adds("two").version, judgement=judgement, forced_because="Agreed with the course team")
    assert "overridden" not in registry.events()[-1][1], "nothing was compared, and the message quotes the data"


@pytest.mark.parametrize("reason", ["", "too short", " " * 20, "x" * 2001])
def test_forcing_needs_a_reason(registry: Registry, reason: str) -> None:
    version = registry.adds().version
    with pytest.raises(ReasonMissing, match="10 to 2000"):
        registry.promotes(version, judgement=None, forced_because=reason)
    assert registry.current() is None


def test_what_serves_already_is_not_promoted_again(registry: Registry) -> None:
    version = registry.adds().version
    registry.promotes(version)
    with pytest.raises(AlreadyCurrent):
        registry.promotes(version)


@pytest.mark.parametrize("change", ["missing", "damaged"])
def test_a_version_without_its_folder_is_not_promoted(registry: Registry, change: str) -> None:
    version = registry.adds().version
    folder = registry.settings.versions_path / version.digest
    if change == "missing":
        remove_folder(folder)
    else:
        (folder / "head.json").chmod(0o644)
        (folder / "head.json").write_text("{}", encoding="utf-8")
    with pytest.raises(VersionBroken, match=version.digest):
        registry.promotes(version)
    assert registry.current() is None


def test_the_database_itself_has_at_most_one_in_charge(registry: Registry) -> None:
    first, second = registry.adds("one").version, registry.adds("two").version
    registry.promotes(first)
    with registry.database.across_tenants() as connection, pytest.raises(errors.UniqueViolation):
        connection.execute("UPDATE model_versions SET status = 'CURRENT' WHERE digest = %s", (second.digest,))


def test_a_grader_in_charge_says_nothing_of_the_explainer(registry: Registry) -> None:
    registry.promotes(registry.adds().version)
    with registry.database.across_tenants() as connection:
        assert store.find_current(connection, "EXPLAINER") is None


# Rolling back -----------------------------------------------------------------------------------------------------


def test_a_rollback_brings_back_what_served_before_and_at_last_the_default(registry: Registry) -> None:
    first, second = registry.adds("one").version, registry.adds("two").version
    registry.promotes(first)
    registry.promotes(second)
    assert registry.rolls_back() == Change(kind="GRADER", before=second.digest, now=first.digest)
    assert registry.rolls_back() == Change(kind="GRADER", before=first.digest, now=None)
    assert registry.statuses() == {first.digest: "RETIRED", second.digest: "RETIRED"}
    with pytest.raises(NothingToRollBack):
        registry.rolls_back()


def test_after_a_rollback_a_later_promotion_goes_back_to_what_the_rollback_brought(registry: Registry) -> None:
    one, two, three = (registry.adds(note).version for note in ("one", "two", "three"))
    for version in (one, two):
        registry.promotes(version)
    registry.rolls_back()
    registry.promotes(three)
    assert registry.rolls_back().now == one.digest
    assert registry.rolls_back().now is None


def test_a_version_that_was_taken_back_may_serve_again(registry: Registry) -> None:
    one, two = (registry.adds(note).version for note in ("one", "two"))
    for version in (one, two, one):
        registry.promotes(version)
    assert [registry.rolls_back().now for _ in range(3)] == [two.digest, one.digest, None]


def test_a_rollback_is_on_record(registry: Registry) -> None:
    version = registry.adds().version
    registry.promotes(version)
    registry.rolls_back()
    event, details = registry.events()[-1]
    assert (event, details["before"]) == ("model-rolled-back", version.digest)


# Two at once ------------------------------------------------------------------------------------------------------


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each gave or raised, done at the same time."""
    barrier = threading.Barrier(len(works))
    found: list[object] = []

    def run(work: Callable[[], object]) -> None:
        barrier.wait(10)
        try:
            found.append(work())
        except ModelVersionError as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_of_two_who_promote_at_once_one_wins_and_the_other_is_told(registry: Registry) -> None:
    first, second = registry.adds("one").version, registry.adds("two").version
    found = at_once(
        lambda: registry.promotes(first, judged_against=None), lambda: registry.promotes(second, judged_against=None)
    )
    (change,) = [each for each in found if isinstance(each, Change)]
    (refusal,) = [each for each in found if isinstance(each, CurrentChanged)]
    assert registry.current() == change.now
    assert str(change.now) in str(refusal)
    assert len([event for event, _ in registry.events() if event == "model-promoted"]) == 1


def test_of_two_who_promote_the_same_one_the_second_is_told_that_it_serves(registry: Registry) -> None:
    version = registry.adds().version
    found = at_once(*[lambda: registry.promotes(version, judged_against=None)] * 2)
    assert {type(each) for each in found} == {Change, AlreadyCurrent}


def test_two_who_roll_back_at_once_roll_back_once(registry: Registry) -> None:
    first, second = registry.adds("one").version, registry.adds("two").version
    registry.promotes(first)
    registry.promotes(second)
    found = at_once(*[lambda: registry.rolls_back(second.digest)] * 2)
    assert {type(each) for each in found} == {Change, CurrentChanged}
    assert registry.current() == first.digest


def test_a_judgement_on_another_model_than_the_one_that_serves_is_worth_nothing(registry: Registry) -> None:
    first, second = registry.adds("one").version, registry.adds("two").version
    registry.promotes(first)
    with pytest.raises(CurrentChanged, match="decide again"):
        registry.promotes(second, judged_against=None)
    assert registry.current() == first.digest


def test_workers_may_look_while_somebody_promotes(registry: Registry) -> None:
    version = registry.adds().version
    with registry.database.across_tenants() as connection:
        store.lock_versions(connection)
        store.put_in_charge(connection, version, by="ada", forced_because=None, findings={})
        assert registry.current() is None  # asked on another connection, and not kept waiting
    assert registry.current() == version.digest


# Answers of other versions ----------------------------------------------------------------------------------------


@pytest.fixture
def answered(course: Course, registry: Registry) -> Course:
    """A quiz whose two answers of a student were scored by the settings' model."""
    course.has_quiz(title="Regularisation")
    learner = course.learner()
    page = learner.post("attempts", {"csrf_token": learner.token()})
    names = [str(area["name"]) for area in page.soup.select("textarea")]
    page.submit("#answers-form", {**dict.fromkeys(names, STUDENT_TEXT), "then": "hand-in"}).submit("#hand-in-form")
    course.grades(learner)
    return course


def outdated(registry: Registry, digest: str | None) -> list[tuple[str, int]]:
    with registry.database.across_tenants() as connection:
        return [(each.quiz, each.answer_count) for each in store.list_outdated_quizzes(connection, digest)]


def test_answers_scored_by_another_version_are_counted_by_quiz(registry: Registry, answered: Course) -> None:
    assert outdated(registry, "0123456789abcdef") == [("Regularisation", 2)]
    assert outdated(registry, None) == []


def test_an_answer_scored_by_the_version_itself_is_not_counted(registry: Registry, answered: Course) -> None:
    with answered.transaction() as connection:
        connection.execute(
            "INSERT INTO regrades (resource_link_id, quiz_id, created_by)"
            " SELECT resource_link_id, quiz_id, user_id FROM attempts LIMIT 1"
        )
        connection.execute(
            "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, versions, regrade_id)"
            " SELECT submissions.id, 'MODEL', 0.5, 1, 0.5, 0.5, 1, '{\"version\": \"0123456789abcdef\"}', regrades.id"
            " FROM submissions, regrades"
        )
    assert outdated(registry, "0123456789abcdef") == []
    assert outdated(registry, None) == [("Regularisation", 2)]


def test_scores_of_instructors_are_not_counted(registry: Registry, answered: Course) -> None:
    with answered.transaction() as connection:
        connection.execute(
            "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence)"
            " SELECT id, 'INSTRUCTOR', 0.5, 1, 0.5, 0.5, 1 FROM submissions"
        )
    assert outdated(registry, "0123456789abcdef") == []


def test_a_run_with_another_manifest_is_another_version(registry: Registry) -> None:
    first = registry.adds("one").version
    resealed(registry.folder / "one", producer="again")
    second = registry.adds("one")
    assert second.is_new
    assert second.version.digest != first.digest
