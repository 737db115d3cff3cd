"""Tests --json and --jsonl: each run ends in one object of docs/json-schema.json, keys in order."""

import json
import signal
import time
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from easyllm_cli.cli.results import empty_results
from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    profile_toml,
    read_until,
    run_concurrently,
    single_profile_toml,
    wait_until,
)
from tests.support.objects import (
    SCHEMA,
    USAGE,
    parse_answer_json,
    parse_jsonl_events,
    parse_models_json,
)
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import (
    DONE,
    Cut,
    Json,
    Script,
    Wait,
    chunk,
    script_handler,
    sse,
    usage_chunk,
)
from tests.support.standins.server import Handler, StandIn

NOWHERE = single_profile_toml("http://127.0.0.1:9/v1")


async def full_answer(request: Request, reply: Reply) -> None:
    """Reasoning, text and usage; the text has U+2028, which must not split a line."""
    await reply.head(content_type="text/event-stream", chunked=True)
    for text in ("Let me ", "think."):
        await reply.write(chunk(reasoning=text))
    for text in ("Hello\u2028", "\x1b[1m"):
        await reply.write(chunk(text))
    for frame in (
        chunk(finish="stop"),
        usage_chunk(3, 9, reasoning_tokens=4, cached_tokens=1),
        DONE,
    ):
        await reply.write(frame)


@pytest.mark.parametrize("command", ["chat", "stream", "cot"])
def test_success(easyllm: Easyllm, command: str) -> None:
    with StandIn(full_answer) as server:
        ran = easyllm.run(command, "--json", "hi", profiles=single_profile_toml(server))
    answer = parse_answer_json(ran)
    assert (ran.code, ran.stderr) == (0, "")
    assert answer["text"] == "Hello\u2028\x1b[1m"
    assert answer["reasoning"] == "Let me think."
    assert (answer["ok"], answer["complete"], answer["finish_reason"]) == (True, True, "stop")
    assert (answer["provider"], answer["model"], answer["profile"]) == ("openai", "test-model", "t")
    assert answer["usage"] == dict(zip(USAGE, [3, 9, 12, 4, 1, None, False], strict=True))
    assert (answer["attempts"], answer["notes"], answer["cost_usd"]) == (1, [], 0)
    assert 0 <= answer["ms_first_token"] <= answer["ms"] < 20_000


def test_success_with_jsonl(easyllm: Easyllm) -> None:
    with StandIn(full_answer) as server:
        ran = easyllm.run("stream", "--jsonl", "hi", profiles=single_profile_toml(server))
    events = parse_jsonl_events(ran)
    kinds = [event["kind"] for event in events]
    assert kinds == ["start", "reasoning", "reasoning", "text", "text", "usage", "done"]
    texts = [event["text"] for event in events if event["kind"] == "text"]
    assert "".join(texts) == events[-1]["text"] == "Hello\u2028\x1b[1m"
    assert b"\x1b" not in ran.stdout


def test_unknown_values_are_null(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("Hi"))) as server:
        answer = parse_answer_json(
            easyllm.run("chat", "--json", "hi", profiles=single_profile_toml(server))
        )
    assert answer["reasoning"] is None
    assert answer["usage"] == dict.fromkeys(USAGE, None) | {"estimated": False}
    assert answer["error"] is None


def test_cost(easyllm: Easyllm) -> None:
    with StandIn(OpenRouterServer().handle) as server:
        keys = {"model": "vendor/plain", "api_key_env": "KEY"}
        profiles = single_profile_toml(server, "openrouter", **keys)
        ran = easyllm.run("chat", "--json", "hi", profiles=profiles, env={"KEY": "k-12345"})
    answer = parse_answer_json(ran)
    assert answer["cost_usd"] > 0
    assert answer["cost_source"] == "provider"


def body(status: int, message: str = "no", **headers: str) -> Script:
    content = json.dumps({"error": {"message": message}}).encode()
    return Script(content, status=status, headers=headers, content_type="application/json")


