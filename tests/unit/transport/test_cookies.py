"""Cookies are never sent back: a server could use them to link requests to one place."""

import pytest

from easyllm_cli.pipeline.collector import collect
from tests.support.adapters import ADAPTERS, Adapter
from tests.support.asking import messages, open_provider
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import Script, compact, script_handler
from tests.support.standins.server import StandIn

COOKIE = {"Set-Cookie": "who=you; Path=/; Max-Age=3600"}
LIST = compact({"data": [{"id": "m"}], "models": [{"name": "m", "model": "m"}]})


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
async def test_no_cookie_is_sent_back(adapter: Adapter) -> None:
    answer = adapter.script("Hello")
    whole = Script(*answer.steps, headers=COOKIE, content_type=adapter.wire.content_type)

    async def handler(request: Request, reply: Reply) -> None:
        models = Script(LIST, headers=COOKIE, content_type="application/json")
        await (models if request.method == "GET" else whole).play(reply)

    # aiohttp takes no cookie of an IP address.
    with StandIn(handler, host="localhost") as server:
        async with open_provider(adapter.profile(server)) as provider:
            for _ in range(2):
                await provider.list_models()
                await collect(provider.stream(messages(), True))
    methods = [request.method for request in server.requests]
    assert (methods.count("POST"), methods[0]) == (2, "GET")
    assert [request.headers.get("cookie") for request in server.requests] == [None] * len(methods)


async def test_a_cookie_of_the_profiles_headers_is_sent() -> None:
    adapter = ADAPTERS[0]
    with StandIn(script_handler(adapter.script("Hello"))) as server:
        async with open_provider(
            adapter.profile(server, headers={"Cookie": "gate=open"})
        ) as provider:
            await collect(provider.stream(messages(), True))
    assert server.requests[0].headers["cookie"] == "gate=open"
