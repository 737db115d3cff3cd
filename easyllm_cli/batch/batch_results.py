"""The results of a provider's batch: kept in a file until all are read, and judged like answers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from copy import copy
from pathlib import Path
from typing import Any, Self, cast

from ..errors import EasyLLMError, OutputError
from ..events import Event, Start
from ..images import Image
from ..messages import Message
from ..pipeline.source import Source
from ..providers.batch_api import ANSWERED, BatchResult, encode_json
from ..providers.http import HTTPProvider
from ..transport.base import Request, Response, open_response
from ..transport.timeouts import ResponseTimer
from .asking import RowAsker
from .output_rows import RowResult
from .rows import Row

ANSWER_READ_SECONDS = 600.0  # for an answer that is here already
IMAGE_WORD = "[image]"


class ResultStore:
    """The results of one batch by row, in a file without a name.

    Nothing is written to the output before all results were read: a connection that is cut in
    their middle costs a second download, and no row.
    """

    def __init__(self, folder: Path) -> None:
        """Raises OutputError if the file cannot be made."""
        self.answered = 0  # results with an answer
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise OutputError.from_os_error("cannot be written", error, str(folder)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, row: int) -> bool:
        return row in self._places

    def add(self, row: int, received: BatchResult) -> None:
        """Keep the result of a row; of several, the first. Raises OutputError."""
        if row in self._places:
            return
        data = encode_json({**vars(received), "headers": {**received.headers}})
        try:
            self._file.seek(self._end)
            self._file.write(data)
        except OSError as error:
            raise OutputError.from_os_error(
                "the results cannot be kept", error, "",
                disk_full_hint="make room, and run the same command again",
            ) from None  # fmt: skip
        self._places[row] = self._end, len(data)
        self._end += len(data)
        self.answered += received.kind == ANSWERED and received.status < 400

    def get(self, row: int) -> BatchResult | None:
        """The result of a row; None = there is none."""
        place = self._places.get(row)
        if place is None:
            return None
        self._file.seek(place[0])
        return BatchResult(**json.loads(self._file.read(place[1])))


class _ReceivedResponse:
    """A response that was received already, as a transport gives one."""

    def __init__(self, received: BatchResult) -> None:
        self.status_code = received.status
        self.headers = {"content-type": "application/json", **received.headers}
        self._data = encode_json(received.body)

    async def aiter_raw(self) -> AsyncGenerator[bytes, None]:
        yield self._data

    async def aclose(self) -> None:
        pass


class _ReceivedTransport:
    """A transport that answers with a response that was received already."""

    def __init__(self, received: BatchResult) -> None:
        self._outcome = received

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        response = _ReceivedResponse(self._outcome)
        async with open_response(response, request.url, timer) as opened:
            yield opened

    async def aclose(self) -> None:
        pass


class _AnsweredSource:
    """A provider whose answer is here: its decoder reads it, and nothing is sent."""

    def __init__(self, provider: HTTPProvider, received: BatchResult) -> None:
        self._provider = copy(provider)
        self._provider.transports = [_ReceivedTransport(received)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def per_answer_copy(self) -> Self:
        return self

    def input_notes(self, messages: list[Message]) -> list[str]:
        return []

    async def add_hint(self, error: EasyLLMError) -> None:
        pass  # it might ask the server

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        provider, texts = self._provider, [_without_images(message) for message in messages]
        yield Start(provider.profile.provider or "", provider.model, provider.profile.name)
        request = provider.unsupported_parameters.apply(provider.request(texts, stream=False))
        timer = ResponseTimer(ANSWER_READ_SECONDS, ANSWER_READ_SECONDS)
        events: Any = provider.send_request(request, texts, False, timer)
        async with aclosing(events):
            async for event in events:
                yield event


async def judge_result(
    asker: RowAsker, row: Row, received: BatchResult, price_factor: float
) -> RowResult:
    """How a row ended, by the same stages and checks as an answer that comes by itself.

    `price_factor`: the price of a row, as a part of the usual one.
    """
    try:
        call = asker.begin(row)
    except EasyLLMError as error:
        return RowResult(error=error, attempts=row.attempts + 1)
    (provider, *_) = call.find_sources()
    source = cast(Source, _AnsweredSource(cast(HTTPProvider, provider), received))
    call.find_sources = lambda: [source]
    call.retry_on = lambda _: False
    result = await asker.ask(row, call)
    cost = result.cost_usd
    return result.__replace__(cost_usd=None if cost is None else float(cost) * price_factor)


def _without_images(message: Message) -> Message:
    """The message as it is needed to know what was asked; the images were sent."""
    if not message.images:
        return message
    parts = tuple(IMAGE_WORD if isinstance(part, Image) else part for part in message.parts)
    return Message(message.role, parts)
