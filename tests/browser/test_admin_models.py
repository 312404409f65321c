"""The pages about models in a real browser: for everybody, on a phone, in the dark; a training that is watched."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from psycopg import Connection

from config.settings import Settings
from lti_tool.db import Database
from lti_tool.launch import platforms
from lti_tool.models.adding import add_run as add_version
from lti_tool.models.errors import NotProven
from lti_tool.models.folders import remove_folder
from lti_tool.models.promotion import promote
from lti_tool.models.store import get_version
from lti_tool.training import store
from lti_tool.training.processes import this_process
from lti_tool.training.store import Progress
from tests.browser.test_admin_pages import PHONE, base, opens, signs_in
from tests.model_runs import make_run
from tests.training_actors import Trainer, make_dataset

__all__ = ["base", "opens"]

pytestmark = pytest.mark.browser

REASONS = (
    "it may be worse on short answers: the mean squared error is 0.021 higher (0.004 to 0.038)",
    "2 of 41 behaviours that the current model has are lost",
)
LOSSES = tuple(
    (step, round(0.08 + 0.6 * math.exp(-step / 120) + random.Random(step).uniform(0, 0.05), 4))
    for step in range(4, 600, 4)
)


def served_explainer(connection: Connection) -> str:
    """An explainer that serves two courses, one with a long name and one without; its digest."""
    registration = platforms.add_platform(
        connection,
        issuer="https://lms.example.edu",
        client_id="client-1",
        auth_login_url="https://lms.example.edu/auth",
        auth_token_url="https://lms.example.edu/token",
        jwks_url="https://lms.example.edu/jwks",
        deployment_ids=["1"],
    )
    connection.execute(
        "INSERT INTO model_versions (digest, kind, run_folder, created_by) VALUES (%s, 'EXPLAINER', '/run', 'ada')",
        ("e" * 16,),
    )
    for title in ("", "Foundations of Donaudampfschifffahrtsgesellschaftskapitänswissenschaft for beginners, 2"):
        connection.execute(
            "WITH course AS (INSERT INTO contexts (registration_id, deployment_id, platform_context_id, title)"
            " SELECT registration_id, id, %s, %s FROM deployments WHERE registration_id = %s"
            " RETURNING registration_id, id)"
            " INSERT INTO course_explainers (registration_id, context_id, digest, chosen_by)"
            " SELECT registration_id, id, %s, 'ada, by command' FROM course",
            (f"course-{title}", title, registration.id, "e" * 16),
        )
    return "e" * 16


class Filled:
    """A tool with something of everything: each attribute is the path of a page below ``/admin``."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self.trainer = trainer
        self.dataset = make_dataset(trainer.settings)
        with trainer.database.across_tenants() as connection:
            self.current, self.candidate = (
                add_version(
                    connection, trainer.settings, make_run(folder / name, name, **manifest), by="ada, by command"
                ).version.digest
                for name, manifest in (
                    ("one", {}),
                    ("two", {"metrics": {"own": {"all": {"mse": 0.041, "mae": 0.13, "pearson_r": 0.84}}}}),
                )
            )
            promote(
                connection,
                trainer.settings,
                get_version(connection, self.current),
                judged_against=None,
                judgement=None,
                by="ada, by command",
                forced_because="Agreed with the course team on 12 May",
            )
            self.explainer = served_explainer(connection)
        self.judged = self.ended("PROMOTION", "FAILED", version_digest=self.candidate, error=str(NotProven(REASONS)))
        self.failed = self.ended("GRADER", "FAILED", error="Its process died. The machine had too little memory.")
        Path(trainer.run(self.failed).folder or "").mkdir(parents=True)
        self.trained = self.ended("GRADER", "FINISHED", made=self.candidate)
        self.running = trainer.asks(settings={"mode": "lora", "seed": 1, "has_bank": True}, dataset_digest=self.dataset)
        self.begins(self.running)
        self.waiting = trainer.asks("EXPLAINER", settings={"rank": 8, "seed": 1}, dataset_digest=self.dataset)
        self.unserved = trainer.asks("CHECK", dataset_digest=self.dataset)
        with trainer.database.across_tenants() as connection:
            connection.execute(
                "UPDATE training_runs SET queued_at = queued_at - interval '1 minute' WHERE id = %s", (self.unserved,)
            )

    def begins(self, number: int) -> None:
        run = self.trainer.claims()
        assert run is not None
        assert run.id == number
        folder = Path(run.folder or "")
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text("loading the encoder\n1 core is used\n", encoding="utf-8")
        with self.trainer.database.across_tenants() as connection:
            store.take_over(connection, number, this_process())
        self.tells(Progress(done=596, total=900, text="fold 3 of 5: loss 0.094", losses=LOSSES))

    def tells(self, progress: Progress) -> None:
        with self.trainer.database.across_tenants() as connection:
            store.beat(connection, self.running, this_process(), progress)

    def ends(self, number: int, status: str, made: str | None = None, **values: Any) -> None:
        with self.trainer.database.across_tenants() as connection:
            store.end_run(connection, number, status, process=this_process(), version_digest=made, **values)  # pyright: ignore

    def ended(
        self, kind: store.RunKind, status: str, *, made: str | None = None, error: str | None = None, **values: Any
    ) -> int:
        number = self.trainer.asks(kind, dataset_digest=self.dataset, **values)
        run = self.trainer.claims()
        assert run is not None
        with self.trainer.database.across_tenants() as connection:
            store.take_over(connection, number, this_process())
        self.ends(number, status, made, error=error)
        if status == "FINISHED":
            output = Path(run.folder or "") / "run"
            output.mkdir(parents=True)
            (output / "report.html").write_text(
                "<!doctype html><title>Report</title><style>h1{color:rgb(1,2,3)}</style><h1>Report</h1>"
                "<script>document.title='scripted'</script>",
                encoding="utf-8",
            )
        return number

    @property
    def paths(self) -> tuple[str, ...]:
        return (
            *("models", f"models/{self.current}", f"models/{self.candidate}", f"models/{self.explainer}"),
            "models/outdated?notice=rolled-back",
            *("trainings", "trainings/new/grader", "trainings/new/explainer"),
            *(f"trainings/{each}" for each in (self.running, self.waiting, self.unserved)),
            *(f"trainings/{each}" for each in (self.failed, self.trained, self.judged)),
            *("datasets", f"datasets/{self.dataset}"),
        )


