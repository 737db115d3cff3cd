"""Joins characters that a server cut in two JSON escapes over two frames (an emoji, mostly)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..events import Event, Reasoning, Text


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
