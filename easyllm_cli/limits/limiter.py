"""Limiter: waits for the rate and concurrency limits before one attempt, and settles after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cancellation import seconds_left
from ..errors import BusyError, OutputError
from ..events import Note, Usage
from ..messages import Message
from ..secret import Secret
from . import rate_file_path
from .rate import RENEWAL_SECONDS, RateFile
from .rate_state import Reservation

if TYPE_CHECKING:
    from .concurrency import Slot

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
        self._reservation: Reservation | None = None  # of a request that is not sent yet
        self._sent: Reservation | None = None  # of the attempt's first request

    async def wait(
        self, messages: Iterable[Message], max_tokens: int | None, *other_fields: Any
    ) -> AsyncGenerator[Note, None]:
        """Wait until the request may be sent; yields a note before a long wait.

        `max_tokens`: the longest answer, None = no limit. `other_fields`: what the request holds
        beside the messages, as of `estimate_prompt_tokens`.
        Raises:
            BusyError: it may be sent only after the deadline of --timeout.
            OutputError: with `strict`, the files cannot be used.
        """
        try:
            path = self._find_path()
            if self.concurrency is not None:
                from .concurrency import take_slot

                self._slot = await take_slot(path, self.concurrency, ANNOUNCED_WAIT_SECONDS)
                if self._slot is None:
                    yield self._describe_wait("until another request ends")
                    self._slot = await take_slot(path, self.concurrency)
            self._rate = RateFile(path)
            tokens = self._estimate_tokens(messages, max_tokens, *other_fields)
            async with aclosing(self._wait_for_start(self._rate, self.tpm, tokens)) as notes:
                async for note in notes:
                    yield note
            self._sent, self._reservation = self._reservation, None
        except OSError as error:
            for note in self._give_up(error):
                yield note

    async def wait_again(self) -> AsyncGenerator[Note, None]:
        """Wait until another request of the same attempt may be sent. As `wait`.

        It is for a request that the server has refused and that is sent in another form. It keeps
        the slot, and its tokens are reserved already.
        """
        if self._rate is None:
            return
        try:
            async with aclosing(self._wait_for_start(self._rate, None, 0)) as notes:
                async for note in notes:
                    yield note
            self._reservation = None
        except OSError as error:
            for note in self._give_up(error):
                yield note

    def _find_path(self) -> Path:
        """The file of the limits. Raises OSError if the home folder is unknown."""
        try:
            return rate_file_path(self.who, self.key)
        except RuntimeError as error:
            raise OSError(str(error)) from None

    def _estimate_tokens(
        self, messages: Iterable[Message], max_tokens: int | None, *other_fields: Any
    ) -> int:
        """What the request may use; 0 without a limit of tokens."""
        if self.tpm is None:
            return 0
        from .estimate import estimate_prompt_tokens

        prompt = estimate_prompt_tokens(messages, *other_fields)
        return prompt + (max_tokens or USUAL_ANSWER_TOKENS)

    async def _wait_for_start(
        self, rate: RateFile, tpm: int | None, tokens: int
    ) -> AsyncGenerator[Note, None]:
        """Reserve a time for a request and wait until then; yields a note before a long wait."""
        while True:
            self._reservation = reservation = await rate.reserve(self.rpm, tpm, tokens)
            seconds = reservation.start - rate.clock()
            if seconds <= 0:
                return
            self._refuse_beyond_deadline(seconds)
            if seconds > ANNOUNCED_WAIT_SECONDS:
                yield self._describe_wait(f"{seconds:.0f} s")
            while (seconds := reservation.start - rate.clock()) > 0:
                self._reservation = reservation = await rate.renew(reservation)
                await asyncio.sleep(min(seconds, RENEWAL_SECONDS))
            if rate.may_send(reservation):
                return
            await self._give_back()  # a server has asked for a pause meanwhile, or it is too late

    async def learn(self, headers: Mapping[str, str], pause: float, longest_pause: float) -> None:
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
                await self._rate.report(min(pause, longest_pause), rpm)

    def mark_unsent(self) -> None:
        """Let `close` give the place back: the request was refused before it was sent."""
        self._reservation, self._sent = self._reservation or self._sent, None

    async def close(self, usage: Usage | None = None) -> None:
        """Release the slot, and count the tokens that were really used.

        `usage`: None or without a total, the expected tokens stay. The time of a request that was
        not sent is given back.
        """
        if self._slot is not None:
            self._slot.release()
            self._slot = None
        await self._give_back()
        sent, self._sent = self._sent, None
        if self._rate is None or sent is None or self.tpm is None or usage is None:
            return
        total = usage.total_tokens or (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        if total:
            with suppress(OSError):
                await self._rate.settle(sent, total)

    async def _give_back(self) -> None:
        reservation, self._reservation = self._reservation, None
        if self._rate is not None and reservation is not None:
            with suppress(OSError):
                await self._rate.give_back(reservation)

    def _refuse_beyond_deadline(self, seconds: float) -> None:
        """Raise BusyError if the process must end before the request may be sent."""
        if seconds > seconds_left():
            error = BusyError(
                f"the rate limit allows the request in {seconds:.0f} s, and --timeout ends before",
                where=self._settings,
                hint="raise --timeout",
                retryable=False,
            )
            error.is_own = True
            raise error

    @property
    def _settings(self) -> str:
        """The profile and its limits, for messages."""
        limits = {"rpm": self.rpm, "tpm": self.tpm, "concurrency": self.concurrency}
        named = [f"{name} = {value}" for name, value in limits.items() if value is not None]
        return f"profile {self.name}: {', '.join(named)}"

    def _describe_wait(self, how_long: str) -> Note:
        return Note(f"waiting {how_long} for the rate limit ({self._settings})")

    def _give_up(self, error: OSError) -> list[Note]:
        """Go on without the limits; a note says so, unless it was noted before.

        Raises:
            OutputError: with `strict`.
        """
        self._rate = None
        reason = error.strerror or str(error)
        what = f"the rate limit cannot be shared: {reason}"
        where = str(error.filename or "")
        if self.strict:
            raise OutputError(what, where=where) from None
        if reason in _noted:
            return []
        _noted.add(reason)
        return [Note(f"{what}{f' ({where})' * bool(where)}; sending without it")]
