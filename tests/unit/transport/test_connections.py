"""Connections are closed when they are no longer used, and never before."""

import asyncio
import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from easyllm_cli import IncompleteAnswer, LLMService, NetworkError, OpenAIProvider
from tests.support import ROOT
from tests.support.asking import messages
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Cut, Json, Script, Wait, chunk, script_handler
from tests.support.standins.server import StandIn

SLOW = Script(chunk("Hel"), Wait(0.3), chunk("lo"), chunk(finish="stop"))
NEVER = Script(chunk("Hel"), Wait(30))
SILENT = Script(Wait(30))


over_each = pytest.mark.parametrize("transport", ["http", "aiohttp", "sdk"])


def config(server: StandIn, **keys: str) -> Json:
    usual = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "gpt-4o"}
    return {**usual, "api_key": "k", **keys}


async def wait_until_true(condition: Callable[[], object]) -> None:
    """Wait until `condition()` is true, for at most 10 seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@over_each
async def test_async_with_closes_every_connection(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        settings = config(server, transport=transport)
        async with LLMService() as service:
            await service.chat(settings, messages())
            assert server.connections == 1
        await wait_until_true(lambda: server.connections == 0)
        await service.chat(settings, messages())  # a closed service can be used again
        await service.aclose()
        await wait_until_true(lambda: server.connections == 0)


@over_each
async def test_a_service_that_is_dropped_closes_its_connections(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        await LLMService().chat(config(server, transport=transport), messages())
        await OpenAIProvider(config(server, transport=transport)).chat(messages())
        await wait_until_true(lambda: server.connections == 0)


@over_each
async def test_aclose_of_a_provider_closes_its_connections(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        provider = OpenAIProvider(config(server, transport=transport))
        for _ in range(2):
            await provider.chat(messages())
            assert server.connections == 1
            await provider.aclose()
            await wait_until_true(lambda: server.connections == 0)


@over_each
@pytest.mark.parametrize(
    ("method", "script"),
    [("chat", SILENT), ("chat_stream", SILENT), ("chat_stream", NEVER)],
    ids=["chat", "before text", "after text"],
)
async def test_closing_under_load_is_named_in_the_error(
    method: str, script: Script, transport: str
) -> None:
    """The error does not blame the server, the partial answer is kept, and nothing is retried."""

    texts: list[str] = []

    async def ask(service: LLMService, settings: Json) -> None:
        if method == "chat":
            await service.chat(settings, messages())
            return
        async for text in service.chat_stream(settings, messages()):
            texts.append(text)

    with StandIn(script_handler(script)) as server:
        service = LLMService()
        settings = config(server, transport=transport)
        tasks = [asyncio.create_task(ask(service, settings)) for _ in range(5)]
        await wait_until_true(lambda: len(server.requests) == 5)
        streamed = script is NEVER
        if streamed:
            await wait_until_true(lambda: len(texts) == 5)
        await service.aclose()
        failed = await asyncio.gather(*tasks, return_exceptions=True)
        assert len(server.requests) == 5
    for error in failed:
        assert isinstance(error, IncompleteAnswer if streamed else NetworkError)
        assert "this program closed the connection" in str(error)
        assert error.partial is not None
        assert error.partial["text"] == ("Hel" if streamed else "")


async def test_closing_under_load_asks_no_fallback() -> None:
    with StandIn(script_handler(SILENT)) as server, StandIn(OpenAIServer().handle) as spare:
        service = LLMService()
        asking = service.chat(config(server), messages(), fallbacks=[config(spare)])
        task = asyncio.create_task(asking)
        await wait_until_true(lambda: server.requests)
        await service.aclose()
        with pytest.raises(NetworkError, match="this program closed the connection"):
            await task
        assert spare.requests == []


async def test_server_that_closes_is_still_named() -> None:
    with StandIn(script_handler(Script(chunk("Hel"), Cut()))) as server:
        with pytest.raises(IncompleteAnswer, match="closed the connection") as caught:
            _ = [text async for text in LLMService().chat_stream(config(server), messages())]
        assert "this program" not in str(caught.value)


async def test_clear_cache_closes_unused_connections() -> None:
    with StandIn(OpenAIServer().handle) as server:
        service = LLMService()
        await service.chat(config(server), messages())
        service.clear_cache()
        await wait_until_true(lambda: server.connections == 0)
        await service.chat(config(server), messages())
        assert len(server.requests) == 2


async def test_clear_cache_lets_a_running_answer_finish() -> None:
    texts = []
    with StandIn(script_handler(SLOW)) as server:
        service = LLMService()
        async for text in service.chat_stream(config(server), messages()):
            texts.append(text)
            service.clear_cache()
        await wait_until_true(lambda: server.connections == 0)
    assert texts == ["Hel", "lo"]


def test_clear_cache_after_the_loop_and_from_another_thread() -> None:
    service = LLMService()

    async def ask(server: StandIn) -> None:
        await service.chat(config(server), messages())
        await asyncio.to_thread(service.clear_cache)
        await wait_until_true(lambda: server.connections == 0)
        await service.chat(config(server), messages())

    with StandIn(OpenAIServer().handle) as server:
        asyncio.run(ask(server))
        service.clear_cache()
        asyncio.run(ask(server))


@pytest.mark.parametrize("script", [NEVER, SILENT], ids=["after text", "before text"])
@pytest.mark.parametrize("method", ["chat", "chat_stream", "stream"])
async def test_cancelling_closes_the_connection(method: str, script: Script) -> None:
    async def ask(service: LLMService, server: StandIn) -> None:
        if method == "chat":
            await service.chat(config(server), messages())
        elif method == "chat_stream":
            _ = [text async for text in service.chat_stream(config(server), messages())]
        else:
            _ = [event async for event in service.stream(config(server), messages())]

    with StandIn(script_handler(script)) as server:
        service = LLMService()
        task = asyncio.create_task(ask(service, server))
        await wait_until_true(lambda: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_until_true(lambda: server.requests[0].closed_at is not None)
        await wait_until_true(lambda: server.connections == 0)
        service.clear_cache()


async def test_cancelled_error_holds_the_partial_answer() -> None:
    """It is in the CancelledError, and in the cause of a TimeoutError."""
    with StandIn(script_handler(NEVER)) as server:
        service = LLMService()
        texts: list[str] = []

        async def ask() -> None:
            async for text in service.chat_stream(config(server), messages()):
                texts.append(text)

        task = asyncio.create_task(ask())
        await wait_until_true(lambda: texts)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        assert getattr(cancelled.value, "partial")["text"] == "Hel"  # noqa: B009

        async def ask_until_text_came() -> None:
            async with asyncio.timeout(None) as limit:
                async for event in service.stream(config(server), messages()):
                    if event.kind == "text":
                        limit.reschedule(asyncio.get_running_loop().time())

        with pytest.raises(TimeoutError) as late:
            await ask_until_text_came()
        assert getattr(late.value.__cause__, "partial")["text"] == "Hel"  # noqa: B009
        service.clear_cache()


async def test_leaving_a_stream_early_closes_its_connection() -> None:
    with StandIn(script_handler(NEVER)) as server:
        async for _ in LLMService().chat_stream(config(server), messages()):
            break
        await wait_until_true(lambda: server.requests[0].closed_at is not None)


async def test_cancelling_one_answer_leaves_the_others_running() -> None:
    async def ask(service: LLMService, server: StandIn) -> str:
        return "".join([text async for text in service.chat_stream(config(server), messages())])

    with StandIn(script_handler(SLOW)) as server:
        async with LLMService() as service:
            asking = [asyncio.create_task(ask(service, server)) for _ in range(3)]
            await wait_until_true(lambda: len(server.requests) == 3)
            asking[1].cancel()
            results = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert [results[0], results[2]] == ["Hello", "Hello"]


SCRIPT = """
import asyncio, sys
from easyllm_cli import LLMService, OpenAIProvider

