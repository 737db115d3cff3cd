"""Sends many requests at once with one client, and prints what they cost as JSON.

    python benchmarks/batch_clients.py CLIENT URL AT_ONCE REQUESTS

Each client runs in an environment that has it. The CPU time is that of the whole process, after
AT_ONCE requests that open the connections. Every answer is checked.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

KEY = "sk-bench-0123456789"
MODEL = "bench"
TIMEOUT_SECONDS = 600.0
Ask = Callable[[str], Awaitable[str]]  # from a prompt to the answer's text


def body(prompt: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}


def text_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


async def raw_aiohttp(url: str, stack: AsyncExitStack) -> Ask:
    """aiohttp, with JSON encoded and decoded and nothing around it."""
    import aiohttp

    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    )
    headers = {"Authorization": f"Bearer {KEY}"}

    async def ask(prompt: str) -> str:
        address = f"{url}/chat/completions"
        async with session.post(address, json=body(prompt), headers=headers) as response:
            response.raise_for_status()
            return text_of(await response.json())

    return ask


async def raw_httpx2(url: str, stack: AsyncExitStack) -> Ask:
    """httpx2, with JSON encoded and decoded and nothing around it."""
    import httpx2

    client = await stack.enter_async_context(
        httpx2.AsyncClient(
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False,
            timeout=TIMEOUT_SECONDS,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        )
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {KEY}"}

    async def ask(prompt: str) -> str:
        response = await client.post(f"{url}/chat/completions", json=body(prompt), headers=headers)
        response.raise_for_status()
        return text_of(response.json())

    return ask


async def easyllm(url: str, stack: AsyncExitStack, transport: str) -> Ask:
    """LLMService.chat with a Profile, as a batch uses it."""
    from easyllm_cli import LLMService, Profile

    service = await stack.enter_async_context(LLMService())
    profile = Profile.of(
        {
            "provider": "openai", "endpoint": url, "model": MODEL, "api_key": KEY,
            "transport": transport,
        }
    )  # fmt: skip

    async def ask(prompt: str) -> str:
        answer = await service.chat(profile, [{"role": "user", "content": prompt}])
        return str(answer["text"])

    return ask


async def openai_sdk(url: str, stack: AsyncExitStack, with_aiohttp: bool) -> Ask:
    """The openai SDK's AsyncOpenAI, with its usual HTTP client or its aiohttp one."""
    import openai

    own: Any = openai.DefaultAioHttpClient() if with_aiohttp else None
    sdk = await stack.enter_async_context(
        openai.AsyncOpenAI(
            api_key=KEY, base_url=url, http_client=own, max_retries=0, timeout=TIMEOUT_SECONDS
        )
    )

    async def ask(prompt: str) -> str:
        answer = await sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": prompt}]
        )
        return str(answer.choices[0].message.content)

    return ask


async def litellm(url: str, stack: AsyncExitStack) -> Ask:
    """litellm.acompletion."""
    import litellm as package

    package.suppress_debug_info = True

    async def ask(prompt: str) -> str:
        answer: Any = await package.acompletion(
            model=f"openai/{MODEL}", api_base=url, api_key=KEY, timeout=TIMEOUT_SECONDS,
            messages=[{"role": "user", "content": prompt}],
        )  # fmt: skip
        return str(answer.choices[0].message.content)

    return ask


CLIENTS: dict[str, Callable[[str, AsyncExitStack], Awaitable[Ask]]] = {
    "aiohttp": raw_aiohttp,
    "httpx2": raw_httpx2,
    "easyllm-aiohttp": lambda url, stack: easyllm(url, stack, "aiohttp"),
    "easyllm-http": lambda url, stack: easyllm(url, stack, "http"),
    "openai": lambda url, stack: openai_sdk(url, stack, False),
    "openai-aiohttp": lambda url, stack: openai_sdk(url, stack, True),
    "litellm": litellm,
}


async def send_all(ask: Ask, at_once: int, count: int, seconds: list[float]) -> None:
    """Send `count` requests, `at_once` at a time; raises if an answer is not its own."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            began = time.perf_counter()
            text = await ask(f"say {number}")
            seconds.append(time.perf_counter() - began)
            if not text.startswith(f"ok {number} "):
                raise SystemExit(f"{number} was answered with {text[:40]!r}")

    await asyncio.gather(*(work() for _ in range(min(at_once, count))))


async def main(name: str, url: str, at_once: int, count: int) -> None:
    async with AsyncExitStack() as stack:
        ask = await CLIENTS[name](url, stack)
        await send_all(ask, at_once, at_once, [])
        seconds: list[float] = []
        began, cpu = time.perf_counter(), time.process_time()
        await send_all(ask, at_once, count, seconds)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "cpu_ms": cpu / count * 1000, "wall": wall, "p50": median(seconds),
        "peak_mb": peak / (2**20 if sys.platform == "darwin" else 1024),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    client_name, base_url, *numbers = sys.argv[1:]
    asyncio.run(main(client_name, base_url, *map(int, numbers)))
