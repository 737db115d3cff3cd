"""Tests `easyllm init`: the servers and keys it finds, the file it writes, and when it does not."""

import json
import os
import time
import tomllib

import pytest

from easyllm_cli.cli.discovery import LOCAL_SERVERS, SERVER_TIMEOUT_SECONDS, find_servers
from easyllm_cli.vendors import get_endpoint_variable
from tests.support.binary import Easyllm, RunResult, split_error_line
from tests.support.servers.fixtures import RealServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import Script, Wait, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import Terminal

KEY = "sk-very-secret-0123456789"
# No server that really runs on this machine's usual ports may be found.
NOWHERE: dict[str, str | None] = {
    get_endpoint_variable(name): "http://127.0.0.1:9" for name in LOCAL_SERVERS
}
KEYS: dict[str, str | None] = {"GROQ_API_KEY": KEY, "OPENAI_API_KEY": KEY}


def init(easyllm: Easyllm, *args: str, **env: str | None) -> RunResult:
    ran = easyllm.run("init", *args, env={**NOWHERE, **env})
    assert KEY not in ran.stderr + ran.stdout.decode()
    return ran


def read_written(easyllm: Easyllm, ran: RunResult) -> dict[str, object]:
    """The content of the written file; all its profiles are valid."""
    assert (ran.code, ran.stdout.decode()) == (0, f"{easyllm.config}\n"), ran.stderr
    assert easyllm.config.stat().st_mode & 0o777 == 0o600
    text = easyllm.config.read_text("utf-8")
    assert KEY not in text
    assert text.startswith("# Profiles for easyllm")
    rows = easyllm.run("profiles", "list", "--json").json["profiles"]
    assert [row["problem"] for row in rows] == [None] * len(rows)
    return tomllib.loads(text)


def test_nothing_is_found(easyllm: Easyllm) -> None:
    easyllm.config.parent.rmdir()
    ran = init(easyllm, "--yes")
    assert read_written(easyllm, ran) == {}
    assert easyllm.config.parent.stat().st_mode & 0o777 == 0o700
    assert "found no server" in ran.error_line
    text = easyllm.config.read_text()
    uncommented = (
        text.replace("# default_", "default_").replace("# [", "[").replace("# model", "model")
    )
    uncommented = uncommented.replace("# provider", "provider")
    easyllm.write_profiles(uncommented)
    assert easyllm.run("chat", "--dry-run", "hi").json["body"]["model"] == "llama3.2"


def test_keys_alone_set_no_default_profile(easyllm: Easyllm) -> None:
    easyllm.run("keys", "set", "mistral", stdin=KEY)
    ran = init(easyllm, "--yes", **KEYS)
    names = ["openai", "groq", "mistral"]
    assert read_written(easyllm, ran) == {"profiles": {name: {"provider": name} for name in names}}
    assert '\n# default_profile = "openai"' in easyllm.config.read_text()
    assert [line.split(" in ")[-1] for line in ran.stderr.splitlines()] == [
        "OPENAI_API_KEY", "GROQ_API_KEY", "easyllm: found a stored key for mistral"
    ]  # fmt: skip
    ran = easyllm.run("chat", "hi", env=KEYS)
    assert (ran.code, split_error_line(ran.error_line)[0]) == (2, "no profile is chosen")


def test_real_servers(easyllm: Easyllm, smol: RealServer, ollama: RealServer) -> None:
    env = {"LLAMACPP_BASE_URL": f"{smol.url}/v1", "OLLAMA_HOST": ollama.url, **KEYS}
    content = read_written(easyllm, init(easyllm, "--yes", **env))
    assert content == {
        "default_profile": "ollama",
        "profiles": {
            "ollama": {"provider": "ollama", "model": ollama.model},
            "llamacpp": {"provider": "llamacpp", "model": smol.model},
            "openai": {"provider": "openai"},
            "groq": {"provider": "groq"},
        },
    }
    ran = easyllm.run("chat", "--max-tokens", "5", "Say hi", env=env, timeout=60)
    assert (ran.code, bool(ran.stdout.strip())) == (0, True)


