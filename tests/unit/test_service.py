"""LLMService's methods: what they send, what they return, and how they fail."""

from typing import Any

import pytest

from easyllm_cli import (
    Completion,
    ConfigError,
    IncompleteAnswer,
    LLMService,
    Message,
    OpenAIProvider,
    Profile,
    UsageError,
    collect,
)
from easyllm_cli.config.settings import DEFAULT_SAMPLING
from easyllm_cli.vendors import VENDORS
from tests.support.asking import messages
from tests.support.binary import chat_answer_script
from tests.support.images import png
from tests.support.standins.openai import OpenAIServer, refuse
from tests.support.standins.script import Cut, Json, Script, chunk, script_handler
from tests.support.standins.server import Reply, Request, StandIn


def config(server: StandIn, **keys: Any) -> Json:
    usual = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "gpt-4o"}
    return {**usual, "initial_retry_delay": 0.01, **keys}


def sent_defaults(server: StandIn) -> Json:
    """The default sampling settings that the last request carries."""
    return {
        key: value for key, value in server.requests[-1].json.items() if key in DEFAULT_SAMPLING
    }


async def test_dict_sends_default_sampling_and_a_profile_does_not() -> None:
    with StandIn(OpenAIServer().handle) as server:
        settings = config(server)
        async with LLMService() as service:
            await service.chat(settings, messages())
            assert sent_defaults(server) == DEFAULT_SAMPLING
            await service.chat(settings | {"temperature": 0.1}, messages())
            assert sent_defaults(server) == DEFAULT_SAMPLING | {"temperature": 0.1}
            await service.chat(settings | {"send_defaults": False}, messages())
            assert sent_defaults(server) == {}
            await service.chat(Profile.of(settings), messages())
            assert sent_defaults(server) == {}
        for source, wanted in ((settings, DEFAULT_SAMPLING), (Profile.of(settings), {})):
            provider = OpenAIProvider(source)
            await provider.chat(messages())
            assert sent_defaults(server) == wanted


class RefusesDefaults(OpenAIServer):
    """Answers 422 to a request with any of the default sampling settings."""

    async def _complete(self, request: Request, reply: Reply) -> None:
        if DEFAULT_SAMPLING.keys() & request.json.keys():
            raise refuse(422, "Extra inputs are not permitted", code=None)
        await super()._complete(request, reply)


async def test_refused_defaults_are_left_out_of_later_requests() -> None:
    with StandIn(RefusesDefaults().handle) as server:
        async with LLMService() as service:
            first = await service.chat(config(server), messages("one"))
            second = await service.chat(config(server), messages("two"))
        assert [
            len(DEFAULT_SAMPLING.keys() & request.json.keys()) for request in server.requests
        ] == [
            3,
            0,
            0,
        ]
    assert [first["text"], second["text"]] == ["Hello from gpt-4o: one", "Hello from gpt-4o: two"]


async def test_the_response_is_the_body_or_the_last_frame() -> None:
    with StandIn(OpenAIServer().handle) as server:
        service = LLMService()
        whole = await service.chat(config(server), messages())
        assert whole["response"]["object"] == "chat.completion"
        assert server.requests[-1].json["stream"] is False
        streamed = await collect(service.stream(config(server), messages()))
        assert server.requests[-1].json["stream"] is True
    assert isinstance(whole, Completion)
    assert streamed["response"]["frames"] > 2
    assert streamed["response"]["last"]["object"] == "chat.completion.chunk"
    assert {**whole, "response": None, "id": None} == {**streamed, "response": None}


async def test_message_objects_and_dicts_can_be_mixed() -> None:
    with StandIn(OpenAIServer().handle) as server:
        conversation: list[Message | Json] = [
            {"role": "system", "content": "Be brief."},
            Message("user", ("hi",)),
        ]
        await LLMService().chat(config(server), conversation)
        sent_roles = [message["role"] for message in server.requests[0].json["messages"]]
    assert sent_roles == ["system", "user"]


async def test_a_configs_system_prompt_goes_before_the_messages() -> None:
    with StandIn(OpenAIServer().handle) as server:
        settings = config(server, system="Be brief.")
        await LLMService().chat(settings, messages("hi"))
        wanted = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ]
        assert server.requests[0].json["messages"] == wanted
        await LLMService().chat(settings, [{"role": "system", "content": "Sing."}, *messages()])
        assert server.requests[1].json["messages"][0]["content"] == "Sing."


async def test_get_response_takes_a_question_or_messages() -> None:
    with StandIn(OpenAIServer(reasoning="Hm.").handle) as server:
        service, settings = LLMService(), config(server)
        assert await service.get_response(settings, "hi") == "Hello from gpt-4o: hi"
        assert await service.get_response(settings, messages("ho")) == "Hello from gpt-4o: ho"
        both = await service.get_response_with_cot(settings, "hi")
    assert both == {"answer": "Hello from gpt-4o: hi", "cot": "Hm."}


