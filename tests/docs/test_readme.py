"""The samples of the README and of each command's help run unchanged.

A profiles file points them to test servers.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from easyllm_cli.cli.command_loader import load_command
from easyllm_cli.cli.front_page import COMMAND_HELP
from easyllm_cli.cli.help_topics import JSON_EXAMPLE, STDIN_EXAMPLE, split_examples
from tests.support import ROOT
from tests.support.binary import BINARY, Easyllm, RunResult, profile_toml
from tests.support.history import save
from tests.support.images import png
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.openrouter import MODELS, OpenRouterServer
from tests.support.standins.server import StandIn, unreachable_server

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def split_commands(block: str) -> list[str]:
    """Each line of a block in which every line is a command; else the whole block."""
    lines = block.splitlines()
    return lines if all("easyllm " in line for line in lines) else [block]


SAMPLES = [
    command
    for block in BLOCKS
    if "easyllm " in block and "pip install" not in block
    for command in split_commands(block)
]
ERROR_LINES = re.findall(r"^easyllm: .+$", README, re.MULTILINE)
# The last lines of a command's docstring are the examples at the end of its help.
# The excluded commands change this machine, or need a history: their own tests run their examples.
OTHERS = ("init", "profiles", "keys", "pull", "history")
ASKING = [name for name in COMMAND_HELP if name not in OTHERS]
EXAMPLES = [line for name in ASKING for line in split_examples(load_command(name).help)[1]]
OFFERED = (*MODELS, "anthropic/claude-sonnet-4.5")
TOPIC_EXAMPLES = [line.strip() for line in (STDIN_EXAMPLE + "\n" + JSON_EXAMPLE).splitlines()]
# Replaces jq where it is not installed: the only form that the help uses.
JQ = "import json, sys; print(json.load(sys.stdin)[sys.argv[2][1:]])"


@pytest.fixture(scope="module")
def profiles() -> Iterator[str]:
    """The profiles that the samples name, each with a stand-in."""
    with ExitStack() as stack:
        ollama = stack.enter_context(StandIn(OllamaServer().handle))
        openai = stack.enter_context(StandIn(OpenAIServer().handle))
        router = stack.enter_context(StandIn(OpenRouterServer(listed=OFFERED).handle))
        yield 'default_profile = "gpt"\n' + "\n".join(
            [
                profile_toml(openai, "openai", "openai", model="gpt-4o"),
                profile_toml(openai, "openai", "gpt", model="gpt-4o"),
                profile_toml(ollama, "ollama", "ollama", model="llama3.2"),
                profile_toml(router, "openrouter", "openrouter", model=None),
                profile_toml(router, "openrouter", "r1", model="vendor/thinker", api_key="k"),
            ]
        )


@pytest.fixture
def folder(home: Path) -> Path:
    """A folder with all files that the samples use."""
    work = home / "work"
    work.mkdir()
    for name in ("img.jpg", "before.png", "after.png"):
        (work / name).write_bytes(png(8, 8, (255, 0, 0)))
    (work / "notes.txt").write_text("Ada wrote the first program.\n")
    (work / "list").write_text("one\ntwo\nthree\n")
    (work / "LICENSE").symlink_to(ROOT / "LICENSE")
    for git in (["init", "-q"], ["add", "notes.txt"]):
        subprocess.run(["git", *git], cwd=work, check=True)
    (work / "notes.txt").write_text("Ada Lovelace wrote the first program.\n")
    return work


def run_sample(easyllm: Easyllm, sample: str, profiles: str, folder: Path) -> RunResult:
    tools = folder / "tools"
    tools.mkdir()
    (tools / "easyllm").symlink_to(BINARY)
    if shutil.which("jq") is None:
        (tools / "jq").write_text(f"#!{sys.executable}\n{JQ}\n")
        (tools / "jq").chmod(0o755)
    env = {"PATH": f"{tools}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}
    return easyllm.shell(sample, cwd=folder, profiles=profiles, env=env)


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.strip()[:40] for sample in SAMPLES])
def test_sample(easyllm: Easyllm, sample: str, profiles: str, folder: Path) -> None:
    ran = run_sample(easyllm, sample, profiles, folder)
    assert ran.code == 0, ran.stderr
    assert ran.stderr == ""
    written = [name for name in ("summary.txt", "reasoning.txt") if name in sample]
    assert all((folder / name).read_bytes().strip() for name in written)
    assert ran.stdout.strip() or written == ["summary.txt"]


@pytest.mark.parametrize("number", range(len(ERROR_LINES)))
def test_error_line(easyllm: Easyllm, number: int) -> None:
    """A closed port takes the place of Ollama's, which may be in use here."""
    profile = ("ollama", "openai:m", "olama")[number]
    with unreachable_server() as server:
        address = server.url.removeprefix("http://")
        ran = easyllm.run("chat", "--no-retry", "-p", profile, "hi", env={"OLLAMA_HOST": address})
    assert ran.error_line.replace(address, "127.0.0.1:11434") == ERROR_LINES[number]


@pytest.mark.parametrize("example", dict.fromkeys(EXAMPLES + TOPIC_EXAMPLES))
def test_example_of_the_help(
    easyllm: Easyllm,
    example: str,
    profiles: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if example.startswith("easyllm usage"):
        monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
        save("What is Python?", "A language.")
    ran = run_sample(easyllm, example, profiles, folder)
    assert (ran.code, ran.stderr) == (0, "")
    wanted = folder / "events.jsonl" if "events.jsonl" in example else None
    assert (wanted.read_bytes() if wanted else ran.stdout).strip()


def test_enough_samples_and_one_request_per_line_of_the_loop(
    easyllm: Easyllm, profiles: str, folder: Path
) -> None:
    assert len(SAMPLES) >= 7
    loop = next(sample for sample in SAMPLES if "while read" in sample)
    out = run_sample(easyllm, loop, profiles, folder).stdout.decode()
    assert [line.rpartition(": ")[2] for line in out.splitlines()] == ["one", "two", "three"]
