"""Calls a stand-in through the library, and returns the events, errors and sent requests."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Event, Note
from easyllm_cli.pipeline.call import SHOWN_KINDS
from easyllm_cli.pipeline.collector import collect
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.http import HTTPProvider
from tests.support.standins.request import Request
from tests.support.standins.server import StandIn

QUESTION = "What is Python?"
Json = dict[str, Any]
Failure = TypeVar("Failure", bound=EasyLLMError)


def profile(provider: str, url: str, *, think: bool = False, **keys: Any) -> Profile:
    """Return a profile with short waits between retries."""
    usual = {"provider": provider, "endpoint": url, "model": "m", "initial_retry_delay": 0.01}
    return Profile.of({**usual, **keys}).replace_set(think=think or None)


def openai(server: StandIn, **keys: Any) -> Profile:
    """Return a profile for a stand-in of Chat Completions."""
    return profile("openai", f"{server.url}/v1", **keys)


@asynccontextmanager
async def open_provider(target_profile: Profile) -> AsyncIterator[HTTPProvider]:
    """Yield the profile's provider, and close it at the end."""
    provider = provider_for(target_profile)
    assert isinstance(provider, HTTPProvider)
    try:
        yield provider
    finally:
        await provider.aclose()


def messages(text: str = QUESTION) -> list[Json]:
    return [{"role": "user", "content": text}]


async def collect_events(
    target_profile: Profile,
    stream: bool = True,
    shown: Collection[str] = SHOWN_KINDS,
    text: str = QUESTION,
) -> list[Event]:
    """Return every event of one answer."""
    async with open_provider(target_profile) as provider:
        return [event async for event in provider.stream(messages(text), stream, shown)]


async def get_completion(
    target_profile: Profile,
    stream: bool = True,
    shown: Collection[str] = SHOWN_KINDS,
    text: str = QUESTION,
) -> Completion:
    """Return one answer as a completion."""
    async with open_provider(target_profile) as provider:
        return await collect(provider.stream(messages(text), stream, shown))


async def expect_error(
    kind: type[Failure],
    target_profile: Profile,
    stream: bool = True,
    shown: Collection[str] = SHOWN_KINDS,
) -> Failure:
    """Return the error with which an answer ends; its class must be exactly `kind`."""
    with pytest.raises(kind) as caught:
        await get_completion(target_profile, stream, shown)
    assert type(caught.value) is kind
    return caught.value


def answer_requests(server: StandIn) -> list[Request]:
    """Return the requests for an answer, without those about models."""
    posted = [request for request in server.requests if request.method == "POST"]
    return [request for request in posted if not request.path.endswith("/api/show")]


def request_bodies(server: StandIn) -> list[Json]:
    """Return the JSON body of each request."""
    return [request.json for request in server.requests]


def notes(events: list[Event]) -> list[str]:
    """Return the texts of the notes to the user."""
    return [event.text for event in events if isinstance(event, Note)]
