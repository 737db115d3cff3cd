"""Runs the spec's samples that need an extra: LiteLLM and the database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from easyllm_cli import LiteLLMProvider, LLMService
from tests.docs.test_spec import DOCUMENT, ELSEWHERE
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS
from tests.extras.rows import create_database, row
from tests.support.samples import execute_sample, parse_samples
from tests.support.servers.fixtures import RealServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import StandIn

SAMPLES = parse_samples(DOCUMENT)
MESSAGES = [{"role": "user", "content": "What is Python?"}]
done: set[str] = set()


@pytest.fixture
def session(tmp_path: Path, smol: RealServer) -> Iterator[Session]:
    """Yield a session of the host's database, with a row for the real model."""
    engine = create_database(
        tmp_path / "models.db",
        row(f"{smol.url}/v1", provider_id="llamacpp", model_name=smol.model, max_tokens=8),
    )
    with Session(engine) as session:
        yield session
    engine.dispose()


async def test_the_database_sample(session: Session) -> None:
    done.add("Database Configuration")
    names: dict[str, Any] = {"session": session, "messages": MESSAGES, "LLMService": LLMService}
    await execute_sample(SAMPLES["Database Configuration"], names)
    assert names["response"]["text"]
    assert names["response"]["usage"]["completion_tokens"] == 8


@IGNORE_LITELLM_WARNINGS
async def test_the_litellm_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in answers, because litellm no longer knows claude-2."""
    done.add("LiteLLM")
    names: dict[str, Any] = {}
    await execute_sample(SAMPLES["LiteLLM"], names)
    with StandIn(OpenAIServer(models=("claude-2",)).handle) as server:
        config = {**names["config"], "endpoint": f"{server.url}/v1"}
        answers = [await LLMService().chat(config, MESSAGES)]
        provider = LiteLLMProvider(config)
        answers.append(await provider.chat(MESSAGES))
        await provider.aclose()
    assert [answer["text"] for answer in answers] == ["Hello from claude-2: What is Python?"] * 2
    assert [request.headers["authorization"] for request in server.requests] == [
        "Bearer your-key"
    ] * 2
    assert all(request.json["max_tokens"] == 8192 for request in server.requests)


def test_every_sample_is_accounted_for() -> None:
    assert done == ELSEWHERE
