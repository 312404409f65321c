"""The command line: ``mlquiz``. Exit codes: 0 done, 1 something is wrong with the work, 2 wrong usage or settings.

One module a group. Whatever is heavy is imported inside the commands, so that ``mlquiz --help`` stays quick.
"""

from __future__ import annotations

import click

from finetune.cli import train
from finetune.dataset_cli import dataset
from finetune.evaluation_cli import evaluate
from lti_tool import __version__
from lti_tool.cli.administration import admin
from lti_tool.cli.audit import audit
from lti_tool.cli.checking import doctor
from lti_tool.cli.database import db
from lti_tool.cli.dataset_export import dataset_export
from lti_tool.cli.grading import grade
from lti_tool.cli.invitations import platform_canvas_json, platform_invitations, platform_invite
from lti_tool.cli.keys import keys
from lti_tool.cli.models import models
from lti_tool.cli.output import Commands
from lti_tool.cli.platforms import platform
from lti_tool.cli.running import demo, up, web, worker
from lti_tool.cli.students import student
from lti_tool.cli.submissions import submissions

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mlquiz")
def main() -> None:
    """Free-text quiz questions for Moodle and Canvas: graded by S-BERT, explained by a small language model.

    \b
    mlquiz demo          see it all at work with a practice LMS
    mlquiz up            run everything on one machine
    mlquiz doctor        find out what is missing
    """


for command in (
    *(up, web, worker, demo, doctor, db, platform, keys, admin, submissions, student, audit),
    *(grade, dataset, train, evaluate, models),
):
    main.add_command(command)
dataset.add_command(dataset_export)
for command in (platform_invite, platform_invitations, platform_canvas_json):
    platform.add_command(command)
