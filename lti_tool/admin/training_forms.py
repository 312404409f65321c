"""The forms of the pages about models: what was typed, and what it means once it is checked. Never a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from flask_babel import gettext as _

from lti_tool.models.errors import ReasonMissing
from lti_tool.models.promotion import LEAST_REASON, LONGEST_REASON, require_reason

TrainedKind = Literal["GRADER", "EXPLAINER"]
MODES = ("head", "reader", "lora")
STARTS = ("default", "fresh")
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a form means: settings as a run keeps them, and one sentence for each field that cannot be used."""

    settings: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def check_training(form: Mapping[str, str], kind: TrainedKind) -> Checked:
    """What a training is asked to do; an empty number of passes leaves it to the command."""
    fields = _Fields(form)
    fields.number("epochs", most=100, may_be_empty=True)
    fields.number("seed", least=0, most=LARGEST_SEED)
    if kind == "GRADER":
        fields.choice("mode", MODES)
        fields.choice("start", STARTS)
        fields.settings["has_bank"] = form.get("has_bank") == "yes"
        if fields.settings.get("mode") == "head" and "epochs" in fields.settings:
            fields.faults["epochs"] = _("The last step alone takes no passes: leave this empty.")
    else:
        fields.number("rank", most=256)
    return fields.checked()


def check_export(form: Mapping[str, str], course_ids: list[str], open_courses: frozenset[int]) -> Checked:
    """Which answers are asked for; no course chosen means all that allow it."""
    fields = _Fields(form)
    chosen = sorted({int(each) for each in course_ids if each.isdecimal() and len(each) < 19})
    if not open_courses.issuperset(chosen):
        fields.faults["courses"] = _("This course does not allow it any more. Look at the list again.")
    fields.settings["courses"] = chosen
    fields.day("since")
    fields.settings["all_scores"] = form.get("all_scores") == "yes"
    return fields.checked()


def check_reason(form: Mapping[str, str]) -> Checked:
    """Why a model is to be put in charge without proof."""
    reason = form.get("reason", "").replace("\x00", "").strip()
    try:
        require_reason(reason)
    except ReasonMissing:
        sentence = _(
            "Please say why in %(least)s to %(most)s characters: it is kept for the record.",
            least=LEAST_REASON,
            most=LONGEST_REASON,
        )
        return Checked(faults={"reason": sentence})
    return Checked(settings={"reason": reason})


class _Fields:
    """Fields one after the other; those that cannot be used have a sentence."""

    def __init__(self, form: Mapping[str, str]) -> None:
        self._form = form
        self.settings: dict[str, Any] = {}
        self.faults: dict[str, str] = {}

    def number(self, name: str, *, least: int = 1, most: int, may_be_empty: bool = False) -> None:
        typed = self._form.get(name, "").strip()
        if not typed and may_be_empty:
            return
        if typed.isascii() and typed.isdecimal() and len(typed) < 12 and least <= int(typed) <= most:
            self.settings[name] = int(typed)
        else:
            self.faults[name] = _("Please enter a whole number from %(least)s to %(most)s.", least=least, most=most)

    def choice(self, name: str, known: tuple[str, ...]) -> None:
        if self._form.get(name) in known:
            self.settings[name] = self._form[name]
        else:
            self.faults[name] = _("Please choose one of these.")

    def day(self, name: str) -> None:
        typed = self._form.get(name, "").strip()
        if not typed:
            return
        try:
            self.settings[name] = date.fromisoformat(typed).isoformat()
        except ValueError:
            self.faults[name] = _("Please enter a day, such as 2026-09-01.")

    def checked(self) -> Checked:
        return Checked(settings=self.settings, faults=self.faults)
