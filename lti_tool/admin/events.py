"""What an entry of the trail means, in words: launches, refusals by their code, and what administrators did."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from flask_babel import gettext as _

from lti_tool.errors import Refused
from lti_tool.launch import errors as launch_errors
from lti_tool.launch.registration import errors as registration_errors

_SOURCES = (launch_errors, registration_errors)


def refusals() -> dict[str, type[Refused]]:
    """Every code that an error page of a launch or a registration may show, with its class."""
    return {each.code: each for each in _classes(Refused) if each.__module__ in {one.__name__ for one in _SOURCES}}


def explanation(event: str) -> str:
    """One sentence about an event, for the administrator."""
    known = {
        "launch": _("Somebody opened a quiz."),
        "registration": _("The platform registered itself by an invitation."),
        "platform-added": _("An administrator added the platform."),
        "platform-changed": _("An administrator changed the platform's addresses."),
        "platform-approved": _("An administrator approved a deployment."),
        "platform-refused": _("An administrator refused a deployment."),
        "platform-disabled": _("An administrator disabled the platform."),
        "platform-enabled": _("An administrator enabled the platform."),
        "platform-removed": _("An administrator removed the platform."),
        "keys-rotated": _("An administrator had a new signing key made."),
        "invitation-made": _("An administrator invited a platform to register."),
        "invitation-revoked": _("An administrator withdrew an invitation."),
        "admin-sign-in": _("An administrator signed in."),
        "dataset-asked": _("An administrator had answers exported as a dataset."),
        "training-asked": _("An administrator started a training."),
        "training-cancelled": _("An administrator cancelled a training."),
        "training-continued": _("An administrator let a training go on."),
        "training-removed": _("An administrator removed what a training left."),
        "promotion-asked": _("An administrator had a trained model judged, to put it in charge."),
        "model-added": _("A trained model was added as a candidate."),
        "model-promoted": _("A trained model was put in charge."),
        "model-promotion-forced": _("A trained model was put in charge without proof that it is not worse."),
        "model-rolled-back": _("A promotion of a trained model was taken back."),
        "ANSWER_USE_CHANGED": _(
            "An instructor changed whether answers of the course may be used to improve the models."
        ),
        "CONSENT_GIVEN": _("A student let their answers be used to improve the models."),
        "CONSENT_REFUSED": _("A student did not let their answers be used to improve the models."),
        "CONSENT_WITHDRAWN": _("A student's answers may no longer be used to improve the models."),
        "DATASET_EXPORTED": _("Answers were exported as a dataset."),
        "STUDENT_ERASED": _("What a student wrote was erased."),
    }
    if event in known:
        return known[event]
    if "_" in event:  # no code of a refusal has one
        return _("A decision of an instructor. `mlquiz audit export` tells it in full.")
    refusal = _refusals_once().get(event)
    return _(refusal.instructor_text) if refusal else ""


@cache
def _refusals_once() -> dict[str, type[Refused]]:
    return refusals()


def _classes(root: type[Refused]) -> Iterator[type[Refused]]:
    for each in root.__subclasses__():
        yield each
        yield from _classes(each)
