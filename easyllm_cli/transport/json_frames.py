"""Sends one request and yields the response's frames as parsed JSON."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from ..errors import IncompleteAnswer, MalformedAnswer, NetworkError
from ..events import Note
from .base import Request, Response, Transport
from .bounded_json import MAX_UNCHECKED_BYTES, require_bounded_memory
from .framing import (
    BODY_EVENT,
    BYTE_ORDER_MARK,
    NDJSON,
    BodyOrLines,
    Frame,
    Framing,
    ServerSentEvents,
    WholeBody,
)
from .response_errors import WRONG_ENDPOINT_HINT
from .timeouts import ResponseTimer

DONE_MARKER = b"[DONE]"
TRUNCATED_FRAME_MESSAGE = "the stream ended inside a frame"
# The starts of an event stream's lines; a Content-Type may be wrong.
SSE_LINE_PREFIXES = (b"data:", b"event:", b":", b"id:", b"retry:")
KEEP_ALIVE_EVENTS = ("ping", "heartbeat", "keepalive", "keep-alive", "keep_alive")
ParsedFrame = tuple[Any, str]
log = logging.getLogger(__name__)


async def read_frames(
    transport: Transport,
    request: Request,
    framing: Framing,
    timer: ResponseTimer,
    on_headers: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> AsyncIterator[ParsedFrame | Note]:
    """Send the request and yield each frame as (parsed JSON, event name).

    `[DONE]` becomes ({}, "[DONE]"). Bytes that are not UTF-8 become U+FFFD, with one Note.
    `on_headers` gets the headers of a response with status 2xx.
    Raises:
        NetworkError: no response came. IncompleteAnswer: it was cut after text or reasoning.
        MalformedAnswer: the response is an HTML page, or a frame is not JSON.
        EasyLLMError: the subclass for the status, unless it is 2xx.
    """
    parser = _FrameParser(_endpoint_hint(request.url))
    log.debug("%s %s", request.method, request.url)
    async with transport.open(request, timer) as response, aclosing(response):
        log.debug("HTTP %d from %s", response.status, request.url)
        on_headers(response.headers)
        splitter = _FrameSplitter(response, framing)
        try:
            while not splitter.ended:
                for frame in splitter.feed(await response.read_chunk()):
                    # A tail is data after the stream's last line break.
                    is_tail = splitter.ended and frame.event != BODY_EVENT
                    for parsed in parser.parse(frame, is_tail):
                        if parser.replacement_state == 1:
                            parser.replacement_state = 2
                            yield Note("the server sent bytes that are not UTF-8: shown as \ufffd")
                        yield parsed
            if parser.truncated and timer.has_progress:
                raise NetworkError(TRUNCATED_FRAME_MESSAGE)
        except NetworkError as error:
            if not timer.has_progress:
                raise
            raise IncompleteAnswer(
                f"the answer was cut: {error.message}", hint="ask again"
            ) from error


class _FrameSplitter:
    """Splits the chunks of a response into frames, with the framing that fits its first bytes."""

    def __init__(self, response: Response, framing: Framing) -> None:
        self.ended = False
        self._response = response
        self._framing = framing
        self._body_start: bytes | None = b""  # None = the framing is chosen

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that are complete now; an empty chunk is the end of the body."""
        if not chunk:
            self.ended = True
            return self._framing.end()
        if self._body_start is not None:
            self._body_start = start = (self._body_start + chunk).lstrip(b" \t\r\n")
            if BYTE_ORDER_MARK.startswith(start):  # empty, or a part of the mark
                return []
            self._framing = _choose_framing(
                start.removeprefix(BYTE_ORDER_MARK), self._response, self._framing
            )
            chunk, self._body_start = start, None
        return self._framing.feed(chunk)


def _endpoint_hint(url: str) -> str:
    """Return a hint for a response that is not a model's; suggests /v1 only if it is missing."""
    return "check the endpoint in the profile" if "/v1/" in url else WRONG_ENDPOINT_HINT


