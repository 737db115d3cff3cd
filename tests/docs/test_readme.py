"""The samples of the README and of each command's help run unchanged.

Those that ask for an answer get it from a recording (tests/support/examples.py), without a key and
without network. NOT_REPLAYED names the others.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from easyllm_cli.cli.command_loader import load_command
from easyllm_cli.cli.front_page import COMMAND_HELP
from easyllm_cli.cli.help_topics import JSON_EXAMPLE, STDIN_EXAMPLE, split_examples
from tests.support import ROOT
from tests.support.binary import Easyllm, RunResult, profile_toml
from tests.support.examples import install_tools, recorded
from tests.support.history import save
from tests.support.images import uncompressed_png
from tests.support.samples import parse_samples
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openrouter import MODELS, OpenRouterServer
from tests.support.standins.server import StandIn, unreachable_server

README = (ROOT / "README.md").read_text("utf-8")
PROFILES = parse_samples(README)["Which model answers"].code
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
# Samples that no recording can answer: why.
NOT_REPLAYED = {
    "pip install": "it installs easyllm and the demo model; .ci/run runs it",
    "easyllm models": "a recording holds answers, no lists of models",
    "easyllm doctor": "it tests the connection itself",
    "easyllm batch": "its answers go to a file",
    "easyllm usage": "it reads the history",
    "easyllm cache": "it shows a folder",
    "easyllm help": "it prints a text",
}
HELP_PROFILE = "openai:gpt-4o"  # it sees images


def split_commands(block: str) -> list[str]:
    """Each line of a block in which every line is a command; else the whole block."""
    lines = block.splitlines()
    return lines if all("easyllm " in line for line in lines) else [block]


def is_replayed(sample: str) -> bool:
    return not any(part in sample for part in NOT_REPLAYED)


SAMPLES = [command for block in BLOCKS for command in split_commands(block)]
REPLAYED = [*filter(is_replayed, SAMPLES)]
ERROR_LINES = re.findall(r"^easyllm: .+$", README, re.MULTILINE)
# The last lines of a command's docstring are the examples at the end of its help.
# The excluded commands change this machine, need a history, or are typed at: their own tests run
# their examples.
OTHERS = ("init", "profiles", "keys", "pull", "history", "repl")
HELP_EXAMPLES = [
    line
    for name in COMMAND_HELP
    if name not in OTHERS
    for line in split_examples(load_command(name).help)[1]
]
TOPIC_EXAMPLES = [line.strip() for line in (STDIN_EXAMPLE + "\n" + JSON_EXAMPLE).splitlines()]
EXAMPLES = [*dict.fromkeys(HELP_EXAMPLES + TOPIC_EXAMPLES)]
REPLAYED_EXAMPLES = [*filter(is_replayed, EXAMPLES)]
SERVED = [each for each in (*SAMPLES, *EXAMPLES) if "easyllm " in each and "pip " not in each]
SERVED = [each for each in SERVED if not is_replayed(each)]
OFFERED = (*MODELS, "anthropic/claude-sonnet-4.5")


@pytest.fixture
def folder(home: Path) -> Path:
    """A folder with all files that the samples use."""
    work = home / "work"
    work.mkdir()
    images = {"img.jpg": (255, 0, 0), "before.png": (255, 0, 0), "after.png": (0, 128, 0)}
    for name, color in images.items():
        (work / name).write_bytes(uncompressed_png(8, 8, color))
    (work / "notes.txt").write_text("Ada wrote the first program.\n")
    (work / "in.jsonl").write_text('{"prompt": "What is Python?"}\n')
    (work / "list").write_text("one\ntwo\nthree\n")
    (work / "LICENSE").symlink_to(ROOT / "LICENSE")
    for git in (["init", "-q"], ["add", "notes.txt"]):
        subprocess.run(["git", *git], cwd=work, check=True)
    (work / "notes.txt").write_text("Ada Lovelace wrote the first program.\n")
    return work


def run_sample(
    easyllm: Easyllm, sample: str, folder: Path, env: dict[str, str], profiles: str = PROFILES
) -> RunResult:
    """Run a sample in the folder, with the README's own profiles file."""
    env = {"PATH": install_tools(folder), "GIT_CONFIG_NOSYSTEM": "1", **env}
    if words := words_without_shell(sample):
        return easyllm.run(*words, cwd=folder, profiles=profiles, env=env)
    return easyllm.shell(sample, cwd=folder, profiles=profiles, env=env)


def words_without_shell(sample: str) -> list[str]:
    """The arguments of a sample that is one command, for which a shell does nothing else."""
    command, *words = shlex.split(sample)
    return words if command == "easyllm" and not set(sample) & set("|<>;&$`()*\n") else []


@pytest.mark.parametrize("sample", REPLAYED, ids=[sample.strip()[:40] for sample in REPLAYED])
def test_sample(easyllm: Easyllm, sample: str, folder: Path) -> None:
    with recorded("readme") as env:
        ran = run_sample(easyllm, sample, folder, env)
    assert (ran.code, ran.stderr) == (0, "")
    written = [name for name in ("summary.txt", "shell.txt") if name in sample]
    assert all((folder / name).read_bytes().strip() for name in written)
    assert ran.stdout.strip() or written
    if "while read" in sample:
        assert len(ran.stdout.splitlines()) == 3


@pytest.mark.parametrize("example", REPLAYED_EXAMPLES)
def test_example_of_the_help(easyllm: Easyllm, example: str, folder: Path) -> None:
    with recorded("help") as env:
        ran = run_sample(easyllm, example, folder, {**env, "EASYLLM_PROFILE": HELP_PROFILE})
    assert (ran.code, ran.stderr) == (0, "")
    wanted = folder / "events.jsonl" if "events.jsonl" in example else None
    assert (wanted.read_bytes() if wanted else ran.stdout).strip()


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    """The profiles of the samples that are not replayed, each with a stand-in."""
    with ExitStack() as stack:
        ollama = stack.enter_context(StandIn(OllamaServer().handle))
        router = stack.enter_context(StandIn(OpenRouterServer(listed=OFFERED).handle))
        yield "\n".join(
            [
                profile_toml(ollama, "ollama", "ollama", model="llama3.2"),
                profile_toml(router, "openrouter", "openrouter", model=None),
                profile_toml(router, "openrouter", "r1", model="vendor/thinker", api_key="k"),
            ]
        )


@pytest.mark.parametrize("sample", SERVED)
def test_sample_that_is_not_replayed(
    easyllm: Easyllm, sample: str, servers: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "easyllm usage" in sample:
        monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
        save("What is Python?", "A language.")
    ran = run_sample(easyllm, sample, folder, {}, servers)
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout.strip() or (folder / "out.jsonl").read_bytes()


@pytest.mark.parametrize("number", range(len(ERROR_LINES)))
def test_error_line(easyllm: Easyllm, number: int) -> None:
    """A closed port takes the place of Ollama's, which may be in use here."""
    profile = ("ollama", "openai:m", "olama")[number]
    with unreachable_server() as server:
        address = server.url.removeprefix("http://")
        ran = easyllm.run("chat", "--no-retry", "-p", profile, "hi", env={"OLLAMA_HOST": address})
    assert ran.error_line.replace(address, "127.0.0.1:11434") == ERROR_LINES[number]


def test_enough_samples_are_replayed_and_each_exception_is_one() -> None:
    assert len(REPLAYED) >= 7
    assert len(REPLAYED_EXAMPLES) >= 10
    for part in NOT_REPLAYED:
        assert any(part in sample for sample in (*SAMPLES, *EXAMPLES)), part
