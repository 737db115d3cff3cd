"""The pages of `COMMAND -h` and `COMMAND --help`, for every command and width."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from easyllm_cli.cli.command_loader import load_command
from easyllm_cli.cli.front_page import COMMAND_HELP, front_page
from easyllm_cli.cli.help_pages import HEADINGS, full_page, short_page
from easyllm_cli.cli.help_text import two_columns
from easyllm_cli.cli.help_topics import split_examples

ROWS_ABOVE_THE_SHELL = 23  # of 24; the shell's prompt takes one
SHORT_CHAT = "-p -m -s -f -a -t --think --schema -x -u --json -q -c"


def contexts() -> Iterator[Any]:
    """The context of every command and of every command of a group."""
    for name in COMMAND_HELP:
        command = load_command(name)
        yield command.context_class(command, info_name=f"easyllm {name}")
        for sub in getattr(command, "commands", {}):
            child = command.loader(sub)
            yield child.context_class(child, info_name=f"easyllm {name} {sub}")


CONTEXTS = list(contexts())
each_command = pytest.mark.parametrize("context", CONTEXTS, ids=lambda each: each.info_name)


def without_examples(page: str) -> str:
    return re.sub(r"^Examples?:\n(  .+\n?)+", "", page, flags=re.MULTILINE)


@each_command
def test_the_short_page_is_one_screen(context: Any) -> None:
    page = short_page(context, 79)
    lines = page.splitlines()
    assert len(lines) <= ROWS_ABOVE_THE_SHELL
    assert max(map(len, lines)) <= 79
    assert page.startswith(f"Usage: {context.command_path} ")


@each_command
@pytest.mark.parametrize("width", [79, 100, 39])
def test_no_word_is_broken(context: Any, width: int) -> None:
    for build in (short_page, full_page):
        page = without_examples(build(context, width))
        assert max(map(len, page.splitlines())) <= max(width, 36)
    words = full_page(context, width).split()
    for parameter in context.command.params:
        assert set((parameter.help or "").split()) <= set(words)
        assert "[x" not in page
        assert "<=x" not in page
        if width > 60 and "|" in (parameter.metavar or ""):
            assert parameter.metavar in words


@each_command
def test_the_full_page_has_everything_in_its_order(context: Any) -> None:
    page = full_page(context, 79)
    for parameter in context.command.params:
        for name in parameter.opts if parameter.param_type_name == "option" else ():
            assert re.search(rf"^  (-\w, )?{name}\b", page, re.MULTILINE), name
    titles = re.findall(r"^([A-Z]\w+):$", page, re.MULTILINE)
    groups = [title for title in titles if title not in ("Commands", "Examples", "Example")]
    assert groups == [title for title in HEADINGS if title in groups]
    assert "--help" in page.partition(f"\n{groups[-1]}:\n")[2].partition("\n\n")[0]
    _, examples = split_examples(context.command.help or "")
    assert page.endswith("\n".join(f"  {example}" for example in examples))


@pytest.mark.parametrize("name", COMMAND_HELP)
def test_a_command_has_two_examples(name: str) -> None:
    examples = split_examples(load_command(name).help)[1]
    assert len(examples) == 2
    assert all(f"easyllm {name}" in example for example in examples)


def test_the_short_page_of_chat() -> None:
    (context,) = (each for each in CONTEXTS if each.info_name == "easyllm chat")
    page = short_page(context, 79)
    assert sorted(re.findall(r"^  (-\S+?),? ", page, re.MULTILINE)) == sorted(SHORT_CHAT.split())
    assert page.endswith("\n\nAll options: easyllm chat --help")


def test_variables_and_keys_are_named_where_a_command_reads_them() -> None:
    for context in CONTEXTS:
        page = full_page(context, 100)
        takes = {parameter.name for parameter in context.command.params}
        assert ("EASYLLM_PROFILE," in page) == ("profile" in takes)
        assert ("OPENAI_API_KEY" in page) == ("profile" in takes)
        assert ("EASYLLM_STDIN" in page) == ("no_stdin" in takes)
        assert ("NO_COLOR" in page) == ("color" in takes)


def test_a_narrow_terminal() -> None:
    """Texts go below the names; choices too long for a line are parted between them."""
    rows = [("--effort off|minimal|low|medium|high|max", "Reasoning effort.")]
    assert two_columns(rows, 39, 24) == (
        "  --effort off| minimal| low| medium|\n    high| max\n      Reasoning effort."
    )
    page = front_page(40)
    lines = page.splitlines()
    assert max(map(len, lines[:-1])) <= 40
    assert set(front_page().replace("Ask ", "Ask: ", 1).split()) - set(page.split()) <= {
        "Look", "Set", "up",
    }  # fmt: skip
