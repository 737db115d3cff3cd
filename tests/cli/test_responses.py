"""The OpenAI Responses API through the command: when it is used, its output and exit codes."""

from typing import Any

import pytest

from tests.support.binary import Easyllm, RunResult, run_concurrently, single_profile_toml
from tests.support.objects import parse_answer_json
from tests.support.servers.fixtures import RealServer
from tests.support.standins.responses import (
    ResponsesServer,
    format_sse_events,
    message_item,
    reasoning_item,
    response,
    response_events,
    usage_of,
)
from tests.support.standins.script import Json, Script, script_handler
from tests.support.standins.server import Handler, StandIn

RESPONSES, CHAT = (
    "https://api.openai.com/v1/responses",
    "https://api.openai.com/v1/chat/completions",
)


def run_responses(easyllm: Easyllm, *args: str, handler: Handler, **keys: Any) -> RunResult:
    with StandIn(handler) as server:
        text = single_profile_toml(server, **{"model": "gpt-4o", "api": "responses", **keys})
        return easyllm.with_new_home().run(*args, "hi", profiles=text)


def streaming(whole: Json, *, ends: bool = True) -> Handler:
    """Handler that streams one response, with or without its last event."""
    frames = [*format_sse_events(response_events(whole))]
    return script_handler(Script(*(frames if ends else frames[:-1])))


