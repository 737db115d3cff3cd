"""The samples of docs/library.md and examples/ run unchanged against test servers."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from easyllm_cli.config.settings import TRUSTED_ONLY_SETTINGS
from tests.support import ROOT
from tests.support.images import png
from tests.support.samples import execute_sample, parse_samples
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.server import StandIn

DOCUMENT = (ROOT / "docs" / "library.md").read_text("utf-8")
EXAMPLE = ROOT / "examples" / "llm_usage_example.py"
SAMPLES = parse_samples(DOCUMENT)
THOUGHT = "Let me think."


@pytest.fixture(name="servers")
def every_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, StandIn]]:
    """A stand-in for each built-in provider, set by environment variables, and a key for each."""
    stand_ins = {
        "OPENAI_BASE_URL": (OpenAIServer(reasoning=THOUGHT), "/v1"),
        "OLLAMA_HOST": (OllamaServer(), ""),
        "OPENROUTER_BASE_URL": (OpenRouterServer(reasoning=THOUGHT), "/api/v1"),
        "GOOGLE_GEMINI_BASE_URL": (GeminiServer(thoughts=THOUGHT), "/v1beta"),
    }
    with ExitStack() as stack:
        started: dict[str, StandIn] = {}
        for variable, (stand_in, path) in stand_ins.items():
            server: Any = stand_in
            started[variable] = stack.enter_context(StandIn(server.handle))
            monkeypatch.setenv(variable, started[variable].url + path)
        for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY"):
            monkeypatch.setenv(name, "test-key")
        yield started


@pytest.mark.parametrize(
    ("page", "beginning"),
    [("docs/library.md", "Many applications"), ("SECURITY.md", "**A config dict of the library")],
)
def test_every_setting_that_an_untrusted_dict_may_not_use_is_named(
    page: str, beginning: str
) -> None:
    text = (ROOT / page).read_text("utf-8")
    paragraph = text[text.index(beginning) :].partition("\n\n")[0]
    assert {*TRUSTED_ONLY_SETTINGS} <= {*re.findall(r"`(\w+)`", paragraph)}


class Framework(ModuleType):
    """The part of FastAPI that the page's sample uses; only easyllm's part is tested."""

    class FastAPI:
        def post(self, path: str) -> Callable[[Any], Any]:
            return lambda handler: handler

    class HTTPException(Exception):
        pass

    class StreamingResponse:
        def __init__(self, body: Any, media_type: str) -> None:
            self.body = body


async def test_samples_of_the_library_page(
    servers: dict[str, StandIn],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They run in order and share their names, as a reader types them."""
    monkeypatch.chdir(home)
    for name in ("fastapi", "fastapi.responses"):
        monkeypatch.setitem(sys.modules, name, Framework(name))
    Path("picture.png").write_bytes(png(8, 8, (255, 0, 0)))
    names: dict[str, Any] = {}
    for name, sample in SAMPLES.items():
        assert sample.language == "python", name
        await execute_sample(sample, names)
    out = capsys.readouterr().out
    answer = "Hello from gpt-4o: What is Python?"
    assert out.count(answer) >= 5
    assert f"{answer}\n---\n{THOUGHT}\n" in out
    assert "{'answer': '4', 'cot': '2 + 2'}" in out
    assert "0.7\n['llama3.2:latest'" in out
    assert names["answers"] == [answer, "Hello from gpt-4o: What is Ada?"]
    pictures = [
        request for request in servers["OPENAI_BASE_URL"].requests if b"image_url" in request.body
    ]
    assert len(pictures) == 1
    response = await names["ask"]("What is Python?")
    assert "".join([text async for text in response.body]) == answer
    names["config"] = {"provider": "llamacpp", "endpoint": "http://127.0.0.1:9/v1", "model": "m"}
    with pytest.raises(Framework.HTTPException) as caught:
        await names["ask"]("What is Python?")
    assert caught.value.args[0] == 504


def test_example_program(servers: dict[str, StandIn]) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE],
        env=dict(os.environ), cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.stderr == ""
    assert ran.returncode == 0
    lines = ran.stdout.splitlines()
    for name, model in (
        ("openai", "gpt-4o"),
        ("ollama", "llama3.2"),
        ("openrouter", "vendor/thinker"),
        ("gemini", "gemini-2.5-flash"),
    ):
        [line] = [answer for answer in lines if answer.startswith(f"{name}: ")]
        assert f"Hello from {model}: What is Python? (" in line
    assert f"[{THOUGHT[:4]}]" in ran.stdout
    assert "Hello from gpt-4o: What do you see in this image?" in lines
    assert f"Reasoning: {THOUGHT}" in lines
    assert "{'answer': '4', 'cot': '2 + 2'}" in lines
    assert "0.2 8192 0.9" in lines
    assert any(error.startswith("network: nothing listens at 127.0.0.1:9") for error in lines)
    assert "answered by the fallback openai: Hello from gpt-4o: What is Python?" in lines
    assert all(len(server.requests) > 0 for server in servers.values())
