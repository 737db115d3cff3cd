"""litellm with a stand-in server: nothing is invented, retried, leaked or hidden by litellm."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import LLMService
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import (
    AuthError,
    BusyError,
    ConfigError,
    IncompleteAnswer,
    MalformedAnswer,
    RefusedError,
    UsageError,
)
from easyllm_cli.events import Reasoning, Start, Text, Usage
from easyllm_cli.images import Image
from easyllm_cli.messages import Message, parse_messages
from easyllm_cli.providers.litellm.provider import LiteLLMProvider
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS, LITELLM, litellm_profile
from tests.support.asking import collect_events, expect_error, get_completion, messages, notes
from tests.support.batches import Batch, BatchServer
from tests.support.binary import wait_until
from tests.support.replaying import check_the_same_answer_again
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import (
    DONE,
    Script,
    Wait,
    chunk,
    compact,
    script_handler,
    sse,
    usage_chunk,
)
from tests.support.standins.server import Reply, Request, StandIn

pytestmark = IGNORE_LITELLM_WARNINGS
both_ways = pytest.mark.parametrize("stream", [True, False])


def plain(*, content: str = "Hello", **fields: Any) -> Script:
    """Return a plain answer of Chat Completions."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
    return Script(compact({**body, "choices": [choice], **fields}), content_type="application/json")


async def test_rec_1_and_cache_4_the_same_answer_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check_the_same_answer_again(LITELLM, tmp_path / "answers.jsonl", monkeypatch)


@pytest.mark.parametrize("end", [b"", DONE], ids=["eof", "done"])
async def test_a_finish_reason_invented_by_litellm_is_ignored(end: bytes) -> None:
    """litellm ends such a stream with "stop", and through it `[DONE]` alone looks like a cut."""
    with StandIn(script_handler(Script(chunk("Hel"), chunk("lo"), end))) as server:
        error = await expect_error(IncompleteAnswer, litellm_profile(server))
    assert error.partial is not None
    assert error.partial["text"] == "Hello"
    assert error.partial["finish_reason"] is None


async def test_a_finish_reason_in_every_chunk_is_no_end() -> None:
    steps = [chunk(text, finish="stop") for text in ("Hel", "lo ", "you")]
    with StandIn(script_handler(Script(*steps, DONE))) as server:
        done = await get_completion(litellm_profile(server))
    assert (done["text"], done["finish_reason"], done["complete"]) == ("Hello you", "stop", True)


@both_ways
@pytest.mark.parametrize(("word", "reason"), [
    ("model_length", "length"), ("sensitive", "content_filter"), ("brand_new", "brand_new"),
])  # fmt: skip
async def test_finish_reasons_that_litellm_maps_to_stop(
    stream: bool, word: str, reason: str
) -> None:
    streamed = Script(chunk("Hello"), chunk(finish=word), DONE)
    message = {"index": 0, "message": {"role": "assistant", "content": "Hello"}}
    script = streamed if stream else plain(choices=[message | {"finish_reason": word}])
    with StandIn(script_handler(script)) as server:
        done = await get_completion(litellm_profile(server), stream)
    assert (done["text"], done["finish_reason"]) == ("Hello", reason)
    assert not done["complete"]


@both_ways
async def test_network_error_as_the_finish_reason(stream: bool) -> None:
    streamed = Script(chunk("Hello"), chunk(finish="network_error"), DONE)
    message = {"index": 0, "message": {"role": "assistant", "content": "Hello"}}
    script = streamed if stream else plain(choices=[message | {"finish_reason": "network_error"}])
    with StandIn(script_handler(script)) as server:
        await expect_error(BusyError, litellm_profile(server, max_retries=0), stream)


@both_ways
@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b'{"object": "x"}'])
async def test_body_without_an_answer_is_malformed(body: bytes, stream: bool) -> None:
    with StandIn(script_handler(Script(body, content_type="text/html"))) as server:
        await expect_error(MalformedAnswer, litellm_profile(server), stream)
        assert len(server.requests) == 1


