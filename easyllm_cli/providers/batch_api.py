"""What a provider's batch API can do, and the requests that all of them have in common.

A batch API takes many requests at once and answers them within a day, at a lower price. An adapter
here knows the wire only: it keeps no state, waits for nothing and sends nothing again.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ..errors import AuthError, EasyLLMError, MalformedAnswer, NetworkError
from ..events import Note
from ..frozen_dataclass import FrozenDataclass
from ..transport.base import Request
from ..transport.bounded_json import parse_json
from ..transport.framing import LineSplitter, WholeBody
from ..transport.json_frames import read_frames
from ..transport.timeouts import ResponseTimer
from .http import HTTPProvider

RUNNING, ENDED, FAILED = "running", "ended", "failed"
ANSWERED, EXPIRED, CANCELLED = "answered", "expired", "cancelled"
ANSWER_SECONDS = 120.0  # for a request about a batch
SLOWEST_UPLOAD = 50_000  # bytes a second
SILENCE_SECONDS = 60.0  # in the middle of a download


class BatchState(FrozenDataclass):
    """How far a batch is, as the provider says.

    `state`: RUNNING; ENDED, its results can be read; FAILED, it has none, and `error` says why.
    `word`: the provider's own word for it. `total`, `good` and `failed` are numbers of requests;
    None = it does not say. `unanswered`: why a request of an ended batch has no result, EXPIRED or
    CANCELLED; "" = every request has one. `sources`: where the results are.
    """

    id: str
    state: str
    word: str
    total: int | None = None
    good: int | None = None
    failed: int | None = None
    unanswered: str = ""
    error: EasyLLMError | None = None
    sources: tuple[Any, ...] = ()


class BatchResult(FrozenDataclass):
    """The result of one request of a batch: `kind` is ANSWERED, EXPIRED or CANCELLED.

    `custom_id`: ours; "" = the provider left it out, so that nobody knows whose result it is.
    `status`, `headers` and `body` (JSON): the response as it would have come by itself.
    """

    custom_id: str
    kind: str
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class BatchAPI(ABC):
    """The batch API of one provider.

    `max_rows` and `max_bytes`: of one batch, a little below the provider's limits.
    `price_factor`: the price of a row, as a part of the usual one, at the vendor's own host.
    `finds_by_name`: whether the API keeps a batch's name, so that `find` finds no other batch.
    """

    max_rows: ClassVar[int]
    max_bytes: ClassVar[int]
    price_factor: ClassVar[float] = 0.5
    needs_upload: ClassVar[bool] = False
    finds_by_name: ClassVar[bool] = True

    def __init__(self, provider: HTTPProvider) -> None:
        self.provider = provider
        self.url = provider.endpoint.url

    @abstractmethod
    def format_row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """One request of a batch. `body`: of the request for one answer, without `stream`."""

    async def upload(self, name: str, rows: Sequence[bytes]) -> str:
        """Upload the requests; returns the id of the file. Only where `needs_upload`."""
        raise NotImplementedError

    @abstractmethod
    async def create(self, name: str, rows: Sequence[bytes], file_id: str) -> BatchState:
        """Create a batch. `name`: is found again by `find`. Raises EasyLLMError.

        If the error has no status, or one of 5xx, the batch may have been created all the same.
        """

    @abstractmethod
    async def find(self, name: str, count: int, since: float) -> list[BatchState]:
        """The batches that may be the one of this name. Raises EasyLLMError.

        `count`: of its requests. `since`: when it was created at the earliest, as `time.time()`.
        Both are for APIs that keep no name.
        """

    @abstractmethod
    async def poll(self, batch_id: str) -> BatchState:
        """How far a batch is. Raises EasyLLMError."""

    @abstractmethod
    def results(self, state: BatchState) -> AsyncIterator[BatchResult]:
        """The results of an ended batch, in any order. Raises EasyLLMError."""

    @abstractmethod
    async def cancel(self, batch_id: str) -> None:
        """Ask the provider to stop a batch; what it has done stays. Raises EasyLLMError."""

    async def request_json(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
        on_headers: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> dict[str, Any]:
        """Send a request, and return the object that answers it. `headers`: more of the request.

        `on_headers`: gets those of the answer, whose body may then be empty.

        Raises:
            EasyLLMError: as for an answer. MalformedAnswer: the answer is no JSON object.
        """
        seconds = ANSWER_SECONDS + len(content or b"") / SLOWEST_UPLOAD
        frames: Any = read_frames(
            self.provider.transport, self._request(method, url, content, content_type, headers),
            WholeBody(), ResponseTimer(seconds, seconds), on_headers,
        )  # fmt: skip
        try:
            async with aclosing(frames):
                async for frame in frames:
                    if not isinstance(frame, Note) and isinstance(frame[0], dict):
                        return frame[0]
        except EasyLLMError as error:
            raise await self._explained(error) from error.__cause__
        raise MalformedAnswer("the batch API did not answer with an object", where=url)

    async def read_lines(self, url: str) -> AsyncIterator[Any]:
        """The values of a file of JSON lines. Raises EasyLLMError."""
        splitter = LineSplitter()
        timer = ResponseTimer(ANSWER_SECONDS, SILENCE_SECONDS)
        try:
            async with self.provider.transport.open(self._request("GET", url), timer) as response:
                while chunk := await response.read_chunk():
                    timer.progress()
                    for line in splitter.feed(chunk):
                        if line.strip():
                            yield _parse_line(line)
                    timer.resume()
                if (rest := splitter.end()).strip():
                    yield _parse_line(rest)
        except EasyLLMError as error:
            raise await self._explained(error) from error.__cause__

    def require_same_server(self, url: str) -> None:
        """Raise MalformedAnswer if a URL of the server is elsewhere: the key is not sent there."""
        if urlsplit(url)[:2] != urlsplit(self.url)[:2]:
            raise MalformedAnswer(
                f"the batch API names another server, {urlsplit(url).hostname}",
                where=self.provider.where, hint="the key is not sent there",
            )  # fmt: skip

    def _request(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        sent = {**self.provider.headers(), **(headers or {})}
        if content_type:
            sent["Content-Type"] = content_type
        return Request(method, url, sent, content=content)

    async def _explained(self, error: EasyLLMError) -> EasyLLMError:
        """The error with its place, and the provider's hint about the key or the connection."""
        error.where = error.where or self.provider.where
        if isinstance(error, AuthError | NetworkError):
            await self.provider.add_hint(error)
        return error


def parse_time(text: Any) -> float:
    """A time of RFC 3339 as `time.time()`; 0 = it is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def parse_count(value: Any) -> int | None:
    """A number of requests, which some APIs send as text; None = it is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None


def encode_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _parse_line(line: bytes) -> Any:
    try:
        return parse_json(line)
    except (ValueError, RecursionError):
        raise MalformedAnswer("the results of the batch hold a line that is not JSON") from None
