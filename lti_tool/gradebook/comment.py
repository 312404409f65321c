"""The comment that goes into the LMS's gradebook with a score: plain text, one paragraph a question.

It is in the language of the quiz, like the explanations in it. The kind text for students who are not well is never in
it: parents and others read gradebooks, perhaps those whom the student wrote about. It is on the student's own page.
"""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

from lti_tool.gradebook.comment_store import CommentFacts, ExplanationLine

MAX_COMMENT_CHARACTERS = 4000

_SENTENCES = {
    "en": {
        "attempt": "Attempt {number}.",
        "average": "Average of {count} attempts. This is about the last one, attempt {number}.",
        "RETURNS": "This counts again (score no. {number}).",
        "TEXT": "The score is the same as before, what is said about it is new (score no. {number}).",
        "late": "Handed in late: {percent} % taken off.",
        "late_average": "Some were handed in late: up to {percent} % taken off.",
        "unanswered": "Not answered.",
        "private": "The explanation is in the quiz.",
        "by_instructor": "scored by your instructor",
        "AFTER_DUE": "The explanations are in the quiz after {moment}.",
        "AFTER_APPROVAL": "The explanations are in the quiz when your instructor has released them.",
        "MODEL": "Scored and written by a machine as a first estimate; your instructor has the last word.",
        "MODEL_hidden": "Scored by a machine as a first estimate; your instructor has the last word.",
        "INSTRUCTOR": "Scored by your instructor.",
        "both": "Where it does not say otherwise, scored by a machine as a first estimate; your instructor has the last"
        " word.",
    },
    "ko": {
        "attempt": "응시 {number}.",
        "average": "응시 {count}회의 평균이에요. 아래는 마지막 응시 {number}에 대한 설명이에요.",
        "RETURNS": "이 점수가 다시 반영돼요 (점수 {number}번).",
        "TEXT": "점수는 전과 같고 설명이 새로워졌어요 (점수 {number}번).",
        "late": "늦게 제출해서 {percent} % 감점했어요.",
        "late_average": "늦게 제출한 응시는 {percent} %까지 감점했어요.",
        "unanswered": "답하지 않았어요.",
        "private": "설명은 퀴즈에서 볼 수 있어요.",
        "by_instructor": "선생님이 채점",
        "AFTER_DUE": "설명은 {moment} 뒤에 퀴즈에서 볼 수 있어요.",
        "AFTER_APPROVAL": "설명은 선생님이 공개하면 퀴즈에서 볼 수 있어요.",
        "MODEL": "기계가 매긴 첫 추정 점수와 설명이에요. 최종 판단은 선생님이 해요.",
        "MODEL_hidden": "기계가 매긴 첫 추정 점수예요. 최종 판단은 선생님이 해요.",
        "INSTRUCTOR": "선생님이 채점했어요.",
        "both": "따로 표시하지 않은 것은 기계가 매긴 첫 추정 점수예요. 최종 판단은 선생님이 해요.",
    },
}


def comment_text(facts: CommentFacts) -> str:
    """The comment, at most 4,000 characters; Moodle keeps it as plain text, so it holds no markup.

    Which attempt it is about is said of all but the first, and of a score that is sent once more which one it is and
    why: so no two comments of a student are the same, and an LMS that keeps all of them shows none twice.
    """
    says = _SENTENCES.get(facts.language, _SENTENCES["en"])
    head, foot = _head(facts, says), _foot(facts, says)
    room = MAX_COMMENT_CHARACTERS - len(foot) - 2 - (len(head) + 2 if head else 0)
    share = room // max(len(facts.lines), 1) - 2
    marks = len({line.grade_source for line in facts.lines if line.grade_source}) > 1
    hides = facts.hides_explanations is not None
    paragraphs = [_cut(_paragraph(line, says, marks=marks, hides=hides), share) for line in facts.lines]
    # Where there are too many questions for a share each, the last ones are left out.
    body = _cut(("\n" if hides else "\n\n").join(paragraphs), room)
    return "\n\n".join(part for part in (head, body, foot) if part)


def shown(points: Decimal) -> str:
    """Points for people: two decimals at most, none where they are zero."""
    return f"{points.quantize(Decimal('0.01')).normalize():f}"


def _head(facts: CommentFacts, says: dict[str, str]) -> str:
    sentences: list[str] = []
    is_average = facts.averaged_attempts > 1
    if is_average:
        sentences.append(says["average"].format(count=facts.averaged_attempts, number=facts.number))
    elif facts.number > 1:
        sentences.append(says["attempt"].format(number=facts.number))
    if facts.again:
        sentences.append(says[facts.again].format(number=facts.version))
    if facts.deducted_percent:
        late = says["late_average" if is_average else "late"]
        sentences.append(late.format(percent=shown(facts.deducted_percent)))
    return " ".join(sentences)


def _paragraph(line: ExplanationLine, says: dict[str, str], *, marks: bool, hides: bool) -> str:
    points = f"{shown(line.points)}/{shown(line.max_points)}"
    if marks and line.grade_source == "INSTRUCTOR":
        points = f"{points}, {says['by_instructor']}"
    return f"{line.position + 1}. ({points}) {_words(line, says, hides=hides)}".rstrip()


def _words(line: ExplanationLine, says: dict[str, str], *, hides: bool) -> str:
    if line.explanation is None:
        return says["unanswered"]
    if hides:
        return ""
    return says["private"] if line.is_private else line.explanation


def _foot(facts: CommentFacts, says: dict[str, str]) -> str:
    sources = {line.grade_source for line in facts.lines if line.grade_source}
    sentences: list[str] = []
    if facts.hides_explanations:
        moment = f"{facts.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if facts.due_at else ""
        sentences.append(says[facts.hides_explanations].format(moment=moment))
    if sources == {"INSTRUCTOR"}:
        sentences.append(says["INSTRUCTOR"])
    elif "INSTRUCTOR" in sources:
        sentences.append(says["both"])
    else:
        sentences.append(says["MODEL_hidden" if facts.hides_explanations else "MODEL"])
    return " ".join(sentences)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: max(limit - 1, 0)]}…"
