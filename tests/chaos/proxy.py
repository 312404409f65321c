"""A bad network in front of the schools: a share of what is asked of them goes wrong, in ways that real ones have.

``SIGUSR1``: the platforms are away (connections end at once, are not answered, or bring 503); ``SIGUSR2``: they are
back. ``GET /spoiled`` tells how often what was done.

A score that was asked for is never handed on twice to Canvas: it would keep the comment twice, and no tool could help
that. A score that is handed on late arrives after the tool gave up, but before it may ask again.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

# What happens to a request that is spoiled, and how often it does in comparison.
FAULTS = {
    "429": 4,
    "403 rate limit exceeded": 2,
    "500, 502, 503 or 504": 5,
    "silence": 1,
    "silence, but taken": 1,
    "silence, taken late": 1,
    "half an answer": 3,
    "closed, but taken": 3,
    "closed": 2,
    "answered twice": 3,
    "asked twice": 3,
}


@dataclass
class Proxy:
    """``share`` of the requests go wrong; clients wait ``patience_seconds`` for an answer."""

    upstream_port: int
    share: float
    patience_seconds: float
    random: random.Random
    is_away: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests, one after the other."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            while (request := await _message(reader)) and await self._answer(request, reader, writer):
                pass
        writer.close()

    async def _answer(self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        if request.startswith(b"GET /spoiled "):
            return await _say(writer, _response(200, json.dumps(self.counts).encode()))
        self.counts["requests"] += 1
        fault = self._fault(request)
        if fault:
            self.counts[fault] += 1
        if (refusal := self._refusal(fault)) is not None:
            return await _say(writer, refusal)
        if fault.startswith(("silence", "closed", "half")):
            await self._break_off(fault, request, reader, writer)
            return False
        answer = await self._passed_on(request)
        if fault == "asked twice":
            answer = await self._passed_on(request)
        return await _say(writer, answer * 2 if fault == "answered twice" else answer)

    def _refusal(self, fault: str) -> bytes | None:
        """An answer of the proxy's own, ``None`` for other faults."""
        match fault:
            case "429":
                return _response(429, b"slow down", self.random.choice([b"", b"Retry-After: 1\r\n"]))
            case "403 rate limit exceeded":
                return _response(403, b"403 Forbidden (Rate Limit Exceeded)")
            case "500, 502, 503 or 504":
                return _response(self.random.choice([500, 502, 503, 504]), b"<h1>out of order</h1>")
        return None

    async def _break_off(
        self, fault: str, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """No answer, or not all of it; the connection ends."""
        if fault == "silence, taken late":
            await asyncio.sleep(self.patience_seconds + self.random.uniform(0.2, 1.0))
        answer = b"" if fault in {"silence", "closed"} else await self._passed_on(request)
        if fault == "half an answer":
            await _say(writer, answer[: len(answer) // 2])
        if fault in {"silence", "silence, but taken"}:
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 3 * self.patience_seconds)

    def _fault(self, request: bytes) -> str:
        if self.is_away:
            return self.random.choice(["closed", "closed", "silence", "500, 502, 503 or 504"])
        if self.random.random() >= self.share:
            return ""
        fault = self.random.choices(list(FAULTS), list(FAULTS.values()))[0]
        is_canvas_score = request.startswith(b"POST /canvas/") and b"/scores" in request.split(b"\r\n", 1)[0]
        return "answered twice" if fault == "asked twice" and is_canvas_score else fault

    async def _passed_on(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        try:
            head, _, body = request.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            writer.write(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            await writer.drain()
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        status, *headers = head.split(b"\r\n")
        kept = [line for line in headers if not line.lower().startswith((b"connection:", b"content-length:"))]
        status = status.replace(b"HTTP/1.0", b"HTTP/1.1", 1)
        return b"\r\n".join([status, *kept, b"Content-Length: %d" % len(body), b"", body])


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One request with its body; nothing at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + (await reader.readexactly(length) if length else b"")


async def _say(writer: asyncio.StreamWriter, answer: bytes) -> bool:
    writer.write(answer)
    await writer.drain()
    return True


def _response(status: int, body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Spoiled\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body)


async def main(port: int, proxy: Proxy) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, setattr, proxy, "is_away", True)
    loop.add_signal_handler(signal.SIGUSR2, setattr, proxy, "is_away", False)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    own_port, upstream, share, patience, seed = sys.argv[1:6]
    asyncio.run(
        main(
            int(own_port),
            Proxy(
                upstream_port=int(upstream),
                share=float(share),
                patience_seconds=float(patience),
                random=random.Random(int(seed)),
            ),
        )
    )
