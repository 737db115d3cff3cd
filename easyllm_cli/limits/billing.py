"""AttemptBilling: what arrived of an attempt, as far as it decides what has to be paid."""

from __future__ import annotations

from ..errors import AuthError, ConfigError, EasyLLMError, NetworkError, UsageError
from ..events import Done, Event, Reasoning, Start, Text, Usage

NOT_SENT_CODES = ("refused", "connect", "name", "tls", "proxy")  # of a NetworkError
# A gateway has lost the server or given up on it, and the server may have answered.
# https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
MAYBE_BILLED_STATUSES = (408, 460, 499, 502, 504, 520, 524, 598, 599)


class AttemptBilling:
    """What arrived of an attempt, and what it cost.

    `models`: those that Start named, in order. `usage`: None = none was reported. `error`: why it
    failed. `is_sent`: whether a request may have been sent. `is_done`: whether the answer ended.
    """

    def __init__(self) -> None:
        self.models: list[str] = []
        self.usage: Usage | None = None
        self.error: EasyLLMError | None = None
        self.is_sent = self.is_done = self._has_output = False

    def add(self, event: Event) -> None:
        """Note an event."""
        match event:
            case Usage():
                self.usage = event
            case Start():
                self.models.append(event.model)
            case Done():
                self.is_done = True
            case Text() | Reasoning():
                self._has_output = True

    def find_cost(self, reported: int | None, highest: int) -> int:
        """What the attempt cost; where nobody knows, the most.

        `reported`: the cost of the usage, None = unknown. An attempt without its end may have used
        more than it reported.
        """
        if self.is_done:
            return highest if reported is None else reported
        if not self.is_sent or self._is_free_of_charge():
            return reported or 0
        return max(highest, reported or 0)

    def _is_free_of_charge(self) -> bool:
        """Whether the attempt failed and costs nothing: it was refused, or nothing was sent."""
        error = self.error
        if error is None or self._has_output:
            return False
        if isinstance(error, NetworkError):
            return error.code in NOT_SENT_CODES
        if error.status is None:
            return isinstance(error, UsageError | ConfigError | AuthError)
        return error.status >= 400 and error.status not in MAYBE_BILLED_STATUSES
