"""Error responses with any status, headers and body: one documented error, a short message."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from easyllm_cli.server_times import parse_wait_seconds
from easyllm_cli.transport.response_errors import (
    MAX_MESSAGE_CHARS,
    error_from_body,
    error_from_response,
)
from easyllm_cli.transport.retry_after import find_retry_after
from tests.fuzzing.canned import is_documented_error
from tests.fuzzing.mutations import EDGES, json_values, mutated_values

GOOD: Any = {
    "error": {
        "message": "You are too fast", "type": "rate_limit_error", "code": "rate_limit_exceeded",
        "param": "temperature", "status": "RESOURCE_EXHAUSTED",
        "metadata": {"error_type": "busy", "raw": "x"},
        "details": [{"@type": "RetryInfo", "retryDelay": "34s", "reasons": ["x"]}],
    },
    "detail": [{"loc": ["body", "model"], "msg": "field required"}],
    "object": "error",
}  # fmt: skip
NAMES = [
    "retry-after", "retry-after-ms", "x-ratelimit-reset", "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-reset", "location", "x-should-retry", "x-request-id",
    "content-type",
]  # fmt: skip
units = st.lists(
    st.tuples(st.integers(0) | st.floats(0), st.sampled_from(["ms", "s", "m", "h", "d", "", "x"])),
    max_size=4,
).map(lambda parts: "".join(f"{number}{unit}" for number, unit in parts))
times = (
    st.text(max_size=30)
    | units
    | st.floats().map(str)
    | st.integers().map(str)
    | st.datetimes().map(lambda moment: moment.isoformat())
    | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ [\d:]+ [+-]\d+", fullmatch=True)
    | st.sampled_from([edge for edge in EDGES if isinstance(edge, str)])
)
bodies = json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)
damaged = mutated_values(GOOD).map(lambda value: json.dumps(value).encode())


def is_possible_wait(seconds: float | None) -> bool:
    return seconds is None or 0 <= seconds < float("inf")


@given(
    status=st.integers(300, 999),
    headers=st.dictionaries(st.sampled_from(NAMES), times),
    body=bodies | damaged,
)
@example(status=429, headers={}, body=b'{"error": {"code": "%s"}}' % (b"4" * 5000))
def test_any_response(status: int, headers: dict[str, str], body: bytes) -> None:
    error = error_from_response(status, headers, body)
    assert is_documented_error(error)
    assert len(error.message) <= MAX_MESSAGE_CHARS + 100
    assert is_possible_wait(error.retry_after)
    assert isinstance(error.retryable, bool)


@given(body=json_values | mutated_values(GOOD))
@example(body={"error": {"code": "4" * 5000}})
def test_any_error_in_a_stream(body: Any) -> None:
    error = error_from_body(body)
    assert is_documented_error(error)
    assert len(error.message) <= MAX_MESSAGE_CHARS
    assert is_possible_wait(error.retry_after)


@given(text=times)
@example(text="Mon, 1 Jan 2020 00:00:00 +9999999999999999")
def test_any_wait(text: str) -> None:
    assert is_possible_wait(parse_wait_seconds(text))


@given(
    headers=st.dictionaries(st.sampled_from(NAMES), times),
    body=json_values | mutated_values(GOOD),
    limited=st.booleans(),
)
def test_any_headers_and_body(headers: dict[str, str], body: Any, limited: bool) -> None:
    assert is_possible_wait(find_retry_after(headers, body, limited))
