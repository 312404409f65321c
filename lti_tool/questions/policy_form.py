"""The form of a quiz's policies: what was typed, and what it means once it is checked. Shares are typed in percent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Self

from flask_babel import gettext as _
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from werkzeug.datastructures import MultiDict

from lti_tool.questions.errors import FormFaults
from lti_tool.questions.forms import number_as_typed, plain_number
from lti_tool.questions.policies import Policies

#: What the form offers where an instructor has not chosen any confidence yet.
OFFERED_CONFIDENCE_PERCENT = "50"


class _PolicyFields(BaseModel):
    posting: Literal["AT_ONCE", "APPROVAL"]
    counted_attempt: Literal["BEST", "LAST", "AVERAGE"]
    late_rule: Literal["ACCEPT", "DEDUCT", "CLOSE"]
    late_percent_per_day: Annotated[Decimal, BeforeValidator(number_as_typed), Field(ge=1, le=100, decimal_places=2)]
    explanations_shown: Literal["AT_ONCE", "AFTER_DUE", "AFTER_APPROVAL"]
    review: Literal["", "on"]
    review_confidence: Annotated[Decimal, BeforeValidator(number_as_typed), Field(ge=1, le=100, decimal_places=2)]
    review_share: Annotated[Decimal, BeforeValidator(number_as_typed), Field(ge=0, lt=100, decimal_places=2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedPolicies:
    """The form as typed. ``review`` is ``on`` or empty; ``review_confidence`` and ``review_share`` are percent."""

    posting: str
    counted_attempt: str
    late_rule: str
    late_percent_per_day: str
    explanations_shown: str
    review: str
    review_confidence: str
    review_share: str

    @classmethod
    def from_form(cls, form: MultiDict[str, str]) -> Self:
        """The fields by their names; one that is missing is empty."""
        return cls(**{name: form.get(name, "") for name in _PolicyFields.model_fields})

    @classmethod
    def from_policies(cls, policies: Policies) -> Self:
        """The form of stored policies."""
        confidence = policies.review_confidence
        return cls(
            posting=policies.posting,
            counted_attempt=policies.counted_attempt,
            late_rule=policies.late_rule,
            late_percent_per_day=plain_number(policies.late_percent_per_day),
            explanations_shown=policies.explanations_shown,
            review="" if confidence is None else "on",
            review_confidence=OFFERED_CONFIDENCE_PERCENT if confidence is None else _percent(confidence),
            review_share=_percent(policies.review_share),
        )


def parse_policies(typed: TypedPolicies) -> Policies:
    """The policies that the form describes; :class:`FormFaults` for what cannot be used."""
    try:
        fields = _PolicyFields.model_validate(typed, from_attributes=True)
    except ValidationError as error:
        names = dict.fromkeys(str(fault["loc"][0]) for fault in error.errors())
        raise FormFaults({name: _sentence(name) for name in names}, typed) from error
    return Policies(
        posting=fields.posting,
        counted_attempt=fields.counted_attempt,
        late_rule=fields.late_rule,
        late_percent_per_day=fields.late_percent_per_day,
        explanations_shown=fields.explanations_shown,
        review_confidence=float(fields.review_confidence / 100) if fields.review else None,
        review_share=float(fields.review_share / 100),
    )


def _percent(fraction: float) -> str:
    return plain_number(round(Decimal(repr(fraction)) * 100, 2))


def _sentence(field: str) -> str:
    return {
        "posting": _("Choose when scores count."),
        "counted_attempt": _("Choose which attempt counts."),
        "late_rule": _("Choose what happens to late answers."),
        "late_percent_per_day": _("Taken off for each day: a number from 1 to 100."),
        "explanations_shown": _("Choose when explanations are shown."),
        "review": _("Tick the box, or leave it empty."),
        "review_confidence": _("Confidence: a number from 1 to 100."),
        "review_share": _("Share of the points: a number from 0 to 99."),
    }[field]
