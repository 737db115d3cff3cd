"""Splits a response body into frames: server-sent events, NDJSON lines or the whole body.

httpx2's `aiter_lines` is not used: it also splits at U+2028 and U+0085, which JSON may contain.
The frames never depend on where the chunks were cut.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..errors import MalformedAnswer
from .bounded_json import parse_json

MAX_STREAM_LINE_BYTES = 8 * 1024 * 1024  # like the line buffer of Ollama's own client, 8 MB
MAX_BODY_BYTES = 32 * 1024 * 1024  # a buffered body; keeps a refused one below 50 MB of memory
BODY_EVENT = "[BODY]"  # the event name of a frame that holds the whole body
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One message of a stream: its data, and the name of its event ("" = no name)."""

    data: bytes | bytearray
    event: str = ""


class Framing(Protocol):
    """Turns chunks of bytes into frames; `end` returns what the stream left unfinished."""

    def feed(self, chunk: bytes) -> list[Frame]: ...

    def end(self) -> list[Frame]: ...


class LineSplitter:
    """Splits bytes at LF, CRLF and CR, and refuses a line longer than `max_bytes`."""

    def __init__(self, max_bytes: int = MAX_STREAM_LINE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._buffer = bytearray()  # not a list: a two-byte chunk takes 40 bytes as an object
        self._skip_newline = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their line breaks.

        Raises:
            MalformedAnswer: a line is longer than `max_bytes`.
        """
        if b"\r" in chunk or self._skip_newline:
            chunk = self._normalize_line_breaks(chunk)
        if self._at_start and chunk:
            chunk = self._strip_byte_order_mark(chunk)
        head, newline, tail = chunk.partition(b"\n")
        if len(self._buffer) + len(head) > self.max_bytes:
            raise MalformedAnswer(f"the server sent a line longer than {self.max_bytes >> 20} MiB")
        self._buffer += head
        if not newline:
            return []
        first = bytes(self._buffer)
        *lines, rest = tail.split(b"\n")
        if len(chunk) > self.max_bytes and max(map(len, (*lines, rest))) > self.max_bytes:
            raise MalformedAnswer(f"the server sent a line longer than {self.max_bytes >> 20} MiB")
        self._buffer = bytearray(rest)
        return [first, *lines]

    def end(self) -> bytes:
        """Return the text after the last line break."""
        rest = bytes(self._buffer)
        self._buffer = bytearray()
        return rest

    def _normalize_line_breaks(self, chunk: bytes) -> bytes:
        """Convert CRLF and CR to LF, also a CRLF that is split between two chunks."""
        if self._skip_newline and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_newline = False
        self._skip_newline = self._skip_newline or chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _strip_byte_order_mark(self, chunk: bytes) -> bytes:
        """Remove a byte order mark from the body's start, even one split between chunks."""
        start = bytes(self._buffer) + chunk
        if len(start) < 3 and BYTE_ORDER_MARK.startswith(start):
            return chunk
        self._at_start = False
        self._buffer = bytearray()
        return start.removeprefix(BYTE_ORDER_MARK)


class ServerSentEvents:
    """Frames of `text/event-stream`: joins data lines, drops comments and other fields."""

    def __init__(self, max_bytes: int = MAX_STREAM_LINE_BYTES) -> None:
        self._lines = LineSplitter(max_bytes)
        self._max_bytes = max_bytes
        self._data: bytearray | None = None
        self._event = ""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that are complete now.

        Raises:
            MalformedAnswer: a line or a frame is longer than `max_bytes`.
        """
        return self._parse_lines(self._lines.feed(chunk))

    def end(self) -> list[Frame]:
        """Return the last frame, if the stream ended without its blank line."""
        return self._parse_lines([self._lines.end(), b""])

    def _parse_lines(self, lines: list[bytes]) -> list[Frame]:
        frames = []
        for line in lines:
            if line.startswith(b"data:"):
                self._append_data(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line:
                if self._data is not None:
                    frames.append(Frame(bytes(self._data), self._event))
                    self._data = None
                self._event = ""
            elif line.startswith(b"event:"):
                self._event = line[6:].strip().decode("utf-8", "replace")
        return frames

    def _append_data(self, data: bytes) -> None:
        if self._data is None:
            self._data = bytearray(data)
        else:  # the line break counts, so that empty data lines are limited, too
            self._data += b"\n" + data
        if len(self._data) > self._max_bytes:
            raise MalformedAnswer(
                f"the server sent a frame longer than {self._max_bytes >> 20} MiB"
            )


class NDJSON:
    """Frames of NDJSON: one JSON object per line; drops blank lines."""

    def __init__(self, max_bytes: int = MAX_STREAM_LINE_BYTES) -> None:
        self._lines = LineSplitter(max_bytes)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that are complete now.

        Raises:
            MalformedAnswer: a line is longer than `max_bytes`.
        """
        return [Frame(line) for line in self._lines.feed(chunk) if line.strip()]

    def end(self) -> list[Frame]:
        """Return the last line, if the stream ended without a line break."""
        rest = self._lines.end()
        return [Frame(rest)] if rest.strip() else []


class WholeBody:
    """The whole body as one frame, for a buffered response of at most `max_bytes`."""

    def __init__(self, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_bytes = max_bytes
        self.buffer = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """Store the chunk and return no frames.

        Raises:
            MalformedAnswer: the body is longer than `max_bytes`.
        """
        if len(self.buffer) + len(chunk) > self._max_bytes:
            raise MalformedAnswer(f"the response body is longer than {self._max_bytes >> 20} MiB")
        self.buffer += chunk
        return []

    def end(self) -> list[Frame]:
        """Return the body as one frame with the event BODY_EVENT, or nothing if it is empty."""
        body, self.buffer = self.buffer, bytearray()  # no copy: it may be 32 MiB
        return [] if not body or body.isspace() else [Frame(body, BODY_EVENT)]


class BodyOrLines:
    """Frames of a JSON response to a request for server-sent events.

    If the first line is a JSON object by itself, each line is a frame; else the whole body is one.
    """

    def __init__(self) -> None:
        self._body = WholeBody()
        self._lines: NDJSON | None = None
        self._first_line_end = -1  # index of the first line break; -1 = not yet seen
        self._decided = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the lines that are complete now, or nothing if the body is one frame.

        Raises:
            MalformedAnswer: a line or the body is longer than its limit.
        """
        if self._lines is not None:
            return self._lines.feed(chunk)
        previous_size = len(self._body.buffer)
        self._body.feed(chunk)
        if self._decided:
            return []
        if self._first_line_end < 0:
            newline_index = chunk.find(b"\n")
            self._first_line_end = (
                newline_index if newline_index < 0 else previous_size + newline_index
            )
            chunk = chunk[newline_index + 1 :]
        if self._first_line_end < 0 or not chunk.strip():
            return []
        self._decided = True
        body = bytes(self._body.buffer)
        if not _is_object(body[: self._first_line_end]):
            return []
        self._lines = NDJSON()
        return self._lines.feed(body)

    def end(self) -> list[Frame]:
        """Return the last line, or the whole body."""
        return self._body.end() if self._lines is None else self._lines.end()


def _is_object(line: bytes | bytearray) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except (ValueError, RecursionError, MalformedAnswer):
        return False
