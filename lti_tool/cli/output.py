"""What commands print, and how an error that a person can mend becomes a sentence and an exit code."""

from __future__ import annotations

import json
import sys
import unicodedata

import click
from rich.console import Console
from rich.text import Text

from config import SettingsError
from lti_tool.errors import NotConfigured, ToolError

console = Console(stderr=False)
complaints = Console(stderr=True)


class Commands(click.Group):
    """Shows errors that a person can mend as a sentence instead of a stack."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; 2 for wrong usage or settings, 1 for whatever else is wrong."""
        from finetune.errors import FinetuneError
        from grading.errors import GradingError

        try:
            return super().invoke(ctx)
        except (SettingsError, NotConfigured) as error:
            complain(str(error), style="red")
            sys.exit(2)
        except (ToolError, GradingError, FinetuneError) as error:
            complain(str(error), style="red")
            sys.exit(1)


def complain(text: str, *, style: str = "yellow") -> None:
    """Say something on standard error, where it disturbs no program that reads the output."""
    complaints.print(Text(_harmless(text), style=style), soft_wrap=True)


def say(text: str) -> None:
    """Print a line as it is: what people type or paste must neither be wrapped nor coloured."""
    click.echo(_harmless(text))


def say_json(facts: object) -> None:
    """Print facts for a program."""
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2))


def _harmless(text: str) -> str:
    """Without control characters but ends of lines and tabs: names of platforms must not steer a terminal."""
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) != "Cc")
