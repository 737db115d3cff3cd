"""Asks through LLMService with a cache or a recording, and compares what came."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from easyllm_cli import BaseLLMProvider, Call, LLMService
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Done, Event, Model, Start, Text
from easyllm_cli.messages import Message
from easyllm_cli.recordings.store import answers_folder
from tests.support.asking import messages

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
