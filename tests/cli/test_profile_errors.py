"""Errors of profiles, keys and endpoints name line and column, and suggest the nearest name."""

import os
import time
from pathlib import Path

import pytest

from tests.support.binary import (
    BINARY,
    POWERLESS,
    Easyllm,
    RunResult,
    profile_toml,
    single_profile_toml,
    split_error_line,
)
from tests.support.install_commands import installs_extra
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Script, chunk, script_handler
from tests.support.standins.server import StandIn

KEY = "sk-very-secret-0123456789"
NOWHERE = "http://127.0.0.1:9/v1"
OPENAI = {"OPENAI_API_KEY": KEY}


def error_parts(ran: RunResult, code: int = 2) -> tuple[str, str, str]:
    """Check the exit code and the empty stdout; return the error line's what, where and hint."""
    assert (ran.code, ran.stdout) == (code, b""), ran.stderr
    assert KEY not in ran.stderr
    return split_error_line(ran.error_line)


@pytest.mark.parametrize(
    ("text", "what", "place", "hint"),
    [
        ('[profiles.t]\nprovider = "ollama\n', "not valid TOML", "2:", ""),
        ("[profiles.t]\nprovider =\n", "not valid TOML", "2:", ""),
        ('[profiles.t]\nprovider = "ollama"\n[profiles.t]\n', "not valid TOML", "3", ""),
        ('[profiles.t]\nprovider = "ollama"\ntemprature = 1\n', "temprature", "3:1", "temperature"),
        ('[profiles.t]\n  modle = "x"\n', "modle", "2:3", "model"),
        ('[profiles.t]\nprovider = "ollama"\ntemperature = "hot"\n', "a number", "3:1", ""),
        ('[profiles.t]\nprovider = "ollama"\nmax_tokens = true\n', "a whole number", "3:1", ""),
        ('[profiles.t]\nprovider = "ollama"\nmax_tokens = 0\n', "0", "3:1", "at least 1"),
        ('[profiles.t]\nprovider = "ollama"\ntemperature = 9\n', "9", "3:1", "between 0 and 2"),
        ('[profiles.t]\nprovider = "ollama"\ntemperature = nan\n', "nan", "3:1", "between"),
        ('[profiles.t]\nprovider = "ollama"\nreasoning = "much"\n', "much", "3:1", "medium"),
        ('[profiles.t]\nprovider = "ollama"\ntimeout = 5\n', "timeout", "3:1", "first_token"),
        ('[profiles.t]\nprovider = "ollama"\ntimeout = { idel = 5 }\n', "idel", "3:13", "idle"),
        ('[profiles.t]\nprovider = "ollama"\ntimeout = { idle = 0 }\n', "idle", "3:13", ""),
        ('[profiles.t]\napi_key_env = "A"\napi_key_cmd = "b"\n', "two sources", "3:1", "keep one"),
        ('[profiles.t]\nextends = "groq"\napi_key_env = ["A"]\n', "only litellm", "3:1", "one"),
        ('[profiles.t]\nextends = "olama"\n', "olama", "2:1", "ollama"),
        ('[profiles.t]\nextends = "t"\n', "t", "2:1", ""),
        ('[profiles.t]\nprovider = "olama"\n', "olama", "2:1", "ollama"),
        ('[profiles.t]\nmodel = "x"\n', "no provider", "1:1", "provider ="),
        ('profiles.t = 5\n', "must be a table", "1:1", "[profiles.t]"),
        ('default_profil = "t"\n[profiles.t]\n', "default_profil", "1:1", "default_profile"),
        ("# ü\n[profiles.t]\nprovider = 5\n", "provider", "3:1", ""),
    ],
)  # fmt: skip
def test_wrong_profiles_file(easyllm: Easyllm, text: str, what: str, place: str, hint: str) -> None:
    message, where, advice = error_parts(easyllm.run("chat", "-p", "t", "hi", profiles=text))
    assert what in message
    assert where.startswith(f"{easyllm.config}:{place}"), where
    assert hint in advice
    assert easyllm.config.read_text() == text, "never rewritten"


def test_unknown_profile(easyllm: Easyllm) -> None:
    text = profile_toml(NOWHERE, name="work-gpt") + profile_toml(NOWHERE, name="r1")
    what, where, hint = error_parts(easyllm.run("chat", "-p", "wrok-gpt", "hi", profiles=text))
    assert "wrok-gpt" in what
    assert where == str(easyllm.config)
    assert "work-gpt" in hint
    assert "openai" in error_parts(easyllm.run("chat", "-p", "opnai", "hi"))[2]
    assert "work-gpt" in error_parts(easyllm.run("chat", "-p", "xyzzy", "hi"))[2], (
        "all names are listed"
    )
    missing = easyllm.run("chat", "hi", profiles='default_profile = "gone"\n')
    assert "gone" in error_parts(missing)[0]


def test_no_profile_is_chosen(easyllm: Easyllm) -> None:
    assert "-p" in error_parts(easyllm.run("chat", "hi"))[2]


def test_fault_65_file_that_cannot_be_read(easyllm: Easyllm) -> None:
    elsewhere = easyllm.home / "other.toml"
    assert error_parts(easyllm.run("chat", "--profiles", str(elsewhere), "hi"))[1] == str(elsewhere)
    named = easyllm.run("chat", "hi", env={"EASYLLM_PROFILES": str(elsewhere)})
    assert error_parts(named)[1] == str(elsewhere)
    assert error_parts(easyllm.run("chat", "--profiles", "/", "hi"))[1] == "/"
    elsewhere.write_bytes(b"# \xff\n")
    assert "byte 2" in error_parts(easyllm.run("chat", "--profiles", str(elsewhere), "hi"))[0]
    with elsewhere.open("wb") as file:
        file.truncate(2 << 20)
    assert "1 MiB" in error_parts(easyllm.run("chat", "--profiles", str(elsewhere), "hi"))[0]
    elsewhere.write_text("a = " + "[" * 100_000)
    assert "TOML" in error_parts(easyllm.run("chat", "--profiles", str(elsewhere), "hi"))[0]
    os.mkfifo(easyllm.home / "pipe")
    assert error_parts(easyllm.run("chat", "--profiles", "pipe", "hi"))[1] == "pipe"


