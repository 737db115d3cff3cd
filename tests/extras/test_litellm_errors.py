"""litellm's errors by status and message: our classes, no hidden retries, the vendor's message."""

from typing import Any

import pytest

from easyllm_cli.errors import (
    AuthError,
    BillingError,
    BusyError,
    NetworkError,
    NotFoundError,
    RefusedError,
    TooLargeError,
)
from easyllm_cli.transport.response_errors import ERROR_HINTS
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS, LITELLM, litellm_profile
from tests.support.asking import expect_error
from tests.support.standins.script import Script, chunk, compact, script_handler, sse
from tests.support.standins.server import StandIn, unreachable_server

pytestmark = IGNORE_LITELLM_WARNINGS
both_ways = pytest.mark.parametrize("stream", [True, False])
ERRORS: list[tuple[int, Any, type[Exception], int]] = [
    (401, {"message": "wrong", "code": "invalid_api_key"}, AuthError, 1),
    (403, {"message": "not you"}, AuthError, 1),
    (404, {"message": "no model", "code": "model_not_found"}, NotFoundError, 1),
    (413, {"message": "too big"}, TooLargeError, 1),
    (400, {"message": "x", "code": "context_length_exceeded"}, TooLargeError, 1),
    (400, {"message": "no"}, RefusedError, 1),
    (422, {"message": "no"}, RefusedError, 1),
    (429, {"message": "no money", "code": "insufficient_quota"}, BillingError, 1),
    (408, {"message": "slow"}, BusyError, 2),
    (500, {"message": "oops"}, BusyError, 2),
    (503, {"message": "oops"}, BusyError, 2),
    (529, {"message": "oops"}, BusyError, 2),
]


@both_ways
@pytest.mark.parametrize(("status", "body", "kind", "requests"), ERRORS)
async def test_errors_by_status_and_code(
    status: int, body: Any, kind: Any, requests: int, stream: bool
) -> None:
    refusal = Script(compact({"error": body}), status=status, content_type="application/json")
    with StandIn(script_handler(refusal)) as server:
        error = await expect_error(kind, litellm_profile(server, max_retries=1), stream)
        assert len(server.requests) == requests, "litellm tries nothing again itself"
    assert (error.status, error.message) == (status, body["message"])


async def test_no_model_is_suggested_from_litellms_own_table() -> None:
    """The table does not know the server's models, and lists most names without their vendor."""
    refusal = LITELLM.refusal(404, "no such model")
    with StandIn(script_handler(refusal)) as server:
        error = await expect_error(
            NotFoundError, litellm_profile(server, model="openai/gpt-4o", max_retries=0)
        )
    assert error.hint == ERROR_HINTS[NotFoundError]


async def test_an_error_has_request_id_and_retry_after() -> None:
    headers = {"retry-after": "1.5", "x-request-id": "req_9"}
    busy = Script(b"{}", status=429, headers=headers, content_type="application/json")
    with StandIn(script_handler(busy)) as server:
        error = await expect_error(BusyError, litellm_profile(server, max_retries=0))
    assert (error.retry_after, error.request_id) == (1.5, "req_9")


async def test_an_error_inside_a_stream_keeps_the_text_and_is_not_retried() -> None:
    broken = Script(chunk("Hel"), sse({"error": {"message": "boom", "code": 502}}))
    with StandIn(script_handler(broken)) as server:
        error = await expect_error(BusyError, litellm_profile(server))
        assert len(server.requests) == 1
    assert (error.status, error.message) == (502, "boom")
    assert error.partial is not None
    assert error.partial["text"] == "Hel"


async def test_a_refused_connection_is_a_network_error() -> None:
    with unreachable_server() as server:
        error = await expect_error(NetworkError, litellm_profile(server))
    assert error.message == f"nothing listens at {server.url.removeprefix('http://')}"
