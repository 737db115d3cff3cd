"""Commands started by the test launcher write the same bytes as the installed command."""

import shutil
import signal
from pathlib import Path

import pytest

from easyllm_cli.cli.front_page import COMMAND_HELP
from tests.support.binary import (
    BINARY,
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    read_until,
    single_profile_toml,
)
from tests.support.images import png
from tests.support.standins.script import Wait, script_handler
from tests.support.standins.server import Reply, Request, StandIn
from tests.support.terminal import run_on_terminals

# Per command: arguments, exit code, and text expected on stdout or stderr. Those of FULL_TIER add
# no other way to read, ask, keep or print.
CASES = {
    "chat": (("chat", "hi"), 0, "Hello **you**\n"),
    "stream": (("stream", "--color", "always", "hi"), 0, "Hello"),
    "vision": (("vision", "red.png", "describe"), 0, "Hello **you**\n"),
    "cot": (("cot", "hi"), 0, "Hm"),
    "compare": (("compare", "-p", "t"), 2, "two profiles"),
    "batch": (("batch", "status", "none.jsonl"), 2, "none.jsonl"),
    "repl": (("repl",), 2, "terminal"),
    "models": (("models",), 0, "test-model\n"),
    "history": (("history", "path"), 0, "history.db\n"),
    "usage": (("usage", "--json"), 0, '"rows": []'),
    "cache": (("cache", "path"), 0, "easyllm"),
    "doctor": (("doctor",), 0, "test-model"),
    "init": (("init",), 2, "profiles.toml"),
    "profiles": (("profiles", "show", "t"), 0, "test-model"),
    "keys": (("keys", "set", "openai"), 0, "openai"),
    "pull": (("pull",), 2, "--yes"),
    "help": (("help", "json"), 0, "ms_first_token"),
    "--version": (("--version",), 0, "easyllm "),
    "--help": (("--help",), 0, "easyllm: ask any"),
    "mistyped": (("chaat", "hi"), 2, "chat"),
}
FULL_TIER = {"compare", "batch", "repl", "history", "usage", "cache", "pull", "help"}


async def answer(request: Request, reply: Reply) -> None:
    """Reply with a model list, or with an answer and its reasoning."""
    if request.path.endswith("/models"):
        await reply.json({"object": "list", "data": [{"id": "test-model", "object": "model"}]})
    else:
        await chat_answer_script("Hello **you**", reasoning="Hm").play(reply)


def run_in_new_home(
    easyllm: Easyllm, args: tuple[str, ...], profiles: str, command: list[str] | None = None
) -> tuple[RunResult, dict[str, bytes]]:
    """Run in an emptied home with the same path; return the run and the files it left."""
    shutil.rmtree(easyllm.home)
    easyllm.config.parent.mkdir(parents=True)
    (easyllm.home / "red.png").write_bytes(png(32, 32, (255, 0, 0)))
    ran = easyllm.run(*args, profiles=profiles, command=command, stdin=b"sk-typed-0123456789")
    files = {
        str(path.relative_to(easyllm.home)): path.read_bytes()
        for path in sorted(easyllm.home.rglob("*"))
        if path.is_file()
    }
    return ran, files


def test_every_command_has_a_case() -> None:
    assert set(COMMAND_HELP) <= set(CASES)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        pytest.param(*case, id=name, marks=pytest.mark.full if name in FULL_TIER else ())
        for name, case in CASES.items()
    ],
)
def test_same_bytes_into_pipes(
    easyllm: Easyllm, args: tuple[str, ...], code: int, says: str
) -> None:
    with StandIn(answer) as server:
        profiles = single_profile_toml(server)
        launched = run_in_new_home(easyllm, args, profiles)
        installed = run_in_new_home(easyllm, args, profiles, [BINARY])
    ran, _ = installed
    assert ran.code == code, ran.stderr
    assert says in ran.stdout.decode() + ran.stderr
    assert launched == installed


@pytest.mark.parametrize("args", [("-h",), ("chat", "-h"), ("help", "stdin"), ("chat", "--nope")])
def test_same_bytes_on_a_terminal(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    launched = run_on_terminals(easyllm, *args)
    assert launched == run_on_terminals(easyllm, *args, command=[BINARY])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_same_end_after_a_signal(easyllm: Easyllm, sent: signal.Signals) -> None:
    ends = []
    with StandIn(script_handler(chat_answer_script("Hel", then=(Wait(20),)))) as server:
        for command in (None, [BINARY]):
            with easyllm.start(
                "stream", "hi", profiles=single_profile_toml(server), command=command
            ) as child:
                read_until(child.stdout, b"Hel")
                child.send_signal(sent)
                ends.append(finish(child, None))
    assert ends[0] == ends[1]


def test_child_has_its_own_folder_umask_and_variables(easyllm: Easyllm, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "note.txt").write_text("a note")
    args = ("chat", "--dry-run", "-p", "ollama:m", "-f", "note.txt", "hi")
    env = {"OLLAMA_HOST": "127.0.0.2:7"}
    launched = easyllm.run(*args, cwd=folder, umask=0o777, env=env)
    assert launched == easyllm.run(*args, cwd=folder, umask=0o777, env=env, command=[BINARY])
    assert launched.json["url"].startswith("http://127.0.0.2:7/")
