"""Connections are closed when nobody needs them any more, and never before."""

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


over_both = pytest.mark.parametrize("transport", ["http", "sdk"])


def config(server: StandIn, **keys: str) -> Json:
    usual = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "gpt-4o"}
    return {**usual, "api_key": "k", **keys}


async def becomes(true: Callable[[], object]) -> None:
    """Looks again and again until it is true."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


@over_both
async def test_the_block_closes_everything(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        asked = config(server, transport=transport)
        async with LLMService() as service:
            await service.chat(asked, messages())
            assert server.connections == 1
        await becomes(lambda: server.connections == 0)
        await service.chat(asked, messages())  # it may be used again
        await service.aclose()
        await becomes(lambda: server.connections == 0)


@over_both
async def test_a_service_that_is_dropped_closes_its_connections(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        await LLMService().chat(config(server, transport=transport), messages())
        await OpenAIProvider(config(server, transport=transport)).chat(messages())
        await becomes(lambda: server.connections == 0)


@over_both
async def test_closing_a_provider_that_is_kept_closes_its_connections(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        provider = OpenAIProvider(config(server, transport=transport))
        for _ in range(2):
            await provider.chat(messages())
            assert server.connections == 1
            await provider.aclose()
            await becomes(lambda: server.connections == 0)


@over_both
@pytest.mark.parametrize(
    ("method", "script"),
    [("chat", SILENT), ("chat_stream", SILENT), ("chat_stream", NEVER)],
    ids=["chat", "before text", "after text"],
)
async def test_closing_under_load_says_who_closed(
    method: str, script: Script, transport: str
) -> None:
    """The error does not blame the server, what came is kept, and nothing is asked again."""

    came: list[str] = []

    async def ask(service: LLMService, asked: Json) -> None:
        if method == "chat":
            await service.chat(asked, messages())
            return
        async for text in service.chat_stream(asked, messages()):
            came.append(text)

    with StandIn(script_handler(script)) as server:
        service = LLMService()
        asked = config(server, transport=transport)
        tasks = [asyncio.create_task(ask(service, asked)) for _ in range(5)]
        await becomes(lambda: len(server.requests) == 5)
        streamed = script is NEVER
        if streamed:
            await becomes(lambda: len(came) == 5)
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
        await becomes(lambda: server.requests)
        await service.aclose()
        with pytest.raises(NetworkError, match="this program closed the connection"):
            await task
        assert spare.requests == []


async def test_a_server_that_hangs_up_is_still_named() -> None:
    with StandIn(script_handler(Script(chunk("Hel"), Cut()))) as server:
        with pytest.raises(IncompleteAnswer, match="closed the connection") as caught:
            _ = [text async for text in LLMService().chat_stream(config(server), messages())]
        assert "this program" not in str(caught.value)


async def test_clear_cache_closes_what_nobody_uses() -> None:
    with StandIn(OpenAIServer().handle) as server:
        service = LLMService()
        await service.chat(config(server), messages())
        service.clear_cache()
        await becomes(lambda: server.connections == 0)
        await service.chat(config(server), messages())
        assert len(server.requests) == 2


async def test_clear_cache_lets_an_answer_come_to_its_end() -> None:
    texts = []
    with StandIn(script_handler(SLOW)) as server:
        service = LLMService()
        async for text in service.chat_stream(config(server), messages()):
            texts.append(text)
            service.clear_cache()
        await becomes(lambda: server.connections == 0)
    assert texts == ["Hel", "lo"]


def test_clear_cache_after_the_loop_and_from_another_thread() -> None:
    service = LLMService()

    async def ask(server: StandIn) -> None:
        await service.chat(config(server), messages())
        await asyncio.to_thread(service.clear_cache)
        await becomes(lambda: server.connections == 0)
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
        await becomes(lambda: server.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await becomes(lambda: server.requests[0].closed_at is not None)
        await becomes(lambda: server.connections == 0)
        service.clear_cache()


async def test_what_had_come_is_told_to_who_cancels() -> None:
    """In the CancelledError, and in the cause of a TimeoutError."""
    with StandIn(script_handler(NEVER)) as server:
        service = LLMService()
        came: list[str] = []

        async def ask() -> None:
            async for text in service.chat_stream(config(server), messages()):
                came.append(text)

        task = asyncio.create_task(ask())
        await becomes(lambda: came)
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
        await becomes(lambda: server.requests[0].closed_at is not None)


async def test_one_that_is_cancelled_leaves_the_others_alone() -> None:
    async def ask(service: LLMService, server: StandIn) -> str:
        return "".join([text async for text in service.chat_stream(config(server), messages())])

    with StandIn(script_handler(SLOW)) as server:
        async with LLMService() as service:
            asking = [asyncio.create_task(ask(service, server)) for _ in range(3)]
            await becomes(lambda: len(server.requests) == 3)
            asking[1].cancel()
            came = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(came[1], asyncio.CancelledError)
    assert [came[0], came[2]] == ["Hello", "Hello"]


SCRIPT = """
import asyncio, sys
from easyllm_cli import LLMService, OpenAIProvider

config = {"provider": "openai", "endpoint": sys.argv[1], "model": "gpt-4o", "api_key": "k"}
config["transport"] = sys.argv[2]
messages = [{"role": "user", "content": "hi"}]
service, provider = LLMService(), OpenAIProvider(config)

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
    asyncio.get_running_loop().slow_callback_duration = 60  # of a busy machine -X dev tells, too
    await work()

for work in (kept, kept, dropped, left_early, cleared, given_up, kept, by_the_book):
    asyncio.run(alone(work))
"""


@over_both
def test_no_warning_of_any_kind(tmp_path: Path, transport: str) -> None:
    """ResourceWarning for a socket, RuntimeWarning for a coroutine, or anything else."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with StandIn(OpenAIServer().handle) as server:
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-X", "dev", script, f"{server.url}/v1", transport],
            cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == ["Hello from gpt-4o: hi"] * 9


@over_both
async def test_a_copied_service_has_connections_of_its_own(transport: str) -> None:
    with StandIn(OpenAIServer().handle) as server:
        asked = config(server, transport=transport)
        async with LLMService() as service:
            await service.chat(asked, messages())
            for made in (copy.copy, copy.deepcopy):
                async with made(service) as other:
                    await other.chat(asked, messages())
                    assert server.connections == 2
                await becomes(lambda: server.connections == 1)
            await service.chat(asked, messages())
            assert server.connections == 1
