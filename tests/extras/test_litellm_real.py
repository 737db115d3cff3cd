"""litellm with real models: streamed and plain answers, separate reasoning, images."""

from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.images import Image
from easyllm_cli.messages import Message
from easyllm_cli.pipeline.collector import Collector, collect
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS
from tests.support.asking import collect_events, get_completion, open_provider, profile
from tests.support.images import png
from tests.support.servers.fixtures import RealServer

pytestmark = IGNORE_LITELLM_WARNINGS
SLOW = 60.0  # seconds; importing litellm takes several, and many on a busy machine
# A few words each, so that a reasoning model finishes soon.
GRAMMAR = (
    'root ::= "I think of" (" a snake" | " code") ".\\n</think>\\n\\n" ("Code" | "A snake") "."'
)
SHORT = {"grammar": GRAMMAR, "cache_prompt": False}


def litellm_profile(server: RealServer, **keys: Any) -> Profile:
    """Return a profile that reaches a real server through litellm."""
    return profile("litellm", f"{server.url}/v1", **{"model": f"openai/{server.model}", **keys})


async def test_real_answer_streamed_and_plain(smol: RealServer) -> None:
    steady = {"temperature": 0, "seed": 1, "max_tokens": 16, "options": {"cache_prompt": False}}
    events = await collect_events(litellm_profile(smol, **steady))
    collector = Collector()
    for event in events:
        collector.feed(event)
    streamed = collector.completion()
    plain = await get_completion(litellm_profile(smol, **steady), stream=False)
    for key in ("text", "reasoning", "finish_reason", "complete"):
        assert streamed[key] == plain[key], key
    for completion in (streamed, plain):
        assert completion["text"].strip()
        assert completion["usage"]["estimated"] is False
        assert 0 < (completion["usage"]["completion_tokens"] or 0) <= 16


@pytest.mark.parametrize(
    ("fixture", "stream"),
    [
        ("thinker", True),
        pytest.param("thinker", False, marks=pytest.mark.full),
        pytest.param("inline_thinker", True, marks=pytest.mark.full),
        pytest.param("inline_thinker", False, marks=pytest.mark.full),
    ],
)
async def test_real_reasoning_is_separate(
    fixture: str, stream: bool, request: pytest.FixtureRequest
) -> None:
    server: RealServer = request.getfixturevalue(fixture)
    completion = await get_completion(
        litellm_profile(server, max_tokens=100, options=SHORT), stream
    )
    assert (completion["reasoning"] or "").strip()
    assert completion["text"].strip()
    assert "think>" not in completion["text"]


async def test_a_real_vision_model_sees_an_image(eyes: RealServer) -> None:
    image = Image.of(png(32, 32, (255, 0, 0)))
    async with open_provider(litellm_profile(eyes, max_tokens=8)) as provider:
        stream = provider.stream([Message("user", ("Which colour?", image))])
        completion = await collect(stream)
    assert "red" in completion["text"].lower()
