"""The logger `easyllm_cli`: what it logs; without a logging configuration nothing is printed."""

import json
import logging
import subprocess
import sys

import pytest

from easyllm_cli import LLMService, OpenAIProvider
from tests.support import ROOT
from tests.support.asking import messages
from tests.support.binary import chat_answer_script
from tests.support.standins.script import Json, Script, script_handler
from tests.support.standins.server import StandIn

KEY = "sk-very-secret-key"
BUSY = Script(
    b'{"error": {"message": "over\\u001b[2Jloaded sk-very-secret-key"}}',
    status=503, content_type="application/json",
)  # fmt: skip


def config(server: StandIn) -> Json:
    return {
        "provider": "openai", "endpoint": f"{server.url}/v1", "model": "gpt-4o", "api_key": KEY,
        "headers": {"X-Token": KEY}, "initial_retry_delay": 0.01,
    }  # fmt: skip


async def test_requests_at_debug_and_retries_at_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "easyllm_cli")
    with StandIn(script_handler(BUSY, chat_answer_script("Hello"))) as server:
        _ = [text async for text in OpenAIProvider(config(server)).chat_stream(messages())]
        url = f"{server.url}/v1/chat/completions"
    records = [record for record in caplog.records if record.name.startswith("easyllm_cli.")]
    posted = ("DEBUG", f"POST {url}")
    lines = [(record.levelname, record.getMessage()) for record in records]
    assert lines[0] == lines[2] == posted
    assert lines[3] == ("DEBUG", f"HTTP 200 from {url}")
    level, line = lines[1]
    assert level == "WARNING"
    assert line.startswith("openai: ")
    assert "503" in line
    assert "try 2" in line
    assert KEY not in caplog.text
    assert "\x1b" not in line


async def test_fallback_is_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with (
        StandIn(script_handler(BUSY)) as busy,
        StandIn(script_handler(chat_answer_script("Hello"))) as good,
    ):
        first = config(busy) | {"max_retries": 0}
        events = LLMService().stream(first, messages(), fallbacks=[config(good)])
        _ = [event async for event in events]
    [record] = [entry for entry in caplog.records if entry.name == "easyllm_cli.pipeline.fallback"]
    assert record.levelname == "WARNING"
    assert "asking profile openai" in record.getMessage()
    assert "\x1b" not in record.getMessage()


SCRIPT = """
import asyncio, json, sys
from easyllm_cli import LLMService

async def main():
    stream = LLMService().chat_stream(json.loads(sys.argv[1]), [{"role": "user", "content": "x"}])
    print("".join([text async for text in stream]))

asyncio.run(main())
"""


def test_nothing_is_printed_unless_logging_is_configured() -> None:
    with StandIn(script_handler(BUSY, chat_answer_script("Hello"))) as server:
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, json.dumps(config(server))],
            cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert len(server.requests) == 2
    assert (ran.stdout, ran.stderr, ran.returncode) == ("Hello\n", "", 0)
