"""Faults of unusual but readable responses: odd frames, wrong content types, errors under 200."""

import json
from typing import Any

from tests.support.adapters import Adapter
from tests.support.faults.body import as_json
from tests.support.faults.fault import TRIES, Fault, ScriptsFactory
from tests.support.faults.spelling import (
    CHAT_ADAPTERS,
    SSE,
    first_frames,
    good,
    raw_frame,
    steps_script,
)
from tests.support.faults.status import body, refusal, then_good
from tests.support.standins.script import DONE, Script, chunk, compact, sse

HELLO = "Hello world"
# What a gateway sends while the model is thinking: (name, bytes).
IDLE_FRAMES = (
    ("no-data", b"data:\n\n"),
    ("blank-data", b"data:  \r\n\r\n"),
    ("null-data", b"data: null\n\n"),
    ("empty-string-data", b'data: ""\n\n'),
    ("empty-array-data", b"data: []\n\n"),
    ("ping-without-data", b"event: ping\ndata:\n\n"),
    ("ping-with-a-time", b"event: ping\ndata: 2026-01-01T00:00:00\n\n"),
    ("heartbeat-with-a-number", b"event: heartbeat\ndata: 17\n\n"),
    ("keep-alive-with-words", b"event: keep-alive\ndata: still thinking\n\n"),
)


def data_between_frames(data: bytes) -> ScriptsFactory:
    """Send these bytes before, between and after the two halves of a whole answer."""
    return lambda a: (
        steps_script(a, data, a.wire.text("Hello "), data, a.wire.text("world"), data, a.wire.end),
    )


def without_blank_lines(adapter: Adapter) -> tuple[Script, ...]:
    """Send a whole answer without a blank line between two frames."""
    steps = (adapter.wire.text("Hello "), adapter.wire.text("world"), adapter.wire.end)
    return (steps_script(adapter, b"".join(steps).replace(b"\n\n", b"\n")),)


def as_lines(adapter: Adapter) -> tuple[Script, ...]:
    """Send the JSON of an event stream's frames as NDJSON."""
    steps = (adapter.wire.text("Hello "), adapter.wire.text("world"), adapter.wire.end)
    lines = b"".join(steps).replace(b"data: ", b"").replace(b"\n\n", b"\n")
    return (Script(lines, content_type="application/x-ndjson"),)


def as_events(adapter: Adapter) -> tuple[Script, ...]:
    """Send the JSON of NDJSON lines as an event stream."""
    lines = (adapter.wire.text("Hello "), adapter.wire.text("world"), adapter.wire.end)
    return (Script(*[b"data: " + line + b"\n" for line in lines]),)


def answer_with_content_type(content_type: str) -> ScriptsFactory:
    """Send a whole answer with a wrong Content-Type."""
    return lambda a: (
        Script(
            *[a.wire.text(text) for text in ("Hello ", "world")],
            a.wire.end,
            content_type=content_type,
        ),
    )


def error_as_body(error_body: dict[str, Any]) -> ScriptsFactory:
    """Send an error under status 200 as a whole body."""
    return lambda a: (body(200, error_body),)


def error_as_frame(error_body: dict[str, Any], text: bool = True) -> ScriptsFactory:
    """Send an error under status 200 as a frame, and a good end after it."""
    return lambda a: (
        steps_script(
            a, *(first_frames(a) if text else ()), raw_frame(a, compact(error_body)), a.wire.end
        ),
    )


def dense_json_frame(adapter: Adapter) -> tuple[Script, ...]:
    """Send a frame of 3 MB whose parsed JSON would take 180 MB of memory."""
    bomb = b'{"filler":[' + b"{}," * 1_000_000 + b"0]}"
    return (
        steps_script(adapter, *first_frames(adapter), raw_frame(adapter, bomb), adapter.wire.end),
    )


