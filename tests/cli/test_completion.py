"""Tests shell completion: in a real bash, and as the words that each shell receives."""

import json
import os
import pty
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.cli.front_page import COMMAND_HELP
from tests.support.binary import BINARY, Easyllm, profile_toml, read_until, single_profile_toml
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import StandIn

MODELS = {"mistral:7b": ("completion",), "mixtral": ("completion",), "qwen3:8b": ("completion",)}
NOBODY = 'default_profile = "r1"\n' + profile_toml("http://127.0.0.1:9", name="r1")


def complete(easyllm: Easyllm, line: str, shell: str = "zsh", **more: Any) -> list[str]:
    """Completions of the last word of the line; stderr is empty."""
    env = {"_EASYLLM_COMPLETE": f"complete_{shell}", "_EASYLLM_LINE": line, **more.pop("env", {})}
    ran = easyllm.run(env=env, **more)
    assert (ran.code, ran.stderr) == (0, "")
    return ran.stdout.decode().splitlines()


@pytest.fixture
def known(easyllm: Easyllm) -> Easyllm:
    """A home where `models -p ollama` has run; the server is stopped since."""
    with StandIn(OllamaServer(models=MODELS).handle) as server:
        ran = easyllm.run("models", "-p", "ollama", "mi", env={"OLLAMA_HOST": server.url})
    assert ran.stdout == b"mistral:7b\nmixtral:latest\n"
    return easyllm


def lists_folder(easyllm: Easyllm) -> Path:
    return easyllm.home / "state" / "easyllm" / "models"


@contextmanager
def bash(easyllm: Easyllm) -> Iterator[int]:
    """Starts bash with easyllm's completion in a pseudo-terminal; yields the parent's end."""
    terminal_fd, child_fd = pty.openpty()
    env = easyllm.variables({"PATH": f"{Path(BINARY).parent}:{os.environ['PATH']}"})
    child = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=child_fd, stdout=child_fd, stderr=child_fd,
        env={**env, "TERM": "dumb", "PS1": "ready> "},
        cwd=easyllm.home, start_new_session=True,
    )  # fmt: skip
    os.close(child_fd)
    try:
        os.write(terminal_fd, b'eval "$(_EASYLLM_COMPLETE=source_bash easyllm)"; echo "is"" set"\n')
        with os.fdopen(os.dup(terminal_fd), "rb", 0) as screen:
            read_until(screen, b"is set\r\n")
        yield terminal_fd
    finally:
        child.kill()
        child.wait()
        os.close(terminal_fd)


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("easyllm vis", "easyllm vision "),
        ("easyllm chat -p r", "easyllm chat -p r1 "),
        ("easyllm chat -p olla", "easyllm chat -p ollama "),
        ("easyllm chat -p ollama:mis", "easyllm chat -p ollama:mistral:7b "),
        ("easyllm chat -p ollama -m qwen3:", "easyllm chat -p ollama -m qwen3:8b "),
        ("easyllm chat --effort=hi", "easyllm chat --effort=high "),
        ("easyllm chat --schem", "easyllm chat --schema "),
        ("true | easyllm chat -f prof", "true | easyllm chat -f profiles.txt "),
    ],
)
def test_completion_in_bash(known: Easyllm, typed: str, whole: str) -> None:
    known.write_profiles(NOBODY)
    (known.home / "profiles.txt").write_text("x")
    with bash(known) as terminal, os.fdopen(os.dup(terminal), "rb", 0) as screen:
        os.write(terminal, typed.encode() + b"\t")
        assert whole in read_until(screen, whole.encode()).decode()


def test_commands_and_options(easyllm: Easyllm) -> None:
    assert set(COMMAND_HELP) <= set(complete(easyllm, "easyllm "))
    assert complete(easyllm, "easyllm cha") == ["chat"]
    assert complete(easyllm, "easyllm chat --th") == ["--think"]
    assert complete(easyllm, "easyllm doctor --c") == [
        "--config-db",
        "--config-id",
        "--color",
        "--call",
    ]
    assert complete(easyllm, "easyllm chat -f ") == []
    assert complete(easyllm, "easyllm --version ") == complete(easyllm, "easyllm ")


