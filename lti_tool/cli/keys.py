"""``mlquiz keys``: the keys that this tool signs its messages with."""

from __future__ import annotations

from pathlib import Path

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import say, say_json


@click.group()
def keys() -> None:
    """The keys that this tool signs its messages to platforms with.

    They are made by themselves, and renewed every KEY_ROTATION_DAYS days.
    """


_STATES = {"SIGNING": "signs", "NEXT": "next", "EARLIER": "earlier"}


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="The keys as JSON.")
def keys_list(as_json: bool) -> None:
    """List the published keys: the one that signs, the next, and earlier ones.

    \b
    Example:
      mlquiz keys list
    """
    from lti_tool.launch.keys import list_keys

    settings = load_settings()
    with opened_database(settings) as database, database.across_tenants() as connection:
        published = list_keys(connection)
    if as_json:
        say_json(
            [
                {
                    "kid": key.kid,
                    "state": key.state,
                    "created_at": key.created_at.isoformat(),
                    "signs_from": key.signs_from.isoformat() if key.state == "NEXT" else None,
                }
                for key in published
            ]
        )
        return
    for key in published:
        made = key.created_at.astimezone().strftime("%Y-%m-%d %H:%M %Z")
        later = f", signs from {key.signs_from.astimezone():%Y-%m-%d %H:%M %Z}" if key.state == "NEXT" else ""
        say(f"{_STATES[key.state]:<9}{key.kid}  made {made}{later}")
    if not published:
        say("No key yet: the tool makes one when it starts.")


@keys.command("rotate")
@click.option("--lost", is_flag=True, help="Retire all keys and sign with a new one at once: SECRET_KEY was lost.")
@click.option("--json", "as_json", is_flag=True, help="The new key as JSON.")
def keys_rotate(lost: bool, as_json: bool) -> None:
    """Publish a new key. It signs a day later, when every platform has fetched it; the one before stays published.

    \b
    Examples:
      mlquiz keys rotate
      mlquiz keys rotate --lost
    """
    from lti_tool.launch.audit import record_event
    from lti_tool.launch.keys import rotate, start_anew
    from lti_tool.secrets import app_secret

    settings = load_settings()
    with opened_database(settings) as database, database.across_tenants() as connection:
        kid = (start_anew if lost else rotate)(connection, app_secret(settings))
        record_event(connection, "keys-rotated", detail=f"{kid}, by command")
    if as_json:
        say_json({"kid": kid, "signs_at_once": lost})
    elif lost:
        say(f"key {kid} signs from now on; platforms refuse the tool until they fetch its key set again")
    else:
        say(f"key {kid} is published; it signs from tomorrow on")


@keys.command("reencrypt")
@click.option(
    "--old-secret-file",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the SECRET_KEY (or the secret.key) that the keys were made with.",
)
@click.option("--json", "as_json", is_flag=True, help="How many keys, as JSON.")
def keys_reencrypt(old_secret_file: Path, as_json: bool) -> None:
    """Take the keys along to another SECRET_KEY. Set the new one first; stop the tool while this runs.

    \b
    Example:
      SECRET_KEY_FILE=/etc/mlquiz/new-secret mlquiz keys reencrypt --old-secret-file /etc/mlquiz/old-secret
    """
    from lti_tool.launch.keys import reencrypt
    from lti_tool.secrets import app_secret

    settings = load_settings()
    old_secret = old_secret_file.read_text(encoding="utf-8").strip()
    with opened_database(settings) as database, database.across_tenants() as connection:
        count = reencrypt(connection, old_secret=old_secret, new_secret=app_secret(settings))
    if as_json:
        say_json({"reencrypted": count})
    else:
        say(f"{count} keys are encrypted with the new secret")
