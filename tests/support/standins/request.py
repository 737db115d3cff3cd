"""Reads an HTTP request from a socket, without a library."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(eq=False)
class Request:
    """One request; times are seconds of time.monotonic().

    `at`: when the server's thread read it, never before it arrived; `came_at`: when it arrived
    according to the kernel, within a clock tick; `closed_at`: when the client left before the
    response was complete.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)
    came_at: float = field(default_factory=time.monotonic)
    closed_at: float | None = None

    @property
    def json(self) -> Any:
        """The body parsed as JSON."""
        return json.loads(self.body)


async def read_head(reader: asyncio.StreamReader) -> Request:
    """Read up to the blank line; header names become lower case."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, headers)


async def read_body(
    request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    """Read a body, chunked or of the length in Content-Length."""
    if request.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if request.headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(request.headers.get("content-length", "0")))
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return bytes(body)
