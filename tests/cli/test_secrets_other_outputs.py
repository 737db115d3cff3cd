"""FAULT-58 for other outputs: every command, tracebacks of bugs, the library."""

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import LLMService
from easyllm_cli.errors import EasyLLMError
from tests.support.adapters import (
    CHAT_FORMAT,
    GEMINI_FORMAT,
    OLLAMA_FORMAT,
    OPENROUTER_FORMAT,
    RESPONSES_FORMAT,
    Wire,
)
from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    profile_toml,
    run_concurrently,
    single_profile_toml,
)
from tests.support.hostile import KeyLeakingServer, encode_key_variants, find_key_fragments
from tests.support.standins.script import Cut, Script, chunk, compact, script_handler
from tests.support.standins.server import StandIn

KEY = "sk-proj-7Qm2xVb9KdTz4LwRn8Yc3HsJf6"
PROTOCOLS: dict[str, tuple[str, str, Wire, dict[str, Any]]] = {
    "openai": ("openai", "/v1", CHAT_FORMAT, {}),
    "responses": ("openai", "/v1", RESPONSES_FORMAT, {"api": "responses"}),
    "openrouter": ("openrouter", "/api/v1", OPENROUTER_FORMAT, {}),
    "gemini": ("gemini", "/v1beta", GEMINI_FORMAT, {}),
    "ollama": ("ollama", "", OLLAMA_FORMAT, {}),
}
# Each asks a protocol for something of its own.
WAYS = [
    ("stream", "--jsonl", "hi"), ("chat", "--no-stream", "hi"), ("models",),
    ("doctor", "--call"), ("chat", "--dry-run", "hi"),
]  # fmt: skip
MORE_WAYS = [
    *WAYS, ("chat", "hi"), ("cot", "-v", "hi"), ("models", "--json"), ("models", "--debug", "sk-"),
    ("doctor", "--json", "--debug"), ("profiles", "show", "t"), ("profiles", "--json"),
    ("keys", "--json"), ("chat", "-m", "other", "--json", "hi"),
]  # fmt: skip


def read_files_left(easyllm: Easyllm) -> bytes:
    """Bytes of every file in the home, except the profiles and stored keys, which hold the key."""
    sources = {easyllm.config, easyllm.config.with_name("keys.json")}
    files = [path for path in easyllm.home.rglob("*") if path.is_file() and path not in sources]
    return b"\n".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fault_58_by_any_command(easyllm: Easyllm, protocol: str) -> None:
    """Including retries, model lists (stored for completion) and doctor's report."""
    provider, path, wire, keys = PROTOCOLS[protocol]
    ways = MORE_WAYS if protocol == "openai" else WAYS
    easyllm.run("keys", "set", provider, stdin=KEY)
    with StandIn(KeyLeakingServer("500", KEY, wire).handle) as server:
        env = {"MY_KEY": KEY}
        keys = {"api_key_env": "MY_KEY", "max_retries": 1, **keys}
        easyllm.write_profiles(single_profile_toml(server.url + path, provider, **keys))
        runs: list[RunResult] = run_concurrently(*[
            lambda args=args: easyllm.run(*args, env=env, timeout=60) for args in ways
        ])  # fmt: skip
        assert find_key_fragments(
            KEY, repr([request.headers for request in server.requests]).encode()
        ), "the key was sent"
    for args, ran in zip(ways, runs, strict=True):
        output = ran.stdout + ran.stderr.encode()
        assert not find_key_fragments(KEY, output), (
            args,
            find_key_fragments(KEY, output)[:1],
            output.decode(),
        )
        assert output, args
    assert not find_key_fragments(KEY, read_files_left(easyllm))


BROKEN = """
from easyllm_cli import OpenAIProvider

class Provider(OpenAIProvider):
    def request(self, messages, stream):
        key = self.key.reveal()
        try:
            {key: 1}["Bearer " + key]
        except KeyError as error:
            raise ZeroDivisionError(f"with {key!r} and {key[::-1]}") from error
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a plugin whose exception holds the key."""
    (tmp_path / "broken_plugin.py").write_text(BROKEN)
    info = tmp_path / "broken_plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1\n")
    entry = "[easyllm_cli.providers]\nbroken = broken_plugin:Provider\n"
    (info / "entry_points.txt").write_text(entry)
    return tmp_path


# Only the failing code still holds the key: a plain string, read from its variable.
BUG = """
import os
from easyllm_cli.cli import answer

def broken(self, *_):
    key = os.environ["MY_KEY"]
    try:
        {}["Bearer " + key]
    except KeyError as error:
        raise ZeroDivisionError(f"with {key!r} and {key[::-1]}") from error

answer.AnswerRun._report_usage = broken
"""


