"""Converts an HTTP error response, or an error object in a stream, into an EasyLLMError."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..errors import (
    AuthError,
    BillingError,
    BusyError,
    EasyLLMError,
    FilteredError,
    MalformedAnswer,
    NotFoundError,
    RefusedError,
    TooLargeError,
)
from ..secret import LONG_KEY_CHARS, redact
from .bounded_json import parse_json

MAX_MESSAGE_CHARS = 300  # of a server's message

# Patterns are compiled only when an error is read: it takes 2 ms.
# Messages for a model that takes no images; the status differs by server (llama.cpp: 500).
NO_IMAGE_SUPPORT_PATTERN = (
    r"(?i)image input is not supported|not support (?:image|vision|multimodal)|mmproj"
    r"|no endpoints found that support image|image_url is only supported|unsupported content.*image"
    r"|does not (?:accept|take) images?|missing data required for image input"
    r"|not a (?:vision|multimodal) model|cannot (?:read|process) .?image.? \(this model"
)
# Codes and messages for a prompt longer than the context, partly from litellm's list of them.
CONTEXT_OVERFLOW_PATTERN = (
    r"(?i)context_length_exceeded|exceed_context_size|maximum context length is|too many tokens: "
    r"|exceeds the available context size|exceeds the maximum number of tokens allowed"
    r"|is longer than the model's context length|`inputs` tokens \+ `max_new_tokens` must be"
    r"|(?:exceed\w*|too long for) (?:[\w']+ ){0,3}context|prompt is too long"
)
REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-generation-id")
UNKNOWN_MODEL_PATTERN = r"(?i)not a valid model|no such model|unknown model"
BILLING_PATTERN = (
    r"insufficient_quota|enforced_spend_limit|billing_error|billing_hard_limit|payment_required"
    r"|spend_limit_reached|organization_on_hold|credit balance|PerDay|API calls / month"
)
# Anthropic's messages under status 400.
BILLING_REFUSAL_PATTERN = r"(?i)credit balance is too low|reached your specified .*usage limit"
ERROR_CLASS_BY_CODE: dict[str, type[EasyLLMError]] = {
    "invalid_api_key": AuthError,
    "authentication_error": AuthError,
    "permission_error": AuthError,
    "permission_denied": AuthError,
    "unauthenticated": AuthError,
    "model_not_found": NotFoundError,
    "not_found_error": NotFoundError,
    "not_found": NotFoundError,
    "content_filter": FilteredError,
    "content_policy_violation": FilteredError,
    "refusal": FilteredError,
    "max_tokens_exceeded": TooLargeError,
    "request_too_large": TooLargeError,
    "image_too_large": TooLargeError,
    "invalid_request_error": RefusedError,
    "invalid_argument": RefusedError,
    "failed_precondition": RefusedError,
    "invalid_prompt": RefusedError,
    "invalid_image": RefusedError,
    "unsupported_image_format": RefusedError,
    "unsupported_parameter": RefusedError,
    "unsupported_value": RefusedError,
}
ERROR_CLASS_BY_STATUS: dict[int, type[EasyLLMError]] = {
    401: AuthError, 402: BillingError, 403: AuthError, 404: NotFoundError, 408: BusyError,
    409: BusyError, 413: TooLargeError, 425: BusyError, 429: BusyError,
    498: FilteredError, 499: BusyError,  # Cohere: a deny-listed token in the text; cancelled
}  # fmt: skip
WRONG_ENDPOINT_HINT = "check the endpoint in the profile: does it need /v1 at its end?"
# Fields that can hold an error's message.
MESSAGE_KEYS = (
    "message", "detail", "error_description", "error_message", "error_msg", "err_msg", "errmsg",
    "msg", "status_msg", "reason", "title", "Message",
)  # fmt: skip
# Fields that mark a body without an answer as an error, not as a progress message.
ERROR_KEYS = ("detail", "errors", "error_description", "error_message", "error_msg", "error_code",
               "err_msg", "errmsg", "errcode")  # fmt: skip
ANSWER_KEYS = ("choices", "done", "candidates", "output", "response", "usage", "usageMetadata")
SUCCESS_CODES = (None, 0, "0", 200, "200", "", "ok", "OK", "success", "Success")
ERROR_HINTS: dict[type[EasyLLMError], str] = {
    AuthError: "check the key and its permissions",
    NotFoundError: "check the model's name and the endpoint",
}


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> EasyLLMError:
    """Return the error for a response whose status is not 2xx; `headers` have lower-case names."""
    if 300 <= status < 400:
        target = headers.get("location", "another address")
        redirect_error = RefusedError(
            f"the endpoint redirects to {redact_and_shorten(target)}: redirects are not followed",
            hint="put the new address into the profile if you trust it",
            status=status,
        )
        redirect_error.location = headers.get("location") and redact(
            headers["location"], LONG_KEY_CHARS
        )
        return redirect_error
    parsed = parse_error_body(body)
    error = error_from_body(parsed if parsed is not None else {}, status, headers)
    if parsed is None:
        error.message = _message_from_text(body)
    error.request_id = next(
        (redact_and_shorten(headers[name]) for name in REQUEST_ID_HEADERS if name in headers),
        error.request_id,
    )  # fmt: skip
    from .retry_after import rate_limit_headers  # errors only

    error.rate_limit_headers = rate_limit_headers(headers)
    return error


def error_from_body(
    body: Any, status: int | None = None, headers: Mapping[str, str] | None = None
) -> EasyLLMError:
    """Return the error for a parsed error body or frame, by its code, status and message."""
    try:
        return _error_from_body(body, status, headers)
    except RecursionError:  # nested too deeply
        return _error_from_body({}, status, headers)


def _error_from_body(
    body: Any, status: int | None, headers: Mapping[str, str] | None
) -> EasyLLMError:
    inner = _find_error_object(body)
    message = redact_and_shorten(find_error_message(body)) or "the server reported an error"
    code = _find_error_code(inner) or (
        inner if isinstance(inner, str) and _is_error_code(inner) else None
    )
    if status is None or status == 200:
        status = _find_status(inner) or _find_status(body) or None
    from .retry_after import find_retry_after  # errors only

    retry_after = find_retry_after(headers or {}, body, rate_limited=status == 429)
    error_class = _choose_error_class(status, code, json.dumps(body)[:20_000])
    hint = ERROR_HINTS.get(error_class)
    if error_class is BusyError and status is None:
        error_class, hint = classify_error_message(message, code or "")
    if error_class is NotFoundError and "try pulling" in message:
        hint = None
    error = error_class(
        message,
        hint=hint,
        status=status,
        code=code and redact(code),
        retry_after=retry_after,
        request_id=_find_request_id(body),
    )
    if isinstance(error, RefusedError) and isinstance(inner, dict):
        parameter = inner.get("param")
        error.parameter = redact(parameter) if isinstance(parameter, str) else None
    should_retry = (headers or {}).get("x-should-retry")
    if should_retry in {"true", "false"} and not isinstance(error, BillingError):
        error.retryable = should_retry == "true"
    return error


def _find_request_id(body: Any) -> str | None:
    """Return the `request_id` of an error object, as Anthropic sends it in streams."""
    request_id = body.get("request_id") if isinstance(body, dict) else None
    return redact_and_shorten(request_id) if isinstance(request_id, str) and request_id else None


def _choose_error_class(status: int | None, code: str | None, text: str) -> type[EasyLLMError]:
    """Choose the error class: by specific messages first, then by the code, then by the status."""
    if re.search(NO_IMAGE_SUPPORT_PATTERN, text):
        return RefusedError
    if re.search(CONTEXT_OVERFLOW_PATTERN, text):
        return TooLargeError
    if status in {402, 429, None} and re.search(BILLING_PATTERN, text):
        return BillingError
    if status == 400 and re.search(BILLING_REFUSAL_PATTERN, text):
        return BillingError
    if status == 400 and re.search(r"API_KEY_INVALID|API key not valid", text):
        return AuthError
    if status == 400 and re.search(UNKNOWN_MODEL_PATTERN, text):
        return NotFoundError
    if status == 403 and '"reasons"' in text:
        return FilteredError
    error_class = ERROR_CLASS_BY_CODE.get((code or "").lower())
    if error_class and (status is None or error_class is not RefusedError):
        return error_class
    if status is None and code and re.search(r"image|policy|data_residency", code):
        return FilteredError if "policy" in code else RefusedError  # OpenAI Responses
    if status is None:
        return BusyError
    return ERROR_CLASS_BY_STATUS.get(status, RefusedError if 400 <= status < 500 else BusyError)


def parse_error_body(body: bytes) -> Any:
    """Return the body as parsed JSON, or None if it is not JSON or needs too much memory."""
    try:
        return parse_json(body)
    except (ValueError, RecursionError, MalformedAnswer):
        return None


def is_error_body(body: dict[str, Any]) -> bool:
    """Return whether a body with status 200, or a frame of it, is an error.

    `error` and a failed `base_resp` count even beside an answer, other fields only without one.
    """
    if body.get("error") or body.get("object") == "error":
        return True
    if "base_resp" in body and not _is_success(body["base_resp"]):
        return True
    if body.get("choices") is not None:  # the usual frame
        return False
    if any(body.get(name) is not None for name in ANSWER_KEYS) or isinstance(
        body.get("message"), dict
    ):
        return False
    has_error_key = any(body.get(name) for name in ERROR_KEYS)
    has_error_status = (
        body.get("success") is False or body.get("type") == "error" or _find_status(body) > 0
    )
    return (has_error_key or has_error_status or body.get("status") == "error") and bool(
        find_error_message(body)
    )


def _is_success(base_resp: Any) -> bool:
    """Return whether MiniMax's `base_resp`, a part of every response, reports success (0)."""
    return not isinstance(base_resp, dict) or base_resp.get("status_code") in SUCCESS_CODES


