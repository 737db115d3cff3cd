"""Faults of finish reasons that come too early, twice or without a meaning.

A finish reason is only a claim: some gateways send `stop` in every chunk.
"""

from tests.support.adapters import Adapter
from tests.support.faults.fault import Fault, ScriptsFactory
from tests.support.faults.spelling import (
    CHAT_ADAPTERS,
    cut,
    end_frame,
    error_frame,
    steps_script,
    text_and_finish_frame,
)
from tests.support.standins import anthropic
from tests.support.standins.cohere import message_end
from tests.support.standins.responses import message_item, response
from tests.support.standins.script import DONE, Script, Wait, chunk, ndjson, sse, usage_chunk

# Protocols in which one frame may hold both text and a finish reason.
BESIDE = ("openai", "openrouter", "ollama", "gemini")
BROKE = {"code": 500, "message": "it broke"}


def claim_frames(*steps: tuple[str, str]) -> ScriptsFactory:
    """Return frames with a text and a finish reason each, and no end marker."""
    return lambda adapter: (
        steps_script(adapter, *[text_and_finish_frame(adapter, *step) for step in steps]),
    )


def reason_then_end(why: str, *more: bytes) -> ScriptsFactory:
    """Return "Hello", this finish reason, and then a good end (or `more`)."""
    return lambda adapter: (
        steps_script(
            adapter,
            adapter.wire.text("Hello"),
            end_frame(adapter, why, last=False),
            *(more or (end_frame(adapter, "stop"),)),
        ),
    )


def text_after_end(adapter: Adapter) -> tuple[Script, ...]:
    """Return text, an end, more text and another end."""
    wire = adapter.wire
    end = end_frame(adapter, "stop", last=False)
    return (
        steps_script(
            adapter, wire.text("Hello"), end, wire.text(" you"), end_frame(adapter, "stop")
        ),
    )