async def test_invented_usage_is_marked_and_real_usage_is_not() -> None:
    good = [chunk("Hello"), chunk(finish="stop")]
    with StandIn(
        script_handler(Script(*good, DONE), Script(*good, usage_chunk(3, 4), DONE))
    ) as server:
        estimated = await get_completion(litellm_profile(server))
        counted = await get_completion(litellm_profile(server))
    assert estimated["usage"]["estimated"] is True
    assert (estimated["usage"]["completion_tokens"] or 0) > 0
    assert counted["usage"] == {
        "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
        "reasoning_tokens": None, "cached_tokens": None,
        "cache_write_tokens": None, "estimated": False,
    }  # fmt: skip


async def test_plain_answer_without_usage_has_none() -> None:
    """litellm writes 0 although nothing was counted."""
    with StandIn(script_handler(plain())) as server:
        done = await get_completion(litellm_profile(server), stream=False)
    assert done["usage"]["total_tokens"] is None


async def test_litellms_computed_price_is_not_reported() -> None:
    """litellm computes a price for models in its own table; the server sent none."""
    good = Script(chunk("Hello"), chunk(finish="stop"), usage_chunk(3, 4), DONE)
    counts = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    with StandIn(script_handler(good, plain(usage=counts))) as server:
        for stream in (True, False):
            events = await collect_events(litellm_profile(server, model="openai/gpt-4o"), stream)
            costs = [event.cost_usd for event in events if isinstance(event, Usage)]
            assert costs == [None]


async def test_an_idle_timeout_is_incomplete() -> None:
    slow = Script(chunk("Hel"), *[b": ping\n\n"] * 3, Wait(5))
    with StandIn(script_handler(slow)) as server:
        profile = litellm_profile(server, timeout={"idle": 0.2})
        error = await expect_error(IncompleteAnswer, profile)
    assert "0.2 s" in error.message


async def test_hidden_and_inline_reasoning() -> None:
    block = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    delta = {"index": 0, "delta": {"thinking_blocks": [block]}, "finish_reason": None}
    ends = [chunk(finish="stop"), DONE]
    hidden = Script(sse({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                         "choices": [delta]}), chunk("Hello"), *ends)  # fmt: skip
    inline = Script(chunk("<th"), chunk("ink>plan</thi"), chunk("nk>\n\nHello"), *ends)
    with StandIn(script_handler(hidden, inline)) as server:
        events = await collect_events(litellm_profile(server))
        assert [event for event in events if isinstance(event, Reasoning)] == [
            Reasoning("", hidden=True)
        ]
        completion = await get_completion(litellm_profile(server))
    assert (completion["reasoning"], completion["text"]) == ("plan", "Hello")


async def test_effort_is_sent_to_an_endpoint_unknown_to_litellm() -> None:
    with StandIn(OpenAIServer(models=["m"]).handle) as server:
        await get_completion(litellm_profile(server, reasoning="max"))
        assert server.requests[0].json["reasoning_effort"] == "xhigh"


@pytest.mark.parametrize(("model", "effort"), [("o3-mini", "medium"), ("m", None)])
async def test_think_alone_sets_an_effort_for_models_known_to_litellm(
    model: str, effort: str | None
) -> None:
    with StandIn(OpenAIServer(models=[model]).handle) as server:
        await get_completion(litellm_profile(server, model=f"openai/{model}", think=True))
        assert server.requests[0].json.get("reasoning_effort") == effort


async def test_a_parameter_refused_by_the_server_is_left_out() -> None:
    with StandIn(OpenAIServer(models=["m"], rejects=["reasoning_effort"]).handle) as server:
        events = await collect_events(litellm_profile(server, reasoning="high"))
        (note,) = notes(events)
        assert note.startswith("reasoning_effort is refused by the server: sent without it")
        assert ["reasoning_effort" in request.json for request in server.requests] == [True, False]
        strict = litellm_profile(server, reasoning="high", strict=True)
        await expect_error(RefusedError, strict)
        assert len(server.requests) == 3


