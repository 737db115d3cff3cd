"""The keys that a recording must not hold, though this command did not use them."""

import json
import os
from pathlib import Path

import pytest

from easyllm_cli import LLMService
from easyllm_cli.config.known_keys import find_known_keys
from easyllm_cli.config.paths import config_folder, keys_file
from easyllm_cli.errors import UsageError
from tests.support.adapters import HTTP_ADAPTERS
from tests.support.binary import chat_answer_script, toml
from tests.support.replaying import ask
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

KEY = "0123-another-key-4567"
# Where a key may be: variables of the environment, or settings of a profile.
VARIABLES = ("OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "HF_TOKEN", "GITHUB_TOKEN")
SETTINGS: dict[str, dict[str, object]] = {
    "api_key": {"api_key": KEY},
    "a list of keys": {"provider": "litellm", "api_key": ["other", KEY]},
    "api_key_env": {"api_key_env": "ANY_NAME"},
    "a list of variables": {"provider": "litellm", "api_key_env": ["NOT_SET", "ANY_NAME"]},
    "api_key_file": {"api_key_file": "~/key"},
    "header": {"headers": {"X-Auth": KEY}},
    "header from a variable": {"headers": {"X-Auth": "env:ANY_NAME"}},
}


def write_profiles(**tables: dict[str, object]) -> None:
    """Write the user's profiles file."""
    path = config_folder() / "profiles.toml"
    path.parent.mkdir(parents=True)
    lines = [f"profiles.{name} = {toml(table)}\n" for name, table in tables.items()]
    path.write_text("".join(lines))
    path.chmod(0o600)


def write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


async def assert_refused(path: Path) -> None:
    """A prompt with the key is refused before it is sent; one with most of it is not."""
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        profile = HTTP_ADAPTERS[0].profile(server)
        service = LLMService(record=path)
        assert (await ask(service, profile, f"use {KEY[1:]}")).error is None
        refused = await ask(service, profile, f"use {KEY}")
        assert len(server.requests) == 1
    assert isinstance(refused.error, UsageError)
    assert KEY not in path.read_text()


@pytest.mark.parametrize("name", VARIABLES)
async def test_rec_2_a_key_of_a_variable(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, KEY)
    await assert_refused(tmp_path / "a.jsonl")


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
async def test_rec_2_a_key_of_another_profile(
    settings: dict[str, object], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profiles(first={"provider": "ollama"}, other={"provider": "openai", **settings})
    if settings.get("api_key_file"):
        write_private(home / "key", f"{KEY}\n")
    if "ANY_NAME" in str(settings):
        monkeypatch.setenv("ANY_NAME", KEY)
    await assert_refused(tmp_path / "a.jsonl")


async def test_rec_2_a_stored_key(tmp_path: Path) -> None:
    write_private(keys_file(), json.dumps({"groq": {"keyring": True}, "work": {"key": KEY}}))
    await assert_refused(tmp_path / "a.jsonl")


def test_nothing_runs_or_waits_and_what_cannot_be_read_is_left_out(home: Path) -> None:
    os.mkfifo(home / "fifo")
    write_private(home / "others-read", KEY)
    (home / "others-read").chmod(0o644)
    write_profiles(
        command={"api_key_cmd": f"touch {home}/ran"},
        fifo={"api_key_file": str(home / "fifo")},
        missing={"api_key_file": str(home / "missing")},
        unsafe={"api_key_file": str(home / "others-read")},
        short={"api_key": "short"},
        wrong={"api_key": [7], "api_key_env": 7, "headers": "no table"},
        right={"api_key": KEY},
    )
    write_private(keys_file(), "damaged")
    assert [key.reveal() for key in find_known_keys(None)] == [KEY]
    assert not (home / "ran").exists()
    (config_folder() / "profiles.toml").write_text("damaged")
    assert find_known_keys(None) == []
