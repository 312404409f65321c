"""Write ``config/example.env`` and ``docs/reference/*.md`` from the code: ``make docs``. A test holds them equal."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from config import Settings

ROOT = Path(__file__).resolve().parent.parent


def documents() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    return {
        ROOT / "config" / "example.env": example_env(),
        ROOT / "docs" / "reference" / "settings.md": settings_page(),
        ROOT / "docs" / "reference" / "commands.md": commands_page(),
    }


def example_env() -> str:
    """All settings with their defaults, commented out."""
    lines = ["# Copy to .env and change what you need. Any NAME may also be given as NAME_FILE=path.", ""]
    for name, text, default in _settings():
        lines += [f"# {text}", f"#{name}={default}", ""]
    return "\n".join(lines)


def settings_page() -> str:
    """The settings as a table."""
    rows = [f"| `{name}` | {f'`{default}`' if default else '–'} | {text} |" for name, text, default in _settings()]
    head = "# Settings\n\nFrom the environment, `NAME_FILE`, or `.env`. Made by `make docs`.\n\n"
    return head + "\n".join(["| name | default | what it does |", "|---|---|---|", *rows]) + "\n"


def commands_page() -> str:
    """The help of every command."""
    from lti_tool.cli import main

    return "# Commands\n\nMade by `make docs`.\n" + "".join(_command_sections(main, "mlquiz"))


def _settings() -> list[tuple[str, str, str]]:
    found = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        shown = (
            "" if default is PydanticUndefined else str(default).lower() if isinstance(default, bool) else str(default)
        )
        found.append((name.upper(), field.description or "", shown))
    return found


def _command_sections(command: click.Command, path: str) -> list[str]:
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
    sections = [f"\n## {path}\n\n```\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            sections += _command_sections(command.commands[name], f"{path} {name}")
    return sections


def main() -> None:
    """Write all documents."""
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
