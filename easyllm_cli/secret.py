"""Secret: a key that never prints, serialises or pickles, and is cut out of every text."""

from __future__ import annotations

import re
from typing import NoReturn
from weakref import WeakValueDictionary

MASK = "***"
BEARER_PREFIX = "Bearer "  # no secret, though it stands before one
LONG_KEY_CHARS = 12  # characters: the last 4 of a shorter key would give too much of it away
# A header, or an option, whose value is nobody's business.
SENSITIVE_NAME = re.compile(  # but for an author, an authority, a keyword, a keyspace, many tokens;
    # and not all that the gateway Portkey takes (x-portkey-provider: openai)
    r"auth(?!or(?!i[sz]))|(?<!\bport)key(?!word|space)|token(?!s)|secret|cookie|password",
    re.IGNORECASE,
)
# By identity: two equal secrets live and die apart.
_live_secrets: WeakValueDictionary[int, Secret] = WeakValueDictionary()
_retained_secrets: list[Secret] | None = None


class Secret:
    """An API key. `str`, `repr` and format give `***`; only `reveal()` gives the value."""

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        _live_secrets[id(self)] = self
        if _retained_secrets is not None:
            _retained_secrets.append(self)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        """Itself: a config that is copied names the same key, and there is no second one."""
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


def retain_secrets() -> None:
    """From now on no secret is forgotten, so that `redact` knows it to the process's last line.

    For a command, which ends soon; in a library a key is forgotten with its last holder.
    """
    global _retained_secrets
    _retained_secrets = _retained_secrets or []


def mask_key(key: str) -> str:
    """A key that may be shown: `***` and its last 4 characters at most."""
    return MASK + (key[-4:] if len(key) >= LONG_KEY_CHARS else "")


def redact(text: str, min_chars: int = 4) -> str:
    """The text with every living Secret replaced by `***`, in any of its disguises.

    A piece of 8 characters of one counts as well (redaction.py). `shortest`: three characters and
    fewer stand in ordinary words; cutting them out would only garble.
    """
    # As a list at once: meanwhile another thread may make a secret, or let one go.
    secrets = [reference() for reference in _live_secrets.valuerefs()]
    keys = {secret.reveal().removeprefix(BEARER_PREFIX) for secret in secrets if secret is not None}
    values = [key for key in keys if len(key) >= min_chars]
    if not values:
        return text
    from .redaction import find_secrets  # what is printed on errors only

    redacted, last = "", 0
    for start, end in find_secrets(text, values):
        redacted += text[last:start] + MASK
        last = end
    return redacted + text[last:]
