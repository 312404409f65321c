"""Errors of attempts.

::

    Refused
    ├── NoAttemptsLeft      409 the quiz allows no further attempt
    ├── QuizClosed          409 the due date has passed, and the quiz is closed then: nobody begins
    └── AlreadyDone
        └── AttemptClosed   409 the due date has passed: the attempt is handed in with what was saved by then
"""

from __future__ import annotations

from lti_tool.errors import AlreadyDone, Refused


class NoAttemptsLeft(Refused):
    """The quiz allows no further attempt."""

    status = 409
    code = "NO-ATTEMPTS"
    student_text = "You have used all attempts at this quiz. Your results are kept."
    instructor_text = (
        "The student has used all attempts. You can allow more in the quiz's settings; where the activity was added"
        " with a number of its own, that is its custom parameter max_attempts in your course."
    )


class QuizClosed(Refused):
    """The due date has passed, and the quiz is closed then."""

    status = 409
    code = "QUIZ-CLOSED"
    student_text = (
        "This quiz was due and is closed now, so no attempt can begin. Ask your instructor if you need more time."
    )
    instructor_text = (
        "The quiz closes with its due date. You can give the student a later date in your course, open an attempt of"
        " theirs again on its page in the results, or let late answers be taken in the quiz's settings."
    )


class AttemptClosed(AlreadyDone):
    """The due date has passed, and with it the attempt is handed in."""

    code = "ATTEMPT-CLOSED"
    student_text = (
        "This quiz was due, so your attempt is handed in with what was saved by then. Open the quiz again from your"
        " course to see it."
    )
    instructor_text = (
        "The quiz closes with its due date. You can open the attempt again for the student on its page in the results."
    )
