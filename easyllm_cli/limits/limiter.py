"""Limiter: waits for the rate and concurrency limits before one attempt, and settles after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ..cancellation import seconds_left
from ..errors import BusyError, OutputError
from ..events import Note, Usage
from ..messages import Message
from ..secret import Secret
from . import rate_file_path
from .concurrency import Slot, take_slot
from .rate import RateFile, Reservation

ANNOUNCED_WAIT_SECONDS = 2.0  # a longer wait is announced
USUAL_ANSWER_TOKENS = 500  # of an answer without a limit, until real ones correct it
_noted: set[str] = set()  # reasons why limits are not kept; each is noted once


class Limiter:
    """The place of one attempt in the limits that all processes share.

    `who`, `key`: as `rate_file_path`. `rpm`: a number, "auto" = what the server reports, or None;
    `tpm`, `concurrency`: a number, or None. `name`: the profile's, for messages. `strict`: limits
    that cannot be kept are an error; else a note says so once, and the request is sent.
    """

    def __init__(
        self,
        who: str,
        key: Secret | None,
        *,
        rpm: int | str | None = None,
        tpm: int | None = None,
        concurrency: int | None = None,
        name: str = "",
        strict: bool = False,
    ) -> None:
        self.who, self.key = who, key
        self.rpm, self.tpm, self.concurrency = rpm, tpm, concurrency
        self.name = name
        self.strict = strict
        self._rate: RateFile | None = None  # None = not used yet, or it cannot be used
        self._slot: Slot | None = None
        self._reservation: Reservation | None = None
        self._is_sent = False

    async def wait(
        self, messages: Iterable[Message], max_tokens: int | None
    ) -> AsyncGenerator[Note, None]:
        """Wait until the request may be sent; yields a note before a long wait.

        `max_tokens`: the longest answer, None = no limit.
        Raises:
            BusyError: it may be sent only after the deadline of --timeout.
            OutputError: with `strict`, the files cannot be used.
        """
        try:
            path = self._find_path()
            if self.concurrency is not None:
                self._slot = await take_slot(path, self.concurrency, ANNOUNCED_WAIT_SECONDS)
                if self._slot is None:
                    yield self._describe_wait("until another request ends")
                    self._slot = await take_slot(path, self.concurrency)
            self._rate = RateFile(path)
            while (seconds := self._reserve(self._rate, messages, max_tokens)) > 0:
                self._refuse_beyond_deadline(seconds)
                if seconds > ANNOUNCED_WAIT_SECONDS:
                    yield self._describe_wait(f"{seconds:.0f} s")
                await asyncio.sleep(seconds)
                if not self._rate.is_paused():
                    break
                self._give_back()  # a server has asked for a pause meanwhile
            self._is_sent = True
        except OSError as error:
            self._rate = None
            note = self._describe_failure(error)
            if note is not None:
                yield note

    def _find_path(self) -> Path:
        """The file of the limits. Raises OSError if the home folder is unknown."""
        try:
            return rate_file_path(self.who, self.key)
        except RuntimeError as error:
            raise OSError(str(error)) from None

    def _reserve(
        self, rate: RateFile, messages: Iterable[Message], max_tokens: int | None
    ) -> float:
        """Reserve a time for the request; returns the seconds until then."""
        tokens = 0
        if self.tpm is not None:
            from .estimate import estimate_prompt_tokens

            tokens = estimate_prompt_tokens(messages) + (max_tokens or USUAL_ANSWER_TOKENS)
        self._reservation = rate.reserve(self.rpm, self.tpm, tokens)
        return self._reservation.start - rate.clock()

    def settle(self, usage: Usage | None) -> None:
        """Count the tokens that were really used; None or no total: the expected ones stay."""
        reservation = self._reservation
        if self._rate is None or reservation is None or self.tpm is None or usage is None:
            return
        total = usage.total_tokens or (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        if total:
            with suppress(OSError):
                self._rate.settle(reservation, total)

    def learn(self, headers: Mapping[str, str], pause: float, longest_pause: float) -> None:
        """Keep what the server said: a `pause` in seconds, and its limits in the headers.

        No pause is longer than `longest_pause`.
        """
        if self._rate is None:
            return
        rpm = 0.0
        if headers:
            from .headers import find_limit, read_limits

            reported = find_limit(read_limits(headers), "requests")
            if reported is not None:
                pause = max(pause, reported.pause())
                rpm = reported.minute_limit() or 0.0
        with suppress(OSError):
            if pause or (rpm and self.rpm == "auto" and rpm != self._rate.read().learned_rpm):
                self._rate.report(min(pause, longest_pause), rpm)

    def close(self) -> None:
        """Release the place; the time of a request that was not sent is given back."""
        if not self._is_sent:
            self._give_back()
        if self._slot is not None:
            self._slot.release()
            self._slot = None

    def _give_back(self) -> None:
        reservation, self._reservation = self._reservation, None
        if self._rate is not None and reservation is not None:
            with suppress(OSError):
                self._rate.give_back(reservation)

    def _refuse_beyond_deadline(self, seconds: float) -> None:
        """Raise BusyError if the process must end before the request may be sent."""
        if seconds > seconds_left():
            raise BusyError(
                f"the rate limit allows the request in {seconds:.0f} s, and --timeout ends before",
                where=self._settings,
                hint="raise --timeout",
                retryable=False,
            )

    @property
    def _settings(self) -> str:
        """The profile and its limits, for messages."""
        limits = {"rpm": self.rpm, "tpm": self.tpm, "concurrency": self.concurrency}
        named = [f"{name} = {value}" for name, value in limits.items() if value is not None]
        return f"profile {self.name}: {', '.join(named)}"

    def _describe_wait(self, how_long: str) -> Note:
        return Note(f"waiting {how_long} for the rate limit ({self._settings})")

    def _describe_failure(self, error: OSError) -> Note | None:
        """A note that the limits are not kept; None = it was noted before.

        Raises:
            OutputError: with `strict`.
        """
        reason = error.strerror or str(error)
        what = f"the rate limit cannot be shared: {reason}"
        where = str(error.filename or "")
        if self.strict:
            raise OutputError(what, where=where) from None
        if reason in _noted:
            return None
        _noted.add(reason)
        return Note(f"{what}{f' ({where})' * bool(where)}; sending without it")
