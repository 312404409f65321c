"""A course to teach and learn in, for tests of pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.settings import Settings
from lti_tool import create_app
from tests.course_actors import Course


@pytest.fixture
def course(settings: Settings) -> Iterator[Course]:
    """A course of a registered platform, without a quiz yet."""
    app = create_app(settings)
    app.testing = True
    database = app.extensions["mlquiz"].database
    yield Course.open(app, database)
    database.close()
