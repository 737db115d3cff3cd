"""LLMService(history=True): what is kept of each call, and that a broken history harms nothing."""

import logging
from contextlib import aclosing
from typing import Any

import pytest

from easyllm_cli import EasyLLMError, IncompleteAnswer, LLMService, Profile, history, pricing
from easyllm_cli.events import Text
from easyllm_cli.history.calls import CallFilter, newest_calls
from easyllm_cli.history.store import open_store
from tests.support.asking import messages
from tests.support.binary import chat_answer_script
from tests.support.history import save
from tests.support.standins.script import (
    DONE,
    Cut,
    Script,
    Wait,
    chunk,
    script_handler,
    usage_chunk,
)
from tests.support.standins.server import StandIn

HELLO = chat_answer_script("Hello", reasoning="Hm.")


def profile(server: StandIn, **keys: Any) -> Profile:
    return Profile(
        name="t", provider="openai", endpoint=f"{server.url}/v1", model="m", max_retries=0, **keys
    )


def kept() -> list[Any]:
    """The calls that are kept, the newest first."""
    with open_store(history.history_path(), create=False) as store:
        return newest_calls(store, CallFilter(), 10)


async def test_each_call_is_kept() -> None:
    service = LLMService(history=True)
    with StandIn(script_handler(HELLO)) as server:
        assert [text async for text in service.chat_stream(profile(server), messages("a"))]
        await service.chat(profile(server), messages("b"))
    second, first = kept()
    assert (first["prompt"], second["prompt"]) == ("a", "b")
    for call in (first, second):
        assert (call["command"], call["text"], call["reasoning"]) == ("library", "Hello", "Hm.")
        assert (call["conversation"], call["exit_code"]) == (call["id"], 0)
        assert (call["cost_usd"], call["cost_source"]) == (0, "local")


async def test_a_failed_and_a_stopped_call_are_kept() -> None:
    service = LLMService(history=True)
    slow = Script(chunk("Hel"), chunk("lo"), Wait(30))
    with StandIn(script_handler(Script(chunk("He"), Cut()), slow)) as server:
        with pytest.raises(EasyLLMError):
            await service.chat(profile(server), messages("a"))
        async with aclosing(service.stream(profile(server), messages("b"))) as events:
            async for event in events:
                if isinstance(event, Text):
                    break
        await service.aclose()
    stopped, failed = kept()
    assert (failed["exit_code"], failed["text"], failed["complete"]) == (7, "He", 0)
    assert (stopped["exit_code"], stopped["text"][:3], stopped["complete"]) == (130, "Hel", 0)


async def test_the_profile_may_keep_less() -> None:
    service = LLMService(history=True)
    with StandIn(script_handler(HELLO)) as server:
        await service.chat(profile(server, history="off"), messages("a"))
        await service.chat(profile(server, history="metadata"), messages("b"))
    (call,) = kept()
    assert (call["prompt"], call["text"], call["completion_tokens"]) == (None, None, None)


async def test_the_variable_may_keep_less(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(script_handler(HELLO)) as server:
        for mode in ("off", "none", "metadata"):
            monkeypatch.setenv("EASYLLM_HISTORY", mode)
            await LLMService(history=True).chat(profile(server, history="full"), messages("a"))
    (call,) = kept()
    assert (call["command"], call["prompt"]) == ("library", None)


async def test_the_attempt_of_a_profile_before_the_fallback_is_priced() -> None:
    price = {"input": 1.0, "output": 2.0}
    failed = Script(usage_chunk(1_000_000, 0), Cut())
    answered = chat_answer_script("Hello", then=(usage_chunk(1_000_000, 0), DONE))
    with StandIn(script_handler(failed, answered)) as server:
        first, second = (
            profile(server, price=price).replace_set(name=name) for name in ("first", "second")
        )
        await LLMService(history=True).chat(first, messages("a"), fallbacks=[second])
    (call,) = kept()
    assert (call["profile"], call["attempts"]) == ("second", 2)
    assert (call["cost_usd"], call["cost_source"]) == (2.0, "profile")


async def test_history_keep_counts_in_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    save(started_at=1.0)
    with open_store(history.history_path(), create=False) as store, store.transaction():
        store.set_meta(history.PRUNED_ON, "2026-01-01")
    path = history.history_path().with_name("profiles.toml")
    path.write_text('history_keep = "9d"\n', "utf-8")
    monkeypatch.setenv("EASYLLM_PROFILES", str(path))
    with StandIn(script_handler(HELLO)) as server:
        await LLMService(history=True).chat(profile(server), messages("a"))
    assert [call["command"] for call in kept()] == ["library"]


async def test_by_default_nothing_is_kept() -> None:
    with StandIn(script_handler(HELLO)) as server:
        await LLMService().chat(profile(server), messages("a"))
    assert not history.history_path().exists()


async def test_a_lone_surrogate_from_the_server_changes_nothing() -> None:
    end = chunk(finish="LONE unknown").replace(b"LONE", b"\\ud800")
    with StandIn(script_handler(Script(chunk("Hello"), end, DONE))) as server:
        completion = await LLMService(history=True).chat(profile(server), messages("a"))
    assert completion.text == "Hello"
    assert kept()[0]["finish_reason"] == "? unknown"


async def test_hist_7_a_bug_in_keeping_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pricing, "total_cost", lambda *_: 1 / 0)
    script = Script(chunk("He"), Cut())
    with StandIn(script_handler(script)) as server, pytest.raises(IncompleteAnswer):
        await LLMService(history=True).chat(profile(server), messages("a"))
    assert "not kept in the history: a bug in easyllm: ZeroDivisionError" in caplog.text


async def test_a_history_that_cannot_be_written_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    history.history_path().mkdir(parents=True)
    with StandIn(script_handler(HELLO)) as server, caplog.at_level(logging.WARNING):
        completion = await LLMService(history=True).chat(profile(server), messages("a"))
    assert completion.text == "Hello"
    assert "the answer is not kept in the history" in caplog.text
