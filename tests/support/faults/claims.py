"""Answers whose finish reason comes too early, twice, or says nothing: it is a claim, no end."""

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
from tests.support.standins.responses import message_item, response
from tests.support.standins.script import DONE, Script, Wait, chunk, ndjson, sse, usage_chunk

BESIDE = ("openai", "openrouter", "ollama", "gemini")  # text and claim may share a frame
BROKE = {"code": 500, "message": "it broke"}


def frames(*steps: tuple[str, str]) -> ScriptsFactory:
    """Frames of a text and the finish reason beside it, and the end of the body."""
    return lambda adapter: (
        steps_script(adapter, *[text_and_finish_frame(adapter, *one) for one in steps]),
    )


def behind(why: str, *more: bytes) -> ScriptsFactory:
    """ "Hello", this end, and then a good one (or `more`)."""
    return lambda adapter: (
        steps_script(
            adapter,
            adapter.wire.text("Hello"),
            end_frame(adapter, why, last=False),
            *(more or (end_frame(adapter, "stop"),)),
        ),
    )


def going_on(adapter: Adapter) -> tuple[Script, ...]:
    """Text, an end, more text, another end."""
    wire = adapter.wire
    end = end_frame(adapter, "stop", last=False)
    return (
        steps_script(
            adapter, wire.text("Hello"), end, wire.text(" you"), end_frame(adapter, "stop")
        ),
    )


def torn(adapter: Adapter) -> tuple[Script, ...]:
    """The body ends inside the frame behind a claim."""
    last = text_and_finish_frame(adapter, "lo", "stop")
    return (
        steps_script(
            adapter, text_and_finish_frame(adapter, "Hel", "stop"), last[: len(last) // 2]
        ),
    )


def with_usage_between(adapter: Adapter) -> tuple[Script, ...]:
    """Counts without choices behind every text, as some gateways send them."""
    steps = [chunk(text, finish="stop") + usage_chunk(1, 1) for text in ("Hello", " you")]
    return (steps_script(adapter, *steps, DONE),)


def broken_inside(adapter: Adapter) -> tuple[Script, ...]:
    """An error not at the top of the frame, but where the text stands."""
    match adapter.name:
        case "ollama":
            line = {"message": {"content": "", "error": BROKE}, "done": True, "done_reason": "stop"}
            return (steps_script(adapter, adapter.wire.text("Hello"), ndjson(line)),)
        case "gemini":
            frame = sse({"candidates": [{"error": BROKE, "finishReason": "STOP"}]})
        case "openai-responses":
            made = response([message_item("msg_1", "Hello")], error=BROKE)
            frame = sse({"type": "response.completed", "response": made})
        case _:
            frame = chunk(choices=[{"index": 0, "error": BROKE, "finish_reason": "stop"}]) + DONE
    return (steps_script(adapter, adapter.wire.text("Hello"), frame),)


def broken_beside_text(adapter: Adapter) -> tuple[Script, ...]:
    """The last text and the error in one frame."""
    match adapter.name:
        case "ollama":
            frame = ndjson({"message": {"content": "lo"}, "error": "it broke"})
        case "gemini":
            parts = {"content": {"parts": [{"text": "lo"}]}}
            frame = sse({"candidates": [parts], "error": BROKE})
        case _:
            frame = chunk("lo", error=BROKE)
    return (steps_script(adapter, adapter.wire.text("Hel"), frame),)


def tool_called(adapter: Adapter, text: str) -> tuple[Script, ...]:
    """A call of a tool in an answer that ends with `stop`, as if it were whole."""
    call = {"name": "f", "arguments": {}}
    first = [adapter.wire.text(text)] if text else []
    match adapter.name:
        case "ollama":
            made = ndjson({"message": {"content": "", "tool_calls": [{"function": call}]}})
        case "gemini":
            parts = [{"functionCall": {"name": "f", "args": {}}}]
            made = sse({"candidates": [{"content": {"parts": parts}}]})
        case "openai-responses":
            item = {"type": "function_call", "id": "fc_1", "name": "f", "arguments": "{}"}
            made = sse({"type": "response.output_item.done", "item": item})
        case _:
            calls = [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]
            made = chunk(choices=[{"index": 0, "delta": {"tool_calls": calls}}])
    return (steps_script(adapter, *first, made, end_frame(adapter, "stop")),)


EARLY = (
    Fault(
        "claim-beside-every-text",
        (),
        frames(("Hel", "stop"), ("lo ", "stop"), ("you", "stop")),
        0,
        "Hello you",
        only=BESIDE,
        args=("--strict",),
    ),
    Fault("text-behind-the-claim", (), going_on, 0, "Hello you", args=("--strict",)),
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
    Fault("torn-behind-the-claim", (), torn, 7, "Hel", only=BESIDE, chat_tries=2),
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
        frames(("Hel", "null"), ("lo ", "none"), ("you", "stop")),
        0,
        "Hello you",
        only=BESIDE,
    ),
    Fault(
        "nothing-but-such-words",
        (),
        frames(("Hel", "null"), ("lo", "null")),
        7,
        "Hello",
        stderr_text="end marker",
        only=CHAT_ADAPTERS,
        chat_tries=2,
    ),
)
TWO_ENDS = (
    Fault("stop-behind-length", (), behind("length"), 7, "Hello", stderr_text="limit"),
    Fault(
        "stop-behind-a-filter",
        (),
        behind("content_filter"),
        7,
        "Hello",
        stderr_text="filter",
        not_for=("ollama",),
    ),
    Fault(
        "stop-behind-a-tool-call",
        (),
        behind("tool_calls"),
        7,
        "Hello",
        stderr_text="tool",
        only=CHAT_ADAPTERS,
    ),
    Fault("stop-behind-an-error", (), behind("error"), 5, "Hello", only=CHAT_ADAPTERS),
    Fault(
        "length-behind-a-filter",
        (),
        lambda a: behind("content_filter", end_frame(a, "length"))(a),
        7,
        "Hello",
        stderr_text="filter",
        args=("--max-tokens", "5"),
        not_for=("ollama",),
    ),
    Fault(
        "filter-behind-stop",
        (),
        lambda a: behind("stop", end_frame(a, "content_filter"))(a),
        7,
        "Hello",
        stderr_text="filter",
        not_for=("ollama",),
    ),
    Fault(
        "error-behind-the-claim",
        (35,),
        lambda a: behind("stop", error_frame(a, 503, "it broke"))(a),
        5,
        "Hello",
        stderr_text="it broke",
    ),
    Fault(
        "error-beside-text",
        (35,),
        broken_beside_text,
        5,
        "Hello",
        stderr_text="it broke",
        only=BESIDE,
    ),
    Fault("error-inside-the-claim", (35,), broken_inside, 5, "Hello", stderr_text="it broke"),
)
ODD = (
    Fault(
        "tool-call-and-stop", (), lambda a: tool_called(a, "Hello"), 7, "Hello", stderr_text="tool"
    ),
    Fault(
        "tool-call-and-stop-without-text", (), lambda a: tool_called(a, ""), 7, stderr_text="tool"
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
