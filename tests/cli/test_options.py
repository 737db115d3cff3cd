"""One test per option: its effect on the request or on the output."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    chat_answer_script,
    profile_toml,
    single_profile_toml,
)
from tests.support.images import gif_1x1
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import Handler, StandIn

OK = script_handler(chat_answer_script("ok"))
NOWHERE = single_profile_toml("http://127.0.0.1:9/v1")


def sent_body(easyllm: Easyllm, *args: str, handler: Handler = OK, **more: Any) -> Any:
    """Run `chat` without errors; return its last request's body. `keys`: the profile's settings."""
    with StandIn(handler) as server:
        keys = more.pop("keys", {})
        ran = easyllm.run("chat", *args, profiles=single_profile_toml(server, **keys), **more)
        assert (ran.code, ran.stderr) == (0, ""), ran.stderr
        return server.requests[-1].json


def test_unset_settings_are_not_sent(easyllm: Easyllm) -> None:
    assert sent_body(easyllm, "hi") == {
        "model": "test-model",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (("-t", "0"), {"temperature": 0}),
        (("--temperature", "1.5"), {"temperature": 1.5}),
        (("--max-tokens", "7"), {"max_tokens": 7}),
        (("--top-p", "0.25"), {"top_p": 0.25}),
        (("--top-k", "3"), {"top_k": 3}),
        (("--seed", "-4"), {"seed": -4}),
        (("--stop", "END"), {"stop": ["END"]}),
        (("--stop", "a", "--stop", "b"), {"stop": ["a", "b"]}),
        (("-o", "logprobs=true", "-o", "user=me"), {"logprobs": True, "user": "me"}),
        (("--option", 'metadata={"a": [1, null]}'), {"metadata": {"a": [1, None]}}),
        (("-o", "temperature=0.5"), {"temperature": 0.5}),
        (("-o", "x=a=b"), {"x": "a=b"}),
        (("-o", "x="), {"x": ""}),
        (("--effort", "high"), {"reasoning_effort": "high"}),
        (("--effort", "off"), {"reasoning_effort": "none"}),
        (("-m", "other"), {"model": "other"}),
        (("-p", "t:b:7"), {"model": "b:7"}),
        (("-p", "t:b:7", "-m", "c"), {"model": "c"}),
        (("--no-stream",), {"stream": False}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_options_in_the_request_body(
    easyllm: Easyllm, args: tuple[str, ...], wanted: dict[str, Any]
) -> None:
    plain = script_handler(Script(
        json.dumps({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}).encode(),
        content_type="application/json",
    ))  # fmt: skip
    body = sent_body(easyllm, *args, "hi", handler=plain if "--no-stream" in args else OK)
    for key, value in wanted.items():
        assert body[key] == value
    known = {"model", "messages", "stream", "stream_options"}
    assert set(body) - known == set(wanted) - known
    assert ("stream_options" in body) == body["stream"]


def test_flag_wins_over_profile(easyllm: Easyllm) -> None:
    keys = {"temperature": 1, "seed": 5, "options": {"user": "me", "n": 1}, "stop": "X"}
    body = sent_body(easyllm, "-t", "0", "-o", "n=2", "hi", keys=keys)
    assert (body["temperature"], body["seed"], body["stop"]) == (0, 5, "X")
    assert (body["user"], body["n"]) == ("me", 2)


def test_think(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        text = single_profile_toml(server, "ollama", model="qwen3")
        for args, think in [(("--think",), True), (("--effort", "low"), "low"), ((), None),
                            (("--effort", "off"), False)]:  # fmt: skip
            ran = easyllm.run("chat", *args, "hi", profiles=text)
            assert ran.code == 0
            assert server.requests[-1].json.get("think") == think
        assert easyllm.run("cot", "hi", profiles=text).code == 0
        assert server.requests[-1].json["think"] is True


def test_system(easyllm: Easyllm) -> None:
    keys = {"system": "From the profile"}
    assert sent_body(easyllm, "hi", keys=keys)["messages"] == [
        {"role": "system", "content": "From the profile"},
        {"role": "user", "content": "hi"},
    ]
    messages = sent_body(easyllm, "-s", "Be brief", "hi", keys=keys)["messages"]
    assert [message["content"] for message in messages] == ["Be brief", "hi"]
    Path(easyllm.home, "list.json").write_text('[{"role": "system", "content": "In the list"}]')
    with_list = sent_body(easyllm, "--messages", "list.json", "--system", "Mine", "hi")["messages"]
    assert [message["content"] for message in with_list] == ["Mine", "hi"]


def test_image(easyllm: Easyllm) -> None:
    """Its type comes from the bytes, not from the file's name."""
    Path(easyllm.home, "a.txt").write_bytes(gif_1x1())
    (message,) = sent_body(
        easyllm, "-a", "a.txt", "--image", "https://example.invalid/b.png", "hi"
    )["messages"]
    data = base64.b64encode(gif_1x1()).decode()
    assert message["content"] == [
        {"type": "text", "text": "hi"},
        {"type": "image_url", "image_url": {"url": f"data:image/gif;base64,{data}"}},
        {"type": "image_url", "image_url": {"url": "https://example.invalid/b.png"}},
    ]


