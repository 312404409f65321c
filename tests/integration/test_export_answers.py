"""The export: which answers are in it, what is known of each, and what is nowhere in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from finetune.dataset import Dataset, read_dataset
from finetune.errors import DatasetFolderTaken, DatasetUnwritable
from grading.domain import Flag
from lti_tool.exports import exporting
from lti_tool.exports.consent import AnswerUse, Choice, record_choice, set_course_use
from lti_tool.exports.errors import CourseUnclear, NothingToExport, QuizUnknown
from lti_tool.exports.exporting import Exported, export_dataset
from lti_tool.exports.selection import Filters, named_courses, require_quizzes, tally
from lti_tool.gradebook.approvals import approve_attempts
from lti_tool.gradebook.decisions import override_grade
from lti_tool.gradebook.explanations import edit_explanation
from lti_tool.submissions import views
from lti_tool.submissions.ratings import Rating, rate_explanation
from lti_tool.submissions.store import find_attempt
from tests.course_actors import Course, Person, make_question

ALL = Filters(all_scores=True)


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "wake_grading", lambda registration_id, ids: None)


@pytest.fixture
def open_course(course: Course) -> Course:
    """A course of one question, whose answers may be used."""
    course.has_quiz(make_question(), max_attempts=3)
    allows(course, "YES_COURSE")
    return course


def allows(course: Course, use: AnswerUse) -> None:
    with course.transaction() as connection:
        who = number_of(course, "grace-hopper")
        context_id = course.context_id(connection)
        set_course_use(connection, context_id, use, registration_id=course.registration.id, user_id=who)


def chooses(course: Course, sub: str, choice: Choice) -> None:
    who = number_of(course, sub)
    with course.transaction() as connection:
        context_id = course.context_id(connection)
        record_choice(connection, context_id, choice, registration_id=course.registration.id, user_id=who)


def number_of(course: Course, sub: str) -> int:
    with course.transaction() as connection:
        row = connection.execute("SELECT id FROM users WHERE sub = %s", (sub,)).fetchone()
    assert row is not None
    return row[0]


def answers(
    course: Course,
    text: str = "Units are switched off.",
    sub: str = "ada-lovelace",
    flags: frozenset[Flag] = frozenset(),
    **launch: object,
) -> Person:
    """A student hands in an answer, and the model scores it."""
    person = course.learner(sub, **launch)
    hands_in(person, text)
    course.grades(person, fraction=0.5, flags=flags)
    return person


def latest_attempt(course: Course, sub: str = "ada-lovelace") -> int:
    with course.transaction() as connection:
        row = connection.execute(
            "SELECT max(attempts.id) FROM attempts JOIN users ON users.id = user_id WHERE sub = %s", (sub,)
        ).fetchone()
    assert row is not None
    return row[0]


def hands_in(person: Person, text: str) -> None:
    page = person.post("attempts", {"csrf_token": person.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: text, "then": "hand-in"}).submit("#hand-in-form")


def gives(course: Course, points: int, words: str = "Nearly.", sub: str = "ada-lovelace") -> None:
    """An instructor gives other points."""
    attempt_id, instructor = latest_attempt(course, sub), number_of(course, "grace-hopper")
    with course.transaction() as connection:
        attempt = find_attempt(connection, attempt_id)
        assert attempt is not None
        row = connection.execute(
            "SELECT question_id, max(grades.id) FROM submissions LEFT JOIN grades ON submission_id = submissions.id"
            " WHERE attempt_id = %s GROUP BY question_id",
            (attempt_id,),
        ).fetchone()
        assert row is not None
        override_grade(
            connection,
            attempt,
            row[0],
            points=Decimal(points),
            explanation=words,
            reason="",
            seen_grade=row[1],
            user_id=instructor,
        )


def rates(course: Course, rating: Rating, note: str = "") -> None:
    """The student says this about the newest explanation."""
    with course.transaction() as connection:
        (explanation_id,) = connection.execute("SELECT max(id) FROM explanations").fetchone() or (0,)
        rate_explanation(connection, explanation_id, rating, note)


def edits(course: Course, text: str, sub: str = "ada-lovelace") -> None:
    """An instructor writes another explanation beside the same score."""
    attempt_id, instructor = latest_attempt(course, sub), number_of(course, "grace-hopper")
    with course.transaction() as connection:
        attempt = find_attempt(connection, attempt_id)
        assert attempt is not None
        row = connection.execute(
            "SELECT question_id, max(explanations.id) FROM submissions JOIN grades ON submission_id = submissions.id"
            " JOIN explanations ON grade_id = grades.id WHERE attempt_id = %s GROUP BY question_id",
            (attempt_id,),
        ).fetchone()
        assert row is not None
        edit_explanation(connection, attempt, row[0], text=text, seen_explanation=row[1], user_id=instructor)


def approves(course: Course, sub: str = "ada-lovelace") -> None:
    attempt_id, instructor = latest_attempt(course, sub), number_of(course, "grace-hopper")
    with course.transaction() as connection:
        assert approve_attempts(connection, [attempt_id], instructor) == [attempt_id]


def changes(course: Course, statement: str) -> None:
    with course.transaction() as connection:
        connection.execute(statement)  # pyright: ignore[reportArgumentType]


def export(course: Course, folder: Path, filters: Filters = ALL) -> Exported:
    return export_dataset(course.database, folder, filters)


def exported(course: Course, folder: Path, filters: Filters = ALL) -> Dataset:
    export(course, folder, filters)
    return read_dataset(folder)


def files(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()))


def texts(dataset: Dataset) -> list[str]:
    return sorted(each.answer for each in dataset.examples)


# What is known of an answer ------------------------------------------------------------------------------------------


def test_an_answer_is_exported_with_question_score_verdicts_and_explanation(
    open_course: Course, tmp_path: Path
) -> None:
    answers(open_course)
    dataset = exported(open_course, tmp_path / "out")
    (question,) = dataset.questions
    (example,) = dataset.examples
    assert (question.prompt, question.language, question.source) == ("What is dropout?", "en", "course")
    assert question.model_answers[0].startswith("Dropout switches")
    assert [(point.position, point.name, point.weight) for point in question.key_points] == [
        (0, "what happens", 2.0),
        (1, "why it helps", 1.0),
    ]
    assert (example.question, example.answer, example.language) == (question.id, "Units are switched off.", "en")
    assert (example.score, example.scored_by) == (0.5, "MODEL")
    assert example.verdicts == ("covered", "missing")
    assert (example.explanation, example.explained_by) == ("You said what happens.", "TEMPLATE")
    assert example.rating is None


def test_an_instructors_score_is_a_persons_with_their_words(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    gives(open_course, 4, "Nearly all of it.")
    (example,) = exported(open_course, tmp_path / "out", Filters()).examples
    assert (example.score, example.scored_by, example.verdicts) == (0.8, "PERSON", ())
    assert (example.explanation, example.explained_by) == ("Nearly all of it.", "PERSON")


def test_an_instructors_score_without_words_has_no_explanation(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    gives(open_course, 4, "")
    (example,) = exported(open_course, tmp_path / "out").examples
    assert (example.explanation, example.explained_by) == (None, None)


def test_a_reworded_explanation_is_the_models(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    changes(open_course, "INSERT INTO explanations (grade_id, source, text) SELECT id, 'LLM', 'Better.' FROM grades")
    (example,) = exported(open_course, tmp_path / "out").examples
    assert (example.explanation, example.explained_by) == ("Better.", "MODEL")


def test_what_the_student_says_about_the_explanation_is_exported_with_it(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    rates(open_course, "WRONG", "Ada says: no.")
    dataset = exported(open_course, tmp_path / "out")
    (example,) = dataset.examples
    assert (example.explained_by, example.rating) == ("TEMPLATE", "WRONG")
    assert "Ada says" not in files(tmp_path / "out"), "the note is for the instructor"


def test_a_rating_of_an_explanation_that_is_not_shown_any_more_is_not_exported(
    open_course: Course, tmp_path: Path
) -> None:
    answers(open_course)
    rates(open_course, "WRONG")
    changes(open_course, "INSERT INTO explanations (grade_id, source, text) SELECT id, 'LLM', 'Better.' FROM grades")
    (example,) = exported(open_course, tmp_path / "newer").examples
    assert (example.explained_by, example.rating) == ("MODEL", None)
    changes(
        open_course,
        "INSERT INTO explanation_ratings (explanation_id, rating) SELECT max(id), 'HELPFUL' FROM explanations",
    )
    changes(open_course, "UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'")
    (example,) = exported(open_course, tmp_path / "hidden").examples
    assert (example.explanation, example.rating) == (None, None)


def test_an_explanation_that_an_instructor_edited_is_exported_as_theirs(open_course: Course, tmp_path: Path) -> None:
    """With the model's score, though nobody confirmed it: the text was written beside it."""
    answers(open_course)
    rates(open_course, "WRONG")
    answers(open_course, "Another answer.", "carl-gauss")
    edits(open_course, "You say what happens; why does it help?")
    export(open_course, tmp_path / "out", Filters())
    (example,) = read_dataset(tmp_path / "out").examples
    assert (example.explanation, example.explained_by) == ("You say what happens; why does it help?", "PERSON")
    assert (example.score, example.scored_by, example.rating) == (0.5, "MODEL", None)
    assert example.verdicts == ("covered", "missing")
    assert not example.is_confirmed, "no grader learns this score"
    with open_course.database.across_tenants() as connection:
        assert tally(connection, Filters()).not_confirmed == 1
    changes(open_course, "UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'")
    with pytest.raises(NothingToExport):
        export(open_course, tmp_path / "hidden", Filters())


