"""The command with litellm: exit codes, and nothing of litellm's own on stdout or stderr."""

from pathlib import Path
from typing import Any

import pytest

from tests.extras.litellm_row import LITELLM
from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.images import png
from tests.support.objects import parse_answer_json, parse_models_json
from tests.support.servers.fixtures import RealServer
from tests.support.standins.script import DONE, Script, Wait, chunk, script_handler
from tests.support.standins.server import Handler, StandIn

SLOW = 60.0  # seconds; importing litellm takes several, and many on a busy machine


def litellm_profiles(server: StandIn, **keys: Any) -> str:
    """Return a profiles file for the stand-in."""
    keys = {"model": "openai/m", "max_retries": 1, **keys}
    return single_profile_toml(f"{server.url}/v1", "litellm", **keys)


def test_command_prints_the_answer_alone(easyllm: Easyllm, smol: RealServer) -> None:
    short = {"grammar": 'root ::= "Hi there."'}
    profiles = single_profile_toml(
        f"{smol.url}/v1", "litellm", model=f"openai/{smol.model}", options=short
    )
    for command in ("chat", "stream"):
        ran = easyllm.run(command, "Say hi.", profiles=profiles, timeout=SLOW)
        assert (ran.code, ran.stdout, ran.stderr) == (0, b"Hi there.\n", "")


CUT = Script(chunk("Hel"), chunk("lo"))
UNTIL_IDLE = Script(chunk("Hel"), Wait(5))


@pytest.mark.parametrize(
    ("script", "code", "kind"),
    [
        (CUT, 7, "incomplete"),
        (UNTIL_IDLE, 7, "incomplete"),
        (LITELLM.refusal(401, "wrong key sk-secret-0123"), 3, "auth"),
        (LITELLM.refusal(429, "slow down"), 5, "busy"),
    ],
    ids=["cut", "idle", "401", "429"],
)
def test_exit_codes(easyllm: Easyllm, script: Script, code: int, kind: str) -> None:
    with StandIn(script_handler(script)) as server:
        profiles = litellm_profiles(
            server, api_key="sk-secret-0123", timeout={"idle": 0.3}, max_retries=0
        )
        ran = easyllm.run("chat", "--json", "hi", profiles=profiles, timeout=SLOW)
    answer = parse_answer_json(ran)
    assert (ran.code, answer["error"]["kind"]) == (code, kind)
    assert (answer["ok"], answer["complete"]) == (False, False)
    assert ran.error_line
    assert "sk-secret" not in ran.stderr + ran.stdout.decode()
    assert answer["text"] == ("Hello" if script is CUT else "Hel" if script is UNTIL_IDLE else "")


def test_nothing_listens_is_exit_6_at_once(easyllm: Easyllm) -> None:
    profiles = single_profile_toml("http://127.0.0.1:9/v1", "litellm", model="openai/m")
    ran = easyllm.run("chat", "hi", profiles=profiles, timeout=SLOW)
    assert (ran.code, ran.stdout) == (6, b"")
    assert "nothing listens at 127.0.0.1:9" in ran.error_line


def test_litellms_output_about_failing_keys_is_hidden(easyllm: Easyllm) -> None:
    """litellm's Router and its logging print a lot about each failure."""
    refusals = iter([LITELLM.refusal(401, "no"), LITELLM.refusal(401, "no")])
    good = chat_answer_script("Hello")

    async def handle(request: Any, reply: Any) -> None:
        await next(refusals, good).play(reply)

    handler: Handler = handle
    with StandIn(handler) as server:
        keys = ["sk-one-0123", "sk-two-0123", "sk-three-0123"]
        profiles = litellm_profiles(server, api_key=keys)
        ran = easyllm.run("chat", "hi", profiles=profiles, timeout=SLOW)
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    lines = ran.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("easyllm: key ") for line in lines), ran.stderr


def test_dry_run_and_models(easyllm: Easyllm) -> None:
    ran = easyllm.run("chat", "--dry-run", "-p", "litellm:openai/m", "hi", timeout=SLOW)
    assert (ran.code, ran.stdout) == (2, b"")
    assert "litellm" in ran.error_line
    ran = easyllm.run("models", "-p", "litellm", "--json", "gpt-4o", timeout=SLOW)
    assert ran.code == 0
    assert any(row["id"] == "gpt-4o" and row["vision"] for row in parse_models_json(ran)["models"])
    assert ran.error_line == "easyllm: from litellm's own table: no server was asked"


@pytest.mark.full
def test_vision_command(easyllm: Easyllm, eyes: RealServer, tmp_path: Path) -> None:
    image = tmp_path / "red.png"
    image.write_bytes(png(32, 32, (255, 0, 0)))
    profiles = single_profile_toml(
        f"{eyes.url}/v1", "litellm", model=f"openai/{eyes.model}", max_tokens=8
    )
    ran = easyllm.run("vision", str(image), "Which colour?", profiles=profiles, timeout=SLOW)
    assert b"red" in ran.stdout.lower(), ran.stderr
    assert ran.code == 0
    assert DONE not in ran.stdout
