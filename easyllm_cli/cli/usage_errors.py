"""Turns the parser's errors into one line with a hint, also for options of other programs."""

from __future__ import annotations

import re
from typing import Any

from ..errors import UsageError

# Typer's words for a value that is no number, and for one outside its range.
NOT_A_NUMBER = re.compile(r"is not a valid (float|int|integer)(?: range)?$")
OUT_OF_RANGE = re.compile(
    r"(?P<value>\S+) is not in the range (?:(?P<low>\S+)<=)?x(?:>=(?P<least>\S+)|<=(?P<high>\S+))$"
)
NO_VALUE = "requires an argument."
SAME_OPTION_RATIO = 0.7  # of difflib: below it, a similar name is another option
NO_KEY_OPTION = "keys are never options, which the process list shows: easyllm keys set NAME"
OTHER_ENDPOINT = "easyllm profiles add NAME openai endpoint=URL, then -p NAME"
PROMPT_IS_ARGUMENT = 'the prompt is no option: easyllm chat "PROMPT"'
# An option of another program: what to use here.
OPTION_HINTS = {
    **dict.fromkeys(("--api-key", "--api_key", "--apikey", "--key", "--token"), NO_KEY_OPTION),
    "--cid": "--conversation ID",
    "--no-log": "--history off",
    **dict.fromkeys(("--api-base", "--base-url", "--endpoint", "--host", "--url"), OTHER_ENDPOINT),
    **dict.fromkeys(("--prompt", "--message", "--query"), PROMPT_IS_ARGUMENT),
    "--provider": "-p PROVIDER, or -p PROVIDER:MODEL",
    "--attachment": "-a IMAGE, or -f FILE for text",
    "--format": "--json, or --schema FILE",
    "--no-color": "--color never",
}


def usage_error(error: Any, arguments: list[str]) -> UsageError:
    """Click's error as a UsageError that names the problem, the nearest name and the help.

    `arguments`: the command line, its command first.
    """
    context = getattr(error, "ctx", None)
    path = context.command_path if context else " ".join(["easyllm", *arguments[:1]])
    see = f"see {path} -h"
    if type(error).__name__ == "NoSuchOption":
        return _unknown_option(error.option_name, error.possibilities or (), see)
    if type(error).__name__ == "BadOptionUsage" and error.message.endswith(NO_VALUE):
        return UsageError(f"{error.option_name} needs a value", hint=see)
    text = error.format_message().replace("\n", " ").rstrip(".")
    message, _, suggestion = text.partition(". Did you mean ")
    metavar = getattr(getattr(error, "param", None), "metavar", "")
    message = _in_plain_words(message, " of seconds" if metavar == "SECONDS" else "")
    return UsageError(message, hint=f"did you mean {suggestion} {see}" if suggestion else see)


def _unknown_option(name: str, similar: Any, see: str) -> UsageError:
    from difflib import SequenceMatcher

    message = f"no such option: {name}"
    if name in OPTION_HINTS:
        return UsageError(message, hint=OPTION_HINTS[name])
    close = [
        each for each in similar
        if SequenceMatcher(None, name, each).ratio() >= SAME_OPTION_RATIO
    ]  # fmt: skip
    if close:
        return UsageError(message, hint=f"did you mean {' or '.join(close)}? {see}")
    return UsageError(message, hint=f"{see}; put -- before a prompt that begins with -")


def _in_plain_words(message: str, unit: str) -> str:
    """The message without the parser's terms; `unit`: what the number counts."""
    if match := NOT_A_NUMBER.search(message):
        number = "a number" if match[1] == "float" else "a whole number"
        return f"{message[: match.start()]}is not {number}{unit}"
    if match := OUT_OF_RANGE.search(message):
        value, unit = f"{float(match['value']):g}", unit.removeprefix(" of")
        if match["least"]:
            says = f"{value} is less than {match['least']}{unit}"
        elif match["low"]:
            says = f"{value} is not between {match['low']} and {match['high']}{unit}"
        else:
            says = f"{value} is more than {match['high']}{unit}"
        return message[: match.start()] + says
    return message
