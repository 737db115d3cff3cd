"""`easyllm help`, `-h` and `--help`: text that fits 80 columns, its lists those of the code."""

import re

import pytest

from easyllm_cli.cli.front_page import COMMAND_HELP, front_page
from easyllm_cli.cli.help_topics import (
    COMPLETION_COMMANDS,
    ENVIRONMENT_VARIABLES,
    TOPICS,
    split_examples,
)
from easyllm_cli.config.settings import SETTINGS
from easyllm_cli.errors import EXIT_CODES
from easyllm_cli.vendors import VENDORS
from tests.support.binary import Easyllm
from tests.support.objects import ANSWER, ERROR
from tests.support.source_tree import sources
from tests.support.terminal import SGR, run_on_terminals

FRONT_PAGE = """\
easyllm: ask any language model; the answer is whole or the exit code says why

  easyllm "PROMPT"   (short for easyllm chat)        easyllm COMMAND -h

Ask       chat      Ask; into a pipe the answer is printed whole or not at all
          stream    Print every token as it arrives, into a pipe too
          vision    Ask about images
          cot       Show the reasoning too (answer: stdout, reasoning: stderr)
          compare   Ask several models: answers, speed and cost side by side
          batch     Ask for each row of a file; goes on after a crash
          repl      Ask question after question in one conversation
Look      models    List the models a profile's server offers
          history   List, search, show and delete past answers
          usage     Sum up calls, tokens, cost and speed
          cache     Show where --cache keeps answers, and clear them
Set up    init      Find servers and keys, write a first profiles file
          profiles  List, show and edit profiles
          keys      Store, list and remove API keys
          doctor    Find out why a profile does not answer
          pull      Download the small demo model
          help      wishes (I want to ...), exit-codes, profiles, stdin, json

  git diff | easyllm chat -p ollama "Write a commit message"
"""


def help_text(easyllm: Easyllm, *args: str) -> str:
    ran = easyllm.run("help", *args)
    assert (ran.code, ran.stderr) == (0, "")
    return ran.stdout.decode()


@pytest.mark.parametrize("topic", ["", *TOPICS])
def test_a_topic_fits_a_terminal_and_a_pipe(easyllm: Easyllm, topic: str) -> None:
    text = help_text(easyllm, *filter(None, [topic]))
    assert max(map(len, text.splitlines())) <= 80
    assert text.replace("…", "").isascii()
    assert run_on_terminals(easyllm, "help", *filter(None, [topic])) == (0, text, "")


def test_help_without_a_topic_lists_the_topics(easyllm: Easyllm) -> None:
    assert list(TOPICS) == ["exit-codes", "profiles", "stdin", "json", "wishes"]
    assert all(f"easyllm help {topic}" in help_text(easyllm) for topic in TOPICS)


def test_exit_codes_match_the_code(easyllm: Easyllm) -> None:
    rows = re.findall(r"^ +(\d+)  (.+)$", help_text(easyllm, "exit-codes"), re.MULTILINE)
    assert [(int(code), says) for code, says in rows[: len(EXIT_CODES)]] == list(EXIT_CODES.items())
    assert ("4", "refused filtered not_found too_large") in rows


def test_profiles_topic_names_every_setting_and_variable(easyllm: Easyllm) -> None:
    text = help_text(easyllm, "profiles")
    words = set(re.findall(r"\w+", text))
    assert set(SETTINGS) | set(VENDORS) | set(ENVIRONMENT_VARIABLES) <= words
    assert {name for vendor in VENDORS.values() for name in vendor.key_variables} <= words
    assert "AWS_REGION" in words
    assert {"OLLAMA_HOST", "OPENAI_BASE_URL"} <= words
    assert str(easyllm.config) in text.replace("\n", "")


def test_json_topic_names_every_key(easyllm: Easyllm) -> None:
    words = help_text(easyllm, "json").split()
    assert set(ANSWER) | set(ERROR) <= set(words)


