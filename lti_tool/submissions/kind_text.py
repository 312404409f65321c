"""The fixed, kind text for students who write that they are not well: on their page at once, whatever is held back.

It is made of the student's own answer and the operator's settings alone, not of a grade or a stored explanation: so it
is there before a worker has seen the answer, and nothing that the quiz holds back can come along with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from grading.distress import needs_person
from grading.domain import Flag
from lti_tool.gradebook.decisions import NO_WORDS
from lti_tool.submissions.results import QuestionResult


@dataclass(frozen=True, slots=True, kw_only=True)
class KindText:
    """The text and its language, ``en`` or ``ko``: that of the answer, where it differs from that of the quiz."""

    text: str
    language: str


def kind_text_for(
    result: QuestionResult, quiz_language: str, *, contact: str, shows_explanation: bool
) -> KindText | None:
    """The text for whoever wrote this answer; ``None`` where nobody is needed, or the page says it already.

    ``result`` is as it was before anything was taken out; ``shows_explanation``: its explanation stays on the page.
    Then the machine's is this very text, and an instructor's own words stand in its place. ``contact`` as
    :func:`grading.explanation.template.template_text` has it.
    """
    answer = result.answer or ""
    is_flagged = Flag.NEEDS_PERSON in (result.flags or ())
    if not (is_flagged or needs_person(answer)):
        return None
    # Both bring numpy, which few pages of the web process need.
    from grading.explanation.feedback_making import feedback_for_a_person
    from grading.explanation.template import template_text

    feedback = feedback_for_a_person(answer, quiz_language)
    if shows_explanation and result.explanation is not None:
        if result.has_machine_words and (is_flagged or result.explanation.startswith(template_text(feedback))):
            return None
        if not result.has_machine_words and result.explanation not in NO_WORDS.values():
            return None
    return KindText(text=template_text(feedback, contact=contact), language=feedback.language)
