"""Decoder: the frames of one protocol become events, in a stream and in a plain answer alike."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from ..errors import BusyError, EasyLLMError, FilteredError, IncompleteAnswer, MalformedAnswer
from ..events import Done, Event, Note, Reasoning, Text, Usage
from ..transport.framing import BODY
from ..transport.response_errors import from_object, message_of, reports_error
from .finish_reasons import CONTEXT, FAILED, LENGTH, STOP, UNKNOWN, counts_more, kind_of, word_of


class Surrogates:
    """Events in, events out; the first half of a pair waits for the second one."""

    def __init__(self) -> None:
        self._half = ""
        self._kind: type[Text] | type[Reasoning] = Text

    def whole(self, event: Event) -> Iterator[Event]:
        """The events without halves; a half that finds no partner becomes U+FFFD."""
        if not isinstance(event, Text | Reasoning):
            yield event
            return
        text = event.text
        if self._half:
            if isinstance(event, self._kind):
                text = self._half + text
            else:
                yield self._kind("\ufffd")
            self._half = ""
        if "\ud800" <= text[-1:] <= "\udbff":
            self._half, self._kind = text[-1], type(event)
            text = text[:-1]
        if not text.isascii():
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if text != event.text:
            event = replace(event, text=text)
        if text or (isinstance(event, Reasoning) and event.hidden):
            yield event


MAX_REFUSAL = 65_536  # characters; what a refusal says counts towards no other cap
# Seconds: for the usage frame behind a finish reason, and for the body's own end behind the
# end marker.
AFTER_THE_END = 2.0
AFTER_THE_LAST = 0.25
MORE_ANSWERS = "the server sent more than one answer: the first is shown, the others are left out"


class Decoder(ABC):
    """Reads one answer. `read` is called for every frame, `end` once when the body is over.

    A finish reason is a claim: text behind it belongs to the answer, and shows that this server's
    claims are worth nothing. `ended`: a claim or the end marker came. `over`: the end marker came,
    or what stands for it, and no text behind it. `whole`: the frame at hand is the whole body.
    `wrote`: there was answer text. `refusal`: what came in the field made for refusals.
    `left_out`: what of the answer is no text. `context_full`: it was cut at the model's context.
    `claims_are_common`: servers of this protocol claim the end in every frame.
    """

    claims_are_common: ClassVar[bool] = False

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
        self.left_out = ""
        self.context_full = False
        self._told: set[str] = set()  # notes
        self.index: Any = None  # which of several answers is read; None = not known yet
        self._claims = 0
        self._weighed = 0  # claims that `seconds_left` has seen
        self._marked = False  # the newest frame set `over`
        self._bare = False  # nothing was said beside the newest claim, nor behind it
        self._disproved = False  # something was said behind a claim

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
                yield from self._text_beside_error(body)
                raise from_object(body)
            raise MalformedAnswer("the server sent a frame that is no object")
        try:
            yield from self.decode(body)
        except (AttributeError, TypeError, KeyError, RecursionError) as error:
            raise MalformedAnswer("the server sent a frame of an unknown shape") from error

    def _text_beside_error(self, body: dict[str, Any]) -> Iterator[Event]:
        """What of the answer came in the frame that reports an error."""
        with suppress(EasyLLMError, AttributeError, TypeError, KeyError, RecursionError):
            for event in self.decode(body):
                if isinstance(event, Text | Reasoning):
                    yield event

    def is_error(self, body: dict[str, Any]) -> bool:
        """Whether a frame is the provider's error report."""
        return reports_error(body)

    @abstractmethod
    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        """The events of one good frame; sets `usage`, `finish` and `ended`."""

    def choose(self, answers: list[Any]) -> None:
        """Which of several answers is read: the one numbered 0, or where a server begins with
        another that one."""
        numbers = [one.get("index") or 0 for one in answers if isinstance(one, dict)]
        if numbers:
            self.index = 0 if 0 in numbers else numbers[0]

    def tell(self, text: str) -> Iterator[Event]:
        """A note, once."""
        if text not in self._told:
            self._told.add(text)
            yield Note(text)

    def finished(self, reason: Any = None) -> None:
        """The server says that the answer is over, and perhaps why."""
        self.ended = True
        self._claims += 1
        self.because(reason)

    def because(self, reason: Any) -> None:
        """Why the answer ends, or will. The last reason counts, but none makes an answer whole
        that an earlier one has cut."""
        word = word_of(reason)
        kind = kind_of(word)
        if not kind or not counts_more(word, self.finish):
            return
        self.context_full = self.context_full or kind == CONTEXT
        self.finish = {CONTEXT: LENGTH, FAILED: word, UNKNOWN: word}.get(kind, kind)

    def refuse_error(self, holder: dict[str, Any]) -> None:
        """Look for an error inside a part of a frame.

        Raises:
            EasyLLMError: there is one.
        """
        error = holder.get("error")
        if error and isinstance(error, dict | str):
            raise from_object({"error": error})

    def seconds_left(self, spoke: bool) -> float | None:
        """How long to wait for what may stand behind the frame just read, once `ended`.

        None = as long as for any frame: something was said beside the claim, or behind one, so
        that more may come. `spoke`: the frame held text or reasoning.
        """
        claimed, behind = self._claims > self._weighed, self._weighed > 0
        self._weighed = self._claims
        if spoke:
            self.over = self.over and (self._marked or not behind)
            self._disproved = self._disproved or behind
            self._bare = False
        elif claimed:
            self._bare = True
        self._marked = False
        if self.over:
            return AFTER_THE_LAST
        return AFTER_THE_END if self._bare and self.plausible and not self._disproved else None

    @property
    def plausible(self) -> bool:
        """Whether the answer may be over: without text none is whole, so that a first frame which
        says `stop` ends nothing."""
        return self.wrote or self.finish not in (None, STOP)

    def mark(self) -> None:
        """The end marker came, or what stands for it: nothing is expected behind it."""
        self.over = self._marked = True

    def stands(self, cut: bool) -> bool:
        """Whether the claim is believed although the connection was cut, or left open (`cut`
        False): there was nothing behind it, and where it was cut nothing beside it either."""
        if self.over:
            return True
        if not self.ended or self._disproved:
            return False
        return self._bare or not (cut or self.claims_are_common)

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
            MalformedAnswer: there was nothing at all in it, or nothing that is text.
            BusyError: the marker says that the provider failed.
        """
        if self.refusal and not self.wrote:
            raise self._refused()
        if self.refusal:
            self.because("content_filter")
        if not started and not self.finish and isinstance(self.last, dict) and (
            message_of(self.last) and not isinstance(self.last.get("message"), dict)
        ):  # fmt: skip
            raise from_object(self.last)  # no answer but words: they say why
        if self.usage is not None:
            yield self.usage
        if not self.ended:
            if started:
                raise IncompleteAnswer(
                    "the answer is incomplete: the stream ended without its end marker",
                    hint="ask again",
                )
            raise MalformedAnswer("the server sent an empty answer", hint="check the endpoint")
        if self.finish and kind_of(self.finish) == FAILED:
            raise BusyError(f'the provider gave up (finish_reason "{self.finish}")')
        if self.left_out and self.wrote:
            yield Note(f"the answer also holds {self.left_out}: left out")
        elif self.left_out and self.finish in (None, STOP):
            raise MalformedAnswer(f"the answer is {self.left_out}, not text", hint="ask for text")
        response = {"frames": self.frames, "last": self.last} if self.stream else self.last
        yield Done(self.finish, self.finish in (None, STOP), response)


def fenced(text: str, language: str) -> str:
    """A code block and a blank line; its fence is longer than any in the text.

    `language`: a provider's word, left out where it is no word.
    """
    longest = max((len(one) for one in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    name = language.lower() if language.isalnum() else ""
    return f"{fence}{name}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n\n"


def line_end_after(text: str) -> str:
    """What a block needs before it behind this text, so that it begins a line."""
    return "" if not text or text.endswith("\n") else "\n\n"
