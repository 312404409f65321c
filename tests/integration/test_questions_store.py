"""Quizzes in PostgreSQL: whose they are, their order, and what may no longer change."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from lti_tool.errors import NotFound
from lti_tool.questions import changes, store
from lti_tool.questions.errors import QuestionTried, QuizFixed
from lti_tool.submissions.store import save_draft, start_attempt
from tests.course_actors import Course, make_question

THREE = ("first", "second", "third")


def prompts(connection: Connection, quiz_id: UUID) -> list[str]:
    return [question.prompt for question in store.list_questions(connection, quiz_id)]


def begin(course: Course, *, is_preview: bool = False) -> int:
    """Someone begins the quiz; the id of the attempt."""
    person = course.instructor() if is_preview else course.learner()
    person.get()
    with course.transaction() as connection:
        link_id, user_id = connection.execute(
            "SELECT resource_link_id, user_id FROM launch_sessions WHERE id = %s", (person.launch_id,)
        ).fetchone() or (0, 0)
        assert course.quiz_id is not None
        return start_attempt(
            connection,
            resource_link_id=link_id,
            user_id=user_id,
            quiz_id=course.quiz_id,
            max_attempts=1,
            is_preview=is_preview,
        ).id


def test_a_quiz_comes_back_as_it_was_added(course: Course) -> None:
    question = make_question(sample_id="dropout", max_points=Decimal("2.5"))
    quiz_id = course.has_quiz(question, make_question("Second?"), title="Week 3", language="ko", max_attempts=2)
    with course.transaction() as connection:
        quiz = store.get_quiz(connection, quiz_id, course.context_id(connection))
        first, second = store.list_questions(connection, quiz_id)
    assert (quiz.title, quiz.language, quiz.max_attempts) == ("Week 3", "ko", 2)
    assert (quiz.question_count, quiz.max_points) == (2, Decimal("7.5"))
    assert (first.prompt, first.max_points, first.sample_id) == (question.prompt, Decimal("2.5"), "dropout")
    assert first.model_answers == question.model_answers
    assert [(point.position, point.name, point.weight) for point in first.key_points] == [
        (0, "what happens", 2),
        (1, "why it helps", 1),
    ]
    assert (first.position, second.position) == (0, 1)


def test_a_quiz_without_questions_has_no_points(course: Course) -> None:
    course.author()
    with course.transaction() as connection:
        context_id = course.context_id(connection)
        quiz_id = store.add_quiz(connection, context_id=context_id, title="Empty", language="en")
        quiz = store.get_quiz(connection, quiz_id, context_id)
    assert (quiz.question_count, quiz.max_points) == (0, 0)


def test_another_courses_quiz_is_not_found(course: Course) -> None:
    quiz_id = course.has_quiz()
    other = Course.open(course.app, course.database)
    other.author()
    with course.transaction() as connection:
        with pytest.raises(NotFound):
            store.get_quiz(connection, quiz_id, other.context_id(connection))
        assert store.list_quizzes(connection, other.context_id(connection)) == []
        assert [quiz.id for quiz in store.list_quizzes(connection, course.context_id(connection))] == [quiz_id]


def test_an_unknown_quiz_or_question_is_not_found(course: Course) -> None:
    quiz_id = course.has_quiz()
    with course.transaction() as connection:
        with pytest.raises(NotFound):
            store.get_quiz(connection, uuid4(), course.context_id(connection))
        with pytest.raises(NotFound):
            store.get_question(connection, quiz_id, 10**30)
        with pytest.raises(NotFound):
            store.get_grading_question(connection, 0)


def test_a_question_of_another_quiz_is_not_found(course: Course) -> None:
    first_quiz = course.has_quiz()
    second_quiz = course.has_quiz()
    with course.transaction() as connection:
        foreign = store.list_questions(connection, first_quiz)[0]
        with pytest.raises(NotFound):
            store.get_question(connection, second_quiz, foreign.id)


def test_a_placed_quiz_is_found_from_a_copied_course(course: Course) -> None:
    quiz_id = course.has_quiz()
    copy = Course.open(course.app, course.database, quiz_id=quiz_id)
    copy.learner()
    with course.transaction() as connection:
        link_id = store.fetch_value(connection, "SELECT max(id) FROM resource_links")
        assert isinstance(link_id, int)
        assert store.get_placed_quiz(connection, quiz_id, link_id).id == quiz_id
        with pytest.raises(NotFound):
            store.get_placed_quiz(connection, uuid4(), link_id)
        with pytest.raises(NotFound):
            store.get_placed_quiz(connection, quiz_id, link_id + 1)


def test_the_grader_gets_model_answers_key_points_and_language(course: Course) -> None:
    quiz_id = course.has_quiz(make_question(), language="ko")
    with course.transaction() as connection:
        stored = store.list_questions(connection, quiz_id)[0]
        question = store.get_grading_question(connection, stored.id)
    assert question.language == "ko"
    assert question.prompt == stored.prompt
    assert question.model_answers == stored.model_answers
    assert [(point.position, point.weight) for point in question.key_points] == [(0, 2.0), (1, 1.0)]
    assert all(isinstance(point.weight, float) for point in question.key_points)


@pytest.mark.parametrize(
    ("place", "direction", "order"),
    [
        (0, "down", ["second", "first", "third"]),
        (2, "up", ["first", "third", "second"]),
        (0, "up", ["first", "second", "third"]),
        (2, "down", ["first", "second", "third"]),
    ],
)
def test_questions_change_places(course: Course, place: int, direction: str, order: list[str]) -> None:
    quiz_id = course.has_quiz(*map(make_question, THREE))
    with course.transaction() as connection:
        question = store.list_questions(connection, quiz_id)[place]
        changes.move_question(connection, question, direction)  # pyright: ignore[reportArgumentType]
    with course.transaction() as connection:
        assert prompts(connection, quiz_id) == order


def test_removing_a_question_closes_the_gap(course: Course) -> None:
    quiz_id = course.has_quiz(*map(make_question, THREE))
    with course.transaction() as connection:
        changes.remove_question(connection, store.list_questions(connection, quiz_id)[0])
        changes.add_question(connection, quiz_id, make_question("fourth"))
    with course.transaction() as connection:
        assert prompts(connection, quiz_id) == ["second", "third", "fourth"]
        assert [question.position for question in store.list_questions(connection, quiz_id)] == [0, 1, 2]


def test_a_changed_question_replaces_its_key_points(course: Course) -> None:
    quiz_id = course.has_quiz(make_question())
    with course.transaction() as connection:
        question = store.list_questions(connection, quiz_id)[0]
        changed = make_question("Reworded?", key_points=(), model_answers=("One.", "Two."), max_points=Decimal(3))
        changes.update_question(connection, question, changed)
        after = store.get_question(connection, quiz_id, question.id)
    assert (after.prompt, after.max_points, after.model_answers) == ("Reworded?", 3, ("One.", "Two."))
    assert after.key_points == ()


def test_points_of_another_quizs_question_stay(course: Course) -> None:
    first_quiz = course.has_quiz(make_question())
    second_quiz = course.has_quiz(make_question())
    with course.transaction() as connection:
        mine = store.list_questions(connection, second_quiz)[0]
        foreign = store.list_questions(connection, first_quiz)[0]
        changes.update_points(connection, second_quiz, {mine.id: Decimal(9), foreign.id: Decimal(9)})
        assert store.get_question(connection, second_quiz, mine.id).max_points == 9
        assert store.get_question(connection, first_quiz, foreign.id).max_points == 5


def test_nothing_of_what_was_asked_changes_once_a_student_has_begun(course: Course) -> None:
    quiz_id = course.has_quiz(*map(make_question, THREE))
    begin(course)
    with course.transaction() as connection:
        question = store.list_questions(connection, quiz_id)[0]
    refused = [
        lambda c: changes.add_question(c, quiz_id, make_question()),
        lambda c: changes.update_question(c, question, make_question("Other?")),
        lambda c: changes.update_points(c, quiz_id, {question.id: Decimal(1)}),
        lambda c: changes.move_question(c, question, "down"),
        lambda c: changes.remove_question(c, question),
        lambda c: changes.update_quiz(c, quiz_id, title="New", max_attempts=2, language="ko"),
    ]
    for change in refused:
        with pytest.raises(QuizFixed), course.transaction() as connection:
            change(connection)
    with course.transaction() as connection:
        assert store.is_fixed(connection, quiz_id)
        assert prompts(connection, quiz_id) == list(THREE)
        assert store.get_question(connection, quiz_id, question.id) == question


def test_title_and_attempts_change_even_then(course: Course) -> None:
    quiz_id = course.has_quiz()
    begin(course)
    with course.transaction() as connection:
        changes.update_quiz(connection, quiz_id, title="New title", max_attempts=3, language="en")
        quiz = store.get_quiz(connection, quiz_id, course.context_id(connection))
    assert (quiz.title, quiz.max_attempts) == ("New title", 3)


def test_an_instructors_try_does_not_fix_the_quiz(course: Course) -> None:
    quiz_id = course.has_quiz(*map(make_question, THREE))
    attempt_id = begin(course, is_preview=True)
    with course.transaction() as connection:
        tried, untouched, _ = store.list_questions(connection, quiz_id)
        save_draft(connection, attempt_id=attempt_id, question_id=tried.id, answer="A try.")
        assert not store.is_fixed(connection, quiz_id)
        changes.update_question(connection, tried, make_question("Reworded?"))
        with pytest.raises(QuestionTried):
            changes.remove_question(connection, tried)
        changes.remove_question(connection, untouched)
        assert prompts(connection, quiz_id) == ["Reworded?", "third"]


def test_a_copy_is_free_and_the_first_quiz_stays(course: Course) -> None:
    quiz_id = course.has_quiz(*map(make_question, THREE), max_attempts=4)
    begin(course)
    with course.transaction() as connection:
        quiz = store.get_quiz(connection, quiz_id, course.context_id(connection))
        copied = changes.copy_quiz(connection, quiz, title="Copy", created_by=None)
        changes.remove_question(connection, store.list_questions(connection, copied)[0])
        assert prompts(connection, copied) == ["second", "third"]
        assert prompts(connection, quiz_id) == list(THREE)
        originals = {question.prompt: question for question in store.list_questions(connection, quiz_id)}
        for question in store.list_questions(connection, copied):
            original = originals[question.prompt]
            alike = replace(question, id=original.id, quiz_id=quiz_id, position=original.position)
            assert alike == original


def test_a_change_and_a_student_who_begins_come_one_after_the_other(course: Course) -> None:
    quiz_id = course.has_quiz(make_question())
    course.learner()
    began = threading.Event()

    def student_begins() -> None:
        begin(course)
        began.set()

    student = threading.Thread(target=student_begins)
    with course.transaction() as connection:
        question = store.list_questions(connection, quiz_id)[0]
        changes.update_question(connection, question, make_question("Reworded?"))
        student.start()
        assert not began.wait(0.5), "the attempt began in the middle of the change"
    student.join(10)
    assert began.is_set()
    with pytest.raises(QuizFixed), course.transaction() as connection:
        changes.update_question(connection, question, make_question("Too late?"))


def test_placing_a_quiz_sets_it_for_the_next_launch(course: Course) -> None:
    quiz_id = course.has_quiz()
    course.quiz_id = None
    person = course.instructor()
    with course.transaction() as connection:
        link_id = store.fetch_value(
            connection, "SELECT resource_link_id FROM launch_sessions WHERE id = %s", person.launch_id
        )
        assert isinstance(link_id, int)
        store.place_quiz(connection, quiz_id, link_id)
    assert "What is dropout?" in course.instructor().get().text
