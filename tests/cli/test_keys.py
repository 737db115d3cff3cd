"""Tests `easyllm keys` without a system keyring: a private file, and keys masked in output."""

import json
import os
import termios
from pathlib import Path

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    profile_toml,
    run_concurrently,
    single_profile_toml,
    split_error_line,
)
from tests.support.install_commands import installs_extra
from tests.support.objects import parse_listing_json
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import SGR, Terminal, run_on_terminals

KEY = "sk-very-secret-0123456789"


def key_file_of(easyllm: Easyllm) -> Path:
    return easyllm.config.with_name("keys.json")


def refused(ran: RunResult) -> tuple[str, str, str]:
    assert (ran.code, ran.stdout) == (2, b""), ran.stderr
    assert KEY not in ran.stderr
    return split_error_line(ran.error_line)


def test_set_list_use_remove(easyllm: Easyllm) -> None:
    ran = easyllm.run("keys", "set", "openai", stdin=f" {KEY} \nsecond line\n")
    path = key_file_of(easyllm)
    assert (ran.code, ran.stdout) == (0, b"")
    assert ran.error_line == f"easyllm: the key openai is stored ({path})"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"openai": {"key": KEY}}
    assert easyllm.run("keys").stdout == b"openai\n"
    rows = parse_listing_json(easyllm.run("keys", "--json"), "keys")["keys"]
    assert rows == [{"name": "openai", "where": str(path), "ends": "***6789", "problem": None}]
    with StandIn(script_handler(chat_answer_script("Hi"), chat_answer_script("Hi"))) as server:
        env = {"OPENAI_BASE_URL": f"{server.url}/v1"}
        assert easyllm.run("chat", "-p", "openai:m", "hi", env=env).stdout == b"Hi\n"
        assert easyllm.run("chat", "hi", profiles=single_profile_toml(server)).stdout == b"Hi\n"
        sent = [request.headers.get("authorization") for request in server.requests]
    assert sent == [f"Bearer {KEY}", None]
    ran = easyllm.run("keys", "remove", "openai")
    assert (ran.code, ran.stdout) == (0, b"")
    assert ran.error_line == "easyllm: the key openai is removed"
    assert json.loads(path.read_text()) == {}
    assert "no key is stored" in refused(easyllm.run("keys", "remove", "openai"))[0]
    assert "easyllm keys set" in easyllm.run("keys").error_line


def test_a_profile_names_its_key(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("Hi"))) as server:
        text = 'default_profile = "t"\n' + profile_toml(server, keyring="work")
        missing = easyllm.run("chat", "hi", profiles=text)
        assert missing.code == 3
        assert split_error_line(missing.error_line)[2] == "easyllm keys set work"
        assert easyllm.run("keys", "set", "work", stdin=KEY).stderr.count("\n") == 1
        assert easyllm.run("chat", "hi").stdout == b"Hi\n"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("name", "guess"), [("opnai", 'did you mean "openai"? Or '), ("zzz", "")])
def test_a_key_that_nothing_uses_is_refused_in_a_pipe(
    easyllm: Easyllm, name: str, guess: str
) -> None:
    ran = easyllm.run("keys", "set", name, stdin=KEY)
    assert refused(ran)[0] == f'no provider or profile uses "{name}"'
    hint = f"{guess}use it in a profile first: easyllm profiles set NAME keyring {name}"
    assert ran.error_line.endswith(f": {hint}")
    assert not key_file_of(easyllm).exists()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 2)])
def test_a_key_that_nothing_uses_is_asked_about_on_a_terminal(
    easyllm: Easyllm, answer: str, code: int
) -> None:
    with Terminal(easyllm, "keys", "set", "opnai", columns=200) as terminal:
        terminal.stderr.wait_for(b"[y/N]")
        os.write(terminal.keys, answer.encode() + b"\n")
        if code == 0:
            terminal.stderr.wait_for(b"(it is not shown): ")
            os.write(terminal.keys, KEY.encode() + b"\n")
        ended, _, err = terminal.end()
    assert ended == code, err
    question = '"opnai"; did you mean "openai"?\nStore it anyway? [y/N]'
    assert f"easyllm: no provider or profile uses {question}" in SGR.sub("", err)
    assert key_file_of(easyllm).exists() == (code == 0)


