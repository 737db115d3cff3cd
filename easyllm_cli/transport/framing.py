"""Cuts a body that arrives in pieces into frames: lines, server-sent events, NDJSON.

Own code, since httpx2's `aiter_lines` also splits at U+2028 and U+0085, which JSON may hold
(SPIKES d). The result never depends on where the pieces were cut.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..errors import MalformedAnswer

LINE_CAP = 8 * 1024 * 1024  # DESIGN §2; Ollama's own client takes lines of 8 MB (WIRE §3b)
BODY = "[BODY]"  # the event name of a frame that is the answer's whole body
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One message of a stream: its data, and the event's name where the protocol has one."""

    data: bytes
    event: str = ""


class Framing(Protocol):
    """Bytes in, frames out; `end` gives what stood without its final line break."""

    def feed(self, piece: bytes) -> list[Frame]: ...

    def end(self) -> list[Frame]: ...


class Lines:
    """Splits at LF, CRLF and CR; a line longer than `cap` bytes is refused."""

    def __init__(self, cap: int = LINE_CAP) -> None:
        self.cap = cap
        self._held: list[bytes] = []
        self._size = 0
        self._skip_newline = False
        self._fresh = True

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that are complete now, without their line breaks.

        Raises:
            MalformedAnswer: a line is longer than the cap.
        """
        if b"\r" in piece or self._skip_newline:
            piece = self._unified(piece)
        if self._fresh and piece:
            piece = self._without_mark(piece)
        head, newline, tail = piece.partition(b"\n")
        self._size += len(head)
        if self._size > self.cap:
            raise MalformedAnswer(f"the server sent a line longer than {self.cap >> 20} MiB")
        self._held.append(head)
        if not newline:
            return []
        first = b"".join(self._held)
        *lines, rest = tail.split(b"\n")
        if len(piece) > self.cap and max(map(len, (*lines, rest))) > self.cap:
            raise MalformedAnswer(f"the server sent a line longer than {self.cap >> 20} MiB")
        self._held = [rest]
        self._size = len(rest)
        return [first, *lines]

    def end(self) -> bytes:
        """What stands after the last line break."""
        rest = b"".join(self._held)
        self._held = []
        return rest

    def _unified(self, piece: bytes) -> bytes:
        """Every kind of line break as LF; the LF of a CRLF cut in two is dropped."""
        if self._skip_newline and piece:
            piece = piece.removeprefix(b"\n")
            self._skip_newline = False
        self._skip_newline = self._skip_newline or piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_mark(self, piece: bytes) -> bytes:
        """The body's first bytes without a byte order mark, even one that comes in pieces."""
        start = b"".join(self._held) + piece
        if len(start) < 3 and BYTE_ORDER_MARK.startswith(start):
            return piece
        self._fresh = False
        self._held = []
        self._size = 0
        return start.removeprefix(BYTE_ORDER_MARK)


class ServerSentEvents:
    """Frames of `text/event-stream`: data lines joined, comments and other fields dropped."""

    def __init__(self, cap: int = LINE_CAP) -> None:
        self._lines = Lines(cap)
        self._cap = cap
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that are complete now.

        Raises:
            MalformedAnswer: one line or one frame is longer than the cap.
        """
        return self._frames(self._lines.feed(piece))

    def end(self) -> list[Frame]:
        """The last frame, if the stream ended without its blank line."""
        return self._frames([self._lines.end(), b""])

    def _frames(self, lines: list[bytes]) -> list[Frame]:
        frames = []
        for line in lines:
            if line.startswith(b"data:"):
                self._add(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line:
                if self._data:
                    frames.append(Frame(b"\n".join(self._data), self._event))
                    self._data = []
                    self._size = 0
                self._event = ""
            elif line.startswith(b"event:"):
                self._event = line[6:].strip().decode("utf-8", "replace")
        return frames

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._cap:
            raise MalformedAnswer(f"the server sent a frame longer than {self._cap >> 20} MiB")
        self._data.append(data)


class NDJSON:
    """One JSON object a line; blank lines are dropped."""

    def __init__(self, cap: int = LINE_CAP) -> None:
        self._lines = Lines(cap)

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that are complete now.

        Raises:
            MalformedAnswer: a line is longer than the cap.
        """
        return [Frame(line) for line in self._lines.feed(piece) if line.strip()]

    def end(self) -> list[Frame]:
        """The last line, if the stream ended without a line break."""
        rest = self._lines.end()
        return [Frame(rest)] if rest.strip() else []


class Whole:
    """The body as one frame: the answer to a plain request; at most `cap` bytes."""

    def __init__(self, cap: int = 64 * 1024 * 1024) -> None:
        self._cap = cap
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Frame]:
        """Nothing yet.

        Raises:
            MalformedAnswer: the body is longer than the cap.
        """
        self._size += len(piece)
        if self._size > self._cap:
            raise MalformedAnswer(f"the answer's body is longer than {self._cap >> 20} MiB")
        self._pieces.append(piece)
        return []

    def end(self) -> list[Frame]:
        """The whole body, named BODY; nothing if it is empty."""
        body = b"".join(self._pieces)
        return [Frame(body, BODY)] if body.strip() else []
