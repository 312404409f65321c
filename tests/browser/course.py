"""Quizzes and hand-ins of a test's own in the running stack, made over HTTP, which is quicker than clicking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lti_tool.demo.practice import Activity, GradebookEntry
from lti_tool.demo.script import INSTRUCTOR, SAMPLE_IDS, Student
from lti_tool.demo.visitor import Visitor
from tests.integration.stack import Stack, wait_for


def add_quiz(stack: Stack, title: str, sample_ids: Sequence[str] = SAMPLE_IDS) -> Activity:
    """A quiz with these questions (two points each) as a graded activity of the course."""
    instructor = Visitor(lms_url=stack.lms.url, slug=INSTRUCTOR)
    instructor.chooses_content()
    instructor.submits("/quizzes", {"title": title, "language": "en", "max_attempts": "3"})
    for sample_id in sample_ids:  # one after the other: that is their order in the quiz
        instructor.follows("/bank")
        instructor.submits("/bank", {"sample": [sample_id], "max_points": "2"})
    instructor.follows("/place")
    instructor.submits("/place")
    return next(activity for activity in stack.lms.activities() if activity.title == title)


def hand_in(stack: Stack, activity: Activity, student: Student) -> None:
    """The student launches the activity, answers everything and hands in."""
    replace(stack, activity=activity).answers(student)


def delivered(stack: Stack, title: str, student: Student) -> GradebookEntry:
    """The student's line in the LMS's gradebook, once it holds a score."""
    sub = stack.subs[student.slug]

    def entry() -> GradebookEntry | None:
        found = (line for line in stack.lms.gradebook(title) if line.user_sub == sub and line.score is not None)
        return next(found, None)

    wait_for(lambda: entry() is not None, f"the score of {student.slug}")
    arrived = entry()
    assert arrived is not None
    return arrived


def shown(entry: GradebookEntry) -> str:
    """The score as the tool's pages write it: at most two decimals."""
    return f"{entry.score:.2f}".rstrip("0").rstrip(".")
