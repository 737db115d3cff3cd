"""What the command writes is its owner's alone, whole or not at all, and never over damage."""

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
# The command without the powers of root, so that modes count.
AS_ANYBODY = [*POWERLESS, BINARY] if os.getuid() == 0 else [BINARY]
# The command where nothing that is made open can be closed afterwards.
NEVER_CLOSED_LATER = [
    sys.executable, "-c",
    "import os; os.chmod = os.fchmod = lambda *_, **__: None\n"
    "from easyllm_cli.cli import main; main()",
]  # fmt: skip
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows runs without mode checks")


def write_everything(easyllm: Easyllm, **how: Any) -> None:
    """Every kind of file that a command writes, in folders that are not there yet."""
    shutil.rmtree(easyllm.home)
    easyllm.home.mkdir(0o700)
    cut = Script(chunk("half an ans"), Cut())
    url = "http://127.0.0.1:9/v1"

    def ok(*args: str, code: int = 0, **more: Any) -> None:
        ran = easyllm.run(*args, timeout=60, **how, **more)
        assert ran.code == code, ran.stderr

    ok("keys", "set", "work", stdin=KEY)
    ok("profiles", "add", "t", "openai:m", f"endpoint={url}", "max_retries=0")
    ok("profiles", "set", "t", "seed", "1")
    ok("profiles", "edit", code=2, env={"EDITOR": "sh -c 'echo x = [ >> \"$0\"'"})
    ok("init", "--yes", "--profiles", str(easyllm.home / "new" / "profiles.toml"))
    with StandIn(OpenAIServer().handle) as server:
        ok("models", "-p", "openai", env={
            "OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "test-key"
        })  # fmt: skip
    with StandIn(script_handler(cut)) as server:
        ok("profiles", "set", "t", "endpoint", f"{server.url}/v1")
        ok("chat", "-p", "t", "hi", code=7)


def modes(folder: Path) -> dict[str, int]:
    return {str(one.relative_to(folder)): one.stat().st_mode & 0o777 for one in folder.rglob("*")}


@pytest.mark.parametrize(
    ("umask", "command"),
    [(0o000, AS_ANYBODY), (0o022, AS_ANYBODY), (0o077, AS_ANYBODY), (0o777, AS_ANYBODY),
     (0o000, NEVER_CLOSED_LATER)],
    ids=["0", "022", "077", "0777", "0, and never closed later"],
)  # fmt: skip
def test_modes_under_any_umask(easyllm: Easyllm, umask: int, command: list[str]) -> None:
    write_everything(easyllm, umask=umask, command=command)
    found = modes(easyllm.home)
    files = {name for name in found if (easyllm.home / name).is_file()}
    assert {name: found[name] for name in files} == dict.fromkeys(files, 0o600)
    assert {one: found[one] for one in found.keys() - files} == dict.fromkeys(
        found.keys() - files, 0o700
    )
    names = {Path(name).name for name in files}
    assert names >= {
        "keys.json", ".keys.json.lock",
        "profiles.toml", ".profiles.toml.lock", "profiles.edit.toml",
    }  # fmt: skip
    assert {Path(name).suffix for name in files} >= {".md", ".txt"}, "a partial answer, a list"
    assert not [name for name in names if name.endswith(".new")], "no temporary file is left"


def test_what_is_a_link_stays_one(easyllm: Easyllm) -> None:
    """As managers of dotfiles have it: what the link leads to is written, beside its own."""
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
    assert easyllm.run("keys", "set", "work", stdin=KEY).code == 0
    for name, holds in (("profiles.toml", "seed = 7\n"), ("keys.json", KEY)):
        assert easyllm.config.with_name(name).is_symlink()
        assert holds in (real / name).read_text()
        assert (real / name).stat().st_mode & 0o777 == 0o600
    assert {one.name for one in easyllm.config.parent.iterdir()} == {"profiles.toml", "keys.json"}
    taken = easyllm.run("init", "--yes")
    assert (taken.code, easyllm.config.is_symlink()) == (2, True)


def test_a_folder_that_takes_nothing_is_8(easyllm: Easyllm) -> None:
    """And what stands in it stays as it is."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9/v1"))
    before = easyllm.config.read_bytes()
    easyllm.config.parent.chmod(0o500)
    new = str(easyllm.config.with_name("new.toml"))
    try:
        for args in (
            ["profiles", "set", "t", "seed", "1"], ["profiles", "edit"], ["keys", "set", "work"],
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
    assert [one.name for one in easyllm.config.parent.iterdir()] == ["profiles.toml"]


def test_a_full_disk_is_8_and_says_to_make_room(easyllm: Easyllm) -> None:
    """And what stands there stays as it is."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9/v1"))
    before = easyllm.config.read_bytes()
    new = str(easyllm.config.with_name("new.toml"))
    for args in (
        ["profiles", "set", "t", "seed", "1"], ["profiles", "edit"], ["keys", "set", "work"],
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
    assert sorted(one.name for one in easyllm.config.parent.glob("[!.]*")) == ["profiles.toml"]


def test_two_editors_at_once_lose_nothing(easyllm: Easyllm) -> None:
    """The second one's work is kept beside the file, and a `set` between them survives."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9/v1"))
    began, go = easyllm.home / "began", easyllm.home / "go"
    os.mkfifo(go)

    def edit(name: str) -> RunResult:
        script = f'echo "# {name}" >> "$0"; echo x >> "{began}"; read _ < "{go}"'
        return easyllm.run("profiles", "edit", env={"EDITOR": f"sh -c '{script}'"})

    def let_them_go() -> RunResult:
        while not began.exists() or began.read_text() != "x\nx\n":
            pass
        ran = easyllm.run("profiles", "add", "other", "groq")
        with go.open("w") as file:
            file.write("go\n" * 2)
        return ran

    first, second, added = run_concurrently(
        lambda: edit("first"), lambda: edit("second"), let_them_go
    )
    assert (first.code, second.code, added.code) == (2, 2, 0), first.stderr + second.stderr
    assert "[profiles.other]" in easyllm.config.read_text()
    kept = "".join(one.read_text() for one in easyllm.config.parent.glob("profiles.edit*.toml"))
    assert "# first" in kept
    assert "# second" in kept
    assert profile_toml("http://127.0.0.1:9/v1") in kept
