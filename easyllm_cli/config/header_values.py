"""Checks that HTTP can send a header, and that it does not conflict with the client's own."""

from __future__ import annotations

import re

from ..errors import ConfigError

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
