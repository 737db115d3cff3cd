"""Cuts a body that arrives in pieces into frames: lines, server-sent events, NDJSON.

Own code, since httpx2's `aiter_lines` also splits at U+2028 and U+0085, which JSON may hold
(SPIKES d). The result never depends on where the pieces were cut.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..errors import MalformedAnswer
from .bounded_json import parse_json

MAX_STREAM_LINE_BYTES = (
    8 * 1024 * 1024
)  # DESIGN §2; Ollama's own client takes lines of 8 MB (WIRE §3b)
MAX_BODY_BYTES = 32 * 1024 * 1024  # a plain answer is held whole; what is refused may cost no 50 MB
BODY_EVENT = "[BODY]"  # the event name of a frame that is the answer's whole body
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One message of a stream: its data, and the event's name where the protocol has one."""

    data: bytes | bytearray
    event: str = ""


class Framing(Protocol):
    """Bytes in, frames out; `end` gives what stood without its final line break."""

    def feed(self, chunk: bytes) -> list[Frame]: ...

    def end(self) -> list[Frame]: ...


class LineSplitter:
    """Splits at LF, CRLF and CR; a line longer than `cap` bytes is refused."""

    def __init__(self, max_bytes: int = MAX_STREAM_LINE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._buffer = bytearray()  # one buffer: pieces of two bytes cost forty each as objects
        self._skip_newline = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete now, without their line breaks.

        Raises:
            MalformedAnswer: a line is longer than the cap.
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
        """What stands after the last line break."""
        rest = bytes(self._buffer)
        self._buffer = bytearray()
        return rest

    def _normalize_line_breaks(self, chunk: bytes) -> bytes:
        """Every kind of line break as LF; the LF of a CRLF cut in two is dropped."""
        if self._skip_newline and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_newline = False
        self._skip_newline = self._skip_newline or chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _strip_byte_order_mark(self, chunk: bytes) -> bytes:
        """The body's first bytes without a byte order mark, even one that comes in pieces."""
        start = bytes(self._buffer) + chunk
        if len(start) < 3 and BYTE_ORDER_MARK.startswith(start):
            return chunk
        self._at_start = False
        self._buffer = bytearray()
        return start.removeprefix(BYTE_ORDER_MARK)


class ServerSentEvents:
    """Frames of `text/event-stream`: data lines joined, comments and other fields dropped."""

    def __init__(self, max_bytes: int = MAX_STREAM_LINE_BYTES) -> None:
        self._lines = LineSplitter(max_bytes)
        self._max_bytes = max_bytes
        self._data: bytearray | None = None
        self._event = ""

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete now.

        Raises:
            MalformedAnswer: one line or one frame is longer than the cap.
        """
        return self._parse_lines(self._lines.feed(chunk))

    def end(self) -> list[Frame]:
        """The last frame, if the stream ended without its blank line."""
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
        else:  # the line break counts, too: lines without anything in them are bytes as well
            self._data += b"\n" + data
        if len(self._data) > self._max_bytes:
            raise MalformedAnswer(
                f"the server sent a frame longer than {self._max_bytes >> 20} MiB"
            )


class NDJSON:
    """One JSON object a line; blank lines are dropped."""

    def __init__(self, max_bytes: int = MAX_STREAM_LINE_BYTES) -> None:
        self._lines = LineSplitter(max_bytes)

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete now.

        Raises:
            MalformedAnswer: a line is longer than the cap.
        """
        return [Frame(line) for line in self._lines.feed(chunk) if line.strip()]

    def end(self) -> list[Frame]:
        """The last line, if the stream ended without a line break."""
        rest = self._lines.end()
        return [Frame(rest)] if rest.strip() else []


class WholeBody:
    """The body as one frame: the answer to a plain request; at most `cap` bytes."""

    def __init__(self, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_bytes = max_bytes
        self.buffer = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """Nothing yet.

        Raises:
            MalformedAnswer: the body is longer than the cap.
        """
        if len(self.buffer) + len(chunk) > self._max_bytes:
            raise MalformedAnswer(f"the answer's body is longer than {self._max_bytes >> 20} MiB")
        self.buffer += chunk
        return []

    def end(self) -> list[Frame]:
        """The whole body, named BODY; nothing if it is empty."""
        body, self.buffer = self.buffer, bytearray()  # no copy: it may be 32 MiB
        return [] if not body or body.isspace() else [Frame(body, BODY_EVENT)]


class BodyOrLines:
    """A body that begins as JSON where events were asked for: the whole answer in one value, or
    one object a line where the first line is one by itself."""

    def __init__(self) -> None:
        self._body = WholeBody()
        self._lines: NDJSON | None = None
        self._first_line_end = -1  # where the first line ends
        self._decided = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """The lines that are complete now; nothing yet of a whole body.

        Raises:
            MalformedAnswer: a line or the body is longer than its cap.
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
        """The last line, or the whole body."""
        return self._body.end() if self._lines is None else self._lines.end()


def _is_object(line: bytes | bytearray) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except (ValueError, RecursionError, MalformedAnswer):
        return False
