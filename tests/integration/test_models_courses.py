"""Explainers of single courses: one process words each course's explanations with its own version, and goes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from psycopg import errors

from config.settings import Settings
from lti_tool.db import Database, fetch_value
from lti_tool.errors import NotConfigured
from lti_tool.gradebook.tasks import explain
from lti_tool.models import course_serving, course_store, health, store
from lti_tool.models.adding import add_run
from lti_tool.models.errors import (
    AlreadyCurrent,
    CourseUnknown,
    CurrentChanged,
    NotForOneCourse,
    NothingToRollBack,
    NotProven,
)
from lti_tool.models.folders import remove_folder
from lti_tool.models.promotion import Change, Judgement, promote, roll_back
from lti_tool.models.versions import ModelVersion
from lti_tool.submissions import views
from lti_tool.worker import Workbench
from tests.course_actors import Course, make_question
from tests.model_runs import make_explainer_run, make_run

PROVEN = Judgement(ok=True)


@dataclass
class School:
    """Courses of two schools, one worker process, and an operator who gives explainers to courses."""

    bench: Workbench
    database: Database
    courses: dict[str, Course]
    folder: Path
    language_model: Path

    @property
    def settings(self) -> Settings:
        return self.bench.settings

    def adds(self, note: str, *languages: str, run: Path | None = None) -> ModelVersion:
        folder = run or make_explainer_run(
            self.folder / note, self.language_model, note, languages=languages or ("en",), seed=len(note)
        )
        with self.database.across_tenants() as connection:
            return add_run(connection, self.settings, folder, by="ada").version

    def number(self, course: str) -> int:
        with self.courses[course].transaction() as connection:
            return self.courses[course].context_id(connection)

    def gives(
        self,
        version: ModelVersion,
        course: str | None,
        *,
        judgement: Judgement | None = PROVEN,
        against: str | None = "",
        forced_because: str | None = None,
    ) -> Change:
        """Promote for a course, or for everybody; compared with what serves unless ``against`` names another."""
        with self.database.across_tenants() as connection:
            serving = store.find_current(connection, version.kind)
            if course is not None:
                place = course_store.get_course(connection, self.number(course))
                serving = course_store.find_serving(connection, place)
            if against == "":
                against = serving.digest if serving else None
            return promote(
                connection,
                self.settings,
                version,
                judged_against=against,
                judgement=judgement,
                by="ada",
                forced_because=forced_because,
                course_id=self.number(course) if course is not None else None,
            )

    def takes_back(self, version: ModelVersion, course: str) -> Change:
        with self.database.across_tenants() as connection:
            return roll_back(
                connection, "EXPLAINER", taken_for_current=version.digest, by="ada", course_id=self.number(course)
            )

    def answers(self, *courses: str) -> None:
        """A student more hands in, in each of these courses, and is scored."""
        for name in courses:
            course = self.courses[name]
            learner = course.learner(f"student-{time.monotonic_ns()}")
            page = learner.post("attempts", {"csrf_token": learner.token()})
            names = [str(area["name"]) for area in page.soup.select("textarea")]
            answers = dict.fromkeys(names, "Units are switched off.")
            page.submit("#answers-form", {**answers, "then": "hand-in"}).submit("#hand-in-form")
            course.grades(learner)

    def worded(self) -> dict[str, str | None]:
        """Let the worker word all that waits; which version it asked in each course, for the newest answers."""
        for tenant in {course.registration.id for course in self.courses.values()}:
            explain(self.bench, tenant)
        return {name: self._asked(course) for name, course in self.courses.items()}

    def _asked(self, course: Course) -> str | None:
        with course.transaction() as connection:
            asked = fetch_value(
                connection,
                "SELECT coalesce(rewordings.versions ->> 'version', rewordings.versions ->> 'explainer')"
                " FROM rewordings"
                " JOIN grades ON grades.id = grade_id JOIN submissions ON submissions.id = submission_id"
                " JOIN attempts ON attempts.id = attempt_id"
                " JOIN resource_links ON resource_links.id = resource_link_id"
                " WHERE context_id = %s AND outcome <> 'PENDING' ORDER BY grade_id DESC LIMIT 1",
                course.context_id(connection),
            )
        return str(asked) if asked is not None else None

    def events(self) -> list[tuple[str, int | None, dict[str, object]]]:
        with self.database.across_tenants() as connection:
            return connection.execute(
                "SELECT event, registration_id, details FROM audit_events WHERE event ~ '^model-' ORDER BY id"
            ).fetchall()


@pytest.fixture
def school(
    course: Course, settings: Settings, tiny_lm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[School]:
    """Biology and art at one school, law at another."""
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    (tmp_path / "runs").mkdir()
    local = {"explainer": "local", "explainer_model": str(tiny_lm_folder), "explainer_adapter": ""}
    courses = {
        "biology": course,
        "art": replace(course, platform_id="art", quiz_id=None),
        "law": Course.open(course.app, course.database, school="other"),
    }
    for each in courses.values():
        each.has_quiz(make_question())
    bench = Workbench(settings.model_copy(update=local))
    yield School(bench, course.database, courses, tmp_path / "runs", tiny_lm_folder)
    bench.database.close()
    remove_folder(settings.versions_path)


# Serving ----------------------------------------------------------------------------------------------------------


def test_one_process_words_each_course_with_its_own_version(school: School) -> None:
    general, biology, law = school.adds("g"), school.adds("bio"), school.adds("laws")
    school.gives(general, None)
    school.gives(biology, "biology")
    school.gives(law, "law")
    school.answers("biology", "art", "law", "biology")
    expected = {"biology": biology.digest, "art": general.digest, "law": law.digest}
    assert school.worded() == expected
    held = [school.bench.explainer_for(each).generators[0] for each in (None, biology.digest, law.digest)]
    assert len({id(each._model) for each in held}) == 1, "the language model is in memory once"  # pyright: ignore


def test_a_choice_and_a_rollback_count_with_the_next_answer(school: School) -> None:
    version = school.adds("bio")
    base = str(school.language_model)
    school.answers("biology", "art")
    assert school.worded() == {"biology": base, "art": base, "law": None}
    assert school.gives(version, "biology").before is None
    school.answers("biology", "art")
    assert school.worded() == {"biology": version.digest, "art": base, "law": None}
    change = school.takes_back(version, "biology")
    assert (change.before, change.now, change.course) == (version.digest, None, school.number("biology"))
    school.answers("biology")
    assert school.worded()["biology"] == base
    assert school.bench.has_news()
    school.bench.renew()
    assert not school.bench._course_generators._held
    assert not school.bench.has_news()


def test_languages_that_a_courses_version_does_not_write_stay_with_what_serves_everybody(school: School) -> None:
    general, korean = school.adds("g"), school.adds("korean", "ko")
    school.gives(general, None)
    school.gives(korean, "biology")
    school.answers("biology")
    assert school.worded()["biology"] == general.digest


def test_what_was_needed_longest_ago_goes_where_there_are_too_many(school: School) -> None:
    versions = [school.adds("x" * length) for length in range(1, 5)]
    _ = school.bench.explainer
    for version in (*versions[:3], versions[0], versions[3]):
        school.bench.explainer_for(version.digest)
    kept = list(school.bench._course_generators._held)
    assert kept == [versions[2].digest, versions[0].digest, versions[3].digest]
    assert len(kept) == course_serving.MOST_HELD


def test_settings_without_a_language_model_keep_a_courses_version_out(school: School) -> None:
    version = school.adds("bio")
    school.gives(version, "biology")
    remove_folder(school.settings.versions_path / version.digest)
    bench = Workbench(school.settings.model_copy(update={"explainer": "template"}))
    assert bench.explainer_for(version.digest).generators == ()
    bench.database.close()


# What cannot be loaded ----------------------------------------------------------------------------------------------


def test_a_version_that_cannot_be_loaded_leaves_the_course_with_the_general_one_and_doctor_says_so(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = school.adds("bio")
    school.gives(version, "biology")
    folder = school.settings.versions_path / version.digest
    folder.chmod(0o755)
    away = folder.rename(school.folder / "away")
    school.answers("biology")
    assert school.worded()["biology"] == str(school.language_model)
    conninfo = school.settings.database_url.get_secret_value()
    with pytest.raises(NotConfigured, match=f"go on without explainer: .*{version.digest}"):
        health.state_of_models(school.settings, conninfo)
    assert not school.bench.has_news(), "tried again at once"
    away.rename(folder)
    later = time.monotonic() + course_serving.RETRY_SECONDS
    monkeypatch.setattr(course_serving.time, "monotonic", lambda: later)
    assert school.bench.has_news()
    school.bench.renew()
    assert health.state_of_models(school.settings, conninfo).endswith("courses with an explainer of their own: 1")
    monkeypatch.undo()
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)
    school.answers("biology")
    assert school.worded()["biology"] == version.digest


def test_an_explainer_that_fails_while_it_writes_leaves_its_course_with_the_general_one(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    general, biology = school.adds("g"), school.adds("bio")
    school.gives(general, None)
    school.gives(biology, "biology")
    writer = school.bench.explainer_for(biology.digest).generators[0]

    def fail(feedbacks: object) -> list[str]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(writer, "rewrite", fail)
    school.answers("biology", "art")
    assert school.worded() == {"biology": general.digest, "art": general.digest, "law": None}


def test_taken_back_it_is_no_problem_any_more(school: School) -> None:
    version = school.adds("bio")
    school.gives(version, "biology")
    _ = school.bench.explainer
    remove_folder(school.settings.versions_path / version.digest)
    school.bench.explainer_for(version.digest)
    school.takes_back(version, "biology")
    school.bench.renew()
    with school.database.across_tenants() as connection:
        assert fetch_value(connection, "SELECT count(*) FROM model_load_problems") == 0


# Promoting for a course -----------------------------------------------------------------------------------------------


def test_without_proof_it_is_refused_and_with_a_reason_it_is_on_record(school: School) -> None:
    version = school.adds("bio")
    with pytest.raises(NotProven, match="fewer pass"):
        school.gives(version, "biology", judgement=Judgement(ok=False, reasons=("fewer pass",)))
    with pytest.raises(NotProven, match="compared with nothing"):
        school.gives(version, "biology", judgement=None)
    school.gives(version, "biology", judgement=None, forced_because="Agreed with the course team")
    event, tenant, details = school.events()[-1]
    assert (event, tenant) == ("model-promotion-forced", school.courses["biology"].registration.id)
    assert details["reason"] == "Agreed with the course team"
    assert details["context_id"] == school.number("biology")


def test_what_the_gate_found_for_a_course_is_on_record_also_where_a_person_overrode_it(school: School) -> None:
    first, second = school.adds("bio"), school.adds("biol")
    findings = {"pairs": 200, "difference": {"value": 0.02, "low": -0.01, "high": 0.05}}
    school.gives(first, "biology", judgement=Judgement(ok=True, findings=findings))
    _, _, details = school.events()[-1]
    assert details["findings"] == findings
    assert "overridden" not in details
    school.gives(
        second,
        "biology",
        judgement=Judgement(ok=False, reasons=("fewer pass", "slower"), findings=findings),
        forced_because="Agreed with the course team",
    )
    event, _, details = school.events()[-1]
    assert (event, details["findings"], details["overridden"]) == (
        "model-promotion-forced",
        findings,
        "fewer pass\nslower",
    )


def test_a_judgement_on_what_serves_no_longer_is_worth_nothing(school: School) -> None:
    first, second = school.adds("bio"), school.adds("biol")
    school.gives(first, "biology")
    with pytest.raises(CurrentChanged, match=first.digest):
        school.gives(second, "biology", against=None)
    assert school.gives(second, "biology").before == first.digest


def test_what_serves_the_course_already_is_not_given_again(school: School) -> None:
    version = school.adds("bio")
    school.gives(version, None)
    with pytest.raises(AlreadyCurrent):
        school.gives(version, "biology")


def test_a_grader_serves_all_courses(school: School) -> None:
    grader = school.adds("", run=make_run(school.folder / "grader"))
    with pytest.raises(NotForOneCourse):
        school.gives(grader, "biology")
    with school.database.across_tenants() as connection:
        place = course_store.get_course(connection, school.number("biology"))
        with pytest.raises(errors.ForeignKeyViolation), connection.transaction():
            course_store.choose_explainer(connection, place, grader.digest, by="ada")


def test_a_course_without_an_explainer_of_its_own_has_nothing_to_take_back(school: School) -> None:
    version = school.adds("bio")
    school.gives(version, None)
    with pytest.raises(NothingToRollBack):
        school.takes_back(version, "biology")
    with school.database.across_tenants() as connection, pytest.raises(CourseUnknown):
        course_store.get_course(connection, 10**30)


def test_a_version_that_serves_a_course_cannot_be_removed(school: School) -> None:
    version = school.adds("bio")
    school.gives(version, "biology")
    with school.database.across_tenants() as connection:
        with pytest.raises(errors.ForeignKeyViolation), connection.transaction():
            connection.execute("DELETE FROM model_versions WHERE digest = %s", (version.digest,))
        [served] = course_store.list_served_courses(connection)
    assert (served.digest, served.platform, served.chosen_by) == (version.digest, "lms.example.edu", "ada")


def test_another_school_neither_sees_nor_makes_the_choice(school: School) -> None:
    version = school.adds("bio")
    school.gives(version, "biology")
    with school.courses["law"].transaction() as connection:
        assert course_store.list_chosen_digests(connection) == frozenset()
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute(
                "INSERT INTO course_explainers (registration_id, context_id, digest, chosen_by)"
                " VALUES (%s, %s, %s, %s)",
                (school.courses["art"].registration.id, school.number("art"), version.digest, "eve"),
            )
