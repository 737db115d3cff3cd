"""Faults inside a stream: cuts, missing end markers, errors, and bytes that are hard to read."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import FAULT_REASONING, KEY, TRIES, Endless, Fault, ScriptsFactory
from tests.support.faults.spelling import (
    CHAT_ADAPTERS,
    SSE,
    cut,
    error_frame,
    first_frames,
    good,
    raw_frame,
    reasoning,
    reset,
    steps_script,
)
from tests.support.standins.script import DONE, Script, Step, chunk, ndjson, sse

WOR = "Hello wor"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ODD = "a\u2028b\u2029c\u0085d\u00e4\U0001f642"
MIB = 1 << 20


def after(*steps: bytes) -> ScriptsFactory:
    """Return the beginning of an answer, and then these steps."""
    return lambda adapter: (steps_script(adapter, *first_frames(adapter), *steps),)


def error_in_stream(status: int, words: str, text: bool) -> ScriptsFactory:
    """Return the provider's error inside a stream, before any text or after some."""
    return lambda adapter: (
        steps_script(
            adapter, *(first_frames(adapter) if text else ()), error_frame(adapter, status, words)
        ),
    )


def bytewise(adapter: Adapter, breaks: bytes = b"\n") -> tuple[Script, ...]:
    """Send every byte by itself, with `breaks` for line ends."""
    whole = adapter.wire.text(ODD) + adapter.wire.end
    return (steps_script(adapter, *[bytes([byte]) for byte in whole.replace(b"\n", breaks)]),)


def cut_then_good(adapter: Adapter) -> tuple[Script, ...]:
    """Cut the first response after text; the second one is whole."""
    return cut(adapter, *first_frames(adapter)), good(adapter)


def cut_inside_a_letter(adapter: Adapter) -> tuple[Script, ...]:
    """Cut the connection inside a frame, between the two bytes of a letter."""
    last = adapter.wire.text("l\u00e4").partition("\u00e4".encode())[0] + b"\xc3"
    return (cut(adapter, *first_frames(adapter), last),)


def huge_line(adapter: Adapter) -> tuple[Script, ...]:
    """Send 9 MiB without a line break, in pieces of 1 MiB."""
    steps: tuple[Step, ...] = (b"x" * MIB,) * 9
    return (steps_script(adapter, *first_frames(adapter), b"data: ", *steps),)


