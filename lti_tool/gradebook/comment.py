"""The comment that goes into the LMS's gradebook with a score: plain text, one paragraph a question."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lti_tool.gradebook.outbox import ExplanationLine

MAX_COMMENT_CHARACTERS = 4000

_UNANSWERED = {"en": "Not answered.", "ko": "답하지 않았어요."}
_FOOTER = {
    "en": "Scored and written by a machine as a first estimate; your instructor has the last word.",
    "ko": "기계가 매긴 첫 추정 점수와 설명이에요. 최종 판단은 선생님이 해요.",
}


def comment_text(lines: Sequence[ExplanationLine], language: str) -> str:
    """The comment, at most 4,000 characters; Moodle keeps it as plain text, so it holds no markup."""
    footer = _FOOTER.get(language, _FOOTER["en"])
    share = (MAX_COMMENT_CHARACTERS - len(footer) - 2) // max(len(lines), 1)
    paragraphs = [_paragraph(line, language, share - 2) for line in lines]
    return "\n\n".join([*paragraphs, footer])


def _paragraph(line: ExplanationLine, language: str, limit: int) -> str:
    text = line.explanation or _UNANSWERED.get(language, _UNANSWERED["en"])
    paragraph = f"{line.position + 1}. ({shown(line.points)}/{shown(line.max_points)}) {text}"
    return paragraph if len(paragraph) <= limit else f"{paragraph[: limit - 1]}…"


def shown(points: Decimal) -> str:
    """Points for people: two decimals at most, none where they are zero."""
    return f"{points.quantize(Decimal('0.01')).normalize():f}"