@pytest.fixture
def filled(database: Database, settings: Settings, tmp_path: Path) -> Iterator[Filled]:
    yield Filled(Trainer(database, settings), tmp_path / "runs")
    remove_folder(settings.versions_path)


def test_every_page_is_accessible_and_fits_a_phone(
    opens: Callable[..., Page], base: str, database: Database, filled: Filled
) -> None:
    page = opens()
    signs_in(page, base, database)
    for path in filled.paths:
        page.set_viewport_size({"width": 700, "height": 900})
        page.goto(f"{base}/admin/{path}")
        result = Axe().run(page)
        assert result.violations_count == 0, f"{path}: {result.generate_report()}"
        page.set_viewport_size(PHONE)  # pyright: ignore
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), path
    page.emulate_media(color_scheme="dark")
    for path in (*(f"trainings/{each}" for each in (filled.running, filled.unserved)), f"models/{filled.candidate}"):
        page.goto(f"{base}/admin/{path}")
        result = Axe().run(page)
        assert result.violations_count == 0, f"{path}, dark: {result.generate_report()}"


def test_a_training_is_watched_to_its_end_without_a_reload(
    opens: Callable[..., Page], base: str, database: Database, filled: Filled
) -> None:
    page = opens()
    signs_in(page, base, database)
    page.goto(f"{base}/admin/trainings/{filled.running}")
    page.evaluate("window.isTheSamePage = true")
    expect(page.get_by_text("596 of 900")).to_be_visible()
    page.get_by_text("What the command says").click()
    filled.tells(Progress(done=700, total=900, text="fold 4 of 5: loss 0.091", losses=(*LOSSES, (700, 0.091))))
    expect(page.get_by_text("700 of 900")).to_be_visible()
    expect(page.get_by_text("0.091 at step 700")).to_be_visible()
    expect(page.get_by_text("1 core is used")).to_be_visible()
    filled.ends(filled.running, "FINISHED", filled.candidate)
    expect(page.get_by_text("The model is a candidate")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel it")).to_have_count(0)
    assert page.evaluate("window.isTheSamePage") is True


def test_a_report_opens_as_a_page_that_can_do_nothing(
    opens: Callable[..., Page], base: str, database: Database, filled: Filled
) -> None:
    page = opens()
    signs_in(page, base, database)
    page.goto(f"{base}/admin/trainings/{filled.trained}")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the report").click()
    report = opened.value
    expect(report.get_by_role("heading", name="Report")).to_have_css("color", "rgb(1, 2, 3)")
    assert report.title() == "Report"
    assert report.evaluate("self.origin") == "null"


def test_what_a_training_left_is_removed_after_a_second_click(
    opens: Callable[..., Page], base: str, database: Database, filled: Filled
) -> None:
    page = opens()
    signs_in(page, base, database)
    folder = Path(filled.trainer.run(filled.failed).folder or "")
    page.goto(f"{base}/admin/trainings/{filled.failed}")
    expect(page.get_by_role("button", name="Delete what it left")).to_be_hidden()
    page.get_by_text("Remove…").click()
    assert folder.is_dir()
    page.get_by_role("button", name="Delete what it left").click()
    expect(page.get_by_text("Removed.")).to_be_visible()
    expect(page.get_by_text("Remove…")).to_have_count(0)
    assert not folder.exists()


def test_an_explainer_is_taken_from_one_course_after_a_second_click(
    opens: Callable[..., Page], base: str, database: Database, filled: Filled
) -> None:
    page = opens()
    signs_in(page, base, database)
    page.goto(f"{base}/admin/models/{filled.explainer}")
    back = page.get_by_role("button", name="Let what serves everybody explain here again")
    expect(back.first).to_be_hidden()
    page.get_by_text("Take it back… a course without a title").click()
    back.first.click()
    expect(page.get_by_text("Taken back.")).to_be_visible()
    courses = page.get_by_role("region", name="Courses where it explains first")
    expect(courses.get_by_role("listitem")).to_have_count(1)


def test_all_of_it_works_without_scripts(
    opens: Callable[..., Page], base: str, database: Database, filled: Filled
) -> None:
    page = opens(java_script_enabled=False)
    signs_in(page, base, database)
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="Trainings").click()
    page.get_by_role("link", name="Train the grader").click()
    page.get_by_label("Passes over the answers").fill("2")
    page.get_by_role("button", name="Start the training").click()
    expect(page.get_by_text("The last step alone takes no passes")).to_be_visible()
    page.get_by_label("The part that reads and scores").check()
    page.get_by_role("button", name="Start the training").click()
    expect(page.get_by_text("waits", exact=True)).to_be_visible()
    page.get_by_role("link", name="Look again").click()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.get_by_text("Cancelled. What was done so far is kept.")).to_be_visible()
    page.get_by_role("button", name="Do it again").click()
    expect(page.get_by_text("waits", exact=True)).to_be_visible()
