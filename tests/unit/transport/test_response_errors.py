"""A status and a body become an EasyLLMError: every error shape and class of docs/protocols.md."""

import json
from bisect import bisect_left
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.errors import (
    AuthError,
    BillingError,
    BusyError,
    EasyLLMError,
    FilteredError,
    NotFoundError,
    RefusedError,
    TooLargeError,
)
from easyllm_cli.secret import Secret
from easyllm_cli.transport.response_errors import (
    MAX_MESSAGE_CHARS,
    error_from_body,
    error_from_response,
)

Kind = type[EasyLLMError]


def error_of(status: int, body: Any, headers: dict[str, str] | None = None) -> EasyLLMError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from_response(status, headers or {}, raw)


def openai(message: str, code: Any = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def google(message: str, status: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": status, "details": list(details)}}


PER_DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}
BAD_KEY = {"@type": "…", "reason": "API_KEY_INVALID"}
MODERATED = {
    "error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["violence"]}},
}
SPEND_CAP = {"type": "error", "error": {"type": "enforced_spend_limit_reached", "message": "cap"}}
LLAMA_CONTEXT = openai("request (9 tokens) exceeds the available context size (8 tokens)", 400)
CASES: list[tuple[str, int, Any, Kind, int]] = [
    ("08_invalid_key", 401, openai("Incorrect API key", "invalid_api_key"), AuthError, 3),
    ("08_google_bad_key", 400, google("API key not valid.", "INVALID_ARGUMENT"), AuthError, 3),
    ("08_google_reason", 400, google("no", "INVALID_ARGUMENT", BAD_KEY), AuthError, 3),
    ("08_ollama_signin", 401, {"error": "unauthorized", "signin_url": "x"}, AuthError, 3),
    ("09_forbidden", 403, openai("no access"), AuthError, 3),
    ("09_moderation", 403, MODERATED, FilteredError, 4),
    ("10_credits", 402, openai("Insufficient credits", 402), BillingError, 3),
    ("10_anthropic", 402, {"type": "error", "error": {"type": "billing_error"}}, BillingError, 3),
    ("11_model", 404, openai("no such model", "model_not_found"), NotFoundError, 4),
    ("11_ollama", 404, {"error": "model 'x' not found"}, NotFoundError, 4),
    ("12_bad_request", 400, openai("bad", None, "invalid_request_error"), RefusedError, 4),
    ("12_context", 400, openai("long", "context_length_exceeded"), TooLargeError, 4),
    ("12_llama_context", 400, LLAMA_CONTEXT, TooLargeError, 4),
    ("12_azure_filter", 400, openai("filtered", "content_filter"), FilteredError, 4),
    ("12_region", 400, google("region", "FAILED_PRECONDITION"), RefusedError, 4),
    ("13_list", 422, {"detail": [{"loc": ["body"], "msg": "x"}]}, RefusedError, 4),
    ("14_too_large", 413, openai("too large"), TooLargeError, 4),
    ("15_rate_limit", 429, openai("slow down", "rate_limit_exceeded"), BusyError, 5),
    ("15_exhausted", 429, google("slow", "RESOURCE_EXHAUSTED", RETRY_INFO), BusyError, 5),
    ("21_quota", 429, openai("quota", "insufficient_quota"), BillingError, 3),
    ("21_per_day", 429, google("q", "RESOURCE_EXHAUSTED", PER_DAY, RETRY_INFO), BillingError, 3),
    ("21_spend_cap", 429, SPEND_CAP, BillingError, 3),
    ("22_failing", 500, openai("oops", None, "server_error"), BusyError, 5),
    ("22_ollama_busy", 503, {"error": "server busy, please try again."}, BusyError, 5),
    ("22_loading", 503, openai("Loading model", 503), BusyError, 5),
    ("22_timeout", 408, openai("timeout"), BusyError, 5),
    ("22_early", 425, openai("early"), BusyError, 5),
    ("22_deadline", 504, google("late", "DEADLINE_EXCEEDED"), BusyError, 5),
    ("22_conflict", 409, openai("conflict"), BusyError, 5),
    ("23_overloaded", 529, {"error": {"type": "overloaded_error"}}, BusyError, 5),
    ("24_cloudflare", 522, b"<html><title>522: timed out</title></html>", BusyError, 5),
    ("teapot", 418, {}, RefusedError, 4),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_class_and_exit_code_of_each_error(status: int, body: Any, kind: Kind, code: int) -> None:
    error = error_of(status, body)
    assert type(error) is kind
    assert error.exit_code == code
    assert error.retryable is (kind is BusyError)
    assert error.status == status
    assert f"HTTP {status}" in str(error)


IN_STREAM: list[tuple[Any, Kind, int | None, str]] = [
    (openai("boom", "server_error"), BusyError, None, "boom"),
    ({"error": {"code": 502, "message": "upstream"}}, BusyError, 502, "upstream"),
    ({"error": {"code": "429", "message": "slow"}}, BusyError, 429, "slow"),
    ({"error": {"code": 400, "message": "bad"}}, RefusedError, 400, "bad"),
    ({"error": {"code": 401, "message": "key"}}, AuthError, 401, "key"),
    ({"object": "error", "message": "old vLLM", "code": 500}, BusyError, 500, "old vLLM"),
    ({"message": "event: error", "code": 500}, BusyError, 500, "event: error"),
    ({"error": "an Ollama line"}, BusyError, None, "an Ollama line"),
    ({"type": "error", "code": "rate_limit_exceeded", "message": "flat"}, BusyError, None, "flat"),
    ({"type": "error", "code": "invalid_prompt", "message": "no"}, RefusedError, None, "no"),
    ({"type": "error", "error": {"type": "overloaded_error"}}, BusyError, None, "reported"),
    ({"error": {"type": "not_found_error", "message": "m"}}, NotFoundError, None, "m"),
    ([{"error": {"code": 503, "message": "a list"}}], BusyError, 503, "a list"),
    (openai("no money", "insufficient_quota"), BillingError, None, "no money"),
    ({"error": {"code": 502, "message": "x", "metadata": {"error_type": "refusal"}}},
     FilteredError, 502, "x"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "status", "words"), IN_STREAM)
def test_fault_29_35_36_37_an_error_in_a_stream(
    body: Any, kind: Kind, status: int | None, words: str
) -> None:
    error = error_from_body(body)
    assert type(error) is kind
    assert error.status == status
    assert words in error.message
    assert type(error_from_body(body, 200)) is kind


SHAPES: list[tuple[Any, str]] = [
    ({"error": "a string"}, "a string"),
    ({"error": {"message": "an object"}}, "an object"),
    ({"error": {"error": {"message": "the innermost"}, "message": "outer"}}, "the innermost"),
    ([{"error": {"message": "a list"}}], "a list"),
    ({"error": ["in a list"]}, "in a list"),
    ({"detail": "Not authenticated"}, "Not authenticated"),
    ({"detail": [{"loc": ["body", "model"], "msg": "required"}]}, "body.model: required"),
    ({"detail": [{"loc": ["a", 0], "msg": "x"}, {"msg": "y"}]}, "a.0: x; y"),
    ({"detail": [{"loc": "body", "msg": "x"}]}, "body: x"),
    ({"detail": [{"loc": 5, "msg": "x"}]}, "5: x"),
    ({"detail": ["one", "two"]}, "one; two"),
    ({"detail": {"message": "inside"}}, "inside"),
    ({"error_description": "oauth", "error": ""}, "oauth"),
    ({"message": "flat"}, "flat"),
    ("only words", "only words"),
    ({}, "reported an error"),
    (7, "reported an error"),
    ({"error": {"message": None}}, "reported an error"),
    ({"error": {"message": "  two\n lines\t"}}, "two lines"),
]


@pytest.mark.parametrize(("body", "words"), SHAPES)
def test_fault_30_message_is_found_in_every_shape(body: Any, words: str) -> None:
    error = error_of(400, body)
    assert error.message == (f"the server {words}" if words == "reported an error" else words)
    assert error.what == f"{error.message} (HTTP 400)"


BLIND = [
    (500, "image input is not supported - hint: if this is unexpected, provide the mmproj"),
    (404, "No endpoints found that support image input"),
    (429, "llava does not accept images"),
]


@pytest.mark.parametrize(("status", "words"), BLIND)
def test_model_without_vision_is_refused_whatever_the_status(status: int, words: str) -> None:
    error = error_of(status, openai(words))
    assert type(error) is RefusedError
    assert not error.retryable


PAGE = b"<html><head><TITLE>502\n Bad Gateway</TITLE></head>" + b"<p>x</p>" * 9000


def test_fault_24_a_page_gives_its_title_only() -> None:
    error = error_of(502, PAGE)
    assert "502 Bad Gateway" in error.message
    assert len(str(error)) < 300
    assert "<" not in str(error)
    assert "<" not in str(error_of(503, b"\n <p>no title</p>"))
    assert "503" in str(error_of(503, b"<p>no title</p>"))


def test_bodies_that_are_no_json() -> None:
    assert "HTTP 500" in str(error_of(500, b""))
    assert error_of(500, b"").message
    assert error_of(500, b"plain words").what == "plain words (HTTP 500)"
    assert "�" in error_of(500, b"\xff\xfe").message
    assert type(error_of(404, b"404 page not found")) is NotFoundError
    assert type(error_of(500, b"[" * 100_000)) is BusyError


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_fault_57_a_redirect_is_not_followed(status: int) -> None:
    error = error_of(status, b"", {"location": "https://other.example/v1"})
    assert isinstance(error, RefusedError)
    assert error.location == "https://other.example/v1"
    assert "https://other.example/v1" in error.message
    assert not error.retryable
    assert "another address" in error_of(status, b"").message


def test_short_dummy_key_does_not_garble_a_redirect() -> None:
    """Image downloads follow redirects (transport/image_download.py): the URL must stay intact."""
    live_keys = [Secret("none"), Secret("sk-0123456789abcdef")]
    there = "https://cdn.example/none/a.png"
    for location, wanted in ((there, there), (f"{there}?sk-0123456789abcdef", f"{there}?***")):
        error = error_of(302, b"", {"location": location})
        assert isinstance(error, RefusedError)
        assert error.location == wanted
    del live_keys


def test_fault_25_x_should_retry_is_obeyed() -> None:
    assert not error_of(500, {}, {"x-should-retry": "false"}).retryable
    assert error_of(400, {}, {"x-should-retry": "true"}).retryable
    quota = openai("no", "insufficient_quota")
    assert not error_of(429, quota, {"x-should-retry": "true"}).retryable


def test_retry_after_code_and_request_id_are_kept() -> None:
    error = error_of(429, openai("slow", "rate_limit_exceeded"), {"retry-after": "7"})
    assert (error.retry_after, error.code) == (7, "rate_limit_exceeded")
    assert error_of(429, google("slow", "X", RETRY_INFO)).retry_after == 36
    assert error_of(429, [google("slow", "X", RETRY_INFO)]).retry_after == 36
    for name in ("x-request-id", "request-id", "x-generation-id"):
        assert error_of(500, {}, {name: "abc"}).request_id == "abc"
        assert error_of(500, b"<p>", {name: "abc"}).request_id == "abc"
    assert error_of(500, {}).request_id is None


def test_no_more_than_300_characters_of_a_servers_message() -> None:
    for body in (openai("x" * 9000), b"x" * 9000, b"<title>" + b"x" * 9000 + b"</title>"):
        assert error_of(500, body).message.count("x") == MAX_MESSAGE_CHARS - 1


KEYS = ["error", "message", "detail", "msg", "loc", "code", "type", "metadata", "details", "status",
        "retryDelay", "error_type"]  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
bodies = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(body=bodies, status=st.sampled_from([200, 302, 400, 403, 404, 429, 500]))
def test_no_body_crashes_it(body: Any, status: int) -> None:
    for error in (error_of(status, body), error_from_body(body), error_from_body(body, status)):
        assert error.message
        assert error.exit_code in {3, 4, 5}


def deepest_that_json_parses(start: str, end: str) -> int:
    """Return how deep such nesting may be, at most 1500, for `json.loads` called from here."""

    def is_too_deep(depth: int) -> bool:
        try:
            json.loads(start * depth + "1" + end * depth)
        except RecursionError:
            return True
        return False

    return bisect_left(range(1, 1500), True, key=is_too_deep)


@pytest.mark.parametrize(("start", "end"), [('{"error":', "}"), ("[", "]"), ('[{"msg":', "}]")])
def test_deep_nesting_does_not_crash(start: str, end: str) -> None:
    """Near json's limit, a function that recurses into what json has parsed may reach its own.

    Since Python 3.12, json parses deeper nesting than Python functions can recurse into.
    """
    deepest = deepest_that_json_parses(start, end)
    for depth in (*range(300, 1500, 50), *range(deepest - 60, deepest + 6), 20_000):
        assert error_of(500, (start * depth + "1" + end * depth).encode()).exit_code == 5