@pytest.mark.parametrize(
    ("args", "url"),
    [
        (("cot", "-p", "openai:o3"), RESPONSES),
        (("chat", "--think", "-p", "openai:gpt-5-mini"), RESPONSES),
        (("stream", "--think", "--effort", "low", "-p", "openai:o3"), RESPONSES),
        (("chat", "-p", "openai:o3"), CHAT),
        (("chat", "--effort", "high", "-p", "openai:o3"), CHAT),
        (("cot", "--effort", "off", "-p", "openai:o3"), CHAT),
        (("cot", "-p", "openai:gpt-4o"), CHAT),
        (("cot", "-p", "plain"), CHAT),
        (("chat", "-p", "always"), RESPONSES),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_responses_is_chosen_where_only_it_returns_reasoning(
    easyllm: Easyllm, args: tuple[str, ...], url: str
) -> None:
    usual = 'provider = "openai"\nmodel = "o3"\n'
    text = f'[profiles.plain]\n{usual}api = "chat"\n[profiles.always]\n{usual}api = "responses"\n'
    shown = easyllm.run(*args, "--dry-run", "hi", profiles=text).json
    assert shown["url"] == url
    assert ("summary" in shown["body"].get("reasoning", {})) == (
        url == RESPONSES and args[:3] != ("chat", "-p", "always")
    )


def test_openai_base_url_selects_chat_completions(easyllm: Easyllm) -> None:
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    shown = easyllm.run("cot", "--dry-run", "-p", "openai:o3", "hi", env=env).json
    assert shown["url"] == "http://127.0.0.1:9/v1/chat/completions"


def test_reasoning_summary_is_shown_as_reasoning(easyllm: Easyllm) -> None:
    standin = ResponsesServer(summary=("First this.", "Then that."))
    shown = run_responses(easyllm, "cot", handler=standin.handle)
    assert (shown.code, shown.stdout) == (0, b"Hello from gpt-4o: hi\n")
    assert shown.stderr == "First this.\n\nThen that.\n"
    answer = parse_answer_json(run_responses(easyllm, "cot", "--json", handler=standin.handle))
    assert (answer["reasoning"], answer["text"]) == (
        "First this.\n\nThen that.", "Hello from gpt-4o: hi",
    )  # fmt: skip
    assert answer["usage"]["reasoning_tokens"] == 4


def test_hidden_reasoning_is_reported(easyllm: Easyllm) -> None:
    counts = usage_of(3, 9, reasoning=7)
    whole = response(
        [reasoning_item("rs", encrypted="gAAAA"), message_item("m", "Hi")], usage=counts
    )
    shown = run_responses(easyllm, "cot", handler=streaming(whole))
    assert (shown.code, shown.stdout) == (0, b"Hi\n")
    assert shown.stderr == "easyllm: reasoning: hidden (7 tokens)\n"


def test_unverified_organization_gets_a_note_and_an_answer(easyllm: Easyllm) -> None:
    standin = ResponsesServer(summary=("a plan",), verified=False)
    shown = run_responses(easyllm, "cot", handler=standin.handle)
    assert (shown.code, shown.stdout) == (0, b"Hello from gpt-4o: hi\n")
    assert "must be verified" in shown.stderr.splitlines()[0]
    strict = run_responses(easyllm, "cot", "--strict", handler=standin.handle)
    assert (strict.code, strict.stdout) == (4, b"")
    assert "must be verified" in strict.error_line


ENDINGS: list[tuple[Json, int, bytes]] = [
    (response([message_item("m", "Hi")]), 0, b"Hi\n"),
    (response([message_item("m", refusal="I cannot.")]), 4, b""),
    (response([reasoning_item("rs", "a plan")]), 7, b""),
    (response([]), 7, b""),
    (response([message_item("m", "Hi")], "incomplete",
              incomplete_details={"reason": "max_output_tokens"}), 7, b""),
    (response([message_item("m", "Hi")], "incomplete",
              incomplete_details={"reason": "content_filter"}), 7, b""),
    (response([message_item("m", "Hi")], "failed",
              error={"code": "server_error", "message": "It broke."}), 5, b""),
    (response([], "failed", error={"code": "invalid_prompt", "message": "No."}), 4, b""),
]  # fmt: skip


def test_exit_code_of_every_ending(easyllm: Easyllm) -> None:
    args = ("chat", "--no-retry")
    for whole, code, out in ENDINGS:
        shown = run_responses(easyllm, *args, handler=streaming(whole))
        assert (shown.code, shown.stdout) == (code, out), shown.stderr
    cut = run_responses(
        easyllm, *args, handler=streaming(response([message_item("m", "Hi")]), ends=False)
    )
    assert (cut.code, cut.stdout) == (7, b"")
    assert "without its end marker" in cut.error_line


def test_setting_that_responses_lacks(easyllm: Easyllm) -> None:
    standin = ResponsesServer()
    shown = run_responses(easyllm, "chat", "--seed", "1", handler=standin.handle)
    assert (shown.code, shown.stdout) == (0, b"Hello from gpt-4o: hi\n")
    assert shown.error_line.startswith("easyllm: seed: not in OpenAI's Responses API, left out")
    strict = run_responses(easyllm, "chat", "--seed", "1", "--strict", handler=standin.handle)
    assert (strict.code, strict.stdout) == (4, b"")
    assert "has no seed" in strict.error_line


def test_provider_without_responses(easyllm: Easyllm) -> None:
    text = single_profile_toml("http://127.0.0.1:9", "ollama", api="responses")
    shown = easyllm.run("chat", "hi", profiles=text)
    assert (shown.code, shown.stdout) == (2, b"")
    assert "leave api out" in shown.error_line


def real_profile(server: RealServer, **keys: Any) -> str:
    usual = {"model": server.model, "api": "responses", "temperature": 0, "max_tokens": 150}
    return single_profile_toml(f"{server.url}/v1", "llamacpp", **usual | keys)


def test_real_reasoning_model(easyllm: Easyllm, thinker: RealServer) -> None:
    answer = parse_answer_json(
        easyllm.run("cot", "--json", "What is Python?", profiles=real_profile(thinker))
    )
    assert answer["ok"] is True
    assert answer["reasoning"].strip()
    assert answer["text"].strip()
    assert "think>" not in answer["reasoning"] + answer["text"]
    assert answer["usage"]["total_tokens"] > answer["usage"]["completion_tokens"] > 0


def test_real_answer_at_the_token_limit_is_not_complete(easyllm: Easyllm, smol: RealServer) -> None:
    """llama.cpp reports it as completed."""
    text = real_profile(smol, max_tokens=5)
    usual, strict = run_concurrently(
        lambda: easyllm.with_new_home().run("chat", "--json", "What is Python?", profiles=text),
        lambda: easyllm.with_new_home().run("chat", "--strict", "What is Python?", profiles=text),
    )
    answer = parse_answer_json(usual)
    assert (answer["ok"], answer["complete"], answer["finish_reason"]) == (True, False, "length")
    assert (strict.code, strict.stdout) == (7, b"")