def test_a_cry_for_help_is_nobodys_training_data(open_course: Course, tmp_path: Path) -> None:
    """Whoever scored it since."""
    answers(open_course)
    answers(open_course, "I cannot go on.", "carl-gauss", flags=frozenset({Flag.NEEDS_PERSON}))
    gives(open_course, 3, sub="carl-gauss")
    (example,) = exported(open_course, tmp_path / "out", Filters(all_scores=True)).examples
    assert example.answer == "Units are switched off."
    with open_course.database.across_tenants() as connection:
        counted = tally(connection, Filters(all_scores=True))
    assert (counted.exported, counted.student_needs_person) == (1, 1)


def test_a_cry_for_help_that_no_machine_scored_is_nobodys_training_data_either(
    open_course: Course, tmp_path: Path
) -> None:
    answers(open_course)
    hands_in(open_course.learner("carl-gauss"), "I cannot say. I want to die.")
    changes(open_course, "UPDATE submissions SET status = 'STUCK' WHERE status = 'RECEIVED'")
    gives(open_course, 3, sub="carl-gauss")
    (example,) = exported(open_course, tmp_path / "out", Filters(all_scores=True)).examples
    assert example.answer == "Units are switched off."
    with open_course.database.across_tenants() as connection:
        assert tally(connection, Filters(all_scores=True)).student_needs_person == 1


