"""Celery: one app, a queue by weight, and what a worker process keeps for its life.

The broker only wakes workers. Tasks take the tenant and ids, load their state from PostgreSQL, are safe to run twice,
and write their result and the next step in one transaction; what a lost message leaves behind is found by the sweep.
"""

from __future__ import annotations

import gc
import os
import signal as signals
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import structlog
from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_init, worker_ready
from kombu.exceptions import ChannelError, OperationalError

from config.settings import Settings, load_settings
from lti_tool.db import Database
from lti_tool.errors import DatabaseUnavailable
from lti_tool.models.course_serving import CourseGenerators
from lti_tool.models.renewal import keep_renewing
from lti_tool.models.serving import Serving, explainer_serving, grader_serving

if TYPE_CHECKING:
    from grading.explanation.explainer import Explainer
    from grading.grader import Grader
    from lti_tool.gradebook.delivery import Delivery

# Names of the tasks, so that a sender need not import what runs them.
GRADE = "lti_tool.submissions.tasks.grade_submission"
TRY_ANSWER = "lti_tool.questions.trial_tasks.try_answer"
REGRADE = "lti_tool.gradebook.regrade_tasks.compute_regrade"
EXPLAIN = "lti_tool.gradebook.tasks.explain_pending"
DELIVER = "lti_tool.gradebook.tasks.deliver_score"
SWEEP = "lti_tool.gradebook.tasks.sweep"
TEND_COLUMN = "lti_tool.gradebook.tasks.tend_column"
ROTATE_KEYS = "lti_tool.launch.key_rotation.rotate_keys"
TEND_RUNS = "lti_tool.training.tasks.tend_runs"

Queue = Literal["grade", "explain", "deliver", "train"]
# Of `mlquiz up`: one grades, one explains.
MODEL_PROCESSES = 2
QUEUES: tuple[Queue, ...] = ("grade", "explain", "deliver", "train")
# They load no model: deliveries wait for other machines, trainings are processes of their own.
LIGHT_QUEUES = frozenset({"deliver", "train"})

_log = structlog.get_logger(__name__)

# Whoever wakes a worker waits no longer than this for a broker that is away: the sweep finds the row.
_IMPATIENT = {"max_retries": 1, "interval_start": 0.2}
# Redis gives a task again that is not done after an hour; tasks are safe to run twice.
_REDIS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
    "socket_keepalive": True,
    **_IMPATIENT,
}
_RABBITMQ = {"confirm_publish": True}

celery = Celery(
    "mlquiz",
    include=[
        "lti_tool.submissions.tasks",
        "lti_tool.questions.trial_tasks",
        "lti_tool.gradebook.tasks",
        "lti_tool.gradebook.regrade_tasks",
        "lti_tool.launch.key_rotation",
        "lti_tool.training.tasks",
    ],
)


def configure(settings: Settings) -> Celery:
    """Point the app at the broker of the settings."""
    broker_url = settings.broker_url.get_secret_value()
    # It holds the connections to the broker of earlier settings, and would go on sending there.
    del celery.amqp
    celery.conf.update(
        broker_url=broker_url or None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # A child that takes the place of one that died loads its models first. Celery gives it 4 seconds, and then
        # kills it and starts the next one, for ever.
        worker_proc_alive_timeout=300.0,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue="grade",
        task_routes={
            GRADE: {"queue": "grade"},
            TRY_ANSWER: {"queue": "grade"},
            REGRADE: {"queue": "grade"},
            EXPLAIN: {"queue": "explain"},
            DELIVER: {"queue": "deliver"},
            SWEEP: {"queue": "deliver"},
            TEND_COLUMN: {"queue": "deliver"},
            ROTATE_KEYS: {"queue": "deliver"},
            TEND_RUNS: {"queue": "train"},
        },
        # A wake is worth nothing later than this: the sweep has found the row by then.
        task_publish_retry=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        broker_transport_options=_RABBITMQ if broker_url.startswith("amqp") else _REDIS,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        enable_utc=True,
        beat_schedule={
            "sweep": {
                "task": SWEEP,
                "schedule": float(settings.sweep_seconds),
                "options": {"expires": float(settings.sweep_seconds)},
            },
            "tend-runs": {
                "task": TEND_RUNS,
                "schedule": float(settings.sweep_seconds),
                "options": {"expires": float(settings.sweep_seconds)},
            },
            # Not daily: the clock begins anew with each start.
            "rotate-keys": {"task": ROTATE_KEYS, "schedule": 3600.0, "options": {"expires": 3600.0}},
        },
    )
    return celery


