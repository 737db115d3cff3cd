"""`easyllm help wishes`: each row fits the screen, and its command line is one that easyllm takes.

The command lines are parsed, not run: a command, an option or a value that does not exist fails.
"""

import shlex
from pathlib import Path

import pytest

from easyllm_cli.cli.command_loader import ClickError, load_command
from easyllm_cli.cli.command_resolution import name_command
from easyllm_cli.cli.front_page import COMMAND_HELP, front_page
from easyllm_cli.cli.help_topics import TOPICS, WIDTH
from easyllm_cli.cli.help_wishes import WISHES
from easyllm_cli.errors import UsageError

ROWS = 20
LINES = [line for _, line in WISHES]


def parse(line: str) -> str:
    """Parse a command line up to the last subcommand; return the names of the commands.

    Raises:
        UsageError, ClickError: there is no such command, option or value.
    """
    words = shlex.split(line.rpartition("| ")[2].replace("PROMPT", "a b"))
    assert words[0] == "easyllm"
    name, *arguments = name_command(words[1:])
    command = load_command(name)
    context = command.make_context(name, arguments)
    while hasattr(command, "resolve_command"):
        name, command, arguments = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        context = command.make_context(name, arguments, parent=context)
    return str(context.command_path)


def test_there_are_twenty_different_wishes_and_the_front_page_names_the_topic() -> None:
    assert len(WISHES) == len(dict(WISHES)) == len(set(LINES)) == ROWS
    assert "wishes (I want to ...)" in front_page()


def test_a_wish_is_one_line() -> None:
    text = TOPICS["wishes"].build_text()
    assert all(f"  {wish}  " in text and f"  {line}\n" in text for wish, line in WISHES)
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("line", LINES)
def test_the_command_line_of_a_wish_is_valid(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FILE", "IMAGE", "IN.jsonl"):
        (tmp_path / name).write_text("{}")
    assert parse(line).split()[0] in COMMAND_HELP


@pytest.mark.parametrize(
    "line",
    [
        'easyllm chat --thonk "PROMPT"',
        'easyllm chat --effort huge "PROMPT"',
        "easyllm history seek WORD",
        "easyllm bach IN OUT",
    ],
)
def test_a_wrong_command_line_is_noticed(line: str) -> None:
    with pytest.raises((UsageError, ClickError)):
        parse(line)
