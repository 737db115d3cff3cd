"""A key as somebody types or pipes it: hidden, one line, checked."""

from __future__ import annotations

import getpass
import os
import sys
import warnings

from ..config.credentials import usable
from ..config.profiles_file import read_profiles
from ..errors import EasyLLMError, UsageError, nearest
from ..providers import provider_names
from ..secret import Secret
from ..text_encoding import refuse_utf16

LONGEST = 64 * 1024  # bytes; a key is shorter, and a line that never ends must not fill memory


def name_of_key(name: str) -> str:
    """The name, if a key can have it.

    Raises:
        UsageError: it is empty or holds what cannot be printed.
    """
    if not name.strip() or not name.isprintable():
        raise UsageError(f"{name[:80]!r} cannot be a key's name", hint="e.g. openai")
    return name


def typed_key(name: str) -> Secret:
    """The key from a hidden prompt on a terminal, else stdin's first line.

    Raises:
        UsageError: there is none, or it holds characters that no key has.
    """
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