@pytest.mark.parametrize(
    ("env", "args", "wanted"),
    [
        ({}, (), ("one", "m1")),
        ({"EASYLLM_PROFILE": "two"}, (), ("two", "m2")),
        ({"EASYLLM_PROFILE": "two:mx"}, (), ("two", "mx")),
        ({"EASYLLM_PROFILE": "two", "EASYLLM_MODEL": "me"}, (), ("two", "me")),
        ({"EASYLLM_MODEL": "me"}, (), ("one", "me")),
        ({"EASYLLM_MODEL": "me"}, ("-m", "mf"), ("one", "mf")),
        ({"EASYLLM_PROFILE": "two", "EASYLLM_MODEL": "me"}, ("-p", "one"), ("one", "m1")),
        ({"EASYLLM_PROFILE": "two"}, ("-p", "one:a:b"), ("one", "a:b")),
    ],
)  # fmt: skip
def test_precedence_of_profile_and_model(
    easyllm: Easyllm, env: dict[str, str], args: tuple[str, ...], wanted: tuple[str, str]
) -> None:
    with StandIn(OK) as server:
        text = 'default_profile = "one"\n'
        text += profile_toml(server, name="one", model="m1") + profile_toml(
            server, name="two", model="m2"
        )
        answer = easyllm.run("chat", "--json", *args, "hi", profiles=text, env=env).json
    assert (answer["profile"], answer["model"]) == wanted


def test_built_in_names_need_no_file(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        ran = easyllm.run("chat", "-p", "ollama", "hi", env={"OLLAMA_HOST": server.url})
        assert (ran.code, ran.stdout) == (0, b"Hello from llama3.2:latest: hi\n")
    with StandIn(OpenAIServer(key="sk-12345").handle) as server:
        env = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "sk-12345"}
        ran = easyllm.run("chat", "-p", "openai:gpt-4o", "hi", env=env)
        assert (ran.code, ran.stdout) == (0, b"Hello from gpt-4o: hi\n")


def test_profiles_file(easyllm: Easyllm) -> None:
    easyllm.write_profiles(NOWHERE)
    with StandIn(OK) as server:
        for name in ("flag", "variable"):
            Path(easyllm.home, f"{name}.toml").write_text(single_profile_toml(server, model=name))
        env = {"EASYLLM_PROFILES": "variable.toml"}
        answer = easyllm.run("chat", "--json", "hi", env=env).json
        assert answer["model"] == "variable"
        answer = easyllm.run("chat", "--profiles", "flag.toml", "--json", "hi", env=env).json
        assert answer["model"] == "flag"


def test_dry_run(easyllm: Easyllm) -> None:
    """It prints one JSON object, sends nothing, needs no key and shows none."""
    headers = {"X-Team": "env:TEAM", "X-Plain": "yes"}
    text = single_profile_toml("http://127.0.0.1:9/v1", api_key_env="MY_KEY", headers=headers)
    env = {"MY_KEY": "sk-very-secret", "TEAM": "hush-hush"}
    for variables in (env, {"TEAM": "hush-hush"}):
        ran = easyllm.run("chat", "--dry-run", "-t", "0", "hi", profiles=text, env=variables)
        assert (ran.code, ran.stderr) == (0, "")
        shown = ran.json
        assert list(shown) == ["method", "url", "headers", "body"]
        assert (shown["method"], shown["url"]) == ("POST", "http://127.0.0.1:9/v1/chat/completions")
        assert shown["headers"] == {"Authorization": "***", "X-Team": "***", "X-Plain": "yes"}
        assert (shown["body"]["temperature"], shown["body"]["stream"]) == (0, True)
    assert easyllm.run("chat", "--dry-run", "-p", "openai:gpt-5", "hi").code == 0
    ran = easyllm.run("chat", "--dry-run", "--no-stream", "-p", "gemini:g", "hi")
    assert ran.json["url"].endswith("models/g:generateContent")


def test_dry_run_needs_no_key_in_a_header_either(easyllm: Easyllm) -> None:
    text = single_profile_toml("http://127.0.0.1:9/v1", headers={"api-key": "env:AZURE_KEY"})
    ran = easyllm.run("chat", "--dry-run", "hi", profiles=text)
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.json["headers"] == {"api-key": "***"}


def test_dry_run_shows_the_request_that_is_sent(easyllm: Easyllm) -> None:
    with StandIn(OK) as server:
        text = single_profile_toml(server, temperature=1, system="S", options={"user": "me"})
        shown = easyllm.run("chat", "--dry-run", "--seed", "1", "hi", profiles=text).json["body"]
        easyllm.run("chat", "--seed", "1", "hi", profiles=text)
        assert [request.json for request in server.requests] == [shown]


def test_version(easyllm: Easyllm) -> None:
    ran = easyllm.run("--version")
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout.startswith(b"easyllm ")
    assert ran.stdout.endswith(b"\n")
