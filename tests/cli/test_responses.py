"""Responses through the command: when it is chosen, what it shows, and how it ends."""

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


def ran(easyllm: Easyllm, *args: str, handler: Handler, **keys: Any) -> RunResult:
    with StandIn(handler) as server:
        text = single_profile_toml(server, **{"model": "gpt-4o", "api": "responses", **keys})
        return easyllm.with_new_home().run(*args, "hi", profiles=text)


def telling(whole: Json, *, ends: bool = True) -> Handler:
    """A stand-in that streams one response, with its last event or without."""
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
def test_it_is_chosen_by_itself_where_only_it_tells(
    easyllm: Easyllm, args: tuple[str, ...], url: str
) -> None:
    usual = 'provider = "openai"\nmodel = "o3"\n'
    text = f'[profiles.plain]\n{usual}api = "chat"\n[profiles.always]\n{usual}api = "responses"\n'
    shown = easyllm.run(*args, "--dry-run", "hi", profiles=text).json
    assert shown["url"] == url
    assert ("summary" in shown["body"].get("reasoning", {})) == (
        url == RESPONSES and args[:3] != ("chat", "-p", "always")
    )


def test_openais_variable_keeps_it_out(easyllm: Easyllm) -> None:
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    shown = easyllm.run("cot", "--dry-run", "-p", "openai:o3", "hi", env=env).json
    assert shown["url"] == "http://127.0.0.1:9/v1/chat/completions"


def test_the_summary_goes_where_reasoning_goes(easyllm: Easyllm) -> None:
    standin = ResponsesServer(summary=("First this.", "Then that."))
    shown = ran(easyllm, "cot", handler=standin.handle)
    assert (shown.code, shown.stdout) == (0, b"Hello from gpt-4o: hi\n")
    assert shown.stderr == "First this.\n\nThen that.\n"
    made = parse_answer_json(ran(easyllm, "cot", "--json", handler=standin.handle))
    assert (made["reasoning"], made["text"]) == (
        "First this.\n\nThen that.", "Hello from gpt-4o: hi",
    )  # fmt: skip
    assert made["usage"]["reasoning_tokens"] == 4


def test_hidden_reasoning_is_said_to_be_there(easyllm: Easyllm) -> None:
    counts = usage_of(3, 9, reasoning=7)
    whole = response(
        [reasoning_item("rs", encrypted="gAAAA"), message_item("m", "Hi")], usage=counts
    )
    shown = ran(easyllm, "cot", handler=telling(whole))
    assert (shown.code, shown.stdout) == (0, b"Hi\n")
    assert shown.stderr == "easyllm: reasoning: hidden (7 tokens)\n"


def test_an_organization_not_verified_is_told_and_answered(easyllm: Easyllm) -> None:
    standin = ResponsesServer(summary=("a plan",), verified=False)
    shown = ran(easyllm, "cot", handler=standin.handle)
    assert (shown.code, shown.stdout) == (0, b"Hello from gpt-4o: hi\n")
    assert "must be verified" in shown.stderr.splitlines()[0]
    strict = ran(easyllm, "cot", "--strict", handler=standin.handle)
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


def test_every_ending_has_its_code(easyllm: Easyllm) -> None:
    args = ("chat", "--no-retry")
    for whole, code, out in ENDINGS:
        shown = ran(easyllm, *args, handler=telling(whole))
        assert (shown.code, shown.stdout) == (code, out), shown.stderr
    cut = ran(easyllm, *args, handler=telling(response([message_item("m", "Hi")]), ends=False))
    assert (cut.code, cut.stdout) == (7, b"")
    assert "without its end marker" in cut.error_line


def test_what_the_protocol_lacks(easyllm: Easyllm) -> None:
    standin = ResponsesServer()
    shown = ran(easyllm, "chat", "--seed", "1", handler=standin.handle)
    assert (shown.code, shown.stdout) == (0, b"Hello from gpt-4o: hi\n")
    assert shown.error_line.startswith("easyllm: seed: not in OpenAI's Responses API, left out")
    strict = ran(easyllm, "chat", "--seed", "1", "--strict", handler=standin.handle)
    assert (strict.code, strict.stdout) == (4, b"")
    assert "has no seed" in strict.error_line


def test_a_provider_without_it(easyllm: Easyllm) -> None:
    text = single_profile_toml("http://127.0.0.1:9", "ollama", api="responses")
    shown = easyllm.run("chat", "hi", profiles=text)
    assert (shown.code, shown.stdout) == (2, b"")
    assert "leave api out" in shown.error_line


def real(server: RealServer, **keys: Any) -> str:
    usual = {"model": server.model, "api": "responses", "temperature": 0, "max_tokens": 150}
    return single_profile_toml(f"{server.url}/v1", "llamacpp", **usual | keys)


def test_a_real_model_that_thinks(easyllm: Easyllm, thinker: RealServer) -> None:
    made = parse_answer_json(
        easyllm.run("cot", "--json", "What is Python?", profiles=real(thinker))
    )
    assert made["ok"] is True
    assert made["reasoning"].strip()
    assert made["text"].strip()
    assert "think>" not in made["reasoning"] + made["text"]
    assert made["usage"]["total_tokens"] > made["usage"]["completion_tokens"] > 0


def test_a_real_answer_that_is_cut_is_not_whole(easyllm: Easyllm, smol: RealServer) -> None:
    """llama.cpp says that it is completed."""
    text = real(smol, max_tokens=5)
    usual, strict = run_concurrently(
        lambda: easyllm.with_new_home().run("chat", "--json", "What is Python?", profiles=text),
        lambda: easyllm.with_new_home().run("chat", "--strict", "What is Python?", profiles=text),
    )
    made = parse_answer_json(usual)
    assert (made["ok"], made["complete"], made["finish_reason"]) == (True, False, "length")
    assert (strict.code, strict.stdout) == (7, b"")