def test_a_models_score_of_an_approved_attempt_is_confirmed(open_course: Course, tmp_path: Path) -> None:
    changes(open_course, "UPDATE quizzes SET posting = 'APPROVAL'")
    answers(open_course)
    approves(open_course)
    (example,) = exported(open_course, tmp_path / "out", Filters()).examples
    assert (example.score, example.scored_by) == (0.5, "PERSON")


def test_letting_explanations_be_seen_confirms_no_score(open_course: Course, tmp_path: Path) -> None:
    changes(open_course, "UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'")
    answers(open_course)
    approves(open_course)
    (example,) = exported(open_course, tmp_path / "out").examples
    assert example.scored_by == "MODEL"


def test_a_score_that_the_model_gave_after_the_approval_is_not_confirmed(open_course: Course, tmp_path: Path) -> None:
    changes(open_course, "UPDATE quizzes SET posting = 'APPROVAL'")
    answers(open_course)
    approves(open_course)
    with open_course.transaction() as connection:
        instructor = number_of(open_course, "grace-hopper")
        connection.execute(
            "INSERT INTO regrades (resource_link_id, quiz_id, created_by) SELECT resource_link_id, quiz_id, %s"
            " FROM attempts",
            (instructor,),
        )
        connection.execute(
            "INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, regrade_id,"
            " created_at) SELECT submission_id, 'MODEL', 1, 5, 1, 1, 1, regrades.id, now() + interval '1 second'"
            " FROM grades, regrades"
        )
    (example,) = exported(open_course, tmp_path / "out").examples
    assert (example.score, example.scored_by) == (1.0, "MODEL")


