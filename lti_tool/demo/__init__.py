"""``mlquiz demo``: the main job, for real, from an empty folder to a grade in a gradebook.

Everything is started, an instructor and four students do over HTTP what people do with a browser, and the table at
the end shows what the tool's database and the practice LMS's gradebook hold. What an earlier run did is kept.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.demo.practice import Activity, DemoRow, GradebookEntry, PracticeLms, differences, list_demo_rows
from lti_tool.demo.script import INSTRUCTOR, POINTS_EACH, QUIZ_TITLE, SAMPLE_IDS, STUDENTS, Student
from lti_tool.demo.visitor import Visitor
from lti_tool.supervisor import Supervisor, require_free_ports, running_tool, wait_for_http

GRADING_SECONDS = 600.0

_console = Console(width=None if sys.stdout.isatty() else 120)


def run_demo(settings: Settings, *, once: bool) -> int:
    """Run the demo; 0 only if the gradebook equals the database. Without ``once`` it stays until Ctrl-C."""
    began = time.monotonic()
    require_free_ports(WEB_PORT=settings.web_port, PRACTICE_LMS_PORT=settings.practice_lms_port)
    unpack_models(settings)
    with running_tool(settings, say=lambda text: _step(f"starting {text}")) as supervisor:
        lms = start_practice_lms(settings, supervisor)
        database = Database(supervisor.servers.database)
        try:
            lms.register(settings, database)
            _done("the practice LMS and the tool know each other (LTI 1.3: issuer, client id, keys)")
            activity = quiz_in_course(lms)
            subs = lms.user_subs()
            for student in STUDENTS:
                answer_quiz(lms, activity, student, database, subs[student.slug])
            users = [subs[student.slug] for student in STUDENTS]
            rows, gradebook = _wait_for_grades(lms, database, users, supervisor)
        finally:
            database.close()
        _show(rows, gradebook, {subs[student.slug]: student for student in STUDENTS})
        wrong = differences(rows, gradebook, users)
        for difference in wrong:
            _console.print(f"[red]differs:[/red] {difference}", highlight=False)
        if not wrong:
            _done(f"the gradebook equals the database   ({time.monotonic() - began:.0f} s)")
        if not once:
            _invite(settings, lms, activity)
            threading.Event().wait()
    return 1 if wrong else 0


# Steps, in order ---------------------------------------------------------------------------------------------------


def unpack_models(settings: Settings) -> None:
    """Unpack the bundled models at the first time, with a bar; the workers find them ready."""
    from grading.explanation.explainer import prepare_explainer
    from grading.grader import prepare_grader

    with _bar() as progress:
        task = progress.add_task("encoder", total=1.0)
        prepare_grader(settings, _reporter(progress, task))
        progress.update(task, completed=1.0, description="S-BERT encoder ready")
        if settings.explainer == "local":
            task = progress.add_task("language model", total=1.0)
            prepare_explainer(settings, _reporter(progress, task))
            progress.update(task, completed=1.0, description="language model ready")


def start_practice_lms(settings: Settings, supervisor: Supervisor) -> PracticeLms:
    """The practice LMS in a process of its own; it answers when this returns."""
    url = f"http://127.0.0.1:{settings.practice_lms_port}"
    # Its activities hold the tool's address, the tool's database holds its own: at other addresses it begins anew.
    tool = urlsplit(settings.base_url).netloc.replace(":", "-")
    folder = settings.data_path / "practice_lms" / f"{settings.practice_lms_port}-{tool}"
    _step(f"starting the practice LMS at {url}")
    arguments = ("--folder", str(folder), "--port", str(settings.practice_lms_port))
    child = supervisor.add("practice-lms", "lti_tool.practice_lms", *arguments, "--tool-origin", settings.base_url)
    wait_for_http(f"{url}/health", child)
    return PracticeLms(url, folder)


def quiz_in_course(lms: PracticeLms) -> Activity:
    """The demo's quiz as an activity of the course; deep linking puts it there if it is not."""
    for activity in lms.activities():
        if activity.title == QUIZ_TITLE:
            _done(f"“{QUIZ_TITLE}” is in the course already")
            return activity
    instructor = Visitor(lms_url=lms.url, slug=INSTRUCTOR)
    instructor.chooses_content()
    instructor.submits("/quizzes", {"title": QUIZ_TITLE, "language": "en", "max_attempts": "3"})
    for sample_id in SAMPLE_IDS:  # one after the other: that is their order in the quiz
        instructor.follows("/bank")
        instructor.submits("/bank", {"sample": [sample_id], "max_points": POINTS_EACH})
    instructor.follows("/place")
    instructor.submits("/place")
    activity = next(activity for activity in lms.activities() if activity.title == QUIZ_TITLE)
    _done(f"the instructor added “{QUIZ_TITLE}” to the course by deep linking: {len(SAMPLE_IDS)} questions, graded")
    return activity