@pytest.mark.skipif(os.name == "nt", reason="Windows runs without mode checks")
def test_file_without_permission(easyllm: Easyllm) -> None:
    easyllm.write_profiles(single_profile_toml(NOWHERE), mode=0)
    powerless = [*POWERLESS, BINARY] if os.getuid() == 0 else None
    what, where, _ = error_parts(easyllm.run("chat", "hi", command=powerless))
    assert "Permission denied" in what
    assert where == str(easyllm.config)


def test_fault_61_nothing_is_read_from_the_current_folder(easyllm: Easyllm) -> None:
    Path(easyllm.home, "profiles.toml").write_text(single_profile_toml(NOWHERE))
    Path(easyllm.home, ".env").write_text(f"EASYLLM_PROFILE=openai\nOPENAI_API_KEY={KEY}\n")
    assert "no profile is chosen" in error_parts(easyllm.run("chat", "hi"))[0]


@pytest.mark.parametrize(
    ("provider", "variable"),
    [("openai", "OPENAI_API_KEY"), ("openrouter", "OPENROUTER_API_KEY"),
     ("gemini", "GEMINI_API_KEY"), ("deepseek", "DEEPSEEK_API_KEY")],
)  # fmt: skip
def test_missing_key(easyllm: Easyllm, provider: str, variable: str) -> None:
    what, _, hint = error_parts(easyllm.run("chat", "-p", provider, "-m", "x", "hi"), 3)
    assert variable in what
    assert f"export {variable}=" in hint


def test_missing_key_of_a_named_source(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        for keys, says in [
            ({"api_key_env": "MY_KEY"}, "MY_KEY"),
            ({"api_key_file": "~/none"}, "No such file"),
            ({"api_key_cmd": "false"}, "exit code 1"),
            ({"api_key_cmd": "true"}, "printed no key"),
            ({"api_key_cmd": "/no/such/command"}, "cannot run"),
        ]:
            ran = easyllm.run(
                "chat", "hi", profiles=single_profile_toml(server, **keys), env=OPENAI
            )
            assert says in error_parts(ran, 3)[0], "only the named source is used"
        assert not server.requests


def test_fault_59_and_61_key_in_a_file_that_others_read(easyllm: Easyllm) -> None:
    easyllm.write_profiles(single_profile_toml(NOWHERE, api_key=KEY), mode=0o644)
    hint = error_parts(easyllm.run("chat", "hi"))[2]
    assert hint == f"chmod 600 {easyllm.config}"
    easyllm.write_profiles(single_profile_toml(NOWHERE, api_key_cmd=f"echo {KEY}"), mode=0o640)
    assert error_parts(easyllm.run("chat", "hi"))[2] == f"chmod 600 {easyllm.config}"
    key_file = easyllm.home / "a key"
    key_file.write_text(KEY)
    key_file.chmod(0o644)
    easyllm.write_profiles(single_profile_toml(NOWHERE, api_key_file=str(key_file)), mode=0o644)
    assert error_parts(easyllm.run("chat", "hi"))[2] == f"chmod 600 '{key_file}'"


def test_fault_60_key_over_plain_http(easyllm: Easyllm) -> None:
    """Refused before any DNS lookup and any request."""
    for keys in [{"api_key": KEY}, {"api_key_env": "OPENAI_API_KEY"}]:
        profiles = single_profile_toml("http://models.invalid/v1", **keys)
        what, _, hint = error_parts(easyllm.run("chat", "hi", profiles=profiles, env=OPENAI))
        assert "http://" in what
        assert "https://" in hint


@pytest.mark.parametrize(
    "endpoint", ["api.openai.com", "ftp://x/v1", "http://", "http://a:b@x/v1", "http://x/v1?k=5",
                 "http://x:99999/v1"],
)  # fmt: skip
def test_invalid_endpoint(easyllm: Easyllm, endpoint: str) -> None:
    error_parts(easyllm.run("chat", "hi", profiles=single_profile_toml(endpoint)))


def test_key_variable_is_not_used_for_another_endpoint(easyllm: Easyllm) -> None:
    """A provider's key variable is used for its own hosts only."""
    with StandIn(script_handler(Script(chunk("ok"), chunk(finish="stop")))) as server:
        assert easyllm.run("chat", "hi", profiles=single_profile_toml(server), env=OPENAI).code == 0
        assert "authorization" not in server.requests[0].headers


def test_dead_host(easyllm: Easyllm) -> None:
    began = time.monotonic()
    profiles = single_profile_toml("http://models.invalid/v1", max_retries=0)
    what, _, hint = error_parts(easyllm.run("chat", "hi", profiles=profiles), 6)
    assert "models.invalid" in what
    assert hint
    assert time.monotonic() - began < 10


def test_a_provider_whose_package_is_not_installed(easyllm: Easyllm) -> None:
    what, _, hint = error_parts(easyllm.run("chat", "-p", "litellm:openai/gpt-4o", "hi"))
    assert what == "the package litellm is not installed"
    assert installs_extra(hint, "litellm")
