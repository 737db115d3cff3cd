"""Reads Responses' answers: named events of a stream and whole bodies (WIRE §1b)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...events import Event, Reasoning, Text, Usage
from ..decoder import Decoder, fenced, line_end_after
from ..finish_reasons import is_claim
from ..json_values import count, table
from .chat_decoder import usage_of

Part = tuple[int, int]  # the place of an item in the output, and of the part in the item


class Once:
    """One kind of text of an answer. Every method gives what is new in what it is told.

    `between` stands between two parts. Where a whole does not begin with what had come of it,
    the pieces are believed.
    """

    def __init__(self, between: str = "") -> None:
        self._between = between
        self._parts: dict[Part, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def more(self, part: Part, piece: str) -> str:
        """The next piece of a part."""
        if not piece:
            return ""
        between = self._between if self._parts and part not in self._parts else ""
        self._parts.setdefault(part, []).append(piece)
        return between + piece

    def part(self, part: Part, text: str) -> str:
        """The whole of one part."""
        return self.more(part, _rest(text, "".join(self._parts.get(part, ()))))

    def whole(self, texts: Mapping[Part, str], item: int | None = None) -> str:
        """All parts of one item, or of the answer (None)."""
        came = {
            part: "".join(pieces) for part, pieces in self._parts.items() if item in (None, part[0])
        }
        if all(texts.get(part, "").startswith(text) for part, text in came.items()):
            return "".join([self.part(part, text) for part, text in texts.items()])
        # The server numbers its parts one way in the pieces and another way here.
        rest = _rest(self._between.join(texts.values()), self._between.join(came.values()))
        if rest:
            self._parts[[*came][-1]].append(rest)
        return rest


def _rest(whole: str, so_far: str) -> str:
    return whole[len(so_far) :] if whole.startswith(so_far) else ""


RAW, SUMMARY = "reasoning_text", "summary_text"
CODE = "code"  # a run of the code interpreter, with its output
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

    `limit`: tokens that the request allowed for the answer, `context`: those that fit into the
    model, for a server that says `completed` even where they cut the answer (llama.cpp); None =
    the server's word is taken.
    """

    def __init__(self, stream: bool, limit: int | None = None, context: int | None = None) -> None:
        super().__init__(stream)
        self._limit = limit
        self._context = context
        thoughts = Once("\n\n")
        self._said = {
            "output_text": Once(), "refusal": Once(), CODE: Once(),
            RAW: thoughts, SUMMARY: thoughts,
        }  # fmt: skip
        self._last_text = ""  # which a code block begins behind
        self._items: dict[tuple[str, Any], int] = {}
        self._newest = -1  # item
        self._source: dict[int, str] = {}
        self._hidden = False
        self._called = False

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event != "[DONE]":  # no end of this protocol, but some servers send it
            yield from super().read(body, event)

    def is_error(self, body: dict[str, Any]) -> bool:
        return body.get("type") == "error" or super().is_error(body)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        name, _, step = str(body.get("type", "")).rpartition(".")
        if name in PIECES and step in ("delta", "done"):
            yield from self._piece(PIECES[name], step, body)
        elif name in PARTS and step == "done":
            part = table(body.get("part"))
            yield from self._piece(str(part.get("type")), step, body | part)
        elif name == "response.output_item" and step in ("added", "done"):
            item = table(body.get("item"))
            place = self._place(body.get("output_index"), item.get("id"), new=step == "added")
            yield from self._item(item, place) if step == "done" else ()
        elif name == "response" and step in ENDS:
            yield from self._response(table(body.get("response")), step)
        elif body.get("object") == "response":
            yield from self._response(body, str(body.get("status")))

    def _piece(self, part: str, step: str, body: dict[str, Any]) -> Iterator[Event]:
        """A delta, or the whole text of one part."""
        field = "delta" if step == "delta" else "refusal" if part == "refusal" else "text"
        text: Any = body.get(field)
        if part not in self._said or not _is_text(text):
            return
        item = self._place(body.get("output_index"), body.get("item_id"))
        index = count(body.get("summary_index" if part == SUMMARY else "content_index")) or 0
        if part in (RAW, SUMMARY) and self._source.setdefault(item, part) != part:
            return  # the same thoughts in other words
        said = self._said[part]
        take = said.more if step == "delta" else said.part
        yield from self._events(part, take((item, index), text))

    def _item(self, item: dict[str, Any], place: int) -> Iterator[Event]:
        """A whole item: what of it has not been said yet."""
        source = self._source_of(item, place)
        for part in (source, CODE, "output_text", "refusal"):
            new = self._said[part].whole(texts_of(item, place, part), place)
            yield from self._events(part, new)
        self._note_kind(item)
        if item.get("encrypted_content") and place not in self._source:
            yield from self._hide()

    def _response(self, response: dict[str, Any], end: str) -> Iterator[Event]:
        """The whole answer: what of it has not been said yet, its usage and how it ended."""
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.usage = usage_of(usage)
        output = response.get("output")
        items = [one for one in output if isinstance(one, dict)] if isinstance(output, list) else []
        whole: dict[str, dict[Part, str]] = {RAW: {}, CODE: {}, "output_text": {}, "refusal": {}}
        for index, item in enumerate(items):
            place = self._place(index, item.get("id"))
            whole[RAW] |= texts_of(item, place, self._source_of(item, place))
            for part in (CODE, "output_text", "refusal"):
                whole[part] |= texts_of(item, place, part)
            self._note_kind(item)
        thought = self.usage is not None and self.usage.reasoning_tokens
        for part, texts in whole.items():
            yield from self._events(part, self._said[part].whole(texts))
            if not self._said[RAW] and (thought or any(map(_is_encrypted, items))):
                yield from self._hide()
        self._end(response, end)

    def _note_kind(self, item: dict[str, Any]) -> None:
        """What an item is besides text."""
        self._called = self._called or item.get("type") in CALLS
        if item.get("type") == "image_generation_call":
            self.left_out = "an image"

    def _source_of(self, item: dict[str, Any], place: int) -> str:
        """Which of the two tellings of its thoughts an item is heard for."""
        source = RAW if texts_of(item, place, RAW) else SUMMARY
        if texts_of(item, place, source):
            return self._source.setdefault(place, source)
        return self._source.get(place, source)

    def _end(self, response: dict[str, Any], end: str) -> None:
        """How it ended; a status never turns a cut answer into a whole one.

        Raises:
            EasyLLMError: the response failed, by its error's code.
        """
        status = response.get("status")
        if status in ENDS and status != "completed":
            end = status
        self.refuse_error(response)
        if end not in ENDS:
            return  # still in progress, so the answer is not whole
        if end == "incomplete":
            reason = table(response.get("incomplete_details")).get("reason")
            end = str(reason) if is_claim(reason) else end
        elif end == "completed" and self._is_spent():
            end = "max_output_tokens"
        if self._called:
            self.because("tool_calls")
        self.finished(end)
        self.mark()

    def _is_spent(self) -> bool:
        """Whether the answer ends just where its tokens do."""
        usage = self.usage or Usage()
        at_limit = self._limit is not None and usage.completion_tokens == self._limit
        return at_limit or (
            self._context is not None and (usage.total_tokens or 0) >= self._context
        )

    def _events(self, part: str, text: str) -> Iterator[Event]:
        if not text:
            return
        if part == "refusal":
            self.refused(text)
        elif part in ("output_text", CODE):
            self.wrote = True
            yield Text(line_end_after(self._last_text) + text if part == CODE else text)
            self._last_text = text
        else:
            yield Reasoning(text)

    def _hide(self) -> Iterator[Event]:
        """There is reasoning, and the provider keeps it; said once."""
        if not self._hidden:
            self._hidden = True
            yield Reasoning("", hidden=True)

    def _place(self, at: Any, name: Any, new: bool = False) -> int:
        """The item that an event is about: by its id, else by its place in the output.

        llama.cpp sends no places; gateways send the same place for every item, or another id
        with every event, or none at all.
        """
        names = [one for one in (("id", name), ("at", at)) if one[1] is not None]
        for one in () if new else names:
            if one in self._items:
                return self._items[one]
        if not names:
            return max(self._newest, 0)
        self._newest += 1
        self._items |= dict.fromkeys(names, self._newest)
        return self._newest


def texts_of(item: dict[str, Any], place: int, kind: str) -> dict[Part, str]:
    """The texts of an item's parts of one kind, by their numbers."""
    if kind == CODE:
        return {(place, 0): block} if (block := code_run(item)) else {}
    parts = item.get("summary" if kind == SUMMARY else "content")
    field = "refusal" if kind == "refusal" else "text"
    return {
        (place, index): part[field]
        for index, part in enumerate(parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and part.get("type") == kind and _is_text(part.get(field))
    }


def code_run(item: dict[str, Any]) -> str:
    """What the code interpreter ran and what it printed, as code blocks; "" = nothing."""
    code, outputs = item.get("code"), item.get("outputs")
    if item.get("type") != "code_interpreter_call" or not _is_text(code):
        return ""
    logs = [table(one).get("logs") for one in outputs] if isinstance(outputs, list) else []
    return fenced(str(code), "python") + "".join(
        fenced(str(one), "text") for one in logs if _is_text(one)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_encrypted(item: dict[str, Any]) -> bool:
    return bool(item.get("encrypted_content"))