def test_options_of_chat_without_a_command(easyllm: Easyllm) -> None:
    assert complete(easyllm, "easyllm -p olla") == ["ollama"]
    assert complete(easyllm, "easyllm -p ollama --effort hi") == ["high"]
    assert complete(easyllm, "easyllm --th") == ["--think"]
    assert complete(easyllm, "easyllm --ver") == ["--version", "--verbose"]
    assert complete(easyllm, "easyllm -p ollama cha") == []


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--effort", ["off", "minimal", "low", "medium", "high", "max"]),
        ("--reasoning", ["auto", "show", "hide", "only", "tags"]),
        ("--color", ["auto", "always", "never"]),
        ("--code", ["first", "all"]),
        ("--elicit", ["auto", "always", "never"]),
    ],
)
def test_option_values(easyllm: Easyllm, option: str, values: list[str]) -> None:
    """After `--option ` and after `--option=`, where the words include the option's name."""
    if option != "--code":
        assert complete(easyllm, f"easyllm cot {option} ") == values
    named = [f"{option}={value}" for value in values]
    assert complete(easyllm, f"easyllm cot {option}=", shell="fish") == named


def test_profiles(easyllm: Easyllm) -> None:
    easyllm.write_profiles(NOBODY)
    assert complete(easyllm, "easyllm chat -p r") == ["r1"]
    assert {"r1", "openai", "ollama"} <= set(complete(easyllm, "easyllm chat --profile "))
    other = easyllm.home / "other.toml"
    other.write_text(profile_toml("http://127.0.0.1:9", name="mine"))
    assert complete(easyllm, f"easyllm chat --profiles {other} -p mi") == [
        "mine",
        "mistral",
        "minimax",
    ]


def test_subcommands(easyllm: Easyllm) -> None:
    easyllm.write_profiles(NOBODY)
    assert complete(easyllm, "easyllm profiles sh") == ["show"]
    assert complete(easyllm, "easyllm profiles show ") == ["r1"]
    assert complete(easyllm, "easyllm profiles list --color ") == ["auto", "always", "never"]
    assert complete(easyllm, "easyllm profiles default r") == ["r1"]
    assert complete(easyllm, "easyllm profiles add new olla") == ["ollama"]
    assert complete(easyllm, "easyllm keys set olla") == ["ollama"]


def test_settings_and_their_values(easyllm: Easyllm) -> None:
    easyllm.write_profiles(NOBODY)
    settings = complete(easyllm, "easyllm profiles set r1 ")
    assert {"model", "reasoning", "timeout.idle", "headers"} <= set(settings)
    assert "api_key" not in settings, "a key is no argument"
    values = {
        "reasoning": ["off", "minimal", "low", "medium", "high", "max"],
        "strict": ["true", "false"],
        "model": [],
        "nope": [],
    }
    for setting, words in values.items():
        assert complete(easyllm, f"easyllm profiles set r1 {setting} ") == words
    assert complete(easyllm, "easyllm profiles set r1 provider olla") == ["ollama"]
    assert complete(easyllm, "easyllm profiles set r1 extends r") == ["r1"]


def test_fish_gets_descriptions(easyllm: Easyllm) -> None:
    """Fish shows what stands behind a tab; other shells would take it for a part of the word."""
    for line, word, description in (
        ("easyllm hel", "help", "wishes (I want to ...), exit-codes,..."),
        ("easyllm chat --thin", "--think", "Ask for reasoning."),
        ("easyllm profiles set r1 top_k", "top_k", "sample from the k likeliest tokens"),
    ):
        assert complete(easyllm, line, shell="fish") == [f"{word}\t{description}"]
        assert complete(easyllm, line) == complete(easyllm, line, shell="bash") == [word]
    assert complete(easyllm, "easyllm chat --effort hi", shell="fish") == ["high"]


def test_a_broken_profiles_file_leaves_the_built_in_names(easyllm: Easyllm) -> None:
    easyllm.write_profiles("[profiles.a\n")
    assert complete(easyllm, "easyllm chat -p olla") == ["ollama"]


def test_models_of_the_chosen_profile(known: Easyllm) -> None:
    """All models of the server are listed, although `models` ran with a word."""
    every = ["mistral:7b", "mixtral:latest", "qwen3:8b"]
    assert complete(known, "easyllm chat -p ollama -m ") == every
    assert complete(known, "easyllm chat -p ollama:x -m qwen3:") == ["qwen3:8b"]
    assert complete(known, "easyllm models -p ollama mix") == ["mixtral:latest"]
    assert complete(known, "easyllm chat -m q", env={"EASYLLM_PROFILE": "ollama"}) == ["qwen3:8b"]
    assert complete(known, "easyllm chat -m q", profiles='default_profile = "ollama"') == [
        "qwen3:8b"
    ]
    assert complete(known, "easyllm chat -p openai -m ") == []
    assert complete(known, "easyllm compare -p openai -p ollama -m q") == ["qwen3:8b"]
    assert complete(known, "easyllm compare -p openai -p ollama:q") == ["ollama:qwen3:8b"]
    assert complete(known, "easyllm chat -p ollama:mi") == [
        "ollama:mistral:7b",
        "ollama:mixtral:latest",
    ]


