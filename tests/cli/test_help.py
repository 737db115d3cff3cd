"""`easyllm help` and `-h`: plain text that fits 80 columns, its lists those of the code."""

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


def helped(easyllm: Easyllm, *args: str) -> str:
    ran = easyllm.run("help", *args)
    assert (ran.code, ran.stderr) == (0, "")
    return ran.stdout.decode()


@pytest.mark.parametrize("topic", ["", *TOPICS])
def test_a_topic_fits_a_terminal_and_a_pipe(easyllm: Easyllm, topic: str) -> None:
    text = helped(easyllm, *filter(None, [topic]))
    assert max(map(len, text.splitlines())) <= 80
    assert text.replace("…", "").isascii()
    assert run_on_terminals(easyllm, "help", *filter(None, [topic])) == (0, text, "")


def test_without_a_topic_all_are_named(easyllm: Easyllm) -> None:
    assert list(TOPICS) == ["exit-codes", "profiles", "stdin", "json"]
    assert all(f"easyllm help {topic}" in helped(easyllm) for topic in TOPICS)


def test_exit_codes_are_the_classes(easyllm: Easyllm) -> None:
    rows = re.findall(r"^ +(\d+)  (.+)$", helped(easyllm, "exit-codes"), re.MULTILINE)
    assert [(int(code), says) for code, says in rows[: len(EXIT_CODES)]] == list(EXIT_CODES.items())
    assert ("4", "refused filtered not_found too_large") in rows


def test_profiles_tells_every_key_and_variable(easyllm: Easyllm) -> None:
    text = helped(easyllm, "profiles")
    words = set(re.findall(r"\w+", text))
    assert set(SETTING_FIELDS) | set(VENDORS) | set(ENVIRONMENT_VARIABLES) <= words
    assert {name for one in VENDORS.values() for name in one.key_variables} <= words
    assert {"OLLAMA_HOST", "OPENAI_BASE_URL"} <= words
    assert str(easyllm.config) in text.replace("\n", "")


def test_json_tells_every_key(easyllm: Easyllm) -> None:
    words = helped(easyllm, "json").split()
    assert set(ANSWER) | set(ERROR) <= set(words)


def test_every_variable_of_ours_is_told() -> None:
    """Those with an underscore before them are completion's own."""
    named = {name for source in sources() for name in re.findall(r"\bEASYLLM_[A-Z]+", source.text)}
    assert named == {name for name in ENVIRONMENT_VARIABLES if name.startswith("EASYLLM_")}


@pytest.mark.parametrize("command", COMMAND_HELP)
def test_a_commands_help_ends_in_an_example(easyllm: Easyllm, command: str) -> None:
    """On a terminal, too; it names the variables that matter to the command."""
    text = easyllm.run(command, "-h").stdout.decode()
    if command not in TOPICS:  # `help profiles` explains what they are
        assert helped(easyllm, command) == text
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


def test_the_commands_list_says_how_to_complete(easyllm: Easyllm) -> None:
    text = easyllm.run("-h").stdout.decode()
    assert 'eval "$(_EASYLLM_COMPLETE=source_bash easyllm)"' in text
    assert "Example: git diff | easyllm chat" in text.splitlines()[-1]


def test_unknown_topic(easyllm: Easyllm) -> None:
    ran = easyllm.run("help", "exitcodes")
    assert (ran.code, ran.stdout) == (2, b"")
    assert ran.stderr == 'easyllm: no help on "exitcodes": did you mean "exit-codes"?\n'
