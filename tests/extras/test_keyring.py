"""`easyllm keys` with the package keyring: a real backend, one that fails, and none at all."""

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
# A keyring that somebody closes: what a locked one does to us.
LOCKED = """
from keyring import backend, errors
class Keyring(backend.KeyringBackend):
    priority = 9
    def get_password(self, service, name):
        raise errors.KeyringLocked("it is locked")
    set_password = delete_password = lambda self, *_: self.get_password("", "")
"""


def index(easyllm: Easyllm) -> Path:
    return easyllm.config.with_name("keys.json")


def test_a_key_in_the_system_keyring(easyllm: Easyllm) -> None:
    ran = easyllm.run("keys", "set", "openai", stdin=KEY, env=PLAIN)
    assert ran.error_line == "easyllm: the key openai is stored (system keyring)"
    assert json.loads(index(easyllm).read_text()) == {"openai": {"keyring": True}}
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
    assert json.loads(index(easyllm).read_text()) == {}
    assert easyllm.run("chat", "-p", "openai:m", "hi", env=PLAIN).code == 3


@pytest.mark.parametrize("env", [NONE, FAIL, {}])
def test_a_machine_without_a_keyring_has_the_file(easyllm: Easyllm, env: dict[str, str]) -> None:
    """{}: what keyring finds by itself; here that is a plain file, which it does not recommend."""
    ran = easyllm.run("keys", "set", "openai", stdin=KEY, env=env)
    assert ran.error_line == f"easyllm: the key openai is stored ({index(easyllm)})"
    assert json.loads(index(easyllm).read_text()) == {"openai": {"key": KEY}}


def test_a_key_is_in_one_place(easyllm: Easyllm) -> None:
    """The newest counts, wherever it is."""
    for env, key in ((NONE, "first-0123456789"), (PLAIN, "second-123456789"), (NONE, KEY)):
        assert easyllm.run("keys", "set", "openai", stdin=key, env=env).code == 0
        with StandIn(script_handler(chat_answer_script("Hi"))) as server:
            more = {**PLAIN, "OPENAI_BASE_URL": f"{server.url}/v1"}
            assert easyllm.run("chat", "-p", "openai:m", "hi", env=more).code == 0
            assert server.requests[0].headers["authorization"] == f"Bearer {key}"


def test_a_key_that_another_program_put_there(easyllm: Easyllm) -> None:
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
    assert not index(easyllm).exists()
    easyllm.run("keys", "set", "openai", stdin=KEY, env=PLAIN)
    asked = easyllm.run("chat", "-p", "openai:m", "hi", env=env)
    assert (asked.code, "it is locked" in asked.error_line) == (3, True)
    rows = parse_listing_json(easyllm.run("keys", "--json", env=env), "keys")["keys"]
    assert (rows[0]["ends"], "locked" in rows[0]["problem"]) == (None, True)


def test_an_ordinary_start_does_not_import_keyring(easyllm: Easyllm) -> None:
    """Neither with a variable, nor where no key is stored, nor for a key in the file."""
    told = {"PYTHONPROFILEIMPORTTIME": "1", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    variable = {**PLAIN, **told, "OPENAI_API_KEY": KEY}
    runs = [easyllm.run("chat", "--no-retry", "-p", "openai:m", "hi", env=variable)]
    assert "easyllm_cli.config.key_store" not in runs[0].stderr
    runs.append(easyllm.run("chat", "--no-retry", "-p", "openai:m", "hi", env={**PLAIN, **told}))
    easyllm.run("keys", "set", "openai", stdin=KEY, env=NONE)
    runs.append(easyllm.run("chat", "--no-retry", "-p", "openai:m", "hi", env={**PLAIN, **told}))
    for ran in runs:
        assert "httpx2" in ran.stderr
        assert "jaraco" not in ran.stderr
        assert " keyring\n" not in ran.stderr