def test_verdicts_of_an_older_answer_key_are_left_out(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    changes(open_course, "UPDATE key_points SET name = 'another point' WHERE position = 1")
    (example,) = exported(open_course, tmp_path / "out").examples
    assert example.verdicts == ()
    assert example.score == 0.5


def test_an_explanation_that_the_student_does_not_see_yet_is_left_out(open_course: Course, tmp_path: Path) -> None:
    changes(open_course, "UPDATE quizzes SET explanations_shown = 'AFTER_APPROVAL'")
    answers(open_course)
    (example,) = exported(open_course, tmp_path / "waits").examples
    assert (example.explanation, example.verdicts, example.score) == (None, (), 0.5)
    approves(open_course)
    (example,) = exported(open_course, tmp_path / "released").examples
    assert example.explanation == "You said what happens."


def test_an_explanation_is_left_out_until_the_quiz_is_due(open_course: Course, tmp_path: Path) -> None:
    changes(open_course, "UPDATE quizzes SET explanations_shown = 'AFTER_DUE'")
    answers(open_course, due_at=datetime.now(UTC) + timedelta(days=1))
    (example,) = exported(open_course, tmp_path / "waits").examples
    assert (example.explanation, example.verdicts) == (None, ())


# Which answers -------------------------------------------------------------------------------------------------------


def test_only_confirmed_scores_are_exported_unless_all_are_asked_for(open_course: Course, tmp_path: Path) -> None:
    answers(open_course, "The first.")
    answers(open_course, "The second.", "carl-gauss")
    gives(open_course, 4, sub="carl-gauss")
    assert texts(exported(open_course, tmp_path / "confirmed", Filters())) == ["The second."]
    assert texts(exported(open_course, tmp_path / "all")) == ["The first.", "The second."]


@pytest.mark.parametrize(
    ("use", "choice", "is_in"),
    [
        ("NO", None, False),
        ("NO", "YES", False),
        ("ASK_STUDENTS", None, False),
        ("ASK_STUDENTS", "NO", False),
        ("ASK_STUDENTS", "YES", True),
        ("YES_COURSE", None, True),
        ("YES_COURSE", "NO", False),
    ],
)
def test_course_and_student_decide_together(
    open_course: Course, tmp_path: Path, use: AnswerUse, choice: Choice | None, is_in: bool
) -> None:
    answers(open_course)
    if choice:
        chooses(open_course, "ada-lovelace", choice)
    allows(open_course, use)
    if is_in:
        assert len(exported(open_course, tmp_path / "out").examples) == 1
        return
    with pytest.raises(NothingToExport):
        export(open_course, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_who_was_asked_and_said_nothing_is_in_only_with_what_they_began_after_the_courses_yes(
    open_course: Course, tmp_path: Path
) -> None:
    allows(open_course, "ASK_STUDENTS")
    answers(open_course, "While it asked.")
    answers(open_course, "Of one who said yes.", "carl-gauss")
    chooses(open_course, "carl-gauss", "YES")
    begun = open_course.learner("emmy-noether")
    page = begun.post("attempts", {"csrf_token": begun.token()})
    allows(open_course, "YES_COURSE")
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: "Begun before.", "then": "hand-in"}).submit("#hand-in-form")
    open_course.grades(begun)
    result = export(open_course, tmp_path / "at once")
    assert texts(read_dataset(tmp_path / "at once")) == ["Of one who said yes."]
    assert result.tally.student_did_not_agree == 2
    answers(open_course, "After the yes.")
    assert texts(exported(open_course, tmp_path / "later")) == ["After the yes.", "Of one who said yes."]
    chooses(open_course, "ada-lovelace", "NO")
    assert texts(exported(open_course, tmp_path / "refused")) == ["Of one who said yes."]


