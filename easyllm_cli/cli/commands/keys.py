"""`easyllm keys`: stores, lists and removes API keys; a key is never an argument."""

# No `from __future__ import annotations`: Typer needs the real types.
import getpass
import os
import shlex
import sys
import warnings
from typing import TYPE_CHECKING, Annotated

import typer

from ..option_types import complete_providers
from ..options.common import DebugOption, ListFormat, ProfilesFileOption
from ..options.groups import expand_option_groups

if TYPE_CHECKING:
    from ...secret import Secret

MAX_KEY_BYTES = 64 * 1024  # an endless line must not fill memory
KeyName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help='A provider, or a name for keyring = "NAME".', show_default=False,
        autocompletion=complete_providers,
    ),
]  # fmt: skip


@expand_option_groups
def list_keys(debug_option: DebugOption, list_format: ListFormat) -> int:
    """List the stored keys: where each one is stored, and at most its last 4 characters."""
    from ...config import key_store
    from ..results import print_list

    rows = [vars(key) for key in key_store.list_stored_keys()]
    empty = "no keys are stored: easyllm keys set NAME"
    return print_list("keys", rows, empty, json=list_format.json, color=list_format.color)


@expand_option_groups
def set_key(profiles_file: ProfilesFileOption, name: KeyName) -> int:
    """Store a key from a hidden prompt, or in a pipe from the first line of stdin.

    It goes to the system keyring, or without one to a file that only you can read.

    easyllm keys set openai < key.txt
    """
    from ...config import key_store
    from ...render.output import print_notice

    # Raises for a damaged file before the user types a key.
    key_store.has_stored_key(require_key_name(name))
    confirm_key_name(name, profiles_file.profiles)
    where = key_store.store_key(name, read_key(name))
    print_notice(f"easyllm: the key {name} is stored ({where})")
    return 0


@expand_option_groups
def remove_key(debug_option: DebugOption, name: KeyName) -> int:
    """Remove a stored key."""
    from ...config import key_store
    from ...render.output import print_notice

    key_store.delete_key(name)
    print_notice(f"easyllm: the key {name} is removed")
    return 0


def require_key_name(name: str) -> str:
    """Return the name if it is valid.

    Raises:
        UsageError: it is empty or contains unprintable characters.
    """
    from ...errors import UsageError

    if not name.strip() or not name.isprintable():
        raise UsageError(f"{name[:80]!r} cannot be a key's name", hint="e.g. openai")
    return name


def read_key(name: str) -> "Secret":
    """Read the key from a hidden prompt on a terminal, else from the first line of stdin.

    Raises:
        UsageError: there is none, or it contains characters that no key has.
    """
    from ...config.credentials import parse_api_key
    from ...errors import EasyLLMError, UsageError

    text = _prompt_for_key(name) if os.isatty(0) else _read_first_line()
    try:
        return parse_api_key(text, "no key was given")
    except EasyLLMError as error:
        hint = f"easyllm keys set {name} < FILE, or type it at the prompt"
        raise UsageError(error.message, hint=hint) from None


def _prompt_for_key(name: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"Key for {name} (it is not shown): ", sys.stderr)
        except (EOFError, getpass.GetPassWarning):
            return ""


def _read_first_line() -> str:
    from ...text_encoding import refuse_utf16

    data = b""
    while b"\n" not in data and len(data) < MAX_KEY_BYTES:
        chunk = os.read(0, 4096)
        if not chunk:
            break
        data += chunk
    refuse_utf16(data, "stdin")
    return data.partition(b"\n")[0].decode("utf-8", "replace")


def confirm_key_name(name: str, file: str | None) -> None:
    """Ask on a terminal before storing a key that nothing uses; refuse it in a pipe.

    Raises:
        ConfigError: the profiles file, which may name the key, cannot be read.
        UsageError: stdin is not a terminal, or the answer is no.
    """
    from ...errors import UsageError, suggest_name
    from ...providers import provider_names
    from ...render.output import print_notice

    known = provider_names()
    if name in known or is_key_of_profile(name, file):
        return
    problem = f'no provider or profile uses "{name}"'
    guess = suggest_name(name, known)
    guess = "" if guess.startswith("known:") else guess
    if not os.isatty(0):
        hint = f"use it in a profile first: easyllm profiles set NAME keyring {shlex.quote(name)}"
        raise UsageError(problem, hint=f"{guess} Or {hint}" if guess else hint)
    print_notice(f"easyllm: {problem}{'; ' * bool(guess)}{guess}")
    if not typer.confirm("Store it anyway?", default=False, err=True):
        raise UsageError("nothing was stored", hint="easyllm keys set NAME, a provider's name")


def is_key_of_profile(name: str, file: str | None) -> bool:
    """Whether a profile of the file uses the stored key.

    Raises:
        ConfigError: the file cannot be read.
    """
    from ...config.profiles_file import read_profiles

    tables = read_profiles(file).tables.values()
    return any(isinstance(table, dict) and table.get("keyring") == name for table in tables)


# Subcommand: its function, and its line in `easyllm keys -h`.
SUBCOMMANDS = {
    "list": (list_keys, "List the stored keys, masked (the same as no command)."),
    "set": (set_key, "Store a key from a hidden prompt or from stdin."),
    "remove": (remove_key, "Remove a key."),
}
DEFAULT_COMMAND = "list"
EXAMPLES = "easyllm keys set openai\neasyllm keys set openai < key.txt"
