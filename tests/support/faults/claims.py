"""Answers whose finish reason comes too early, twice, or says nothing: it is a claim, no end."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import Fault, Scripts
from tests.support.faults.spelling import CHAT, answer, claimed, cut, ended, failed
from tests.support.standins.responses import message, response
from tests.support.standins.script import DONE, Script, Wait, chunk, ndjson, sse, usage_chunk

BESIDE = ("openai", "openrouter", "ollama", "gemini")  # text and claim may share a frame
BROKE = {"code": 500, "message": "it broke"}


def frames(*steps: tuple[str, str]) -> Scripts:
    """Frames of a text and the finish reason beside it, and the end of the body."""
    return lambda adapter: (answer(adapter, *[claimed(adapter, *one) for one in steps]),)


def behind(why: str, *more: bytes) -> Scripts:
    """ "Hello", this end, and then a good one (or `more`)."""
    return lambda adapter: (
        answer(adapter, adapter.wire.text("Hello"), ended(adapter, why, last=False),
               *(more or (ended(adapter, "stop"),))),
    )  # fmt: skip


def going_on(adapter: Adapter) -> tuple[Script, ...]:
    """Text, an end, more text, another end."""
    wire = adapter.wire
    end = ended(adapter, "stop", last=False)
    return (answer(adapter, wire.text("Hello"), end, wire.text(" you"), ended(adapter, "stop")),)


def torn(adapter: Adapter) -> tuple[Script, ...]:
    """The body ends inside the frame behind a claim."""
    last = claimed(adapter, "lo", "stop")
    return (answer(adapter, claimed(adapter, "Hel", "stop"), last[: len(last) // 2]),)


def with_usage_between(adapter: Adapter) -> tuple[Script, ...]:
    """Counts without choices behind every text, as some gateways send them."""
    steps = [chunk(text, finish="stop") + usage_chunk(1, 1) for text in ("Hello", " you")]
    return (answer(adapter, *steps, DONE),)


def broken_inside(adapter: Adapter) -> tuple[Script, ...]:
    """An error not at the top of the frame, but where the text stands."""
    match adapter.name:
        case "ollama":
            line = {"message": {"content": "", "error": BROKE}, "done": True, "done_reason": "stop"}
            return (answer(adapter, adapter.wire.text("Hello"), ndjson(line)),)
        case "gemini":
            frame = sse({"candidates": [{"error": BROKE, "finishReason": "STOP"}]})
        case "openai-responses":
            made = response([message("msg_1", "Hello")], error=BROKE)
            frame = sse({"type": "response.completed", "response": made})
        case _:
            frame = chunk(choices=[{"index": 0, "error": BROKE, "finish_reason": "stop"}]) + DONE
    return (answer(adapter, adapter.wire.text("Hello"), frame),)


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
    return (answer(adapter, adapter.wire.text("Hel"), frame),)


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
    return (answer(adapter, *first, made, ended(adapter, "stop")),)


EARLY = (
    Fault("claim-beside-every-text", (), frames(("Hel", "stop"), ("lo ", "stop"), ("you", "stop")),
          0, "Hello you", only=BESIDE, args=("--strict",)),
    Fault("text-behind-the-claim", (), going_on, 0, "Hello you", args=("--strict",)),
    Fault("usage-between-claims", (), with_usage_between, 0, "Hello you", only=CHAT),
    Fault("cut-beside-the-claim", (), lambda a: (cut(a, claimed(a, "Hel", "stop")),), 7, "Hel",
          only=BESIDE, chat_tries=2),
    Fault("torn-behind-the-claim", (), torn, 7, "Hel", only=BESIDE, chat_tries=2),
    Fault("open-behind-the-end", (), lambda a: (
        answer(a, a.wire.text("Hello"), a.wire.end, Wait(40)),), 0, "Hello",
        keys={"timeout": {"idle": 5}}),
    Fault("stop-before-any-text", (), lambda a: (answer(
        a, ended(a, "stop", last=False), Wait(2.5), a.wire.text("Hello"), ended(a, "stop")),), 0,
        "Hello", only=BESIDE),
    Fault("words-that-say-nothing", (), frames(("Hel", "null"), ("lo ", "none"), ("you", "stop")),
          0, "Hello you", only=BESIDE),
    Fault("nothing-but-such-words", (), frames(("Hel", "null"), ("lo", "null")), 7, "Hello",
          says="end marker", only=CHAT, chat_tries=2),
)  # fmt: skip
TWO_ENDS = (
    Fault("stop-behind-length", (), behind("length"), 7, "Hello", says="limit"),
    Fault("stop-behind-a-filter", (), behind("content_filter"), 7, "Hello", says="filter",
          not_for=("ollama",)),
    Fault("stop-behind-a-tool-call", (), behind("tool_calls"), 7, "Hello", says="tool", only=CHAT),
    Fault("stop-behind-an-error", (), behind("error"), 5, "Hello", only=CHAT),
    Fault("length-behind-a-filter", (), lambda a: behind(
        "content_filter", ended(a, "length"))(a), 7, "Hello", says="filter",
        args=("--max-tokens", "5"), not_for=("ollama",)),
    Fault("filter-behind-stop", (), lambda a: behind("stop", ended(a, "content_filter"))(a), 7,
          "Hello", says="filter", not_for=("ollama",)),
    Fault("error-behind-the-claim", (35,), lambda a: behind("stop", failed(a, 503, "it broke"))(a),
          5, "Hello", says="it broke"),
    Fault("error-beside-text", (35,), broken_beside_text, 5, "Hello", says="it broke",
          only=BESIDE),
    Fault("error-inside-the-claim", (35,), broken_inside, 5, "Hello", says="it broke"),
)  # fmt: skip
ODD = (
    Fault("tool-call-and-stop", (), lambda a: tool_called(a, "Hello"), 7, "Hello", says="tool"),
    Fault("tool-call-and-stop-without-text", (), lambda a: tool_called(a, ""), 7, says="tool"),
    Fault("message-behind-deltas", (), lambda a: (answer(
        a, a.wire.text("Hel"), a.wire.text("lo"), chunk(choices=[
            {"delta": {}, "message": {"content": "Hello"}, "finish_reason": "stop"}]), DONE),), 0,
        "Hello", only=CHAT),
    Fault("message-in-pieces", (), lambda a: (answer(a, *[
        chunk(choices=[{"message": {"content": text}}]) for text in ("Hel", "lo")],
        a.wire.end),), 0, "Hello", only=CHAT),
    Fault("content-as-an-object", (), lambda a: (answer(a, *[
        chunk(choices=[{"delta": {"content": {"type": "text", "text": text}}}])
        for text in ("Hel", "lo")], a.wire.end),), 0, "Hello", only=CHAT),
    Fault("second-choice-alone", (), lambda a: (answer(a, *[
        chunk(choices=[{"index": 1, "delta": {"content": text}}]) for text in ("Hel", "lo")],
        chunk(choices=[{"index": 1, "delta": {}, "finish_reason": "stop"}])),), 0, "Hello",
        only=CHAT),
    Fault("second-candidate-alone", (), lambda a: (answer(a, sse({"candidates": [
        {"index": 1, "content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]})),), 0,
        "Hello", only=("gemini",)),
    Fault("two-choices", (), lambda a: (answer(a, a.wire.text("Hello"), chunk(choices=[
        {"index": 1, "delta": {"content": "Bye"}}]), a.wire.end),), 0, "Hello",
        says="more than one answer", only=CHAT),
    Fault("two-candidates", (), lambda a: (answer(a, sse({"candidates": [
        {"index": at, "content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
        for at, text in enumerate(("Hello", "Bye"))]})),), 0, "Hello",
        says="more than one answer", only=("gemini",)),
    Fault("image-beside-text", (), lambda a: (answer(a, a.wire.text("Hello"), chunk(choices=[
        {"delta": {"content": "", "images": [{"type": "image_url"}]}}]), a.wire.end),), 0,
        "Hello", says="an image", only=CHAT),
    Fault("image-alone", (), lambda a: (answer(a, sse({"candidates": [{"content": {"parts": [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
        "finishReason": "STOP"}]})),), 7, says="an image", only=("gemini",)),
)  # fmt: skip
CLAIMS = (*EARLY, *TWO_ENDS, *ODD)
