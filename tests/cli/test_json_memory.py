"""Tests that JSON with too much structure for an answer is refused before it is parsed.

Parsing it would take far more memory than its bytes: each test bounds the peak.
"""

from typing import Any

import pytest

from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.binary import Easyllm, RunResult, single_profile_toml
from tests.support.peak import run_with_peak_memory
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import compact
from tests.support.standins.server import Handler, StandIn

MIB = 1 << 20
REFUSED, PASSES = 100_000_000, 200_000_000  # bytes at the peak
OPENAI = HTTP_ADAPTERS[0]
GOOD = b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}],"filler":'


def dense_answer(unit: bytes, size: int) -> bytes:
    """A valid answer of about `size` bytes with an array that repeats `unit`."""
    return GOOD + b"[" + unit * ((size - 200) // len(unit)) + b"0]}"


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
    with StandIn(handler) as server:
        profiles = single_profile_toml(
            server, on.provider, max_retries=0, model=on.model, api=on.api
        )
        return run_with_peak_memory(easyllm, *args, profiles=profiles, timeout=60)


DENSE = {
    "objects": b"{},", "small-objects": b'{"a":0},', "arrays": b"[],", "numbers": b"999,",
    "strings": b'"ab",', "deep": b"[[[[[0]]]]],",
}  # fmt: skip


@pytest.mark.parametrize("name", DENSE)
def test_a_dense_frame_is_refused(easyllm: Easyllm, name: str) -> None:
    ran, peak = run_against(
        easyllm, sending(dense_answer(DENSE[name], 8 * MIB), framed=True), "stream", "hi"
    )
    assert (ran.code, ran.stdout) == (7, b"")
    assert "too much memory" in ran.error_line
    assert peak < REFUSED


def test_different_keys_are_refused(easyllm: Easyllm) -> None:
    keys = b",".join(b'"k%d":0' % number for number in range(700_000))
    ran, peak = run_against(
        easyllm, sending(GOOD + b"{" + keys + b"}}", framed=True), "stream", "hi"
    )
    assert (ran.code, ran.stdout) == (7, b"")
    assert peak < REFUSED


@pytest.mark.parametrize("args", [("chat", "--no-stream", "hi"), ("chat", "hi"), ("models",)])
def test_a_dense_body_is_refused(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    ran, peak = run_against(easyllm, sending(dense_answer(b"{},", 31 * MIB)), *args)
    assert (ran.code, ran.stdout) == (7, b"")
    assert "too much memory" in ran.error_line
    assert peak < REFUSED


def test_a_dense_error_body_takes_little_memory(easyllm: Easyllm) -> None:
    body = b'{"error":[' + b"{}," * 340_000 + b"0]}"
    ran, peak = run_against(easyllm, sending(body, status=400), "chat", "hi")
    assert (ran.code, ran.stdout) == (4, b"")
    assert peak < REFUSED


@pytest.mark.parametrize("letter", ["\U0001f642".encode(), b"\\ud83d\\ude42"])
def test_wide_characters_have_a_lower_cap(easyllm: Easyllm, letter: bytes) -> None:
    body = b'{"choices":[{"message":{"content":"Hi"}}],"more":"' + b"x" * (9 * MIB) + letter + b'"}'
    ran, peak = run_against(easyllm, sending(body), "chat", "hi")
    assert (ran.code, ran.stdout) == (7, b"")
    assert "8 MiB" in ran.error_line
    assert peak < REFUSED
    ran, peak = run_against(easyllm, sending(body.replace(b"x" * 2 * MIB, b"")), "chat", "hi")
    assert (ran.code, ran.stdout) == (0, b"Hi\n")
    assert peak < PASSES


JUST = {"small-objects": b'{"a":0},', "numbers": b"999,", "strings": '"\u4e2d",'.encode()}
COSTS = {"small-objects": 192 + 42 + 60, "numbers": 60, "strings": 78}


@pytest.mark.parametrize("name", JUST)
def test_memory_of_the_largest_accepted_answer(easyllm: Easyllm, name: str) -> None:
    size = len(JUST[name]) * 113_000_000 // COSTS[name]
    ran, peak = run_against(easyllm, sending(dense_answer(JUST[name], size)), "chat", "hi")
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert peak < PASSES


def probability(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": -0.1234567, "bytes": [32, 119, 111, 114]}


def test_log_probabilities_of_8000_tokens_pass(easyllm: Easyllm) -> None:
    each = [probability(f" w{number}") for number in range(20)]
    tokens = [{**probability(" word"), "top_logprobs": each}] * 8000
    choice = {"message": {"content": "Hello"}, "logprobs": {"content": tokens}}
    body = compact({"choices": [{**choice, "finish_reason": "stop"}]})
    ran, peak = run_against(easyllm, sending(body), "chat", "hi")
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert peak < PASSES


def test_a_list_of_10000_models_passes(easyllm: Easyllm) -> None:
    row: dict[str, Any] = {
        "name": "A model", "context_length": 131072, "description": "Long words, of course. " * 20,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0.1", "completion": "0.2", "image": "0"}, "created": 1700000000,
        "supported_parameters": ["max_tokens", "temperature", "top_p", "stop", "seed"],
    }  # fmt: skip
    body = compact({"data": [{"id": f"v/m{number}", **row} for number in range(10_000)]})
    ran, peak = run_against(easyllm, sending(body), "models")
    assert (ran.code, ran.stdout.count(b"\n")) == (0, 10_000)
    assert peak < PASSES