def test_an_unreadable_profiles_file_leaves_only_providers_names(easyllm: Easyllm) -> None:
    """Whether a profile uses another name cannot be known then."""
    easyllm.write_profiles("x = [")
    assert easyllm.run("keys", "set", "openai", stdin=KEY).code == 0
    assert refused(easyllm.run("keys", "set", "work", stdin=KEY))[0].startswith("not valid TOML")
    assert json.loads(key_file_of(easyllm).read_text()) == {"openai": {"key": KEY}}


@pytest.mark.parametrize(
    ("name", "key", "says"),
    [
        ("openai", "", "no key was given"), ("openai", "\n" + KEY, "no key was given"),
        ("openai", " \t\n", "no key was given"), ("openai", "clé-" + KEY, "characters"),
        ("openai", f"{KEY}\x1b[2J", "characters"), ("openai", "a\rb", "characters"),
        ("", KEY, "cannot be a key's name"), ("a\nb", KEY, "cannot be a key's name"),
    ],
)  # fmt: skip
def test_an_invalid_key_is_not_stored(easyllm: Easyllm, name: str, key: str, says: str) -> None:
    assert says in refused(easyllm.run("keys", "set", name, stdin=key))[0]
    assert not key_file_of(easyllm).exists()


def test_a_key_as_an_argument_is_refused(easyllm: Easyllm) -> None:
    ran = easyllm.run("keys", "set", "openai", KEY, stdin="")
    assert (ran.code, ran.stdout) == (2, b"")
    assert not key_file_of(easyllm).exists()


DAMAGED = ["{", "[]", '{"openai": "sk"}', '{"openai": {}}', '{"openai": {"keyring": false}}', ""]
DAMAGED += ['{"openai": {"key": 5}}', "[" * 100_000, '{"a": {"key": "x", "keyring": true}}']


@pytest.mark.parametrize("text", DAMAGED)
def test_fault_66_a_damaged_key_file_is_never_written_over(easyllm: Easyllm, text: str) -> None:
    path = key_file_of(easyllm)
    path.write_text(text)
    path.chmod(0o600)
    before = path.stat()
    for args in (["set", "openai"], ["remove", "openai"], ["list"]):
        error, where, _ = refused(easyllm.run("keys", *args, stdin=KEY))
        assert error.startswith("the key file is damaged")
        assert where.startswith(str(path))
    after = path.stat()
    assert path.read_text() == text
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_fault_59_an_open_key_file_is_refused(easyllm: Easyllm, mode: int) -> None:
    path = key_file_of(easyllm)
    path.write_text(json.dumps({"openai": {"key": KEY}}))
    path.chmod(mode)
    for args in (["keys", "set", "groq"], ["keys"], ["chat", "-p", "openai:m", "hi"]):
        error, _, hint = refused(easyllm.run(*args, stdin="x" * 20))
        assert "a file of keys needs a private file" in error
        assert hint == f"chmod 600 {path}"
    assert json.loads(path.read_text()) == {"openai": {"key": KEY}}
    assert path.stat().st_mode & 0o777 == mode


def test_twenty_keys_at_once_all_survive(easyllm: Easyllm) -> None:
    key_file_of(easyllm).parent.rmdir()
    names = [f"key{number}" for number in range(20)]
    profiles = easyllm.home / "profiles.toml"
    profiles.write_text("".join(f'[profiles.{name}]\nkeyring = "{name}"\n' for name in names))
    profiles.chmod(0o600)
    env = {"EASYLLM_PROFILES": str(profiles)}
    for ran in run_concurrently(*[
        lambda name=name: easyllm.run(
            "keys", "set", name, stdin=f"{name}-value", timeout=120, env=env
        )
        for name in names
    ]):  # fmt: skip
        assert ran.code == 0, ran.stderr
    stored = json.loads(key_file_of(easyllm).read_text())
    assert stored == {name: {"key": f"{name}-value"} for name in names}
    assert key_file_of(easyllm).parent.stat().st_mode & 0o777 == 0o700


