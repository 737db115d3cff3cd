"""Any bytes as the answer to every request, through the real adapters, with no socket."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from easyllm_cli.errors import EXIT_CODES, EasyLLMError
from easyllm_cli.events import Done, Reasoning, Reclassified, Text
from easyllm_cli.messages import parse_messages
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.transport.base import Request, Response, raise_for_status
from easyllm_cli.transport.timeouts import ResponseTimer
from tests.support.adapters import KEY, Adapter
from tests.support.asking import messages, profile

NOWHERE = "http://127.0.0.1:9"
LONGEST_LINE = 1000  # characters of a complaint: 300 of a server's words, ours, a hint's names


class CannedTransport:
    """A carrier that answers every request with the same bytes."""

    def __init__(
        self, pieces: Sequence[bytes], status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.pieces = pieces
        self.status = status
        self.headers = headers or {}

    async def _coming(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if piece:
                yield piece

    @asynccontextmanager
    async def open(self, request: Request, patience: ResponseTimer) -> AsyncIterator[Response]:
        answer = Response(self.status, self.headers, request.url, self._coming(), patience)
        await raise_for_status(answer)
        yield answer

    async def aclose(self) -> None:
        pass


def provider_with(adapter: Adapter, transport: CannedTransport, **keys: Any) -> HTTPProvider:
    """The adapter, asking over this transport; it never tries twice."""
    usual = {"model": adapter.model, "api_key": KEY, "api": adapter.api, "max_retries": 0}
    asked = profile(adapter.provider, NOWHERE + adapter.base, **{**usual, **keys})
    provider = provider_for(asked)
    assert isinstance(provider, HTTPProvider)
    provider.__dict__["transport"] = transport
    return provider


@dataclass
class ReceivedAnswer:
    """What a caller was told: the pieces joined, whether it ended well, or the error."""

    text: str = ""
    reasoning: str = ""
    done: bool = False
    error: EasyLLMError | None = None


async def receive_answer(provider: HTTPProvider, stream: bool = True) -> ReceivedAnswer:
    """Everything of one answer; no exception but our own passes for an error."""
    heard = ReceivedAnswer()
    try:
        async with aclosing(provider.stream(parse_messages(messages()), stream)) as events:
            async for event in events:
                if isinstance(event, Text):
                    heard.text += event.text
                elif isinstance(event, Reasoning):
                    heard.reasoning += event.text
                elif isinstance(event, Reclassified):
                    heard.reasoning, heard.text = heard.reasoning + heard.text, ""
                elif isinstance(event, Done):
                    heard.done = True
    except EasyLLMError as error:
        heard.error = error
    return heard


def check_ending(heard: ReceivedAnswer) -> None:
    """Whole, or one typed and short error that holds what came."""
    if heard.error is None:
        assert heard.done
        assert heard.text, "an answer without text is no success"
        return
    assert is_documented_error(heard.error)
    partial = getattr(heard.error, "partial", None)
    assert partial is not None
    assert (partial["text"], partial["reasoning"] or "") == (heard.text, heard.reasoning)


def is_documented_error(error: EasyLLMError) -> bool:
    """Whether it has a documented exit code that is no bug's, and words that fit a line."""
    assert error.exit_code in EXIT_CODES
    assert error.exit_code not in (0, 1)
    assert error.message
    assert len(str(error)) < LONGEST_LINE
    json.dumps(str(error))
    return True
