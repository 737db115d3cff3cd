"""Reads what a server's headers say about its rate limits.

OpenAI (https://platform.openai.com/docs/guides/rate-limits) and Groq
(https://console.groq.com/docs/rate-limits) send `x-ratelimit-limit-requests`, `…-remaining-…` and
`…-reset-…`; Anthropic (https://docs.anthropic.com/en/api/rate-limits)
`anthropic-ratelimit-requests-limit` and so on; others `x-ratelimit-limit` or `ratelimit-limit`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..frozen_dataclass import FrozenDataclass
from ..server_times import parse_wait_seconds

HEADER_NAME = re.compile(
    r"(?:x-|anthropic-)?ratelimit-(?:(?P<field>limit|remaining|reset)(?:-(?P<what>[a-z-]+))?"
    r"|(?P<what2>[a-z-]+)-(?P<field2>limit|remaining|reset))"
)
MINUTE = 60.0
LONGEST_MINUTE = 600.0  # a computed window up to here is a minute: servers round a reset


class ReportedLimit(FrozenDataclass):
    """One limit of a server: `what` is counted ("requests", "tokens", …).

    `limit`, `remaining`: numbers of it; None = not reported. `reset`: seconds until all of it is
    free again; None = not reported. `per_minute`: the limit is known to be that of a minute.
    `at_once`: all of it becomes free at the reset, not bit by bit.
    """

    what: str
    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None
    per_minute: bool = False
    at_once: bool = False

    def minute_limit(self) -> float | None:
        """The limit of a minute; None = not known, or the limit is that of a day.

        Groq's limit of requests is that of a day, under the same name as OpenAI's of a minute. What
        is used is free again after `reset`, so limit / used x reset is the length of the window.
        """
        if not self.limit or self.per_minute:
            return self.limit or None
        if self.reset is None:
            return None
        if self.at_once:
            return self.limit if self.reset <= MINUTE else None
        used = 0 if self.remaining is None else self.limit - self.remaining
        is_minute = used > 0 and self.reset * self.limit / used <= LONGEST_MINUTE
        return self.limit if is_minute else None

    def pause(self) -> float:
        """Seconds until one more is allowed; 0 = now."""
        if self.remaining is None or self.remaining > 0 or self.reset is None:
            return 0.0
        return self.reset if self.at_once or not self.limit else self.reset / self.limit


def read_limits(headers: Mapping[str, str]) -> list[ReportedLimit]:
    """The limits in a response's headers (lower-case names)."""
    found: dict[str, dict[str, float]] = {}
    for name, value in headers.items():
        match = HEADER_NAME.fullmatch(name)
        if match is None:
            continue
        what = match["what"] or match["what2"] or ""
        field = match["field"] or match["field2"]
        number = parse_wait_seconds(value) if field == "reset" else _parse_count(value)
        if number is not None:
            found.setdefault(what, {})[field] = number
    is_anthropic = any(name.startswith("anthropic-") for name in headers)
    return [
        ReportedLimit(what or "requests", **fields, per_minute=is_anthropic, at_once=not what)
        for what, fields in found.items()
    ]


def find_limit(limits: list[ReportedLimit], what: str) -> ReportedLimit | None:
    """The limit of this kind; None = the server reported none."""
    return next((limit for limit in limits if limit.what == what), None)


def _parse_count(text: str) -> float | None:
    """A number of requests or tokens; None = unreadable. `100, 100;w=60` is 100."""
    match = re.match(r"\s*(\d{1,15})(?:\.\d+)?\s*(?:[,;].*)?$", text)
    return float(match[1]) if match else None
