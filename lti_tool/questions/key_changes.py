"""Another answer key for a question that students were asked already. What they were asked stays as it is."""

from __future__ import annotations

from uuid import UUID

from psycopg import Connection

from lti_tool.db import fetch_value
from lti_tool.gradebook.outbox import release_deliveries
from lti_tool.gradebook.regrade_items import compute_anew
from lti_tool.gradebook.store import give_up_rewordings, list_attempts_fully_explained
from lti_tool.questions.store import NewKeyPoint, NewQuestion, Question, insert_key_points

KEY_CHANGED = "the answer key changed"


def is_same_key(question: Question, changed: NewQuestion) -> bool:
    """Whether model answers and key points are those that are stored."""
    key_points = tuple(
        NewKeyPoint(name=point.name, text=point.text, weight=point.weight) for point in question.key_points
    )
    return (question.model_answers, key_points) == (changed.model_answers, changed.key_points)


def update_answer_key(connection: Connection, question: Question, changed: NewQuestion) -> list[int]:
    """Replace model answers and key points; ids of the regrades that compute their scores once more because of it.

    Wording and points of ``changed`` are not looked at. Scores that were given stay; grading again is asked for apart.
    Answers that wait to be scored get the new key. A worker that scores an answer with the old one at this moment does
    no harm: it finds a grade like those before the change, with the names of the key points that it was given for
    (`key_point_verdicts.name`), and grading again mends it like them.
    """
    connection.execute("UPDATE quizzes SET updated_at = now() WHERE id = %s", (question.quiz_id,))
    connection.execute(
        "UPDATE questions SET model_answers = %s WHERE id = %s", (list(changed.model_answers), question.id)
    )
    connection.execute("DELETE FROM key_points WHERE question_id = %s", (question.id,))
    insert_key_points(connection, question.id, changed.key_points)
    # The language model must not word old verdicts with the new key's sentences; the template's text stays. What a
    # worker is wording at this moment was read with the old key, and is not waited for.
    attempts = give_up_rewordings(connection, question.id, reason=KEY_CHANGED)
    release_deliveries(connection, list_attempts_fully_explained(connection, attempts))
    return compute_anew(connection, question.id)


def count_other_placements(connection: Connection, quiz_id: UUID, resource_link_id: int | None) -> int:
    """In how many other placements students have begun the quiz: each is graded again from its own results page."""
    found = fetch_value(
        connection,
        "SELECT count(DISTINCT resource_link_id) FROM attempts"
        " WHERE quiz_id = %s AND NOT is_preview AND resource_link_id IS DISTINCT FROM %s",
        quiz_id,
        resource_link_id,
    )
    assert isinstance(found, int)
    return found
