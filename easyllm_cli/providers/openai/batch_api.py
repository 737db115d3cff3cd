"""OpenAI's Batch API: a file of requests, a batch of the file, and files with the results.

https://platform.openai.com/docs/api-reference/batch
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from ...errors import BusyError, EasyLLMError, MalformedAnswer
from ...transport.response_errors import error_from_body
from ..batch_api import (
    ANSWERED,
    CANCELLED,
    ENDED,
    EXPIRED,
    FAILED,
    RUNNING,
    BatchAPI,
    BatchResult,
    BatchState,
    encode_json,
    parse_count,
)
from ..json_values import parse_object
from .responses import ResponsesProvider

WINDOW = "24h"
FILE_SECONDS = 2_592_000  # after which OpenAI deletes the file of requests: 30 days, the longest
NAME_FIELD = "easyllm"  # of the metadata
PAGE_ROWS, MAX_PAGES = 100, 20  # of the list of batches, the newest first
MAX_SHOWN_ERRORS = 3
# A state in which a batch has ended, and why some of its requests may have no result then.
END_WORDS = {"completed": "", "expired": EXPIRED, "cancelled": CANCELLED}
ROW_CODES = {"batch_expired": EXPIRED, "batch_cancelled": CANCELLED}
# The queue of the organization is full, which passes when other batches have ended.
QUEUE_FULL = "token_limit_exceeded"


class OpenAIBatchAPI(BatchAPI):
    """POST /files, POST /batches, GET /batches/ID, GET /files/ID/content."""

    max_rows: ClassVar[int] = 45_000  # of 50,000
    max_bytes: ClassVar[int] = 180_000_000  # of 200 MB
    needs_upload: ClassVar[bool] = True

    @property
    def answer_path(self) -> str:
        is_responses = isinstance(self.provider, ResponsesProvider)
        return "/v1/responses" if is_responses else "/v1/chat/completions"

    def format_row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        line = {"custom_id": custom_id, "method": "POST", "url": self.answer_path, "body": body}
        return encode_json(line)

    async def upload(self, name: str, rows: Sequence[bytes]) -> str:
        fields = {"purpose": "batch"}
        if self.provider.vendor.has_host(self.provider.endpoint.host):
            fields["expires_after[anchor]"] = "created_at"
            fields["expires_after[seconds]"] = str(FILE_SECONDS)
        parts = [
            f'--{name}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        ]
        head = (
            f'--{name}\r\nContent-Disposition: form-data; name="file"; filename="{name}.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        )
        tail = f"\n\r\n--{name}--\r\n"
        start = "".join([*parts, head]).encode()
        content = b"".join([start, b"\n".join(rows), tail.encode()])
        kind = f"multipart/form-data; boundary={name}"
        file = await self.request_json("POST", f"{self.url}/files", content, kind)
        return _require_id(file)

    async def create(self, name: str, rows: Sequence[bytes], file_id: str) -> BatchState:
        body = {
            "input_file_id": file_id, "endpoint": self.answer_path, "completion_window": WINDOW,
            "metadata": {NAME_FIELD: name},
        }  # fmt: skip
        url = f"{self.url}/batches"
        return _read_state(
            await self.request_json("POST", url, encode_json(body), "application/json")
        )

    async def find(self, name: str, count: int, since: float) -> list[BatchState]:
        last = ""
        for _ in range(MAX_PAGES):
            after = f"&after={quote(last, safe='')}" if last else ""
            page = await self.request_json("GET", f"{self.url}/batches?limit={PAGE_ROWS}{after}")
            batches = [parse_object(each) for each in page.get("data") or []]
            for batch in batches:
                if parse_object(batch.get("metadata")).get(NAME_FIELD) == name:
                    return [_read_state(batch)]
            times = [parse_count(batch.get("created_at")) or 0 for batch in batches]
            previous, last = last, str(batches[-1].get("id") or "") if batches else ""
            is_older = bool(times) and max(times) < since - 24 * 3600
            if page.get("has_more") is not True or last in ("", previous) or is_older:
                break
        return []

    async def poll(self, batch_id: str) -> BatchState:
        url = f"{self.url}/batches/{quote(batch_id, safe='')}"
        return _read_state(await self.request_json("GET", url))

    async def results(self, state: BatchState) -> AsyncIterator[BatchResult]:
        for file_id in state.sources:
            url = f"{self.url}/files/{quote(str(file_id), safe='')}/content"
            async for line in self.read_lines(url):
                yield _read_result(parse_object(line))

    async def cancel(self, batch_id: str) -> None:
        url = f"{self.url}/batches/{quote(batch_id, safe='')}/cancel"
        await self.request_json("POST", url, b"{}", "application/json")


def _require_id(value: dict[str, Any]) -> str:
    """The id of an object. Raises MalformedAnswer if it has none."""
    found = value.get("id")
    if not isinstance(found, str) or not found:
        raise MalformedAnswer("the batch API answered without an id")
    return found


def _read_state(batch: dict[str, Any]) -> BatchState:
    word = str(batch.get("status"))
    counts = parse_object(batch.get("request_counts"))
    state = ENDED if word in END_WORDS else FAILED if word == "failed" else RUNNING
    files = (batch.get("output_file_id"), batch.get("error_file_id"))
    return BatchState(
        _require_id(batch), state, word,
        total=parse_count(counts.get("total")), good=parse_count(counts.get("completed")),
        failed=parse_count(counts.get("failed")), unanswered=END_WORDS.get(word, ""),
        error=_read_failure(batch) if state == FAILED else None,
        sources=tuple(each for each in files if isinstance(each, str) and each),
    )  # fmt: skip


def _read_failure(batch: dict[str, Any]) -> EasyLLMError:
    """Why a whole batch failed: OpenAI checks its file after it was created."""
    errors = [parse_object(each) for each in parse_object(batch.get("errors")).get("data") or []]
    first = errors[0] if errors else {}
    error = error_from_body({"error": first}, 400)
    texts = []
    for each in errors[:MAX_SHOWN_ERRORS]:
        line = each.get("line")
        text = error_from_body({"error": each}).message
        texts.append(f"line {line}: {text}" if isinstance(line, int) else text)
    more = len(errors) - len(texts)
    message = "; ".join(texts) + f" and {more} more" * (more > 0)
    code = str(first.get("code") or "")
    if code == QUEUE_FULL:
        error = BusyError(message, code=code, retryable=True)
    error.message = f"the batch failed: {message}" if texts else "the batch failed"
    error.status = None  # nobody sent it
    return error


def _read_result(line: dict[str, Any]) -> BatchResult:
    custom_id = str(line.get("custom_id") or "")
    error, response = parse_object(line.get("error")), parse_object(line.get("response"))
    kind = ROW_CODES.get(str(error.get("code")), ANSWERED)
    if kind != ANSWERED or not response:
        return BatchResult(custom_id, kind, body={"error": error or "the request has no response"})
    request_id = response.get("request_id")
    return BatchResult(
        custom_id, ANSWERED, parse_count(response.get("status_code")) or 200, response.get("body"),
        {"x-request-id": request_id} if isinstance(request_id, str) and request_id else {},
    )  # fmt: skip