def wake(task_name: str, *arguments: int) -> bool:
    """Send a task; ``False`` where the broker is away, which is logged and no more: the sweep finds the row."""
    try:
        celery.send_task(task_name, arguments, ignore_result=True)
    except OperationalError as error:
        _log.warning("broker away, the sweep will find it", task=task_name, error=str(error))
        _absence.begin()
        return False
    return True


def wake_each(task_name: str, tenant_rows: Sequence[tuple[int, int]]) -> None:
    """Send one task a (registration, id); one failure is enough to know that the broker is away."""
    for registration_id, row_id in tenant_rows:
        if not wake(task_name, registration_id, row_id):
            return


def backlog(queue: Queue) -> int:
    """How many tasks lie in a queue, taken by nobody yet; 0 where the broker is away or knows no such queue."""
    connection = celery.connection_for_read()
    try:
        connection.ensure_connection(**_IMPATIENT)
        with connection, connection.channel() as channel:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except (OperationalError, ChannelError, OSError, *connection.connection_errors):
        return 0


def wake_grading(registration_id: int, submission_ids: Sequence[int]) -> None:
    """Tell workers of received answers, after the transaction that received them was committed.

    In the background: nobody who hands in waits for a broker that is away.
    """
    tenant_rows = [(registration_id, submission_id) for submission_id in submission_ids]
    _background.submit(lambda: _absence.is_on or wake_each(GRADE, tenant_rows))


def wake_later(task_name: str, *arguments: int) -> None:
    """:func:`wake` in the background, for pages."""
    _background.submit(lambda: _absence.is_on or wake(task_name, *arguments))


class _Absence:
    """Whether the broker was away a moment ago: wakes of pages would wait two seconds for it, each after the other."""

    SECONDS = 10.0

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        self._until = time.monotonic() + self.SECONDS


_absence = _Absence()
_background = ThreadPoolExecutor(1, thread_name_prefix="wake")


