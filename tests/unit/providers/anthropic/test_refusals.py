"""Error statuses of the Messages API: what is waited for, repaired, learnt, or final."""

from typing import Any

import pytest

from easyllm_cli.errors import BillingError, RefusedError, TooLargeError
from tests.support.adapters import KEY
from tests.support.asking import (
    Json,
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    messages,
    notes,
    open_provider,
    profile,
    request_bodies,
)
from tests.support.messages_api import ask, hello_then, refusal
from tests.support.standins.anthropic import (
    MODEL,
    AnthropicServer,
    capabilities,
    message_delta,
    message_stop,
    refuse,
)
from tests.support.standins.request import Request
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import Reply, StandIn

NO_LIST = refusal(404, "not_found_error", "no such path")  # for GET /v1/models/ID
GOOD = hello_then(message_delta("end_turn"), message_stop())


async def test_anth_20_overload_is_waited_out() -> None:
    busy = refusal(529, "overloaded_error", "Overloaded", retry_after="0.2")
    done = await ask(busy, GOOD)
    assert (done.code, done.waits, len(done.requests)) == (0, [0.2], 2)


async def test_anth_21_spend_limit_is_final() -> None:
    details = {"error_code": "contract_spend_limit_reached"}
    done = await ask(refusal(429, "rate_limit_error", "No more this month.", details))
    assert (type(done.error), done.code, len(done.requests)) == (BillingError, 3, 1)


@pytest.mark.parametrize(
    "words",
    [
        "Your credit balance is too low to access the Anthropic API.",
        "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
    ],
)
async def test_billing_as_400_is_a_billing_error(words: str) -> None:
    assert (await ask(refusal(400, "invalid_request_error", words))).code == 3


async def test_anth_22_growth_cap_is_waited_out() -> None:
    details = {"error_code": "ramp_limit_exceeded"}
    done = await ask(refusal(429, "rate_limit_error", "Slower.", details, retry_after="0.2"), GOOD)
    assert (done.code, done.waits) == (0, [0.2])


