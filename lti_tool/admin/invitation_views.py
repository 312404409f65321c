"""Invitations for the administrator: make an address to paste, see what became of it, withdraw it."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from lti_tool.admin.views import blueprint, record
from lti_tool.launch.registration.invitations import (
    create_invitation,
    invitation_url,
    list_invitations,
    revoke_invitation,
)
from lti_tool.web import services

_MAX_NAME = 200


@blueprint.get("/invitations")
def invitations() -> ResponseReturnValue:
    """The form for a new one, and all that were made."""
    return _page()


@blueprint.post("/invitations")
def invite() -> ResponseReturnValue:
    """Make an address and show it, this once: the database keeps its hash only."""
    name = request.form.get("name", "").replace("\x00", "").strip()
    wants_names = request.form.get("wants_names") == "yes"
    if not name or len(name) > _MAX_NAME:
        fault = (
            _("Please fill this in.") if not name else _("Please use at most %(limit)s characters.", limit=_MAX_NAME)
        )
        return _page(typed={"name": name, "wants_names": wants_names}, faults={"name": fault}), 422
    with services().database.across_tenants() as connection:
        invitation, secret = create_invitation(connection, name=name, wants_names=wants_names)
        record(connection, "invitation-made", detail=f"invitation {invitation.id}")
    return render_template(
        "admin/invited.html",
        invitation=invitation,
        url=invitation_url(services().settings.base_url, secret),
        canvas_url=f"{services().settings.base_url}/lti/canvas.json" + ("" if wants_names else "?names=no"),
    )


@blueprint.post("/invitations/<int:number>/revoke")
def revoke(number: int) -> ResponseReturnValue:
    """Make an address useless that was not used yet."""
    with services().database.across_tenants() as connection:
        if revoke_invitation(connection, number):
            record(connection, "invitation-revoked", detail=f"invitation {number}")
    return redirect(url_for("admin.invitations", notice="revoked"), 303)


def _page(*, typed: dict[str, object] | None = None, faults: dict[str, str] | None = None) -> str:
    with services().database.across_tenants() as connection:
        made = list_invitations(connection)
    return render_template(
        "admin/invitations.html",
        invitations=made,
        typed=typed or {"name": "", "wants_names": True},
        faults=faults or {},
        canvas_url=f"{services().settings.base_url}/lti/canvas.json",
    )
