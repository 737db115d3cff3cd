"""Faults with a Retry-After in every spelling; waits that are too long end the run (FAULT-19).

tests/faults/test_waits.py measures the waits that are kept, with the server's clock.
"""

import time
from email.utils import formatdate

from tests.support.adapters import Adapter
from tests.support.faults.fault import TRIES, Fault, ScriptsFactory
from tests.support.faults.status import body, refusal, then_good
from tests.support.standins.script import Script

DELAY_TOO_LONG_TEXT = "more than max_retry_delay"


def date_in_an_hour(adapter: Adapter) -> tuple[Script, ...]:
    """Return 429 with Retry-After as a date one hour ahead."""
    return (adapter.refusal(429, "slow down", retry_after=formatdate(time.time() + 3600)),)


def reset_in_an_hour(adapter: Adapter) -> tuple[Script, ...]:
    """Return 429 with Anthropic's header, an RFC 3339 time."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return (adapter.refusal(429, "slow down", anthropic_ratelimit_tokens_reset=moment),)


def epoch_in_an_hour(adapter: Adapter) -> tuple[Script, ...]:
    """Return 429 with OpenRouter's header, in milliseconds since 1970."""
    moment = str(int(1000 * (time.time() + 3600)))
    return (adapter.refusal(429, "slow down", x_ratelimit_reset=moment),)


def rate_limited(**headers: str) -> ScriptsFactory:
    """Return 429 with these headers."""
    return refusal(429, "slow down", **headers)


def retry_info_in_the_body(adapter: Adapter) -> tuple[Script, ...]:
    """Return 429 with Google's RetryInfo in the body."""
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3600s"}
    error = {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [retry]}
    return (body(429, {"error": error}),)


DELAYS = (
    Fault("retry-after-3600", (19,), rate_limited(retry_after="3600"), 5, stderr_text="3600 s"),
    Fault(
        "retry-after-ms-3600000",
        (17, 19),
        rate_limited(retry_after_ms="3600000"),
        5,
        stderr_text="3600 s",
    ),
    Fault("retry-after-date", (16, 19), date_in_an_hour, 5, stderr_text=DELAY_TOO_LONG_TEXT),
    Fault(
        "reset-in-an-hour",
        (18, 19),
        rate_limited(x_ratelimit_reset_requests="60m0s"),
        5,
        stderr_text="3600 s",
    ),
    Fault(
        "reset-as-rfc-3339",
        (18, 19),
        reset_in_an_hour,
        5,
        stderr_text=DELAY_TOO_LONG_TEXT,
        only=("openai",),
    ),
    Fault(
        "reset-as-an-epoch",
        (18, 19),
        epoch_in_an_hour,
        5,
        stderr_text=DELAY_TOO_LONG_TEXT,
        only=("openrouter",),
    ),
    Fault(
        "retry-delay-3600", (19,), retry_info_in_the_body, 5, stderr_text="3600 s", only=("gemini",)
    ),
    Fault(
        "over-the-budget",
        (19,),
        rate_limited(retry_after="9"),
        5,
        stderr_text="retry_budget",
        profile_settings={"retry_budget": 5},
    ),
    Fault(
        "retry-after-negative",
        (20,),
        then_good(rate_limited(retry_after="-5")),
        0,
        "Hello world",
        2,
        "try 2",
    ),
    Fault(
        "retry-after-garbage",
        (20,),
        then_good(rate_limited(retry_after="soon")),
        0,
        "Hello world",
        2,
        "try 2",
    ),
    Fault(
        "retry-after-in-the-past",
        (20,),
        then_good(rate_limited(retry_after="Wed, 21 Oct 2015 07:28:00 GMT")),
        0,
        "Hello world",
        2,
        "try 2",
    ),
    Fault("retry-after-nan", (20,), rate_limited(retry_after="NaN"), 5, tries=TRIES),
)
