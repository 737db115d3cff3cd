"""Tests end markers and finish reasons that are repeated, early or not followed by a close."""

import time
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    profile_toml,
    single_profile_toml,
)
from tests.support.standins.script import (
    DONE,
    Json,
    Reset,
    Script,
    Step,
    Wait,
    chunk,
    compact,
    ndjson,
    script_handler,
    sse,
    usage_chunk,
)
from tests.support.standins.server import Request, StandIn

OPEN = Wait(25)
QUICK = 15.0  # seconds: well before an open connection would have closed


def run_scripts(
    easyllm: Easyllm, *scripts: Script, args: tuple[str, ...] = ("chat",), **keys: Any
) -> tuple[RunResult, list[Request], float]:
    """One run: its result, its requests and its seconds."""
    with StandIn(script_handler(*scripts)) as server:
        profiles = single_profile_toml(server, **keys)
        began = time.monotonic()
        ran = easyllm.run(*args, "hi", profiles=profiles)
        return ran, list(server.requests), time.monotonic() - began


def gemini(text: str = "", finish: str | None = None, **more: object) -> bytes:
    """One frame of a Gemini stream."""
    if not text:
        return sse(more)
    parts: Json = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    return sse({"candidates": [parts | ({"finishReason": finish} if finish else {})]} | more)


def rejecting(parameter: str) -> Script:
    error = {
        "message": f"Unsupported parameter: '{parameter}' is not supported with this model.",
        "type": "invalid_request_error",
        "param": parameter,
        "code": "unsupported_parameter",
    }
    return Script(compact({"error": error}), status=400, content_type="application/json")


def test_stop_after_length_stays_incomplete(easyllm: Easyllm) -> None:
    script = Script(chunk("Hello"), chunk(finish="length"), chunk(finish="stop"), DONE)
    ran, _, _ = run_scripts(easyllm, script)
    assert (ran.code, ran.stdout) == (7, b"")
    assert "limit" in ran.error_line


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_gemini_with_stop_in_every_frame(easyllm: Easyllm, command: str) -> None:
    script = Script(*[gemini(text, "STOP") for text in ("one ", "two ", "three")])
    ran, _, _ = run_scripts(easyllm, script, args=(command,), provider="gemini", api_key="test-key")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"one two three\n", "")


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_text_after_a_finish_reason_joins_the_answer(easyllm: Easyllm, command: str) -> None:
    script = Script(chunk("Hello"), chunk(finish="stop"), chunk(" you"), chunk("!"), DONE)
    ran, _, _ = run_scripts(easyllm, script, args=(command, "-q", "--strict"))
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"Hello you!\n", "")


def test_text_after_done_is_left_out(easyllm: Easyllm) -> None:
    script = Script(chunk("Hello"), chunk(finish="stop"), DONE, chunk("more"), chunk("most"), DONE)
    ran, _, _ = run_scripts(easyllm, script)
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert "left out" in ran.error_line, "one line"


def test_a_pause_after_a_finish_reason_with_text(easyllm: Easyllm) -> None:
    """The server sends a finish reason in every chunk and pauses between chunks."""
    steps = (chunk("Hel", finish="stop"), Wait(2.5), chunk("lo", finish="stop"), DONE)
    ran, _, _ = run_scripts(easyllm, Script(*steps))
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr


def test_no_close_after_a_finish_reason_with_text(easyllm: Easyllm) -> None:
    """The only finish reason came with the last text: nothing follows, so it is the end."""
    ran, requests, took = run_scripts(
        easyllm, Script(chunk("Hello", finish="stop"), OPEN), timeout={"idle": 1}
    )
    assert (ran.code, ran.stdout, len(requests)) == (0, b"Hello\n", 1), ran.stderr
    assert took < QUICK


def test_no_close_after_false_finish_reasons(easyllm: Easyllm) -> None:
    steps = (chunk("Hel", finish="stop"), chunk("lo", finish="stop"), OPEN)
    ran, _, took = run_scripts(easyllm, Script(*steps), args=("stream",), timeout={"idle": 1})
    assert (ran.code, ran.stdout) == (7, b"Hello\n"), ran.stderr
    assert took < QUICK