BALANCE = {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}
MODERATED = {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}
# (name, body, exit code, text on stderr); the bodies have neither a status nor a known code.
ERRORS: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("balance", {"id": "x", "choices": None, **BALANCE}, 3, "insufficient balance"),
    ("filter-code", MODERATED, 4, "new_sensitive"),
    ("detail", {"detail": "Not authenticated"}, 3, "Not authenticated"),
    (
        "errors",
        {"success": False, "errors": [{"code": 1, "message": "Invalid API key"}]},
        3,
        "Invalid API key",
    ),
    ("error-msg", {"error_code": 17, "error_msg": "model x does not exist"}, 4, "does not exist"),
    (
        "words-and-code",
        {"code": "InvalidApiKey", "message": "Invalid API-key provided."},
        3,
        "Invalid API-key",
    ),
    ("true-and-words", {"error": True, "message": "field required: model"}, 4, "field required"),
    (
        "json-in-a-string",
        {"error": json.dumps({"error": {"message": "the words, unsupported"}})},
        4,
        "the words, unsupported",
    ),
    ("code-and-words", {"error": "invalid_token", "error_description": "it ran out"}, 3, "ran out"),
    ("wrong-path", {"error": "Unexpected endpoint or method. (POST /chat)"}, 4, "Unexpected end"),
    ("not-found-page", {"status": 404, "error": "Not Found", "path": "/x"}, 4, "Not Found"),
)
NO_STREAM = "Your organization must be verified to stream this model."
ONLY_STREAM = "This model only supports streaming: set stream to true."
ODD_WIRE = (
    *(
        Fault(f"idle-frame-{name}", (), data_between_frames(data), 0, HELLO, only=SSE)
        for name, data in IDLE_FRAMES
    ),
    Fault("idle-line", (), data_between_frames(b"null\n"), 0, HELLO, only=("ollama",)),
    Fault(
        "words-under-no-name",
        (),
        data_between_frames(b"data: ping\n\n"),
        7,
        stderr_text="not JSON",
        only=SSE,
    ),
    Fault(
        "error-event-of-words",
        (),
        lambda a: (
            steps_script(
                a, *first_frames(a), b"event: error\ndata: upstream went away\n\n", a.wire.end
            ),
        ),
        5,
        "Hello wor",
        stderr_text="upstream went away",
        only=SSE,
    ),
    Fault("no-blank-lines", (), without_blank_lines, 0, HELLO, only=SSE),
    Fault(
        "quoted-done",
        (),
        lambda a: (
            steps_script(a, a.wire.text("Hello "), a.wire.text("world"), b'data: "[DONE]"\n\n'),
        ),
        0,
        HELLO,
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "done-glued-to-the-last-frame",
        (),
        lambda a: (
            steps_script(a, a.wire.text("Hello "), chunk("world", finish="stop")[:-1] + DONE),
        ),
        0,
        HELLO,
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "glued-and-broken",
        (),
        lambda a: (steps_script(a, a.wire.text("Hello ")[:-1] + b"data: {oops\n\n", a.wire.end),),
        7,
        "Hello ",
        stderr_text="not JSON",
        only=SSE,
    ),
    Fault("lines-for-events", (), as_lines, 0, HELLO, only=(*CHAT_ADAPTERS, "gemini")),
    Fault(
        "lines-for-events-cut",
        (),
        lambda a: (
            Script(compact({"choices": [{"delta": {"content": "Hello wor"}}]}) + b'\n{"choi'),
        ),
        7,
        "Hello wor",
        chat_tries=2,
        only=CHAT_ADAPTERS,
    ),
    Fault("events-for-lines", (), as_events, 0, HELLO, only=("ollama",)),
    Fault("called-a-page", (), answer_with_content_type("text/html"), 0, HELLO),
    Fault("called-text", (), answer_with_content_type("text/plain; charset=utf-8"), 0, HELLO),
    *(
        Fault(f"reported-{name}", (), error_as_body(error_body), code, stderr_text=words)
        for name, error_body, code, words in ERRORS
    ),
    Fault(
        "detail-frame-then-end",
        (),
        error_as_frame({"detail": "Not authenticated"}),
        3,
        "Hello wor",
        stderr_text="Not authenticated",
    ),
    Fault(
        "balance-frame-then-end",
        (),
        error_as_frame(BALANCE),
        3,
        "Hello wor",
        stderr_text="insufficient balance",
    ),
    Fault("balance-frame-first", (), error_as_frame(BALANCE, text=False), 3, stderr_text="balance"),
    Fault(
        "good-base-resp",
        (),
        lambda a: (
            steps_script(
                a,
                sse(
                    {
                        "base_resp": {"status_code": 0, "status_msg": ""},
                        "choices": [{"delta": {"content": "Hello"}}],
                    }
                ),
                a.wire.end,
            ),
        ),
        0,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "busy-words",
        (),
        error_as_body({"error": "rate limit reached, invalid until later"}),
        5,
        tries=TRIES,
        stderr_text="rate limit",
    ),
    Fault(
        "may-not-stream",
        (),
        then_good(refusal(400, NO_STREAM)),
        0,
        HELLO,
        2,
        stderr_text="does not stream",
    ),
    Fault(
        "may-not-stream-422",
        (),
        then_good(refusal(422, "stream: true is not permitted")),
        0,
        HELLO,
        2,
        stderr_text="does not stream",
    ),
    Fault("may-not-stream-at-all", (), refusal(400, NO_STREAM), 4, tries=2, stderr_text=NO_STREAM),
    Fault("only-streams-but-did", (), refusal(400, ONLY_STREAM), 4, stderr_text=ONLY_STREAM),
    Fault("dense-json", (), dense_json_frame, 7, "Hello wor", stderr_text="too much memory"),
    Fault(
        "dense-json-body",
        (),
        as_json(b'{"a":[' + b"[]," * 2_000_000 + b"0]}"),
        7,
        stderr_text="too much memory",
    ),
    Fault(
        "dense-json-error",
        (),
        lambda a: (
            Script(b'{"error":[' + b"{}," * 300_000, status=400, content_type="application/json"),
        ),
        4,
    ),
    Fault("good-after-all", (), lambda a: (good(a),), 0, HELLO),
)
