"""Gemini's batch mode: a file of requests, an operation, and a file with the results.

https://ai.google.dev/api/batch-api https://ai.google.dev/gemini-api/docs/batch-api
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
    parse_time,
)
from ..json_values import parse_object

PAGE_ROWS, MAX_PAGES = 100, 20  # of the list of batches
UPLOAD_URL_HEADER = "x-goog-upload-url"
JSON, JSON_LINES = "application/json", "application/jsonl"
# The API says BATCH_STATE_SUCCEEDED, Google's SDK JOB_STATE_SUCCEEDED.
STATE_PREFIXES = ("BATCH_STATE_", "JOB_STATE_")
# A state in which a batch has ended, and why some of its requests may have no result then.
END_WORDS = {"SUCCEEDED": "", "PARTIALLY_SUCCEEDED": "", "EXPIRED": EXPIRED, "CANCELLED": CANCELLED}
QUOTA_CODES = (8, 429, "RESOURCE_EXHAUSTED")


class GeminiBatchAPI(BatchAPI):
    """POST /upload/…/files, models/MODEL:batchGenerateContent, GET batches/ID, GET /download/…."""

    max_rows: ClassVar[int] = 45_000
    max_bytes: ClassVar[int] = 180_000_000  # the file may have 2 GB
    needs_upload: ClassVar[bool] = True

    def _media_url(self, verb: str) -> str:
        """The base URL of uploads and downloads, which stands before the version."""
        base, _, version = self.url.rpartition("/")
        return f"{base}/{verb}/{version}"

    def format_row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        return encode_json({"key": custom_id, "request": body})

    async def upload(self, name: str, rows: Sequence[bytes]) -> str:
        content = b"\n".join(rows) + b"\n"
        answer: dict[str, str] = {}
        start = {
            "X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(len(content)),
            "X-Goog-Upload-Header-Content-Type": JSON_LINES,
        }  # fmt: skip
        described = encode_json({"file": {"displayName": name}})
        url = f"{self._media_url('upload')}/files"
        try:
            await self.request_json("POST", url, described, JSON, start, answer.update)
        except MalformedAnswer:  # the body is empty: what counts is the header
            if UPLOAD_URL_HEADER not in answer:
                raise
        upload_url = answer.get(UPLOAD_URL_HEADER, "")
        self.require_same_server(upload_url)
        last = {"X-Goog-Upload-Offset": "0", "X-Goog-Upload-Command": "upload, finalize"}
        uploaded = await self.request_json("POST", upload_url, content, JSON_LINES, last)
        return _require_name(parse_object(uploaded.get("file")))

    async def create(self, name: str, rows: Sequence[bytes], file_id: str) -> BatchState:
        model = quote(self.provider.model.removeprefix("models/"), safe="")
        batch = {"displayName": name, "inputConfig": {"fileName": file_id}}
        url = f"{self.url}/models/{model}:batchGenerateContent"
        return _read_state(
            await self.request_json("POST", url, encode_json({"batch": batch}), JSON)
        )

    async def find(self, name: str, count: int, since: float) -> list[BatchState]:
        token = ""
        for _ in range(MAX_PAGES):
            after = f"&pageToken={quote(token, safe='')}" if token else ""
            page = await self.request_json("GET", f"{self.url}/batches?pageSize={PAGE_ROWS}{after}")
            operations = [parse_object(each) for each in page.get("operations") or []]
            described = [parse_object(each.get("metadata")) for each in operations]
            for operation, metadata in zip(operations, described, strict=True):
                if metadata.get("displayName") == name:
                    return [_read_state(operation)]
            times = [parse_time(metadata.get("createTime")) for metadata in described]
            previous, token = token, str(page.get("nextPageToken") or "")
            is_older = bool(times) and 0 < max(times) < since - 24 * 3600
            if token in ("", previous) or is_older:
                break
        return []

    async def poll(self, batch_id: str) -> BatchState:
        return _read_state(await self.request_json("GET", f"{self.url}/{_quote_name(batch_id)}"))

    async def results(self, state: BatchState) -> AsyncIterator[BatchResult]:
        for name in state.sources:
            url = f"{self._media_url('download')}/{_quote_name(str(name))}:download?alt=media"
            async for line in self.read_lines(url):
                yield _read_result(parse_object(line))

    async def cancel(self, batch_id: str) -> None:
        await self.request_json("POST", f"{self.url}/{_quote_name(batch_id)}:cancel", b"{}", JSON)


def _quote_name(name: str) -> str:
    """A name such as `batches/123` as a part of a URL."""
    return quote(name, safe="/").replace("..", "%2E%2E")


def _require_name(value: dict[str, Any]) -> str:
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise MalformedAnswer("the batch API answered without a name")
    return name


def _read_state(operation: dict[str, Any]) -> BatchState:
    """The state of an operation, whose `metadata` is the batch."""
    batch = parse_object(operation.get("metadata"))
    word = str(batch.get("state"))
    for prefix in STATE_PREFIXES:
        word = word.removeprefix(prefix)
    state = ENDED if word in END_WORDS else FAILED if word == "FAILED" else RUNNING
    stats = parse_object(batch.get("batchStats"))
    file_name = _find_results_file(operation, batch)
    good = parse_count(stats.get("successfulRequestCount"))
    return BatchState(
        _require_name(operation), state, word, total=parse_count(stats.get("requestCount")),
        good=good if file_name or state == RUNNING else None,
        failed=parse_count(stats.get("failedRequestCount")), unanswered=END_WORDS.get(word, ""),
        error=_read_failure(operation) if state == FAILED else None,
        sources=(file_name,) if file_name else (),
    )  # fmt: skip


def _find_results_file(operation: dict[str, Any], batch: dict[str, Any]) -> str:
    """The name of the file with the results; "" = there is none."""
    response = parse_object(operation.get("response"))
    for holder in (response, response.get("output"), batch.get("output")):
        name = parse_object(holder).get("responsesFile")
        if isinstance(name, str) and name:
            return name
    return ""


def _read_failure(operation: dict[str, Any]) -> EasyLLMError:
    """Why a whole batch failed."""
    status = parse_object(operation.get("error"))
    error = error_from_body({"error": status}, 400)
    if status.get("code") in QUOTA_CODES or status.get("status") in QUOTA_CODES:
        error = BusyError(error.message, code=error.code, retryable=True)
    error.message = f"the batch failed: {error.message}"
    error.status = None  # nobody sent it
    return error


def _read_result(line: dict[str, Any]) -> BatchResult:
    """A result; an error has the form of an error in a stream, and is read like one."""
    error = line.get("error")
    body = {"error": error} if error else line.get("response")
    return BatchResult(str(line.get("key") or ""), ANSWERED, body=body)
