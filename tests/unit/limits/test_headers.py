"""The rate-limit headers of providers."""

from datetime import UTC, datetime, timedelta

import pytest

from easyllm_cli.limits.headers import ReportedLimit, find_limit, read_limits

OPENAI = {
    "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-requests": "1s", "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6ms",
}  # fmt: skip
# Of https://console.groq.com/docs/rate-limits: requests are counted by the day.
GROQ = {
    "retry-after": "2", "x-ratelimit-limit-requests": "14400", "x-ratelimit-limit-tokens": "18000",
    "x-ratelimit-remaining-requests": "14370", "x-ratelimit-remaining-tokens": "17997",
    "x-ratelimit-reset-requests": "2m59.56s", "x-ratelimit-reset-tokens": "7.66ms",
}  # fmt: skip


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def requests(headers: dict[str, str]) -> ReportedLimit:
    limit = find_limit(read_limits(headers), "requests")
    assert limit is not None
    return limit


def test_openai() -> None:
    limits = read_limits(OPENAI)
    assert [(limit.what, limit.limit, limit.remaining) for limit in limits] == [
        ("requests", 60, 59),
        ("tokens", 150_000, 149_984),
    ]
    assert limits[0].minute_limit() == 60
    assert limits[0].pause() == 0


def test_groqs_requests_are_those_of_a_day() -> None:
    assert requests(GROQ).minute_limit() is None
    tokens = find_limit(read_limits(GROQ), "tokens")
    assert tokens is not None
    assert tokens.minute_limit() == 18_000


def test_anthropic() -> None:
    limit = requests({
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": in_seconds(40).isoformat(timespec="seconds"),
        "anthropic-ratelimit-input-tokens-limit": "50000",
    })  # fmt: skip
    assert limit.minute_limit() == 4000
    assert 0 < limit.pause() <= 0.01


@pytest.mark.parametrize(("seconds", "minute_limit"), [(30, 20), (7200, None)])
def test_openrouter_counts_a_window_that_ends_at_the_reset(
    seconds: int, minute_limit: int | None
) -> None:
    limit = requests({
        "x-ratelimit-limit": "20", "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int(in_seconds(seconds).timestamp() * 1000)),
    })  # fmt: skip
    assert limit.minute_limit() == minute_limit
    assert limit.pause() == pytest.approx(seconds, abs=2)


def test_the_draft_of_the_ietf() -> None:
    limit = requests(
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "7", "ratelimit-reset": "12"}
    )
    assert (limit.minute_limit(), limit.remaining, limit.pause()) == (100, 7, 0)


@pytest.mark.parametrize("value", ["", "many", "-1", "1e999", "9" * 400, "½"])
def test_what_cannot_be_read_is_left_out(value: str) -> None:
    names = ("limit", "remaining", "reset")
    assert read_limits({f"x-ratelimit-{name}-requests": value for name in names}) == []


def test_a_limit_alone_says_nothing_about_its_window() -> None:
    limit = requests({"x-ratelimit-limit-requests": "200"})
    assert (limit.minute_limit(), limit.pause()) == (None, 0)


def test_a_limit_that_is_not_used_says_nothing_about_its_window() -> None:
    headers = {**OPENAI, "x-ratelimit-remaining-requests": "60"}
    assert requests(headers).minute_limit() is None