def test_the_prompt_hides_the_key(easyllm: Easyllm) -> None:
    with Terminal(easyllm, "keys", "set", "openai") as terminal:
        terminal.stderr.wait_for(b"(it is not shown): ")
        assert not termios.tcgetattr(terminal.keys)[3] & termios.ECHO
        os.write(terminal.keys, KEY.encode() + b"\n")
        code, out, err = terminal.end()
    assert (code, out) == (0, "")
    assert KEY not in err
    assert json.loads(key_file_of(easyllm).read_text()) == {"openai": {"key": KEY}}


def test_ctrl_c_at_the_prompt_stores_nothing(easyllm: Easyllm) -> None:
    with Terminal(easyllm, "keys", "set", "openai") as terminal:
        terminal.stderr.wait_for(b"(it is not shown): ")
        terminal.signal(2)
        code, _, err = terminal.end()
    assert (code, "interrupted" in err) == (130, True)
    assert not key_file_of(easyllm).exists()


def test_list_on_a_terminal(easyllm: Easyllm) -> None:
    for name, key in (("openai", KEY), ("groq", "sk-12345678")):
        easyllm.run("keys", "set", name, stdin=key)
    _, out, _ = run_on_terminals(easyllm, "keys", terminals="1", columns=200)
    rows = [line.split() for line in SGR.sub("", out).splitlines()]
    path = "~/config/easyllm/keys.json"
    assert rows[0] == ["name", "key", "stored", "in"]
    assert rows[2:] == [["groq", "***", path], ["openai", "***6789", path]]
    assert parse_listing_json(easyllm.run("keys", "--json"), "keys")["keys"][0]["ends"] == "***"


def test_no_output_holds_a_stored_key(easyllm: Easyllm) -> None:
    """The command line does not hold it either: `keys set` reads the key from stdin."""
    easyllm.run("keys", "set", "openai", stdin=KEY)
    runs = run_concurrently(*[
        lambda args=args: easyllm.run(*args, env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
        for args in (
            ["keys", "--json"], ["keys", "--debug"], ["profiles", "show", "openai"],
            ["chat", "-p", "openai:m", "--dry-run", "hi"],
            ["chat", "-p", "openai:m", "--no-retry", "--debug", "--json", "hi"],
        )
    ])  # fmt: skip
    for ran in runs:
        assert KEY[:-4].encode() not in ran.stdout + ran.stderr.encode()


def test_the_key_is_read_to_the_end_of_its_line_only(easyllm: Easyllm) -> None:
    """`keys set` does not wait for the end of a pipe that stays open."""
    reading, writing = os.pipe()
    with easyllm.start("keys", "set", "openai", stdin=reading) as child:
        os.close(reading)
        os.write(writing, KEY.encode() + b"\n")
        assert child.wait(20) == 0
        os.close(writing)
    assert json.loads(key_file_of(easyllm).read_text()) == {"openai": {"key": KEY}}


def test_a_key_in_the_keyring_needs_the_extra(easyllm: Easyllm) -> None:
    """This venv has no extras; another installation may have stored the key."""
    path = key_file_of(easyllm)
    path.write_text('{"openai": {"keyring": true}}')
    path.chmod(0o600)
    for args in (["chat", "-p", "openai:m", "hi"], ["keys", "remove", "openai"]):
        error, _, hint = refused(easyllm.run(*args))
        assert error == "the package keyring is not installed"
        assert installs_extra(hint, "keyring")
    rows = parse_listing_json(easyllm.run("keys", "--json"), "keys")["keys"]
    assert (rows[0]["ends"], rows[0]["problem"]) == (None, "the package keyring is not installed")
