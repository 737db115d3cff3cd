"""Faults with an HTTP error status: refusals, quotas, busy servers, redirects."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import KEY, REDIRECT_URL, TRIES, Fault, ScriptsFactory
from tests.support.faults.spelling import good, openai_error
from tests.support.standins import anthropic
from tests.support.standins.script import Json, Script, compact

PAGE = b"<!DOCTYPE html><html><title>Bad gateway</title><body>nginx</body></html>"
QUOTA = "You exceeded your current quota, please check your plan and billing details."
PER_DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
NEVER = {400: 4, 403: 3, 402: 3, 404: 4, 413: 4, 422: 4, 418: 4}
AGAIN = {408: (), 409: (), 425: (), 429: (), 503: (), 504: (), 520: (), 529: (23,)}
PROMISES = {400: (12,), 403: (9,), 402: (10,), 404: (11,), 413: (14,)}


def refusal(status: int, words: str, **headers: str) -> ScriptsFactory:
    """Return the status with an error in the provider's shape."""
    return lambda adapter: (adapter.refusal(status, words, **headers),)


def body(status: int, value: object, **headers: str) -> Script:
    """Return the status with any JSON."""
    header_fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Script(
        compact(value), status=status, headers=header_fields, content_type="application/json"
    )


def page(status: int) -> Script:
    """Return the status with a web page."""
    return Script(PAGE, status=status, content_type="text/html")


def quota(adapter: Adapter) -> tuple[Script, ...]:
    """Return the provider's own error for a used-up quota."""
    if adapter.name == "gemini":
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}
        error: Json = {"code": 429, "message": QUOTA, "status": "RESOURCE_EXHAUSTED"}
        return (body(429, {"error": error | {"details": [PER_DAY, retry]}}),)
    if adapter.name == "openrouter":
        metadata = {"error_type": "payment_required"}
        return (body(429, {"error": {"code": 429, "message": QUOTA, "metadata": metadata}}),)
    if adapter.name == "anthropic":
        details = {"error_code": "contract_spend_limit_reached"}
        return (body(429, anthropic.error_object("rate_limit_error", QUOTA, **details)),)
    return (body(429, {"error": openai_error(429, QUOTA)}),)


def refusal_with_body(error_body: object) -> ScriptsFactory:
    """Return 400 with any JSON."""
    return lambda adapter: (body(400, error_body),)


def redirect(status: int) -> ScriptsFactory:
    """Return a redirect to another host."""
    headers = {"Location": f"{REDIRECT_URL}/v1"}
    return lambda adapter: (Script(b"", status=status, headers=headers),)


def then_good(*scripts: ScriptsFactory) -> ScriptsFactory:
    """Return these failures, one a request, and then a whole answer."""
    return lambda adapter: (*(script(adapter)[0] for script in scripts), good(adapter))


SHAPES: tuple[tuple[str, object, str], ...] = (
    ("string", {"error": "the words"}, "the words"),
    ("list", [{"error": {"message": "the words"}}], "the words"),
    ("nested", {"error": {"error": {"message": "the words"}, "message": "outer"}}, "the words"),
    ("detail", {"detail": "the words"}, "the words"),
    ("strings", {"error": ["the words", "others"]}, "the words"),
)
REFUSED = (
    *(
        Fault(
            f"status-{status}",
            PROMISES.get(status, ()),
            refusal(status, "no, never"),
            code,
            stderr_text=f"no, never (HTTP {status}",
        )
        for status, code in NEVER.items()
    ),
    Fault(
        "status-401",
        (8,),
        refusal(401, f"Incorrect API key provided: {KEY}"),
        3,
        stderr_text="HTTP 401",
    ),
    Fault(
        "key-refused-as-400",
        (8,),
        refusal(400, "API key not valid. Pass a valid one."),
        3,
        stderr_text="HTTP 400",
        only=("gemini",),
    ),
    Fault(
        "moderated",
        (9,),
        lambda a: (
            body(
                403,
                {
                    "error": {
                        "code": 403,
                        "message": "flagged",
                        "metadata": {"reasons": ["violence"]},
                    }
                },
            ),
        ),
        4,
        stderr_text="flagged",
        only=("openrouter",),
    ),
    Fault(
        "detail-list",
        (13,),
        lambda a: (body(422, {"detail": [{"loc": ["body", "model"], "msg": "required"}]}),),
        4,
        stderr_text="body.model: required",
    ),
    Fault(
        "bare-detail-list",
        (13,),
        lambda a: (body(422, [{"loc": ["body", "model"], "msg": "required"}]),),
        4,
        stderr_text="required",
    ),
    Fault(
        "too-long",
        (12,),
        refusal(400, "maximum context length is 8192 tokens"),
        4,
        stderr_text="maximum context length",
    ),
    Fault(
        "takes-no-images",
        (12,),
        refusal(500, "image input is not supported - mmproj"),
        4,
        stderr_text="image input",
    ),
    Fault("many-words", (12,), refusal(400, "long " * 1000 + KEY), 4, stderr_text="long long"),
    Fault("page-400", (12, 24), lambda a: (page(400),), 4, stderr_text="Bad gateway", longest=300),
    Fault("quota", (21,), quota, 3, stderr_text="quota", not_for=("ollama", "cohere")),
    Fault(
        "spend-cap",
        (21,),
        lambda a: (
            body(
                429,
                {
                    "type": "error",
                    "error": {"type": "enforced_spend_limit_reached", "message": "cap"},
                },
            ),
        ),
        3,
        stderr_text="cap",
        only=("openai",),
    ),
    *(
        Fault(f"error-as-{name}", (30,), refusal_with_body(made), 4, stderr_text=words)
        for name, made, words in SHAPES
    ),
    *(
        Fault(f"redirect-{status}", (57,), redirect(status), 4, stderr_text="127.0.0.2")
        for status in (301, 302, 307, 308)
    ),
)
BUSY = (
    *(
        Fault(
            f"status-{status}",
            numbers,
            refusal(status, "later"),
            5,
            tries=TRIES,
            stderr_text=f"HTTP {status}",
        )
        for status, numbers in AGAIN.items()
    ),
    Fault(
        "status-500-four-times",
        (22,),
        refusal(500, "oops"),
        5,
        tries=4,
        stderr_text="oops (HTTP 500",
        profile_settings={"max_retries": 3},
    ),
    Fault("status-500-no-retry", (7,), refusal(500, "oops"), 5, args=("--no-retry",)),
    Fault(
        "page-502",
        (24,),
        lambda a: (page(502),),
        5,
        stderr_text="Bad gateway",
        args=("--no-retry",),
        longest=300,
    ),
    Fault("page-522", (24,), lambda a: (page(522),), 5, tries=TRIES, stderr_text="Bad gateway"),
    Fault(
        "no-words-500",
        (),
        lambda a: (Script(b"", status=500),),
        5,
        tries=TRIES,
        stderr_text="HTTP 500",
    ),
    Fault(
        "twice-503-then-good",
        (),
        then_good(refusal(503, "full"), refusal(503, "full")),
        0,
        "Hello world",
        TRIES,
        "try 3",
    ),
    Fault("told-not-to-retry", (25,), refusal(500, "no", x_should_retry="false"), 5),
    Fault(
        "told-to-retry",
        (25,),
        then_good(refusal(400, "again", x_should_retry="true")),
        0,
        "Hello world",
        2,
        "try 2",
    ),
)
STATUS = (*REFUSED, *BUSY)