def _find_error_object(body: Any) -> Any:
    """Return the innermost error object of a body.

    The shapes are {"error": …}, [{"error": …}] and the flat object of Responses and old vLLM.
    Gateways wrap the provider's error object in their own, some as a string of JSON. With
    `"error": true` the body itself is the error object.
    """
    if isinstance(body, str) and body.lstrip().startswith("{"):
        parsed = parse_error_body(body.encode("utf-8", "replace"))
        return _find_error_object(parsed) if parsed else body
    if isinstance(body, list) and body:
        return _find_error_object(body[0])
    if not isinstance(body, dict):
        return body
    for name in ("error", "errors", "base_resp"):
        value = body.get(name)
        if isinstance(value, dict | list | str) and value:
            return _find_error_object(value)
    return body


def find_error_message(body: Any) -> str:
    """Return the error message of a body in any known shape; "" = it has none."""
    inner = _find_error_object(body)
    message = _message_from_object(inner)
    if isinstance(body, dict) and inner is not body and (not message or _is_error_code(message)):
        return (
            _message_from_object({name: body[name] for name in MESSAGE_KEYS if name in body})
            or message
        )
    return message


def _is_error_code(text: str) -> bool:
    """Return whether a message is only a code, such as `invalid_token`."""
    return "_" in text and " " not in text