def test_a_no_between_question_and_yes_makes_no_consent_of_silence(open_course: Course, tmp_path: Path) -> None:
    answers(open_course, "Before it asked.")
    for use in ("ASK_STUDENTS", "NO", "YES_COURSE"):
        allows(open_course, use)
    with pytest.raises(NothingToExport, match="1 of students who did not agree"):
        export(open_course, tmp_path / "out")


def test_an_attempt_opened_again_after_the_yes_holds_words_of_before(open_course: Course, tmp_path: Path) -> None:
    allows(open_course, "ASK_STUDENTS")
    answers(open_course, "The first.")
    first = latest_attempt(open_course)
    allows(open_course, "YES_COURSE")
    answers(open_course, "The second.")
    changes(open_course, f"UPDATE attempts SET reopened_from = {first} WHERE id <> {first}")
    with pytest.raises(NothingToExport):
        export(open_course, tmp_path / "out")


def test_who_takes_the_yes_back_is_not_in_the_next_export(open_course: Course, tmp_path: Path) -> None:
    allows(open_course, "ASK_STUDENTS")
    for sub, text in (("ada-lovelace", "The first."), ("carl-gauss", "The second.")):
        answers(open_course, text, sub)
        chooses(open_course, sub, "YES")
    assert texts(exported(open_course, tmp_path / "before")) == ["The first.", "The second."]
    chooses(open_course, "ada-lovelace", "NO")
    assert texts(exported(open_course, tmp_path / "after")) == ["The second."]


def test_tries_of_instructors_and_test_users_are_never_exported(open_course: Course, tmp_path: Path) -> None:
    answers(open_course, "The first.")
    answers(open_course, "A test user's.", "pretend", is_test_user=True)
    instructor = open_course.instructor()
    page = instructor.post("attempts", {"csrf_token": instructor.token()})
    name = str(page.soup.select("textarea")[0]["name"])
    page.submit("#answers-form", {name: "An instructor's.", "then": "hand-in"}).submit("#hand-in-form")
    open_course.grades(instructor)
    assert texts(exported(open_course, tmp_path / "out")) == ["The first."]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempts SET approval = 'NEEDED'",
        "UPDATE attempts SET excused_at = now()",
        "UPDATE attempts SET status = 'SUBMITTED', graded_at = NULL",
        "UPDATE attempts SET is_preview = true",
        "UPDATE users SET is_test_user = true",
        "UPDATE submissions SET answer = ' \n '",
        "UPDATE users SET erased_at = now()",
    ],
)
def test_what_is_not_released_or_is_no_answer_of_a_student_is_not_exported(
    open_course: Course, tmp_path: Path, statement: str
) -> None:
    answers(open_course)
    changes(open_course, statement)
    with pytest.raises(NothingToExport):
        export(open_course, tmp_path / "out")


