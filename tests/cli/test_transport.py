"""`transport = "sdk"` as a process: the SDK's warnings and logs stay out of the output."""

import json
from typing import Any

import pytest

from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.standins.script import Cut, Script, chunk, script_handler
from tests.support.standins.server import StandIn

# Warnings that are not suppressed become errors; the SDK's log would be seen on stderr. Python and
# the SDK read such variables when they start, so a run with them is started, which imports the SDK
# anew and takes a second. Others get the key alone.
KEY = {"OPENAI_API_KEY": "sk-of-the-environment"}
STRICT = {"PYTHONWARNINGS": "error", **KEY}
REFUSED = Script(
    b'{"error": {"message": "wrong key", "code": "invalid_api_key"}}',
    status=401,
    content_type="application/json",
)


def sdk_profile(server: StandIn, provider: str = "openai", **keys: Any) -> str:
    return single_profile_toml(server, provider, **{"transport": "sdk", **keys})


def test_chat_and_stream_print_the_answer_alone(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("Hel", "lo"))) as server:
        for command, env in (("chat", KEY), ("stream", STRICT)):
            ran = easyllm.run(command, "hi", profiles=sdk_profile(server), env=env)
            assert (ran.code, ran.stdout, ran.stderr) == (0, b"Hello\n", "")
        assert len(server.requests) == 2


def test_cut_is_7_and_refused_key_is_3(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(chunk("Hel"), Cut()))) as server:
        ran = easyllm.run("chat", "hi", profiles=sdk_profile(server, max_retries=0), env=STRICT)
        assert (ran.code, ran.stdout) == (7, b"")
        assert "the answer was cut" in ran.error_line
    with StandIn(script_handler(REFUSED)) as server:
        ran = easyllm.run("chat", "hi", profiles=sdk_profile(server, api_key="sk-mine"), env=KEY)
        assert (ran.code, ran.stdout) == (3, b"")
        assert "wrong key" in ran.error_line
        assert server.requests[0].headers["authorization"] == "Bearer sk-mine"


def test_debug_log_of_the_sdk_holds_no_key(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profiles = sdk_profile(server, api_key="sk-mine-alone", headers={"X-Token": "hush-hush"})
        ran = easyllm.run("chat", "hi", profiles=profiles, env={**STRICT, "OPENAI_LOG": "debug"})
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert "openai" in ran.stderr
    for secret in ("sk-mine-alone", "hush-hush", STRICT["OPENAI_API_KEY"]):
        assert secret not in ran.stderr


def test_dry_run_shows_the_request_of_easyllm(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profiles = sdk_profile(server, api_key="sk-mine", options={"api_version": "1"})
        ran = easyllm.run("chat", "--dry-run", "hi", profiles=profiles, env=KEY)
        assert server.requests == []
    assert ran.code == 0
    shown = json.loads(ran.stdout)
    assert shown["url"] == f"{server.url}/v1/chat/completions"
    assert shown["headers"]["Authorization"] == "***"
    assert "api_version" not in shown["body"]


@pytest.mark.parametrize(
    ("provider", "hint"), [("ollama", "leave transport out"), ("gemini", "[gemini]'")]
)
def test_missing_transport_is_2(easyllm: Easyllm, provider: str, hint: str) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        ran = easyllm.run("chat", "hi", profiles=sdk_profile(server, provider), env=KEY)
        assert server.requests == []
    assert (ran.code, ran.stdout) == (2, b"")
    assert hint in ran.error_line
