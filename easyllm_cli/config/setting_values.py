"""Checks and conversions of setting values: types, headers, paths, and text from web forms."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from ..errors import ConfigError
from ..secret import Secret

# Check of each type that a setting may have, for values from TOML or JSON. True is not a number.
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
    "Timeout": lambda value: True,  # `timeout_from_table` checks it, with messages of its own
}
# A header name is a token (RFC 9110 section 5.6.2).
HEADER_NAME_PATTERN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # compiled at the first header
# Headers about the connection or the length of the body (RFC 9110 section 7.6.1, RFC 9112
# section 6). The HTTP client writes them; conflicting copies allow request smuggling.
CONNECTION_HEADERS = frozenset(
    ("connection", "content-length", "expect", "host", "http2-settings", "keep-alive",
     "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "trailers",
     "transfer-encoding", "upgrade")
)  # fmt: skip


def validate_header(name: str, value: str, setting: str = "") -> str:
    """Check a header and return its value without surrounding white space.

    `setting` is the setting that the value comes from; "" means the profile's `headers`.

    Raises:
        ConfigError: HTTP cannot send the name or the value, or the header is a connection header.
    """
    setting, code = setting or f"header {name}", setting or "headers"
    if not isinstance(name, str) or not re.fullmatch(HEADER_NAME_PATTERN, name):
        raise ConfigError(
            f"{ascii(name)[:80]} is not a valid header name",
            code=code,
            hint="use letters, digits and -, as in X-Team",
        )
    if name.lower() in CONNECTION_HEADERS:
        raise ConfigError(
            f"{setting} is written by the HTTP client",
            code=code,
            hint="remove it",
        )
    value = value.strip(" \t")
    if not value.isascii() or not value.isprintable():
        raise ConfigError(f"{setting} has characters that headers cannot contain", code=code)
    return value


def has_type(value: Any, annotation: str) -> bool:
    """Return whether a value fits an annotation such as `str | list[str] | None`."""
    return any(TYPE_CHECKS[kind](value) for kind in annotation.split(" | "))


# How error messages name the types; a Secret is text to the user.
TYPE_NAMES = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "Secret": "text",
    "list[str]": "a list of texts",
    "list[Secret]": "a list of texts",
    "dict[str, Any]": "a table",
    "dict[str, str]": "a table of texts",
}


def format_type(annotation: str) -> str:
    """Name an annotation in plain words: `str | list[str] | None` is "text or a list of texts"."""
    kinds = [kind for kind in annotation.split(" | ") if kind in TYPE_NAMES]
    if "float" in kinds:
        kinds = [kind for kind in kinds if kind != "int"]
    return " or ".join(TYPE_NAMES[kind] for kind in kinds)


def format_wrong_value(value: Any, annotation: str) -> str:
    """Name a value of the wrong type: its text for numbers and true or false, else its type.

    Values of other settings are not shown, because they may contain a key.
    """
    if {"bool", "int", "float"} & {*annotation.split(" | ")}:
        if isinstance(value, str):
            return f'"{value[:80]}"'
        if isinstance(value, int | float) and not is_beyond_float_range(value):
            return str(value).lower()
    name = _name_type(value)
    items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    wrong_items = [item for item in items if not TYPE_CHECKS["Secret"](item)]
    return f"{name} with {_name_type(wrong_items[0])}" if wrong_items else name


def _name_type(value: Any) -> str:
    """Name a value's type in plain words."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    for kind, name in ((str, "text"), (int | float, "a number"), (list, "a list")):
        if isinstance(value, kind):
            return name
    return "a table" if isinstance(value, Mapping) else type(value).__name__


TRUE_WORDS, FALSE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse_form_value(value: Any, annotation: str, keep_whitespace: bool = False) -> Any:
    """Convert a value from a web form or JSON to the type of an annotation.

    Empty text becomes None (not given). `keep_whitespace` keeps the white space around text. A
    value that cannot be converted is returned unchanged; `validate_setting` rejects it later.
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
    """Return the number in a text, an int where the types allow it; else the text itself."""
    if "_" in text or not text.isascii():
        return text  # float() also accepts 1_000 and non-ASCII digits
    try:
        number = float(text)
        whole = "int" in types and number.is_integer()
        return int(number) if whole else number if isfinite(number) else text
    except (OverflowError, ValueError):
        return text


def is_beyond_float_range(value: Any) -> bool:
    """Return whether an int is too large for a float; TOML and JSON ints have no size limit."""
    return isinstance(value, int) and value.bit_length() >= 1024


# Conversions: the name of a setting and a value of the right type, to what the profile stores.


def expand_path(name: str, path: str) -> str:
    """Replace a leading `~` of a path by the home folder."""
    return os.path.expanduser(path)


def hide_keys(name: str, value: str | Secret | list[Any]) -> Secret | list[Secret]:
    """Turn an API key, or a list of them, into Secrets."""
    if isinstance(value, list):
        return [item if isinstance(item, Secret) else Secret(item) for item in value]
    return value if isinstance(value, Secret) else Secret(value)


def check_header_value(name: str, value: str) -> str:
    """Check a setting that is sent as a header. Raises ConfigError as `validate_header`."""
    return validate_header(name, value, name)


def check_header_table(name: str, headers: dict[str, str]) -> dict[str, str]:
    """Check a table of headers; a value may be `env:NAME`. Raises as `validate_header`."""
    for header, text in headers.items():
        validate_header(header, "" if text.startswith("env:") else text)
    return headers


def check_json_table(name: str, table: Any) -> Any:
    """Raise ConfigError for a table that is not JSON: TOML also allows dates and NaN."""
    import json

    try:
        json.dumps(table, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} cannot be sent as JSON: {error}", code=name) from None
    return table
