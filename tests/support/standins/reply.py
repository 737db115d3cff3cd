"""The response to one request, written byte by byte, with ways to break it off."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tests.support.standins.request import Request

LONGEST_SLEEP = 30.0


class ClientDisconnected(ConnectionError):
    """The client has gone; raising this ends a handler without an error."""


class ErrorReply(Exception):
    """Raised by a handler to answer with a status and a JSON body."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers


class Reply:
    """The response to one request; its body is chunked, has a length, or ends at EOF.

    `bytewise`: send each byte of the body by itself.
    """

    def __init__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.bytewise = False
        self.keep_alive = request.headers.get("connection", "").lower() != "close"
        self.finished = False
        self._request = request
        self._writer = writer
        self._gone = asyncio.Event()
        self._started = False
        self._chunked = False
        self._left = 0

    async def head(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = "application/json",
        *,
        chunked: bool = False,
        length: int | None = None,
    ) -> None:
        """Send status line and headers; without `chunked` or `length` the body ends at EOF."""
        fields = dict(headers or {})
        if content_type is not None:
            fields.setdefault("Content-Type", content_type)
        if chunked:
            fields["Transfer-Encoding"] = "chunked"
        elif length is not None:
            fields["Content-Length"] = str(length)
        else:
            self.keep_alive = False
        if not self.keep_alive:
            fields["Connection"] = "close"
        phrases = {int(code): code.phrase for code in HTTPStatus}
        lines = [f"HTTP/1.1 {status} {phrases.get(status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self._chunked, self._left = chunked, length or 0
        await self._send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def write(self, data: bytes) -> None:
        """Send a piece of the body at once, or byte by byte with `bytewise`."""
        step = 1 if self.bytewise else max(len(data), 1)
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            self._left -= len(piece)
            await self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    async def raw(self, data: bytes) -> None:
        """Send bytes without any framing; the connection closes after this response."""
        self.keep_alive = False
        await self._send(data)

    async def end(self) -> None:
        """End the response properly; a body shorter than its length closes the connection."""
        if self.finished:
            return
        if self._chunked:
            await self._send(b"0\r\n\r\n")
        elif not self._started or self._left:
            self.keep_alive = False
        self.finished = True

    async def cut(self) -> None:
        """Close the socket without the final chunk; bytes already written still arrive."""
        self.finished, self.keep_alive = True, False
        self._writer.close()

    async def reset(self) -> None:
        """Reset the connection with RST (SO_LINGER 0)."""
        await asyncio.sleep(0.02)  # RST may discard bytes that are still under way
        self.finished, self.keep_alive = True, False
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._writer.transport.abort()

    async def json(
        self, obj: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a complete JSON response."""
        body = json.dumps(obj, ensure_ascii=False).encode()
        await self.head(status, headers, length=len(body))
        await self.write(body)
        await self.end()

    async def sleep(self, seconds: float) -> None:
        """Wait for at most 30 seconds; if the client leaves, return early, and raise next time."""
        if self._gone.is_set():
            raise ClientDisconnected
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), min(seconds, LONGEST_SLEEP))

    def mark_disconnected(self) -> None:
        """Record that the client has gone."""
        self._gone.set()
        if self._request.closed_at is None:
            self._request.closed_at = time.monotonic()

    async def _send(self, data: bytes) -> None:
        if self.finished or self._gone.is_set():
            raise ClientDisconnected
        self._started = True
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            self.mark_disconnected()
            raise ClientDisconnected from None
        await asyncio.sleep(0)  # an endless response must not starve the other connections
