"""What a protocol cannot send is refused or told before anything is sent: nothing is dropped."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import LLMService, Message, OpenAIProvider, Profile
from easyllm_cli.errors import ConfigError, UsageError
from easyllm_cli.events import Note
from easyllm_cli.images import Image
from easyllm_cli.messages import with_system_instruction
from easyllm_cli.pipeline.collector import collect
from easyllm_cli.providers.ignored_settings import refuse_unsupported_options
from tests.support.adapters import ADAPTERS, Adapter
from tests.support.asking import (
    Json,
    answer_requests,
    collect_events,
    get_completion,
    messages,
    open_provider,
)
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.pictures import png
from tests.support.standins.server import StandIn

FUNCTION = {"name": "now", "description": "the time", "parameters": {"type": "object"}}
URL = "https://example.com/a.png"
KEY = {"KEY": "test-key"}
CACHED = {"type": "ephemeral"}


@dataclass
class Bench:
    adapter: Adapter
    server: StandIn

    def profile(self, **keys: Any) -> Profile:
        return self.adapter.profile(self.server, **keys)


@pytest.fixture(params=ADAPTERS, ids=lambda one: one.id)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with StandIn(request.param.server().handle) as server:
        yield Bench(request.param, server)


CALLED: list[Json] = [
    {"tools": [{"type": "function", "function": FUNCTION}]},
    {"tools": [{"type": "web_search"}, {"type": "function", **FUNCTION}]},
    {"tools": [{"functionDeclarations": [FUNCTION]}]},
    {"tools": [{"codeExecution": {}}, {"function_declarations": [FUNCTION]}]},
    {"tools": {"functionDeclarations": [FUNCTION]}},
    {"tools": [{"name": "now", "input_schema": {"type": "object"}}]},
    {"tools": [{"type": "custom", "name": "sql"}]},
    {"tools": [{"type": "computer_use_preview"}]},
    {"tools": [{"type": "web_search"}], "tool_choice": {"type": "function", "name": "now"}},
    {"functions": [FUNCTION]},
    {"functions": [FUNCTION], "function_call": "auto"},
    {"tool_choice": "auto"},
    {"tool_choice": "required"},
    {"extra_body": {"tools": [{"type": "function", "function": FUNCTION}]}},
]


@pytest.mark.parametrize("options", CALLED, ids=str)
def test_tools_that_the_model_calls_are_refused(options: Json) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_unsupported_options(options)
    assert str(caught.value) == "tools are not supported: leave `tools` out of the options"


PLAIN: list[Json] = [
    {"tools": [{"codeExecution": {}}]},
    {"tools": [{"googleSearch": {}}, {"urlContext": {}}]},
    {"tools": [{"type": "web_search"}], "tool_choice": "auto"},
    {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    {"tools": [{"type": "openrouter:web_search", "parameters": {"engine": "exa"}}]},
    {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
    {"tools": [{"type": "file_search", "vector_store_ids": ["a"]}]},
    {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "none"},
    {
        "tools": [{"functionDeclarations": [FUNCTION]}],
        "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
    },
    {"functions": [FUNCTION], "function_call": "none"},
    {"tools": [], "tool_choice": None, "functions": None},
    {"tools": "text", "parallel_tool_calls": False},
    {"web_search_options": {}, "plugins": [{"id": "web"}]},
]


@pytest.mark.parametrize("options", PLAIN, ids=str)
def test_tools_that_the_provider_runs_itself_are_sent(options: Json) -> None:
    refuse_unsupported_options(options)


@pytest.mark.parametrize("stream", [True, False])
async def test_no_protocol_offers_a_tool(bench: Bench, stream: bool) -> None:
    asked = bench.profile(options={"tools": [{"type": "function", "function": FUNCTION}]})
    with pytest.raises(UsageError, match="tools are not supported"):
        await get_completion(asked, stream)
    async with open_provider(asked) as provider:
        with pytest.raises(UsageError, match="tools are not supported"):
            provider.dry_request([Message("user", ("hi",))], stream)
    assert bench.server.requests == []


async def test_no_protocol_takes_stream_as_an_option(bench: Bench) -> None:
    for stream in (True, False):
        with pytest.raises(ConfigError, match="stream does not belong") as caught:
            await get_completion(bench.profile(options={"stream": True}), stream)
        assert "chat()" in caught.value.hint
    asked = {"provider": bench.adapter.provider, "endpoint": bench.server.url, "stream": True}
    with pytest.raises(ConfigError, match="stream does not belong"):
        await LLMService().chat(asked, messages())
    assert bench.server.requests == []


OF_TOOLS: list[Any] = [
    {"role": "tool", "tool_call_id": "1", "content": "12:00"},
    {"role": "function", "name": "now", "content": "12:00"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
    {"role": "assistant", "content": "text", "tool_calls": [{"id": "1", "type": "function"}]},
    {"role": "assistant", "content": "", "function_call": {"name": "now"}},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1"}]},
    {"type": "function_call_output", "call_id": "1", "output": "12:00"},
]


@pytest.mark.parametrize("message", OF_TOOLS, ids=str)
def test_messages_of_tools_are_refused(message: Any) -> None:
    with pytest.raises(UsageError, match="tools are not supported: leave `tools` out"):
        Message.of(message)


def test_what_says_nothing_is_no_tool_and_no_field() -> None:
    """As OpenAI's own client writes an answer down."""
    said: Json = {"tool_calls": None, "function_call": None, "refusal": None, "annotations": []}
    made = Message.of({"role": "assistant", "content": "hi", **said})
    assert made == Message("assistant", ("hi",))


