"""Bounds the peak memory of a command whose server sends JSON with far too many values.

tests/unit/transport/test_bounded_json.py holds what is refused.
"""

from typing import Any

import pytest

from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.binary import Easyllm, RunResult, single_profile_toml
from tests.support.dense_json import MIB, dense_answer
from tests.support.peak import run_with_peak_memory, usual_peak
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import compact
from tests.support.standins.server import Handler, StandIn

# Bytes at the peak, more than a short answer takes.
REFUSED, PASSES = 64_000_000, 164_000_000
OPENAI = HTTP_ADAPTERS[0]


def sending(body: bytes, status: int = 200, framed: bool = False) -> Handler:
    async def handler(request: Request, reply: Reply) -> None:
        kind = "text/event-stream" if framed else "application/json"
        await reply.head(status, None, kind, chunked=True)
        for start in range(0, len(body), MIB):
            await reply.write((b"data: " if framed and not start else b"") + body[start:][:MIB])
        await reply.write(b"\n\n" if framed else b"")
        await reply.end()

    return handler


def run_against(
    easyllm: Easyllm, handler: Handler, *args: str, on: Adapter = OPENAI
) -> tuple[RunResult, int]:
    """Return the result, and how much more memory it took than a short answer."""
    with StandIn(handler) as server:
        profiles = single_profile_toml(
            server, on.provider, max_retries=0, model=on.model, api=on.api
        )
        ran, peak = run_with_peak_memory(easyllm, *args, profiles=profiles, timeout=60)
    return ran, peak - usual_peak(on)


@pytest.mark.parametrize("unit", [b"{},", b'"ab",'], ids=["objects", "strings"])
def test_a_dense_frame_is_refused(easyllm: Easyllm, unit: bytes) -> None:
    ran, growth = run_against(
        easyllm, sending(dense_answer(unit, 8 * MIB), framed=True), "stream", "hi"
    )
    assert (ran.code, ran.stdout) == (7, b"")
    assert "too much memory" in ran.error_line
    assert growth < REFUSED


# The longest body in one case. A quarter of it would take 200 MB already, if it were parsed.
@pytest.mark.parametrize(
    ("args", "size"),
    [(("chat", "--no-stream", "hi"), 31 * MIB), (("chat", "hi"), 8 * MIB), (("models",), 8 * MIB)],
)
def test_a_dense_body_is_refused(easyllm: Easyllm, args: tuple[str, ...], size: int) -> None:
    ran, growth = run_against(easyllm, sending(dense_answer(b"{},", size)), *args)
    assert (ran.code, ran.stdout) == (7, b"")
    assert "too much memory" in ran.error_line
    assert growth < REFUSED


def test_a_dense_error_body_takes_little_memory(easyllm: Easyllm) -> None:
    body = b'{"error":[' + b"{}," * 340_000 + b"0]}"
    ran, growth = run_against(easyllm, sending(body, status=400), "chat", "hi")
    assert (ran.code, ran.stdout) == (4, b"")
    assert growth < REFUSED


def test_wide_characters_below_their_cap_pass(easyllm: Easyllm) -> None:
    body = b'{"choices":[{"message":{"content":"Hi"}}],"more":"' + b"x" * (7 * MIB)
    ran, growth = run_against(easyllm, sending(body + b'\\ud83d\\ude42"}'), "chat", "hi")
    assert (ran.code, ran.stdout) == (0, b"Hi\n")
    assert growth < PASSES


JUST = {"small-objects": b'{"a":0},', "numbers": b"999,", "strings": '"\u4e2d",'.encode()}
COSTS = {"small-objects": 192 + 42 + 60, "numbers": 60, "strings": 78}


@pytest.mark.parametrize("name", JUST)
def test_memory_of_the_largest_accepted_answer(easyllm: Easyllm, name: str) -> None:
    size = len(JUST[name]) * 113_000_000 // COSTS[name]
    ran, growth = run_against(easyllm, sending(dense_answer(JUST[name], size)), "chat", "hi")
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert growth < PASSES


def test_a_list_of_10000_models_passes(easyllm: Easyllm) -> None:
    row: dict[str, Any] = {
        "name": "A model", "context_length": 131072, "description": "Long words, of course. " * 20,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0.1", "completion": "0.2", "image": "0"}, "created": 1700000000,
        "supported_parameters": ["max_tokens", "temperature", "top_p", "stop", "seed"],
    }  # fmt: skip
    body = compact({"data": [{"id": f"v/m{number}", **row} for number in range(10_000)]})
    ran, growth = run_against(easyllm, sending(body), "models")
    assert (ran.code, ran.stdout.count(b"\n")) == (0, 10_000)
    assert growth < PASSES