@pytest.mark.parametrize(
    "failed",
    [
        refusal(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
        Script(b"<html><title>413</title></html>", status=413, content_type="text/html"),
    ],
    ids=["anth_23-tokens", "anth_24-bytes"],
)
async def test_anth_23_and_24_too_large(failed: Script) -> None:
    done = await ask(failed)
    assert (type(done.error), done.code, len(done.requests)) == (TooLargeError, 4, 1)


DEPRECATED = "`temperature` is deprecated for this model."
BOTH = "`temperature` and `top_p` cannot both be specified for this model. Use only one."


async def refuse_once(words: str, **keys: Any) -> tuple[int, list[Json], list[str]]:
    """Return the code, the requests' bodies and the notes of a question refused once."""
    first = [NO_LIST] if "reasoning" in keys else []
    done = await ask(*first, refusal(400, "invalid_request_error", words), GOOD, **keys)
    return done.code, done.requests, done.notes


async def test_anth_38_refused_temperature_is_left_out_and_learnt() -> None:
    code, (first, second), said = await refuse_once(DEPRECATED, temperature=0.2)
    assert (code, first["temperature"], "temperature" in second) == (0, 0.2, False)
    assert len(said) == 1
    assert DEPRECATED in said[0]
    code, bodies, _ = await refuse_once(DEPRECATED, temperature=0.2, strict=True)
    assert (code, len(bodies)) == (4, 1)


async def test_what_was_refused_is_not_sent_again() -> None:
    async def handle(request: Request, reply: Reply) -> None:
        if "temperature" in request.json:
            raise refuse(400, DEPRECATED)
        await AnthropicServer().handle(request, reply)

    with StandIn(handle) as server:
        config = profile("anthropic", server.url, model=MODEL, api_key=KEY, temperature=0.2)
        async with open_provider(config) as provider:
            for _ in range(2):
                await provider.chat(messages())
        assert ["temperature" in body for body in request_bodies(server)] == [True, False, False]


async def test_anth_39_top_p_goes_before_temperature() -> None:
    code, (_, second), said = await refuse_once(BOTH, temperature=0.2, top_p=0.5)
    assert (code, second["temperature"], "top_p" in second, len(said)) == (0, 0.2, False, 1)


async def test_defaults_of_a_dict_send_no_sampling() -> None:
    done = await ask(GOOD, send_defaults=True)
    assert not {"temperature", "top_p", "top_k"} & set(done.requests[0])


async def test_anth_40_thinking_that_cannot_be_turned_off() -> None:
    words = "thinking.type: `disabled` is not supported for this model."
    code, (first, second), said = await refuse_once(words, reasoning="off")
    assert (code, first["thinking"], "thinking" in second) == (0, {"type": "disabled"}, False)
    assert len(said) == 1
    always = AnthropicServer(model_capabilities=capabilities(disabled=False))
    with StandIn(always.handle) as server:
        events = await collect_events(
            profile("anthropic", server.url, model=MODEL, api_key=KEY, reasoning="off")
        )
        [body] = [request.json for request in answer_requests(server)]
    assert "thinking" not in body
    assert notes(events) == [f"{MODEL} always thinks: --effort off does nothing"]


ADAPTIVE = "thinking.type: adaptive thinking is not supported on this model"
ENABLED = '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".'


@pytest.mark.parametrize(
    ("effort", "budget"), [("low", 1024), (None, 4096), ("high", 16_000), ("max", 32_000)]
)
async def test_anth_41_refused_adaptive_thinking_becomes_a_budget(
    effort: str | None, budget: int
) -> None:
    keys: Json = {"reasoning": effort} if effort else {"think": True}
    refused = refusal(400, "invalid_request_error", ADAPTIVE)
    done = await ask(NO_LIST, refused, GOOD, **keys)
    first, second = done.requests
    assert (done.code, done.notes) == (0, [])
    assert first["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert second["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert second["max_tokens"] == first["max_tokens"] + budget


async def test_refused_budget_becomes_adaptive_thinking() -> None:
    old = AnthropicServer(model_capabilities=capabilities(adaptive=False))

    async def handle(request: Request, reply: Reply) -> None:
        if request.method == "POST" and request.json["thinking"]["type"] == "enabled":
            raise refuse(400, ENABLED)
        await old.handle(request, reply)

    with StandIn(handle) as server:
        config = profile("anthropic", server.url, model=MODEL, api_key=KEY, reasoning="high")
        assert notes(await collect_events(config)) == []
        kinds = [request.json["thinking"]["type"] for request in answer_requests(server)]
    assert kinds == ["enabled", "adaptive"]


async def test_thinking_that_no_form_gets_is_left_out_with_a_note() -> None:
    refused = refusal(400, "invalid_request_error", "thinking is not supported")
    done = await ask(NO_LIST, refused, refused, GOOD, think=True)
    assert (done.code, "thinking" in done.requests[2], len(done.notes)) == (0, False, 1)


@pytest.mark.parametrize(
    ("words", "maximum"),
    [
        ("max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens", 4096),
        ("input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000", 2000),
    ],
)
async def test_too_high_a_limit_of_ours_is_lowered(words: str, maximum: int) -> None:
    code, (first, second), said = await refuse_once(words)
    assert (code, first["max_tokens"], second["max_tokens"], said) == (0, 8192, maximum, [])
    for own in ({"max_tokens": 8192}, {"options": {"max_tokens": 8192}}):
        code, bodies, _ = await refuse_once(words, **own)
        assert (code, len(bodies)) == (4, 1)


async def test_context_without_room_for_an_answer_is_too_large() -> None:
    words = "input length and `max_tokens` exceed context limit: 199900 + 8192 > 200000"
    done = await ask(refusal(400, "invalid_request_error", words), GOOD)
    assert (type(done.error), len(done.requests)) == (TooLargeError, 1)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens",
        "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000",
        ADAPTIVE,
        "thinking.adaptive.display: Extra inputs are not permitted",
    ],
)
async def test_server_that_always_refuses_is_asked_a_few_times_only(words: str) -> None:
    done = await ask(NO_LIST, refusal(400, "invalid_request_error", words), think=True)
    assert (done.code, len(done.requests) <= 4) == (4, True)


