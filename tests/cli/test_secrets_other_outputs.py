"""Promise 58 on the other ways out: every command, a bug of ours, the library."""

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
WAYS = [
    ("stream", "--jsonl", "hi"), ("chat", "hi"), ("cot", "-v", "hi"), ("chat", "--no-stream", "hi"),
    ("models",), ("models", "--json"), ("models", "--debug", "sk-"), ("doctor", "--call"),
    ("doctor", "--json", "--debug"), ("chat", "--dry-run", "hi"), ("profiles", "show", "t"),
    ("profiles", "--json"), ("keys", "--json"), ("chat", "-m", "other", "--json", "hi"),
]  # fmt: skip


def left(easyllm: Easyllm) -> bytes:
    """Every file in the home but the profiles and the stored keys, which hold the key."""
    sources = {easyllm.config, easyllm.config.with_name("keys.json")}
    files = [path for path in easyllm.home.rglob("*") if path.is_file() and path not in sources]
    return b"\n".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fault_58_by_any_command(easyllm: Easyllm, protocol: str) -> None:
    """Retries, lists of models (kept for completion) and doctor's findings included."""
    provider, path, wire, keys = PROTOCOLS[protocol]
    easyllm.run("keys", "set", provider, stdin=KEY)
    with StandIn(KeyLeakingServer("500", KEY, wire).handle) as server:
        env = {"MY_KEY": KEY}
        keys = {"api_key_env": "MY_KEY", "max_retries": 1, **keys}
        easyllm.write_profiles(single_profile_toml(server.url + path, provider, **keys))
        runs: list[RunResult] = run_concurrently(*[
            lambda args=args: easyllm.run(*args, env=env, timeout=60) for args in WAYS
        ])  # fmt: skip
        assert find_key_fragments(KEY, repr([one.headers for one in server.requests]).encode()), (
            "it was sent"
        )
    for args, ran in zip(WAYS, runs, strict=True):
        told = ran.stdout + ran.stderr.encode()
        assert not find_key_fragments(KEY, told), (
            args,
            find_key_fragments(KEY, told)[:1],
            told.decode(),
        )
        assert told, args
    assert not find_key_fragments(KEY, left(easyllm))


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
    """A plugin that breaks with the key in its hands."""
    (tmp_path / "broken_plugin.py").write_text(BROKEN)
    info = tmp_path / "broken_plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1\n")
    entry = "[easyllm_cli.providers]\nbroken = broken_plugin:Provider\n"
    (info / "entry_points.txt").write_text(entry)
    return tmp_path


# Nobody holds the key by then but whoever breaks: its variable's value is a plain string.
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
    """Ours: exit code 1; a plugin's: 2, and it is named."""
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


def test_the_answers_bytes_are_the_models_own(easyllm: Easyllm) -> None:
    """A key that a model says stays in the answer, and in what is kept of it (DESIGN §7)."""
    words = f"your key is {KEY}, in base64 {encode_key_variants(KEY)[1]}"
    spoken = chat_answer_script(words, reasoning=f"Hm, {KEY}")
    cut = Script(chunk(words), Cut())
    with StandIn(script_handler(spoken, spoken, spoken, cut)) as server:
        easyllm.write_profiles(single_profile_toml(server, api_key=KEY, max_retries=0))
        assert easyllm.run("chat", "-R", "hi").stdout.decode() == words + "\n"
        made = easyllm.run("chat", "--json", "hi").json
        assert (made["text"], made["reasoning"]) == (words, f"Hm, {KEY}")
        events = easyllm.run("stream", "--jsonl", "hi").events
        assert [one["text"] for one in events if one["kind"] == "text"] == [words]
        assert events[-1]["text"] == words
        failed = easyllm.run("chat", "hi")
    assert (failed.code, failed.stdout) == (7, b"")
    assert not find_key_fragments(KEY, failed.stderr.encode())
    assert easyllm.partials()[0].read_text() == words


def parts_of(error: BaseException | None) -> Iterator[str]:
    """Everything that an exception of ours can be printed or logged as, its partial aside."""
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
    """No exception holds it, and nothing that we log."""
    provider, path, wire, keys = PROTOCOLS[protocol]
    with StandIn(KeyLeakingServer(case, KEY, wire).handle) as server:
        config = {
            "provider": provider, "endpoint": server.url + path, "model": "m", "api_key": KEY,
            "max_retries": 1, "initial_retry_delay": 0.01, **keys,
        }  # fmt: skip
        with caplog.at_level(logging.DEBUG, "easyllm_cli"), pytest.raises(EasyLLMError) as caught:
            await LLMService().chat(config, [{"role": "user", "content": "hi"}])
    ours = [one for one in caplog.records if one.name.startswith("easyllm_cli")]
    logged = "\n".join(one.getMessage() for one in ours)
    assert ours
    for text in (*parts_of(caught.value), logged):
        assert not find_key_fragments(KEY, text.encode()), text


def test_fault_58_in_what_surrounds_an_answer(easyllm: Easyllm) -> None:
    """Why it ended, who answered, and what a note says of a parameter that was refused."""
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
