"""Ask a stand-in as a user of the library does, and look at what came and what was sent."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Event, Note
from easyllm_cli.pipeline.collector import collect
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.base import SHOWN_KINDS
from easyllm_cli.providers.http import HTTPProvider
from tests.support.standins.request import Request
from tests.support.standins.server import StandIn

QUESTION = "What is Python?"
Json = dict[str, Any]
Failure = TypeVar("Failure", bound=EasyLLMError)


def profile(provider: str, url: str, *, think: bool = False, **keys: Any) -> Profile:
    """A profile that waits next to nothing between two tries."""
    usual = {"provider": provider, "endpoint": url, "model": "m", "initial_retry_delay": 0.01}
    return Profile.of({**usual, **keys}).replace_set(think=think or None)


def openai(server: StandIn, **keys: Any) -> Profile:
    """A profile for a stand-in that speaks Chat Completions."""
    return profile("openai", f"{server.url}/v1", **keys)


@asynccontextmanager
async def open_provider(asked: Profile) -> AsyncIterator[HTTPProvider]:
    """The profile's provider, closed at the end."""
    provider = provider_for(asked)
    assert isinstance(provider, HTTPProvider)
    try:
        yield provider
    finally:
        await provider.aclose()


def messages(text: str = QUESTION) -> list[Json]:
    return [{"role": "user", "content": text}]


async def collect_events(
    asked: Profile,
    stream: bool = True,
    shown: Collection[str] = SHOWN_KINDS,
    text: str = QUESTION,
) -> list[Event]:
    """Every event of one answer."""
    async with open_provider(asked) as provider:
        return [event async for event in provider.stream(messages(text), stream, shown)]


async def get_completion(
    asked: Profile,
    stream: bool = True,
    shown: Collection[str] = SHOWN_KINDS,
    text: str = QUESTION,
) -> Completion:
    """One answer, gathered."""
    async with open_provider(asked) as provider:
        return await collect(provider.stream(messages(text), stream, shown))


async def expect_error(
    kind: type[Failure],
    asked: Profile,
    stream: bool = True,
    shown: Collection[str] = SHOWN_KINDS,
) -> Failure:
    """The error with which an answer ends, of exactly this class."""
    with pytest.raises(kind) as caught:
        await get_completion(asked, stream, shown)
    assert type(caught.value) is kind
    return caught.value


def answer_requests(server: StandIn) -> list[Request]:
    """The requests for an answer, without the small questions beside it."""
    beside = ("/models", "/api/tags", "/api/show", "/props")
    return [one for one in server.requests if not one.path.endswith(beside)]


def request_bodies(server: StandIn) -> list[Json]:
    """What was sent, request by request."""
    return [request.json for request in server.requests]


def notes(came: list[Event]) -> list[str]:
    """What the user is told beside the answer."""
    return [event.text for event in came if isinstance(event, Note)]
