"""The wordings of a feedback object's language."""

from __future__ import annotations

from types import ModuleType

from grading.explanation import phrases_en, phrases_ko
from grading.explanation.feedback import Feedback


def phrases_for(feedback: Feedback) -> ModuleType:
    """:mod:`.phrases_ko` or :mod:`.phrases_en`, which have the same names."""
    return phrases_ko if feedback.language == "ko" else phrases_en