async def test_a_parameter_refused_by_litellm_is_left_out_before_any_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without an endpoint in the profile, litellm's table and litellm's own variables are used."""
    with StandIn(OpenAIServer(key="sk-own-key", models=["gpt-4o"]).handle) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-own-key")
        profile = Profile.of({"provider": "litellm", "model": "openai/gpt-4o", "reasoning": "high"})
        events = await collect_events(profile)
        (note,) = notes(events)
        assert note.startswith("reasoning_effort is refused by the server: sent without it")
        assert len(server.requests) == 1
        error = await expect_error(RefusedError, profile.replace_set(strict=True))
        assert "reasoning_effort" in error.message
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({"model": "m", "endpoint": None}, "openai/gpt-4o"),
        ({"model": ""}, "-m MODEL"),
        ({"proxy": "http://p"}, "HTTPS_PROXY"),
        ({"ca_bundle": "a.pem"}, "SSL_CERT_FILE"),
    ],
)
async def test_profiles_that_cannot_work(keys: Any, hint: str) -> None:
    with StandIn(script_handler(plain())) as server:
        error = await expect_error(ConfigError, litellm_profile(server, **keys))
        assert server.requests == []
    assert hint in error.hint


async def test_missing_variable_is_named() -> None:
    profile = Profile.of({"provider": "litellm", "model": "openai/gpt-4o"})
    error = await expect_error(AuthError, profile)
    assert error.exit_code == 3
    assert "OPENAI_API_KEY" in f"{error}"


async def test_dry_run_is_refused_and_models_are_litellms_table() -> None:
    provider = LiteLLMProvider({"model": "openai/m", "endpoint": "http://127.0.0.1:9/v1"})
    with pytest.raises(UsageError):
        provider.dry_request(parse_messages(messages()), True)
    known = {model.id: model for model in await provider.models()}["gpt-4o"]
    assert (known.context or 0) > 100_000
    assert known.vision is True
    assert (known.prompt_usd or 0) > 0.1
    assert "own table" in provider.models_note


async def test_the_specs_sample() -> None:
    """The spec's sample with one gateway on which claude-2 is busy: litellm knows no claude-2."""
    config = {
        "provider": "litellm",
        "api_key": "your-key",
        "model": "claude-2",
        "fallback_models": ["gpt-4", "gpt-3.5-turbo"],
    }
    good = OpenAIServer(key="your-key", models=["gpt-4"])

    async def handle(request: Request, reply: Reply) -> None:
        busy = LITELLM.refusal(503, "overloaded")
        await (busy.play(reply) if "claude-2" in str(request.json) else good.handle(request, reply))

    with StandIn(handle) as server:
        stream = LLMService().stream({**config, "base_url": f"{server.url}/v1"}, messages("hi"))
        events = [event async for event in stream]
        assert len(server.requests) == 2
    assert [event.model for event in events if isinstance(event, Start)] == ["claude-2", "gpt-4"]
    texts = [event.text for event in events if isinstance(event, Text)]
    assert "".join(texts) == "Hello from gpt-4: hi"
    assert notes(events) == ["claude-2: overloaded (HTTP 503); asking gpt-4"]


def test_connections_end_with_their_event_loop() -> None:
    """litellm keeps a client for each event loop, and closes none that is still in its cache."""
    with StandIn(LITELLM.server().handle) as server:
        config = LITELLM.profile(server)

        async def ask() -> str:
            return await LLMService().get_response(config, "hi")

        for _ in range(2):
            assert asyncio.run(ask())
            wait_until(lambda: server.connections == 0)
        assert len(server.requests) == 2


