"""Asks one row: its providers, its settings, and what its answer must be like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..completion import Completion
from ..config.endpoints import resolve_adapter
from ..config.profile import Profile
from ..errors import (
    AuthError,
    BillingError,
    ConfigError,
    EasyLLMError,
    OutputError,
    UsageError,
)
from ..events import Usage
from ..pipeline import run
from ..pipeline.call import Call
from ..pricing import total_cost
from ..providers import provider_for
from ..providers.base import BaseLLMProvider
from ..providers.http import HTTPProvider
from .output_rows import RowResult
from .pacing import is_rate_limit
from .rows import Row

if TYPE_CHECKING:
    from ..choices import Choices
    from ..json_schema import Schema
    from ..recordings import Recordings

AIOHTTP = "aiohttp"  # the transport, and the package that it needs
MAX_SETTINGS = 100  # different settings of rows whose providers are kept
# Gets an answer, whether the user limited its length, and the form that it must have, if any.
# Raises an EasyLLMError to reject it.
Accept = Callable[[Completion, bool, "Schema | Choices | None"], object]


class RowSources:
    """The providers that answer rows with the same settings, and the form of their answers."""

    def __init__(
        self, providers: list[BaseLLMProvider], answer_format: Schema | Choices | None
    ) -> None:
        self.providers = providers
        self.answer_format = answer_format


class RowAsker:
    """Asks rows at a profile, or at its fallbacks.

    `answer_format`: what every answer must fit; a row's own schema comes first.
    `recordings`: the answer cache.
    """

    def __init__(
        self,
        profile: Profile,
        fallbacks: Sequence[Profile],
        accept: Accept,
        answer_format: Schema | Choices | None = None,
        recordings: Recordings | None = None,
    ) -> None:
        """Raises ConfigError if a profile is not valid."""
        self.profiles = [profile, *fallbacks]
        self.is_stopping = False  # nothing is sent again
        self._accept = accept
        self._recordings = recordings
        self._base = RowSources([provider_for(each) for each in self.profiles], answer_format)
        self._sources: dict[str, RowSources] = {}

    def profile_of(self, row: Row) -> Profile:
        """The profile with the row's settings."""
        return row.settings.apply(self.profiles[0])

    def begin(self, row: Row) -> Call:
        """The record of a new question.

        Raises:
            EasyLLMError: a setting of the row cannot be used.
        """
        sources = self._find_sources(row)
        call = Call(
            row.messages,
            stream=False,
            shown=(),
            verdict=lambda answer, limited: self._judge(answer, limited, sources.answer_format),
            retry_on=self._may_retry,
        )
        call.recordings = self._recordings
        call.find_sources = lambda: sources.providers
        return call

    async def ask(self, row: Row, call: Call) -> RowResult:
        """Ask, and return how the row ended; an error of the row is in the result."""
        error: EasyLLMError | None = None
        try:
            async for _ in run(call, call.find_sources):
                pass
            completion = self._clean(row, call.completion())
        except EasyLLMError as failure:
            error = failure
            completion = call.longest()
        cost, _ = total_cost(call.attempts, call.started_at)
        return RowResult(
            completion=completion,
            error=error,
            usage=call.usage_all or Usage(),
            cost_usd=cost,
            model=call.model or None,
            provider=call.provider or None,
            attempts=row.attempts + len(call.attempts),
            ms=call.ms,
        )

    def _clean(self, row: Row, completion: Completion) -> Completion:
        """The answer; of one with a form only what is printed of it, without a code fence."""
        answer_format = self._find_sources(row).answer_format
        if answer_format is None:
            return completion
        return Completion(completion, text=answer_format.printed(completion["text"]))

    async def aclose(self) -> None:
        """Close every connection."""
        for sources in (self._base, *self._sources.values()):
            for provider in sources.providers:
                await provider.aclose()

    def _judge(
        self, answer: Completion, limited: bool, answer_format: Schema | Choices | None
    ) -> str:
        self._accept(answer, limited, answer_format)
        return ""

    def _may_retry(self, error: EasyLLMError) -> bool:
        """Whether the pipeline sends the request again; a rate limit concerns all rows."""
        return error.retryable and not is_rate_limit(error) and not self.is_stopping

    def _find_sources(self, row: Row) -> RowSources:
        """The providers for the row's settings; they share the connections of the profile's."""
        identity = row.settings.identity()
        if not identity:
            return self._base
        sources = self._sources.pop(identity, None) or self._make_sources(row)
        self._sources[identity] = sources  # moves it to the end: the most recently used
        if len(self._sources) > MAX_SETTINGS:
            self._sources.pop(next(iter(self._sources)))
        return sources

    def _make_sources(self, row: Row) -> RowSources:
        answer_format = self._base.answer_format
        if row.settings.schema is not None:
            from ..json_schema import Schema

            answer_format = Schema(row.settings.schema, f"line {row.line}", strips_code_fence=True)
        providers = []
        for profile, base in zip(self.profiles, self._base.providers, strict=True):
            changed = row.settings.apply(profile)
            if row.settings.options and resolve_adapter(changed) == "litellm":
                _refuse_arguments(row.settings.options)
            provider = provider_for(changed)
            if isinstance(provider, HTTPProvider) and isinstance(base, HTTPProvider):
                provider.transports = base.transports
            providers.append(provider)
        return RowSources(providers, answer_format)


def choose_transport(profile: Profile) -> Profile:
    """The profile with the transport that costs least CPU, where it is installed."""
    if profile.transport != "http" or find_spec(AIOHTTP) is None:
        return profile
    return profile.replace_set(transport=AIOHTTP)


def is_wrong_key(error: EasyLLMError) -> bool:
    """Whether the key is refused or missing; 403 may be about one prompt."""
    return isinstance(error, AuthError) and error.status != 403


def meets_every_row(row: Row, error: EasyLLMError) -> bool:
    """Whether an error is not about this row alone."""
    if is_wrong_key(error):
        return True
    if isinstance(error, ConfigError):
        return row.settings.is_empty  # else a setting of the row may be the reason
    return isinstance(error, BillingError | OutputError)


def _refuse_arguments(options: dict[str, Any]) -> None:
    """Raise UsageError for a field that is an argument of litellm; some say who gets the key."""
    from ..providers.litellm.provider import ALLOWED_UNTRUSTED_OPTIONS

    for name in options:
        if name not in ALLOWED_UNTRUSTED_OPTIONS:
            raise UsageError(
                f"{name[:80]} is no field that a row may set with litellm",
                hint="set it in the profile: options = { … }",
            )
