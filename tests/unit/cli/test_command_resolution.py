"""What a command line means that names no command."""

import pytest

from easyllm_cli.cli.command_resolution import name_command
from easyllm_cli.errors import UsageError


@pytest.mark.parametrize(
    "words",
    [
        ["What is Python?"],
        ["two\nlines"],
        [" "],
        [""],
        ["a b", "-p", "ollama"],
        ["-p", "ollama", "hi"],
        ["-pollama", "models of cars"],
        ["-t0", "--think", "hi"],
        ["--profile=ollama", "hi"],
        ["-x", "hi"],
        ["-s", "models", "hi"],
        ["-p"],
        ["-", "models"],
        ["--", "models"],
        ["-p", "ollama", "--", "models"],
        ["--unknown", "models"],
    ],
    ids=repr,
)
def test_a_prompt_or_an_option_means_chat(words: list[str]) -> None:
    assert name_command(words) == ["chat", *words]


@pytest.mark.parametrize(
    "words", [["chat", "models"], ["models", "-p", "x"], ["keys", "set", "a b"]], ids=repr
)
def test_a_command_is_left_alone(words: list[str]) -> None:
    assert name_command(words) == words


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_an_option_of_easyllm_itself_stands_alone(option: str) -> None:
    assert name_command([option, "-p", "x"]) == [option]


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["-p", "ollama", "models"], "easyllm models -p ollama"),
        (["-p", "ollama", "chat", "a b"], "easyllm chat -p ollama 'a b'"),
        (["-x", "stream", "hi"], "easyllm stream -x hi"),
        (["--profiles", "f.toml", "profiles"], "easyllm profiles --profiles f.toml"),
        (["-s", "l" * 99, "cot"], f"easyllm cot -s '{'l' * 29}…'"),
        (["--think", "models"], 'easyllm chat --think models, if "models" is the prompt'),
        (["-p", "x", "help"], 'easyllm chat -p x help, if "help" is the prompt'),
    ],
    ids=repr,
)
def test_a_command_behind_options(words: list[str], right: str) -> None:
    with pytest.raises(UsageError) as caught:
        name_command(words)
    assert caught.value.hint == right
    assert "stands behind options" in caught.value.message


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("run", 'easyllm chat "PROMPT"'),
        ("prompt", 'easyllm chat "PROMPT"'),
        ("version", "easyllm --version"),
        ("bench", "easyllm compare -r 5"),
        ("config", "easyllm profiles"),
        ("ollama", 'easyllm chat -p ollama "PROMPT"'),
        ("chta", 'did you mean "chat"?'),
        ("hello", "easyllm chat hello asks a model"),
    ],
)
def test_a_word_that_is_no_command(word: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f'no command "{word}"') as caught:
        name_command([word, "hi"])
    assert caught.value.hint.startswith(hint)
