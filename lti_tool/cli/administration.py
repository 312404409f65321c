"""``mlquiz admin``: the way into the administration pages."""

from __future__ import annotations

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import complain, say, say_json


@click.group()
def admin() -> None:
    """The administration pages of the tool."""


@admin.command("link")
@click.option("--json", "as_json", is_flag=True, help="The address as JSON.")
def admin_link(as_json: bool) -> None:
    """Print an address that signs you in to the administration pages: once, within 15 minutes.

    \b
    Example:
      mlquiz admin link
    """
    from lti_tool.admin.sessions import LINK_MINUTES, create_link, link_url

    settings = load_settings()
    with opened_database(settings) as database, database.across_tenants() as connection:
        url = link_url(settings.base_url, create_link(connection))
    if as_json:
        say_json({"url": url, "minutes": LINK_MINUTES})
        return
    say(url)
    complain(f"Open it in a browser within {LINK_MINUTES} minutes; it works once. Give it to nobody.")
