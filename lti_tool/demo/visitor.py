"""A person with a browser, for the demo and the tests: follows the forms that an LTI launch is made of.

It speaks real HTTP to the practice LMS and to the tool and knows nothing else of them: what it can do, a person can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import Cookie
from urllib.parse import urljoin

import mechanicalsoup
import requests
from bs4 import BeautifulSoup, Tag
from requests.cookies import RequestsCookieJar

from lti_tool.errors import ToolError

MAX_FORWARDS = 6
TIMEOUT_SECONDS = 30
# Pages that only pass a message on, by the id of their form; a browser's script submits them.
FORWARDING_FORMS = ("forward", "deep-linking-response")


class VisitFailed(ToolError):
    """A page was not what the visitor expected; the message holds its address and its text."""


class _LocalhostIsSecure(RequestsCookieJar):
    """Keeps ``Secure`` cookies of http://localhost, as browsers do (Secure Contexts, section 3.1)."""

    def set_cookie(self, cookie: Cookie, *args: object, **kwargs: object) -> None:
        if cookie.domain in {"localhost", "localhost.local", "127.0.0.1"}:
            cookie.secure = False
        super().set_cookie(cookie, *args, **kwargs)


@dataclass(kw_only=True)
class Visitor:
    """Somebody in the practice LMS, named by the part of the address that says who they are."""

    lms_url: str
    slug: str
    url: str = ""
    """Address of the page in front of the visitor."""
    page: BeautifulSoup = field(default_factory=lambda: BeautifulSoup("", "html.parser"))
    """The page in front of the visitor."""
    browser: mechanicalsoup.Browser = field(init=False)

    def __post_init__(self) -> None:
        session = requests.Session()
        session.cookies = _LocalhostIsSecure()
        self.browser = mechanicalsoup.Browser(
            session=session, soup_config={"features": "html.parser"}, user_agent="mlquiz-demo"
        )

    def chooses_content(self, tool_number: int = 1) -> None:
        """As instructor: open the tool by deep linking."""
        self._go(f"{self.lms_url}/as/{self.slug}/tools/{tool_number}/choose")

    def launches(self, activity_id: int) -> None:
        """Open an activity of the course: a whole LTI launch."""
        self._go(f"{self.lms_url}/as/{self.slug}/activities/{activity_id}/open")

    def follows(self, address_end: str) -> None:
        """Follow the first link whose address ends like this."""
        link = self.page.find("a", href=lambda href: bool(href) and href.split("?")[0].endswith(address_end))
        if not isinstance(link, Tag):
            raise VisitFailed(f"{self.slug}: no link to …{address_end} on {self.url}: {self.text}")
        self._go(urljoin(self.url, str(link["href"])))

    def submits(self, address_end: str, values: Mapping[str, str | list[str]] | None = None) -> None:
        """Fill in and submit the form whose address ends like this; an empty end means the first form."""
        form = self.page.find(
            "form", action=lambda action: (action or self.url).split("?")[0].endswith(address_end), method="post"
        )
        if not isinstance(form, Tag):
            raise VisitFailed(f"{self.slug}: no form for …{address_end} on {self.url}: {self.text}")
        filled = mechanicalsoup.Form(form)
        for name, value in (values or {}).items():
            filled.set(name, value)
        self._arrive(self.browser.submit(filled, url=self.url, timeout=TIMEOUT_SECONDS))

    def fields(self, prefix: str) -> list[str]:
        """Names of the fields on the page that begin like this, in order."""
        found = self.page.find_all(
            ["textarea", "input"], attrs={"name": lambda name: bool(name) and name.startswith(prefix)}
        )
        return [str(element["name"]) for element in found]

    @property
    def text(self) -> str:
        """The words of the page, for messages."""
        return " ".join(self.page.get_text(" ").split())[:400]

    def _go(self, url: str) -> None:
        self._arrive(self.browser.get(url, timeout=TIMEOUT_SECONDS))

    def _arrive(self, response: requests.Response) -> None:
        """Take the page in, and pass on what a browser's script would pass on by itself."""
        for _ in range(MAX_FORWARDS):
            self.url, self.page = response.url, BeautifulSoup(response.text, "html.parser")
            if not response.ok:
                raise VisitFailed(f"{self.slug}: {self.url} answered {response.status_code}: {self.text}")
            form = next(
                (found for form_id in FORWARDING_FORMS if isinstance(found := self.page.find("form", id=form_id), Tag)),
                None,
            )
            if form is None:
                return
            response = self.browser.submit(mechanicalsoup.Form(form), url=self.url, timeout=TIMEOUT_SECONDS)
        raise VisitFailed(f"{self.slug}: {self.url} passes on without an end")
