"""Decoder of OpenAI's Responses API: its stream events and buffered bodies become our events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...events import Event, Reasoning, Text, Usage
from ..decoder import Decoder, block_separator, format_code_block
from ..finish_reasons import is_finish_reason
from ..json_values import parse_count, parse_object
from .chat_decoder import parse_openai_usage

PartKey = tuple[int, int]  # (index of the item in `output`, index of the part in the item)


class DeltaDeduplicator:
    """Drops repeated text: Responses sends deltas and then the same text in full.

    It holds one type of text of an answer. Every method returns only the new text. `separator` goes
    between two parts. A full text that does not begin with the earlier deltas is ignored.
    """

    def __init__(self, separator: str = "") -> None:
        self._separator = separator
        self._parts: dict[PartKey, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add_delta(self, part: PartKey, delta: str) -> str:
        """Add the next delta of a part."""
        if not delta:
            return ""
        separator = self._separator if self._parts and part not in self._parts else ""
        self._parts.setdefault(part, []).append(delta)
        return separator + delta

    def add_part(self, part: PartKey, text: str) -> str:
        """Add the full text of one part."""
        return self.add_delta(part, _remaining_text(text, "".join(self._parts.get(part, ()))))

    def add_all(self, texts: Mapping[PartKey, str], item: int | None = None) -> str:
        """Add the full text of all parts of one item, or of the answer (None)."""
        received = {
            part: "".join(deltas) for part, deltas in self._parts.items() if item in (None, part[0])
        }
        if all(texts.get(part, "").startswith(text) for part, text in received.items()):
            return "".join([self.add_part(part, text) for part, text in texts.items()])
        # The server numbers the parts in its deltas differently from those in the full text.
        rest = _remaining_text(
            self._separator.join(texts.values()), self._separator.join(received.values())
        )
        if rest:
            self._parts[[*received][-1]].append(rest)
        return rest


def _remaining_text(whole: str, so_far: str) -> str:
    return whole[len(so_far) :] if whole.startswith(so_far) else ""


RAW_REASONING, REASONING_SUMMARY = "reasoning_text", "summary_text"
CODE_INTERPRETER = "code"  # the code interpreter's code and output
# Part type by the event's name without .delta or .done.
PART_TYPE_BY_EVENT = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": REASONING_SUMMARY,
    "response.reasoning_text": RAW_REASONING,  # servers of open-weight models
}
PART_EVENTS = ("response.content_part", "response.reasoning_summary_part")
END_STATUSES = ("completed", "incomplete", "failed", "cancelled")
TOOL_CALL_TYPES = ("function_call", "custom_tool_call")


class ResponsesDecoder(Decoder):
    """Decodes named events; response.completed, .incomplete and .failed are end markers.

    Unknown events are ignored. `max_tokens` is the answer's limit, `context_tokens` the model's
    context size. Both serve to detect a cut answer, because llama.cpp reports `completed` for it,
    too; None = trust the server's status.
    """

    def __init__(
        self, stream: bool, max_tokens: int | None = None, context_tokens: int | None = None
    ) -> None:
        super().__init__(stream)
        self._max_tokens = max_tokens
        self._context_tokens = context_tokens
        reasoning = DeltaDeduplicator("\n\n")
        self._deduplicators = {
            "output_text": DeltaDeduplicator(),
            "refusal": DeltaDeduplicator(),
            CODE_INTERPRETER: DeltaDeduplicator(),
            RAW_REASONING: reasoning,
            REASONING_SUMMARY: reasoning,
        }
        self._last_text = ""  # the text before a code block
        self._item_indexes: dict[tuple[str, Any], int] = {}
        self._newest_item = -1
        self._reasoning_source: dict[int, str] = {}
        self._hidden_reasoning_sent = False
        self._has_tool_calls = False

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event != "[DONE]":  # not part of this API, but some servers send it
            yield from super().read(body, event)

    def is_error(self, body: dict[str, Any]) -> bool:
        return body.get("type") == "error" or super().is_error(body)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        name, _, step = str(body.get("type", "")).rpartition(".")
        if name in PART_TYPE_BY_EVENT and step in ("delta", "done"):
            yield from self._decode_text(PART_TYPE_BY_EVENT[name], step, body)
        elif name in PART_EVENTS and step == "done":
            part = parse_object(body.get("part"))
            yield from self._decode_text(str(part.get("type")), step, body | part)
        elif name == "response.output_item" and step in ("added", "done"):
            item = parse_object(body.get("item"))
            item_index = self._resolve_item_index(
                body.get("output_index"), item.get("id"), is_new=step == "added"
            )
            yield from self._decode_item(item, item_index) if step == "done" else ()
        elif name == "response" and step in END_STATUSES:
            yield from self._decode_response(parse_object(body.get("response")), step)
        elif body.get("object") == "response":
            yield from self._decode_response(body, str(body.get("status")))

    def _decode_text(self, part_type: str, step: str, body: dict[str, Any]) -> Iterator[Event]:
        """Decode a delta, or the full text of one part."""
        field = "delta" if step == "delta" else "refusal" if part_type == "refusal" else "text"
        text: Any = body.get(field)
        if part_type not in self._deduplicators or not _is_text(text):
            return
        item_index = self._resolve_item_index(body.get("output_index"), body.get("item_id"))
        index = (
            parse_count(
                body.get("summary_index" if part_type == REASONING_SUMMARY else "content_index")
            )
            or 0
        )
        if (
            part_type in (RAW_REASONING, REASONING_SUMMARY)
            and self._reasoning_source.setdefault(item_index, part_type) != part_type
        ):
            return  # the same reasoning: raw and summarized
        deduplicator = self._deduplicators[part_type]
        add = deduplicator.add_delta if step == "delta" else deduplicator.add_part
        yield from self._events_from_text(part_type, add((item_index, index), text))

    def _decode_item(self, item: dict[str, Any], item_index: int) -> Iterator[Event]:
        """Decode a finished item; text that deltas already sent is dropped."""
        source = self._choose_reasoning_source(item, item_index)
        for part in (source, CODE_INTERPRETER, "output_text", "refusal"):
            new_text = self._deduplicators[part].add_all(
                extract_part_texts(item, item_index, part), item_index
            )
            yield from self._events_from_text(part, new_text)
        self._record_non_text(item)
        if item.get("encrypted_content") and item_index not in self._reasoning_source:
            yield from self._emit_hidden_reasoning()

    def _decode_response(self, response: dict[str, Any], end_status: str) -> Iterator[Event]:
        """Decode the full response: new text, usage and how it ended."""
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.usage = parse_openai_usage(usage)
        output = response.get("output")
        items = (
            [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
        )
        texts_by_type: dict[str, dict[PartKey, str]] = {
            RAW_REASONING: {},
            CODE_INTERPRETER: {},
            "output_text": {},
            "refusal": {},
        }
        for index, item in enumerate(items):
            item_index = self._resolve_item_index(index, item.get("id"))
            texts_by_type[RAW_REASONING] |= extract_part_texts(
                item, item_index, self._choose_reasoning_source(item, item_index)
            )
            for part in (CODE_INTERPRETER, "output_text", "refusal"):
                texts_by_type[part] |= extract_part_texts(item, item_index, part)
            self._record_non_text(item)
        has_reasoning_tokens = self.usage is not None and self.usage.reasoning_tokens
        for part, texts in texts_by_type.items():
            yield from self._events_from_text(part, self._deduplicators[part].add_all(texts))
            if not self._deduplicators[RAW_REASONING] and (
                has_reasoning_tokens or any(map(_is_encrypted, items))
            ):
                yield from self._emit_hidden_reasoning()
        self._finish_response(response, end_status)

    def _record_non_text(self, item: dict[str, Any]) -> None:
        """Record tool calls and generated images."""
        self._has_tool_calls = self._has_tool_calls or item.get("type") in TOOL_CALL_TYPES
        if item.get("type") == "image_generation_call":
            self.omitted_content = "an image"

    def _choose_reasoning_source(self, item: dict[str, Any], item_index: int) -> str:
        """Choose the raw reasoning or its summary for an item, so that only one of them is used."""
        source = (
            RAW_REASONING
            if extract_part_texts(item, item_index, RAW_REASONING)
            else REASONING_SUMMARY
        )
        if extract_part_texts(item, item_index, source):
            return self._reasoning_source.setdefault(item_index, source)
        return self._reasoning_source.get(item_index, source)

    def _finish_response(self, response: dict[str, Any], end_status: str) -> None:
        """Set the finish reason from the event's name and the body's status.

        `incomplete` or `failed` in either of them outweighs `completed`.

        Raises:
            EasyLLMError: the response holds an error; its code decides the class.
        """
        status = response.get("status")
        if status in END_STATUSES and status != "completed":
            end_status = status
        self.raise_for_error(response)
        if end_status not in END_STATUSES:
            return  # still in progress, so the answer is incomplete
        if end_status == "incomplete":
            reason = parse_object(response.get("incomplete_details")).get("reason")
            end_status = str(reason) if is_finish_reason(reason) else end_status
        elif end_status == "completed" and self._has_hit_token_limit():
            end_status = "max_output_tokens"
        if self._has_tool_calls:
            self.set_finish_reason("tool_calls")
        self.finished(end_status)
        self.mark()

    def _has_hit_token_limit(self) -> bool:
        """Whether the token counts equal `max_tokens` or reach the context size."""
        usage = self.usage or Usage()
        at_limit = self._max_tokens is not None and usage.completion_tokens == self._max_tokens
        return at_limit or (
            self._context_tokens is not None and (usage.total_tokens or 0) >= self._context_tokens
        )

    def _events_from_text(self, part_type: str, text: str) -> Iterator[Event]:
        if not text:
            return
        if part_type == "refusal":
            self.add_refusal(text)
        elif part_type in ("output_text", CODE_INTERPRETER):
            self.wrote = True
            yield Text(
                block_separator(self._last_text) + text if part_type == CODE_INTERPRETER else text
            )
            self._last_text = text
        else:
            yield Reasoning(text)

    def _emit_hidden_reasoning(self) -> Iterator[Event]:
        """Yield one hidden Reasoning event: the provider does not show its reasoning."""
        if not self._hidden_reasoning_sent:
            self._hidden_reasoning_sent = True
            yield Reasoning("", hidden=True)

    def _resolve_item_index(self, output_index: Any, item_id: Any, is_new: bool = False) -> int:
        """Return the index of an event's item, found by its id, else by its output_index.

        llama.cpp sends no output_index. Gateways send the same output_index for every item, a
        new id with every event, or neither.
        """
        keys = [key for key in (("id", item_id), ("at", output_index)) if key[1] is not None]
        for key in () if is_new else keys:
            if key in self._item_indexes:
                return self._item_indexes[key]
        if not keys:
            return max(self._newest_item, 0)
        self._newest_item += 1
        self._item_indexes |= dict.fromkeys(keys, self._newest_item)
        return self._newest_item


def extract_part_texts(item: dict[str, Any], item_index: int, part_type: str) -> dict[PartKey, str]:
    """Return the texts of an item's parts of one type."""
    if part_type == CODE_INTERPRETER:
        return {(item_index, 0): block} if (block := format_code_run(item)) else {}
    parts = item.get("summary" if part_type == REASONING_SUMMARY else "content")
    field = "refusal" if part_type == "refusal" else "text"
    return {
        (item_index, index): part[field]
        for index, part in enumerate(parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and part.get("type") == part_type and _is_text(part.get(field))
    }


def format_code_run(item: dict[str, Any]) -> str:
    """Format the code interpreter's code and output as code blocks; "" = no code."""
    code, outputs = item.get("code"), item.get("outputs")
    if item.get("type") != "code_interpreter_call" or not _is_text(code):
        return ""
    logs = (
        [parse_object(output).get("logs") for output in outputs]
        if isinstance(outputs, list)
        else []
    )
    return format_code_block(str(code), "python") + "".join(
        format_code_block(str(output), "text") for output in logs if _is_text(output)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_encrypted(item: dict[str, Any]) -> bool:
    return bool(item.get("encrypted_content"))
