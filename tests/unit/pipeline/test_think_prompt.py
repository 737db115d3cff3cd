"""`cot --elicit` tells a model without reasoning, and no other, to think inside tags."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.asking import answer_requests
from tests.support.binary import Easyllm, RunResult, chat_answer_script, single_profile_toml
from tests.support.objects import parse_answer_json, parse_jsonl_events
from tests.support.servers.fixtures import RealServer
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import ndjson, script_handler
from tests.support.standins.server import Handler, StandIn

TAGS = "<think> and </think>"
NONE_OF_ITS_OWN = "it has no reasoning of its own"
REASONING = ("think", "reasoning", "reasoning_effort", "thinkingConfig", "enable_thinking")


def cot(easyllm: Easyllm, handler: Handler, provider: str, *args: str, **keys: Any) -> Any:
    """Run `cot`; return its result and the body of its one request for an answer."""
    with StandIn(handler) as server:
        ran = easyllm.run(
            "cot", *args, "hi", profiles=single_profile_toml(server, provider, **keys)
        )
        [request] = answer_requests(server)
        return ran, request.json


def instruction(body: Any) -> str:
    """The system prompt that was sent; "" if there was none."""
    if "systemInstruction" in body:
        return "".join(part["text"] for part in body["systemInstruction"]["parts"])
    systems = [
        message["content"] for message in body.get("messages", ()) if message["role"] == "system"
    ]
    assert len(systems) <= 1, "some servers take one system message and no more"
    return "".join(systems)


def asks_for_reasoning(body: Any) -> bool:
    return any(name in json.dumps(body) for name in map('"{}"'.format, REASONING))


SERVERS: list[tuple[str, Callable[[], Any], str, str]] = [
    ("ollama", OllamaServer, "llama3.2", "qwen3"),
    ("openrouter", OpenRouterServer, "vendor/plain", "vendor/thinker"),
    ("gemini", lambda: GeminiServer(key="k"), "gemini-2.0-flash", "gemini-2.5-flash"),
]


@pytest.mark.parametrize(
    ("provider", "server", "plain", "thinker"), SERVERS, ids=[row[0] for row in SERVERS]
)
def test_auto_adds_the_prompt_if_the_server_reports_no_reasoning(
    easyllm: Easyllm, provider: str, server: Callable[[], Any], plain: str, thinker: str
) -> None:
    keys = {"api_key": "k", "system": "Be brief."}
    ran, body = cot(easyllm, server().handle, provider, model=plain, **keys)
    assert (ran.code, ran.stdout.decode()) == (0, f"Hello from {plain}: hi\n")
    assert ran.stderr == (
        f"easyllm: {plain} is asked to think inside <think> tags: {NONE_OF_ITS_OWN}\n"
    )
    assert instruction(body).startswith("Be brief.")
    assert TAGS in instruction(body)
    assert not asks_for_reasoning(body), "a model that has none refuses it"
    ran, body = cot(easyllm, server().handle, provider, model=thinker, **keys)
    assert (ran.code, ran.stderr) == (0, "Let me think about it.\n")
    assert instruction(body) == "Be brief."
    assert asks_for_reasoning(body)


@pytest.mark.parametrize("args", [("--elicit", "never"), ("--effort", "off")])
def test_never_and_effort_off_add_no_prompt(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model="llama3.2")
        assert easyllm.run("cot", *args, "hi", profiles=profiles).code == 0
        assert "/api/show" not in {request.path for request in server.requests}
        assert [instruction(request.json) for request in answer_requests(server)] == [""] * len(
            answer_requests(server)
        )


def test_chat_never_adds_the_prompt(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model="llama3.2")
        assert easyllm.run("chat", "hi", profiles=profiles).code == 0
        assert [request.path for request in server.requests] == ["/api/chat"]


def test_no_prompt_if_the_server_does_not_report_reasoning(easyllm: Easyllm) -> None:
    """OpenAI's model list does not report it, nor does an Ollama without /api/show."""
    ran, body = cot(easyllm, script_handler(chat_answer_script("Hi")), "openai")
    assert (ran.code, ran.stderr, instruction(body)) == (0, "", "")
    ran, body = cot(easyllm, ollama_streaming("Hi", shown=404), "ollama")
    assert (ran.code, ran.stderr, instruction(body)) == (0, "", "")
    assert body["think"] is True


def ollama_streaming(*pieces: str, shown: int = 200) -> Handler:
    """An Ollama whose one model has no reasoning and answers with `pieces`."""

    async def handle(request: Request, reply: Reply) -> None:
        if request.path == "/api/tags":
            await reply.json({"models": [{"name": "plain:latest"}]})
        elif request.path == "/api/show":
            await reply.json({"capabilities": ["completion"]}, shown)
        else:
            await reply.head(200, None, "application/x-ndjson", chunked=True)
            for piece in pieces:
                await reply.write(ndjson({"message": {"content": piece}, "done": False}))
            await reply.write(ndjson({"message": {"content": ""}, "done": True}))

    return handle


OBEYS = ("<thi", "nk>Two and", " two.</think>\n\nFo", "ur.")
LONE_CLOSER = ("Two and two.", "</think>Four.")
NOTE = f"easyllm: test-model is asked to think inside <think> tags: {NONE_OF_ITS_OWN}\n"