# Arguments of litellm's call that could redirect a key, read files, use other accounts or run
# hooks.
CALL_ARGUMENTS = (
    "api_base", "base_url", "api_key", "api_version", "vertex_credentials", "aws_profile_name",
    "azure_ad_token", "custom_llm_provider", "fallbacks", "model_list", "mock_response", "client",
    "ssl_verify", "success_callback",
)  # fmt: skip


@pytest.mark.parametrize("name", CALL_ARGUMENTS)
def test_an_argument_of_litellms_call_is_not_taken_from_a_dict(name: str) -> None:
    config = {"provider": "litellm", "model": "openai/gpt-4o"}
    for config_with_argument in ({**config, name: "x"}, {**config, "options": {name: "x"}}):
        if name in ("api_key", "base_url") and "options" not in config_with_argument:
            continue  # settings of a profile
        with pytest.raises(ConfigError, match="is not allowed in an untrusted config dict"):
            LiteLLMProvider(config_with_argument)
        assert LiteLLMProvider(config_with_argument, trust_configs=True).profile.options == {
            name: "x"
        }
        assert LiteLLMProvider(Profile.of(config_with_argument)).profile.options == {name: "x"}


async def test_a_dict_may_set_request_fields() -> None:
    with StandIn(script_handler(plain())) as server:
        config: dict[str, Any] = {"provider": "litellm", "model": "openai/gpt-4o"}
        config |= {"endpoint": f"{server.url}/v1", "presence_penalty": 0.5, "user": "ada"}
        assert await LLMService().get_response(config, "hi") == "Hello"
        assert (server.requests[0].json["presence_penalty"], server.requests[0].json["user"]) == (
            0.5, "ada",
        )  # fmt: skip


async def test_fields_of_messages_reach_litellm() -> None:
    with StandIn(script_handler(plain())) as server:
        sent_messages: list[Any] = [{"role": "user", "content": "hi", "name": "ada"}]
        await LLMService().chat(litellm_profile(server), sent_messages)
        assert server.requests[0].json["messages"] == sent_messages


async def test_an_image_type_that_the_vendor_does_not_take() -> None:
    """Refused before sending; for an endpoint of the profile the accepted types are unknown."""
    bmp = Image.of_bytes(b"BM" + bytes(60), "a.bmp")
    message_list = [Message("user", ("hi", bmp))]
    provider = LiteLLMProvider(Profile.of({"provider": "litellm", "model": "xai/grok-4"}))
    with pytest.raises(UsageError, match=r"api\.x\.ai takes no image/bmp"):
        await provider.chat(message_list)
    elsewhere = {"provider": "litellm", "model": "openai/m", "endpoint": "http://127.0.0.1:9/v1"}
    assert await LiteLLMProvider(Profile.of(elsewhere)).prepare(message_list) == (message_list, [])


async def test_no_cookie_is_sent_back() -> None:
    good = (chunk("Hello"), chunk(finish="stop"), DONE)
    with StandIn(
        script_handler(Script(*good, headers={"Set-Cookie": "who=you; Path=/"}))
    ) as server:
        for _ in range(3):
            await get_completion(litellm_profile(server))
        assert [request.headers.get("cookie") for request in server.requests] == [None] * 3


def test_batch_21_no_row_says_where_the_key_goes(tmp_path: Path) -> None:
    """Fields of a row's `body` become arguments of litellm, and `api_base` is one of them."""
    elsewhere = BatchServer()
    with StandIn(BatchServer().handle) as stand_in, StandIn(elsewhere.handle) as other:
        batch = Batch(tmp_path, stand_in)
        batch.profile = litellm_profile(stand_in)
        body = {"messages": [{"role": "user", "content": "a"}], "api_base": f"{other.url}/v1"}
        batch.input.write_text(json.dumps({"body": body}) + "\n")
        assert batch.run() is None
    (line,) = batch.lines()
    assert "api_base is not for a row" in line["error"]["message"]
    assert elsewhere.asked == []
