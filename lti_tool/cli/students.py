"""``mlquiz student``: what a student chose about the use of their answers, and erasing what they wrote."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC

import click

from config import load_settings
from lti_tool.cli.database import opened_database
from lti_tool.cli.output import say, say_json

_platform = click.option("--platform", "name", required=True, help="Name, number or client id of the platform.")
_student = click.option("--student", "sub", required=True, help="The student's id on the platform (student_lms_id).")


@click.group()
def student() -> None:
    """Students: what they chose about the use of their answers, and erasing what they wrote."""


@student.command("consent")
@_platform
@_student
@click.option("--withdraw", is_flag=True, help="Say no in all courses, for a student who asks you to.")
@click.option("--json", "as_json", is_flag=True, help="The choices as JSON.")
def student_consent(name: str, sub: str, withdraw: bool, as_json: bool) -> None:
    """Show in which courses a student's answers may be used to improve the models, or withdraw it everywhere.

    \b
    Example:
      mlquiz student consent --platform "Our Moodle" --student 4711
    """
    from lti_tool.admin.store import named_registration
    from lti_tool.exports.consent import list_choices, record_choice
    from lti_tool.exports.erasure import get_student

    with opened_database(load_settings()) as database:
        with database.across_tenants() as connection:
            registration = named_registration(connection, name)
        with database.transaction(registration.id) as connection:
            user_id = get_student(connection, registration.id, sub)
            for each in list_choices(connection, user_id) if withdraw else ():
                record_choice(
                    connection, each.context_id, "NO", registration_id=registration.id, user_id=user_id, by="operator"
                )
            choices = list_choices(connection, user_id)
    if as_json:
        say_json(
            [
                {
                    "course": each.course,
                    "answer_use": each.answer_use,
                    "choice": each.choice,
                    "chosen_at": each.chosen_at.isoformat() if each.chosen_at else None,
                    "is_used": each.is_used,
                    "used_since": each.used_since.isoformat() if each.used_since else None,
                }
                for each in choices
            ]
        )
        return
    for each in choices:
        used = "used" if each.is_used else "not used"
        if each.used_since:
            used = f"attempts begun since {each.used_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC used"
        say(f"{each.course or '–'}: {used} (course: {each.answer_use}, student: {each.choice or 'not said'})")
    if not choices:
        say("no answer and no choice in any course")


@student.command("erase")
@_platform
@_student
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="What was erased and where it had gone, as JSON; needs --yes.")
def student_erase(name: str, sub: str, yes: bool, as_json: bool) -> None:
    """Erase what a student wrote, with the name; scores stay. Says which datasets and models hold it still.

    Nothing of theirs is exported any more. It cannot be undone. Dataset folders are yours to delete.

    \b
    Example:
      mlquiz student erase --platform "Our Moodle" --student 4711
    """
    from lti_tool.admin.store import named_registration
    from lti_tool.embedded import embedded_servers
    from lti_tool.errors import NotConfigured
    from lti_tool.exports.bookkeeping import DerivedDataset
    from lti_tool.exports.erasure import erase_student, get_student
    from lti_tool.training.datasets import list_datasets

    if as_json and not yes:
        raise NotConfigured("--json asks nothing, so it needs --yes")
    settings = load_settings()
    with opened_database(settings) as database:
        with database.across_tenants() as connection:
            registration = named_registration(connection, name)
            user_id = get_student(connection, registration.id, sub)
        if not yes:
            click.confirm(f"Erase all answers of {sub} on {registration.name}? This cannot be undone.", abort=True)
        with embedded_servers(settings, broker=False) as servers:
            kept = [
                DerivedDataset(digest=each.digest, folder=str(each.folder), sources=each.sources)
                for each in list_datasets(settings)
            ]
            erasure = erase_student(servers.database_owner, registration.id, user_id, kept=kept)
    if as_json:
        say_json(
            {
                "answers": erasure.answer_count,
                "datasets": [
                    {**asdict(each), "exported_at": each.exported_at.isoformat()} for each in erasure.datasets
                ],
                "derived": [asdict(each) for each in erasure.derived],
                "models": [asdict(each) for each in erasure.models],
                "run_folders": erasure.run_folders,
            }
        )
        return
    say(f"{erasure.answer_count} answers erased; none is exported any more")
    for each in erasure.datasets:
        say(
            f"dataset {each.digest} of {each.exported_at:%Y-%m-%d} holds {each.answer_count} of them: delete its folder"
        )
    for each in erasure.derived:
        say(f"{each.folder} (dataset {each.digest}) was imported from such a dataset and may hold them: delete it")
    for each in erasure.models:
        standing = each.status.lower() + (f", explains in {each.course_count} courses" if each.course_count else "")
        say(f"{each.kind.lower()} {each.digest} ({standing}) was trained with dataset {each.dataset_digest}")
    for folder in erasure.run_folders:
        say(f"{folder} is of a training with such a dataset and quotes answers: delete it")
    if erasure.datasets and not erasure.models:
        say("no model of the registry was trained with these datasets")
