"""Faults of a body under status 200: a web page, an empty body, cut JSON, an error object."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import KEY, TRIES, Fault, ScriptsFactory
from tests.support.faults.spelling import (
    first_frames,
    frame,
    keep_alive,
    openai_error,
    raw_frame,
    steps_script,
)
from tests.support.faults.status import body, page
from tests.support.standins.script import DONE, Script

PAGE = b"<!DOCTYPE html><html><title>Log in</title><body>Wi-Fi</body></html>"
HALF = b'{"choices": [{"message": {"content": "Hel'


def as_json(data: bytes) -> ScriptsFactory:
    """Return these bytes with Content-Type application/json."""
    return lambda adapter: (Script(data, content_type="application/json"),)


def report(status: int, words: str) -> ScriptsFactory:
    """Return the provider's error object as a whole body under status 200."""

    def scripts(adapter: Adapter) -> tuple[Script, ...]:
        error = adapter.wire.error(status, words)
        return (body(200, {"error": openai_error(status, words)} if is_openai(adapter) else error),)

    return scripts


def is_openai(adapter: Adapter) -> bool:
    return adapter.provider == "openai"


BODY = (
    Fault("page", (26,), lambda a: (page(200),), 7, stderr_text="web page"),
    Fault(
        "page-called-a-stream", (26,), lambda a: (steps_script(a, PAGE),), 7, stderr_text="web page"
    ),
    Fault("empty-body", (27,), lambda a: (steps_script(a),), 7, stderr_text="empty"),
    Fault("no-content-type", (27,), lambda a: (Script(content_type=None),), 7),
    Fault("empty-json-body", (27,), as_json(b""), 7),
    Fault("white-body", (27,), lambda a: (steps_script(a, b"\n \r\n\n"),), 7),
    Fault("only-comments", (27,), lambda a: (steps_script(a, keep_alive(a) * 3),), 7),
    Fault("truncated-json", (28,), as_json(HALF), 7),
    Fault("truncated-json-called-a-stream", (28,), lambda a: (steps_script(a, HALF),), 7),
    Fault("words-for-json", (28,), as_json(b"OK, I am here\n"), 7),
    Fault("empty-object", (28,), as_json(b"{}"), 7),
    Fault("number", (28,), as_json(b"17"), 7),
    Fault("deep-nesting", (28,), as_json(b"[" * 100_000), 7),
    Fault("plain-words", (26,), lambda a: (Script(b"It works!\n", content_type="text/plain"),), 7),
    Fault(
        "picture", (26,), lambda a: (Script(b"\x89PNG\r\n\x1a\n\0\0", content_type="image/png"),), 7
    ),
    Fault(
        "object-of-another-kind",
        (28,),
        lambda a: (steps_script(a, frame(a, {"hello": "there"}), raw_frame(a, b"{}")),),
        7,
    ),
    Fault(
        "no-object", (38,), lambda a: (steps_script(a, raw_frame(a, b"17"), *first_frames(a)),), 7
    ),
    Fault(
        "bad-frame-first",
        (38,),
        lambda a: (steps_script(a, raw_frame(a, b"{oops"), *first_frames(a), DONE),),
        7,
    ),
    Fault(
        "error-in-200",
        (29,),
        report(503, f"overloaded, and your key is {KEY}"),
        5,
        tries=TRIES,
        stderr_text="overloaded",
    ),
    Fault(
        "refusal-in-200",
        (29,),
        report(400, "bad thing"),
        4,
        stderr_text="bad thing",
        not_for=("ollama", "cohere"),
    ),
    Fault(
        "key-error-in-200",
        (29,),
        report(401, "no such key"),
        3,
        stderr_text="no such key",
        not_for=("ollama", "cohere"),
    ),
    Fault(
        "error-string-in-200",
        (29, 30),
        lambda a: (body(200, {"error": "the words"}),),
        5,
        tries=TRIES,
        stderr_text="the words",
    ),
    Fault(
        "error-list-in-200",
        (29, 30),
        lambda a: (body(200, [{"error": {"code": 503, "message": "the words"}}]),),
        5,
        tries=TRIES,
        stderr_text="the words",
        not_for=("ollama",),
    ),
    Fault(
        "error-and-nulls",
        (29,),
        lambda a: (
            body(
                200,
                {
                    "error": {"code": 502, "message": "Provider returned error"},
                    "id": None,
                    "choices": None,
                },
            ),
        ),
        5,
        tries=TRIES,
        stderr_text="Provider returned error",
        only=("openrouter",),
    ),
    Fault(
        "null-choices",
        (28,),
        as_json(b'{"id": "gen-1", "choices": null}'),
        7,
        only=("openrouter", "openai"),
    ),
)