def test_an_attempt_that_was_opened_again_is_exported_once(open_course: Course, tmp_path: Path) -> None:
    answers(open_course, "The first.")
    first = latest_attempt(open_course)
    answers(open_course, "The second.")
    changes(open_course, f"UPDATE attempts SET reopened_from = {first} WHERE id <> {first}")
    assert texts(exported(open_course, tmp_path / "out")) == ["The second."]


def test_quiz_course_and_date_narrow_the_export(open_course: Course, tmp_path: Path) -> None:
    answers(open_course, "Of the first course.")
    other = Course(open_course.app, open_course.database, open_course.registration, "another-course")
    other.has_quiz(make_question("What is pruning?"))
    allows(other, "YES_COURSE")
    answers(other, "Of the other course.")
    assert other.quiz_id is not None
    with other.transaction() as connection:
        number = other.context_id(connection)
    of_other = [Filters(quizzes=(other.quiz_id,), all_scores=True), Filters(courses=(number,), all_scores=True)]
    for place, filters in enumerate(of_other):
        dataset = exported(open_course, tmp_path / f"other-{place}", filters)
        assert texts(dataset) == ["Of the other course."]
        assert [question.prompt for question in dataset.questions] == ["What is pruning?"]
    changes(
        open_course, f"UPDATE attempts SET submitted_at = now() - interval '9 days' WHERE quiz_id = '{other.quiz_id}'"
    )
    recent = Filters(since=datetime.now(UTC) - timedelta(days=1), all_scores=True)
    assert texts(exported(open_course, tmp_path / "recent", recent)) == ["Of the first course."]


def test_what_holds_answers_back_is_counted_and_said(open_course: Course, tmp_path: Path) -> None:
    for sub in ("ada-lovelace", "carl-gauss"):
        answers(open_course, sub=sub)
    chooses(open_course, "ada-lovelace", "NO")
    with pytest.raises(NothingToExport, match="1 of students who did not agree, 1 with scores that no instructor"):
        export(open_course, tmp_path / "out", Filters())
    with open_course.database.across_tenants() as connection:
        counted = tally(connection, Filters())
    assert (counted.exported, counted.student_did_not_agree, counted.not_confirmed) == (0, 1, 1)


def test_an_empty_tool_says_that_nothing_fits(course: Course, tmp_path: Path) -> None:
    with pytest.raises(NothingToExport, match="no released answer fits"):
        export(course, tmp_path / "out")


# Privacy -------------------------------------------------------------------------------------------------------------


def test_no_name_mail_number_or_id_of_the_platform_is_anywhere_in_the_files(
    open_course: Course, tmp_path: Path
) -> None:
    open_course.learner("carl-gauss")
    changes(
        open_course,
        "INSERT INTO rosters (context_id, members, fetched_at) SELECT id,"
        """ '[{"sub": "roster-sub-1", "name": "Emmy Noether"}]', now() FROM contexts""",
    )
    answers(
        open_course,
        "Ada Lovelace here (ada@example.org, 010-1234-5678, 20231234). Carl and emmy noether helped; grace hopper"
        " scores. roster-sub-1",
    )
    gives(open_course, 4, "Well done, Ada! Ask Grace Hopper.")
    result = export(open_course, tmp_path / "out")
    written = files(tmp_path / "out")
    for secret in (
        "ada",
        "lovelace",
        "carl",
        "gauss",
        "emmy",
        "noether",
        "grace",
        "hopper",
        "example.org",
        "roster-sub",
    ):
        assert not re.search(rf"{secret}", written, re.IGNORECASE), secret
    with open_course.transaction() as connection:
        issuer, course_id, link = "lms.example.edu", open_course.platform_id, "link-1"
        assert course_id in str(connection.execute("SELECT platform_context_id FROM contexts").fetchall())
    for secret in (issuer, course_id, link, str(open_course.quiz_id), "Machine learning 101", "Regularisation"):
        assert secret not in written, secret
    (example,) = read_dataset(tmp_path / "out").examples
    assert example.answer.startswith("⟨name⟩ here (⟨mail⟩, ⟨phone⟩, ⟨id⟩). ⟨name⟩ and ⟨name⟩ helped")
    assert example.explanation == "Well done, ⟨name⟩! Ask ⟨name⟩."
    assert result.scrubbed == {"name": 6, "mail": 1, "phone": 1, "id": 2}
    assert result.manifest.filters["scrubbed"] == result.scrubbed