config = {"provider": "openai", "endpoint": sys.argv[1], "model": "gpt-4o", "api_key": "k"}
messages = [{"role": "user", "content": "hi"}]

async def kept():
    print((await service.chat(config, messages))["text"])
    print((await provider.chat(messages))["text"])

async def dropped():
    print((await LLMService().chat(config, messages))["text"])
    print((await OpenAIProvider(config).chat(messages))["text"])

async def left_early():
    async for text in service.chat_stream(config, messages):
        break

async def cleared():
    async for text in service.chat_stream(config, messages):
        service.clear_cache()

async def given_up():
    asking = asyncio.create_task(service.chat(config, messages))
    await asyncio.sleep(0.001)

async def by_the_book():
    async with LLMService() as own:
        print(await own.get_response(config, "hi"))

async def alone(work):
    asyncio.get_running_loop().slow_callback_duration = 60  # -X dev would warn on a busy machine
    await work()

for transport in sys.argv[2:]:
    print(transport, file=sys.stderr)
    config["transport"] = transport
    service, provider = LLMService(), OpenAIProvider(config)
    for work in (kept, kept, dropped, left_early, cleared, given_up, kept, by_the_book):
        asyncio.run(alone(work))
"""


def test_no_warning_of_any_kind(tmp_path: Path) -> None:
    """No ResourceWarning for a socket, no RuntimeWarning for a coroutine, and no other.

    One process for all transports, because most of its time goes into starting.
    """
    transports = ["http", "aiohttp", "sdk"]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with StandIn(OpenAIServer().handle) as server:
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-X", "dev", script, f"{server.url}/v1", *transports],
            cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert ran.stderr.split() == transports
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == ["Hello from gpt-4o: hi"] * 9 * len(transports)


@over_each
async def test_a_copied_service_has_connections_of_its_own(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        settings = config(server, transport=transport)
        async with LLMService() as service:
            await service.chat(settings, messages())
            for copy_function in (copy.copy, copy.deepcopy):
                async with copy_function(service) as other:
                    await other.chat(settings, messages())
                    assert server.connections == 2
                await wait_until_true(lambda: server.connections == 1)
            await service.chat(settings, messages())
            assert server.connections == 1