def test_every_easyllm_variable_is_listed() -> None:
    """Every EASYLLM_ variable in the code; _EASYLLM_ ones belong to shell completion."""
    named = {name for source in sources() for name in re.findall(r"\bEASYLLM_[A-Z]+", source.text)}
    assert named == {name for name in ENVIRONMENT_VARIABLES if name.startswith("EASYLLM_")}


def test_the_front_page(easyllm: Easyllm) -> None:
    """Asked for it is the output; without any word it is a usage error's."""
    page = FRONT_PAGE.encode()
    ran = easyllm.run("-h")
    assert (ran.code, ran.stdout, ran.stderr) == (0, page, "")
    ran = easyllm.run()
    assert (ran.code, ran.stdout, ran.stderr) == (2, b"", FRONT_PAGE)
    assert easyllm.run("--help").stdout.startswith(page + b"\nOptions:\n")
    code, on_screen, _ = run_on_terminals(easyllm, "-h")
    assert (code, SGR.sub("", on_screen)) == (0, FRONT_PAGE)
    assert "\x1b[1mAsk\x1b[0m       chat" in on_screen
    code, _, on_screen = run_on_terminals(easyllm, env={"NO_COLOR": "1"})
    assert (code, on_screen) == (2, FRONT_PAGE)


def test_the_front_page_is_the_table_of_commands() -> None:
    assert front_page() + "\n" == FRONT_PAGE
    lines = FRONT_PAGE.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 79
    assert re.findall(r"^.{10}([a-z]+) +[A-Z\w]", "\n".join(lines[4:]), re.MULTILINE) == list(
        COMMAND_HELP
    )


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", ["chat", "profiles"])
def test_a_page_is_the_same_in_a_pipe_and_on_a_terminal(
    easyllm: Easyllm, command: str, option: str
) -> None:
    in_pipe = easyllm.run(command, option)
    assert (in_pipe.code, in_pipe.stderr) == (0, "")
    code, on_screen, _ = run_on_terminals(easyllm, command, option)
    assert (code, SGR.sub("", on_screen)) == (0, in_pipe.stdout.decode())
    assert "\x1b[1mUsage:\x1b[0m" in on_screen
    wide = run_on_terminals(easyllm, command, option, columns=60)[1]
    assert max(map(len, SGR.sub("", wide).splitlines())) <= (74 if command == "profiles" else 60)


def test_help_prints_the_whole_page_of_a_command(easyllm: Easyllm) -> None:
    assert help_text(easyllm, "chat") == easyllm.run("chat", "--help").stdout.decode()


@pytest.mark.parametrize(
    ("last", "is_example"),
    [
        ("easyllm models -p ollama", True),
        ('git diff | easyllm chat "Write a commit message"', True),
        ("easyllm pull\neasyllm pull --yes", True),
        ("Built-in names (easyllm models -p NAME) need no file and are not listed.", False),
    ],
)
def test_only_command_lines_are_examples(last: str, is_example: bool) -> None:
    description, examples = split_examples(f"Do it.\n\n{last}")
    assert examples == (last.splitlines() if is_example else [])
    assert (last in description) != is_example


def test_the_commands_list_says_how_to_complete(easyllm: Easyllm) -> None:
    for text in (easyllm.run("--help").stdout.decode(), help_text(easyllm)):
        for _, line in COMPLETION_COMMANDS:
            assert line in text


def test_each_name_is_offered_once(easyllm: Easyllm) -> None:
    """`profiles` is a topic and a command."""
    names = easyllm.run("help", "zzz").error_line.partition("known: ")[2].split(", ")
    assert sorted(names) == sorted({*TOPICS, *COMMAND_HELP})


def test_unknown_topic(easyllm: Easyllm) -> None:
    ran = easyllm.run("help", "exitcodes")
    assert (ran.code, ran.stdout) == (2, b"")
    assert ran.stderr == 'easyllm: no help on "exitcodes": did you mean "exit-codes"?\n'
