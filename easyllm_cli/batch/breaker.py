"""Stops a run in which nearly everything fails, before it costs much."""

from __future__ import annotations

from collections import Counter, deque
from copy import copy

from ..errors import EasyLLMError

FIRST_ROWS = 20  # if all of them fail alike, so will the others
WINDOW_ROWS = 200  # if more than half of the last ones failed, something has changed


class Breaker:
    """Watches how rows end."""

    def __init__(self) -> None:
        self._first_kind = ""
        self._alike = 0  # rows from the first one on that failed with the same kind of error
        self._is_watching_first = True
        self._last: deque[EasyLLMError | None] = deque(maxlen=WINDOW_ROWS)

    def add(self, error: EasyLLMError | None) -> EasyLLMError | None:
        """Take in how a row ended; returns the error that the run stops with, or None."""
        self._last.append(error)
        if self._is_watching_first:
            kind = error.kind if error else ""
            self._first_kind = self._first_kind or kind
            self._alike += 1
            self._is_watching_first = bool(error) and kind == self._first_kind
            if error is not None and self._is_watching_first and self._alike >= FIRST_ROWS:
                return _stop_error(error, f"the first {FIRST_ROWS} rows all failed")
        failures = [each for each in self._last if each is not None]
        if error is None or len(self._last) < WINDOW_ROWS or len(failures) * 2 <= WINDOW_ROWS:
            return None
        ((kind, _),) = Counter(each.kind for each in failures).most_common(1)
        newest = next(each for each in reversed(failures) if each.kind == kind)
        return _stop_error(newest, f"{len(failures)} of the last {WINDOW_ROWS} rows failed")


def _stop_error(error: EasyLLMError, what: str) -> EasyLLMError:
    """An error of the same class for the whole run."""
    stop = copy(error)
    stop.__traceback__ = None
    stop.message = f"{what}: {error.message}"
    return stop
