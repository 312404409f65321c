"""``mlquiz doctor``: look at the tool, or at its connection with one platform."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import console, say_json

if TYPE_CHECKING:
    from lti_tool.doctor import Finding


@click.command()
@click.option("--platform", "name", help="Look at the connection with this platform instead: its name or number.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def doctor(name: str | None, as_json: bool) -> None:
    """Look at every part and say what is wrong with which; with --platform, at the connection with an LMS.

    \b
    Examples:
      mlquiz doctor
      mlquiz doctor --platform "Our Moodle"
      mlquiz doctor --json | jq '.[] | select(.ok | not)'
    """
    if name is None:
        from lti_tool.doctor import examine

        is_well = _report(examine(load_settings()), as_json=as_json)
    else:
        is_well = _look_at_platform(name, as_json=as_json)
    sys.exit(0 if is_well else 1)


def _look_at_platform(name: str, *, as_json: bool) -> bool:
    from lti_tool.admin.store import named_registration
    from lti_tool.platform_check import PlatformCheck

    settings = load_settings()
    with opened_database(settings) as database:
        with database.across_tenants() as connection:
            registration = named_registration(connection, name)
        return _report(PlatformCheck(settings, database).examine(registration), as_json=as_json)


def _report(findings: Iterable[Finding], *, as_json: bool) -> bool:
    """Print findings as they come; whether all is well."""
    seen = []
    for finding in findings:
        seen.append(finding)
        if not as_json:
            mark = "[green]ok[/green]  " if finding.ok else "[red]FAIL[/red]"
            console.print(f"{mark}  {finding.part:<18}", highlight=False, end="")
            console.print(finding.detail, highlight=False, markup=False, soft_wrap=True)
            if finding.advice:
                console.print(f"      → {finding.advice}", highlight=False, markup=False, soft_wrap=True)
    if as_json:
        say_json([asdict(finding) for finding in seen])
    return all(finding.ok for finding in seen)
