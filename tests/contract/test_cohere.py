"""Cohere's Chat API, byte by byte: the promises COH-1 to COH-12 of docs/promises.md."""

from typing import Any

import pytest

from easyllm_cli import CohereProvider
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import (
    BillingError,
    BusyError,
    FilteredError,
    IncompleteAnswer,
    RefusedError,
    TooLargeError,
)
from easyllm_cli.events import Done, Note, Reasoning, Text
from tests.support.asking import (
    Json,
    collect_events,
    expect_error,
    get_completion,
    notes,
    open_provider,
    profile,
)
from tests.support.standins.cohere import content_delta, content_start, event, message_end
from tests.support.standins.script import DONE, Script, compact, script_handler, sse
from tests.support.standins.server import StandIn

START = event({"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}})
END_OF_BLOCK = event({"type": "content-end", "index": 0})
HELLO = (START, content_start("text"), content_delta("text", "Hel"), content_delta("text", "lo"))
BOTH_COUNTS = {
    "billed_units": {"input_tokens": 65.0, "output_tokens": 12.0},
    "tokens": {"input_tokens": 70.0, "output_tokens": 12.0},
    "cached_tokens": 64.0,
}
TRIAL = "You are using a Trial key, which is limited to {} API calls / {}. You can continue to use"
JSON_TYPE = "application/json"


def cohere(server: StandIn, **keys: Any) -> Profile:
    return profile("cohere", server.url, **{"model": "command-a-03-2025", "api_key": "k", **keys})


def streamed(*frames: bytes) -> StandIn:
    """A server that streams these frames and then ends the body."""
    return StandIn(script_handler(Script(*frames)))


def refusing(status: int, message: str, **headers: str) -> StandIn:
    """A server that answers with this status, always."""
    body = compact({"id": "e1", "message": message})
    return StandIn(
        script_handler(Script(body, status=status, headers=headers, content_type=JSON_TYPE))
    )


async def test_coh_1_text_between_start_and_end_is_the_answer() -> None:
    with streamed(*HELLO, END_OF_BLOCK, message_end("COMPLETE", usage=BOTH_COUNTS)) as server:
        done = await get_completion(cohere(server))
    assert (done["text"], done["finish_reason"], done["complete"]) == ("Hello", "stop", True)


async def test_coh_2_thinking_block_is_reasoning() -> None:
    thinking = (content_start("thinking"), content_delta("thinking", "Hm."), END_OF_BLOCK)
    text = (content_start("text", 1), content_delta("text", "Hello", 1))
    with streamed(START, *thinking, *text, message_end("COMPLETE")) as server:
        events = await collect_events(cohere(server))
    parts = [part for part in events if isinstance(part, Text | Reasoning)]
    assert parts == [Reasoning("Hm."), Text("Hello")]


async def test_coh_3_stream_without_message_end_is_incomplete() -> None:
    with streamed(*HELLO, END_OF_BLOCK) as server:
        error = await expect_error(IncompleteAnswer, cohere(server))
    assert error.partial is not None
    assert (error.partial["text"], error.exit_code) == ("Hello", 7)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("end", [{}, {"finish_reason": None}, {"finish_reason": ""}])
async def test_coh_3_end_without_a_finish_reason_is_incomplete(end: Json, stream: bool) -> None:
    body = compact({"id": "c1", "message": {"content": [{"type": "text", "text": "Hello"}]}} | end)
    whole = StandIn(script_handler(Script(body, content_type=JSON_TYPE)))
    last = event({"type": "message-end", "delta": end})
    with streamed(*HELLO, last) if stream else whole as server:
        error = await expect_error(IncompleteAnswer, cohere(server), stream)
    assert error.partial is not None
    assert (error.partial["text"], error.exit_code) == ("Hello", 7)
    assert "without a finish reason" in error.message


@pytest.mark.parametrize("limit", [{}, {"max_tokens": 2}, {"options": {"max_tokens": 2}}])
async def test_coh_4_max_tokens_is_the_users_limit_only_if_it_was_sent(limit: Json) -> None:
    """What makes exit code 7 of a limit that nobody set is `limited` (FAULT-47 runs it)."""
    with streamed(*HELLO, message_end("MAX_TOKENS")) as server:
        events = await collect_events(cohere(server, **limit))
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.complete) == ("length", False)
    assert done.limited is bool(limit)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("reason", ["ERROR", "TIMEOUT"])
async def test_coh_5_failure_at_the_end_is_the_providers(reason: str, stream: bool) -> None:
    failed: Json = {"finish_reason": reason, "error": "the model crashed"}
    body = compact(
        {"id": "c1", "message": {"content": [{"type": "text", "text": "Hello"}]}, **failed}
    )
    whole = StandIn(script_handler(Script(body, content_type=JSON_TYPE)))
    with (
        streamed(*HELLO, message_end(reason, error=failed["error"])) if stream else whole as server
    ):
        error = await expect_error(BusyError, cohere(server), stream)
        assert len(server.requests) == 1, "not again after text"
    assert error.partial is not None
    assert (error.partial["text"], error.exit_code) == ("Hello", 5)
    assert "the model crashed" in error.message


async def test_coh_5_timeout_without_words_is_named() -> None:
    with streamed(*HELLO, message_end("TIMEOUT")) as server:
        assert "timeout" in (await expect_error(BusyError, cohere(server))).message


@pytest.mark.parametrize(
    ("sent", "prompt", "cached"),
    [
        (BOTH_COUNTS, 70, 64),
        ({"billed_units": BOTH_COUNTS["billed_units"]}, 65, None),
        ({"billed_units": BOTH_COUNTS["billed_units"], "tokens": {}}, 65, None),
    ],
)
async def test_coh_6_usage_counts_all_tokens_else_the_billed_ones(
    sent: Json, prompt: int, cached: int | None
) -> None:
    with streamed(*HELLO, message_end("COMPLETE", usage=sent)) as server:
        done = await get_completion(cohere(server))
    usage = done["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, 12)
    assert (usage["total_tokens"], usage["cached_tokens"]) == (prompt + 12, cached)
    assert isinstance(usage["prompt_tokens"], int)
    assert done["response"]["last"]["delta"]["usage"] == sent, "billed units stay readable"


async def test_coh_7_limit_of_a_month_is_billing_and_never_retried() -> None:
    with refusing(429, TRIAL.format(1000, "month")) as server:
        error = await expect_error(BillingError, cohere(server, max_retries=3))
        assert len(server.requests) == 1
    assert error.exit_code == 3


async def test_coh_7_limit_of_a_minute_asks_for_a_minute() -> None:
    """A profile that may wait less fails at once and says how long the wait is."""
    with refusing(429, TRIAL.format(20, "minute")) as server:
        error = await expect_error(BusyError, cohere(server, max_retry_delay=30))
        assert len(server.requests) == 1
    assert error.retry_after == 60
    with refusing(429, TRIAL.format(20, "minute"), **{"retry-after": "0"}) as server:
        error = await expect_error(BusyError, cohere(server, max_retries=1))
        assert len(server.requests) == 2, "a wait that the server names counts"
    assert error.exit_code == 5


async def test_coh_8_denied_text_is_filtered() -> None:
    with refusing(498, "blocked by our usage guidelines") as server:
        error = await expect_error(FilteredError, cohere(server, max_retries=3))
        assert len(server.requests) == 1
    assert error.exit_code == 4


@pytest.mark.parametrize("reason", ["TOOL_CALL", "COMPLETE"])
@pytest.mark.parametrize("stream", [True, False])
async def test_coh_9_tool_call_without_content_is_no_answer(stream: bool, reason: str) -> None:
    calls = [{"id": "f1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = compact({"id": "c1", "finish_reason": reason, "message": message})
    delta = {"message": {"tool_calls": calls[0]}}
    call = event({"type": "tool-call-start", "index": 0, "delta": delta})
    whole = StandIn(script_handler(Script(body, content_type=JSON_TYPE)))
    with streamed(START, call, message_end(reason)) if stream else whole as server:
        error = await expect_error(IncompleteAnswer, cohere(server), stream)
    assert error.exit_code == 7
    assert "tool" in error.message


async def test_coh_10_unknown_event_is_ignored_without_a_note() -> None:
    odd = event({"type": "citation-later", "delta": {"message": {"content": {"text": "no"}}}})
    plan = event({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "no"}}})
    debug = event({"type": "debug", "prompt": "no"})
    with streamed(odd, *HELLO, plan, debug, odd, message_end("COMPLETE")) as server:
        events = await collect_events(cohere(server))
    assert "".join(part.text for part in events if isinstance(part, Text)) == "Hello"
    assert notes(events) == []
    assert not [each for each in events if isinstance(each, Note)]


async def test_coh_11_model_without_features_may_see_or_not() -> None:
    rows = [
        {"name": "old", "features": None, "context_length": 4096.0},
        {"name": "eyes", "features": ["vision"], "context_length": 128000.0},
    ]
    listed = Script(compact({"models": rows}), content_type=JSON_TYPE)
    with StandIn(script_handler(listed)) as server:
        async with open_provider(cohere(server)) as provider:
            old, eyes = await provider.models()
    assert (old.context, old.vision, old.reasoning) == (4096, None, None)
    assert (eyes.vision, eyes.reasoning) == (True, False)


async def test_coh_12_done_line_behind_the_end_changes_nothing() -> None:
    with streamed(*HELLO, message_end("COMPLETE"), DONE) as server:
        done = await get_completion(cohere(server))
    assert (done["text"], done["complete"]) == ("Hello", True)
    assert done["response"]["last"]["type"] == "message-end"
    with streamed(*HELLO, DONE) as server:
        await expect_error(IncompleteAnswer, cohere(server))


async def test_settings_have_coheres_names() -> None:
    config: Json = {
        "provider": "cohere", "model": "command-a-03-2025", "api_key": "k", "temperature": 0.1,
        "top_p": 0.8, "top_k": 40, "seed": 7, "stop": "END", "max_tokens": 9000, "reasoning": "low",
        "options": {"safety_mode": "STRICT"},
    }  # fmt: skip
    provider = CohereProvider(config, trust_configs=True)
    sent = provider.request([], True)
    assert sent.url == "https://api.cohere.com/v2/chat"
    body = {key: value for key, value in (sent.body or {}).items() if key != "messages"}
    assert body == {
        "model": "command-a-03-2025", "stream": True, "temperature": 0.1, "p": 0.8, "k": 40,
        "seed": 7, "stop_sequences": ["END"], "max_tokens": 9000, "safety_mode": "STRICT",
        "thinking": {"type": "enabled", "token_budget": 1024},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [("off", {"type": "disabled"}), ("max", {"type": "enabled"}), (None, None)],
)
async def test_thinking_is_the_models_default_unless_an_effort_is_named(
    effort: str | None, thinking: Json | None
) -> None:
    """`--think` sends nothing: models that reason do so by default, and others may refuse it."""
    config = Profile.of({"provider": "cohere", "model": "m", "api_key": "k"})
    asked = config.replace_set(reasoning=effort, think=True)
    assert (CohereProvider(asked).request([], True).body or {}).get("thinking") == thinking


@pytest.mark.parametrize("limit", [{"max_tokens": 100}, {"options": {"max_tokens": 100}}])
async def test_thinking_leaves_half_of_the_users_limit(limit: Json) -> None:
    config = Profile.of({"provider": "cohere", "model": "m", "api_key": "k", **limit})
    body = CohereProvider(config.replace_set(reasoning="high")).request([], True).body or {}
    assert body["thinking"] == {"type": "enabled", "token_budget": 50}


@pytest.mark.parametrize("endpoint", ["{}/", "{}/v2", "{}/v1", "{}/v2/chat", "{}/v1/models"])
async def test_pasted_paths_lead_to_the_same_address(endpoint: str) -> None:
    with streamed(*HELLO, message_end("COMPLETE")) as server:
        config = cohere(server).replace_set(endpoint=endpoint.format(server.url))
        await get_completion(config)
        assert server.requests[0].path == "/v2/chat"


async def test_prompt_that_is_too_long_is_told_by_its_words() -> None:
    words = "too many tokens: total number of tokens in the prompt cannot exceed 4081"
    with refusing(400, words) as server:
        await expect_error(TooLargeError, cohere(server))


async def test_refused_thinking_is_left_out_with_a_note() -> None:
    refusal = compact({"id": "e1", "message": "thinking is not supported by this model"})
    scripts = (
        Script(refusal, status=400, content_type=JSON_TYPE),
        Script(*HELLO, message_end("COMPLETE")),
    )
    with StandIn(script_handler(*scripts)) as server:
        events = await collect_events(cohere(server, reasoning="high"))
        assert [("thinking" in request.json) for request in server.requests] == [True, False]
    assert len(notes(events)) == 1
    with StandIn(script_handler(*scripts)) as server:
        await expect_error(RefusedError, cohere(server, reasoning="high", strict=True))


async def test_schema_goes_with_the_word_json_in_the_prompt() -> None:
    """Without that word a model may write white space without end, says Cohere's reference."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    with streamed(START, content_delta("text", "{}"), message_end("COMPLETE")) as server:
        await get_completion(cohere(server).replace_set(schema=schema))
        body = server.requests[0].json
    assert body["response_format"] == {"type": "json_object", "json_schema": schema}
    assert "JSON" in body["messages"][0]["content"]


async def test_error_body_inside_a_stream_is_the_providers_error() -> None:
    with streamed(*HELLO, sse({"id": "e1", "message": "the server is overloaded"})) as server:
        error = await expect_error(BusyError, cohere(server))
    assert "overloaded" in error.message
    assert error.partial is not None
    assert error.partial["text"] == "Hello"