CUTS = (
    Fault("no-end-marker", (31,), after(), 7, WOR, stderr_text="incomplete", chat_tries=2),
    Fault(
        "ollama-no-done",
        (37,),
        after(),
        7,
        WOR,
        stderr_text="incomplete",
        chat_tries=2,
        only=("ollama",),
    ),
    Fault(
        "no-done-line",
        (32,),
        lambda a: (
            steps_script(a, a.wire.text("Hello "), a.wire.text("world"), chunk(finish="stop")),
        ),
        0,
        "Hello world",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "done-line-alone",
        (32,),
        lambda a: (steps_script(a, a.wire.text("Hello "), a.wire.text("world"), DONE),),
        0,
        "Hello world",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "cut-chunk",
        (33,),
        lambda a: (cut(a, *first_frames(a)),),
        7,
        WOR,
        stderr_text="cut",
        chat_tries=2,
    ),
    Fault(
        "cut-chunk-no-retry",
        (7, 33),
        lambda a: (cut(a, *first_frames(a)),),
        7,
        WOR,
        args=("--no-retry",),
    ),
    Fault(
        "cut-inside-a-frame",
        (33,),
        lambda a: (cut(a, *first_frames(a), a.wire.text("ld")[:20]),),
        7,
        WOR,
        chat_tries=2,
    ),
    Fault("cut-inside-a-letter", (33,), cut_inside_a_letter, 7, WOR, chat_tries=2),
    Fault(
        "end-inside-a-frame",
        (31,),
        lambda a: (steps_script(a, *first_frames(a), a.wire.text("ld")[:20]),),
        7,
        WOR,
        chat_tries=2,
    ),
    Fault(
        "reset",
        (34,),
        lambda a: (reset(a, *first_frames(a)),),
        7,
        WOR,
        stderr_text="cut",
        chat_tries=2,
    ),
    Fault(
        "cut-once-then-good",
        (33,),
        cut_then_good,
        7,
        WOR,
        chat_code=0,
        chat_text="Hello world",
        chat_tries=2,
    ),
    Fault(
        "reasoning-then-cut", (33,), lambda a: (cut(a, reasoning(a, FAULT_REASONING)),), 7, tries=2
    ),
)
ERRORS = (
    Fault(
        "error-after-text",
        (35,),
        error_in_stream(503, f"overloaded; key {KEY}", text=True),
        5,
        WOR,
        stderr_text="overloaded",
    ),
    Fault(
        "error-before-text",
        (35,),
        error_in_stream(503, "overloaded", text=False),
        5,
        tries=TRIES,
        stderr_text="overloaded",
    ),
    Fault(
        "error-then-good",
        (35,),
        lambda a: (steps_script(a, error_frame(a, 503, "overloaded")), good(a)),
        0,
        "Hello world",
        2,
        "try 2",
    ),
    Fault(
        "key-error-frame",
        (35,),
        error_in_stream(401, "no such key", text=False),
        3,
        stderr_text="no such key",
        not_for=("ollama", "cohere"),
    ),
    Fault(
        "refusing-error-frame",
        (35,),
        error_in_stream(400, "bad thing", text=False),
        4,
        stderr_text="bad thing",
        not_for=("ollama", "cohere"),
    ),
    Fault(
        "quota-error-frame",
        (21, 35),
        error_in_stream(429, "insufficient_quota", text=True),
        3,
        WOR,
        only=("openai", "openai-responses"),
    ),
    Fault(
        "error-without-a-code",
        (35,),
        lambda a: (steps_script(a, sse({"error": {"message": "something"}})),),
        5,
        tries=TRIES,
        stderr_text="something",
        only=SSE,
    ),
    Fault(
        "event-error",
        (36,),
        after(sse({"message": "broke", "code": 500}, "error")),
        5,
        WOR,
        stderr_text="broke",
        only=SSE,
    ),
    Fault(
        "event-error-first",
        (36,),
        lambda a: (steps_script(a, sse({"message": "broke", "code": 500}, "error")),),
        5,
        tries=TRIES,
        stderr_text="broke",
        only=SSE,
    ),
    Fault(
        "flat-error-event",
        (36,),
        after(
            sse(
                {"type": "error", "code": "server_error", "message": "broke", "param": None},
                "error",
            )
        ),
        5,
        WOR,
        stderr_text="broke",
        only=("openai-responses",),
    ),
    Fault(
        "old-vllm-error",
        (35,),
        after(sse({"object": "error", "message": "broke", "code": 500})),
        5,
        WOR,
        stderr_text="broke",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "error-line",
        (37,),
        after(ndjson({"error": "llama runner died"})),
        5,
        WOR,
        stderr_text="llama runner died",
        only=("ollama",),
    ),
    Fault(
        "error-array",
        (30, 35),
        after(sse([{"error": {"code": 503, "message": "broke"}}])),
        5,
        WOR,
        stderr_text="broke",
        only=("gemini",),
    ),
)
BYTES = (
    Fault(
        "bad-frame",
        (38,),
        lambda a: (steps_script(a, *first_frames(a), raw_frame(a, b"{oops"), a.wire.end),),
        7,
        WOR,
        stderr_text="not JSON",
    ),
    Fault(
        "frame-of-words",
        (38,),
        lambda a: (
            steps_script(a, *first_frames(a), raw_frame(a, b"Internal Server Error"), a.wire.end),
        ),
        7,
        WOR,
    ),
    Fault(
        "bad-utf-8",
        (39,),
        lambda a: (steps_script(a, a.wire.text("a?b").replace(b"?", b"\xff"), a.wire.end),),
        0,
        "a\ufffdb",
        stderr_text="not UTF-8",
    ),
    Fault("byte-by-byte", (40, 41), bytewise, 0, ODD),
    Fault("byte-by-byte-crlf", (40, 41), lambda a: bytewise(a, b"\r\n"), 0, ODD),
    Fault("byte-by-byte-cr", (40, 41), lambda a: bytewise(a, b"\r"), 0, ODD),
    Fault(
        "byte-order-mark",
        (40,),
        lambda a: (steps_script(a, BYTE_ORDER_MARK, a.wire.text("Hello"), a.wire.end),),
        0,
        "Hello",
    ),
    Fault(
        "no-space-after-the-colon",
        (40,),
        lambda a: (
            steps_script(
                a,
                *[part.replace(b"data: ", b"data:") for part in (a.wire.text("Hello"), a.wire.end)],
            ),
        ),
        0,
        "Hello",
        only=SSE,
    ),
    Fault(
        "text-separators", (41,), lambda a: (steps_script(a, a.wire.text(ODD), a.wire.end),), 0, ODD
    ),
    Fault("huge-line", (44,), huge_line, 7, WOR, stderr_text="8 MiB"),
    Fault(
        "endless",
        (46,),
        lambda a: (Endless(a.wire.text("0123456789"), content_type=a.wire.content_type),),
        7,
        "0123456789" * 10,
        stderr_text="--max-output-bytes",
        args=("--max-output-bytes", "100"),
    ),
)
STREAM = (*CUTS, *ERRORS, *BYTES)
