"""Tests `easyllm help` and `-h`: plain text within 80 columns, lists that match the code."""

import re

import pytest

from easyllm_cli.cli.app import COMMAND_HELP
from easyllm_cli.cli.help_topics import ENVIRONMENT_VARIABLES, TOPICS, help_with_environment
from easyllm_cli.config.profile import SETTING_FIELDS
from easyllm_cli.errors import EXIT_CODES
from easyllm_cli.events import MAX_TEXT_BYTES
from easyllm_cli.vendors import VENDORS
from tests.support.binary import Easyllm
from tests.support.objects import ANSWER, ERROR
from tests.support.source_tree import sources
from tests.support.terminal import run_on_terminals


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
    assert list(TOPICS) == ["exit-codes", "profiles", "stdin", "json"]
    assert all(f"easyllm help {topic}" in help_text(easyllm) for topic in TOPICS)


def test_exit_codes_match_the_code(easyllm: Easyllm) -> None:
    rows = re.findall(r"^ +(\d+)  (.+)$", help_text(easyllm, "exit-codes"), re.MULTILINE)
    assert [(int(code), says) for code, says in rows[: len(EXIT_CODES)]] == list(EXIT_CODES.items())
    assert ("4", "refused filtered not_found too_large") in rows


def test_profiles_topic_names_every_setting_and_variable(easyllm: Easyllm) -> None:
    text = help_text(easyllm, "profiles")
    words = set(re.findall(r"\w+", text))
    assert set(SETTING_FIELDS) | set(VENDORS) | set(ENVIRONMENT_VARIABLES) <= words
    assert {name for vendor in VENDORS.values() for name in vendor.key_variables} <= words
    assert {"OLLAMA_HOST", "OPENAI_BASE_URL"} <= words
    assert str(easyllm.config) in text.replace("\n", "")


def test_json_topic_names_every_key(easyllm: Easyllm) -> None:
    words = help_text(easyllm, "json").split()
    assert set(ANSWER) | set(ERROR) <= set(words)


def test_every_easyllm_variable_is_listed() -> None:
    """Every EASYLLM_ variable in the code; _EASYLLM_ ones belong to shell completion."""
    named = {name for source in sources() for name in re.findall(r"\bEASYLLM_[A-Z]+", source.text)}
    assert named == {name for name in ENVIRONMENT_VARIABLES if name.startswith("EASYLLM_")}


@pytest.mark.parametrize("command", COMMAND_HELP)
def test_a_commands_help_ends_in_an_example(easyllm: Easyllm, command: str) -> None:
    """Also on a terminal. The help names the variables that the command uses."""
    text = easyllm.run(command, "-h").stdout.decode()
    if command not in TOPICS:  # `help profiles` is the topic
        assert help_text(easyllm, command) == text
    last = text.rstrip().splitlines()[-1]
    assert last.startswith("  Example: ")
    assert f"easyllm {command}" in last
    code, on_screen, _ = run_on_terminals(easyllm, command, "-h", columns=100)
    assert code == 0
    plain = re.sub(r"\x1b\[[\d;]*m", "", on_screen).rstrip()
    assert plain.splitlines()[-1].strip() == last.strip()
    for name, option in [("EASYLLM_PROFILE,", "--profile "), ("EASYLLM_STDIN", "--no-stdin")]:
        assert (name in text) == (option in text)
    assert ("OPENAI_API_KEY" in text) == ("--profile " in text)
    longest = f"Longest answer, in bytes (default: {MAX_TEXT_BYTES >> 20} MiB)."
    assert ("--max-output-bytes" in text) == (longest in " ".join(text.split()))


@pytest.mark.parametrize(
    ("last", "is_example"),
    [
        ("easyllm models -p ollama", True),
        ('git diff | easyllm chat "Write a commit message"', True),
        ("Built-in names (easyllm models -p NAME) need no file and are not listed.", False),
    ],
)
def test_only_a_command_line_is_an_example(last: str, is_example: bool) -> None:
    description, epilog = help_with_environment(f"Do it.\n\n{last}", [])
    assert epilog == (f"Example: {last}" if is_example else "")
    assert (last in description) != is_example


def test_the_command_list_explains_completion(easyllm: Easyllm) -> None:
    text = easyllm.run("-h").stdout.decode()
    assert 'eval "$(_EASYLLM_COMPLETE=source_bash easyllm)"' in text
    assert "Example: git diff | easyllm chat" in text.splitlines()[-1]


def test_unknown_topic(easyllm: Easyllm) -> None:
    ran = easyllm.run("help", "exitcodes")
    assert (ran.code, ran.stdout) == (2, b"")
    assert ran.stderr == 'easyllm: no help on "exitcodes": did you mean "exit-codes"?\n'
