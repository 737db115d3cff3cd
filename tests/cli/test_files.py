"""Tests the files that easyllm writes: private, complete or absent, never lost by an error."""

import os
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import (
    BINARY,
    POWERLESS,
    Easyllm,
    RunResult,
    profile_toml,
    run_concurrently,
    single_profile_toml,
)
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Cut, Script, chunk, script_handler
from tests.support.standins.server import StandIn

KEY = "sk-proj-7Qm2xVb9KdTz4LwRn8Yc3HsJf6"
# The command without root's capabilities, so that file modes apply.
AS_ANYBODY = [*POWERLESS, BINARY] if os.getuid() == 0 else [BINARY]
# The command with chmod disabled: a file must be private from its creation.
NEVER_CLOSED_LATER = [
    sys.executable, "-c",
    "import os; os.chmod = os.fchmod = lambda *_, **__: None\n"
    "from easyllm_cli.cli import main; main()",
]  # fmt: skip
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows runs without mode checks")


def write_everything(easyllm: Easyllm, **run_options: Any) -> None:
    """Makes the command write every kind of file, in folders that do not exist yet."""
    shutil.rmtree(easyllm.home)
    easyllm.home.mkdir(0o700)
    cut = Script(chunk("half an ans"), Cut())

    def ok(*args: str, code: int = 0, **more: Any) -> None:
        ran = easyllm.run(*args, timeout=60, **run_options, **more)
        assert ran.code == code, ran.stderr

    ok("keys", "set", "groq", stdin=KEY)
    with StandIn(script_handler(cut)) as server:
        ok("profiles", "add", "t", "openai:m", f"endpoint={server.url}/v1", "max_retries=0")
        ok("chat", "-p", "t", "hi", code=7)
    ok("profiles", "set", "t", "seed", "1")
    ok("profiles", "edit", code=2, env={"EDITOR": "sh -c 'echo x = [ >> \"$0\"'"})
    ok("init", "--yes", "--profiles", str(easyllm.home / "new" / "profiles.toml"))
    with StandIn(OpenAIServer().handle) as server:
        ok("models", "-p", "openai", env={
            "OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "test-key"
        })  # fmt: skip


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")
    }


# root can read the files that it creates under 0777.
@pytest.mark.parametrize(
    ("umask", "command"),
    [(0o000, None), (0o022, None), (0o077, None), (0o777, AS_ANYBODY),
     (0o000, NEVER_CLOSED_LATER)],
    ids=["0", "022", "077", "0777", "0, and never closed later"],
)  # fmt: skip
def test_modes_under_any_umask(easyllm: Easyllm, umask: int, command: list[str] | None) -> None:
    write_everything(easyllm, umask=umask, command=command)
    by_name = modes(easyllm.home)
    files = {name for name in by_name if (easyllm.home / name).is_file()}
    assert {name: by_name[name] for name in files} == dict.fromkeys(files, 0o600)
    assert {name: by_name[name] for name in by_name.keys() - files} == dict.fromkeys(
        by_name.keys() - files, 0o700
    )
    names = {Path(name).name for name in files}
    assert names >= {
        "keys.json", ".keys.json.lock",
        "profiles.toml", ".profiles.toml.lock", "profiles.edit.toml",
    }  # fmt: skip
    assert {Path(name).suffix for name in files} >= {".md", ".txt"}, "a partial answer, a list"
    assert not [name for name in names if name.endswith(".new")], "no temporary file is left"


