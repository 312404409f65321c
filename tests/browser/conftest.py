"""The running stack, a Chromium, and profiles of it whose pages must report no fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from config import Settings
from tests.browser.chromium import Watched, chromium_path, running_chromium
from tests.browser.people import Person
from tests.integration.stack import Stack, running_stack, short_folder

#: A window upright, in which the LMS gives the tool its 700 px and pictures show much of a page.
LAPTOP = {"width": 1000, "height": 1300}


@pytest.fixture(scope="module")
def stack(models_path: Path) -> Iterator[Stack]:
    """Everything real; the models may still be loading, so that pages that need none can begin."""
    chromium_path()  # before the long wait
    with pytest.MonkeyPatch.context() as environment:
        for name in Settings.model_fields:
            environment.delenv(name.upper(), raising=False)
        with short_folder(models_path) as folder, running_stack(folder, _env_file=None) as running:
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with running_chromium() as running:
        yield running
    expect.set_options(timeout=5_000)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Opens profiles; at the end no page of theirs may have reported a fault."""
    opened: list[Watched] = []

    def open_profile(**options: Any) -> Watched:
        opened.append(Watched.open(browser, **({"viewport": LAPTOP} | options)))
        return opened[-1]

    yield open_profile
    assert [fault for each in opened for fault in each.close()] == []


@pytest.fixture
def person(stack: Stack, watched: Callable[..., Watched]) -> Callable[..., Person]:
    """``person("priya")``: somebody with a browser of their own."""

    def somebody(slug: str, **options: Any) -> Person:
        return Person(page=watched(**options).page(), lms_url=stack.lms.url, slug=slug)

    return somebody
