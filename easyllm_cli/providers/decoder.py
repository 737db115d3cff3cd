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
from ..transport.framing import BODY_EVENT
from ..transport.response_errors import error_from_body, find_error_message, is_error_body
from .finish_reasons import (
    CONTEXT_FULL,
    FAILED,
    LENGTH,
    STOP,
    UNKNOWN,
    classify_reason,
    parse_reason_word,
    takes_precedence,
)


class SurrogateJoiner:
    """Events in, events out; the first half of a pair waits for the second one."""

    def __init__(self) -> None:
        self._half = ""
        self._kind: type[Text] | type[Reasoning] = Text

    def join(self, event: Event) -> Iterator[Event]:
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


MAX_REFUSAL_CHARS = 65_536  # characters; what a refusal says counts towards no other cap
# Seconds: for the usage frame behind a finish reason, and for the body's own end behind the
# end marker.
USAGE_WAIT_SECONDS = 2.0
BODY_END_WAIT_SECONDS = 0.25
MULTIPLE_ANSWERS_NOTE = (
    "the server sent more than one answer: the first is shown, the others are left out"
)


class Decoder(ABC):
    """Reads one answer. `read` is called for every frame, `end` once when the body is over.

    A finish reason is a claim: text behind it belongs to the answer, and shows that this server's
    claims are worth nothing. `ended`: a claim or the end marker came. `over`: the end marker came,
    or what stands for it, and no text behind it. `whole`: the frame at hand is the whole body.
    `wrote`: there was answer text. `refusal`: what came in the field made for refusals.
    `left_out`: what of the answer is no text. `context_full`: it was cut at the model's context.
    `claims_are_common`: servers of this protocol claim the end in every frame.
    """

    claims_end_in_every_frame: ClassVar[bool] = False

    def __init__(self, stream: bool) -> None:
        self.stream = stream
        self.frame_count = 0
        self.last_frame: Any = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.end_claimed = False
        self.is_whole_body = False
        self.end_marker_seen = False
        self.wrote = False
        self.refusal = ""
        self.omitted_content = ""
        self.context_full = False
        self._sent_notes: set[str] = set()  # notes
        self.choice_index: Any = None  # which of several answers is read; None = not known yet
        self._end_claims = 0
        self._end_claims_checked = 0  # claims that `seconds_left` has seen
        self._marked_in_frame = False  # the newest frame set `over`
        self._claim_without_text = False  # nothing was said beside the newest claim, nor behind it
        self._text_after_claim = False  # something was said behind a claim

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        """The events of one frame.

        Raises:
            EasyLLMError: the frame reports the provider's own error.
        """
        # Gemini without alt=sse: all frames in one array
        for frame in body if isinstance(body, list) and body else [body]:
            yield from self._read_frame(frame, event)

    def _read_frame(self, body: Any, event: str) -> Iterator[Event]:
        self.is_whole_body = event == BODY_EVENT
        self.frame_count += 1
        self.last_frame = body
        if not isinstance(body, dict) or event == "error" or self.is_error(body):
            if isinstance(body, dict) and body:
                yield from self._read_text_beside_error(body)
                raise error_from_body(body)
            raise MalformedAnswer("the server sent a frame that is no object")
        try:
            yield from self.decode(body)
        except (AttributeError, TypeError, KeyError, RecursionError) as error:
            raise MalformedAnswer("the server sent a frame of an unknown shape") from error

    def _read_text_beside_error(self, body: dict[str, Any]) -> Iterator[Event]:
        """What of the answer came in the frame that reports an error."""
        with suppress(EasyLLMError, AttributeError, TypeError, KeyError, RecursionError):
            for event in self.decode(body):
                if isinstance(event, Text | Reasoning):
                    yield event

    def is_error(self, body: dict[str, Any]) -> bool:
        """Whether a frame is the provider's error report."""
        return is_error_body(body)

    @abstractmethod
    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        """The events of one good frame; sets `usage`, `finish` and `ended`."""

    def choose_index(self, choices: list[Any]) -> None:
        """Which of several answers is read: the one numbered 0, or where a server begins with
        another that one."""
        numbers = [one.get("index") or 0 for one in choices if isinstance(one, dict)]
        if numbers:
            self.choice_index = 0 if 0 in numbers else numbers[0]

    def note_once(self, text: str) -> Iterator[Event]:
        """A note, once."""
        if text not in self._sent_notes:
            self._sent_notes.add(text)
            yield Note(text)

    def finished(self, reason: Any = None) -> None:
        """The server says that the answer is over, and perhaps why."""
        self.end_claimed = True
        self._end_claims += 1
        self.set_finish_reason(reason)

    def set_finish_reason(self, reason: Any) -> None:
        """Why the answer ends, or will. The last reason counts, but none makes an answer whole
        that an earlier one has cut."""
        word = parse_reason_word(reason)
        kind = classify_reason(word)
        if not kind or not takes_precedence(word, self.finish_reason):
            return
        self.context_full = self.context_full or kind == CONTEXT_FULL
        self.finish_reason = {CONTEXT_FULL: LENGTH, FAILED: word, UNKNOWN: word}.get(kind, kind)

    def raise_for_error(self, holder: dict[str, Any]) -> None:
        """Look for an error inside a part of a frame.

        Raises:
            EasyLLMError: there is one.
        """
        error = holder.get("error")
        if error and isinstance(error, dict | str):
            raise error_from_body({"error": error})

    def next_frame_timeout(self, had_text: bool) -> float | None:
        """How long to wait for what may stand behind the frame just read, once `ended`.

        None = as long as for any frame: something was said beside the claim, or behind one, so
        that more may come. `spoke`: the frame held text or reasoning.
        """
        claimed, behind = self._end_claims > self._end_claims_checked, self._end_claims_checked > 0
        self._end_claims_checked = self._end_claims
        if had_text:
            self.end_marker_seen = self.end_marker_seen and (self._marked_in_frame or not behind)
            self._text_after_claim = self._text_after_claim or behind
            self._claim_without_text = False
        elif claimed:
            self._claim_without_text = True
        self._marked_in_frame = False
        if self.end_marker_seen:
            return BODY_END_WAIT_SECONDS
        return (
            USAGE_WAIT_SECONDS
            if self._claim_without_text and self.can_be_complete and not self._text_after_claim
            else None
        )

    @property
    def can_be_complete(self) -> bool:
        """Whether the answer may be over: without text none is whole, so that a first frame which
        says `stop` ends nothing."""
        return self.wrote or self.finish_reason not in (None, STOP)

    def mark(self) -> None:
        """The end marker came, or what stands for it: nothing is expected behind it."""
        self.end_marker_seen = self._marked_in_frame = True

    def is_end_credible(self, disconnected: bool) -> bool:
        """Whether the claim is believed although the connection was cut, or left open (`cut`
        False): there was nothing behind it, and where it was cut nothing beside it either."""
        if self.end_marker_seen:
            return True
        if not self.end_claimed or self._text_after_claim:
            return False
        return self._claim_without_text or not (disconnected or self.claims_end_in_every_frame)

    def add_refusal(self, text: str) -> None:
        """More words of a refusal, in the field that is made for it.

        Raises:
            FilteredError, IncompleteAnswer: they are too many; the latter after text.
        """
        self.refusal += text
        if len(self.refusal) > MAX_REFUSAL_CHARS:
            raise (
                IncompleteAnswer("the refusal has no end") if self.wrote else self._refusal_error()
            )

    def _refusal_error(self) -> FilteredError:
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
            raise self._refusal_error()
        if self.refusal:
            self.set_finish_reason("content_filter")
        body = self.last_frame
        if not started and not self.finish_reason and isinstance(body, dict) and (
            find_error_message(body) and not isinstance(body.get("message"), dict)
        ):  # fmt: skip
            raise error_from_body(body)  # no answer but words: they say why
        if self.usage is not None:
            yield self.usage
        if not self.end_claimed:
            if started:
                raise IncompleteAnswer(
                    "the answer is incomplete: the stream ended without its end marker",
                    hint="ask again",
                )
            raise MalformedAnswer("the server sent an empty answer", hint="check the endpoint")
        if self.finish_reason and classify_reason(self.finish_reason) == FAILED:
            raise BusyError(f'the provider gave up (finish_reason "{self.finish_reason}")')
        if self.omitted_content and self.wrote:
            yield Note(f"the answer also holds {self.omitted_content}: left out")
        elif self.omitted_content and self.finish_reason in (None, STOP):
            raise MalformedAnswer(
                f"the answer is {self.omitted_content}, not text", hint="ask for text"
            )
        response = {"frames": self.frame_count, "last": body} if self.stream else body
        yield Done(self.finish_reason, self.finish_reason in (None, STOP), response)


def format_code_block(text: str, language: str) -> str:
    """A code block and a blank line; its fence is longer than any in the text.

    `language`: a provider's word, left out where it is no word.
    """
    longest = max((len(one) for one in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    name = language.lower() if language.isalnum() else ""
    return f"{fence}{name}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n\n"


def block_separator(text: str) -> str:
    """What a block needs before it behind this text, so that it begins a line."""
    return "" if not text or text.endswith("\n") else "\n\n"
