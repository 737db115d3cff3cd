"""`easyllm keys`: stores, lists and removes API keys; a key is never an argument."""

# No `from __future__ import annotations`: Typer needs the real types.
import getpass
import os
import sys
import warnings
from typing import TYPE_CHECKING, Annotated

import typer

from ..option_types import providers
from ..options.groups import options
from ..options.output import Form
from ..options.run import Failure, File

if TYPE_CHECKING:
    from ...secret import Secret

LONGEST = 64 * 1024  # bytes; a key is shorter, and a line that never ends must not fill memory
KeyName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help='A provider, or a name for keyring = "NAME".', show_default=False,
        autocompletion=providers,
    ),
]  # fmt: skip


@options
def list_keys(failure: Failure, form: Form) -> int:
    """List the stored keys: where each one is, and at most its last 4 characters."""
    from ...config import key_store
    from ..results import print_list

    rows = [vars(one) for one in key_store.listed()]
    empty = "no keys are stored: easyllm keys set NAME"
    return print_list("keys", rows, empty, json=form.json, color=form.color)


@options
def set_key(file: File, name: KeyName) -> int:
    """Store a key, read from a hidden prompt, or in a pipe from stdin's first line.

    It goes to the system keyring, or where there is none to a file that is yours alone.

    easyllm keys set openai < key.txt
    """
    from ...config import key_store
    from ...render.output import complain

    key_store.holds(name_of_key(name))  # a damaged file is told before a key is typed
    where = key_store.store(name, typed_key(name))
    complain(f"easyllm: the key {name} is stored ({where})")
    hint = unused(name, file.profiles)
    if hint:
        complain(f"easyllm: {hint}")
    return 0


@options
def remove_key(failure: Failure, name: KeyName) -> int:
    """Forget a stored key."""
    from ...config import key_store

    key_store.remove(name)
    return 0


def name_of_key(name: str) -> str:
    """The name, if a key can have it.

    Raises:
        UsageError: it is empty or holds what cannot be printed.
    """
    from ...errors import UsageError

    if not name.strip() or not name.isprintable():
        raise UsageError(f"{name[:80]!r} cannot be a key's name", hint="e.g. openai")
    return name


def typed_key(name: str) -> "Secret":
    """The key from a hidden prompt on a terminal, else stdin's first line.

    Raises:
        UsageError: there is none, or it holds characters that no key has.
    """
    from ...config.credentials import usable
    from ...errors import EasyLLMError, UsageError

    text = _from_prompt(name) if os.isatty(0) else _first_line()
    try:
        return usable(text, "no key was given")
    except EasyLLMError as error:
        hint = f"easyllm keys set {name} < FILE, or type it at the prompt"
        raise UsageError(error.message, hint=hint) from None


def _from_prompt(name: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"Key for {name} (it is not shown): ", sys.stderr)
        except (EOFError, getpass.GetPassWarning):
            return ""


def _first_line() -> str:
    from ...text_encoding import refuse_utf16

    data = b""
    while b"\n" not in data and len(data) < LONGEST:
        piece = os.read(0, 4096)
        if not piece:
            break
        data += piece
    refuse_utf16(data, "stdin")
    return data.partition(b"\n")[0].decode("utf-8", "replace")


def unused(name: str, file: str | None) -> str:
    """What to say of a key that no provider and no profile takes; "" = one does."""
    from ...config.profiles_file import read_profiles
    from ...errors import EasyLLMError, nearest
    from ...providers import provider_names

    known = provider_names()
    if name in known:
        return ""
    try:
        tables = read_profiles(file).tables.values()
    except EasyLLMError:
        return ""
    if any(isinstance(table, dict) and table.get("keyring") == name for table in tables):
        return ""
    guess = nearest(name, known)
    guess = "" if guess.startswith("known:") else f"; {guess}"
    return f'no provider is called "{name}": a profile takes it with keyring = "{name}"{guess}'


# The name of each command, what runs it, and its line in `easyllm keys -h`.
COMMANDS = {
    "list": (list_keys, "List the stored keys, masked (the same as no command)."),
    "set": (set_key, "Store a key, read from a hidden prompt or from stdin."),
    "remove": (remove_key, "Forget a key."),
}
DEFAULT_COMMAND = "list"
EXAMPLE = "easyllm keys set openai < key.txt"