FAILURES: dict[str, tuple[int, Script]] = {
    "auth": (3, body(401)),
    "billing": (3, body(402)),
    "refused": (4, body(400)),
    "filtered": (4, chat_answer_script(finish="content_filter")),
    "not_found": (4, body(404)),
    "too_large": (4, body(413)),
    "busy": (5, body(429, **{"retry-after": "3600", "x-request-id": "req_7"})),
    "network": (6, Script(Cut())),
    "timeout": (6, Script(Wait(5))),
    "incomplete": (7, Script(chunk("Hel"))),
    "malformed": (7, Script(b"<html>")),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failure(easyllm: Easyllm, kind: str) -> None:
    code, script = FAILURES[kind]
    with StandIn(script_handler(script)) as server:
        profiles = single_profile_toml(server, max_retries=1, timeout={"first_token": 0.2})
        chat, stream, lines = run_concurrently(
            *[
                lambda args=args: easyllm.with_new_home().run(*args, "hi", profiles=profiles)
                for args in [("chat", "--json"), ("stream", "--json"), ("stream", "--jsonl")]
            ]
        )
    for ran, answer in [
        (chat, parse_answer_json(chat)),
        (stream, parse_answer_json(stream)),
        (lines, parse_jsonl_events(lines)[-1]),
    ]:
        assert (ran.code, answer["error"]["kind"]) == (code, kind)
        assert answer["text"] == ("Hel" if kind == "incomplete" else "")
        assert not answer["complete"]
    if kind == "busy":
        error = chat.json["error"]
        assert (error["status"], error["retry_after"]) == (429, 3600)
        assert (error["retryable"], error["request_id"]) == (True, "req_7")


def test_nothing_listens(easyllm: Easyllm) -> None:
    ran = easyllm.run("chat", "--json", "hi", profiles=single_profile_toml("http://127.0.0.1:9/v1"))
    answer = parse_answer_json(ran)
    assert (answer["error"]["kind"], answer["attempts"]) == ("network", 1)


@pytest.mark.parametrize(
    ("args", "kind", "code"),
    [
        (("--no-such-option", "hi"), "usage", 2),
        (("-t", "9", "hi"), "usage", 2),
        ((), "usage", 2),
        (("-f", "none", "hi"), "usage", 2),
        (("-R", "--reasoning", "show", "hi"), "usage", 2),
        (("-p", "nobody", "hi"), "config", 2),
        (("-p", "openai", "-m", "x", "hi"), "auth", 3),
        (("--profiles", "none.toml", "hi"), "config", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_errors_before_a_request(
    easyllm: Easyllm, args: tuple[str, ...], kind: str, code: int
) -> None:
    json_first, lines, json_last = run_concurrently(
        lambda: easyllm.with_new_home().run("chat", "--json", *args, profiles=NOWHERE),
        lambda: easyllm.with_new_home().run("chat", "--jsonl", *args, profiles=NOWHERE),
        lambda: easyllm.with_new_home().run("chat", *args, "--json", profiles=NOWHERE),
    )
    for ran, answer in [
        (json_first, parse_answer_json(json_first)),
        (lines, parse_jsonl_events(lines)[-1]),
        (json_last, parse_answer_json(json_last)),
    ]:
        assert (ran.code, answer["error"]["kind"]) == (code, kind)
        assert ran.error_line


def test_json_as_a_prompt(easyllm: Easyllm) -> None:
    """After `--` it is not an option, so the error is not JSON."""
    ran = easyllm.run("chat", "-t", "9", "--", "--json")
    assert (ran.code, ran.stdout) == (2, b"")


def interrupt(easyllm: Easyllm, form: str, sent: signal.Signals) -> None:
    """One run that gets the signal after the first chunk of its answer."""
    with StandIn(script_handler(Script(chunk("Hel"), Wait(30)))) as server:
        child = easyllm.start("stream", "-v", form, "hi", profiles=single_profile_toml(server))
        read_until(child.stderr, b"\n")
        wait_until(lambda: server.requests and server.requests[0].body)
        time.sleep(0.7)
        child.send_signal(sent)
        ran = finish(child, None, 5)
    answer = parse_jsonl_events(ran)[-1] if form == "--jsonl" else parse_answer_json(ran)
    assert ran.code == (130 if sent == signal.SIGINT else 143)
    assert (answer["error"]["kind"], answer["text"], answer["complete"]) == (
        "interrupted",
        "Hel",
        False,
    )


def test_interrupted(easyllm: Easyllm) -> None:
    run_concurrently(
        *[
            lambda form=form, sent=sent: interrupt(easyllm.with_new_home(), form, sent)
            for form in ("--json", "--jsonl")
            for sent in (signal.SIGINT, signal.SIGTERM)
        ]
    )


def test_retries_and_fallback(easyllm: Easyllm) -> None:
    """--jsonl has an event for each retry; --json names the profile that answered."""
    with (
        StandIn(script_handler(body(503))) as bad,
        StandIn(script_handler(chat_answer_script("Hi"))) as spare,
    ):
        text = single_profile_toml(bad, max_retries=1, fallback=["spare"]) + profile_toml(
            spare, name="spare"
        )
        whole, lines = run_concurrently(
            lambda: easyllm.with_new_home().run("chat", "--json", "hi", profiles=text),
            lambda: easyllm.with_new_home().run("stream", "--jsonl", "hi", profiles=text),
        )
    answer = parse_answer_json(whole)
    assert (answer["profile"], answer["attempts"], answer["text"]) == ("spare", 3, "Hi")
    kinds = [event["kind"] for event in parse_jsonl_events(lines)]
    assert kinds == ["start", "retrying", "start", "retrying", "start", "text", "done"]
    assert "spare" in whole.stderr


def run_models(
    make: Callable[[], Handler], provider: str, easyllm: Easyllm, *args: str
) -> RunResult:
    with StandIn(make()) as server:
        return easyllm.with_new_home().run(
            "models", "--json", *args, profiles=single_profile_toml(server, provider)
        )


def test_models(easyllm: Easyllm) -> None:
    rans = run_concurrently(
        lambda: run_models(lambda: OpenAIServer().handle, "openai", easyllm),
        lambda: run_models(lambda: OllamaServer().handle, "ollama", easyllm),
        lambda: run_models(lambda: OpenRouterServer().handle, "openrouter", easyllm),
        lambda: run_models(lambda: script_handler(body(401)), "openai", easyllm),
        lambda: run_models(lambda: OpenAIServer().handle, "openai", easyllm, "no-such-word"),
        lambda: easyllm.with_new_home().run("models", "--json", "-p", "nobody"),
        lambda: easyllm.with_new_home().run("models", "--json", "--no-such-option"),
        lambda: easyllm.with_new_home().run("models", "--json", "-p", "openai"),
    )
    for ran, code in zip(rans, (0, 0, 0, 3, 2, 2, 2, 3), strict=True):
        parse_models_json(ran)
        assert ran.code == code, ran.stderr
    assert [model["id"] for model in rans[0].json["models"]] == ["gpt-4o", "gpt-4o-mini"]
    assert {model["id"]: model["vision"] for model in rans[1].json["models"]}[
        "llava:latest"
    ] is True
    assert rans[2].json["models"][0]["prompt_usd"] == 1
    assert rans[2].json["models"][0]["completion_usd"] == 2


def test_reclassified(easyllm: Easyllm) -> None:
    script = Script(chunk("I think "), chunk("</think>\n\nHi"), chunk(finish="stop"), DONE)
    with StandIn(script_handler(script)) as server:
        ran = easyllm.run("stream", "--jsonl", "hi", profiles=single_profile_toml(server))
    events = parse_jsonl_events(ran)
    assert "reclassified" in [event["kind"] for event in events]
    assert (events[-1]["text"], events[-1]["reasoning"]) == ("Hi", "I think ")


def test_notes(easyllm: Easyllm) -> None:
    cut = sse({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "length"}]})
    with StandIn(script_handler(Script(cut, DONE))) as server:
        ran = easyllm.run(
            "chat", "--json", "--max-tokens", "3", "hi", profiles=single_profile_toml(server)
        )
    answer = parse_answer_json(ran)
    assert (answer["ok"], answer["complete"], answer["finish_reason"]) == (True, False, "length")
    assert len(answer["notes"]) == 1


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("command", "empty"), empty_results().items(), ids=str)
def test_a_usage_error_has_the_keys_of_the_command(
    easyllm: Easyllm, command: tuple[str, ...], empty: Json
) -> None:
    report = easyllm.run(*command, "--json", "--nonsense").json
    assert list(report) == ["version", "ok", *empty, "error"]
    assert {key: report[key] for key in empty} == empty
    assert (report["ok"], report["error"]["kind"]) == (False, "usage")
