"""What a model supports: asked once a day where it matters, kept in a private file."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.paths import cache_folder
from easyllm_cli.messages import Message
from easyllm_cli.providers.anthropic.capabilities import (
    cache_model,
    load_cached_model,
    model_cache_path,
)
from tests.support.adapters import KEY
from tests.support.asking import (
    Json,
    answer_requests,
    collect_events,
    notes,
    open_provider,
    profile,
)
from tests.support.standins.anthropic import MODEL, AnthropicServer, capabilities
from tests.support.standins.request import Request
from tests.support.standins.server import Reply, StandIn

QUESTION = Message("user", ("hi",))
SUMMARIZED = {"type": "adaptive", "display": "summarized"}
ROW: Json = {"capabilities": capabilities(), "max_tokens": 64_000}


def budget(tokens: int) -> Json:
    return {"type": "enabled", "budget_tokens": tokens}


async def ask(server: StandIn, **keys: Any) -> tuple[Json, list[str]]:
    """Return the body of the request for an answer, and the notes."""
    usual: Json = {"model": MODEL, "api_key": KEY, "max_retries": 0}
    events = await collect_events(profile("anthropic", server.url, **usual | keys))
    return answer_requests(server)[-1].json, notes(events)


def asked(server: StandIn) -> int:
    """Return how often the server was asked what the model supports."""
    return len([request for request in server.requests if request.method == "GET"])


async def test_asked_once_and_only_where_it_matters() -> None:
    with StandIn(AnthropicServer(model_capabilities=capabilities()).handle) as server:
        await ask(server)
        assert asked(server) == 0
        for keys in ({"think": True}, {"reasoning": "low"}, {"reasoning": "off"}):
            await ask(server, **keys)
        assert asked(server) == 1
        await ask(server, think=True, model="claude-haiku-4-5")
        assert asked(server) == 2


async def test_server_without_capabilities_is_not_asked_again() -> None:
    async def gateway(request: Request, reply: Reply) -> None:
        if request.method == "GET":
            await reply.json({"detail": "Not Found"}, 404)
        else:
            await AnthropicServer().handle(request, reply)

    with StandIn(gateway) as server:
        for _ in range(2):
            body, _ = await ask(server, think=True)
            assert body["thinking"]["type"] == "adaptive"
        assert asked(server) == 1


async def test_failure_is_not_kept_and_costs_no_answer() -> None:
    async def failing(request: Request, reply: Reply) -> None:
        if request.method == "GET":
            await reply.json({"error": {"type": "api_error", "message": "broke"}}, 500)
        else:
            await AnthropicServer().handle(request, reply)

    with StandIn(failing) as server:
        for _ in range(2):
            await ask(server, think=True)
        assert asked(server) == 2


@pytest.mark.parametrize(
    ("supported", "keys", "sent"),
    [
        ({}, {"think": True}, {"thinking": SUMMARIZED}),
        ({"adaptive": False}, {"think": True}, {"thinking": budget(4096)}),
        ({"adaptive": False, "effort": False}, {"reasoning": "minimal"},
         {"thinking": budget(1024)}),
        ({"adaptive": False}, {"reasoning": "max", "max_tokens": 9000},
         {"thinking": budget(4500), "output_config": {"effort": "max"}}),
        ({}, {"reasoning": "minimal"},
         {"thinking": SUMMARIZED, "output_config": {"effort": "low"}}),
        ({}, {"reasoning": "off"}, {"thinking": {"type": "disabled"}}),
        ({"adaptive": False, "enabled": False}, {"reasoning": "high"},
         {"output_config": {"effort": "high"}}),
        ({"adaptive": False, "enabled": False}, {"reasoning": "off"}, {}),
    ],
)  # fmt: skip
async def test_form_that_the_model_supports(supported: Json, keys: Json, sent: Json) -> None:
    with StandIn(AnthropicServer(model_capabilities=capabilities(**supported)).handle) as server:
        body, said = await ask(server, **keys)
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == sent
    assert said == []


@pytest.mark.parametrize(
    ("supported", "keys", "note"),
    [
        ({"adaptive": False, "enabled": False, "effort": False}, {"think": True}, "does not think"),
        ({"adaptive": False}, {"think": True, "max_tokens": 500}, "no room for thinking: 1024"),
        ({"disabled": False}, {"reasoning": "off"}, "always thinks"),
    ],
)
async def test_what_the_model_cannot_do_is_said(supported: Json, keys: Json, note: str) -> None:
    with StandIn(AnthropicServer(model_capabilities=capabilities(**supported)).handle) as server:
        body, said = await ask(server, **keys)
    assert "thinking" not in body
    assert len(said) == 1
    assert note in said[0]


@pytest.mark.parametrize(
    ("adaptive", "enabled", "kind"),
    [(False, None, "enabled"), (None, False, "adaptive"), (None, None, "adaptive"),
     (False, False, None)],
)  # fmt: skip
async def test_type_that_the_server_excludes_is_not_sent(
    adaptive: bool | None, enabled: bool | None, kind: str | None
) -> None:
    known: Json = capabilities(effort=False)
    known["thinking"]["supported"] = True
    for name, value in (("adaptive", adaptive), ("enabled", enabled)):
        known["thinking"]["types"][name] = {} if value is None else {"supported": value}
    with StandIn(AnthropicServer(model_capabilities=known).handle) as server:
        body, said = await ask(server, think=True)
    assert body.get("thinking", {}).get("type") == kind
    assert bool(said) == (kind is None)


@pytest.mark.parametrize(
    ("maximum", "limit", "thinks"), [(5, 20_096, True), (1000, 1000, False), (5000, 5000, True)]
)
async def test_maximum_that_the_server_names(maximum: int, limit: int, thinks: bool) -> None:
    """A maximum that no model has is not believed; a budget is always below the limit."""
    only_enabled = capabilities(adaptive=False)
    with StandIn(
        AnthropicServer(model_capabilities=only_enabled, max_tokens=maximum).handle
    ) as server:
        body, _ = await ask(server, think=True)
    assert (body["max_tokens"], "thinking" in body) == (limit, thinks)
    assert body.get("thinking", {}).get("budget_tokens", 0) < limit


async def test_highest_effort_of_a_model_without_max() -> None:
    without_max = capabilities()
    without_max["effort"]["max"] = {"supported": False}
    without_max["effort"]["xhigh"] = None
    with StandIn(AnthropicServer(model_capabilities=without_max).handle) as server:
        body, _ = await ask(server, reasoning="max")
    assert body["output_config"]["effort"] in ("xhigh", "high")


async def test_dry_run_uses_what_is_known_and_asks_nothing() -> None:
    with StandIn(AnthropicServer(model_capabilities=capabilities(adaptive=False)).handle) as server:
        config = profile("anthropic", server.url, model=MODEL, api_key=KEY, think=True)
        async with open_provider(config) as provider:
            before = provider.dry_request([QUESTION], True).body or {}
            assert server.requests == []
            await ask(server, think=True)
            asked_before = asked(server)
            after = provider.dry_request([QUESTION], True).body or {}
        assert asked(server) == asked_before == 1
    assert (before["thinking"]["type"], after["thinking"]["type"]) == ("adaptive", "enabled")


def test_kept_row_is_private_and_ends_after_a_day(home: Path) -> None:
    cache_model("https://a.example", MODEL, {**ROW, "display_name": "x"})
    assert load_cached_model("https://a.example", MODEL) == ROW
    assert load_cached_model("https://b.example", MODEL) is None
    path = model_cache_path("https://a.example", MODEL)
    assert path.is_relative_to(cache_folder())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    kept = json.loads(path.read_bytes())
    for seconds, usable in ((3600, True), (23 * 3600, True), (25 * 3600, False), (-3600, False)):
        path.write_text(json.dumps({**kept, "time": kept["time"] - seconds}))
        assert (load_cached_model("https://a.example", MODEL) is not None) == usable


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"17", b"\xff", b"[" * 100_000])
def test_damaged_file_is_asked_again(data: bytes) -> None:
    cache_model("https://a.example", MODEL, ROW)
    model_cache_path("https://a.example", MODEL).write_bytes(data)
    assert load_cached_model("https://a.example", MODEL) is None
    cache_model("https://a.example", MODEL, ROW)
    assert load_cached_model("https://a.example", MODEL) == ROW


def test_folder_that_cannot_be_written_is_no_error(home: Path) -> None:
    (home / ".cache").write_text("a file")
    cache_model("https://a.example", MODEL, ROW)
    assert load_cached_model("https://a.example", MODEL) is None
    assert os.listdir(home) == [".cache"]
