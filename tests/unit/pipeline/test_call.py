"""The record of an answer: after failures, retries, a cancel, and errors of a plugin's code."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from easyllm_cli import BaseLLMProvider, Call, LLMService
from easyllm_cli.completion import Completion
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import (
    BusyError,
    ConfigError,
    EasyLLMError,
    IncompleteAnswer,
    RefusedError,
    UsageError,
)
from easyllm_cli.events import Done, Event, Model, Note, Reasoning, Start, Text, Usage
from easyllm_cli.messages import Message
from easyllm_cli.pipeline import run
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.provider_cache import ProviderCache
from tests.support.asking import messages, openai
from tests.support.standins.script import Cut, Script, Wait, script_handler
from tests.support.standins.server import StandIn

PROFILE = Profile.of({"provider": "ollama", "model": "m", "max_retries": 0})
QUESTION = [Message("user", ("hi",))]
PLUGIN = EntryPoint("thing", "thing_package:Provider", "easyllm_cli.providers")
START = Start("ollama", "m", "")
Step = Event | Exception | Callable[[], Any]


class Scripted(BaseLLMProvider):
    """Yields events, raises errors and awaits what the steps of an attempt give."""

    def __init__(self, *attempts: list[Step], hold: bool = False, plugin: bool = False) -> None:
        super().__init__(PROFILE)
        self.attempts = list(attempts)
        self.hold = hold
        self.entry_point = PLUGIN if plugin else None

    def has_inline_reasoning(self) -> bool:
        return self.hold

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        for step in self.attempts.pop(0):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Event):
                yield step
            else:
                await step()

    async def models(self) -> list[Model]:
        raise AssertionError


async def ask(*sources: BaseLLMProvider, **settings: Any) -> tuple[Call, Exception | None]:
    """Return the record of one answer, and what was raised."""
    call = Call(QUESTION, **{"shown": (), **settings})
    try:
        async for _ in run(call, lambda: sources):
            pass
    except Exception as error:
        return call, error
    return call, None


async def ask_for_events(
    *sources: BaseLLMProvider, **settings: Any
) -> tuple[list[Event], Exception | None]:
    """Return the events of one answer, and what was raised."""
    events: list[Event] = []
    try:
        async for event in run(Call(QUESTION, **settings), lambda: sources):
            events.append(event)
    except Exception as error:
        return events, error
    return events, None


def partial_text(error: Exception | None) -> str:
    assert isinstance(error, EasyLLMError)
    assert error.partial is not None
    text: str = error.partial["text"]
    return text


async def test_fault_46_one_piece_over_the_limit_is_a_partial_answer() -> None:
    source = Scripted([START, Text("x" * 200), Done("stop", True)])
    call, error = await ask(source, max_bytes=100)
    assert isinstance(error, IncompleteAnswer)
    assert (partial_text(error), call.accepted) == ("x" * 200, False)


async def test_pieces_below_the_limit_are_the_partial_answer() -> None:
    source = Scripted([START, Text("x" * 90), Text("y" * 90)])
    events, error = await ask_for_events(source, max_bytes=100)
    assert partial_text(error) == "x" * 90
    assert events == [START, Text("x" * 90)]


async def test_an_exception_of_a_plugin_keeps_the_held_text() -> None:
    call, error = await ask(Scripted([START, Text("half"), KeyError("x")], hold=True, plugin=True))
    assert isinstance(error, ConfigError)
    assert 'the provider "thing" failed: KeyError' in error.message
    assert partial_text(error) == "half"
    assert isinstance(call.error, ConfigError)


async def test_an_exception_of_built_in_code_stays_what_it_is() -> None:
    _, error = await ask(Scripted([START, KeyError("x")]))
    assert isinstance(error, KeyError)


async def test_an_exception_of_the_caller_does_not_blame_the_plugin() -> None:
    def verdict(answer: Completion, limited: bool) -> str:
        raise ValueError("mine")

    source = Scripted([START, Text("a"), Done("stop", True)], plugin=True)
    _, error = await ask(source, verdict=verdict)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("raised", [UsageError("no hint"), KeyError("x")], ids=repr)
async def test_an_error_in_add_hint_keeps_the_partial_answer(raised: Exception) -> None:
    class Hinting(Scripted):
        async def add_hint(self, error: EasyLLMError) -> None:
            raise raised

    call, error = await ask(Hinting([START, Text("half"), BusyError("no")], plugin=True))
    assert partial_text(error) == "half"
    assert isinstance(call.error, UsageError | ConfigError)
    assert call.error.where


async def test_a_cancel_while_a_hint_is_found_keeps_the_partial_answer() -> None:
    class Hinting(Scripted):
        async def add_hint(self, error: EasyLLMError) -> None:
            raise asyncio.CancelledError

    call = Call(QUESTION)
    source = Hinting([START, Text("half"), BusyError("no")])
    with pytest.raises(asyncio.CancelledError) as caught:
        async for _ in run(call, lambda: [source]):
            pass
    assert caught.value.partial["text"] == "half"  # type: ignore[attr-defined]
    assert call.cancelled


async def test_a_cancelled_call_keeps_held_text_and_the_time_of_the_first_token() -> None:
    async def wait() -> None:
        await asyncio.sleep(30)

    source = Scripted([START, Text("held"), wait], hold=True)
    call = Call(QUESTION)

    async def read() -> None:
        async for _ in run(call, lambda: [source]):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.partial["text"] == "held"  # type: ignore[attr-defined]
    assert call.ms_first_token is not None
    assert call.ms_first_token < 40
    assert call.cancelled


async def test_a_cancelled_call_keeps_the_usage_that_came() -> None:
    frame = b'data: {"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 7}}\n\n'
    calls: list[Call] = []
    with StandIn(script_handler(Script(frame, Wait(30)))) as server:
        events = LLMService().stream(openai(server), messages(), on_call=calls.append)

        async def read() -> None:
            async for event in events:
                if isinstance(event, Text):
                    arrived.set()

        arrived = asyncio.Event()
        task = asyncio.create_task(read())
        await asyncio.wait_for(arrived.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert calls[0].usage_all == Usage(7)


async def test_providers_are_closed_although_one_cannot_be() -> None:
    closed: list[str] = []

    class Failing(Scripted):
        async def aclose(self) -> None:
            closed.append("failing")
            raise ValueError("stuck")

    class Closing(Scripted):
        async def aclose(self) -> None:
            closed.append("closing")

    cache = ProviderCache()
    cache._loops[asyncio.get_running_loop()] = {"a": Failing(plugin=True), "b": Closing()}
    with pytest.raises(ConfigError, match="thing_package"):
        await cache.aclose()
    assert closed == ["failing", "closing"]


async def test_usage_belongs_to_the_text_that_is_shown() -> None:
    cut: list[Step] = [
        START,
        Text("long"),
        Usage(11, 22, 33),
        IncompleteAnswer("cut", retryable=False),
    ]
    call, error = await ask(Scripted(cut), Scripted([START, RefusedError("no")]))
    assert isinstance(error, RefusedError)
    assert partial_text(error) == "long"
    assert (call.usage, call.usage_all) == (Usage(11, 22, 33), Usage(11, 22, 33))


async def test_a_refused_message_does_not_cost_the_note_about_settings() -> None:
    profile = PROFILE.replace_set(organization="x", endpoint="http://127.0.0.1:9")
    provider = provider_for(profile)
    with pytest.raises(UsageError):
        await provider.chat([{"role": "user", "content": "hi", "name": "ada"}])
    events, _ = await ask_for_events(provider)
    assert any("organization" in event.text for event in events if isinstance(event, Note))


async def test_a_failed_call_is_freed_at_once() -> None:
    async def fail() -> None:
        raise BusyError("no")

    gc.collect()
    gc.disable()
    try:
        call, error = await ask(Scripted([START, Text("a"), fail]))
        reference = weakref.ref(call)
        del call, error
        assert reference() is None
    finally:
        gc.enable()


async def test_an_error_before_any_source_is_recorded() -> None:
    calls: list[Call] = []
    with pytest.raises(ConfigError):
        async for _ in LLMService().stream({"provider": "nobody"}, messages(),
                                           on_call=calls.append):  # fmt: skip
            pass
    assert isinstance(calls[0].error, ConfigError)


async def test_rate_limit_headers_of_the_last_response_survive_a_dropped_connection() -> None:
    busy = Script(b"{}", status=429, content_type="application/json",
                  headers={"x-ratelimit-remaining-tokens": "7", "retry-after": "0"})  # fmt: skip
    calls: list[Call] = []
    with StandIn(script_handler(busy, Script(Cut()))) as server, pytest.raises(EasyLLMError):
        async for _ in LLMService().stream(openai(server, max_retries=1), messages(),
                                           on_call=calls.append):  # fmt: skip
            pass
    assert calls[0].rate_limit_headers["x-ratelimit-remaining-tokens"] == "7"


async def test_an_adapter_that_fails_after_done_is_not_accepted() -> None:
    done: list[Step] = [START, Text("a"), Done("stop", True), BusyError("late", retryable=False)]
    call, error = await ask(Scripted(done))
    assert isinstance(error, BusyError)
    assert not call.accepted


async def test_reasoning_alone_marks_the_first_token() -> None:
    call, _ = await ask(Scripted([START, Reasoning("hm"), Text("a"), Done("stop", True)]))
    assert call.ms_first_token is not None