def test_fault_58_in_the_traceback_of_a_bug(easyllm: Easyllm, site: Path) -> None:
    """A bug of easyllm is exit code 1; a plugin's is 2, and the error names the plugin."""
    env = {"PYTHONPATH": str(site), "MY_KEY": KEY}
    (site / "bug").mkdir()
    (site / "bug" / "sitecustomize.py").write_text(BUG)
    buggy = env | {"PYTHONPATH": f"{site}/bug"}
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        ours = single_profile_toml(server, api_key_env="MY_KEY")
        easyllm.write_profiles(
            ours + profile_toml(server, "broken", "plugin", api_key_env="MY_KEY")
        )
        line, debug, json, plugin, plugins = run_concurrently(
            lambda: easyllm.run("chat", "hi", env=buggy),
            lambda: easyllm.run("chat", "--debug", "hi", env=buggy),
            lambda: easyllm.run("chat", "--json", "--debug", "hi", env=buggy),
            lambda: easyllm.run("chat", "-p", "plugin", "hi", env=env),
            lambda: easyllm.run("chat", "-p", "plugin", "--debug", "hi", env=env),
        )
    for ran, code in ((line, 1), (debug, 1), (json, 1), (plugin, 2), (plugins, 2)):
        assert ran.code == code, ran.stderr
        assert not find_key_fragments(KEY, ran.stdout + ran.stderr.encode()), ran.stderr
    for ran in (line, plugin):
        assert "ZeroDivisionError: with '***' and ***" in ran.error_line
    for ran in (debug, json, plugins):
        assert "Traceback" in ran.stderr
        assert "KeyError: '" in ran.stderr
    assert json.json["error"]["kind"] == "bug"


def test_answers_are_not_redacted(easyllm: Easyllm) -> None:
    """A key that the model writes stays in the answer and in the partial answer."""
    words = f"your key is {KEY}, in base64 {encode_key_variants(KEY)[1]}"
    whole = chat_answer_script(words, reasoning=f"Hm, {KEY}")
    cut = Script(chunk(words), Cut())
    with StandIn(script_handler(whole, whole, whole, cut)) as server:
        easyllm.write_profiles(single_profile_toml(server, api_key=KEY, max_retries=0))
        assert easyllm.run("chat", "-R", "hi").stdout.decode() == words + "\n"
        answer = easyllm.run("chat", "--json", "hi").json
        assert (answer["text"], answer["reasoning"]) == (words, f"Hm, {KEY}")
        events = easyllm.run("stream", "--jsonl", "hi").events
        assert [event["text"] for event in events if event["kind"] == "text"] == [words]
        assert events[-1]["text"] == words
        failed = easyllm.run("chat", "hi")
    assert (failed.code, failed.stdout) == (7, b"")
    assert not find_key_fragments(KEY, failed.stderr.encode())
    assert easyllm.partials()[0].read_text() == words


def texts_of(error: BaseException | None) -> Iterator[str]:
    """All texts that an EasyLLMError can be printed or logged as, without its partial answer."""
    while isinstance(error, EasyLLMError):
        yield f"{error} {error!r} {error.args} {error.what}"
        yield repr({name: value for name, value in vars(error).items() if name != "partial"})
        yield repr(pickle.dumps(error))
        error = error.__context__


@pytest.mark.parametrize("case", ["401", "404", "500", "code", "page", "redirect", "frame"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_fault_58_in_the_library(
    protocol: str, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No exception and no log record holds the key."""
    provider, path, wire, keys = PROTOCOLS[protocol]
    with StandIn(KeyLeakingServer(case, KEY, wire).handle) as server:
        config = {
            "provider": provider, "endpoint": server.url + path, "model": "m", "api_key": KEY,
            "max_retries": 1, "initial_retry_delay": 0.01, **keys,
        }  # fmt: skip
        with caplog.at_level(logging.DEBUG, "easyllm_cli"), pytest.raises(EasyLLMError) as caught:
            await LLMService().chat(config, [{"role": "user", "content": "hi"}])
    records = [record for record in caplog.records if record.name.startswith("easyllm_cli")]
    logged = "\n".join(record.getMessage() for record in records)
    assert records
    for text in (*texts_of(caught.value), logged):
        assert not find_key_fragments(KEY, text.encode()), text


def test_fault_58_in_the_metadata_of_an_answer(easyllm: Easyllm) -> None:
    """Finish reason, model name, and the note about a refused parameter."""
    error = {"message": f"temperature {KEY} is not supported", "param": "temperature"}
    refused = Script(compact({"error": error}), status=400, content_type="application/json")
    ended = Script(chunk("Hello", model=KEY, id=KEY), chunk(finish=KEY, system_fingerprint=KEY))
    ways = ("--json",), ("--jsonl",), ("-v", "-u")
    with StandIn(script_handler(*[refused, ended] * len(ways))) as server:
        easyllm.write_profiles(single_profile_toml(server, api_key=KEY, temperature=0.5))
        for args in ways:
            ran = easyllm.run("stream", *args, "hi")
            assert b"Hello" in ran.stdout, ran.stderr
            assert not find_key_fragments(KEY, ran.stdout + ran.stderr.encode()), (
                ran.stdout + ran.stderr.encode()
            )
            assert "temperature" in ran.stderr, "the note"
