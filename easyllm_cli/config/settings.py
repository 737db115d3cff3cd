"""What a profile's values may be: types, ranges, JSON, and the nearest name for a wrong one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from ..errors import ConfigError
from ..secret import Secret

# What each annotation of Profile takes from TOML or JSON; True is no number here.
TYPE_CHECKS: dict[str, Callable[[Any], bool]] = {
    "None": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "Secret": lambda value: isinstance(value, str | Secret),
    "list[str]": lambda value: isinstance(value, list) and all(map(TYPE_CHECKS["str"], value)),
    "list[Secret]": lambda value: (
        isinstance(value, list) and all(map(TYPE_CHECKS["Secret"], value))
    ),
    "dict[str, Any]": lambda value: isinstance(value, Mapping),
    "dict[str, str]": lambda value: (
        isinstance(value, Mapping) and all(map(TYPE_CHECKS["str"], value.values()))
    ),
}
# key: the least and the greatest value, None = no bound
SETTING_RANGES: dict[str, tuple[float | None, float | None]] = {
    "temperature": (0, 2),
    "max_tokens": (1, None),
    "top_p": (0, 1),
    "top_k": (0, None),
    "max_retries": (0, 100),
    "initial_retry_delay": (0, None),
    "max_retry_delay": (0, None),
    "retry_multiplier": (1, None),
    "retry_budget": (0, None),
    "num_ctx": (1, None),
}
# A header's name: a token of RFC 9110 §5.6.2.
HEADER_NAME_PATTERN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Headers about one connection or about where the body ends (RFC 9110 §7.6.1, RFC 9112 §6): the
# client writes them, and a second opinion on them is how requests are smuggled.
CONNECTION_HEADERS = frozenset(
    ("connection", "content-length", "expect", "host", "http2-settings", "keep-alive",
     "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "trailers",
     "transfer-encoding", "upgrade")
)  # fmt: skip


def validate_header(name: str, value: str, setting: str = "") -> str:
    """A header's value as it is sent: without the white space around it.

    `what`: the setting that it comes from; left out, a header of the profile's own.

    Raises:
        ConfigError: a name or a value that HTTP cannot send, or a header of the connection.
    """
    setting, code = setting or f"header {name}", setting or "headers"
    if not isinstance(name, str) or not HEADER_NAME_PATTERN.fullmatch(name):
        said = ascii(name)[:80]
        raise ConfigError(
            f"{said} is no header's name", code=code, hint="letters, digits and -, as in X-Team"
        )
    if name.lower() in CONNECTION_HEADERS:
        raise ConfigError(
            f"{setting} belongs to the connection, not to the request",
            code=code,
            hint="leave it out",
        )
    value = value.strip(" \t")
    if not value.isascii() or not value.isprintable():
        raise ConfigError(f"{setting} holds characters that no header can", code=code)
    return value


def has_type(value: Any, annotation: str) -> bool:
    """Whether a value fits an annotation such as `str | list[str] | None`."""
    return any(TYPE_CHECKS[one](value) for one in annotation.split(" | "))


TRUE_WORDS, FALSE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse_form_value(value: Any, annotation: str, keep_whitespace: bool = False) -> Any:
    """A value as web forms and JSON send it, in the type that fits an annotation.

    None = not given, as an empty text is. `verbatim`: white space of the text counts. What cannot
    be read stays as it is, for the check that names it.
    """
    kinds = annotation.split(" | ")
    if isinstance(value, float) and "int" in kinds and "float" not in kinds and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    text = value if keep_whitespace else value.strip()
    if not text:
        return None
    if "bool" in kinds:
        word = text.lower()
        return word in TRUE_WORDS if word in (*TRUE_WORDS, *FALSE_WORDS) else value
    if "int" in kinds or "float" in kinds:
        return _parse_number(text, kinds)
    return text


def _parse_number(text: str, types: list[str]) -> Any:
    """The number that a text holds, a whole one where it may be; else the text."""
    if "_" in text or not text.isascii():
        return text  # Python takes 1_000, and digits of every script
    try:
        number = float(text)
        whole = "int" in types and number.is_integer()
        return int(number) if whole else number if isfinite(number) else text
    except (OverflowError, ValueError):
        return text


def is_beyond_float_range(value: Any) -> bool:
    """Whether it is a whole number that no float holds: TOML and JSON have them of any length."""
    return isinstance(value, int) and value.bit_length() >= 1024


def require_json_serializable(options: Any) -> None:
    """TOML knows dates and NaN; what goes to a provider is JSON."""
    import json

    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"options cannot be sent as JSON: {error}", code="options") from None
