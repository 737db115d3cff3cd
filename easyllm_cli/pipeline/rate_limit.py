"""The rate-limit stage: waits until the limits of a profile allow the attempt."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..errors import BudgetError, BusyError, ConfigError, EasyLLMError, UsageError
from ..events import Event, Usage
from .call import Attempt, Call

if TYPE_CHECKING:
    from ..limits.limiter import Limiter


def limit_rate(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Wait before an attempt as `rpm`, `tpm` and `concurrency` of its profile demand.

    A request that the attempt sends again in another form waits, too. Without limits the attempt is
    returned as it is, and nothing is imported.
    Raises:
        BusyError: the wait is longer than --timeout allows; nothing is sent.
        OutputError: with `strict`, the shared file cannot be used.
    """
    profile = call.profile
    assert profile is not None
    assert call.source is not None
    if profile.rpm is None and profile.tpm is None and profile.concurrency is None:
        return attempt()
    from ..limits.limiter import Limiter

    limiter = Limiter(
        *call.source.limit_scope(), rpm=profile.rpm, tpm=profile.tpm,
        concurrency=profile.concurrency, name=profile.name or profile.provider or "",
        strict=bool(profile.strict),
    )  # fmt: skip
    return _run_limited(call, attempt, limiter)


async def _run_limited(
    call: Call, attempt: Attempt, limiter: Limiter
) -> AsyncGenerator[Event, None]:
    """Wait, make the attempt, and tell the limiter how it ended."""
    profile, source = call.profile, call.source
    assert profile is not None
    assert source is not None
    max_tokens = profile.output_limit() or profile.defaults().get("max_tokens")
    usage: Usage | None = None
    try:
        waits = limiter.wait(call.request_messages, max_tokens, profile.schema, profile.options)
        async with aclosing(waits) as notes:
            async for note in notes:
                yield note
        source.before_repeat = limiter.wait_again
        async with aclosing(attempt()) as events:
            async for event in events:
                if isinstance(event, Usage):
                    usage = event
                yield event
        await limiter.learn(source.rate_limit_headers, 0.0, profile.max_retry_delay)
    except EasyLLMError as error:
        pause = error.retry_after if isinstance(error, BusyError) else None
        await limiter.learn(error.rate_limit_headers, pause or 0.0, profile.max_retry_delay)
        if isinstance(error, BudgetError | ConfigError | UsageError):
            limiter.mark_unsent()
        raise
    finally:
        source.before_repeat = None
        await limiter.close(usage)
