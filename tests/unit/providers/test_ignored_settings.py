"""What a protocol cannot send is refused or noted before the request; nothing is lost silently."""

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
from easyllm_cli.messages import parse_messages, with_system_instruction
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.http import HTTPProvider
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
from tests.support.images import png
from tests.support.standins.server import StandIn

FUNCTION = {"name": "now", "description": "the time", "parameters": {"type": "object"}}
URL = "https://example.com/a.png"
PICTURE = Image.of(png(1, 1, (0, 0, 0))).as_url()
KEY = {"KEY": "test-key"}
CACHED = {"type": "ephemeral"}


@dataclass
class Bench:
    adapter: Adapter
    server: StandIn

    def profile(self, **keys: Any) -> Profile:
        return self.adapter.profile(self.server, **keys)


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.id)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with StandIn(request.param.server().handle) as server:
        yield Bench(request.param, server)


CLIENT_TOOLS: list[Json] = [
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


@pytest.mark.parametrize("options", CLIENT_TOOLS, ids=str)
def test_client_tools_are_refused(options: Json) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_unsupported_options(options)
    assert str(caught.value) == "tools are not supported: leave `tools` out of the options"


PROVIDER_TOOLS: list[Json] = [
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


@pytest.mark.parametrize("options", PROVIDER_TOOLS, ids=str)
def test_provider_tools_are_sent(options: Json) -> None:
    refuse_unsupported_options(options)


@pytest.mark.parametrize("stream", [True, False])
async def test_every_protocol_refuses_client_tools(bench: Bench, stream: bool) -> None:
    config = bench.profile(options={"tools": [{"type": "function", "function": FUNCTION}]})
    with pytest.raises(UsageError, match="tools are not supported"):
        await get_completion(config, stream)
    async with open_provider(config) as provider:
        with pytest.raises(UsageError, match="tools are not supported"):
            provider.dry_request([Message("user", ("hi",))], stream)
    assert bench.server.requests == []


async def test_every_protocol_refuses_stream_as_an_option(bench: Bench) -> None:
    for stream in (True, False):
        with pytest.raises(ConfigError, match="stream does not belong") as caught:
            await get_completion(bench.profile(options={"stream": True}), stream)
        assert "chat()" in caught.value.hint
    config = {"provider": bench.adapter.provider, "endpoint": bench.server.url, "stream": True}
    with pytest.raises(ConfigError, match="stream does not belong"):
        await LLMService().chat(config, messages())
    assert bench.server.requests == []


TOOL_MESSAGES: list[Any] = [
    {"role": "tool", "tool_call_id": "1", "content": "12:00"},
    {"role": "function", "name": "now", "content": "12:00"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
    {"role": "assistant", "content": "text", "tool_calls": [{"id": "1", "type": "function"}]},
    {"role": "assistant", "content": "", "function_call": {"name": "now"}},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1"}]},
    {"type": "function_call_output", "call_id": "1", "output": "12:00"},
]


@pytest.mark.parametrize("message", TOOL_MESSAGES, ids=str)
def test_tool_messages_are_refused(message: Any) -> None:
    with pytest.raises(UsageError, match="tools are not supported: leave `tools` out"):
        Message.of(message)


def test_empty_message_fields_are_ignored() -> None:
    """OpenAI's own client writes an answer with these fields."""
    empty: Json = {"tool_calls": None, "function_call": None, "refusal": None, "annotations": []}
    message = Message.of({"role": "assistant", "content": "hi", **empty})
    assert message == Message("assistant", ("hi",))


# Each field and a message with it. SENT_FIELDS: the fields that an adapter sends, not refuses.
FIELDS: list[tuple[str, Json]] = [
    ("name", {"role": "user", "content": "hi", "name": "ada"}),
    ("reasoning_content", {"role": "assistant", "content": "hi", "reasoning_content": "Hm."}),
    ("prefix", {"role": "assistant", "content": "hi", "prefix": True}),
    ("detail", {"role": "user", "content": [
        "hi", {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}]}),
    ("cache_control", {"role": "user", "content": [
        {"type": "text", "text": "hi", "cache_control": CACHED}, "ho"]}),
    ("cache_control", {"role": "user", "content": [
        "hi", {"type": "image_url", "image_url": {"url": PICTURE}, "cache_control": CACHED}]}),
    ("cache_control", {"role": "user", "content": "hi", "cache_control": CACHED}),
]  # fmt: skip
SENT_FIELDS = {
    "openai": {"name", "reasoning_content", "prefix", "detail", "cache_control"},
    "openrouter": {"name", "reasoning_content", "prefix", "detail", "cache_control"},
    "openai-responses": {"detail"},
    "ollama": {"reasoning_content"},
    "gemini": set(),
    "anthropic": {"cache_control"},
    "cohere": {"detail"},
}


def values_of(body: Any, field: str) -> list[Any]:
    """Return every value with this key, at any depth of the body."""
    if isinstance(body, list):
        return [value for part in body for value in values_of(part, field)]
    if not isinstance(body, dict):
        return []
    return [value for key, value in body.items() if key == field] + values_of(
        list(body.values()), field
    )


@pytest.mark.parametrize(("field", "message"), FIELDS, ids=str)
async def test_message_field_is_sent_or_refused(bench: Bench, field: str, message: Json) -> None:
    async with open_provider(bench.profile(model=bench.adapter.vision_model)) as provider:
        conversation = [message, *messages()]
        if field not in SENT_FIELDS[bench.adapter.name]:
            with pytest.raises(UsageError, match=f"does not support {field} in a message"):
                await provider.chat(conversation)
            assert bench.server.requests == []
            return
        await provider.chat(conversation)
    name = "thinking" if bench.adapter.name == "ollama" else field
    sent = values_of(answer_requests(bench.server)[-1].json, name)
    assert sent == [{"name": "ada", "reasoning_content": "Hm.", "prefix": True, "detail": "low",
                     "cache_control": CACHED}[field]]  # fmt: skip


async def test_openais_host_takes_only_its_own_fields() -> None:
    provider = OpenAIProvider(Profile(provider="openai", model="gpt-4o"))
    provider.refuse_unsupported([Message.of({"role": "user", "content": "hi", "name": "ada"})])
    for field in ("reasoning_content", "cache_control"):
        message = next(message for name, message in FIELDS if name == field)
        with pytest.raises(UsageError, match="openai does not support"):
            provider.refuse_unsupported([Message.of(message)])


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
def test_unknown_message_fields_are_refused(message: Json) -> None:
    with pytest.raises(UsageError, match=r"unknown field|must be"):
        Message.of(message)


def test_auto_detail_and_unused_image_keys_are_accepted() -> None:
    part = {"type": "image_url", "image_url": {"url": URL, "detail": "auto", "format": "x"}}
    assert Message.of({"role": "user", "content": [part]}).images[0].detail == "auto"


async def test_every_protocol_accepts_auto_detail(bench: Bench) -> None:
    part = {"type": "image_url", "image_url": {"url": PICTURE, "detail": "auto"}}
    async with open_provider(bench.profile(model=bench.adapter.vision_model)) as provider:
        assert (await provider.chat([{"role": "user", "content": ["hi", part]}]))["text"]


def test_added_instruction_keeps_the_system_message_fields() -> None:
    system = Message.of({"role": "system", "content": "Be brief.", "name": "boss"})
    [changed, _] = with_system_instruction([system, Message("user", ("hi",))], "Think.")
    assert (changed.text, changed.fields) == ("Be brief.\n\nThink.", {"name": "boss"})


IGNORED: dict[str, Json] = {
    "openai": {"num_ctx": 9, "keep_alive": 0, "mmproj": "/x", "fallback_models": ["x"]},
    "openrouter": {"num_ctx": 9, "keep_alive": "1m", "mmproj": "/x"},
    "ollama": {"organization": "o", "project": "p", "fallback_models": ["x"], "mmproj": "/x"},
    "gemini": {"num_ctx": 9, "organization": "o", "fallback_models": ["x"], "api": "chat"},
    "anthropic": {"num_ctx": 9, "organization": "o", "fallback_models": ["x"], "seed": 1},
    "cohere": {"num_ctx": 9, "project": "p", "fallback_models": ["x"], "api": "chat"},
}


async def test_ignored_setting_is_noted_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    keys = IGNORED[bench.adapter.provider]
    supported = {"num_ctx": 9} if bench.adapter.provider == "ollama" else {}
    async with open_provider(bench.profile(**keys, **supported)) as provider:
        with caplog.at_level(logging.WARNING, "easyllm_cli"):
            note_texts = [
                [
                    event.text
                    async for event in provider.stream(messages())
                    if isinstance(event, Note)
                ]
                for _ in range(2)
            ]
    assert len(answer_requests(bench.server)) == 2
    [note] = note_texts[0]
    assert note_texts[1] == []
    assert set(note.removesuffix(": left out").split("settings ")[1].split(", ")) == set(keys)
    assert [record.message for record in caplog.records] == [note]


async def test_supported_settings_are_not_noted(bench: Bench) -> None:
    supported: dict[str, Json] = {
        "openai": {"organization": "o", "project": "p"}, "ollama": {"num_ctx": 9, "keep_alive": 0},
        "openrouter": {"fallback_models": ["x/y"]}, "gemini": {}, "cohere": {},
        "anthropic": {"top_k": 5, "stop": "x", "api": "anthropic"},
    }  # fmt: skip
    events = await collect_events(bench.profile(**supported[bench.adapter.provider]))
    assert not [event for event in events if isinstance(event, Note)]


async def test_a_provider_warns_of_profile_names_in_a_dict(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = {"model": "gpt-4o", "extends": "mine", "fallback": ["other"]}
    with caplog.at_level(logging.WARNING):
        await OpenAIProvider(config, trust_configs=True).aclose()
    assert sorted(record.message.split()[0] for record in caplog.records) == [
        "extends", "fallback",
    ]  # fmt: skip


def test_command_notes_an_ignored_setting(easyllm: Easyllm) -> None:
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
def test_command_refuses_client_tools_and_stream_options(
    easyllm: Easyllm, arguments: list[str], says: str
) -> None:
    with StandIn(ADAPTERS[0].server().handle) as server:
        profiles = single_profile_toml(f"{server.url}/v1", model="gpt-4o")
        ran = easyllm.run("chat", *arguments, "hi", profiles=profiles)
        assert server.requests == []
    assert (ran.code, ran.stdout) == (2, b"")
    assert says in ran.stderr


def test_tool_message_in_a_file_is_exit_2(easyllm: Easyllm, tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text('[{"role": "tool", "tool_call_id": "1", "content": "12:00"}]')
    ran = easyllm.run(
        "chat", "--messages", str(path), profiles=single_profile_toml("http://127.0.0.1:9/v1")
    )
    assert ran.code == 2
    assert "tools are not supported" in ran.stderr


API_SETTINGS: list[tuple[str, Json, str]] = [
    ("ollama", {"num_ctx": 4096, "keep_alive": "5m"}, "num_ctx, keep_alive"),
    ("openrouter", {"fallback_models": ["a/b"], "organization": "o"},
     "organization, fallback_models"),
    ("deepseek", {"project": "p", "seed": 1}, "project, seed"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "keys", "left_out"), API_SETTINGS)
def test_note_of_another_vendors_messages_api(name: str, keys: Json, left_out: str) -> None:
    """The settings of the protocol that is spoken count, not those of the vendor's usual one."""
    config = Profile.of(
        {"provider": name, "model": "m", "api": "anthropic", "api_key": "k", **keys}
    )
    [note] = provider_for(config).input_notes([])
    nouns = "settings" if ", " in left_out else "setting"
    assert note == f'{name} with api = "anthropic" has no {nouns} {left_out}: left out'


async def test_image_in_a_system_message_is_sent_or_refused(bench: Bench) -> None:
    parts = [{"type": "text", "text": "Like this."}, {"type": "image_url", "image_url": PICTURE}]
    talk = [{"role": "system", "content": parts}, *messages()]
    provider = provider_for(bench.profile())
    try:
        if provider.system_is_text:
            with pytest.raises(UsageError, match="no image in a system message"):
                await provider.chat(talk)
            assert bench.server.requests == []
        else:
            provider.refuse_unsupported(parse_messages(talk))
            if isinstance(provider, HTTPProvider):
                body = provider.request(parse_messages(talk), True).body
                assert PICTURE.partition(",")[2] in str(body)
    finally:
        await provider.aclose()


@pytest.mark.parametrize("name", ["openai", "openrouter", "cohere", "anthropic", "gemini"])
def test_texts_and_images_that_alternate_keep_their_order(name: str) -> None:
    parts: list[Json | str] = []
    for text in ("first", "second"):
        parts += [{"type": "image_url", "image_url": PICTURE}, text]
    config = Profile.of({"provider": name, "model": "m", "api_key": "k"})
    provider = provider_for(config)
    assert isinstance(provider, HTTPProvider)
    body = provider.request(parse_messages([{"role": "user", "content": parts}]), True).body or {}
    message = (body.get("messages") or body["contents"])[0]
    sent = message.get("content") or message["parts"]
    assert [part.get("text") for part in sent] == [None, "first", None, "second"]