def test_a_symbolic_link_stays_a_link(easyllm: Easyllm) -> None:
    """As dotfile managers need it: the target of the link is replaced, in the target's folder."""
    real = easyllm.home / "dotfiles"
    real.mkdir()
    for name, text in (
        ("profiles.toml", single_profile_toml("http://127.0.0.1:9/v1")),
        ("keys.json", "{}"),
    ):
        (real / name).write_text(text)
        (real / name).chmod(0o600)
        easyllm.config.with_name(name).symlink_to(real / name)
    assert easyllm.run("profiles", "set", "t", "seed", "7").code == 0
    assert easyllm.run("profiles", "edit", env={"EDITOR": 'sh -c \'echo "# x" >> "$0"\''}).code == 0
    assert easyllm.run("keys", "set", "groq", stdin=KEY).code == 0
    for name, holds in (("profiles.toml", "seed = 7\n"), ("keys.json", KEY)):
        assert easyllm.config.with_name(name).is_symlink()
        assert holds in (real / name).read_text()
        assert (real / name).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in easyllm.config.parent.iterdir()} == {"profiles.toml", "keys.json"}
    ran = easyllm.run("init", "--yes")
    assert (ran.code, easyllm.config.is_symlink()) == (2, True)


def test_a_read_only_folder_is_8(easyllm: Easyllm) -> None:
    """The files in the folder stay unchanged."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9/v1"))
    before = easyllm.config.read_bytes()
    easyllm.config.parent.chmod(0o500)
    new = str(easyllm.config.with_name("new.toml"))
    try:
        for args in (
            ["profiles", "set", "t", "seed", "1"], ["profiles", "edit"], ["keys", "set", "groq"],
            ["init", "--yes", "--profiles", new],
        ):  # fmt: skip
            ran = easyllm.run(*args, stdin=KEY, command=AS_ANYBODY, env={"EDITOR": "true"})
            assert (ran.code, ran.stdout) == (8, b""), ran.stderr
            last = ran.stderr.splitlines()[-1]
            assert last.startswith("easyllm: cannot be written: Permission denied")
            assert str(easyllm.config.parent) in last
    finally:
        easyllm.config.parent.chmod(0o700)
    assert easyllm.config.read_bytes() == before
    assert [path.name for path in easyllm.config.parent.iterdir()] == ["profiles.toml"]


def test_a_full_disk_is_8_and_says_to_make_room(easyllm: Easyllm) -> None:
    """Existing files stay unchanged."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9/v1"))
    before = easyllm.config.read_bytes()
    new = str(easyllm.config.with_name("new.toml"))
    for args in (
        ["profiles", "set", "t", "seed", "1"], ["profiles", "edit"], ["keys", "set", "groq"],
        ["profiles", "add", "n", "openai"], ["init", "--yes", "--profiles", new],
    ):  # fmt: skip
        ran = easyllm.run(
            *args, stdin=KEY, env={"EDITOR": "true"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)),
        )  # fmt: skip
        assert (ran.code, ran.stdout) == (8, b""), ran.stderr
        assert "File too large" in ran.stderr
        assert ran.stderr.endswith(": make room\n")
    assert easyllm.config.read_bytes() == before
    assert not list(easyllm.config.parent.glob("*.new"))
    assert sorted(path.name for path in easyllm.config.parent.glob("[!.]*")) == ["profiles.toml"]


def test_two_editors_at_once_lose_nothing(easyllm: Easyllm) -> None:
    """Both edits are saved beside the file, and a `profiles add` meanwhile survives."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9/v1"))
    began, go = easyllm.home / "began", easyllm.home / "go"
    os.mkfifo(go)

    def edit(name: str) -> RunResult:
        script = f'echo "# {name}" >> "$0"; echo x >> "{began}"; read _ < "{go}"'
        return easyllm.run("profiles", "edit", env={"EDITOR": f"sh -c '{script}'"})

    def add_and_let_both_finish() -> RunResult:
        while not began.exists() or began.read_text() != "x\nx\n":
            pass
        ran = easyllm.run("profiles", "add", "other", "groq")
        with go.open("w") as file:
            file.write("go\n" * 2)
        return ran

    first, second, added = run_concurrently(
        lambda: edit("first"), lambda: edit("second"), add_and_let_both_finish
    )
    assert (first.code, second.code, added.code) == (2, 2, 0), first.stderr + second.stderr
    assert "[profiles.other]" in easyllm.config.read_text()
    edits = "".join(path.read_text() for path in easyllm.config.parent.glob("profiles.edit*.toml"))
    assert "# first" in edits
    assert "# second" in edits
    assert profile_toml("http://127.0.0.1:9/v1") in edits
