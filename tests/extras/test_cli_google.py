"""The command with Gemini's SDK: answers, exit codes, and none of Google's warnings."""

from typing import Any

from tests.support.adapters import KEY
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.script import Cut, Script, compact, script_handler
from tests.support.standins.server import StandIn

STRICT = {"PYTHONWARNINGS": "error"}
HEL = compact({"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]})


def sdk_profile(server: StandIn, **keys: Any) -> str:
    settings = {"transport": "sdk", "model": "gemini-2.5-flash", "api_key": KEY}
    return single_profile_toml(server, "gemini", **{**settings, **keys})


def test_chat_prints_the_answer_alone(easyllm: Easyllm) -> None:
    """Python starts anew where the variable must turn a warning of an import into an error."""
    with StandIn(GeminiServer(key=KEY).handle) as server:
        for command, env in (("chat", STRICT), ("stream", {})):
            ran = easyllm.run(command, "hi", profiles=sdk_profile(server), env=env)
            assert (ran.code, ran.stderr) == (0, "")
            assert ran.stdout == b"Hello from gemini-2.5-flash: hi\n"
        ran = easyllm.run("cot", "hi", profiles=sdk_profile(server))
        assert (ran.code, ran.stdout) == (0, b"Hello from gemini-2.5-flash: hi\n")
        assert "no reasoning through this transport" in ran.stderr
        ran = easyllm.run("models", profiles=sdk_profile(server), env=STRICT)
        assert b"gemini-2.5-flash\n" in ran.stdout
        assert (ran.code, ran.stderr) == (0, "")


def test_exit_codes_of_a_cut_and_a_wrong_key(easyllm: Easyllm) -> None:
    with StandIn(
        script_handler(Script(b"[" + HEL, Cut(), content_type="application/json"))
    ) as server:
        ran = easyllm.run("chat", "hi", profiles=sdk_profile(server, max_retries=0))
        assert (ran.code, ran.stdout) == (7, b"")
        assert ran.error_line
    with StandIn(GeminiServer(key=KEY).handle) as server:
        ran = easyllm.run("chat", "hi", profiles=sdk_profile(server, api_key="sk-wrong"))
        assert (ran.code, ran.stdout) == (3, b"")
        assert "sk-wrong" not in ran.error_line
        ran = easyllm.run("chat", "--seed", "1", "hi", profiles=sdk_profile(server))
        assert ran.code == 2
        assert "seed" in ran.error_line
