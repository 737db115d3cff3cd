"""Asks through LLMService with a cache or a recording, and compares what came."""

import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from easyllm_cli import BaseLLMProvider, Call, LLMService
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Done, Event, Model, Note, Start, Text
from easyllm_cli.messages import Message
from easyllm_cli.recordings.store import answers_folder
from tests.support.adapters import KEY, Adapter
from tests.support.asking import messages, notes
from tests.support.standins.server import StandIn

NOWHERE = "http://127.0.0.1:9"  # nothing listens there


class WithoutWire(BaseLLMProvider):
    """A provider as a plugin may be: it shows nothing of what it sends."""

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        for event in (Start("plain", self.model), Text(f"seed {self.profile.seed}")):
            yield event
        yield Done("stop", True)

    async def models(self) -> list[Model]:
        return []


class Asked:
    """How one question went: its events, its record and its error."""

    def __init__(self, events: list[Event], call: Call, error: EasyLLMError | None) -> None:
        self.events = events
        self.call = call
        self.error = error

    @property
    def text(self) -> str:
        text: str = self.call.completion()["text"]
        return text


async def ask(
    service: LLMService, profile: Profile, question: str | Sequence[Message] = "hi", **options: Any
) -> Asked:
    """Ask once; nothing counts as shown, so that every failure may be retried."""
    calls: list[Call] = []
    events: list[Event] = []
    error = None
    asked = messages(question) if isinstance(question, str) else question
    options = {"shown": (), **options}
    try:
        async for event in service.stream(profile, asked, on_call=calls.append, **options):
            events.append(event)
    except EasyLLMError as failure:
        error = failure
    return Asked(events, calls[0], error)


def kept_answers() -> list[Path]:
    """The files in the cache of this home."""
    return sorted(answers_folder().glob("*/*"))


def forbid_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to connect fail."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def without_times(asked: Asked) -> dict[str, Any]:
    """The completion, but for its id and for the body of the response, which is not kept."""
    return {**asked.call.completion(), "id": None, "response": None}


async def check_the_same_answer_again(
    adapter: Adapter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ask once; then again from the cache and from a recording, without network and key."""
    with StandIn(adapter.server().handle) as server:
        profile = adapter.profile(server, model=adapter.thinker, think=True)
        first = await ask(LLMService(record=path, cache="1h"), profile)
    assert first.error is None
    assert first.text
    forbid_sockets(monkeypatch)
    cached = await ask(LLMService(cache="1h"), profile)
    elsewhere = profile.replace_set(endpoint=NOWHERE + adapter.base, api_key_env="NOT_SET")
    replayed = await ask(LLMService(replay=path), elsewhere)
    plain = await ask(LLMService(replay=path), elsewhere, stream=False)
    for again in (cached, replayed, plain):
        assert again.error is None
        assert without_times(again) == without_times(first)
        assert [event.kind for event in again.events if not isinstance(event, Note)] == [
            event.kind for event in first.events if not isinstance(event, Note)
        ]
    assert first.call.replayed is None
    for again, source in ((cached, "cache"), (replayed, "file")):
        assert again.call.replayed is not None
        assert again.call.replayed["from"] == source
        assert again.call.replayed["age_s"] < 60
    assert notes(cached.events) == ["from the cache, just now"]
    assert KEY not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