class Workbench:
    """What tasks of one process share: settings, database, and models loaded at first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        """The pool, opened in this process."""
        database = Database(self.settings.database_url.get_secret_value(), max_connections=8)
        database.open()
        return database

    @cached_property
    def grader(self) -> Grader:
        """The S-BERT grader: the promoted one, or that of the settings; loading takes some seconds."""
        return self._graders.begin()

    @cached_property
    def explainer(self) -> Explainer:
        """The explainer with its language model: the promoted one, or that of the settings; loading takes seconds."""
        return self._explainers.begin()

    def explainer_for(self, digest: str | None) -> Explainer:
        """The explainer, led by the version that was chosen for a course; where that cannot be loaded, the general one.

        Where the settings leave no choice, a version is not looked at.
        """
        general = self.explainer
        if digest is None or digest == self._explainers.digest or self.settings.explainer != "local":
            return general
        generator = self._course_generators.generator(digest)
        return general if generator is None else general.led_by(generator)

    def has_news(self) -> bool:
        """Whether a model that this process holds should be another one: a query for each, and nothing is changed."""
        return any([serving.has_news() for _, serving in self._held]) or self._course_generators.has_news()

    def renew(self) -> None:
        """Load what was promoted or rolled back since, in place of what is held; to be called between two tasks."""
        for name, serving in self._held:
            newer = serving.renewed()
            if newer is not None:
                self.__dict__[name] = newer
                # Its parts know each other: without this the old one would stay in memory for a while.
                gc.collect()
        if self._course_generators.has_news():
            self._course_generators.renew()

    @cached_property
    def _graders(self) -> Serving[Grader]:
        return grader_serving(self.settings, lambda: self.database)

    @cached_property
    def _explainers(self) -> Serving[Explainer]:
        return explainer_serving(self.settings, lambda: self.database)

    @cached_property
    def _course_generators(self) -> CourseGenerators:
        return CourseGenerators(self.settings, lambda: self.database)

    @property
    def _held(self) -> list[tuple[str, Serving[Any]]]:
        """What this process has loaded; one that delivers holds nothing."""
        servings: tuple[tuple[str, Serving[Any]], ...] = (("grader", self._graders), ("explainer", self._explainers))
        return [(name, serving) for name, serving in servings if name in self.__dict__]

    @cached_property
    def delivery(self) -> Delivery:
        """The sender of scores, with its HTTP client and tokens."""
        from lti_tool.gradebook.delivery import Delivery

        return Delivery(self.settings, self.database)


_workbench: Workbench | None = None


def workbench() -> Workbench:
    """The workbench of this process."""
    global _workbench
    if _workbench is None:
        _workbench = Workbench(load_settings())
    return _workbench


# Worker processes --------------------------------------------------------------------------------------------------


def run_worker(settings: Settings, queues: tuple[Queue, ...]) -> None:
    """Run a worker for these queues until it is told to stop (SIGTERM finishes the task in hand).

    Models want a process of their own (pool ``prefork`` with one child, replaced when it dies); deliveries wait for
    other machines most of the time, and trainings run beside the worker (pool ``threads``). The deliver worker also
    keeps the clock of the sweep.
    """
    configure(settings)
    os.environ["MLQUIZ_QUEUES"] = ",".join(queues)
    # Read by torch when it is imported; two model processes with all cores each are several times slower than this.
    os.environ["OMP_NUM_THREADS"] = str(model_threads(settings))
    is_light = LIGHT_QUEUES.issuperset(queues)
    pool = ["--pool", "threads", "--concurrency", "4"] if is_light else ["--pool", "prefork", "-c", "1"]
    celery.worker_main(
        [
            "worker",
            *("--queues", ",".join(queues), *pool, "--hostname", f"{'-'.join(queues)}.{os.getpid()}@%h"),
            *("--loglevel", settings.log_level, "--without-gossip", "--without-mingle"),
        ]
    )


def model_threads(settings: Settings) -> int:
    """Processor cores for one process that computes a model, or trains one."""
    return settings.model_threads or max(1, _cores() // MODEL_PROCESSES)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    from lti_tool import observability

    observability.configure(load_settings())


@worker_init.connect
@worker_process_init.connect
def _prepare_process(signal: object = None, **_: object) -> None:
    """Load what the process's queues need before the first task, so that no student waits for it."""
    from lti_tool.supervisor import die_with_parent

    queues = os.environ.get("MLQUIZ_QUEUES", "").split(",")
    is_child = signal is worker_process_init
    if is_child:
        die_with_parent()
    if not is_child and not LIGHT_QUEUES.issuperset(queues):
        return  # the parent of a prefork pool loads nothing
    bench = workbench()
    try:
        if "grade" in queues:
            bench.grader  # noqa: B018 - loads it
        if "explain" in queues:
            bench.explainer  # noqa: B018
    except DatabaseUnavailable as error:
        # Which models serve is in the database: the first task loads them, and there is none before it answers.
        _log.warning("the models are loaded later", error=str(error))
    except Exception as error:
        _log.critical("worker cannot load its models", queues=queues, error=str(error))
        # Celery would start a new child for ever: the whole worker ends, and whoever started it sees that.
        os.kill(os.getppid(), signals.SIGTERM)
        raise
    if is_child:
        keep_renewing(bench)
    _log.info("worker process ready", queues=queues, pid=os.getpid())


@worker_ready.connect
def _start_clock(**_: object) -> None:
    """The sweep's clock runs as a thread of the deliver worker; two clocks do no harm."""
    if "deliver" in os.environ.get("MLQUIZ_QUEUES", "").split(","):
        from celery.beat import EmbeddedService

        EmbeddedService(celery, thread=True, scheduler_cls="celery.beat:Scheduler").start()
