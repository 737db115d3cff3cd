"""Reads a response's rate-limit headers, and how many seconds the server asks us to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..secret import redact
from ..server_times import parse_wait_seconds, seconds_from_now

# Cohere's words for a trial key's limit; no header says how long to wait
# (https://docs.cohere.com/docs/rate-limits).
MINUTE_LIMIT_TEXT = "API calls / minute"

RATE_LIMIT_HEADER = re.compile(r"ratelimit|retry-after")


def rate_limit_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers about rate limits, such as `x-ratelimit-remaining-requests`; lower-case names.

    A server may send the key back in any header, so keys are redacted.
    """
    found = {name: value for name, value in headers.items() if RATE_LIMIT_HEADER.search(name)}
    return {redact(name): redact(value) for name, value in found.items()}


def find_retry_after(headers: Mapping[str, str], body: Any, rate_limited: bool) -> float | None:
    """Return the wait in seconds from the headers (lower-case names) or the parsed body, or None.

    `rate_limited`: the status is 429, so the x-ratelimit-reset headers count, too.
    """
    milliseconds = headers.get("retry-after-ms")
    if milliseconds:
        try:
            return seconds_from_now(float(milliseconds) / 1000)
        except ValueError:
            pass
    if "retry-after" in headers:
        # If it is unreadable or in the past, our own backoff applies (FAULT-20).
        return parse_wait_seconds(headers["retry-after"])
    wait = _retry_after_from_body(body)
    if wait is not None or not rate_limited:
        return wait
    resets = [
        wait
        for name, value in headers.items()
        if re.fullmatch(r"(x|anthropic)-ratelimit-(reset-.*|reset|.*-reset)", name)
        and (wait := parse_wait_seconds(value)) is not None
    ]
    # The headers do not say which limit was hit, so the longest wait applies.
    return max(resets, default=_wait_for_minute_limit(body))


def _wait_for_minute_limit(body: Any) -> float | None:
    """Return a minute if the error's message names a limit of calls in a minute, else None."""
    message = body.get("message") if isinstance(body, dict) else None
    return 60.0 if isinstance(message, str) and MINUTE_LIMIT_TEXT in message else None


def _retry_after_from_body(body: Any) -> float | None:
    """Return the wait of Google's RetryInfo, error.details[].retryDelay = "34s", or None."""
    # A stream of Google's REST API is a list.
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else []:
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return parse_wait_seconds(delay)
    return None
