"""Untrusted files: open to others, owned by others, damaged, or in the current folder."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    run_concurrently,
    single_profile_toml,
    split_error_line,
)
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

KEY = "sk-proj-7Qm2xVb9KdTz4LwRn8Yc3HsJf6"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows runs without mode checks")


@pytest.mark.parametrize(
    ("held", "mode"),
    [("api_key", mode) for mode in (0o644, 0o640, 0o620, 0o604)]
    + [("api_key_file", 0o640), ("keys.json", 0o644)],
)
def test_fault_59_key_file_open_to_others_is_refused(
    easyllm: Easyllm, mode: int, held: str
) -> None:
    """The hint is a command to paste that fixes it, even with blanks and quotes in the path."""
    folder = easyllm.home / "my 'own' $HOME"
    folder.mkdir()
    file, key_file = folder / "the profiles.toml", folder / "a key"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    keys: dict[str, Any] = {"api_key_file": str(key_file)} if held == "api_key_file" else {}
    if held == "api_key":
        keys = {"api_key": KEY}
    if held == "keys.json":
        named = '[profiles.w]\nkeyring = "work"\n'
        assert easyllm.run("keys", "set", "work", stdin=KEY, profiles=named).code == 0
        keys = {"keyring": "work"}
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        file.write_text(single_profile_toml(server, **keys))
        file.chmod(0o600)
        opened = {"api_key": file, "api_key_file": key_file}.get(
            held, easyllm.config.with_name("keys.json")
        )
        opened.chmod(mode)
        args = ("chat", "--profiles", str(file), "hi")
        ran = easyllm.run(*args)
        what, _, hint = split_error_line(ran.error_line)
        assert (ran.code, ran.stdout) == (2, b""), ran.stderr
        assert "by others" in what
        assert server.requests == []
        subprocess.run(["sh", "-c", hint], check=True)
        ran = easyllm.run(*args)
        assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def open_to_others(path: Path) -> None:
    path.chmod(0o664)


def give_away(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 65533, 65533)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(open_to_others, "can be written by others"), (give_away, "somebody else")],
)
@pytest.mark.parametrize("source", ["api_key_cmd", "api_key"])
def test_fault_61_no_command_of_an_untrusted_file_is_run(
    easyllm: Easyllm, spoil: Callable[[Path], None], says: str, source: str
) -> None:
    mark = easyllm.home / "it was run"
    keys: dict[str, Any] = {source: ["touch", str(mark)] if source == "api_key_cmd" else KEY}
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        spoil(easyllm.write_profiles(single_profile_toml(server, **keys)))
        for args in (
            ("chat", "hi"),
            ("models",),
            ("doctor",),
            ("profiles", "set", "t", "seed", "1"),
        ):
            ran = easyllm.run(*args)
            assert ran.code == 2, ran.stderr
            assert says in ran.stderr + ran.stdout.decode()
        assert server.requests == []
    assert not mark.exists()


def loosen_the_folder(path: Path) -> None:
    path.parent.chmod(0o777)


@pytest.mark.parametrize(
    ("spoil", "named_by"),
    [(open_to_others, "the usual place"), (give_away, "the usual place"),
     (loosen_the_folder, "the usual place"), (open_to_others, "--profiles"),
     (open_to_others, "EASYLLM_PROFILES")],
)  # fmt: skip
def test_fault_61_file_that_others_can_write_is_refused_by_every_command(
    easyllm: Easyllm, spoil: Callable[[Path], None], named_by: str
) -> None:
    """Whatever the file holds: an endpoint and a variable's name are enough to steal a key."""
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        text = single_profile_toml(
            server, api_key_env="OPENAI_API_KEY", headers={"x-more": "env:AWS_SECRET"}
        )
        path = easyllm.write_profiles(text)
        if named_by != "the usual place":
            (easyllm.home / "own").mkdir()
            path = path.rename(easyllm.home / "own" / "p.toml")
        spoil(path)
        before = state_of(path)
        env = {"OPENAI_API_KEY": KEY, "AWS_SECRET": KEY}
        if named_by == "EASYLLM_PROFILES":
            env["EASYLLM_PROFILES"] = str(path)
        option = ["--profiles", str(path)] if named_by == "--profiles" else []
        commands = [["profiles", "edit"], ["chat", "--dry-run", "hi"], ["stream", "hi"], *EVERY]
        if (spoil, named_by) != (open_to_others, "the usual place"):
            commands = commands[:5]  # the same code finds the other kinds in all commands

        def check(args: list[str]) -> None:
            ran = easyllm.run(*args, *option, stdin="", env={**env, "EDITOR": "true"})
            output = ran.stdout.decode() if args[0] == "doctor" else ran.error_line
            assert ran.code == 2, (args, ran.stderr)
            assert "others" in output or "somebody else" in output or args[0] == "init", output
            assert "chmod" in output or "of your own" in output or args[0] == "init", output

        run_concurrently(*[lambda args=args: check(args) for args in commands])
        assert server.requests == []
    assert state_of(path) == before