def _message_from_object(inner: Any) -> str:
    if isinstance(inner, str):
        return inner
    if not isinstance(inner, dict):
        return ""
    for key in MESSAGE_KEYS:
        value = inner.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, list | dict) and value:
            return _message_from_list(value)
    return ""


def _message_from_list(value: Any) -> str:
    """Join a list such as FastAPI's [{"loc": ["body", "model"], "msg": "field required"}]."""
    messages = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            messages.append(str(item))
            continue
        location = ".".join(
            map(str, loc if isinstance(loc := item.get("loc") or [], list) else [loc])
        )
        message = find_error_message(item) or json.dumps(item)
        messages.append(f"{location}: {message}" if location else message)
    return "; ".join(messages)


def _find_error_code(inner: Any) -> str | None:
    """Return metadata.error_type, else code, else status (Google's), else type."""
    if not isinstance(inner, dict):
        return None
    metadata = inner.get("metadata")
    error_type = metadata.get("error_type") if isinstance(metadata, dict) else None
    candidates = (error_type, inner.get("code"), inner.get("status"), inner.get("type"))
    return next((value for value in candidates if isinstance(value, str) and value), None)


def _find_status(inner: Any) -> int:
    """Return the HTTP status that an error object contains, or 0."""
    if not isinstance(inner, dict):
        return 0
    for name in ("code", "status", "status_code", "statusCode"):
        code = inner.get(name)
        if isinstance(code, str) and len(code) == 3 and code.isdecimal():
            code = int(code)
        if isinstance(code, int) and 400 <= code < 600:
            return code
    return 0


