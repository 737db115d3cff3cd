"""One request and its answer as parsed frames, whatever the server really sent."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from ..errors import IncompleteAnswer, MalformedAnswer, NetworkError
from ..events import Note
from .carrier import Answer, Carrier, Request
from .framing import BYTE_ORDER_MARK, Frame, Framing, ServerSentEvents, Whole
from .patience import Patience

DONE = b"[DONE]"
WRONG_ENDPOINT = "check the endpoint in the profile: does it need /v1 at its end?"
CUT_INSIDE = "the stream ended inside a frame"
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
    reader = _Reader()
    log.debug("%s %s", request.method, request.url)
    async with carrier.open(request, patience) as answer:
        log.debug("HTTP %d from %s", answer.status, request.url)
        frames: Any = _frames(answer, framing)
        async with aclosing(frames):
            try:
                async for frame, is_tail in frames:
                    parsed = reader.parse(frame, is_tail)
                    if reader.replaced == 1:
                        reader.replaced = 2
                        yield Note("the server sent bytes that are not UTF-8: shown as \ufffd")
                    if parsed is not None:
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
        yield frame, not isinstance(framing, Whole)


def _fitting(start: bytes, answer: Answer, framing: Framing) -> Framing:
    """The framing that fits the body's first bytes: some servers answer stream=true with JSON.

    Raises:
        MalformedAnswer: it is an HTML page.
    """
    if start.startswith(b"<") or answer.content_type == "text/html":
        raise MalformedAnswer(
            f"{answer.url} is not a model's address: a web page came back", hint=WRONG_ENDPOINT
        )
    if isinstance(framing, ServerSentEvents) and start.startswith((b"{", b"[")):
        return Whole()
    return framing


class _Reader:
    """Parses frames; `replaced` is 1 once a frame held bytes that are not UTF-8. `torn`: the
    stream ended inside a frame."""

    def __init__(self) -> None:
        self.replaced = 0
        self.torn = False

    def parse(self, frame: Frame, is_tail: bool) -> Parsed | None:
        """The frame's JSON; None for a tail that is no JSON: the stream was cut inside it."""
        if frame.data.strip() == DONE:
            return {}, "[DONE]"
        try:
            text = frame.data.decode()
        except UnicodeDecodeError:
            text = frame.data.decode("utf-8", "replace")
            self.replaced = self.replaced or 1
        try:
            return json.loads(text), frame.event
        except (ValueError, RecursionError):
            if is_tail:
                self.torn = bool(frame.data.strip())
                return None
            raise MalformedAnswer(
                "the server sent something that is not JSON", hint=WRONG_ENDPOINT
            ) from None
