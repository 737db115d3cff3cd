"""`easyllm keys` with the keyring package: a working backend, failing ones, and none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.objects import parse_listing_json
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

KEY = "sk-very-secret-0123456789"
PLAIN = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"}
NONE = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
FAIL = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
# A backend that behaves like a locked keyring.
LOCKED = """
from keyring import backend, errors
class Keyring(backend.KeyringBackend):
    priority = 9
    def get_password(self, service, name):
        raise errors.KeyringLocked("it is locked")
    set_password = delete_password = lambda self, *_: self.get_password("", "")
"""


def keys_file(easyllm: Easyllm) -> Path:
    return easyllm.config.with_name("keys.json")


def test_a_key_in_the_system_keyring(easyllm: Easyllm) -> None:
    ran = easyllm.run("keys", "set", "openai", stdin=KEY, env=PLAIN)
    assert ran.error_line == "easyllm: the key openai is stored (system keyring)"
    assert json.loads(keys_file(easyllm).read_text()) == {"openai": {"keyring": True}}
    rows = parse_listing_json(easyllm.run("keys", "--json", env=PLAIN), "keys")["keys"]
    assert rows == [
        {"name": "openai", "where": "system keyring", "ends": "***6789", "problem": None}
    ]
    with StandIn(script_handler(chat_answer_script("Hi"))) as server:
        env = {**PLAIN, "OPENAI_BASE_URL": f"{server.url}/v1"}
        assert easyllm.run("chat", "-p", "openai:m", "hi", env=env).stdout == b"Hi\n"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    shown = easyllm.run("profiles", "show", "openai", env=PLAIN).stdout.decode()
    assert shown.splitlines()[-1].split()[:2] == ["key", '"***6789"']
    assert easyllm.run("keys", "remove", "openai", env=PLAIN).code == 0
    assert json.loads(keys_file(easyllm).read_text()) == {}
    assert easyllm.run("chat", "-p", "openai:m", "hi", env=PLAIN).code == 3


@pytest.mark.parametrize("env", [NONE, FAIL, {}])
def test_without_a_keyring_the_key_goes_to_the_file(easyllm: Easyllm, env: dict[str, str]) -> None:
    """{}: the backend that keyring finds by itself, here a plain file it does not recommend."""
    ran = easyllm.run("keys", "set", "openai", stdin=KEY, env=env)
    assert ran.error_line == f"easyllm: the key openai is stored ({keys_file(easyllm)})"
    assert json.loads(keys_file(easyllm).read_text()) == {"openai": {"key": KEY}}


def test_the_newest_key_counts(easyllm: Easyllm) -> None:
    """The newest key counts, whether it is in the file or in the keyring."""
    for env, key in ((NONE, "first-0123456789"), (PLAIN, "second-123456789"), (NONE, KEY)):
        assert easyllm.run("keys", "set", "openai", stdin=key, env=env).code == 0
        with StandIn(script_handler(chat_answer_script("Hi"))) as server:
            more = {**PLAIN, "OPENAI_BASE_URL": f"{server.url}/v1"}
            assert easyllm.run("chat", "-p", "openai:m", "hi", env=more).code == 0
            assert server.requests[0].headers["authorization"] == f"Bearer {key}"


def test_a_key_stored_by_another_program(easyllm: Easyllm) -> None:
    env = easyllm.variables(PLAIN)
    command = [sys.executable, "-m", "keyring", "set", "easyllm", "work"]
    subprocess.run(command, input=KEY.encode(), env=env, check=True, timeout=20)
    with StandIn(script_handler(chat_answer_script("Hi"))) as server:
        text = single_profile_toml(server, keyring="work")
        assert easyllm.run("chat", "hi", env=PLAIN, profiles=text).stdout == b"Hi\n"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_locked_keyring(easyllm: Easyllm) -> None:
    (easyllm.home / "locked.py").write_text(LOCKED)
    env = {"PYTHON_KEYRING_BACKEND": "locked.Keyring", "PYTHONPATH": str(easyllm.home)}
    ran = easyllm.run("keys", "set", "openai", stdin=KEY, env=env)
    assert (ran.code, KEY in ran.stderr) == (8, False)
    assert "it is locked" in ran.error_line
    assert not keys_file(easyllm).exists()
    easyllm.run("keys", "set", "openai", stdin=KEY, env=PLAIN)
    ran_chat = easyllm.run("chat", "-p", "openai:m", "hi", env=env)
    assert (ran_chat.code, "it is locked" in ran_chat.error_line) == (3, True)
    rows = parse_listing_json(easyllm.run("keys", "--json", env=env), "keys")["keys"]
    assert (rows[0]["ends"], "locked" in rows[0]["problem"]) == (None, True)


def test_an_ordinary_start_does_not_import_keyring(easyllm: Easyllm) -> None:
    """Neither for a key in a variable, nor without a stored key, nor for a key in the file."""
    settings = {"PYTHONPROFILEIMPORTTIME": "1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    variable = {**PLAIN, **settings, "OPENAI_API_KEY": KEY}
    runs = [easyllm.run("chat", "--no-retry", "-p", "openai:m", "hi", env=variable)]
    assert "easyllm_cli.config.key_store" not in runs[0].stderr
    runs.append(
        easyllm.run("chat", "--no-retry", "-p", "openai:m", "hi", env={**PLAIN, **settings})
    )
    easyllm.run("keys", "set", "openai", stdin=KEY, env=NONE)
    runs.append(
        easyllm.run("chat", "--no-retry", "-p", "openai:m", "hi", env={**PLAIN, **settings})
    )
    for ran in runs:
        assert "httpx2" in ran.stderr
        assert "jaraco" not in ran.stderr
        assert " keyring\n" not in ran.stderr
