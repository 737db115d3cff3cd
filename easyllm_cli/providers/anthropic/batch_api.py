"""Anthropic's Message Batches: one request creates a batch, and its results are one file.

A batch has no field for a name of ours. So one whose id is not known is looked for by the number of
its requests and its time; the `custom_id`s of its results say whether it is the one.

https://platform.claude.com/docs/en/api/creating-message-batches
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from ...errors import MalformedAnswer
from ..batch_api import (
    ANSWERED,
    CANCELLED,
    ENDED,
    EXPIRED,
    RUNNING,
    BatchAPI,
    BatchResult,
    BatchState,
    encode_json,
    parse_count,
    parse_time,
)
from ..json_values import parse_object

PAGE_ROWS, MAX_PAGES = 100, 20  # of the list of batches, the newest first
CLOCK_SECONDS = 300.0  # by which our clock and Anthropic's may differ
CREATION_SECONDS = 3600.0  # in which a batch is created after we wrote that it would be
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
RESULT_KINDS = {"expired": EXPIRED, "canceled": CANCELLED}


class AnthropicBatchAPI(BatchAPI):
    """POST /v1/messages/batches, GET /v1/messages/batches/ID, GET its results_url."""

    max_rows: ClassVar[int] = 90_000  # of 100,000
    max_bytes: ClassVar[int] = 240_000_000  # of 256 MB
    finds_by_name: ClassVar[bool] = False

    @property
    def batches_url(self) -> str:
        return f"{self.url}/v1/messages/batches"

    def format_row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        return encode_json({"custom_id": custom_id, "params": body})

    async def create(self, name: str, rows: Sequence[bytes], file_id: str) -> BatchState:
        content = b'{"requests":[' + b",".join(rows) + b"]}"
        batch = await self.request_json("POST", self.batches_url, content, "application/json")
        return _read_state(batch)

    async def find(self, name: str, count: int, since: float) -> list[BatchState]:
        found: list[BatchState] = []
        last = ""
        for _ in range(MAX_PAGES):
            after = f"&after_id={quote(last, safe='')}" if last else ""
            page = await self.request_json("GET", f"{self.batches_url}?limit={PAGE_ROWS}{after}")
            batches = [parse_object(each) for each in page.get("data") or []]
            times = [parse_time(batch.get("created_at")) for batch in batches]
            for batch, time in zip(batches, times, strict=True):
                state = _read_state(batch)
                is_in_time = since - CLOCK_SECONDS <= time <= since + CREATION_SECONDS
                if is_in_time and state.total == count:
                    found.append(state)
            previous, last = last, str(page.get("last_id") or "")
            is_older = bool(times) and max(times) < since - CLOCK_SECONDS
            if page.get("has_more") is not True or last in ("", previous) or is_older:
                break
        return found

    async def poll(self, batch_id: str) -> BatchState:
        url = f"{self.batches_url}/{quote(batch_id, safe='')}"
        return _read_state(await self.request_json("GET", url))

    async def results(self, state: BatchState) -> AsyncIterator[BatchResult]:
        for url in state.sources:
            self.require_same_server(url)
            async for line in self.read_lines(url):
                yield _read_result(parse_object(line))

    async def cancel(self, batch_id: str) -> None:
        url = f"{self.batches_url}/{quote(batch_id, safe='')}/cancel"
        await self.request_json("POST", url, b"{}", "application/json")


def _read_state(batch: dict[str, Any]) -> BatchState:
    batch_id, word = batch.get("id"), str(batch.get("processing_status"))
    if not isinstance(batch_id, str) or not batch_id:
        raise MalformedAnswer("the batch API answered without an id")
    counts = parse_object(batch.get("request_counts"))
    numbers = {name: parse_count(counts.get(name)) or 0 for name in COUNTS}
    url = batch.get("results_url")
    has_results = isinstance(url, str) and bool(url)
    is_over = has_results or bool(batch.get("archived_at"))  # then the results are deleted
    state = ENDED if word == "ended" and is_over else RUNNING
    return BatchState(
        batch_id, state, word, total=sum(numbers.values()), good=numbers["succeeded"],
        failed=numbers["errored"], sources=(url,) if has_results else (),
    )  # fmt: skip


def _read_result(line: dict[str, Any]) -> BatchResult:
    """A result; an error has the form of an error in a stream, and is read like one."""
    result = parse_object(line.get("result"))
    kind = RESULT_KINDS.get(str(result.get("type")), ANSWERED)
    custom_id = str(line.get("custom_id") or "")
    message = result.get("message") if result.get("type") == "succeeded" else result.get("error")
    return BatchResult(custom_id, kind, body=message)
