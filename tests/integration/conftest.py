"""A course to teach and learn in, for tests of pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from config.settings import Settings
from lti_tool import create_app
from tests.course_actors import Course


class CompiledTemplates(BytecodeCache):
    """Templates that were compiled in this process: every test has an application of its own."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._compiled:
            bucket.bytecode_from_string(self._compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


_compiled_templates = CompiledTemplates()


@pytest.fixture
def course(settings: Settings) -> Iterator[Course]:
    """A course of a registered platform, without a quiz yet."""
    app = create_app(settings)
    app.testing = True
    app.jinja_env.bytecode_cache = _compiled_templates
    database = app.extensions["mlquiz"].database
    yield Course.open(app, database)
    database.close()
