"""Decoder: the frames of one protocol become events, in a stream and in a plain answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from ..errors import BusyError, FilteredError, IncompleteAnswer, MalformedAnswer
from ..events import Done, Event, Usage
from ..transport.framing import BODY
from ..transport.status import from_object

MAX_REFUSAL = 65_536  # characters; what a refusal says counts towards no other cap
# The providers' words for an answer's end in OpenAI's (WIRE §8); others stay as they are.
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "image_safety": "content_filter",
    "refusal": "content_filter",
}
FAILED = ("error", "failed", "other", "insufficient_system_resource")


class Decoder(ABC):
    """Reads one answer. `read` is called for every frame, `end` once when the body is over.

    `ended`: the answer's end marker came. `over`: nothing can follow it. `whole`: the frame at
    hand is the whole body. `marker_is_final`: no text follows the marker in this protocol.
    `wrote`: there was answer text. `refusal`: what came in the field made for refusals.
    """

    marker_is_final: ClassVar[bool] = True

    def __init__(self, stream: bool) -> None:
        self.stream = stream
        self.frames = 0
        self.last: Any = None
        self.usage: Usage | None = None
        self.finish: str | None = None
        self.ended = False
        self.whole = False
        self.over = False
        self.wrote = False
        self.refusal = ""

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        """The events of one frame.

        Raises:
            EasyLLMError: the frame reports the provider's own error.
        """
        # Gemini without alt=sse: all frames in one array
        for frame in body if isinstance(body, list) and body else [body]:
            yield from self._read(frame, event)

    def _read(self, body: Any, event: str) -> Iterator[Event]:
        self.whole = event == BODY
        self.frames += 1
        self.last = body
        if not isinstance(body, dict) or event == "error" or self.is_error(body):
            if isinstance(body, dict) and body:
                raise from_object(body)
            raise MalformedAnswer("the server sent a frame that is no object")
        try:
            yield from self.decode(body)
        except (AttributeError, TypeError, KeyError, RecursionError) as error:
            raise MalformedAnswer("the server sent a frame of an unknown shape") from error

    def is_error(self, body: dict[str, Any]) -> bool:
        """Whether a frame is the provider's error report."""
        return bool(body.get("error")) or body.get("object") == "error"

    @abstractmethod
    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        """The events of one good frame; sets `usage`, `finish` and `ended`."""

    def finished(self, reason: str) -> None:
        """The terminal marker came, with the provider's word for why.

        A second one never turns a cut answer into a whole one: `stop` gives way to any other.
        """
        self.ended = True
        if reason and self.finish in (None, "stop"):
            self.finish = FINISH.get(reason.lower(), reason.lower())

    def refused(self, text: str) -> None:
        """More words of a refusal, in the field that is made for it.

        Raises:
            FilteredError, IncompleteAnswer: they are too many; the latter after text.
        """
        self.refusal += text
        if len(self.refusal) > MAX_REFUSAL:
            raise IncompleteAnswer("the refusal has no end") if self.wrote else self._refused()

    def _refused(self) -> FilteredError:
        return FilteredError(f"the model refused: {' '.join(self.refusal.split())[:300]}")

    def end(self, started: bool) -> Iterator[Event]:
        """Usage and Done; `started` = text or reasoning had come.

        Raises:
            FilteredError: the model refused in the field that is made for it (trap 27).
            IncompleteAnswer: the body ended without its terminal marker.
            MalformedAnswer: there was nothing at all in it.
            BusyError: the marker says that the provider failed.
        """
        if self.refusal and not self.wrote:
            raise self._refused()
        if self.refusal:
            self.finished("content_filter")
        if self.usage is not None:
            yield self.usage
        if not self.ended:
            if started:
                raise IncompleteAnswer(
                    "the answer is incomplete: the stream ended without its end marker",
                    hint="ask again",
                )
            raise MalformedAnswer("the server sent an empty answer", hint="check the endpoint")
        if self.finish and self.finish.startswith((*FAILED, "malformed")):
            raise BusyError(f'the provider gave up (finish_reason "{self.finish}")')
        response = {"frames": self.frames, "last": self.last} if self.stream else self.last
        yield Done(self.finish, self.finish in (None, "stop"), response)