# Each field, a message that has it, and where it stands in which body; elsewhere it is refused.
FIELDS: list[tuple[str, Json]] = [
    ("name", {"role": "user", "content": "hi", "name": "ada"}),
    ("reasoning_content", {"role": "assistant", "content": "hi", "reasoning_content": "Hm."}),
    ("prefix", {"role": "assistant", "content": "hi", "prefix": True}),
    ("detail", {"role": "user", "content": [
        "hi", {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}]}),
    ("cache_control", {"role": "user", "content": [
        {"type": "text", "text": "hi", "cache_control": CACHED}, "ho"]}),
    ("cache_control", {"role": "user", "content": [
        "hi", {"type": "image_url", "image_url": {"url": URL}, "cache_control": CACHED}]}),
    ("cache_control", {"role": "user", "content": "hi", "cache_control": CACHED}),
]  # fmt: skip
TAKEN = {
    "openai": {"name", "reasoning_content", "prefix", "detail", "cache_control"},
    "openrouter": {"name", "reasoning_content", "prefix", "detail", "cache_control"},
    "openai-responses": {"detail"},
    "ollama": {"reasoning_content"},
    "gemini": set(),
}


def found(body: Any, field: str) -> list[Any]:
    """Every value under a name, wherever it stands."""
    if isinstance(body, list):
        return [one for part in body for one in found(part, field)]
    if not isinstance(body, dict):
        return []
    return [value for key, value in body.items() if key == field] + found(
        list(body.values()), field
    )


@pytest.mark.parametrize(("field", "message"), FIELDS, ids=str)
async def test_a_field_goes_out_or_is_refused(bench: Bench, field: str, message: Json) -> None:
    async with open_provider(bench.profile(model=bench.adapter.vision_model)) as provider:
        talk = [message, *messages()]
        if field not in TAKEN[bench.adapter.name]:
            with pytest.raises(UsageError, match=f"does not support {field} in a message"):
                await provider.chat(talk)
            assert bench.server.requests == []
            return
        await provider.chat(talk)
    name = "thinking" if bench.adapter.name == "ollama" else field
    sent = found(answer_requests(bench.server)[-1].json, name)
    assert sent == [{"name": "ada", "reasoning_content": "Hm.", "prefix": True, "detail": "low",
                     "cache_control": CACHED}[field]]  # fmt: skip


async def test_openais_own_host_takes_its_own_fields() -> None:
    provider = OpenAIProvider(Profile(provider="openai", model="gpt-4o"))
    await provider._build_messages([{"role": "user", "content": "hi", "name": "ada"}])
    for field in ("reasoning_content", "cache_control"):
        message = next(message for name, message in FIELDS if name == field)
        with pytest.raises(UsageError, match="openai does not support"):
            await provider._build_messages([message])


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "hi", "images": ["aGk="]},
        {"role": "user", "content": "hi", "name": 5},
        {"role": "user", "content": "hi", "cache_control": "yes"},
        {"role": "user", "content": [{"type": "text", "text": "hi", "bold": True}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL, "size": 5}}]},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": URL, "detail": 5}}],
        },
    ],
    ids=str,
)
def test_what_nobody_knows_is_refused(message: Json) -> None:
    with pytest.raises(UsageError, match=r"unknown field|must be"):
        Message.of(message)


def test_the_usual_detail_is_no_wish() -> None:
    part = {"type": "image_url", "image_url": {"url": URL, "detail": "auto", "format": "x"}}
    assert Message.of({"role": "user", "content": [part]}).images[0].detail == "auto"


async def test_auto_detail_is_taken_by_every_protocol(bench: Bench) -> None:
    picture = Image.of(png(1, 1, (0, 0, 0))).as_url()
    part = {"type": "image_url", "image_url": {"url": picture, "detail": "auto"}}
    async with open_provider(bench.profile(model=bench.adapter.vision_model)) as provider:
        assert (await provider.chat([{"role": "user", "content": ["hi", part]}]))["text"]