def cut_frame_after_claim(adapter: Adapter) -> tuple[Script, ...]:
    """End the body inside the frame after one with a finish reason."""
    last = text_and_finish_frame(adapter, "lo", "stop")
    return (
        steps_script(
            adapter, text_and_finish_frame(adapter, "Hel", "stop"), last[: len(last) // 2]
        ),
    )


def with_usage_between(adapter: Adapter) -> tuple[Script, ...]:
    """Send usage without choices after every text, as some gateways do."""
    steps = [chunk(text, finish="stop") + usage_chunk(1, 1) for text in ("Hello", " you")]
    return (steps_script(adapter, *steps, DONE),)


def error_inside_claim(adapter: Adapter) -> tuple[Script, ...]:
    """Send an error inside the choice, message or candidate, not at the top of the frame."""
    match adapter.name:
        case "ollama":
            line = {"message": {"content": "", "error": BROKE}, "done": True, "done_reason": "stop"}
            return (steps_script(adapter, adapter.wire.text("Hello"), ndjson(line)),)
        case "gemini":
            frame = sse({"candidates": [{"error": BROKE, "finishReason": "STOP"}]})
        case "anthropic":
            stop = {"stop_reason": "end_turn", "error": BROKE}
            frame = anthropic.event("message_delta", delta=stop) + anthropic.message_stop()
        case "cohere":
            frame = message_end("COMPLETE", error="it broke")
        case "openai-responses":
            body = response([message_item("msg_1", "Hello")], error=BROKE)
            frame = sse({"type": "response.completed", "response": body})
        case _:
            frame = chunk(choices=[{"index": 0, "error": BROKE, "finish_reason": "stop"}]) + DONE
    return (steps_script(adapter, adapter.wire.text("Hello"), frame),)


def error_beside_text(adapter: Adapter) -> tuple[Script, ...]:
    """Send the last text and the error in one frame."""
    match adapter.name:
        case "ollama":
            frame = ndjson({"message": {"content": "lo"}, "error": "it broke"})
        case "gemini":
            parts = {"content": {"parts": [{"text": "lo"}]}}
            frame = sse({"candidates": [parts], "error": BROKE})
        case _:
            frame = chunk("lo", error=BROKE)
    return (steps_script(adapter, adapter.wire.text("Hel"), frame),)


def tool_call_then_stop(adapter: Adapter, text: str) -> tuple[Script, ...]:
    """Send a tool call in an answer that ends with `stop`, as if it were complete."""
    call = {"name": "f", "arguments": {}}
    first = [adapter.wire.text(text)] if text else []
    match adapter.name:
        case "ollama":
            call_frame = ndjson({"message": {"content": "", "tool_calls": [{"function": call}]}})
        case "gemini":
            parts = [{"functionCall": {"name": "f", "args": {}}}]
            call_frame = sse({"candidates": [{"content": {"parts": parts}}]})
        case "anthropic":
            call_frame = anthropic.block("tool_use", id="toolu_1", name="f", input={})
        case "cohere":
            tool_call = {"id": "f_1", "type": "function", "function": call}
            call_frame = sse(
                {"type": "tool-call-start", "delta": {"message": {"tool_calls": tool_call}}}
            )
        case "openai-responses":
            item = {"type": "function_call", "id": "fc_1", "name": "f", "arguments": "{}"}
            call_frame = sse({"type": "response.output_item.done", "item": item})
        case _:
            calls = [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]
            call_frame = chunk(choices=[{"index": 0, "delta": {"tool_calls": calls}}])
    return (steps_script(adapter, *first, call_frame, end_frame(adapter, "stop")),)


EARLY = (
    Fault(
        "claim-beside-every-text",
        (),
        claim_frames(("Hel", "stop"), ("lo ", "stop"), ("you", "stop")),
        0,
        "Hello you",
        only=BESIDE,
        args=("--strict",),
    ),
    Fault("text-behind-the-claim", (), text_after_end, 0, "Hello you", args=("--strict",)),
    Fault("usage-between-claims", (), with_usage_between, 0, "Hello you", only=CHAT_ADAPTERS),
    Fault(
        "cut-beside-the-claim",
        (),
        lambda a: (cut(a, text_and_finish_frame(a, "Hel", "stop")),),
        7,
        "Hel",
        only=BESIDE,
        chat_tries=2,
    ),
    Fault("torn-behind-the-claim", (), cut_frame_after_claim, 7, "Hel", only=BESIDE, chat_tries=2),
    Fault(
        "open-behind-the-end",
        (),
        lambda a: (steps_script(a, a.wire.text("Hello"), a.wire.end, Wait(40)),),
        0,
        "Hello",
        profile_settings={"timeout": {"idle": 5}},
    ),
    Fault(
        "stop-before-any-text",
        (),
        lambda a: (
            steps_script(
                a,
                end_frame(a, "stop", last=False),
                Wait(2.5),
                a.wire.text("Hello"),
                end_frame(a, "stop"),
            ),
        ),
        0,
        "Hello",
        only=BESIDE,
    ),
    Fault(
        "words-that-say-nothing",
        (),
        claim_frames(("Hel", "null"), ("lo ", "none"), ("you", "stop")),
        0,
        "Hello you",
        only=BESIDE,
    ),
    Fault(
        "nothing-but-such-words",
        (),
        claim_frames(("Hel", "null"), ("lo", "null")),
        7,
        "Hello",
        stderr_text="end marker",
        only=CHAT_ADAPTERS,
        chat_tries=2,
    ),
)
TWO_ENDS = (
    Fault("stop-behind-length", (), reason_then_end("length"), 7, "Hello", stderr_text="limit"),
    Fault(
        "stop-behind-a-filter",
        (),
        reason_then_end("content_filter"),
        7,
        "Hello",
        stderr_text="filter",
        not_for=("ollama",),
    ),
    Fault(
        "stop-behind-a-tool-call",
        (),
        reason_then_end("tool_calls"),
        7,
        "Hello",
        stderr_text="tool",
        only=CHAT_ADAPTERS,
    ),
    Fault("stop-behind-an-error", (), reason_then_end("error"), 5, "Hello", only=CHAT_ADAPTERS),
    Fault(
        "length-behind-a-filter",
        (),
        lambda a: reason_then_end("content_filter", end_frame(a, "length"))(a),
        7,
        "Hello",
        stderr_text="filter",
        args=("--max-tokens", "5"),
        not_for=("ollama",),
    ),
    Fault(
        "filter-behind-stop",
        (),
        lambda a: reason_then_end("stop", end_frame(a, "content_filter"))(a),
        7,
        "Hello",
        stderr_text="filter",
        not_for=("ollama",),
    ),
    Fault(
        "error-behind-the-claim",
        (35,),
        lambda a: reason_then_end("stop", error_frame(a, 503, "it broke"))(a),
        5,
        "Hello",
        stderr_text="it broke",
    ),
    Fault(
        "error-beside-text",
        (35,),
        error_beside_text,
        5,
        "Hello",
        stderr_text="it broke",
        only=BESIDE,
    ),
    Fault("error-inside-the-claim", (35,), error_inside_claim, 5, "Hello", stderr_text="it broke"),
)
ODD = (
    Fault(
        "tool-call-and-stop",
        (),
        lambda a: tool_call_then_stop(a, "Hello"),
        7,
        "Hello",
        stderr_text="tool",
    ),
    Fault(
        "tool-call-and-stop-without-text",
        (),
        lambda a: tool_call_then_stop(a, ""),
        7,
        stderr_text="tool",
    ),
    Fault(
        "message-behind-deltas",
        (),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hel"),
                a.wire.text("lo"),
                chunk(
                    choices=[
                        {"delta": {}, "message": {"content": "Hello"}, "finish_reason": "stop"}
                    ]
                ),
                DONE,
            ),
        ),
        0,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "message-in-pieces",
        (),
        lambda a: (
            steps_script(
                a,
                *[chunk(choices=[{"message": {"content": text}}]) for text in ("Hel", "lo")],
                a.wire.end,
            ),
        ),
        0,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "content-as-an-object",
        (),
        lambda a: (
            steps_script(
                a,
                *[
                    chunk(choices=[{"delta": {"content": {"type": "text", "text": text}}}])
                    for text in ("Hel", "lo")
                ],
                a.wire.end,
            ),
        ),
        0,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "second-choice-alone",
        (),
        lambda a: (
            steps_script(
                a,
                *[
                    chunk(choices=[{"index": 1, "delta": {"content": text}}])
                    for text in ("Hel", "lo")
                ],
                chunk(choices=[{"index": 1, "delta": {}, "finish_reason": "stop"}]),
            ),
        ),
        0,
        "Hello",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "second-candidate-alone",
        (),
        lambda a: (
            steps_script(
                a,
                sse(
                    {
                        "candidates": [
                            {
                                "index": 1,
                                "content": {"parts": [{"text": "Hello"}]},
                                "finishReason": "STOP",
                            }
                        ]
                    }
                ),
            ),
        ),
        0,
        "Hello",
        only=("gemini",),
    ),
    Fault(
        "two-choices",
        (),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hello"),
                chunk(choices=[{"index": 1, "delta": {"content": "Bye"}}]),
                a.wire.end,
            ),
        ),
        0,
        "Hello",
        stderr_text="more than one answer",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "two-candidates",
        (),
        lambda a: (
            steps_script(
                a,
                sse(
                    {
                        "candidates": [
                            {
                                "index": at,
                                "content": {"parts": [{"text": text}]},
                                "finishReason": "STOP",
                            }
                            for at, text in enumerate(("Hello", "Bye"))
                        ]
                    }
                ),
            ),
        ),
        0,
        "Hello",
        stderr_text="more than one answer",
        only=("gemini",),
    ),
    Fault(
        "image-beside-text",
        (),
        lambda a: (
            steps_script(
                a,
                a.wire.text("Hello"),
                chunk(choices=[{"delta": {"content": "", "images": [{"type": "image_url"}]}}]),
                a.wire.end,
            ),
        ),
        0,
        "Hello",
        stderr_text="an image",
        only=CHAT_ADAPTERS,
    ),
    Fault(
        "image-alone",
        (),
        lambda a: (
            steps_script(
                a,
                sse(
                    {
                        "candidates": [
                            {
                                "content": {
                                    "parts": [
                                        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
                                    ]
                                },
                                "finishReason": "STOP",
                            }
                        ]
                    }
                ),
            ),
        ),
        7,
        stderr_text="an image",
        only=("gemini",),
    ),
)
CLAIMS = (*EARLY, *TWO_ENDS, *ODD)
