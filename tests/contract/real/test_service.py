"""LLMService with real models: a config as a dict, reasoning, images, Ollama's default model."""

import asyncio

import pytest

from easyllm_cli import LLMService, collect
from tests.support.asking import messages
from tests.support.images import png
from tests.support.servers.fixtures import RealServer
from tests.support.standins.script import Json

# A few words each, so that a reasoning model finishes soon.
GRAMMAR = 'root ::= "I think of" (" a sum" | " numbers") ".\\n</think>\\n\\n" ("Four" | "4") "."'
THINKING_SHORT = {"grammar": GRAMMAR, "cache_prompt": False}
# A token limit, because small models often do not stop.
SHORT: Json = {"max_tokens": 8, "seed": 1, "options": {"cache_prompt": False}}


def make_config(server: RealServer, **keys: object) -> Json:
    url = f"{server.url}/v1"
    return {"provider": "openai", "endpoint": url, "model": server.model, **SHORT, **keys}


async def test_a_dict_as_config(smol: RealServer) -> None:
    async with LLMService() as service:
        config = make_config(smol)
        done = await service.chat(config, messages("Say hello."))
        assert done["text"]
        assert 0 < (done["usage"]["completion_tokens"] or 0) <= 8
        assert done["response"]["choices"][0]["message"]["content"].strip() == done["text"].strip()
        deltas = [text async for text in service.chat_stream(config, messages("Say hello."))]
        assert len(deltas) > 1
        answers = await asyncio.gather(
            *(service.get_response(config, f"Say {n}.") for n in range(2))
        )
        assert all(answers)


@pytest.mark.parametrize(
    "kind", ["thinker", pytest.param("inline_thinker", marks=pytest.mark.full)]
)
async def test_reasoning_is_separate_from_the_answer(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: RealServer = request.getfixturevalue(kind)
    async with LLMService() as service:
        config = make_config(server, max_tokens=300, temperature=0, options=THINKING_SHORT)
        result = await service.get_response_with_cot(config, "What is 2 + 2?")
        assert result["answer"]
        assert result["cot"]
        assert "think>" not in result["answer"] + result["cot"]
        streamed = await collect(service.stream(config, messages("What is 2 + 2?")))
        assert streamed["reasoning"]


async def test_an_image_is_seen(eyes: RealServer) -> None:
    """Without the image the model says red."""
    blue = png(32, 32, (0, 0, 255))
    async with LLMService() as service:
        config = make_config(eyes, temperature=0)
        done = await service.vision_chat(config, "Which colour is this?", blue, "image/png")
        assert "blue" in done["text"].lower()


async def test_ollama_without_a_model(ollama: RealServer) -> None:
    async with LLMService() as service:
        config = {"provider": "ollama", "endpoint": ollama.url, "max_tokens": 8}
        done = await service.chat(config, messages("Say hello."))
    assert done["model"] == ollama.model
    assert done["text"]
