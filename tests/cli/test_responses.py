"""Responses through the command: when it is chosen, what it shows, and how it ends."""

from typing import Any

import pytest

from tests.support.binary import Easyllm, Ran, at_once, only
from tests.support.objects import answer_of
from tests.support.servers.fixtures import RealServer
from tests.support.standins.responses import (
    ResponsesServer,
    events_of,
    framed,
    message,
    response,
    thought,
    usage_of,
)
from tests.support.standins.script import Json, Script, scripted
from tests.support.standins.server import Handler, StandIn

RESPONSES, CHAT = (
    "https://api.openai.com/v1/responses",
    "https://api.openai.com/v1/chat/completions",
)


def ran(easyllm: Easyllm, *args: str, handler: Handler, **keys: Any) -> Ran:
    with StandIn(handler) as server:
        text = only(server, **{"model": "gpt-4o", "api": "responses", **keys})
        return easyllm.fresh().run(*args, "hi", profiles=text)


def telling(whole: Json, *, ends: bool = True) -> Handler:
    """A stand-in that streams one response, with its last event or without."""
    frames = [*framed(events_of(whole))]
    return scripted(Script(*(frames if ends else frames[:-1])))


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
    assert (shown.code, shown.out) == (0, b"Hello from gpt-4o: hi\n")
    assert shown.err == "First this.\n\nThen that.\n"
    made = answer_of(ran(easyllm, "cot", "--json", handler=standin.handle))
    assert (made["reasoning"], made["text"]) == (
        "First this.\n\nThen that.", "Hello from gpt-4o: hi",
    )  # fmt: skip
    assert made["usage"]["reasoning_tokens"] == 4


def test_hidden_reasoning_is_said_to_be_there(easyllm: Easyllm) -> None:
    counts = usage_of(3, 9, reasoning=7)
    whole = response([thought("rs", encrypted="gAAAA"), message("m", "Hi")], usage=counts)
    shown = ran(easyllm, "cot", handler=telling(whole))
    assert (shown.code, shown.out) == (0, b"Hi\n")
    assert shown.err == "easyllm: reasoning: hidden (7 tokens)\n"


def test_an_organization_not_verified_is_told_and_answered(easyllm: Easyllm) -> None:
    standin = ResponsesServer(summary=("a plan",), verified=False)
    shown = ran(easyllm, "cot", handler=standin.handle)
    assert (shown.code, shown.out) == (0, b"Hello from gpt-4o: hi\n")
    assert "must be verified" in shown.err.splitlines()[0]
    strict = ran(easyllm, "cot", "--strict", handler=standin.handle)
    assert (strict.code, strict.out) == (4, b"")
    assert "must be verified" in strict.complaint


ENDINGS: list[tuple[Json, int, bytes]] = [
    (response([message("m", "Hi")]), 0, b"Hi\n"),
    (response([message("m", refusal="I cannot.")]), 4, b""),
    (response([thought("rs", "a plan")]), 7, b""),
    (response([]), 7, b""),
    (response([message("m", "Hi")], "incomplete",
              incomplete_details={"reason": "max_output_tokens"}), 7, b""),
    (response([message("m", "Hi")], "incomplete",
              incomplete_details={"reason": "content_filter"}), 7, b""),
    (response([message("m", "Hi")], "failed",
              error={"code": "server_error", "message": "It broke."}), 5, b""),
    (response([], "failed", error={"code": "invalid_prompt", "message": "No."}), 4, b""),
]  # fmt: skip


def test_every_ending_has_its_code(easyllm: Easyllm) -> None:
    args = ("chat", "--no-retry")
    for whole, code, out in ENDINGS:
        shown = ran(easyllm, *args, handler=telling(whole))
        assert (shown.code, shown.out) == (code, out), shown.err
    cut = ran(easyllm, *args, handler=telling(response([message("m", "Hi")]), ends=False))
    assert (cut.code, cut.out) == (7, b"")
    assert "without its end marker" in cut.complaint


def test_what_the_protocol_lacks(easyllm: Easyllm) -> None:
    standin = ResponsesServer()
    shown = ran(easyllm, "chat", "--seed", "1", handler=standin.handle)
    assert (shown.code, shown.out) == (0, b"Hello from gpt-4o: hi\n")
    assert shown.complaint.startswith("easyllm: seed: not in OpenAI's Responses API, left out")
    strict = ran(easyllm, "chat", "--seed", "1", "--strict", handler=standin.handle)
    assert (strict.code, strict.out) == (4, b"")
    assert "has no seed" in strict.complaint


def test_a_provider_without_it(easyllm: Easyllm) -> None:
    text = only("http://127.0.0.1:9", "ollama", api="responses")
    shown = easyllm.run("chat", "hi", profiles=text)
    assert (shown.code, shown.out) == (2, b"")
    assert "leave api out" in shown.complaint


def real(server: RealServer, **keys: Any) -> str:
    usual = {"model": server.model, "api": "responses", "temperature": 0, "max_tokens": 150}
    return only(f"{server.url}/v1", "llamacpp", **usual | keys)


def test_a_real_model_that_thinks(easyllm: Easyllm, thinker: RealServer) -> None:
    made = answer_of(easyllm.run("cot", "--json", "What is Python?", profiles=real(thinker)))
    assert made["ok"] is True
    assert made["reasoning"].strip()
    assert made["text"].strip()
    assert "think>" not in made["reasoning"] + made["text"]
    assert made["usage"]["total_tokens"] > made["usage"]["completion_tokens"] > 0


def test_a_real_answer_that_is_cut_is_not_whole(easyllm: Easyllm, smol: RealServer) -> None:
    """llama.cpp says that it is completed."""
    text = real(smol, max_tokens=5)
    usual, strict = at_once(
        lambda: easyllm.fresh().run("chat", "--json", "What is Python?", profiles=text),
        lambda: easyllm.fresh().run("chat", "--strict", "What is Python?", profiles=text),
    )
    made = answer_of(usual)
    assert (made["ok"], made["complete"], made["finish_reason"]) == (True, False, "length")
    assert (strict.code, strict.out) == (7, b"")
