"""Secret: an API key that never prints or pickles, and `redact`, which masks keys in texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn
from weakref import WeakValueDictionary

MASK = "***"
BEARER_PREFIX = "Bearer "  # authorization scheme, not part of the secret
LONG_KEY_CHARS = 12  # below this, the last 4 characters would reveal too much of the key
WHOLE_KEY_CHARS = 8  # below this, a key may be an ordinary word of a long text
# The name of a header or option whose value is masked. Not: author, authority, keyword, keyspace,
# tokens, and the headers of the gateway Portkey such as `x-portkey-provider: openai`.
# Not compiled here: most runs look at no header, and compiling takes 0.3 ms.
SENSITIVE_NAME = (
    r"(?i)auth(?!or(?!i[sz]))|(?<!\bport)key(?!word|space)|token(?!s)|secret|cookie|password"
)
# Keyed by id(): two equal secrets are separate objects, each with its own lifetime.
_live_secrets: WeakValueDictionary[int, Secret] = WeakValueDictionary()
_retained_secrets: dict[str, Secret] | None = None  # by value: a batch makes one a row


class Secret:
    """An API key. `str`, `repr` and `format` return `***`; only `reveal()` returns the key."""

    __slots__ = ("__weakref__", "_bearer", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._bearer: Secret | None = None
        _live_secrets[id(self)] = self
        if _retained_secrets is not None:
            _retained_secrets.setdefault(value, self)

    def reveal(self) -> str:
        return self._value

    def as_bearer(self) -> Secret:
        """`Bearer KEY`, as the header Authorization has it; the same object at each call."""
        if self._bearer is None:
            self._bearer = Secret(BEARER_PREFIX + self._value)
        return self._bearer

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        """Return itself: a copied config refers to the same Secret."""
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


def retain_secrets() -> None:
    """Keep one Secret of each value that is created from now on, so that `redact` masks it.

    Only the command line calls this: its process is short. In a library a Secret is forgotten when
    the last reference to it goes.
    """
    global _retained_secrets
    _retained_secrets = _retained_secrets or {}


def mask_key(key: str) -> str:
    """The key for display: `***` and its last 4 characters; of a short key only `***`."""
    return MASK + (key[-4:] if len(key) >= LONG_KEY_CHARS else "")


def mask_whole_keys(text: str) -> str:
    """The text with `***` in place of every existing Secret of 8 characters or more.

    For long texts that are kept: `redact` also finds fragments and encodings, which takes
    1 µs a character.
    A vendor's name, which servers suggest as a dummy key, is left.
    """
    for key in _whole_keys():
        text = text.replace(key, MASK)
    return text


def holds_known_key(text: str) -> bool:
    """Whether the text holds a key that `mask_whole_keys` masks, as it is or encoded."""
    keys = list(_whole_keys())
    if not keys:
        return False
    from .redaction import holds_key  # imported only when there is a key to find

    return holds_key(text, keys)


def _whole_keys() -> Iterator[str]:
    """Every existing Secret of 8 characters or more that is no vendor's name."""
    from .vendors import VENDORS

    for reference in _live_secrets.valuerefs():
        secret = reference()
        key = secret.reveal().removeprefix(BEARER_PREFIX) if secret is not None else ""
        if len(key) >= WHOLE_KEY_CHARS and key.lower().replace("-", "") not in VENDORS:
            yield key


def redact(text: str, min_chars: int = 4) -> str:
    """The text with `***` in place of every existing Secret, its encodings and fragments.

    A fragment has 8 characters or more (redaction.py). Keys below `min_chars` are ignored: they
    occur in ordinary words, and masking them would only garble the text.
    """
    # Copied to a list first: another thread may create or drop a Secret meanwhile.
    secrets = [reference() for reference in _live_secrets.valuerefs()]
    keys = {secret.reveal().removeprefix(BEARER_PREFIX) for secret in secrets if secret is not None}
    values = [key for key in keys if len(key) >= min_chars]
    if not values:
        return text
    from .redaction import find_secrets  # imported only when there is a key to mask

    redacted, last = "", 0
    for start, end in find_secrets(text, values):
        redacted += text[last:start] + MASK
        last = end
    return redacted + text[last:]
