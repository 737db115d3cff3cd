"""LLMService's methods: what they send, what they give, and how they fail."""

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
from easyllm_cli.config.profile import DEFAULT_SAMPLING
from easyllm_cli.vendors import VENDORS
from tests.support.asking import messages
from tests.support.binary import chat_answer_script
from tests.support.pictures import png
from tests.support.standins.openai import OpenAIServer, refuse
from tests.support.standins.script import Cut, Json, Script, chunk, script_handler
from tests.support.standins.server import Reply, Request, StandIn


def config(server: StandIn, **keys: Any) -> Json:
    usual = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "gpt-4o"}
    return {**usual, "initial_retry_delay": 0.01, **keys}


def sent(server: StandIn) -> Json:
    """Which of the spec's defaults the last request carries."""
    return {
        key: value for key, value in server.requests[-1].json.items() if key in DEFAULT_SAMPLING
    }


async def test_a_dict_sends_the_specs_defaults_and_a_profile_does_not() -> None:
    with StandIn(OpenAIServer().handle) as server:
        asked = config(server)
        async with LLMService() as service:
            await service.chat(asked, messages())
            assert sent(server) == DEFAULT_SAMPLING
            await service.chat(asked | {"temperature": 0.1}, messages())
            assert sent(server) == DEFAULT_SAMPLING | {"temperature": 0.1}
            await service.chat(asked | {"send_defaults": False}, messages())
            assert sent(server) == {}
            await service.chat(Profile.of(asked), messages())
            assert sent(server) == {}
        for door, wanted in ((asked, DEFAULT_SAMPLING), (Profile.of(asked), {})):
            provider = OpenAIProvider(door)
            await provider.chat(messages())
            assert sent(server) == wanted


class RefusesDefaults(OpenAIServer):
    """Answers 422 to any of the spec's defaults."""

    async def _complete(self, request: Request, reply: Reply) -> None:
        if DEFAULT_SAMPLING.keys() & request.json.keys():
            raise refuse(422, "Extra inputs are not permitted", code=None)
        await super()._complete(request, reply)


async def test_defaults_that_are_refused_are_left_out_and_that_is_remembered() -> None:
    with StandIn(RefusesDefaults().handle) as server:
        async with LLMService() as service:
            first = await service.chat(config(server), messages("one"))
            second = await service.chat(config(server), messages("two"))
        assert [len(DEFAULT_SAMPLING.keys() & one.json.keys()) for one in server.requests] == [
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
    assert {**whole, "response": None} == {**streamed, "response": None}


async def test_messages_of_our_own_and_plain_dicts_go_together() -> None:
    with StandIn(OpenAIServer().handle) as server:
        talk: list[Message | Json] = [
            {"role": "system", "content": "Be brief."},
            Message("user", ("hi",)),
        ]
        await LLMService().chat(config(server), talk)
        sent_roles = [one["role"] for one in server.requests[0].json["messages"]]
    assert sent_roles == ["system", "user"]


async def test_a_configs_system_prompt_goes_before_the_messages() -> None:
    with StandIn(OpenAIServer().handle) as server:
        asked = config(server, system="Be brief.")
        await LLMService().chat(asked, messages("hi"))
        wanted = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ]
        assert server.requests[0].json["messages"] == wanted
        await LLMService().chat(asked, [{"role": "system", "content": "Sing."}, *messages()])
        assert server.requests[1].json["messages"][0]["content"] == "Sing."


async def test_get_response_takes_a_question_or_messages() -> None:
    with StandIn(OpenAIServer(reasoning="Hm.").handle) as server:
        service, asked = LLMService(), config(server)
        assert await service.get_response(asked, "hi") == "Hello from gpt-4o: hi"
        assert await service.get_response(asked, messages("ho")) == "Hello from gpt-4o: ho"
        both = await service.get_response_with_cot(asked, "hi")
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
ODD = {1, 2}  # no JSON; the same text in every process
WRONG_CONFIGS: list[Any] = [
    None, "openai", ["openai"], {}, {"provider": "opnai"}, {"provider": 4}, {"model": "gpt-4o"},
    {"provider": "openai", "temperature": "hot"}, {"provider": "openai", "endpoint": "nowhere"},
    {"provider": "openai", "model": "m", "odd": ODD},
    Profile(provider="openai", model="m", options={"odd": ODD}),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_MESSAGES, ids=repr)
async def test_wrong_messages_are_named(wrong: Any) -> None:
    with StandIn(OpenAIServer().handle) as server:
        with pytest.raises(UsageError):
            await LLMService().chat(config(server), wrong)
        with pytest.raises(UsageError):
            [text async for text in LLMService().chat_stream(config(server), wrong)]
        assert server.requests == []


@pytest.mark.parametrize("wrong", WRONG_CONFIGS, ids=repr)
async def test_wrong_configs_are_named(wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        await LLMService().chat(wrong, messages())
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError):
        await LLMService().get_response(wrong, "hi")


@pytest.mark.parametrize("wrong", [None, 4, "nowhere.png", b"text", ["a.png"]])
async def test_what_is_no_picture_is_named(wrong: Any) -> None:
    with StandIn(OpenAIServer().handle) as server:
        with pytest.raises(UsageError):
            await LLMService().vision_chat(config(server), "What is this?", wrong)
        with pytest.raises(UsageError):
            await OpenAIProvider(config(server)).vision_chat("What is this?", wrong)
        assert server.requests == []


async def test_a_picture_needs_a_question_in_words() -> None:
    no_text: Any = 4
    with pytest.raises(UsageError):
        await LLMService().vision_chat({"provider": "openai"}, no_text, png(1, 1, (0, 0, 0)))


CUT = Script(chunk("Hel"), Cut())
ONCE = {"max_retries": 0}


@pytest.mark.parametrize("script", [CUT, Script(chunk("Hel"))])
async def test_a_cut_stream_is_never_taken_for_an_answer(script: Script) -> None:
    """In both forms, and what had come is in the error."""
    texts: list[str] = []

    async def listen(service: LLMService, asked: Json) -> None:
        async for text in service.chat_stream(asked, messages()):
            texts.append(text)

    with StandIn(script_handler(script)) as server:
        service, asked = LLMService(), config(server, **ONCE)
        with pytest.raises(IncompleteAnswer) as streamed:
            await collect(service.stream(asked, messages()))
        with pytest.raises(IncompleteAnswer) as texted:
            await listen(service, asked)
    assert texts == ["Hel"]
    for caught in (streamed, texted):
        assert caught.value.partial is not None
        assert caught.value.partial["text"] == "Hel"


async def test_a_plain_answer_that_is_cut_or_empty() -> None:
    half = Script(b'{"choices": [{"message": {"content": "Hel', content_type="application/json")
    empty = Script(b"", content_type="application/json")
    for script in (half, empty):
        with StandIn(script_handler(script)) as server, pytest.raises(IncompleteAnswer) as caught:
            await LLMService().chat(config(server, **ONCE), messages())
        assert caught.value.partial is not None


async def test_an_answer_at_its_limit_returns_and_says_so() -> None:
    with StandIn(script_handler(chat_answer_script("Hel", finish="length"))) as server:
        came = await collect(LLMService().stream(config(server), messages()))
        assert (came["text"], came["complete"], came["finish_reason"]) == ("Hel", False, "length")
        with pytest.raises(IncompleteAnswer):
            await collect(LLMService().stream(config(server, strict=True), messages()))


def test_list_supported_providers_has_every_built_in_name() -> None:
    assert set(VENDORS) <= set(LLMService().list_supported_providers())