def answer_quiz(lms: PracticeLms, activity: Activity, student: Student, database: Database, sub: str) -> None:
    """Launch, answer, hand in; nothing if the student has done so in an earlier run."""
    with database.across_tenants() as connection:
        handed_in = [row for row in list_demo_rows(connection, lms.url, QUIZ_TITLE) if row.user_sub == sub]
    if handed_in and all(row.points is not None for row in handed_in):
        _done(f"{student.slug} has answered already")
        return
    visitor = Visitor(lms_url=lms.url, slug=student.slug)
    visitor.launches(activity.id)
    if "/result" in visitor.url:
        _done(f"{student.slug} has handed in already")
        return
    if "/attempts/" not in visitor.url:
        visitor.submits("/attempts")
    visitor.submits("/answers", dict(zip(visitor.fields("answer-"), student.answers, strict=True)))
    visitor.submits("/hand-in")
    _done(f"{student.slug} launched the quiz and handed in ({student.style})")


def _wait_for_grades(
    lms: PracticeLms, database: Database, users: list[str], supervisor: Supervisor
) -> tuple[list[DemoRow], list[GradebookEntry]]:
    """Watch grading, explaining and delivering until all is in the gradebook."""
    deadline = time.monotonic() + GRADING_SECONDS
    with _bar() as progress:
        total = len(users) * len(SAMPLE_IDS)
        graded = progress.add_task("S-BERT scores (the first waits for the model)", total=total)
        delivered = progress.add_task("explained and in the gradebook", total=len(users))
        while True:
            with database.across_tenants() as connection:
                rows = [row for row in list_demo_rows(connection, lms.url, QUIZ_TITLE) if row.user_sub in users]
            gradebook = lms.gradebook(QUIZ_TITLE)
            arrived = {row.user_sub for row in rows if row.delivery_status == "DELIVERED"}
            progress.update(graded, completed=sum(row.points is not None for row in rows))
            progress.update(delivered, completed=len(arrived))
            parked = any(row.delivery_status == "PARKED" for row in rows)
            if arrived == set(users) or parked or time.monotonic() > deadline:
                return rows, gradebook
            supervisor.require_health()
            time.sleep(0.5)


# What is shown -----------------------------------------------------------------------------------------------------


def _show(rows: list[DemoRow], gradebook: list[GradebookEntry], students: dict[str, Student]) -> None:
    entries = {entry.user_sub: entry for entry in gradebook}
    table = Table(title=QUIZ_TITLE, show_lines=True, expand=True)
    table.add_column("student", ratio=2)
    table.add_column("answer", ratio=4)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("explanation", ratio=6)
    table.add_column("gradebook", justify="right", no_wrap=True)
    for row in rows:
        student = students[row.user_sub]
        entry = entries.get(row.user_sub)
        is_first = row.position == 0
        held = f"{_shown(entry.score)} / {_shown(entry.maximum)}" if entry and entry.score is not None else "–"
        table.add_row(
            Text(f"{row.user_name or student.slug}\n{student.style}" if is_first else ""),
            Text(_shortened(row.answer, 90)),
            f"{_shown(row.points)} / {_shown(row.max_points)}",
            Text(row.explanation or "–"),
            held if is_first else "",
        )
    _console.print(table)
    by_model = sum(row.explanation_source == "LLM" for row in rows)
    _console.print(
        f"{by_model} of {len(rows)} explanations are the language model's words; the others are the template's.",
        style="dim",
        highlight=False,
    )


def _invite(settings: Settings, lms: PracticeLms, activity: Activity) -> None:
    _console.print()
    _console.print("Now try it by hand:", style="bold")
    _console.print(f"  as instructor   {lms.url}/as/{INSTRUCTOR}/course", highlight=False)
    _console.print(f"  as student      {lms.url}/as/seoyeon/activities/{activity.id}", highlight=False)
    _console.print(f"  logs            {settings.data_path / 'logs'}", style="dim", highlight=False)
    _console.print("Ctrl-C stops everything.", style="dim")


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _shown(points: Decimal | None) -> str:
    return "–" if points is None else f"{points:.2f}".rstrip("0").rstrip(".")


def _step(text: str) -> None:
    _console.print(f"[dim]·[/dim] {text}", highlight=False)


def _done(text: str) -> None:
    _console.print(f"[green]✓[/green] {text}", highlight=False)


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_console) as progress:
        yield progress


def _reporter(progress: Progress, task: object) -> Callable[[float, str], None]:
    def report(fraction: float, text: str) -> None:
        progress.update(task, completed=fraction, description=text)  # pyright: ignore[reportArgumentType]

    return report