def test_an_instruction_leaves_the_system_prompts_fields() -> None:
    system = Message.of({"role": "system", "content": "Be brief.", "name": "boss"})
    [made, _] = with_system_instruction([system, Message("user", ("hi",))], "Think.")
    assert (made.text, made.fields) == ("Be brief.\n\nThink.", {"name": "boss"})


IGNORED: dict[str, Json] = {
    "openai": {"num_ctx": 9, "keep_alive": 0, "mmproj": "/x", "fallback_models": ["x"]},
    "openrouter": {"num_ctx": 9, "keep_alive": "1m", "mmproj": "/x"},
    "ollama": {"organization": "o", "project": "p", "fallback_models": ["x"], "mmproj": "/x"},
    "gemini": {"num_ctx": 9, "organization": "o", "fallback_models": ["x"], "api": "chat"},
}


async def test_a_setting_that_does_nothing_is_told_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    keys = IGNORED[bench.adapter.provider]
    known = {"num_ctx": 9} if bench.adapter.provider == "ollama" else {}
    async with open_provider(bench.profile(**keys, **known)) as provider:
        with caplog.at_level(logging.WARNING, "easyllm_cli"):
            told = [
                [one.text async for one in provider.stream(messages()) if isinstance(one, Note)]
                for _ in range(2)
            ]
    assert len(answer_requests(bench.server)) == 2
    [said] = told[0]
    assert told[1] == []
    assert set(said.removesuffix(": left out").split("settings ")[1].split(", ")) == set(keys)
    assert [one.message for one in caplog.records] == [said]


async def test_what_a_provider_knows_is_not_told(bench: Bench) -> None:
    known: dict[str, Json] = {
        "openai": {"organization": "o", "project": "p"}, "ollama": {"num_ctx": 9, "keep_alive": 0},
        "openrouter": {"fallback_models": ["x/y"]}, "gemini": {},
    }  # fmt: skip
    came = await collect_events(bench.profile(**known[bench.adapter.provider]))
    assert not [one for one in came if isinstance(one, Note)]


async def test_other_profiles_named_in_a_dict_are_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    adapter = ADAPTERS[0]
    with StandIn(adapter.server().handle) as server, caplog.at_level(logging.WARNING):
        asked = {
            "provider": "openai", "endpoint": server.url + adapter.base, "model": "gpt-4o",
            "api_key": "test-key", "extends": "mine", "fallback": ["other"],
        }  # fmt: skip
        async with LLMService() as service:
            await service.chat(asked, messages())
            await service.chat(asked, messages())
            assert sorted(one.message.split()[0] for one in caplog.records) == [
                "extends", "fallback",
            ]  # fmt: skip
            caplog.clear()
            await collect(service.stream(asked, messages(), fallbacks=[asked]))
            assert caplog.records == []
        await OpenAIProvider(asked).aclose()
        assert len(caplog.records) == 2


def test_the_command_line_notes_a_setting_that_does_nothing(easyllm: Easyllm) -> None:
    with StandIn(ADAPTERS[0].server().handle) as server:
        profiles = single_profile_toml(
            f"{server.url}/v1", model="gpt-4o", api_key_env="KEY", num_ctx=9
        )
        ran = easyllm.run("chat", "--json", "hi", profiles=profiles, env=KEY)
        assert ran.code == 0
        assert ran.json["notes"] == ["openai has no setting num_ctx: left out"]
        assert ran.stderr.count("num_ctx") == 1
        quiet = easyllm.run("chat", "-q", "hi", profiles=profiles, env=KEY)
    assert (quiet.code, quiet.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", 'tools=[{"type": "function", "function": {"name": "now"}}]'], "leave `tools` out"),
        (["-o", "stream=true", "--no-stream"], "--no-stream, --stream"),
        (["-o", "stream=true", "--dry-run"], "--no-stream, --stream"),
    ],
)
def test_the_command_line_refuses_them_too(
    easyllm: Easyllm, arguments: list[str], says: str
) -> None:
    with StandIn(ADAPTERS[0].server().handle) as server:
        profiles = single_profile_toml(f"{server.url}/v1", model="gpt-4o")
        ran = easyllm.run("chat", *arguments, "hi", profiles=profiles)
        assert server.requests == []
    assert (ran.code, ran.stdout) == (2, b"")
    assert says in ran.stderr


def test_a_list_of_messages_with_a_tools_answer_is_exit_2(easyllm: Easyllm, tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text('[{"role": "tool", "tool_call_id": "1", "content": "12:00"}]')
    ran = easyllm.run(
        "chat", "--messages", str(path), profiles=single_profile_toml("http://127.0.0.1:9/v1")
    )
    assert ran.code == 2
    assert "tools are not supported" in ran.stderr
