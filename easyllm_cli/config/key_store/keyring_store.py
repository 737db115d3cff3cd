"""The system keyring (extra `keyring`): the one file that names the package."""

from __future__ import annotations

import os
from typing import Any

from ...errors import AuthError, OutputError, not_installed
from ...secret import Secret, redact

RECOMMENDED = 1  # keyring's own bound
SERVICE = "easyllm"  # under which our keys stand in it; the user name is the key's name


def is_there() -> bool:
    """Whether this machine has a keyring; one without a desktop usually has none.

    One of lower priority than keyring itself recommends (a plain file, for instance) counts only
    where the user names it.
    """
    least = 0 if os.environ.get("PYTHON_KEYRING_BACKEND") else RECOMMENDED
    try:
        priority = _backend().priority
        return bool(priority > 0 and priority >= least)
    except Exception:  # no package, or one that cannot be set up
        return False


def put(name: str, key: Secret) -> None:
    """Store a key.

    Raises:
        OutputError: the keyring does not take it (it is locked, or somebody said no).
    """
    try:
        _backend().set_password(SERVICE, name, key.reveal())
    except Exception as error:  # a backend raises what it likes
        raise OutputError(
            f"the system keyring does not take the key: {_words(error)}",
            hint="unlock it, or set PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring "
            "to use a file",
        ) from None


def get(name: str) -> str | None:
    """A key, or None where the keyring has none of that name.

    Raises:
        ConfigError: the package is not installed. AuthError: the keyring cannot be read.
    """
    try:
        found = _backend().get_password(SERVICE, name)
    except Exception as error:
        missing = not_installed(error) if isinstance(error, ImportError) else None
        raise missing or AuthError(
            f"the system keyring cannot be read: {_words(error)}", hint="unlock it, and try again"
        ) from None
    return None if found is None else str(found)


def remove(name: str) -> None:
    """Take a key out; one that is not there is no error.

    Raises:
        ConfigError: the package is not installed. OutputError: the keyring does not let it go.
    """
    if get(name) is None:
        return
    try:
        _backend().delete_password(SERVICE, name)
    except Exception as error:
        raise OutputError(f"the system keyring keeps the key: {_words(error)}") from None


def _backend() -> Any:
    import keyring

    return keyring.get_keyring()


def _words(error: Exception) -> str:
    return redact(str(error).strip() or type(error).__name__)[:200]