def _message_from_text(body: bytes) -> str:
    """Return a message for a body that is not JSON: an HTML page's title, or the text itself."""
    text = body[:20_000].decode("utf-8", "replace")
    title = re.search(r"<title[^>]*>([^<]*)</title>", text, re.IGNORECASE)
    if title:
        return f'the server answered "{redact_and_shorten(title[1])}"'
    if "<" in text[:200]:
        return "the server answered with a web page"
    return redact_and_shorten(text) or "the server sent no error message"


def redact_and_shorten(text: str) -> str:
    """Fold white space, redact keys, then shorten to MAX_MESSAGE_CHARS."""
    text = redact(" ".join(text.split()))
    return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "…"


# Messages of a server that does not know the path: the endpoint is probably wrong.
UNKNOWN_PATH_PATTERN = (
    r"(?i)unexpected endpoint|no route|cannot (?:get|post) /|method not allowed"
    r"|(?:unknown|invalid|unsupported|unrecognized) (?:request )?(?:endpoint|url|path|route)"
    r"|(?:endpoint|url|path|route|page) (?:was )?not found|^not[ _]found\.?$"
)
# The first match counts: temporary failures come before mistakes of the caller.
ERROR_CLASS_PATTERNS: tuple[tuple[type[EasyLLMError], str], ...] = (
    (BusyError, r"rate.?limit|too many requests|overload|too busy|is busy|at capacity"
                r"|(?:temporarily|service|currently) unavailable|server.(?:had an )?error"),
    (BillingError, r"insufficient.{0,10}(?:balance|quota|credit|fund)|payment required|in arrears"
                   r"|exceeded your current quota"
                   r"|(?:out of|no|not enough) (?:credit|balance|fund)|quota (?:is )?exhausted"
                   r"|(?:balance|credit).{0,20}(?:exhausted|insufficient|not enough|too low)"
                   "|\u4f59\u989d\u4e0d\u8db3|\u6b20\u8d39"),
    (FilteredError, r"content.?(?:policy|filter)|(?<!case[ -])sensitive|moderation|inappropriate"),
    (AuthError, r"not authenticated|unauthori[sz]ed|unauthenticated|authentication|forbidden"
                r"|(?:permission|access) denied|not logged in|log.?in fail"
                r"|(?:invalid|incorrect|missing|wrong|expired|no).?"
                r"(?:api.?key|(?:api.?)?token|credential)"
                r"|(?:api.?key|token|credential)s? (?:is |are |was |has )?(?:not valid|invalid"
                r"|missing|required|incorrect|expired|wrong)"),
    (NotFoundError, r"model.{0,80}(?:not found|does not exist|not exist)|no such model"
                    r"|unknown model|not a valid model"),
    (RefusedError, r"\binvalid|unsupported|not support|not permitted|not allowed|bad request"
                   r"|must be |\bis required|field required|missing required|validation"
                   r"|unknown (?:parameter|field)|extra inputs"),
)  # fmt: skip


def classify_error_message(message: str, code: str) -> tuple[type[EasyLLMError], str | None]:
    """Return the error class and hint for a message without a status; BusyError if none matches."""
    if re.search(UNKNOWN_PATH_PATTERN, message):
        return NotFoundError, WRONG_ENDPOINT_HINT
    for error_class, pattern in ERROR_CLASS_PATTERNS:
        if re.search(pattern, f"{code} {message}", re.IGNORECASE):
            return error_class, ERROR_HINTS.get(error_class)
    return BusyError, None
