"""The one HTTP client for everything that is asked of a platform: keys, tokens, scores, rosters.

The addresses come from administrators and signed messages, so they are trusted little: https and public addresses
only (unless ``allow_private``), the address that was checked is the one connected to, no redirect leads to another
host, and time and size are bounded. Every request names us: since 2026 Canvas answers 403 without a User-Agent. At
most two requests at a time go to one host.

::

    PlatformError (ToolError)
    ├── PlatformUnreachable     no answer: worth another try
    │   └── AddressNotAllowed   an address we do not talk to: not worth one
    └── PlatformRefused         an answer that is not 2xx, or not what was asked for
"""

from __future__ import annotations

from lti_tool.platform_http.addresses import is_public
from lti_tool.platform_http.answers import (
    AddressNotAllowed,
    PlatformError,
    PlatformRefused,
    PlatformResponse,
    PlatformUnreachable,
    retry_after_seconds,
)
from lti_tool.platform_http.client import PlatformHttp

__all__ = [
    "AddressNotAllowed",
    "PlatformError",
    "PlatformHttp",
    "PlatformRefused",
    "PlatformResponse",
    "PlatformUnreachable",
    "is_public",
    "retry_after_seconds",
]
