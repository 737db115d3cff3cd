"""Call: the record of one question to a model: its attempts, usage, times and answer."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from ..completion import Completion
from ..config.setting_values import CACHE_OFF
from ..errors import EasyLLMError
from ..events import (
    MAX_TEXT_BYTES,
    Event,
    Note,
    Reasoning,
    Retrying,
    Start,
    Text,
    Usage,
    sum_usage,
)
from ..messages import Message
from .collector import Collector

if TYPE_CHECKING:
    from ..config.profile import Profile
    from ..errors import ConfigError
    from ..pricing import Cost
    from ..recordings import Recordings
    from ..recordings.attempt import RecordedAttempt
    from ..recordings.key import RequestIdentity
    from .source import Source

SHOWN_KINDS = ("text", "reasoning")
ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_TIME_LENGTH, ID_RANDOM_LENGTH = 9, 7
_ID_BYTES = bytes(ord(ID_CHARACTERS[byte % 36]) for byte in range(256))  # a character for each byte
# One attempt at an answer, as a stream of its events, and a stage: it gives the events of the
# attempt that it gets, as it changes them.
Attempt = Callable[[], AsyncGenerator[Event, None]]
Stage = Callable[["Call", Attempt], AsyncGenerator[Event, None]]
# Gets the answer and Done.limited; raises to reject the answer, or returns a note ("" = none).
Verdict = Callable[[Completion, bool], str]
OUTPUT_EVENTS = (Text, Reasoning)
AnyEvent = TypeVar("AnyEvent", bound=Event)


def new_call_id() -> str:
    """16 lower-case letters and digits: the time in milliseconds, then random ones.

    Ids sort by time.
    """
    random = os.urandom(ID_RANDOM_LENGTH).translate(_ID_BYTES).decode()
    return _format_time(time.time_ns() // 1_000_000) + random


def _format_time(milliseconds: int) -> str:
    start, rest = divmod(milliseconds, 36**3)
    middle, last = divmod(rest, 36)
    characters = ID_CHARACTERS
    return (
        f"{_format_start(start)}{characters[middle // 36]}{characters[middle % 36]}"
        f"{characters[last]}"
    )


@lru_cache(maxsize=1)  # the same for 46 seconds
def _format_start(number: int) -> str:
    digits = ""
    for _ in range(ID_TIME_LENGTH - 3):
        number, index = divmod(number, len(ID_CHARACTERS))
        digits = ID_CHARACTERS[index] + digits
    return digits


def _is_retryable(error: EasyLLMError) -> bool:
    return error.retryable


def _name_no_plugin(_: BaseException) -> None:
    return None


class AttemptRecord:
    """What one attempt reported: who was asked, the tokens it used, and why it failed.

    `profile` None = nobody was asked yet. `usage` None = it reported none. `error` None = it did
    not fail, or still runs. `cost`: US dollars and who says so, as `pricing.Cost`; both are None
    until it is priced, and where it is unknown.
    """

    from_cache = False  # whether it was answered from the cache, which costs nothing
    has_output = False  # whether text or reasoning arrived, which has to be paid for

    def __init__(self) -> None:
        self.profile: Profile | None = None
        self.provider = self.model = ""
        self.usage: Usage | None = None
        self.error: EasyLLMError | None = None
        self.cost: Cost = (None, None)

    @property
    def profile_name(self) -> str:
        """The name of the profile that was asked; "" = it has none, or nobody was asked."""
        return self.profile.name if self.profile else ""


class Call:
    """One question to a model: what was asked, every attempt, and how it ended.

    `stream` False asks for a buffered response. `shown`: kinds of events that the caller shows at
    once; there is no retry and no fallback after one of them. `max_bytes`: limit for the text and
    reasoning of an attempt. `verdict`: see Verdict. `retry_on`: whether an error is retried at
    all; default: its `retryable`.
    """

    error: EasyLLMError | None = None  # a copy without traceback
    accepted = False
    cancelled = False
    # For the stages: the source that is asked now, whether it is asked to reason in tags, and
    # whether any output was shown.
    source: Source | None = None
    asks_for_tags = False
    has_shown = False
    recordings: Recordings | None = None  # None = at most the profile's `cache`
    recorded_request: tuple[Source, RequestIdentity] | None = None  # of a source's first attempt
    replayed: dict[str, Any] | None = None  # how this attempt was replayed: as in --json
    cached_attempt: RecordedAttempt | None = None  # the one of the cache that answers this attempt
    is_offline = False  # whether no server may be asked
    # How an auto profile chose, as in --json, and the failed checks after which the next candidate
    # is asked (ANSWER_CHECKS of config/settings.py); None = no auto profile was asked.
    route: dict[str, Any] | None = None
    escalate: Collection[str] | None = None
    is_cacheable = True  # whether an accepted answer may be kept in the cache
    # Billionths of a US dollar that the attempts so far cost; counted where a budget is set.
    spent_billionths = 0
    # The longest answer of the attempts before this one, and its attempt.
    _longest: Completion | None = None
    _longest_attempt: AttemptRecord | None = None
    _first_token: float | None = None
    _ended: float | None = None

    def __init__(
        self,
        messages: list[Message],
        *,
        stream: bool = True,
        shown: Collection[str] = SHOWN_KINDS,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
        retry_on: Callable[[EasyLLMError], bool] | None = None,
    ) -> None:
        self.id = new_call_id()
        self.messages = messages
        self.stream = stream
        self.shown = shown
        self.max_bytes = max_bytes
        self.verdict = verdict
        self.retry_on = retry_on or _is_retryable
        self.started_at = time.time()
        self.attempts = [AttemptRecord()]
        self.notes: list[str] = []
        self.collector = Collector(limit=None)  # the split stage limits it
        # For the stages: all sources, those that follow, what makes an error that names the source
        # if it is a plugin, and the messages that it is sent.
        self.find_sources: Callable[[], Sequence[Source]] = list
        self.next_sources: list[Source] = []
        self.name_plugin: Callable[[BaseException], ConfigError | None] = _name_no_plugin
        self.request_messages = messages
        self._rate_limit_headers: Mapping[str, str] = {}
        self._started = time.monotonic()

    def record(self, event: AnyEvent) -> AnyEvent:
        """Add an event that the caller receives, and return it."""
        if not isinstance(event, OUTPUT_EVENTS):
            self._record_progress(event)
        else:
            self.mark_first_token()
        self.collector.feed(event)
        return event

    def mark_first_token(self) -> None:
        """Record that text or reasoning arrived, which may be held back before it is recorded."""
        self.attempts[-1].has_output = True
        if self._first_token is None:
            self._first_token = time.monotonic()

    def _record_progress(self, event: Event) -> None:
        """Record an event that is neither text nor reasoning."""
        attempt = self.attempts[-1]
        match event:
            case Start(provider, model):
                attempt.provider, attempt.model, attempt.profile = provider, model, self.profile
            case Usage():
                attempt.usage = event
            case Note(text):
                self.notes.append(text)
            case Retrying():
                longest = self.longest()
                if longest is not self._longest:
                    self._longest, self._longest_attempt = longest, attempt
                self.attempts.append(AttemptRecord())
                self.error, self.accepted = None, False

    def fail(self, error: EasyLLMError) -> None:
        """Record why the current attempt failed.

        A copy without traceback is kept: the frames of the traceback refer to this record, and
        such a circle stays in memory until the cycle collector runs.
        """
        self.error = self.attempts[-1].error = copy(error)
        self.accepted = False
        self._rate_limit_headers = (
            error.rate_limit_headers
            or (self.source.rate_limit_headers if self.source else {})
            or self._rate_limit_headers
        )

    def mark_replayed(self, source: str, attempt: RecordedAttempt) -> None:
        """Record that no server answers this attempt; `source`: `cache`, or `file` (recording)."""
        self.replayed = {"from": source, "age_s": attempt.age_seconds}
        self.is_offline = True
        if source == "cache":
            self.cached_attempt = attempt
            self.attempts[-1].from_cache = True

    def accept(self) -> None:
        """Record that the answer is complete, or cut where the caller accepts it."""
        self.accepted = True

    def end(self) -> None:
        """Record the time of the end."""
        self._ended = time.monotonic()

    @property
    def profile(self) -> Profile | None:
        """The profile that is asked now; None = none was found yet."""
        return self.source.profile if self.source else None

    @property
    def uses_recordings(self) -> bool:
        """Whether the cache, a recording to replay or one to write is used."""
        cache = self.profile.cache if self.profile else None
        return self.recordings is not None or cache not in (None, CACHE_OFF)

    @property
    def provider(self) -> str:
        """The provider that answers; "" before its Start event."""
        return self.attempts[-1].provider

    @property
    def model(self) -> str:
        """The model that answers; "" before its Start event."""
        return self.attempts[-1].model

    @property
    def profile_name(self) -> str:
        """The name of the profile that is asked; "" = it has none, or none was found yet."""
        return self.attempts[-1].profile_name or (self.profile.name if self.profile else "")

    @property
    def usage(self) -> Usage:
        """The tokens of the answer itself, of a failed call those of its longest answer.

        All are None if it reported none.
        """
        attempt = self.attempts[-1]
        if self.error is not None and self._longest and self.longest() is self._longest:
            attempt = self._longest_attempt or attempt
        return attempt.usage or Usage()

    @property
    def usage_all(self) -> Usage | None:
        """The tokens of all attempts that reported some, failed ones too; None = none did."""
        reported = [attempt.usage for attempt in self.attempts if attempt.usage is not None]
        return sum_usage(reported) if reported else None

    @property
    def rate_limit_headers(self) -> Mapping[str, str]:
        """The rate-limit headers of the last response, with lower-case names."""
        of_answer = self.source.rate_limit_headers if self.source and not self.error else {}
        return of_answer or self._rate_limit_headers

    @property
    def finish_reason(self) -> str | None:
        return self.collector.done.finish_reason if self.collector.done else None

    @property
    def complete(self) -> bool:
        """Whether the answer has text and nothing cut it."""
        return self.completion().complete

    @property
    def ms(self) -> int:
        """Milliseconds from the question to its end, or until now."""
        return round(((self._ended or time.monotonic()) - self._started) * 1000)

    @property
    def ms_first_token(self) -> int | None:
        """Milliseconds to the first text or reasoning; None = none came."""
        if self._first_token is None:
            return None
        return round((self._first_token - self._started) * 1000)

    def completion(self) -> Completion:
        """The answer so far, of the current attempt."""
        return Completion(self.collector.completion(), id=self.id)

    def longest(self) -> Completion:
        """The answer of the attempt with the most text so far."""
        return longer_of(self._longest, self.completion())


def longer_of(first: Completion | None, second: Completion) -> Completion:
    """The completion with more text, or with more reasoning if both texts are equally long."""
    if first is None:
        return second

    def size(completion: Completion) -> tuple[int, int]:
        return len(completion["text"]), len(completion["reasoning"] or "")

    return first if size(first) > size(second) else second
