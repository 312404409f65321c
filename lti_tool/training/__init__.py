"""Trainings, exports, checks and promotions that administrators start from their pages, each a process of its own.

::

    page ──row, QUEUED──▶ task tend_runs ──starts──▶ supervise RUN ──starts──▶ mlquiz train|dataset|models …
                            (queue train)               │ every second: progress, losses, a sign of life
    page ◀──────────────── row, RUNNING … FINISHED ◀────┘

The command is the one that an administrator would type. Nothing long runs inside a task, for a broker gives a task that
takes long to a second worker.
"""