def test_the_first_of_several_models(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        ran = init(easyllm, "--yes", LMSTUDIO_BASE_URL=f"{server.url}/v1", **KEYS)
        assert [request.headers.get("authorization") for request in server.requests] == [None]
    content = read_written(easyllm, ran)
    assert content["default_profile"] == "lmstudio"
    assert 'model = "gpt-4o-mini" # the first of 2\n' in easyllm.config.read_text()
    assert f"found LM Studio at {server.url}/v1, 2 models" in ran.stderr


async def odd_models(request: Request, reply: Reply) -> None:
    names = ['a "b" \\ # c', "\U0001f999\x7f\x1b\u2028"]
    await reply.head(content_type="application/json")
    await reply.write(json.dumps({"data": [{"id": name} for name in names[::-1]]}).encode())


def test_a_model_name_with_special_characters(easyllm: Easyllm) -> None:
    with StandIn(odd_models) as server:
        content = read_written(easyllm, init(easyllm, "--yes", VLLM_BASE_URL=f"{server.url}/v1"))
    assert content["profiles"] == {
        "vllm": {"provider": "vllm", "model": "\U0001f999\x7f\x1b\u2028"}
    }


def test_only_loopback_addresses_are_contacted(easyllm: Easyllm) -> None:
    """0.0.0.0 leads to this machine but is no loopback address. No proxy is used either."""
    with StandIn(OpenAIServer().handle) as server:
        url = server.url.replace("127.0.0.1", "0.0.0.0")
        ran = init(easyllm, "--yes", VLLM_BASE_URL=f"{url}/v1", HTTP_PROXY=server.url, **KEYS)
        assert server.requests == []
    assert "default_profile" not in read_written(easyllm, ran)


async def no_models(request: Request, reply: Reply) -> None:
    await reply.head(404, content_type="text/html")
    await reply.write(b"<html>a web server</html>")


def test_a_server_without_models_is_left_out(easyllm: Easyllm) -> None:
    with StandIn(no_models) as server:
        ran = init(easyllm, "--yes", VLLM_BASE_URL=f"{server.url}/v1", OLLAMA_HOST=server.url)
        assert len(server.requests) == 2
    assert read_written(easyllm, ran) == {}


def test_a_silent_server_is_waited_for_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(script_handler(Script(Wait(10)))) as server:
        for name in LOCAL_SERVERS:
            monkeypatch.setenv(get_endpoint_variable(name), f"{server.url}/v1")
        began = time.monotonic()
        assert find_servers() == []
        assert (
            SERVER_TIMEOUT_SECONDS <= time.monotonic() - began < max(5, 5 * SERVER_TIMEOUT_SECONDS)
        )


def test_an_existing_file_is_left_alone(easyllm: Easyllm) -> None:
    for text in ("# mine\n", "x = [", ""):
        path = easyllm.write_profiles(text)
        ran = init(easyllm, "--yes", **KEYS)
        assert (ran.code, ran.stdout, path.read_text()) == (2, b"", text)
        assert split_error_line(ran.error_line)[1:] == (str(path), "easyllm profiles edit")
    other = easyllm.home / "other.toml"
    ran = init(easyllm, "--yes", "--profiles", str(other))
    assert (ran.code, ran.stdout.decode()) == (0, f"{other}\n")


def test_without_a_terminal_it_needs_yes(easyllm: Easyllm) -> None:
    ran = init(easyllm, **KEYS)
    assert (ran.code, ran.stdout) == (2, b"")
    assert ran.stderr.splitlines()[-1].endswith("easyllm init --yes")
    assert not easyllm.config.exists()


QUESTION = b"Default profile (used without -p): openai, groq, openai:MODEL, or Enter for none:"
ANSWERS = [
    (["y"], 0, "absent"), ([""], 0, "absent"), (["n"], 2, None), (["y", "groq"], 0, "groq"),
    (["y", "y", "openai:", "openai:gpt"], 0, "openai:gpt"), (["y", "y", "n", "nope"], 2, None),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "code", "default"), ANSWERS)
def test_on_a_terminal_it_asks(
    easyllm: Easyllm, answers: list[str], code: int, default: str | None
) -> None:
    questions = [b"[Y/n]", *[QUESTION] * 5]
    with Terminal(easyllm, "init", env={**NOWHERE, **KEYS}, columns=200) as terminal:
        for number, answer in enumerate([*answers, *[""] * (code == 0 and len(answers) == 1)]):
            wait_for(terminal, questions[number], number)
            os.write(terminal.keys, answer.encode() + b"\n")
        ended, out, err = terminal.end()
    assert ended == code, err
    assert KEY not in out + err
    for wrong in answers[1 : 3 if code == 0 else 4]:
        if len(answers) > 2:
            assert f'"{wrong}" is not a profile: type openai, groq, openai:MODEL, or press' in err
    if default is None:
        assert "nothing was written" in err
        assert not easyllm.config.exists()
        return
    assert out == f"{easyllm.config}\n"
    content = tomllib.loads(easyllm.config.read_text())
    assert content.get("default_profile", "absent") == default


def wait_for(terminal: Terminal, question: bytes, number: int) -> None:
    """Waits until stderr holds the question `number` times, at least once."""
    seen = max(1, number)
    deadline = time.monotonic() + 10
    while terminal.stderr.data.count(question) < seen:
        assert time.monotonic() < deadline, terminal.stderr.data
        time.sleep(0.01)


def test_ctrl_c_writes_nothing(easyllm: Easyllm) -> None:
    """With nothing to write but examples, the question says so."""
    with Terminal(easyllm, "init", env=NOWHERE) as terminal:
        terminal.stderr.wait_for(b"Write a commented example file?")
        terminal.stderr.wait_for(b"[Y/n]")
        time.sleep(0.3)  # the C library prints the question before it reads; a signal between waits
        terminal.signal(2)
        code, _, _ = terminal.end()
    assert code == 130
    assert not easyllm.config.exists()
