"""How many seconds a server asks us to wait, in every format (FAULT-15 to 20)."""

import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.server_times import parse_wait_seconds
from easyllm_cli.transport.retry_after import find_retry_after


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("1", 1), ("1.5", 1.5), (" 30 ", 30), ("3600", 3600), ("34s", 34),
        ("36.4s", 36.4), ("6m0s", 360), ("12ms", 0.012), ("1.2s", 1.2), ("1h2m3s", 3723),
        ("1d", 86400), ("2m59.56s", 179.56),
    ],
)  # fmt: skip
def test_numbers_and_spans(text: str, seconds: float) -> None:
    assert parse_wait_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "-5", "-0.1", "soon", "nan", "inf", "-inf", "5 apples", "1s!", "s", "m5", "1,5",
             "1e999", "9" * 5000, "9" * 400 + "s", "Mon, 32 Jan 2099 00:00:00 GMT",
             "2020-01-01T00:00:00Z",
             "Wed, 21 Oct 2015 07:28:00 GMT", "0x10",
             "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
             "Mon, 01 Jan 2099 00:00:00 +99999999999999999999"],
)  # fmt: skip
def test_fault_20_garbage_and_the_past_are_nothing(text: str) -> None:
    assert parse_wait_seconds(text) is None


def test_fault_16_dates() -> None:
    assert parse_wait_seconds(format_datetime(in_seconds(30), usegmt=True)) == pytest.approx(
        29.5, abs=1.5
    )
    assert parse_wait_seconds(in_seconds(30).isoformat()) == pytest.approx(30, abs=1.5)
    assert parse_wait_seconds(in_seconds(30).strftime("%Y-%m-%dT%H:%M:%SZ")) == pytest.approx(
        29.5, abs=1.5
    )
    there = in_seconds(30).astimezone(timezone(timedelta(hours=-8)))
    assert parse_wait_seconds(format_datetime(there)) == pytest.approx(29.5, abs=1.5)
    assert parse_wait_seconds(there.isoformat()) == pytest.approx(30, abs=1.5)


def test_epoch_seconds_and_milliseconds_count_from_now() -> None:
    assert parse_wait_seconds(str(time.time() + 20)) == pytest.approx(20, abs=1)
    assert parse_wait_seconds(str(int(time.time()) - 20)) is None
    assert parse_wait_seconds(str(int((time.time() + 20) * 1000))) == pytest.approx(20, abs=1)


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ [\d: +-]+"))
def test_no_text_crashes_it(text: str) -> None:
    seconds = parse_wait_seconds(text)
    assert seconds is None or 0 <= seconds < float("inf")


def retry_after_of(headers: dict[str, str], body: Any = None, status: int = 429) -> float | None:
    return find_retry_after(headers, body, rate_limited=status == 429)


def test_fault_15_and_17_the_headers_and_their_order() -> None:
    assert retry_after_of({"retry-after": "1"}) == 1
    assert retry_after_of({"retry-after-ms": "300", "retry-after": "1"}) == pytest.approx(0.3)
    assert retry_after_of({"retry-after-ms": "garbage", "retry-after": "2"}) == 2
    assert retry_after_of({"retry-after": "0"}) == 0
    assert retry_after_of({"retry-after": "2.5"}, status=503) == 2.5


@pytest.mark.parametrize("value", ["-5", "garbage", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_fault_20_an_unreadable_header_leaves_it_to_our_backoff(value: str) -> None:
    assert retry_after_of({"retry-after": value, "x-ratelimit-reset": "50s"}) is None


def test_fault_18_reset_headers_count_for_a_rate_limit_only() -> None:
    headers = {"x-ratelimit-reset": "1.2s"}
    assert retry_after_of(headers) == 1.2
    assert retry_after_of(headers, status=503) is None


def test_longest_reset_counts() -> None:
    headers = {
        "x-ratelimit-reset-requests": "12ms", "x-ratelimit-reset-tokens": "6m0s",
        "x-ratelimit-limit-requests": "9999", "x-ratelimit-remaining-tokens": "8888",
    }  # fmt: skip
    assert retry_after_of(headers) == 360
    later = in_seconds(40).strftime("%Y-%m-%dT%H:%M:%SZ")
    soon = in_seconds(5).isoformat()
    anthropic = {
        "anthropic-ratelimit-requests-reset": soon, "anthropic-ratelimit-tokens-reset": later,
        "anthropic-ratelimit-tokens-limit": "50000",
    }  # fmt: skip
    assert retry_after_of(anthropic) == pytest.approx(39.5, abs=1.5)


def google(delay: Any) -> dict[str, Any]:
    details: list[Any] = [
        {"@type": "type.googleapis.com/google.rpc.Help"},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]
    return {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}}


@pytest.mark.parametrize(("delay", "seconds"), [("34s", 34), ("36.4s", 36.4), ("0s", 0)])
def test_google_sends_the_delay_in_the_body(delay: str, seconds: float) -> None:
    assert retry_after_of({}, google(delay)) == pytest.approx(seconds)
    assert retry_after_of({}, google(delay), status=503) == pytest.approx(seconds)
    assert retry_after_of({"retry-after": "1"}, google(delay)) == 1


def test_google_wraps_its_error_in_a_list_on_rest_streams() -> None:
    assert retry_after_of({}, [google("34s")]) == 34


ODD: list[Any] = [
    None, "", 5, [], {}, {"error": "text"}, {"error": {"details": "x"}}, {"error": {"details": {}}},
    {"error": {"details": [None, 5, "x", {}]}}, google(None), google(5), google("soon"), [None],
]  # fmt: skip


@pytest.mark.parametrize("body", ODD, ids=str)
def test_bodies_without_a_delay(body: Any) -> None:
    assert retry_after_of({}, body) is None
