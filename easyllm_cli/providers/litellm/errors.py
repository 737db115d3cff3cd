"""Converts litellm's exceptions to EasyLLMError, using the exceptions that caused them.

litellm's own classes are too coarse: a cut stream and a vendor's error are both status 503, a
refused connection is 500. Their causes hold the real status, body and network error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ...errors import AuthError, ConfigError, EasyLLMError, IncompleteAnswer, MalformedAnswer
from ...transport.network_errors import iter_causes, network_error
from ...transport.response_errors import error_from_body, error_from_response

# litellm's prefix of a vendor's message: `litellm.RateLimitError: RateLimitError: XException - `
EXCEPTION_PREFIX = re.compile(r"^(?:litellm\.\w+: )?(?:\w+: )*(?:\w+Exception - )?")
UNKNOWN_VENDOR_MESSAGE = "LLM Provider NOT provided"
MISSING_KEY_PATTERN = re.compile(
    r"(?i)api_key client option must be set|missing .*api.?key|API key is missing"
)
EMPTY_RESPONSE_PATTERN = re.compile(
    r"Empty or invalid response from LLM endpoint|response with no 'choices'"
)
EARLY_END_MESSAGE = "Stream ended before a finish_reason"


def error_from_litellm(error: Exception, url: str, started: bool) -> EasyLLMError | None:
    """Convert an exception of litellm; None = the stream ended without a finish reason.

    `url`: the endpoint ("" = the vendor's own). `started`: text or reasoning was received before.
    """
    chain = list(iter_causes(error))
    message = EXCEPTION_PREFIX.sub("", str(error))
    if EARLY_END_MESSAGE in message:
        return None
    if UNKNOWN_VENDOR_MESSAGE in message:
        return ConfigError(
            "litellm does not know which vendor serves this model",
            hint="put the vendor before it, e.g. openai/gpt-4o or ollama_chat/llama3.2",
        )
    response_parts = next(_find_responses(chain), None)
    if response_parts is not None:
        return error_from_response(*response_parts)
    stream_error = _find_stream_error(chain)
    if stream_error is not None:
        return error_from_body(stream_error)
    if _is_network_error(chain):
        converted = network_error(error, _request_url(chain) or url)
        if started:
            return IncompleteAnswer(f"the answer was cut: {converted.message}", hint="ask again")
        return converted
    if EMPTY_RESPONSE_PATTERN.search(message) or any(
        isinstance(cause, json.JSONDecodeError) for cause in chain
    ):
        return MalformedAnswer(
            "the server sent an empty or invalid answer", hint="check the endpoint"
        )
    status = getattr(error, "status_code", None)
    converted = error_from_body(
        {"error": {"message": message.partition(" To drop these,")[0]}},
        status if isinstance(status, int) else None,
    )
    return AuthError(converted.message) if MISSING_KEY_PATTERN.search(message) else converted


def _find_responses(chain: list[BaseException]) -> Iterator[tuple[int, dict[str, str], bytes]]:
    """Yield status, headers and body of the servers' error responses, innermost cause first.

    Responses that litellm made up are skipped; they have no headers.
    """
    for cause in reversed(chain):
        response = getattr(cause, "response", None)
        status = getattr(response, "status_code", None)
        headers = {
            name.lower(): value
            for name, value in (getattr(response, "headers", None) or {}).items()
        }
        if not isinstance(status, int) or status < 300 or not headers:
            continue
        try:
            body = response.content  # type: ignore[union-attr]
        except Exception:  # the client raised before it read the body
            body = b""
        yield status, headers, body or _body_from_exception(cause)


def _body_from_exception(error: BaseException) -> bytes:
    """Rebuild an error body from an exception whose response has lost its own."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        return json.dumps({"error": body}).encode()
    return EXCEPTION_PREFIX.sub("", str(error)).encode()


def _find_stream_error(chain: list[BaseException]) -> dict[str, Any] | None:
    """Return the error body that a vendor sent inside a stream; None = there is none."""
    bodies = (getattr(cause, "body", None) for cause in reversed(chain))
    return next(({"error": body} for body in bodies if isinstance(body, dict) and body), None)


def _is_network_error(chain: list[BaseException]) -> bool:
    """Whether the HTTP client or the system failed (litellm uses aiohttp below httpx)."""
    names = {base.__name__ for cause in chain for base in type(cause).__mro__}
    return bool(names & {"TransportError", "ClientError", "OSError", "APITimeoutError"})


def _request_url(chain: list[BaseException]) -> str:
    """Return the request's URL from an httpx exception in the chain; "" = there is none."""
    for cause in reversed(chain):
        if type(cause).__module__.partition(".")[0] == "httpx":
            request = getattr(cause, "_request", None)
            if request is not None:
                return str(request.url)
    return ""
