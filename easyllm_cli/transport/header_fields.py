"""Header fields for an HTTP client that checks and decodes none itself: aiohttp."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from ..config.header_values import CONNECTION_HEADERS, HEADER_NAME_PATTERN
from ..errors import ConfigError
from ..secret import MASK
from .base import Request


class HiddenText(str):
    """A header's value that `repr` hides: error reports show the variables of aiohttp's frames."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


class HeaderFields:
    """Builds the headers of requests; checks only what differs from the last request's."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def build(self, request: Request) -> dict[str, str]:
        """Return the headers to send, their values hidden from error reports.

        Raises:
            ConfigError: HTTP cannot send a header, or the HTTP client writes it.
        """
        headers: dict[str, str] = {
            name: HiddenText(value) for name, value in request.reveal_headers().items()
        }
        if headers != self._last:
            _require_sendable(headers)
            self._last = headers
        return headers


def _require_sendable(headers: Mapping[str, str]) -> None:
    if not all(_is_header_name(name) for name in headers) or not all(
        value.isascii() and value.isprintable() and value == value.strip()
        for value in headers.values()
    ):
        raise ConfigError("a header of the request cannot be sent", hint="check headers")


@lru_cache(maxsize=256)
def _is_header_name(name: str) -> bool:
    is_token = re.fullmatch(HEADER_NAME_PATTERN, name) is not None
    return is_token and name.lower() not in CONNECTION_HEADERS


def join_header_fields(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with lower-case names, and the values of one name joined by commas."""
    joined: dict[str, str] = {}
    for name, value in headers.items():
        name = name.lower()
        if not value.isascii():
            value = _decode_header(value)
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _decode_header(value: str) -> str:
    """Return a value that is not ASCII as UTF-8, or as Latin-1 if it is not that."""
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