def test_pseudonyms_are_the_same_within_an_export_and_others_in_the_next(open_course: Course, tmp_path: Path) -> None:
    answers(open_course, "One.")
    answers(open_course, "Two.")
    answers(open_course, "Three.", "carl-gauss")
    first, second = (exported(open_course, tmp_path / name) for name in ("first", "second"))
    by_text = {each.answer: each for each in first.examples}
    assert by_text["One."].learner == by_text["Two."].learner != by_text["Three."].learner
    assert len({each.course for each in first.examples}) == 1
    for kind in ("id", "learner", "course", "question"):
        assert {getattr(each, kind) for each in first.examples}.isdisjoint(
            getattr(each, kind) for each in second.examples
        )


def test_the_order_of_answers_is_not_that_of_handing_in(open_course: Course, tmp_path: Path) -> None:
    for number in range(12):
        answers(open_course, f"Answer {number:02}.", f"student-{number}")
    orders = [[each.answer for each in exported(open_course, tmp_path / name).examples] for name in ("a", "b", "c")]
    assert len({tuple(order) for order in orders}) > 1


def test_the_folder_is_readable_by_its_owner_alone(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    export(open_course, tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_what_a_student_wrote_is_data_whatever_it_looks_like(open_course: Course, tmp_path: Path) -> None:
    text = '=HYPERLINK("x")\n{"id": 1}\n<script>alert(1)</script> \\u0000 \u2028 ⟨name⟩'
    answers(open_course, text)
    (example,) = exported(open_course, tmp_path / "out").examples
    assert example.answer == text


# Tenants, books, folders ---------------------------------------------------------------------------------------------


def test_each_school_sees_its_own_part_of_an_export_in_its_books(open_course: Course, tmp_path: Path) -> None:
    other = Course.open(open_course.app, open_course.database, school="other", platform_id=open_course.platform_id)
    other.has_quiz(make_question())
    allows(other, "YES_COURSE")
    answers(open_course, "Of the first school.")
    answers(other, "Of the other school.")
    answers(other, "Once more.", "carl-gauss")
    result = export(open_course, tmp_path / "out")
    assert result.manifest.counts["examples"] == 3
    for school, count in ((open_course, 1), (other, 2)):
        with school.transaction() as connection:
            kept = connection.execute(
                "SELECT digest, answer_count, filters ->> 'scores' FROM dataset_exports"
            ).fetchall()
            rows = connection.execute("SELECT count(*) FROM dataset_export_answers").fetchone()
            events = connection.execute("SELECT details FROM audit_events WHERE event = 'DATASET_EXPORTED'").fetchall()
        assert kept == [(result.manifest.digest, count, "all")]
        assert rows == (count,)
        assert events == [({"digest": result.manifest.digest, "answers": count},)]


def test_the_names_of_one_school_are_not_taken_out_of_anothers_answers(open_course: Course, tmp_path: Path) -> None:
    other = Course.open(open_course.app, open_course.database, school="other", platform_id=open_course.platform_id)
    other.has_quiz(make_question())
    allows(other, "YES_COURSE")
    answers(open_course, "Of the first.", "emmy-noether")
    answers(other, "As Noether showed.")
    assert "As Noether showed." in texts(exported(open_course, tmp_path / "out"))


def test_a_folder_that_holds_something_is_left_alone(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetFolderTaken):
        export(open_course, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["mine.txt"]


def test_a_place_that_cannot_be_written_is_said(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    (tmp_path / "file").write_text("")
    with pytest.raises((DatasetUnwritable, DatasetFolderTaken)):
        export(open_course, tmp_path / "file" / "out")


def test_an_export_that_fails_leaves_neither_folder_nor_books(
    open_course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(open_course)
    place = tmp_path / "place"

    def breaks(*_: object, **__: object) -> Iterator[object]:
        raise OSError("the disk is gone")

    monkeypatch.setattr(exporting, "iterate_answers", breaks)
    with pytest.raises(DatasetUnwritable):
        export(open_course, place / "out")
    assert list(place.iterdir()) == []
    with open_course.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM dataset_exports").fetchone() == (0,)


def test_no_dataset_is_in_place_before_it_is_in_the_books(
    open_course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(open_course)

    def fails(*_: object, **__: object) -> None:
        assert not (tmp_path / "out").exists()
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(exporting, "record_export", fails)
    with pytest.raises(psycopg.OperationalError):
        export(open_course, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_is_of_one_moment(open_course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(open_course, "Before.")
    real = exporting.tally

    def while_others_go_on(*arguments: object) -> object:
        counted = real(*arguments)  # pyright: ignore[reportArgumentType]
        answers(open_course, "Meanwhile.", "carl-gauss")
        changes(open_course, "UPDATE questions SET prompt = 'Changed meanwhile?'")
        return counted

    monkeypatch.setattr(exporting, "tally", while_others_go_on)
    dataset = exported(open_course, tmp_path / "out")
    assert texts(dataset) == ["Before."]
    assert dataset.questions[0].prompt == "What is dropout?"


def test_answers_are_read_in_batches_by_the_server(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    told: list[int] = []
    export_dataset(open_course.database, tmp_path / "out", ALL, begun=told.append, advance=told.append)
    assert told == [1, 1]
    with open_course.database.across_tenants() as connection:
        locks = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
    assert locks == (0,)


def test_the_manifest_says_what_was_asked_for_without_numbers_of_quizzes(open_course: Course, tmp_path: Path) -> None:
    answers(open_course)
    assert open_course.quiz_id is not None
    export(open_course, tmp_path / "out", Filters(quizzes=(open_course.quiz_id,), all_scores=True))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["producer"].startswith("mlquiz ")
    assert {name: manifest["filters"][name] for name in ("quizzes_named", "courses_named", "since", "scores")} == {
        "quizzes_named": 1,
        "courses_named": 0,
        "since": None,
        "scores": "all",
    }
    with open_course.transaction() as connection:
        (kept,) = connection.execute("SELECT filters FROM dataset_exports").fetchone() or ({},)
    assert kept["quizzes"] == [str(open_course.quiz_id)]


# Names of courses ----------------------------------------------------------------------------------------------------


def test_a_course_goes_by_title_or_number(open_course: Course) -> None:
    with open_course.database.across_tenants() as connection:
        number = open_course.context_id(connection)
        assert named_courses(connection, ["machine learning 101", str(number)]) == (number,)
        with pytest.raises(CourseUnclear, match=r"no course is called 'Physics'\. There is: "):
            named_courses(connection, ["Physics"])


def test_a_title_of_two_courses_needs_a_number(open_course: Course) -> None:
    Course.open(open_course.app, open_course.database, school="other").learner(quiz_id=None)
    with (
        open_course.database.across_tenants() as connection,
        pytest.raises(CourseUnclear, match="2 courses are called"),
    ):
        named_courses(connection, ["Machine learning 101"])


def test_a_quiz_that_is_not_there_is_named(open_course: Course) -> None:
    from uuid import UUID

    assert open_course.quiz_id is not None
    with open_course.database.across_tenants() as connection:
        require_quizzes(connection, [open_course.quiz_id])
        with pytest.raises(QuizUnknown, match="00000000"):
            require_quizzes(connection, [UUID(int=7)])
