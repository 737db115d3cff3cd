"""Every code sample of the spec runs unchanged, except for the package name in its imports."""

import ast
import base64
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from easyllm_cli import (
    CohereProvider,
    GeminiProvider,
    LLMService,
    OllamaProvider,
    OpenAIProvider,
    OpenRouterProvider,
)
from easyllm_cli.config.profile import Profile
from tests.support.images import png
from tests.support.samples import execute_sample, parse_samples
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Script, compact, script_handler, usage
from tests.support.standins.server import StandIn

DOCUMENT = Path(__file__).with_name("spec").joinpath("llm-integration-layer.md").read_text("utf-8")
SAMPLES = parse_samples(DOCUMENT)
# Run in tests/extras, which has the packages that they need.
ELSEWHERE = {"LiteLLM", "Database Configuration"}
THOUGHT = "Python is a language, or a snake."
ANSWER = "Hello from gpt-4: What is Python?"
PLAIN = {
    "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": usage(3, 1),
}
BUSY = Script(b'{"error": {"message": "overloaded"}}', status=503, content_type="application/json")
OK = Script(compact(PLAIN), content_type="application/json")
Names = dict[str, Any]
done: set[str] = set()


def sample(name: str) -> Callable[[Any], Any]:
    """Mark which sample a test runs."""
    done.add(name)
    return lambda test: test


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The server that the provider `openai` uses during a test."""
    with StandIn(OpenAIServer(models=("gpt-4",), reasoning=THOUGHT).handle) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        yield server


@pytest_asyncio.fixture
async def names(openai: StandIn) -> AsyncIterator[Names]:
    """The names that the first sample defines: service, config, messages, response."""
    defined: Names = {"logger": logging.getLogger("sample")}
    await execute_sample(SAMPLES["Basic Usage"], defined)
    openai.requests.clear()
    yield defined


@sample("Basic Usage")
async def test_basic_usage(openai: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    await execute_sample(SAMPLES["Basic Usage"], {})
    assert capsys.readouterr().out == ANSWER + "\n"
    [request] = openai.requests
    assert request.headers["authorization"] == "Bearer your-api-key"
    assert request.json["model"] == "gpt-4"
    assert request.json["max_tokens"] == 1000
    assert request.json["stream"] is False


@sample("Streaming Responses")
async def test_streaming(names: Names, openai: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    await execute_sample(SAMPLES["Streaming Responses"], names)
    assert capsys.readouterr().out == ANSWER
    assert openai.requests[0].json["stream"] is True


@sample("Vision/Multimodal Input")
async def test_vision(names: Names, openai: StandIn) -> None:
    picture = base64.b64encode(png(2, 2, (255, 0, 0))).decode()
    await execute_sample(
        SAMPLES["Vision/Multimodal Input"], names, ("base64,...", f"base64,{picture}")
    )
    assert names["response"]["text"] == "Hello from gpt-4: What do you see in this image?"
    parts = openai.requests[0].json["messages"][0]["content"]
    # The sample says image/jpeg, but the type of the bytes is used.
    assert parts[1]["image_url"]["url"] == f"data:image/png;base64,{picture}"


@sample("OpenAI")
async def test_openai(names: Names, openai: StandIn) -> None:
    await execute_sample(SAMPLES["OpenAI"], names)
    response = await names["service"].chat(names["config"], names["messages"])
    assert response["text"] == ANSWER
    assert openai.requests[0].headers["authorization"] == "Bearer sk-..."


@sample("Ollama (Local)")
async def test_ollama(names: Names) -> None:
    await execute_sample(SAMPLES["Ollama (Local)"], names)
    assert OllamaProvider(names["config"]).endpoint.url == "http://localhost:11434"
    # Another server may listen there on this machine, so the test uses its own.
    with StandIn(OllamaServer(models={"llama2": ("completion",)}).handle) as server:
        config = names["config"] | {"endpoint": server.url}
        response = await names["service"].chat(config, names["messages"])
    assert response["text"] == "Hello from llama2: What is Python?"


@sample("OpenRouter")
async def test_openrouter(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(script_handler(OK)) as server:
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"{server.url}/api/v1")
        await execute_sample(SAMPLES["OpenRouter"], names)
        response = await names["service"].chat(names["config"], names["messages"])
        assert server.requests[0].headers["authorization"] == "Bearer sk-or-..."
        assert server.requests[0].json["model"] == "anthropic/claude-2"
    assert response["text"] == "Hello"


@sample("Gemini")
async def test_gemini(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = GeminiServer(key="your-google-api-key", models={"gemini-pro": None})
    with StandIn(stand_in.handle) as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"{server.url}/v1beta")
        await execute_sample(SAMPLES["Gemini"], names)
        response = await names["service"].chat(names["config"], names["messages"])
    assert response["text"] == "Hello from gemini-pro: What is Python?"


@sample("Direct Provider Usage")
async def test_direct_provider(names: Names, openai: StandIn) -> None:
    await execute_sample(SAMPLES["Direct Provider Usage"], names)
    assert names["response"]["text"] == ANSWER
    # As with the service, the spec's defaults are sent for keys that the dict leaves out.
    sent = {key: openai.requests[0].json[key] for key in ("temperature", "max_tokens", "top_p")}
    assert sent == {"temperature": 0.7, "max_tokens": 8192, "top_p": 0.9}


@sample("Chain-of-Thought Extraction")
async def test_chain_of_thought(names: Names, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    await execute_sample(SAMPLES["Chain-of-Thought Extraction"], names)
    assert capsys.readouterr().out == f"Answer: {ANSWER}\nReasoning: {THOUGHT}\n"


@sample("Response Format")
def test_response_format(names: Names) -> None:
    wanted = ast.literal_eval(SAMPLES["Response Format"].code.replace("{...}", "{}"))
    response = names["response"]
    assert set(wanted) <= set(response)
    assert set(wanted["usage"]) <= set(response["usage"])
    for table, shape in ((response, wanted), (response["usage"], wanted["usage"])):
        for key, value in shape.items():
            assert isinstance(table[key], type(value)), key
    assert response["response"]["object"] == "chat.completion"  # the provider's body as parsed


@sample("Error Handling")
async def test_error_handling(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(script_handler(BUSY, OK)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        await execute_sample(SAMPLES["Error Handling"], names)
        assert len(server.requests) == 2
    assert names["response"]["text"] == "Hello"


@sample("Best Practices")
async def test_clear_cache(names: Names, openai: StandIn) -> None:
    await execute_sample(SAMPLES["Best Practices"], names)
    await names["service"].chat(names["config"], names["messages"])
    assert len(openai.requests) == 1


@sample("Best Practices 2")
async def test_handle_errors(
    names: Names, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await execute_sample(SAMPLES["Best Practices 2"], names)
    assert names["response"]["text"] == ANSWER
    assert not caplog.records
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    await execute_sample(SAMPLES["Best Practices 2"], names)
    [record] = caplog.records
    assert record.getMessage().startswith("LLM call failed: nothing listens at 127.0.0.1:9")


@sample("Best Practices 3")
async def test_use_streaming(names: Names, openai: StandIn) -> None:
    await execute_sample(SAMPLES["Best Practices 3"], names)
    assert names["chunk"]
    assert openai.requests[0].json["stream"] is True


def test_every_sample_is_accounted_for() -> None:
    python = {name for name, block in SAMPLES.items() if block.language == "python"}
    assert done | ELSEWHERE == python
    assert not done & ELSEWHERE
    # The others: a diagram, and two lists of packages to install.
    assert {block.language for name, block in SAMPLES.items() if name not in python} == {"", "bash"}


DEFAULTS = dict(re.findall(r"^- `(\w+)` .*\(default: ([\d.]+)\)$", DOCUMENT, re.MULTILINE))


def test_defaults_are_readable_on_every_provider() -> None:
    assert set(DEFAULTS) == {
        "temperature", "max_tokens", "top_p", "max_retries", "initial_retry_delay",
        "max_retry_delay", "retry_multiplier",
    }  # fmt: skip
    for kind in (
        OpenAIProvider, OllamaProvider, OpenRouterProvider, GeminiProvider, CohereProvider,
    ):  # fmt: skip
        provider = kind({"model": "m"})
        for key, value in DEFAULTS.items():
            where = provider if hasattr(provider, key) else provider.profile
            assert getattr(where, key) == float(value), (kind, key)


def test_common_parameters_are_keys_of_a_config() -> None:
    listed = DOCUMENT.partition("### Common Parameters")[2].partition("## Response Format")[0]
    named = set(re.findall(r"^- `(\w+)` \(", listed, re.MULTILINE))
    assert named == {"provider", "endpoint", "api_key", "model", "top_k", *DEFAULTS}
    assert named <= set(vars(Profile()))


def test_providers_of_the_spec_exist() -> None:
    named = {name.lower() for name in re.findall(r"^### \d\. (?:Google )?(\w+)$", DOCUMENT, re.M)}
    assert named == {"openai", "ollama", "openrouter", "litellm", "gemini"}
    assert named - {"litellm"} <= set(LLMService().list_supported_providers())