@pytest.mark.parametrize("pieces", [OBEYS, LONE_CLOSER])
@pytest.mark.parametrize("args", [(), ("--stream",), ("--no-stream",)])
def test_reasoning_is_split_from_the_answer(
    easyllm: Easyllm, pieces: tuple[str, ...], args: tuple[str, ...]
) -> None:
    handler = ollama_buffered(*pieces) if args == ("--no-stream",) else ollama_streaming(*pieces)
    for tags in (None, "off"):
        ran, _ = cot(easyllm, handler, "ollama", *args, reasoning_tags=tags)
        assert (ran.code, ran.stdout.decode()) == (0, "Four.\n")
        assert ran.stderr == NOTE + "Two and two.\n"


def ollama_buffered(*pieces: str) -> Handler:
    """The same answer in one JSON body."""
    streaming = ollama_streaming(*pieces)

    async def handle(request: Request, reply: Reply) -> None:
        if request.path == "/api/chat":
            await reply.json({"message": {"content": "".join(pieces)}, "done": True})
        else:
            await streaming(request, reply)

    return handle


def test_answer_of_a_model_that_ignores_the_prompt(easyllm: Easyllm) -> None:
    ran, _ = cot(easyllm, ollama_streaming("Fo", "ur."), "ollama")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"Four.\n", NOTE)


def test_json_holds_answer_reasoning_and_note(easyllm: Easyllm) -> None:
    ran, _ = cot(easyllm, ollama_streaming(*OBEYS), "ollama", "--json")
    answer = parse_answer_json(ran)
    assert (answer["text"], answer["reasoning"]) == ("Four.", "Two and two.")
    assert answer["notes"] == [NOTE.removeprefix("easyllm: ").strip()]
    ran, _ = cot(easyllm, ollama_streaming(*OBEYS), "ollama", "--jsonl")
    assert parse_jsonl_events(ran)[0]["kind"] == "note"


def test_no_model_named(easyllm: Easyllm) -> None:
    """The first installed model is checked, and the request names it."""
    ran, body = cot(easyllm, ollama_streaming(*OBEYS), "ollama", "-v", model=None)
    assert (ran.code, ran.stdout.decode()) == (0, "Four.\n")
    assert body["model"] == "plain:latest"
    assert TAGS in instruction(body)
    assert "the first one installed" in ran.stderr


def test_always_checks_no_model_and_keeps_the_effort(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model="qwen3")
        args = ("cot", "--elicit", "always")
        ran = easyllm.run(*args, "--effort", "off", "hi", profiles=profiles)
        assert [request.path for request in server.requests] == ["/api/chat"]
        body = server.requests[0].json
        assert easyllm.run(*args, "hi", profiles=profiles).code == 0
        assert "think" not in server.requests[1].json
    assert (ran.code, ran.stdout) == (0, b"Hello from qwen3: hi\n")
    assert ran.stderr == "easyllm: qwen3 is asked to think inside <think> tags\n"
    assert TAGS in instruction(body)
    assert body["think"] is False


def test_dry_run_shows_what_always_sends(easyllm: Easyllm) -> None:
    profiles = single_profile_toml("http://127.0.0.1:9/v1", "llamacpp")
    args = ("cot", "--dry-run", "--elicit", "always", "-s", "Be brief.", "hi")
    body = easyllm.run(*args, profiles=profiles).json["body"]
    assert instruction(body).startswith("Be brief.\n\nFirst think")
    assert not asks_for_reasoning(body)


def test_auto_adds_no_prompt_with_a_schema(easyllm: Easyllm) -> None:
    """An answer constrained by a schema has no room for tags."""
    (easyllm.home / "s.json").write_text('{"type": "string"}')
    ran, body = cot(easyllm, ollama_streaming('"Four"'), "ollama", "--schema", "s.json")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b'"Four"\n', "")
    assert instruction(body) == ""


def test_invalid_options(easyllm: Easyllm) -> None:
    ran = easyllm.run(
        "cot", "--elicit", "maybe", "hi", profiles=single_profile_toml("http://127.0.0.1:9/v1")
    )
    assert ran.code == 2
    assert "auto, always, never" in ran.error_line
    ran = easyllm.run("cot", "--extract", "--elicit", "always", stdin="x")
    assert ran.code == 2
    assert "--extract cannot be used with --elicit" in ran.error_line
    assert easyllm.run("chat", "--elicit", "auto", "hi").code == 2


@pytest.mark.parametrize("kind", ["smol", "inline_thinker"])
def test_a_real_model(easyllm: Easyllm, kind: str, request: pytest.FixtureRequest) -> None:
    """Whether or not the model obeys, no tag and no reasoning reaches stdout."""
    server: RealServer = request.getfixturevalue(kind)
    profiles = single_profile_toml(
        f"{server.url}/v1", model=server.model, temperature=0, max_tokens=40
    )
    ran: RunResult = easyllm.run("cot", "--elicit", "always", "What is 2 + 2?", profiles=profiles)
    assert ran.code == 0, ran.stderr
    assert ran.stdout.strip()
    assert "think>" not in ran.stdout.decode()
    note, _, reasoning = ran.stderr.partition("\n")
    assert note == f"easyllm: {server.model} is asked to think inside <think> tags"
    if kind == "inline_thinker":
        assert reasoning.strip()
