"""Platforms for the administrator: look at them, add and change them by hand, approve deployments, check, remove."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from lti_tool.admin import store
from lti_tool.admin.access import admin_services, limit
from lti_tool.admin.errors import PlatformUnknown
from lti_tool.admin.forms import (
    KINDS,
    TypedPlatform,
    check_platform,
    same_client,
    typed_from,
    typed_platform,
)
from lti_tool.admin.views import blueprint, record
from lti_tool.launch import platforms as launch_platforms
from lti_tool.launch.platforms import FAMILIES, Registration, find_registration
from lti_tool.launch.registration.canvas import ENVIRONMENTS
from lti_tool.web import services

# Looking ----------------------------------------------------------------------------------------------------------


@blueprint.get("/platforms")
def platforms() -> ResponseReturnValue:
    """All platforms; what waits for the administrator comes first."""
    with services().database.across_tenants() as connection:
        overviews = store.list_overviews(connection)
    return render_template("admin/platforms.html", overviews=overviews)


@blueprint.get("/platforms/<int:number>")
def platform(number: int) -> ResponseReturnValue:
    """One platform: what to enter there, its deployments, what it holds, and what can be done with it."""
    registration = _registration(number)
    with services().database.across_tenants() as connection:
        overview = store.overview_of(connection, registration)
    return render_template(
        "admin/platform.html", overview=overview, registration=registration, base_url=services().settings.base_url
    )


@blueprint.get("/platforms/<int:number>/check")
def check(number: int) -> ResponseReturnValue:
    """The connection with a platform: its findings come by themselves, or with ``?now=1`` together with the page."""
    registration = _registration(number)
    found = None
    if request.args.get("now"):
        limit(admin_services().checks)
        found = list(admin_services().check.examine(registration))
    return render_template("admin/check.html", registration=registration, findings=found)


@blueprint.get("/platforms/<int:number>/check/findings")
def findings(number: int) -> ResponseReturnValue:
    """The part of the page that takes a while: what the platform answers."""
    limit(admin_services().checks)
    registration = _registration(number)
    found = list(admin_services().check.examine(registration))
    return render_template("admin/_findings.html", registration=registration, findings=found)


# Adding and changing ----------------------------------------------------------------------------------------------


@blueprint.get("/platforms/new/<kind>")
def new_platform(kind: str) -> ResponseReturnValue:
    """An empty form for a Moodle, a Canvas or another platform."""
    return _form_page(TypedPlatform(kind=_known(kind)), {})


@blueprint.post("/platforms/new/<kind>")
def add_platform(kind: str) -> ResponseReturnValue:
    """Add a platform as typed; nothing typed is lost where something is wrong."""
    typed = typed_platform(request.form, _known(kind))
    checked, faults = check_platform(typed, https_only=not services().settings.allow_private_platforms)
    if faults:
        return _form_page(typed, faults), 422
    with services().database.across_tenants() as connection:
        if same_client(connection, checked):
            return _form_page(typed, {"client_id": _("This platform has a registration with this client id.")}), 422
        try:
            registration = launch_platforms.add_platform(
                connection,
                name=checked.name,
                family=checked.family,
                issuer=checked.issuer,
                client_id=checked.client_id,
                auth_login_url=checked.auth_login_url,
                auth_token_url=checked.auth_token_url,
                jwks_url=checked.jwks_url,
                deployment_ids=[checked.deployment_id] if checked.deployment_id else [],
            )
        except launch_platforms.FamilyDiffers:
            sentence = _("Other registrations of this issuer were added as another kind of platform. Choose that kind.")
            return _form_page(typed, {"client_id": sentence}), 422
        record(connection, "platform-added", registration_id=registration.id)
    return _to(registration.id, "added")


@blueprint.get("/platforms/<int:number>/edit")
def edit_platform(number: int) -> ResponseReturnValue:
    """The form of a platform as it is."""
    registration = _registration(number)
    return _form_page(typed_from(registration), {}, registration)


@blueprint.post("/platforms/<int:number>/edit")
def change_platform(number: int) -> ResponseReturnValue:
    """Change a platform as typed; its issuer stays."""
    registration = _registration(number)
    typed = typed_platform(request.form.to_dict() | {"issuer": registration.issuer}, "other")
    checked, faults = check_platform(typed, https_only=not services().settings.allow_private_platforms)
    if faults:
        return _form_page(typed, faults, registration), 422
    with services().database.across_tenants() as connection:
        if same_client(connection, checked, but=number):
            faults = {"client_id": _("This platform has another registration with this client id.")}
            return _form_page(typed, faults, registration), 422
        store.update_registration(
            connection,
            number,
            name=checked.name,
            family=checked.family,
            client_id=checked.client_id,
            auth_login_url=checked.auth_login_url,
            auth_token_url=checked.auth_token_url,
            jwks_url=checked.jwks_url,
        )
        record(connection, "platform-changed", registration_id=number)
    return _to(number, "saved")


# Deciding ---------------------------------------------------------------------------------------------------------


@blueprint.post("/platforms/<int:number>/deployments")
def decide_deployment(number: int) -> ResponseReturnValue:
    """Approve or refuse a deployment that a launch has named."""
    _registration(number)
    deployment_id = request.form.get("deployment_id", "").replace("\x00", "")
    is_approved = request.form.get("decision") == "approve"
    with services().database.across_tenants() as connection:
        if launch_platforms.find_deployment(connection, number, deployment_id) is None:
            raise PlatformUnknown("no such deployment")
        decide = launch_platforms.activate if is_approved else launch_platforms.disable_deployment
        decide(connection, number, deployment_id)
        event = "platform-approved" if is_approved else "platform-refused"
        record(connection, event, registration_id=number, detail=f"deployment {deployment_id}")
    return _to(number, "approved" if is_approved else "refused")


@blueprint.post("/platforms/<int:number>/state")
def switch_platform(number: int) -> ResponseReturnValue:
    """Disable or enable a platform; either undoes the other."""
    _registration(number)
    is_enabled = request.form.get("state") == "enabled"
    with services().database.across_tenants() as connection:
        switch = store.enable_registration if is_enabled else launch_platforms.disable_registration
        switch(connection, number)
        record(connection, "platform-enabled" if is_enabled else "platform-disabled", registration_id=number)
    return _to(number, "enabled" if is_enabled else "disabled")


@blueprint.get("/platforms/<int:number>/remove")
def ask_before_removal(number: int) -> ResponseReturnValue:
    """What would be lost, or that nothing would."""
    return _removal_page(_registration(number))


@blueprint.post("/platforms/<int:number>/remove")
def remove_platform(number: int) -> ResponseReturnValue:
    """Forget a platform from which nobody has launched."""
    registration = _registration(number)
    try:
        with services().database.across_tenants() as connection:
            store.remove_registration(connection, number)
            record(connection, "platform-removed", registration_id=number)
    except store.PlatformInUse:  # somebody launched meanwhile
        return _removal_page(registration), 409
    return redirect(url_for("admin.platforms", notice="removed"), 303)


# Pages that several views show ------------------------------------------------------------------------------------


def _registration(number: int) -> Registration:
    with services().database.across_tenants() as connection:
        registration = find_registration(connection, number)
    if registration is None:
        raise PlatformUnknown("no registration with this number")
    return registration


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise PlatformUnknown("no such kind of platform")
    return kind


def _form_page(typed: TypedPlatform, faults: dict[str, str], registration: Registration | None = None) -> str:
    return render_template(
        "admin/platform_form.html",
        typed=typed,
        faults=faults,
        registration=registration,
        environments=ENVIRONMENTS,
        families=FAMILIES,
        base_url=services().settings.base_url,
    )


def _removal_page(registration: Registration) -> str:
    with services().database.across_tenants() as connection:
        usage = store.usage_of(connection, registration.id)
    return render_template("admin/remove.html", registration=registration, usage=usage)


def _to(number: int, notice: str) -> ResponseReturnValue:
    return redirect(url_for("admin.platform", number=number, notice=notice), 303)
