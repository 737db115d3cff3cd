"""Runs the real adapters over a transport that answers with given bytes, without a socket."""

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
from easyllm_cli.transport.base import Request, Response, raise_for_status, with_lower_names
from easyllm_cli.transport.timeouts import ResponseTimer
from tests.support.adapters import KEY, Adapter
from tests.support.asking import messages, profile

NOWHERE = "http://127.0.0.1:9"
LONGEST_LINE = 1000  # characters of an error: 300 from the server, our text, and names in a hint


class CannedTransport:
    """A transport that answers every request with the same bytes."""

    def __init__(
        self, pieces: Sequence[bytes], status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.pieces = pieces
        self.status = status
        self.headers = headers or {}

    async def _body(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if piece:
                yield piece

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        response = Response(
            self.status, with_lower_names(self.headers), request.url, self._body(), timer
        )
        await raise_for_status(response)
        yield response

    async def aclose(self) -> None:
        pass


def provider_with(adapter: Adapter, transport: CannedTransport, **keys: Any) -> HTTPProvider:
    """Return the adapter's provider with this transport, without retries."""
    settings = {"model": adapter.model, "api_key": KEY, "api": adapter.api, "max_retries": 0}
    chosen_profile = profile(adapter.provider, NOWHERE + adapter.base, **{**settings, **keys})
    provider = provider_for(chosen_profile)
    assert isinstance(provider, HTTPProvider)
    provider.transports = [transport]
    return provider


@dataclass
class ReceivedAnswer:
    """An answer as a caller receives it: the joined text, whether it ended well, or the error."""

    text: str = ""
    reasoning: str = ""
    done: bool = False
    error: EasyLLMError | None = None


async def receive_answer(provider: HTTPProvider, stream: bool = True) -> ReceivedAnswer:
    """Receive a whole answer; only an EasyLLMError counts as its error."""
    answer = ReceivedAnswer()
    try:
        async with aclosing(provider.stream(parse_messages(messages()), stream)) as events:
            async for event in events:
                if isinstance(event, Text):
                    answer.text += event.text
                elif isinstance(event, Reasoning):
                    answer.reasoning += event.text
                elif isinstance(event, Reclassified):
                    answer.reasoning, answer.text = answer.reasoning + answer.text, ""
                elif isinstance(event, Done):
                    answer.done = True
    except EasyLLMError as error:
        answer.error = error
    return answer


def check_ending(answer: ReceivedAnswer) -> None:
    """Check that the answer is whole, or failed with a documented error that holds its text."""
    if answer.error is None:
        assert answer.done
        assert answer.text, "an answer without text is no success"
        return
    assert is_documented_error(answer.error)
    partial = getattr(answer.error, "partial", None)
    assert partial is not None
    assert (partial["text"], partial["reasoning"] or "") == (answer.text, answer.reasoning)


def is_documented_error(error: EasyLLMError) -> bool:
    """Check that the error has a documented exit code other than 0 and 1, and a short message."""
    assert error.exit_code in EXIT_CODES
    assert error.exit_code not in (0, 1)
    assert error.message
    assert len(str(error)) < LONGEST_LINE
    json.dumps(str(error))
    return True