def _choose_framing(start: bytes, response: Response, framing: Framing) -> Framing:
    """Return the framing that fits the body's first bytes.

    They are more reliable than the request and the Content-Type: some servers answer stream=true
    with JSON, and some always stream.
    Raises:
        MalformedAnswer: the body is an HTML page.
    """
    is_json = start.startswith((b"{", b"["))
    is_event_stream = not is_json and any(
        start.startswith(prefix) or prefix.startswith(start) for prefix in SSE_LINE_PREFIXES
    )
    if start.startswith(b"<") or (
        response.content_type == "text/html" and not (is_event_stream or is_json)
    ):
        raise MalformedAnswer(
            f"{response.url} returned a web page, not a model's answer",
            hint=_endpoint_hint(response.url),
        )
    if isinstance(framing, ServerSentEvents) and is_json:
        return BodyOrLines()
    if isinstance(framing, NDJSON) and re.match(rb"[{\[][ \t]*[\r\n]", start):
        return WholeBody()  # one object over several lines
    if isinstance(framing, NDJSON | WholeBody) and is_event_stream:
        return ServerSentEvents()
    return framing


class _FrameParser:
    """Parses frames to JSON; `hint` goes into the error for a frame that is not JSON.

    `replacement_state`: 0 = all bytes were UTF-8 so far, 1 = some were replaced with U+FFFD, 2 =
    the caller has reported it. `truncated`: the stream ended inside a frame.
    """

    def __init__(self, hint: str) -> None:
        self.replacement_state = 0
        self.truncated = False
        self._hint = hint

    def parse(self, frame: Frame, is_tail: bool) -> Iterable[ParsedFrame]:
        """Return the frame's JSON as (value, event name) pairs.

        Returns nothing for a keep-alive, and for a tail that is not JSON: the stream was cut
        inside it.
        Raises:
            MalformedAnswer: neither the frame nor its lines are JSON, or it needs too much memory.
        """
        data, event = frame
        try:
            value = (
                self._parse_value(data)
                if len(data) >= MAX_UNCHECKED_BYTES
                else json.loads(data.decode())
            )
        except (ValueError, RecursionError):
            return self._parse_leniently(frame, is_tail)
        if value and not event and value != "[DONE]":
            return ((value, event),)
        return self._frames_from_value(value, event)

    def _frames_from_value(self, value: Any, event: str) -> tuple[ParsedFrame, ...]:
        """Return the (value, event name) pairs of a frame whose JSON is parsed."""
        if event == BODY_EVENT:
            return ((value, event),)
        if event in KEEP_ALIVE_EVENTS:
            return ()
        if event == "error":
            return (
                (
                    value
                    if value and isinstance(value, dict)
                    else _wrap_error_message(value or ""),
                    event,
                ),
            )
        if value == "[DONE]":
            return (({}, "[DONE]"),)
        return ((value, event),) if value else ()

    def _parse_leniently(self, frame: Frame, is_tail: bool) -> Iterable[ParsedFrame]:
        """Parse a frame that is not JSON in UTF-8: replace wrong bytes, or parse line by line."""
        data, event = frame
        if event in KEEP_ALIVE_EVENTS:
            return ()
        try:
            value = self._parse_value(data)
        except (ValueError, RecursionError):
            return self._parse_lines(frame, is_tail)
        return self._frames_from_value(value, event)

    def _parse_value(self, data: bytes | bytearray) -> Any:
        """Return the parsed JSON. Raises ValueError, RecursionError or MalformedAnswer."""
        require_bounded_memory(data)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("utf-8", "replace")
            self.replacement_state = self.replacement_state or 1
        return json.loads(text)

    def _parse_lines(self, frame: Frame, is_tail: bool) -> Iterator[ParsedFrame]:
        """Parse each line of a frame: some servers omit the blank lines between frames."""
        data, event = frame
        if event == "error":
            yield _wrap_error_message(data.decode("utf-8", "replace")), event
            return
        start = 0
        has_value = False
        while start < len(data):
            end = data.find(b"\n", start)
            end = len(data) if end < 0 else end
            line = bytes(data[start:end]).strip()
            start = end + 1
            try:
                value = {} if not line or line == DONE_MARKER else self._parse_value(line)
            except (ValueError, RecursionError):
                if start > len(data) and (is_tail or (has_value and event == BODY_EVENT)):
                    self.truncated = True
                    return
                raise MalformedAnswer(
                    "the server sent something that is not JSON", hint=self._hint
                ) from None
            has_value = True
            if line == DONE_MARKER or value == "[DONE]":
                yield {}, "[DONE]"
            elif value:
                yield value, "" if event == BODY_EVENT else event


def _wrap_error_message(message: Any) -> dict[str, Any]:
    """Wrap an error event's data that is not an object in an error object."""
    return {"error": {"message": message if isinstance(message, str) else json.dumps(message)}}
