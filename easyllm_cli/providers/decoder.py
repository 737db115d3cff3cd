"""Base class of decoders, which turn a protocol's frames (streamed or buffered) into events."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any, ClassVar

from ..errors import (
    BusyError,
    EasyLLMError,
    FilteredError,
    FirstTokenTimeout,
    IncompleteAnswer,
    MalformedAnswer,
    NetworkError,
)
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
from .json_values import parse_object

REASONING_PART_TYPES = ("thinking", "reasoning")  # `type` of a content part


class SurrogateJoiner:
    """Joins surrogate pairs that a server split between two deltas; holds the first half back."""

    def __init__(self) -> None:
        self._half = ""
        self._kind: type[Text] | type[Reasoning] = Text

    def join(self, event: Event) -> Iterable[Event]:
        """The event with its pairs joined. A lone surrogate becomes U+FFFD."""
        if not isinstance(event, Text | Reasoning):
            return (event,)
        if event.text.isascii() and event.text and not self._half:
            return (event,)  # most of the text, without the cost of a generator
        return self._join_text(event)

    def _join_text(self, event: Text | Reasoning) -> Iterator[Event]:
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


MAX_REFUSAL_CHARS = 65_536  # the limit for the answer's text does not count refusals
# Seconds to wait for the usage frame after a finish reason, and for the end of the body after the
# end marker.
USAGE_WAIT_SECONDS = 2.0
BODY_END_WAIT_SECONDS = 0.25
MULTIPLE_ANSWERS_NOTE = (
    "the server sent more than one answer: the first is shown, the others are left out"
)


class Decoder(ABC):
    """Decodes one response: call `read` for every frame, and `end` once after the body.

    A finish reason only claims the end: some servers send text after it. Such text belongs to the
    answer, and later claims of that server are not trusted.

    `end_claimed`: a finish reason or the end marker came. `end_marker_seen`: the end marker (or
    its equivalent) came, and no text after it. `is_whole_body`: the current frame is a buffered
    body. `wrote`: there was answer text. `refusal`: text of the protocol's refusal field.
    `omitted_content`: kind of content in the answer that is not text. `context_full`: the answer
    was cut at the model's context size. `claims_end_in_every_frame`: servers of this protocol may
    send a finish reason in every frame.
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
        self._sent_notes: set[str] = set()
        self.choice_index: Any = None  # which choice of the response is read; None = not known yet
        self._end_claims = 0
        self._end_claims_checked = 0  # claims that `next_frame_timeout` has seen
        self._marked_in_frame = False  # the newest frame called `mark`
        self._claim_without_text = False  # the newest claim came without text, and none followed
        self._text_after_claim = False  # text came after a claim

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        """Decode one frame into events.

        Raises:
            EasyLLMError: the frame reports an error of the provider.
            MalformedAnswer: the frame does not have the protocol's structure.
        """
        if isinstance(body, list) and body:  # Gemini without alt=sse sends all frames in one array
            return chain.from_iterable(self._read_frame(frame, event) for frame in body)
        return self._read_frame(body, event)

    def _read_frame(self, body: Any, event: str) -> Iterator[Event]:
        self.is_whole_body = event == BODY_EVENT
        self.frame_count += 1
        self.last_frame = body
        if not isinstance(body, dict) or event == "error" or self.is_error(body):
            if isinstance(body, dict) and body:
                yield from self._read_text_beside_error(body)
                raise error_from_body(body)
            raise MalformedAnswer("the server sent a frame that is not an object")
        try:
            yield from self.decode(body)
        except (AttributeError, TypeError, KeyError, RecursionError) as error:
            raise MalformedAnswer("the server sent a frame of an unknown format") from error

    def _read_text_beside_error(self, body: dict[str, Any]) -> Iterator[Event]:
        """The text and reasoning in a frame that also reports an error."""
        with suppress(EasyLLMError, AttributeError, TypeError, KeyError, RecursionError):
            for event in self.decode(body):
                if isinstance(event, Text | Reasoning):
                    yield event

    def is_error(self, body: dict[str, Any]) -> bool:
        """Whether a frame reports an error."""
        return is_error_body(body)

    @abstractmethod
    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        """Decode a frame that is not an error; sets `usage`, `finish_reason` and `end_claimed`."""

    def choose_index(self, choices: list[Any]) -> None:
        """Set which choice to read: index 0, or the first one if index 0 is not there."""
        indexes = [choice.get("index") or 0 for choice in choices if isinstance(choice, dict)]
        if indexes:
            self.choice_index = 0 if 0 in indexes else indexes[0]

    def note_once(self, text: str) -> Iterator[Event]:
        """Yield a Note, unless the same one was sent before."""
        if text not in self._sent_notes:
            self._sent_notes.add(text)
            yield Note(text)

    def finished(self, reason: Any = None) -> None:
        """Record that the server claims the end of the answer, with an optional finish reason."""
        self.end_claimed = True
        self._end_claims += 1
        self.set_finish_reason(reason)

    def finished_with_reason(self) -> None:
        """Record the end marker of a protocol whose complete answers always have a finish reason.

        Without a finish reason the end is not claimed, so that the answer counts as incomplete.
        """
        if self.finish_reason is not None:
            self.finished()
        self.mark()

    def set_finish_reason(self, reason: Any) -> None:
        """Record a finish reason. A later one replaces it, unless it ranks lower as `stop` does."""
        word = parse_reason_word(reason)
        kind = classify_reason(word)
        if not kind or not takes_precedence(word, self.finish_reason):
            return
        self.context_full = self.context_full or kind == CONTEXT_FULL
        self.finish_reason = {CONTEXT_FULL: LENGTH, FAILED: word, UNKNOWN: word}.get(kind, kind)

    def raise_for_error(self, holder: dict[str, Any]) -> None:
        """Raise the error inside a part of a frame, if there is one.

        Raises:
            EasyLLMError: `holder["error"]` reports an error.
        """
        error = holder.get("error")
        if error and isinstance(error, dict | str):
            raise error_from_body({"error": error})

    def next_frame_timeout(self, had_text: bool) -> float | None:
        """Seconds to wait for another frame after an end claim; call it once per frame then.

        None = the usual timeout: more may follow, because text came with the claim or after it, or
        because there is no text yet.
        `had_text`: the frame just read contained text or reasoning.
        """
        claimed = self._end_claims > self._end_claims_checked
        after_claim = self._end_claims_checked > 0
        self._end_claims_checked = self._end_claims
        if had_text:
            self.end_marker_seen = self.end_marker_seen and (
                self._marked_in_frame or not after_claim
            )
            self._text_after_claim = self._text_after_claim or after_claim
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
        """Whether the answer can be over. `stop` before any text does not end it."""
        return self.wrote or self.finish_reason not in (None, STOP)

    def mark(self) -> None:
        """Record the end marker, or its equivalent: no frame is expected after it."""
        self.end_marker_seen = self._marked_in_frame = True

    def may_ignore(self, error: EasyLLMError) -> bool:
        """Whether the answer is whole although reading ended with this error.

        A connection that is cut, or stays open, after the answer's end does no harm.
        """
        if isinstance(error, MalformedAnswer):
            return False
        if isinstance(error, IncompleteAnswer):
            return self.is_end_credible(error.__cause__ is not None)  # the network error
        return isinstance(error, NetworkError) and self.is_end_credible(
            not isinstance(error, FirstTokenTimeout)
        )

    def is_end_credible(self, disconnected: bool) -> bool:
        """Whether to trust the claimed end although the body did not end properly.

        `disconnected`: the connection was cut; False = it stayed open until a timeout. Text after
        a claim makes it untrusted. So does text in the same frame, if the connection was cut or if
        the protocol's servers claim the end in every frame.
        """
        if self.end_marker_seen:
            return True
        if not self.end_claimed or self._text_after_claim:
            return False
        return self._claim_without_text or not (disconnected or self.claims_end_in_every_frame)

    def add_refusal(self, text: str) -> None:
        """Append text of the protocol's refusal field.

        Raises:
            FilteredError: the refusal exceeds MAX_REFUSAL_CHARS; IncompleteAnswer after text.
        """
        self.refusal += text
        if len(self.refusal) > MAX_REFUSAL_CHARS:
            raise (
                IncompleteAnswer("the refusal is too long") if self.wrote else self._refusal_error()
            )

    def _refusal_error(self) -> FilteredError:
        return FilteredError(f"the model refused: {' '.join(self.refusal.split())[:300]}")

    def end(self, started: bool) -> Iterator[Event]:
        """Yield Usage and Done after the body. `started`: text or reasoning has come.

        Raises:
            FilteredError: the model refused, in the protocol's refusal field.
            IncompleteAnswer: the body ended without an end marker.
            MalformedAnswer: the response is empty, or its content is not text.
            BusyError: the finish reason says that the provider failed.
            EasyLLMError: the last frame is an error message.
        """
        if self.refusal and not self.wrote:
            raise self._refusal_error()
        if self.refusal:
            self.set_finish_reason("content_filter")
        body = self.last_frame
        if not started and not self.finish_reason and isinstance(body, dict) and (
            find_error_message(body) and not isinstance(body.get("message"), dict)
        ):  # fmt: skip
            raise error_from_body(body)  # a message instead of an answer: an error
        if self.usage is not None:
            yield self.usage
        if not self.end_claimed:
            if started:
                source = "stream" if self.stream else "response"
                marker = "a finish reason" if self.end_marker_seen else "its end marker"
                raise IncompleteAnswer(
                    f"the answer is incomplete: the {source} ended without {marker}",
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
    """A Markdown code block and a blank line. Its fence is longer than any in the text.

    `language`: from the provider; left out unless it is alphanumeric.
    """
    longest = max((len(ticks) for ticks in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    name = language.lower() if language.isalnum() else ""
    return f"{fence}{name}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n\n"


def block_separator(text: str) -> str:
    """What to insert between this text and a block, so that the block starts a line."""
    return "" if not text or text.endswith("\n") else "\n\n"


def parse_content(content: Any) -> Iterator[Event]:
    """Yield the text and reasoning of `content`: a string, a part, or a list of either.

    Parts of type `thinking` are Mistral's reasoning.
    """
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            if part:
                yield Text(part)
            continue
        part = parse_object(part)
        if part.get("type") in REASONING_PART_TYPES:
            inner = part.get("thinking") or part.get("reasoning") or part.get("text")
            for event in parse_content(inner):
                if isinstance(event, Text):
                    yield Reasoning(event.text)
            continue
        text = part.get("text")
        text = text.get("value") if isinstance(text, dict) else text
        if isinstance(text, str) and text:
            yield Text(text)


def is_output(event: Event, started: bool) -> bool:
    """Whether the event is output, which restarts the timers: text or reasoning that is not empty.

    Hidden reasoning counts only before other output (`started` False).
    """
    if isinstance(event, Text):
        return bool(event.text)
    return isinstance(event, Reasoning) and bool(event.text or (event.hidden and not started))