def test_no_close_after_the_usage(easyllm: Easyllm) -> None:
    """A usage chunk without choices is the end, even if every chunk has a finish reason."""
    steps = (chunk("Hel", finish="stop"), chunk("lo", finish="stop"), usage_chunk(1, 2), OPEN)
    ran, _, took = run_scripts(easyllm, Script(*steps))
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert took < QUICK


def test_a_rejected_limit_does_not_count_as_set(easyllm: Easyllm) -> None:
    scripts = (rejecting("max_tokens"), rejecting("max_completion_tokens"))
    script = chat_answer_script("Hello", finish="length")
    ran, requests, _ = run_scripts(easyllm, *scripts, script, args=("chat", "--max-tokens", "50"))
    names = [set(request.json) & {"max_tokens", "max_completion_tokens"} for request in requests]
    assert names == [{"max_tokens"}, {"max_completion_tokens"}, set()]
    assert (ran.code, ran.stdout) == (7, b""), ran.stderr
    assert "that you set" not in ran.stderr


@pytest.mark.parametrize("word", ["model_context_window_exceeded", "model_length"])
def test_a_full_context_window_is_not_the_users_limit(easyllm: Easyllm, word: str) -> None:
    script = chat_answer_script("Hello", finish=word)
    ran, _, _ = run_scripts(easyllm, script, args=("chat", "--max-tokens", "50"))
    assert (ran.code, ran.stdout) == (7, b"")
    assert "that you set" not in ran.stderr


def test_a_limit_in_an_extra_option_counts_as_set(easyllm: Easyllm) -> None:
    script = chat_answer_script("Hello", finish="length")
    ran, requests, _ = run_scripts(easyllm, script, args=("chat", "-o", "n_predict=3"))
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert "that you set" in ran.error_line
    assert requests[0].json["n_predict"] == 3


@pytest.mark.parametrize("command", ["chat", "stream"])
@pytest.mark.parametrize("after", [(DONE, OPEN), (DONE, Reset()), (OPEN,)], ids=str)
def test_no_close_after_an_end_marker(
    easyllm: Easyllm, command: str, after: tuple[Step, ...]
) -> None:
    script = chat_answer_script("Hello", then=after)
    ran, requests, took = run_scripts(easyllm, script, args=(command,), timeout={"idle": 1})
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert len(requests) == 1
    assert took < QUICK


def test_no_close_after_ollamas_done(easyllm: Easyllm) -> None:
    line: Json = {"model": "test-model", "message": {"role": "assistant", "content": "Hello"}}
    end: Json = {"model": "test-model", "message": {"role": "assistant", "content": ""}}
    script = Script(
        ndjson(line | {"done": False}),
        ndjson(end | {"done": True, "done_reason": "stop"}),
        OPEN,
        content_type="application/x-ndjson",
    )
    ran, requests, took = run_scripts(easyllm, script, provider="ollama", timeout={"idle": 1})
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert sum(request.method == "POST" for request in requests) == 1
    assert took < QUICK


def test_fallback_after_a_length_limit_that_was_not_set(easyllm: Easyllm) -> None:
    with (
        StandIn(script_handler(chat_answer_script("He", finish="length"))) as cut,
        StandIn(script_handler(chat_answer_script("Hi"))) as ok,
    ):
        profiles = single_profile_toml(cut, fallback=["second"]) + profile_toml(ok, name="second")
        plain = easyllm.run("chat", "hi", profiles=profiles)
        json = easyllm.run("chat", "--json", "hi", profiles=profiles)
        limited = easyllm.run("chat", "--max-tokens", "5", "hi", profiles=profiles)
    assert (plain.code, plain.stdout) == (0, b"Hi\n"), plain.stderr
    assert (json.code, json.json["profile"], json.json["text"]) == (0, "second", "Hi")
    assert (limited.code, limited.stdout) == (0, b"He\n"), (
        "a limit that the user set is no reason for a fallback"
    )


def test_gemini_blocks_after_text(easyllm: Easyllm) -> None:
    script = Script(gemini("Hello"), gemini(promptFeedback={"blockReason": "SAFETY"}))
    ran, _, _ = run_scripts(easyllm, script, provider="gemini", api_key="test-key")
    assert (ran.code, ran.stdout) == (7, b""), ran.stderr
    assert [path.read_text() for path in easyllm.partials()] == ["Hello"]
