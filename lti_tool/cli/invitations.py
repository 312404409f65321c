"""``mlquiz platform invite``: addresses with which a platform registers itself, and Canvas's ready-made JSON."""

from __future__ import annotations

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import complain, say, say_json
from lti_tool.cli.platforms import warn_of_local_addresses
from lti_tool.errors import NotConfigured


@click.command("invite")
@click.option("--name", required=True, help="What people call the platform.")
@click.option("--no-names", is_flag=True, help="Ask the platform not to send people's names.")
@click.option("--json", "as_json", is_flag=True, help="The address as JSON.")
def platform_invite(name: str, no_names: bool, as_json: bool) -> None:
    """Print an address to paste into Moodle or Canvas: the platform then registers itself, once, within seven days.

    For a Canvas under an address of its own, write that address into the name.

    \b
    Examples:
      mlquiz platform invite --name "Our Moodle"
      mlquiz platform invite --name "Canvas" --no-names --json | jq -r .url
    """
    from lti_tool.launch.audit import record_event
    from lti_tool.launch.registration.invitations import create_invitation, invitation_url

    settings = load_settings()
    with opened_database(settings) as database, database.across_tenants() as connection:
        invitation, secret = create_invitation(connection, name=name, wants_names=not no_names)
        record_event(connection, "invitation-made", detail=f"invitation {invitation.id}, by command")
    url = invitation_url(settings.base_url, secret)
    if as_json:
        say_json({"invitation_id": invitation.id, "url": url, "expires_at": invitation.expires_at.isoformat()})
        return
    warn_of_local_addresses(settings)
    say(url)
    complain(
        f"It works once, until {invitation.expires_at.astimezone():%Y-%m-%d %H:%M %Z}. Moodle: Manage tools → Tool URL."
    )
    complain("Canvas: Developer Keys → + LTI Registration → Registration URL.")


@click.command("invitations")
@click.option("--revoke", type=int, metavar="NUMBER", help="Make this invitation useless.")
@click.option("--json", "as_json", is_flag=True, help="The invitations as JSON.")
def platform_invitations(revoke: int | None, as_json: bool) -> None:
    """List invitations and what became of them. Their addresses are shown once, when they are made.

    \b
    Examples:
      mlquiz platform invitations
      mlquiz platform invitations --revoke 3
    """
    from lti_tool.launch.audit import record_event
    from lti_tool.launch.registration.invitations import list_invitations, revoke_invitation

    with opened_database(load_settings()) as database, database.across_tenants() as connection:
        if revoke is not None and not revoke_invitation(connection, revoke):
            raise NotConfigured(f"there is no unused invitation {revoke}: see `mlquiz platform invitations`")
        if revoke is not None:
            record_event(connection, "invitation-revoked", detail=f"invitation {revoke}, by command")
        invitations = list_invitations(connection)
    if as_json:
        say_json(
            [
                {
                    "id": each.id,
                    "name": each.name,
                    "status": each.status,
                    "expires_at": each.expires_at.isoformat(),
                    "registration_id": each.registration_id,
                }
                for each in invitations
            ]
        )
        return
    for each in invitations:
        until = f", until {each.expires_at.astimezone():%Y-%m-%d %H:%M %Z}" if each.status == "OPEN" else ""
        became = f", now platform {each.registration_id}" if each.registration_id else ""
        say(f"{each.id}. {each.name or '(no name)'}  {each.status.lower()}{until}{became}")
    if not invitations:
        say("No invitation yet: see `mlquiz platform invite --help`.")


@click.command("canvas-json")
@click.option("--no-names", is_flag=True, help="Ask Canvas not to send people's names.")
def platform_canvas_json(no_names: bool) -> None:
    """Print the configuration of a Canvas developer key, to paste; the tool also serves it at /lti/canvas.json.

    \b
    Example:
      mlquiz platform canvas-json > developer-key.json
    """
    from lti_tool.launch.registration.canvas import developer_key

    settings = load_settings()
    warn_of_local_addresses(settings)
    say_json(developer_key(settings.base_url, wants_names=not no_names))
