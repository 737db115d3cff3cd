"""One request and its answer as parsed frames, whatever the server really sent."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

from ..errors import IncompleteAnswer, MalformedAnswer, NetworkError
from ..events import Note
from .base import Answer, Carrier, Request
from .bounded_json import SMALL, refuse_dense
from .framing import (
    BODY,
    BYTE_ORDER_MARK,
    NDJSON,
    BodyOrLines,
    Frame,
    Framing,
    ServerSentEvents,
    Whole,
)
from .response_errors import WRONG_ENDPOINT
from .timeouts import Patience

DONE = b"[DONE]"
CUT_INSIDE = "the stream ended inside a frame"
# How the lines of an event stream begin, whatever the Content-Type calls it.
EVENT_LINES = (b"data:", b"event:", b":", b"id:", b"retry:")
KEEP_ALIVE = ("ping", "heartbeat", "keepalive", "keep-alive", "keep_alive")  # names of events
Parsed = tuple[Any, str]
log = logging.getLogger(__name__)


async def exchange(
    carrier: Carrier, request: Request, framing: Framing, patience: Patience
) -> AsyncIterator[Parsed | Note]:
    """Each frame as (parsed JSON, event name); `[DONE]` as ({}, "[DONE]").

    Bytes that are not UTF-8 become U+FFFD, with one Note.
    Raises:
        NetworkError: no answer came. IncompleteAnswer: it was cut after text or reasoning.
        MalformedAnswer: an HTML page, or a frame that is no JSON.
    """
    reader = _Reader(_hint(request.url))
    log.debug("%s %s", request.method, request.url)
    async with carrier.open(request, patience) as answer:
        log.debug("HTTP %d from %s", answer.status, request.url)
        frames: Any = _frames(answer, framing)
        async with aclosing(frames):
            try:
                async for frame, is_tail in frames:
                    for parsed in reader.parse(frame, is_tail):
                        if reader.replaced == 1:
                            reader.replaced = 2
                            yield Note("the server sent bytes that are not UTF-8: shown as \ufffd")
                        yield parsed
                if reader.torn and patience.started:
                    raise NetworkError(CUT_INSIDE)
            except NetworkError as error:
                if not patience.started:
                    raise
                raise IncompleteAnswer(
                    f"the answer was cut: {error.message}", hint="ask again"
                ) from error


async def _frames(answer: Answer, framing: Framing) -> AsyncIterator[tuple[Frame, bool]]:
    """Frames, and whether one is a tail: what stood behind the last line break at the end."""
    pieces: Any = answer.pieces()
    lead: bytes | None = b""
    async with aclosing(pieces):
        async for piece in pieces:
            if lead is not None:
                lead = (lead + piece).lstrip(b" \t\r\n")
                if BYTE_ORDER_MARK.startswith(lead):  # nothing yet, or not yet all of the mark
                    continue
                framing = _fitting(lead.removeprefix(BYTE_ORDER_MARK), answer, framing)
                piece, lead = lead, None
            for frame in framing.feed(piece):
                yield frame, False
    for frame in framing.end():
        yield frame, frame.event != BODY


def _hint(url: str) -> str:
    """What to do about an answer that is none: never to add a /v1 that is there."""
    return "check the endpoint in the profile" if "/v1/" in url else WRONG_ENDPOINT


def _fitting(start: bytes, answer: Answer, framing: Framing) -> Framing:
    """The framing that fits the body's first bytes: they tell more than what was asked for, and
    than the Content-Type. Some servers answer stream=true with JSON, some always stream.

    Raises:
        MalformedAnswer: it is an HTML page.
    """
    events = any(start.startswith(line) or line.startswith(start) for line in EVENT_LINES)
    values = start.startswith((b"{", b"["))
    if start.startswith(b"<") or (answer.content_type == "text/html" and not (events or values)):
        raise MalformedAnswer(
            f"{answer.url} is not a model's address: a web page came back", hint=_hint(answer.url)
        )
    if isinstance(framing, ServerSentEvents) and values:
        return BodyOrLines()
    if isinstance(framing, NDJSON) and re.match(rb"[{\[][ \t]*[\r\n]", start):
        return Whole()  # one object, written over many lines
    if isinstance(framing, NDJSON | Whole) and events:
        return ServerSentEvents()
    return framing


class _Reader:
    """Parses frames; `replaced` is 1 once a frame held bytes that are not UTF-8.

    `torn`: the stream ended inside a frame. `hint`: what to do where a server sends no JSON.
    """

    def __init__(self, hint: str) -> None:
        self.replaced = 0
        self.torn = False
        self._hint = hint

    def parse(self, frame: Frame, is_tail: bool) -> Iterable[Parsed]:
        """The frame's JSON; nothing for a frame that only keeps the connection open, and for a
        tail that is no JSON: the stream was cut inside it.

        Raises:
            MalformedAnswer: it is no JSON, nor are its lines.
        """
        data, event = frame
        try:
            made = self._value(data) if len(data) >= SMALL else json.loads(data.decode())
        except (ValueError, RecursionError):
            return self._otherwise(frame, is_tail)
        if made and not event and made != "[DONE]":
            return ((made, event),)
        return self._told(made, event)

    def _told(self, made: Any, event: str) -> tuple[Parsed, ...]:
        """A frame with a name, or with nothing in it."""
        if event == BODY:
            return ((made, event),)
        if event in KEEP_ALIVE:
            return ()
        if event == "error":
            return ((made if made and isinstance(made, dict) else _error(made or ""), event),)
        if made == "[DONE]":
            return (({}, "[DONE]"),)
        return ((made, event),) if made else ()

    def _otherwise(self, frame: Frame, is_tail: bool) -> Iterable[Parsed]:
        """A frame that is no JSON in UTF-8."""
        data, event = frame
        if event in KEEP_ALIVE:
            return ()
        try:
            made = self._value(data)
        except (ValueError, RecursionError):
            return self._lines(frame, is_tail)
        return self._told(made, event)

    def _value(self, data: bytes | bytearray) -> Any:
        """The parsed JSON. Raises ValueError, RecursionError or MalformedAnswer."""
        refuse_dense(data)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("utf-8", "replace")
            self.replaced = self.replaced or 1
        return json.loads(text)

    def _lines(self, frame: Frame, is_tail: bool) -> Iterator[Parsed]:
        """What stands in each line, where a server left out the line breaks between its frames."""
        data, event = frame
        if event == "error":
            yield _error(data.decode("utf-8", "replace")), event
            return
        start = 0
        came = False
        while start < len(data):
            end = data.find(b"\n", start)
            end = len(data) if end < 0 else end
            line = bytes(data[start:end]).strip()
            start = end + 1
            try:
                made = {} if not line or line == DONE else self._value(line)
            except (ValueError, RecursionError):
                if start > len(data) and (is_tail or (came and event == BODY)):
                    self.torn = True
                    return
                raise MalformedAnswer(
                    "the server sent something that is not JSON", hint=self._hint
                ) from None
            came = True
            if line == DONE or made == "[DONE]":
                yield {}, "[DONE]"
            elif made:
                yield made, "" if event == BODY else event


def _error(words: Any) -> dict[str, Any]:
    """An error event that holds no object, as one."""
    return {"error": {"message": words if isinstance(words, str) else json.dumps(words)}}
