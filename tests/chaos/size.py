"""How big a run is, and by how much its clock is faster than real life."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One submission is one answer: students x attempts x questions. Times in seconds."""

    students: int
    attempts: int
    questions: int
    #: In each of the six classes so many students have left the course: their scores must be parked.
    strangers_per_class: int
    overrides: int
    override_seconds: float
    #: How many workers are killed, each so long after it was ready; and how often the servers are restarted.
    kills: int
    kill_seconds: tuple[float, float]
    restarts: int
    away_seconds: float
    token_seconds: float
    platform_timeout_seconds: float
    delivery_retry_seconds: float
    delivery_longest_retry_seconds: float
    explanation_wait_seconds: int
    sweep_seconds: int
    #: What the deliver workers' clocks are wrong by.
    clock_errors: tuple[float, ...]
    #: Explanations by a worker of their own; else by the one that grades.
    explains_apart: bool
    longest_seconds: float
    restart_seconds: tuple[float, float] = (1.0, 4.0)
    share_spoiled: float = 0.2

    @property
    def submissions(self) -> int:
        """How many answers are handed in."""
        return self.students // 6 * 6 * self.attempts * self.questions


#: Times are a tenth of the real ones: ten minutes away are one.
BIG = Size(
    students=504,
    attempts=4,
    questions=5,
    strangers_per_class=2,
    overrides=200,
    override_seconds=0.5,
    kills=36,
    kill_seconds=(1.0, 8.0),
    restarts=3,
    away_seconds=60.0,
    token_seconds=8.0,
    platform_timeout_seconds=2.0,
    delivery_retry_seconds=0.5,
    delivery_longest_retry_seconds=20.0,
    explanation_wait_seconds=6,
    sweep_seconds=2,
    clock_errors=(300.0, -300.0),
    explains_apart=True,
    longest_seconds=900.0,
    restart_seconds=(20.0, 40.0),
)
SMALL = Size(
    students=18,
    attempts=2,
    questions=2,
    strangers_per_class=1,
    overrides=6,
    override_seconds=0.2,
    kills=2,
    kill_seconds=(0.2, 1.0),
    restarts=1,
    away_seconds=2.0,
    token_seconds=2.0,
    platform_timeout_seconds=0.5,
    delivery_retry_seconds=0.1,
    delivery_longest_retry_seconds=1.0,
    explanation_wait_seconds=2,
    sweep_seconds=1,
    clock_errors=(300.0,),
    explains_apart=False,
    longest_seconds=100.0,
)
#: Two answers of each of twelve students, with the real models.
TWENTY = replace(
    BIG,
    students=12,
    attempts=1,
    questions=2,
    strangers_per_class=0,
    overrides=2,
    kills=4,
    restarts=1,
    away_seconds=6.0,
    restart_seconds=(1.0, 4.0),
    clock_errors=(0.0,),
)
