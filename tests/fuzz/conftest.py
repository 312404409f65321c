"""The fuzz plays in the scene of the matrix."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.matrix.conftest import (
    _apps,
    _launch_database,
    app,
    client,
    database_url,
    openedx_platform,
    owner,
    platform,
    practice_platform,
    scene,
)

__all__ = [
    "_apps",
    "_launch_database",
    "app",
    "client",
    "database_url",
    "openedx_platform",
    "owner",
    "platform",
    "practice_platform",
    "scene",
]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of refusals need no line each."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How often which answer came, for ``make fuzz``."""
    for report in terminalreporter.getreports("passed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "tally":
                terminalreporter.write_line(f"{report.nodeid.rpartition('[')[2]:<24}{value}")
