"""One run from the first student to the verdict; ``python -m tests.chaos`` prints its figures."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import requests

from config import Settings, load_settings
from lti_tool import db
from lti_tool.db import Database
from lti_tool.embedded import Servers, embedded_servers, runtime_folder
from lti_tool.embedded.postgres import ROOT_HOME, EmbeddedPostgres
from lti_tool.errors import DatabaseUnavailable
from lti_tool.supervisor import Child, signals_as_interrupt
from lti_tool.worker import configure
from tests.chaos.kills import Breaker
from tests.chaos.people import People
from tests.chaos.size import Size
from tests.chaos.verdict import broken_invariants, differences
from tests.conftest_models import build_tiny_encoder
from tests.integration.stack import free_ports

ROOT = Path(__file__).resolve().parent.parent.parent
_SCHOOLS = ("moodle", "canvas")


@dataclass(kw_only=True)
class Figures:
    """What a run did, and every sentence that should have been true and was not."""

    seconds: float = 0.0
    counts: dict[str, int | float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def run(size: Size, *, seed: int, say: Callable[[str], None] = lambda text: None, **settings: object) -> Figures:
    """Students hand in, everything breaks, the dust settles, gradebook and database are compared.

    ``settings`` replace those of the tiny encoder and the template.
    """
    began_at = time.monotonic()
    with _running_town(size, seed, settings) as town:
        say(f"{size.submissions} submissions of {len(town.people.students)} students, seed {seed}")
        _break_and_hand_in(town, say)
        handed_in_at = time.monotonic()
        is_settled = _wait_until_settled(town, began_at + size.longest_seconds, say)
        figures = Figures(counts=town.counts())
        figures.counts["seconds from the last answer to the last score"] = round(time.monotonic() - handed_in_at)
        if not is_settled:
            figures.violations.append(f"not at rest after {size.longest_seconds:.0f} s: {_unrest(town)}")
        with suppress(requests.RequestException):
            figures.violations += town.violations()
    figures.seconds = time.monotonic() - began_at
    return figures


@dataclass(kw_only=True)
class Town:
    """Servers, workers, schools, proxy and people of one run."""

    size: Size
    servers: Servers
    database: Database
    people: People
    breaker: Breaker
    schools_url: str
    proxy_url: str
    handed_in: int = 0

    def counts(self) -> dict[str, int | float]:
        """What happened, in the order in which it should be read."""
        spoiled = requests.get(f"{self.proxy_url}/spoiled", timeout=10).json()
        asked = spoiled.pop("requests", 0)
        state = requests.get(f"{self.schools_url}/state", timeout=60).json()
        taken: Counter[str] = Counter()
        for school in _SCHOOLS:
            taken.update(state[school]["counts"])
        with self.database.across_tenants() as connection:
            statuses = connection.execute("SELECT status, count(*) FROM deliveries GROUP BY 1 ORDER BY 1").fetchall()
            events = connection.execute("SELECT event, count(*) FROM delivery_events GROUP BY 1 ORDER BY 1").fetchall()
            stuck = connection.execute("SELECT count(*) FROM submissions WHERE status = 'STUCK'").fetchone()
        return {
            "answers handed in": self.handed_in,
            "scores overridden by instructors": self.people.overridden,
            "steps of people done again while the database was away": self.people.repeated,
            **{f"{name} killed": count for name, count in sorted(self.breaker.kills.items())},
            **dict(sorted(self.breaker.counts.items())),
            "requests to the platforms": asked,
            "of these spoiled": sum(spoiled.values()),
            **{f"  {name}": count for name, count in sorted(spoiled.items())},
            **{f"platforms: {name}": count for name, count in sorted(taken.items())},
            **{f"versions {status}": count for status, count in statuses},
            **{f"tries {event}": count for event, count in events},
            "answers stuck": stuck[0] if stuck else 0,
        }

    def violations(self) -> list[str]:
        """All that is not as it must be."""
        state = requests.get(f"{self.schools_url}/state", timeout=60).json()
        found = []
        if self.handed_in != self.size.submissions:
            found.append(f"{self.handed_in} answers were handed in, not {self.size.submissions}")
        with self.database.across_tenants() as connection:
            kept = connection.execute("SELECT count(*) FROM submissions WHERE submitted_at IS NOT NULL").fetchone()
            if kept != (self.handed_in,):
                found.append(f"{kept} answers are in the database, {self.handed_in} were handed in")
            found += broken_invariants(connection)
            tenants = connection.execute(
                "SELECT registrations.id, family FROM registrations JOIN platforms ON platforms.id = platform_id"
            ).fetchall()
        for registration_id, family in tenants:
            with self.database.transaction(registration_id) as connection:
                found += differences(connection, family, state[family])
        return found


def _break_and_hand_in(town: Town, say: Callable[[str], None]) -> None:
    breaker = town.breaker
    threads = [
        threading.Thread(target=breaker.kill_workers),
        threading.Thread(target=breaker.restart_servers),
        threading.Thread(target=town.people.override_now_and_then, args=(breaker.stop,)),
    ]
    for thread in threads:
        thread.start()
    try:
        town.handed_in = town.people.hand_in_everything()
        say("all is handed in")
        _wait_for_some_scores(town)
        say("the platforms go away")
        breaker.take_the_platforms_away()
        say("the platforms are back")
        for thread in threads:
            thread.join(town.size.longest_seconds / 2)
    finally:
        breaker.stop.set()
        for thread in threads:
            thread.join(60)


def _wait_for_some_scores(town: Town) -> None:
    """Until a tenth of the students has a score in a gradebook."""
    deadline = time.monotonic() + town.size.longest_seconds / 2
    while time.monotonic() < deadline:
        state = requests.get(f"{town.schools_url}/state", timeout=60).json()
        if sum(len(state[school]["grades"]) for school in _SCHOOLS) >= town.size.students / 10:
            return
        time.sleep(0.2)


def _wait_until_settled(town: Town, deadline: float, say: Callable[[str], None]) -> bool:
    """Wait until nothing is to be done any more; whether it came to that."""
    said_at = time.monotonic()
    while time.monotonic() < deadline:
        unrest = _unrest(town)
        if not any(unrest.values()):
            return True
        if time.monotonic() > said_at + 15:
            said_at = time.monotonic()
            say(f"still to do: {unrest}")
        time.sleep(0.2 if town.size.submissions < 1000 else 1.0)
    return False


def _unrest(town: Town) -> dict[str, int]:
    try:
        with town.database.across_tenants() as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM submissions WHERE status = 'RECEIVED'),"
                " (SELECT count(*) FROM rewordings WHERE outcome = 'PENDING'),"
                " (SELECT count(*) FROM deliveries WHERE status = 'QUEUED')"
            ).fetchone()
    except (DatabaseUnavailable, psycopg.Error):
        return {"the database is away": 1}
    assert row is not None
    return {"answers to grade": row[0], "explanations": row[1], "scores to deliver": row[2]}


@contextmanager
def _running_town(size: Size, seed: int, changes: dict[str, object]) -> Iterator[Town]:
    with _folder() as folder:
        web_port, schools_port, proxy_port = free_ports(3)
        settings = _settings(folder, size, web_port, changes)
        with signals_as_interrupt(), embedded_servers(settings) as servers:
            db.upgrade(servers.database_owner, tool=servers.database)
            proxy_url = f"http://127.0.0.1:{proxy_port}"
            schools = _child(folder, "schools", "tests.chaos.schools", str(schools_port), str(size.token_seconds))
            arguments = (proxy_port, schools_port, size.share_spoiled, size.platform_timeout_seconds, seed)
            proxy = _child(folder, "proxy", "tests.chaos.proxy", *map(str, arguments))
            workers = _workers(folder, size, _environment(settings, servers))
            database = Database(servers.database, max_connections=8)
            over = threading.Event()
            breaker = Breaker(size=size, servers=servers, workers=workers, proxy=proxy, random=random.Random(seed))
            watcher = threading.Thread(target=breaker.revive_workers, args=(over,))
            try:
                for child in (schools, proxy, *workers):
                    child.revive()
                watcher.start()
                configure(load_settings(_env_file=None, broker_url=servers.broker))
                people = People(database=database, size=size, random=random.Random(seed))
                people.enrol(proxy_url)
                _wait_for(f"http://127.0.0.1:{schools_port}/state")
                _wait_for(f"{proxy_url}/spoiled")
                yield Town(
                    size=size,
                    servers=servers,
                    database=database,
                    people=people,
                    breaker=breaker,
                    schools_url=f"http://127.0.0.1:{schools_port}",
                    proxy_url=proxy_url,
                )
            finally:
                over.set()
                watcher.join(5)
                database.close()
                for child in (*workers, proxy, schools):
                    child.ask_to_stop()
                deadline = time.monotonic() + 2.0
                for child in (*workers, proxy, schools):
                    child.wait_or_kill(deadline)
                if kept := os.environ.get("MLQUIZ_CHAOS_LOGS"):
                    shutil.copytree(folder / "logs", kept, dirs_exist_ok=True)


@contextmanager
def _folder() -> Iterator[Path]:
    """An empty data folder; nothing is left of it afterwards, nor of the servers' folders elsewhere."""
    with tempfile.TemporaryDirectory(prefix="mlquiz-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        runtime = runtime_folder(folder)
        cluster = EmbeddedPostgres.for_data_folder(folder, runtime).cluster
        try:
            yield folder
        finally:
            if cluster.is_relative_to(ROOT_HOME):
                shutil.rmtree(cluster.parent, ignore_errors=True)
            shutil.rmtree(runtime, ignore_errors=True)


def _settings(folder: Path, size: Size, web_port: int, changes: dict[str, object]) -> Settings:
    values: dict[str, object] = {
        "data_dir": folder,
        "web_port": web_port,
        "explainer": "template",
        "allow_private_platforms": True,
        "log_level": "INFO",
        "model_threads": 1,
        "explanation_wait_seconds": size.explanation_wait_seconds,
        "sweep_seconds": size.sweep_seconds,
        "platform_timeout_seconds": size.platform_timeout_seconds,
        "delivery_retry_seconds": size.delivery_retry_seconds,
        "delivery_longest_retry_seconds": size.delivery_longest_retry_seconds,
    }
    if "grader_model" not in changes:
        values["grader_model"] = str(build_tiny_encoder(folder / "tiny-encoder"))
    return load_settings(_env_file=None, **values | changes)


def _environment(settings: Settings, servers: Servers) -> dict[str, str]:
    return {
        **settings.as_environment(),
        "DATABASE_URL": servers.database,
        "DATABASE_OWNER_URL": "",
        "BROKER_URL": servers.broker,
        "HF_HUB_OFFLINE": "1",
    }


def _workers(folder: Path, size: Size, environment: dict[str, str]) -> list[Child]:
    plain = [("grade",), ("explain",)] if size.explains_apart else [("grade", "explain")]
    workers = []
    for queues in plain:
        words = [word for queue in queues for word in ("--queue", queue)]
        workers.append(_child(folder, f"worker {'+'.join(queues)}", "lti_tool", "worker", *words, **environment))
    for error in size.clock_errors:
        name = f"worker deliver ({error:+.0f} s)"
        workers.append(_child(folder, name, "tests.chaos.worker", str(error), "deliver", **environment))
    return workers


def _child(folder: Path, name: str, *arguments: str, **environment: str) -> Child:
    return Child(
        name=name,
        command=[sys.executable, "-m", *arguments],
        environment={"PYTHONPATH": str(ROOT), **environment},
        log=folder / "logs" / f"{name}.log",
    )


def _wait_for(url: str) -> None:
    for _ in range(300):
        with suppress(requests.RequestException):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within 30 s")
