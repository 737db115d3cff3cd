"""Faults of an answer's end: cut at a limit, filtered, refused, empty, or followed by more."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import FAULT_REASONING, Fault, ScriptsFactory
from tests.support.faults.spelling import (
    CHAT_ADAPTERS,
    end_frame,
    frame,
    reasoning,
    refusal_frames,
    steps_script,
    usage_end_frames,
)
from tests.support.standins.responses import response
from tests.support.standins.script import DONE, Script, chunk, ndjson, sse, usage_chunk

FILTERS = ("openai", "openai-responses", "openrouter", "gemini", "anthropic", "cohere")
NULLS: tuple[object, ...] = (
    {"choices": None},
    {"choices": []},
    {"choices": [{"index": 0, "delta": None}]},
    {"choices": [None]},
    {"choices": [{"index": 0, "delta": {"content": None}}]},
)
GOOGLE_NULLS: tuple[object, ...] = (
    {"candidates": None},
    {"candidates": []},
    {"candidates": [{"content": None}]},
    {"candidates": [{"content": {"parts": None}}]},
    {"usageMetadata": None},
)
RESPONSES_NULLS: tuple[object, ...] = (
    {"type": "response.brand_new.thing", "delta": "x"},
    {"type": None},
    {"type": "response.output_text.delta", "delta": None},
    {"type": "response.in_progress", "response": None},
)
NATIVE_NULLS: tuple[object, ...] = (
    {"message": None, "done": False},
    {"done": False},
    {"message": {"content": None}},
    {"message": {"content": ""}, "done": None, "done_reason": ""},
)
ANTHROPIC_NULLS: tuple[object, ...] = (
    {"type": "brand_new_event", "text": "x"},
    {"type": None},
    {"type": "content_block_start", "content_block": None},
    {"type": "content_block_delta", "delta": None},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": None}},
    {"type": "message_delta", "delta": {"stop_reason": None}, "usage": None},
)
COHERE_NULLS: tuple[object, ...] = (
    {"type": "brand-new-thing", "delta": "x"},
    {"type": None},
    {"type": "content-delta", "index": 0, "delta": None},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": None}}},
    {"type": "content-start", "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    {"type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}},
)
NULLS_OF = {
    "cohere": COHERE_NULLS,
    "openai": NULLS,
    "openrouter": NULLS,
    "gemini": GOOGLE_NULLS,
    "openai-responses": RESPONSES_NULLS,
    "ollama": NATIVE_NULLS,
    "anthropic": ANTHROPIC_NULLS,
}


def hello_then(why: str) -> ScriptsFactory:
    """Return "Hello" and then this finish reason."""
    return lambda adapter: (
        steps_script(adapter, adapter.wire.text("Hello"), end_frame(adapter, why)),
    )


def with_nulls(adapter: Adapter) -> tuple[Script, ...]:
    """Return text with empty frames around it."""
    nothing = b"".join(frame(adapter, body) for body in NULLS_OF[adapter.name])
    texts = nothing.join([b"", adapter.wire.text("Hello "), adapter.wire.text("world"), b""])
    return (steps_script(adapter, texts, adapter.wire.end),)


def text_after_the_end_marker(adapter: Adapter) -> tuple[Script, ...]:
    """Return a whole answer, and more text and another end after its end marker."""
    wire = adapter.wire
    return (steps_script(adapter, wire.text("Hello"), wire.end, wire.text("more"), wire.end),)


def usage(counts: object) -> ScriptsFactory:
    """Return "Hello" with a usage in which every count is `counts`."""
    return lambda adapter: (
        steps_script(adapter, adapter.wire.text("Hello"), usage_end_frames(adapter, counts)),
    )


LIMITS = (
    Fault(
        "length-as-asked",
        (47,),
        hello_then("length"),
        0,
        "Hello",
        stderr_text="length",
        args=("--max-tokens", "5"),
    ),
    Fault(
        "length-strict",
        (47,),
        hello_then("length"),
        7,
        "Hello",
        args=("--max-tokens", "5", "--strict"),
    ),
    Fault(
        "length-unasked",
        (47,),
        hello_then("length"),
        7,
        "Hello",
        stderr_text="--max-tokens",
        not_for=("ollama",),
    ),
    Fault(
        "length-of-the-context",
        (47,),
        hello_then("length"),
        7,
        "Hello",
        stderr_text="num_ctx",
        only=("ollama",),
    ),
    Fault(
        "context-full-before-text",
        (47,),
        lambda a: (steps_script(a, end_frame(a, "length")),),
        7,
        stderr_text="num_ctx",
        only=("ollama",),
    ),
    Fault(
        "filter-after-text",
        (),
        hello_then("content_filter"),
        7,
        "Hello",
        stderr_text="filter",
        only=FILTERS,
    ),
    Fault(
        "filter-without-text",
        (),
        lambda a: (steps_script(a, end_frame(a, "content_filter")),),
        4,
        stderr_text="filter",
        only=FILTERS,
    ),
    Fault(
        "blocked-prompt",
        (),
        lambda a: (steps_script(a, sse({"promptFeedback": {"blockReason": "SAFETY"}})),),
        4,
        stderr_text="SAFETY",
        only=("gemini",),
    ),
    Fault(
        "refusal",
        (),
        lambda a: (steps_script(a, *refusal_frames(a, "I won't.")),),
        4,
        stderr_text="I won't.",
        only=(*CHAT_ADAPTERS, "openai-responses", "anthropic"),
    ),
    Fault(
        "tool-call",
        (),
        lambda a: (steps_script(a, a.wire.text("Hello"), chunk(finish="tool_calls"), DONE),),
        7,
        "Hello",
        stderr_text="tool",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "tool-call-without-text",
        (),
        lambda a: (steps_script(a, chunk(finish="tool_calls"), DONE),),
        7,
        stderr_text="tool",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "finish-error",
        (35,),
        lambda a: (steps_script(a, a.wire.text("Hello"), chunk(finish="error"), DONE),),
        5,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "malformed-function-call",
        (),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hello"),
                sse({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}),
            ),
        ),
        5,
        "Hello",
        only=("gemini",),
    ),
    Fault(
        "failed-without-an-error",
        (35,),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hello"),
                sse({"type": "response.failed", "response": response([], "failed")}),
            ),
        ),
        5,
        "Hello",
        only=("openai-responses",),
    ),
    Fault(
        "cancelled",
        (31,),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hello"),
                sse({"type": "response.cancelled", "response": response([], "cancelled")}),
            ),
        ),
        7,
        "Hello",
        only=("openai-responses",),
    ),
)
EMPTY = (
    Fault("empty-answer", (27,), lambda a: (steps_script(a, a.wire.end),), 7),
    Fault(
        "white-answer",
        (27,),
        lambda a: (steps_script(a, a.wire.text("\n "), a.wire.end),),
        7,
        "\n ",
    ),
    Fault(
        "only-reasoning",
        (),
        lambda a: (steps_script(a, reasoning(a, FAULT_REASONING), a.wire.end),),
        7,
        stderr_text="--max-tokens",
    ),
    Fault(
        "reasoning-took-all",
        (),
        lambda a: (steps_script(a, reasoning(a, FAULT_REASONING), end_frame(a, "length")),),
        7,
        stderr_text="--max-tokens",
        args=("--max-tokens", "9"),
    ),
    Fault(
        "model-loaded",
        (),
        lambda a: (
            steps_script(
                a, ndjson({"message": {"content": ""}, "done": True, "done_reason": "load"})
            ),
        ),
        7,
        only=("ollama",),
    ),
)
ODD = (
    Fault("whole", (), lambda a: (a.script("Hello ", "world"),), 0, "Hello world"),
    Fault("whole-with-a-newline", (), lambda a: (a.script("Hello\n"),), 0, "Hello\n"),
    Fault("nulls", (42,), with_nulls, 0, "Hello world"),
    Fault(
        "late-frames",
        (42,),
        text_after_the_end_marker,
        0,
        "Hello",
        stderr_text="left out",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "done-twice",
        (42,),
        lambda a: (
            steps_script(a, a.wire.text("Hello"), a.wire.end, DONE, DONE, usage_chunk(1, 1), DONE),
        ),
        0,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "other-choices",
        (42,),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hello"),
                chunk(
                    choices=[{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]
                ),
                a.wire.end,
            ),
        ),
        0,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "other-candidates",
        (42,),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hello"),
                sse({"candidates": [{"index": 1, "content": {"parts": [{"text": "no"}]}}]}),
                a.wire.end,
            ),
        ),
        0,
        "Hello",
        only=("gemini",),
    ),
    *(
        Fault(f"usage-{name}", (), usage(counts), 0, "Hello", args=("-u",))
        for name, counts in (
            ("huge", 10**30),
            ("zero", 0),
            ("negative", -7),
            ("null", None),
            ("text", "many"),
            ("broken", 1.5),
            ("object", {"reasoning_tokens": -1}),
        )
    ),
    Fault(
        "error-that-nobody-means",
        (42,),
        lambda a: (steps_script(a, frame(a, {"error": None}), a.wire.text("Hello"), a.wire.end),),
        0,
        "Hello",
    ),
)
ENDINGS = (*LIMITS, *EMPTY, *ODD)