def test_fault_61_completion_ignores_an_untrusted_file(easyllm: Easyllm) -> None:
    """Shell completion offers the built-in names only, and prints no error."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9/v1", name="planted"), mode=0o666)
    env = {"_EASYLLM_COMPLETE": "complete_fish", "_EASYLLM_LINE": "easyllm chat -p "}
    ran = easyllm.run(env=env)
    assert (ran.code, ran.stderr) == (0, "")
    assert b"ollama" in ran.stdout
    assert b"planted" not in ran.stdout


def test_fault_61_nothing_is_read_from_the_current_folder(easyllm: Easyllm) -> None:
    """No profiles, no .env, and no module with the name of one that easyllm imports."""
    folder = easyllm.home / "somebody's project"
    (folder / "easyllm").mkdir(parents=True)
    mark = folder / "it was run"
    with (
        StandIn(script_handler(chat_answer_script("Hello"))) as server,
        StandIn(script_handler(chat_answer_script("no"))) as other,
    ):
        for name in ("profiles.toml", "easyllm/profiles.toml", "easyllm.toml", ".easyllm.toml"):
            (folder / name).write_text(single_profile_toml(other))
            (folder / name).chmod(0o600)
        (folder / ".env").write_text(f"EASYLLM_PROFILE=t\nOPENAI_BASE_URL={other.url}/v1\n")
        for name in (
            "typer",
            "rich",
            "json",
            "httpx2",
            "tomllib",
            "tomlkit",
            "sitecustomize",
            "pip",
        ):
            (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n")
        (folder / "easyllm_cli").mkdir()
        (folder / "easyllm_cli" / "__init__.py").write_text(f"open({str(mark)!r}, 'a')\n")
        assert "no profile is chosen" in easyllm.run("chat", "hi", cwd=folder).error_line
        easyllm.write_profiles(single_profile_toml(server))
        pip = {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "0"}
        ran, edited, listed, fetched = run_concurrently(
            lambda: easyllm.run("chat", "hi", cwd=folder),
            lambda: easyllm.run("profiles", "set", "t", "seed", "1", cwd=folder),
            lambda: easyllm.run("profiles", "--color=always", cwd=folder),
            lambda: easyllm.run("pull", "--yes", cwd=folder, env=pip, timeout=60),
        )
        assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
        assert (edited.code, listed.code) == (0, 0)
        assert fetched.code in (4, 6), "pip was run, and found no index"
        assert other.requests == []
    assert not mark.exists(), mark.read_text()


def make_large(path: Path) -> None:
    """Create a sparse file of 1 GiB, which must not be read into memory."""
    with path.open("wb") as file:
        file.truncate(1 << 30)


DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda path: path.write_text('[profiles.t]\nprovider = "ope'), "not valid TOML"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "not UTF-8"),
    "a NUL": (lambda path: path.write_text("a = 1\0"), "not valid TOML"),
    "larger than 1 MiB": (make_large, "larger than 1 MiB"),
    "nested deeply": (lambda path: path.write_text("a = " + "[" * 200_000), "nested too deeply"),
    "tables nested deeply": (
        lambda path: path.write_text("a = " + "{a=" * 100_000), "nested too deeply"
    ),
    "no profiles": (lambda path: path.write_text("profiles = 5\n"), "must be tables"),
    "a folder": (lambda path: path.mkdir(), "not a regular file"),
    "a FIFO": (lambda path: os.mkfifo(path), "not a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
}  # fmt: skip
EVERY = [
    ["chat", "hi"], ["profiles", "set", "t", "seed", "1"], ["init", "--yes"],
    ["profiles"], ["profiles", "show", "t"], ["doctor"], ["models"], ["profiles", "remove", "t"],
    ["profiles", "add", "n", "openai"], ["profiles", "default", "t"],
]  # fmt: skip
# Damage that is tried with every command. The same code finds the other kinds in all commands.
ON_EVERY = ("truncated", "larger than 1 MiB", "a FIFO")


def state_of(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    regular = path.is_file() and status.st_size < 1 << 21
    return status.st_ino, status.st_mtime_ns, status.st_mode, regular and path.read_bytes()


@pytest.mark.parametrize("damage", DAMAGED)
def test_fault_65_and_66_damaged_profiles_file(easyllm: Easyllm, damage: str) -> None:
    """Every command prints one line and ends with 2; the file stays unchanged."""
    make, says = DAMAGED[damage]
    make(easyllm.config)
    before = state_of(easyllm.config)

    def check(args: list[str]) -> None:
        ran: RunResult = easyllm.run(*args, stdin="")
        output = ran.stdout.decode() if args[0] == "doctor" else ran.error_line
        assert ran.code == 2, (args, ran.stderr)
        assert "Traceback" not in output
        assert str(easyllm.config) in output
        assert says in output or args[0] == "init", (args, output)

    run_concurrently(
        *[lambda args=args: check(args) for args in (EVERY if damage in ON_EVERY else EVERY[:3])]
    )
    assert state_of(easyllm.config) == before
    assert not list(easyllm.config.parent.glob("*.new"))
