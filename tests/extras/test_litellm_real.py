"""litellm in front of real models: streamed and plain, reasoning apart, pictures seen."""

from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.images import Image
from easyllm_cli.messages import Message
from easyllm_cli.pipeline.collector import Collector, collect
from tests.extras.litellm_row import ITS_OWN_WARNINGS
from tests.support.asking import collect_events, get_completion, open_provider, profile
from tests.support.images import png
from tests.support.servers.fixtures import RealServer

pytestmark = ITS_OWN_WARNINGS
SLOW = 60.0  # seconds: litellm takes seconds to import, many on a busy machine
SHORT = {"grammar": r'root ::= [^<]{10,40} "\n</think>\n\n" [^<]{1,40}', "cache_prompt": False}


def asking(server: RealServer, **keys: Any) -> Profile:
    """A profile that reaches a real server by litellm."""
    return profile("litellm", f"{server.url}/v1", **{"model": f"openai/{server.model}", **keys})


async def test_real_answer_streamed_and_plain(smol: RealServer) -> None:
    steady = {"temperature": 0, "seed": 1, "max_tokens": 16, "options": {"cache_prompt": False}}
    came = await collect_events(asking(smol, **steady))
    gathered = Collector()
    for event in came:
        gathered.feed(event)
    streamed = gathered.completion()
    plain = await get_completion(asking(smol, **steady), stream=False)
    for key in ("text", "reasoning", "finish_reason", "complete"):
        assert streamed[key] == plain[key], key
    for done in (streamed, plain):
        assert done["text"].strip()
        assert done["usage"]["estimated"] is False
        assert 0 < (done["usage"]["completion_tokens"] or 0) <= 16


@pytest.mark.parametrize("fixture", ["thinker", "inline_thinker"])
@pytest.mark.parametrize("stream", [True, False])
async def test_real_reasoning_stays_apart(
    fixture: str, stream: bool, request: pytest.FixtureRequest
) -> None:
    server: RealServer = request.getfixturevalue(fixture)
    done = await get_completion(asking(server, max_tokens=100, options=SHORT), stream)
    assert (done["reasoning"] or "").strip()
    assert done["text"].strip()
    assert "think>" not in done["text"]


async def test_real_eyes_see(eyes: RealServer) -> None:
    picture = Image.of(png(32, 32, (255, 0, 0)))
    async with open_provider(asking(eyes, max_tokens=8)) as provider:
        chain = provider.stream([Message("user", ("Which colour?", picture))])
        done = await collect(chain)
    assert "red" in done["text"].lower()