async def test_numbers_that_follow_ours_are_followed_once() -> None:
    async def handle(request: Request, reply: Reply) -> None:
        sent = request.json["max_tokens"]
        raise refuse(400, f"exceed context limit: {200_001 - sent} + {sent} > 200000")

    with StandIn(handle) as server:
        with pytest.raises(TooLargeError):
            await get_completion(profile("anthropic", server.url, model=MODEL, api_key=KEY))
        assert len(server.requests) == 2


EXTRA = "output_config: Extra inputs are not permitted"


async def test_output_config_that_a_server_does_not_know() -> None:
    code, (first, second), said = await refuse_once(EXTRA, reasoning="high")
    assert (code, first["output_config"], "output_config" in second) == (
        0,
        {"effort": "high"},
        False,
    )
    assert "output_config.effort is refused" in said[0]
    code, bodies, _ = await refuse_once(EXTRA, reasoning="high", strict=True)
    assert (code, len(bodies)) == (4, 1)


@pytest.mark.parametrize("words", [EXTRA, "output_config.format.schema: too complex", "bad schema"])
async def test_refused_schema_is_never_left_out(words: str) -> None:
    closed: Json = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    with StandIn(script_handler(refusal(400, "invalid_request_error", words), GOOD)) as server:
        config = profile("anthropic", server.url, model=MODEL, api_key=KEY)
        error = await expect_error(RefusedError, config.replace_set(schema=closed))
        assert len(server.requests) == 1
    assert "leave --schema out" in error.hint


@pytest.mark.parametrize(
    ("supported", "keys"),
    [
        ({"disabled": False}, {"reasoning": "off"}),
        ({"adaptive": False, "enabled": False, "effort": False}, {"think": True}),
        ({"adaptive": False}, {"think": True, "max_tokens": 500}),
    ],
)
async def test_strict_refuses_what_the_model_cannot_do(supported: Json, keys: Json) -> None:
    """The server's capabilities say so before a request, as its 400 does after one."""
    known = AnthropicServer(model_capabilities=capabilities(**supported))
    with StandIn(known.handle) as server:
        config = profile("anthropic", server.url, model=MODEL, api_key=KEY, strict=True, **keys)
        assert (await expect_error(RefusedError, config)).exit_code == 4
        assert answer_requests(server) == []


async def test_strict_sends_no_request_without_the_thinking_that_has_no_room() -> None:
    refused = refusal(400, "invalid_request_error", ADAPTIVE)
    done = await ask(NO_LIST, refused, GOOD, think=True, max_tokens=500, strict=True)
    assert (done.code, len(done.requests)) == (4, 1)


@pytest.mark.parametrize("own", [{"max_tokens": 2000}, {"options": {"max_tokens": 2000}}])
async def test_budget_leaves_room_below_the_users_limit(own: Json) -> None:
    refused = refusal(400, "invalid_request_error", ADAPTIVE)
    done = await ask(NO_LIST, refused, GOOD, reasoning="max", **own)
    body = done.requests[1]
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert (done.code, body["max_tokens"], done.notes) == (0, 2000, [])


async def test_long_prompt_lowers_the_limit_for_itself_only() -> None:
    words = "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000"

    async def handle(request: Request, reply: Reply) -> None:
        if "long" in str(request.json["messages"]) and request.json["max_tokens"] > 2000:
            raise refuse(400, words)
        await AnthropicServer().handle(request, reply)

    with StandIn(handle) as server:
        config = profile("anthropic", server.url, model=MODEL, api_key=KEY)
        async with open_provider(config) as provider:
            for question in ("long", "short"):
                await provider.chat(messages(question))
        limits = [body["max_tokens"] for body in request_bodies(server)]
    assert limits == [8192, 2000, 8192]


async def test_no_room_for_a_budget_is_said() -> None:
    refused = refusal(400, "invalid_request_error", ADAPTIVE)
    done = await ask(NO_LIST, refused, GOOD, think=True, max_tokens=500)
    assert (done.code, "thinking" in done.requests[1]) == (0, False)
    assert "no room for thinking" in done.notes[0]