def test_the_model_list_is_private(known: Easyllm) -> None:
    (file,) = lists_folder(known).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_profile_name_with_special_characters(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        profiles = profile_toml(server, name='"../a b"')
        assert easyllm.run("models", "--json", "-p", "../a b", profiles=profiles).code == 0
    assert complete(easyllm, "easyllm chat -p '../a b' -m ") == ["gpt-4o", "gpt-4o-mini"]
    assert {file.parent for file in lists_folder(easyllm).iterdir()} == {lists_folder(easyllm)}


def test_the_latest_model_list_is_used(known: Easyllm) -> None:
    with StandIn(OllamaServer(models={"new": ()}).handle) as server:
        assert known.run("models", "-p", "ollama", env={"OLLAMA_HOST": server.url}).code == 0
    assert complete(known, "easyllm chat -p ollama -m ") == ["new:latest"]
    assert known.run("models", "-p", "ollama", env={"OLLAMA_HOST": "127.0.0.1:9"}).code == 6
    assert complete(known, "easyllm chat -p ollama -m ") == ["new:latest"]


def test_a_model_list_that_cannot_be_saved_is_no_error(easyllm: Easyllm) -> None:
    (easyllm.home / "state").write_text("in the way")
    with StandIn(OpenAIServer().handle) as server:
        ran = easyllm.run("models", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"gpt-4o\ngpt-4o-mini\n", "")


EVIL = ["a b", "$(id)", "`id`", "x;id", "x\ny", "\x1b[2J", "a'b", 'a"b', "*", "\u202ex", "x" * 201]


def test_model_ids_with_shell_syntax_are_left_out(easyllm: Easyllm) -> None:
    ids = [*EVIL, "vendor/größe-1.5:free"]
    body = json.dumps({"data": [{"id": model} for model in ids]}).encode()
    with StandIn(script_handler(Script(body, content_type="application/json"))) as server:
        assert easyllm.run("models", profiles=single_profile_toml(server)).code == 0
    assert complete(easyllm, "easyllm chat -m ") == ["vendor/größe-1.5:free"]
    (file,) = lists_folder(easyllm).iterdir()
    file.write_text("".join(f"{model}\n" for model in ids))
    assert complete(easyllm, "easyllm chat -m ")[-1] == "vendor/größe-1.5:free"
    assert not {"a b", "$(id)", "x;id", "*"} & set(complete(easyllm, "easyllm chat -m "))


def test_a_long_model_list_is_cut(easyllm: Easyllm) -> None:
    body = json.dumps({"data": [{"id": f"m{number}"} for number in range(3000)]}).encode()
    with StandIn(script_handler(Script(body, content_type="application/json"))) as server:
        assert (
            len(easyllm.run("models", profiles=single_profile_toml(server)).stdout.splitlines())
            == 3000
        )
    assert len(complete(easyllm, "easyllm chat -m ")) == 2000


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(easyllm: Easyllm, shell: str) -> None:
    ran = easyllm.run(env={"_EASYLLM_COMPLETE": f"source_{shell}"})
    assert (ran.code, ran.stderr) == (0, "")
    assert f"_EASYLLM_COMPLETE=complete_{shell}" in ran.stdout.decode()


def test_an_unknown_shell_is_an_error(easyllm: Easyllm) -> None:
    ran = easyllm.run(env={"_EASYLLM_COMPLETE": "source_tcsh"})
    assert (ran.code, ran.stdout) == (2, b"")
    assert "source_bash, source_zsh, source_fish" in ran.stderr


def test_no_heavy_package_is_loaded(known: Easyllm) -> None:
    env = {"PYTHONPROFILEIMPORTTIME": "1", "_EASYLLM_COMPLETE": "complete_zsh"}
    ran = known.run(env={**env, "_EASYLLM_LINE": "easyllm chat -p ollama:mi"})
    assert ran.stdout
    for name in ("rich", "httpx2", "asyncio", "easyllm_cli.providers"):
        assert f" {name}\n" not in ran.stderr