@pytest.mark.parametrize(
    ("response", "answer", "cot"),
    [
        ("4", "4", ""),
        ("<think>2+2</think>\n\n4", "4", "2+2"),
        ("<thinking>2+2</thinking>4", "4", "2+2"),
        ("2+2\n</think>\n4", "4", "2+2"),
        ("<think>2+2", "", "2+2"),
        ("Write `<think>` first", "Write `<think>` first", ""),
        ({"text": "<think>2+2</think>4", "reasoning": None}, "4", "2+2"),
        ({"text": "<think> is a tag", "reasoning": "apart"}, "<think> is a tag", "apart"),
        (Completion(text="4", reasoning=None), "4", ""),
        ({"text": "4"}, "4", ""),
        ("", "", ""),
    ],
)
def test_extract_answer_and_cot(response: Any, answer: str, cot: str) -> None:
    assert LLMService().extract_answer_and_cot(response) == {"answer": answer, "cot": cot}


@pytest.mark.parametrize("response", [None, 4, {}, {"text": None}, ["4"]])
def test_extract_needs_text(response: Any) -> None:
    with pytest.raises(UsageError, match="no text to take an answer from"):
        LLMService().extract_answer_and_cot(response)


WRONG_MESSAGES: list[Any] = [
    None, 4, "hi", b"hi", {"role": "user", "content": "hi"}, [], ["hi"], [{"role": "robot"}],
    [{"role": "user", "content": 4}], [{"role": "user", "content": [{"type": "audio"}]}],
]  # fmt: skip
ODD = {1, 2}  # not JSON; its repr is the same in every process
WRONG_CONFIGS: list[Any] = [
    None, "opnai", "", ["openai"], {}, {"provider": "opnai"}, {"provider": 4}, {"model": "gpt-4o"},
    {"provider": "openai", "temperature": "hot"}, {"provider": "openai", "endpoint": "nowhere"},
    {"provider": "openai", "model": "m", "odd": ODD},
    Profile(provider="openai", model="m", options={"odd": ODD}),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_MESSAGES, ids=repr)
async def test_invalid_messages_are_refused(wrong: Any) -> None:
    with StandIn(OpenAIServer().handle) as server:
        with pytest.raises(UsageError):
            await LLMService().chat(config(server), wrong)
        with pytest.raises(UsageError):
            [text async for text in LLMService().chat_stream(config(server), wrong)]
        assert server.requests == []


@pytest.mark.parametrize("wrong", WRONG_CONFIGS, ids=repr)
async def test_invalid_configs_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        await LLMService().chat(wrong, messages())
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError):
        await LLMService().get_response(wrong, "hi")


@pytest.mark.parametrize("wrong", [None, 4, "nowhere.png", b"text", ["a.png"]])
async def test_invalid_image_is_refused(wrong: Any) -> None:
    with StandIn(OpenAIServer().handle) as server:
        with pytest.raises(UsageError):
            await LLMService().vision_chat(config(server), "What is this?", wrong)
        with pytest.raises(UsageError):
            await OpenAIProvider(config(server)).vision_chat("What is this?", wrong)
        assert server.requests == []


async def test_image_needs_a_text_question() -> None:
    no_text: Any = 4
    with pytest.raises(UsageError):
        await LLMService().vision_chat({"provider": "openai"}, no_text, png(1, 1, (0, 0, 0)))


CUT = Script(chunk("Hel"), Cut())
ONCE = {"max_retries": 0}


@pytest.mark.parametrize("script", [CUT, Script(chunk("Hel"))])
async def test_a_cut_stream_is_never_taken_for_an_answer(script: Script) -> None:
    """Streams of events and of text both raise, and the error holds the partial answer."""
    texts: list[str] = []

    async def listen(service: LLMService, settings: Json) -> None:
        async for text in service.chat_stream(settings, messages()):
            texts.append(text)

    with StandIn(script_handler(script)) as server:
        service, settings = LLMService(), config(server, **ONCE)
        with pytest.raises(IncompleteAnswer) as streamed:
            await collect(service.stream(settings, messages()))
        with pytest.raises(IncompleteAnswer) as texted:
            await listen(service, settings)
    assert texts == ["Hel"]
    for caught in (streamed, texted):
        assert caught.value.partial is not None
        assert caught.value.partial["text"] == "Hel"


async def test_buffered_answer_that_is_cut_or_empty() -> None:
    half = Script(b'{"choices": [{"message": {"content": "Hel', content_type="application/json")
    empty = Script(b"", content_type="application/json")
    for script in (half, empty):
        with StandIn(script_handler(script)) as server, pytest.raises(IncompleteAnswer) as caught:
            await LLMService().chat(config(server, **ONCE), messages())
        assert caught.value.partial is not None


async def test_answer_at_max_tokens_is_returned_as_incomplete() -> None:
    with StandIn(script_handler(chat_answer_script("Hel", finish="length"))) as server:
        completion = await collect(LLMService().stream(config(server), messages()))
        assert (completion["text"], completion["complete"], completion["finish_reason"]) == (
            "Hel",
            False,
            "length",
        )
        with pytest.raises(IncompleteAnswer):
            await collect(LLMService().stream(config(server, strict=True), messages()))


def test_list_supported_providers_has_every_built_in_name() -> None:
    assert set(VENDORS) <= set(LLMService().list_supported_providers())
