"""Reads Responses' answers: named events of a stream and whole bodies (WIRE §1b)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..events import Event, Note, Reasoning, Text, Usage
from ..transport.status import from_object
from .chat_frames import count, table
from .decoder import Decoder
from .once import Once

RAW, SUMMARY = "reasoning_text", "summary_text"
# The part that an event's text belongs to, by the event's name without .delta or .done.
PIECES = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": SUMMARY,
    "response.reasoning_text": RAW,  # servers of open weights
}
PARTS = ("response.content_part", "response.reasoning_summary_part")
ENDS = ("completed", "incomplete", "failed", "cancelled")
CALLS = ("function_call", "custom_tool_call")


class ResponsesDecoder(Decoder):
    """The end is response.completed, .incomplete or .failed; what has another name is nothing.

    `limit`: tokens that the request allowed, for a server that says `completed` even where they
    cut the answer (llama.cpp); None = the server's word is taken.
    """

    def __init__(self, stream: bool, limit: int | None = None) -> None:
        super().__init__(stream)
        self._limit = limit
        thoughts = Once("\n\n")
        self._said = {"output_text": Once(), "refusal": Once(), RAW: thoughts, SUMMARY: thoughts}
        self._items: dict[tuple[str, Any], int] = {}
        self._source: dict[int, str] = {}
        self._hidden = False
        self._called = False
        self._told = False

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event != "[DONE]":  # no end of this protocol, but some servers send it
            yield from super().read(body, event)

    def is_error(self, body: dict[str, Any]) -> bool:
        return body.get("type") == "error" or super().is_error(body)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        name, _, step = str(body.get("type", "")).rpartition(".")
        if self.ended:
            if body.get("delta") and not self._told:
                self._told = True
                yield Note("the server sent more text after the answer's end: left out")
        elif name in PIECES and step in ("delta", "done"):
            yield from self._piece(PIECES[name], step, body)
        elif name in PARTS and step == "done":
            part = table(body.get("part"))
            yield from self._piece(str(part.get("type")), step, body | part)
        elif (name, step) == ("response.output_item", "done"):
            item = table(body.get("item"))
            yield from self._item(item, self._place(body | {"item_id": item.get("id")}))
        elif name == "response" and step in ENDS:
            yield from self._response(table(body.get("response")), step)
        elif body.get("object") == "response":
            yield from self._response(body, str(body.get("status")))

    def _piece(self, part: str, step: str, body: dict[str, Any]) -> Iterator[Event]:
        """A delta, or the whole text of one part."""
        field = "delta" if step == "delta" else "refusal" if part == "refusal" else "text"
        text = body.get(field)
        if part not in self._said or not isinstance(text, str) or not text:
            return
        item = self._place(body)
        index = count(body.get("summary_index" if part == SUMMARY else "content_index")) or 0
        if part in (RAW, SUMMARY) and self._source.setdefault(item, part) != part:
            return  # the same thoughts in other words
        said = self._said[part]
        take = said.more if step == "delta" else said.part
        yield from self._events(part, take((item, index), text))

    def _item(self, item: dict[str, Any], place: int) -> Iterator[Event]:
        """A whole item: what of it has not been said yet."""
        for part in ("output_text", "refusal"):
            yield from self._events(part, self._said[part].whole(texts_of(item, part), place))
        source = self._source.get(place) or (RAW if texts_of(item, RAW) else SUMMARY)
        thoughts = texts_of(item, source)
        yield from self._events(source, self._said[source].whole(thoughts, place))
        self._called = self._called or item.get("type") in CALLS
        if item.get("encrypted_content") and not thoughts and place not in self._source:
            yield from self._hide()

    def _response(self, response: dict[str, Any], end: str) -> Iterator[Event]:
        """The whole answer: what of it has not been said yet, its usage and how it ended."""
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.usage = usage_of(usage)
        output = response.get("output")
        items = [one for one in output if isinstance(one, dict)] if isinstance(output, list) else []
        said = self._said[RAW]
        for first, other in ((RAW, SUMMARY), (SUMMARY, RAW)):
            thoughts = [text for one in items for text in texts_of(one, first, other)]
            if said.begins(thoughts):
                yield from self._events(RAW, said.whole(thoughts))
                break
        if not said and ((self.usage and self.usage.reasoning_tokens) or _encrypted(items)):
            yield from self._hide()
        for part in ("output_text", "refusal"):
            texts = [text for one in items for text in texts_of(one, part)]
            yield from self._events(part, self._said[part].whole(texts))
        self._called = self._called or any(one.get("type") in CALLS for one in items)
        self._end(response, end)

    def _end(self, response: dict[str, Any], end: str) -> None:
        """How it ended; a status never turns a cut answer into a whole one.

        Raises:
            EasyLLMError: the response failed, by its error's code.
        """
        status = response.get("status")
        if status in ENDS and status != "completed":
            end = status
        if end not in ENDS:
            return  # still in progress, so the answer is not whole
        if end == "failed" and response.get("error"):
            raise from_object(response)
        if end == "incomplete":
            reason = table(response.get("incomplete_details")).get("reason")
            end = reason if isinstance(reason, str) and reason else end
        elif end == "completed" and self._limit and self.usage:
            spent = self.usage.completion_tokens == self._limit
            end = "max_output_tokens" if spent else end
        if self._called:
            self.finished("tool_calls")
        self.finished(end)
        self.over = True

    def _events(self, part: str, text: str) -> Iterator[Event]:
        if not text:
            return
        if part == "refusal":
            self.refusal += text
        elif part == "output_text":
            self.wrote = True
            yield Text(text)
        else:
            yield Reasoning(text)

    def _hide(self) -> Iterator[Event]:
        """There is reasoning, and the provider keeps it; said once."""
        if not self._hidden:
            self._hidden = True
            yield Reasoning("", hidden=True)

    def _place(self, body: dict[str, Any]) -> int:
        """The item that an event is about: by its place in the output, else by its id.

        llama.cpp sends no places, and gateways send an id of their own with every event.
        """
        named = [("at", body.get("output_index")), ("id", body.get("item_id"))]
        names = [name for name in named if name[1] is not None] or [("at", 0)]
        new = len(self._items)
        place = next((self._items[name] for name in names if name in self._items), new)
        for name in names:
            self._items.setdefault(name, place)
        return place


def texts_of(item: dict[str, Any], *kinds: str) -> list[str]:
    """The texts of an item's parts, of the first kind that there is any of."""
    for kind in kinds:
        parts = item.get("summary" if kind == SUMMARY else "content")
        texts = [
            one.get("refusal" if kind == "refusal" else "text")
            for one in (parts if isinstance(parts, list) else ())
            if isinstance(one, dict) and one.get("type") == kind
        ]
        found = [text for text in texts if isinstance(text, str) and text]
        if found:
            return found
    return []


def _encrypted(items: list[dict[str, Any]]) -> bool:
    return any(one.get("encrypted_content") for one in items)


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts as Responses reports them (WIRE §1b d)."""
    return Usage(
        count(usage.get("input_tokens")),
        count(usage.get("output_tokens")),
        count(usage.get("total_tokens")),
        count(table(usage.get("output_tokens_details")).get("reasoning_tokens")),
        count(table(usage.get("input_tokens_details")).get("cached_tokens")),
    )
