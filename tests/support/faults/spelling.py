"""Each protocol's own spelling of what an answer may hold besides text and a good end (WIRE)."""

from typing import Any

from tests.support.adapters import Adapter
from tests.support.standins.responses import message_item, response, usage_of
from tests.support.standins.script import DONE, Cut, Json, Reset, Script, Step, chunk, ndjson, sse

CHAT_ADAPTERS = ("openai", "openrouter")  # adapters that speak Chat Completions
SSE = ("openai", "openai-responses", "openrouter", "gemini")
OPENAI_CODES = {400: "invalid_prompt", 401: "invalid_api_key", 429: "insufficient_quota"}
GOOGLE_WORDS = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def good(adapter: Adapter) -> Script:
    """A whole answer: "Hello world"."""
    return adapter.script("Hello ", "world")


def first_frames(adapter: Adapter) -> tuple[bytes, bytes]:
    """Two frames with the beginning of it: "Hello wor"."""
    return adapter.wire.text("Hello "), adapter.wire.text("wor")


def steps_script(adapter: Adapter, *steps: Step) -> Script:
    """Steps under the protocol's own content type."""
    return Script(*steps, content_type=adapter.wire.content_type)


def cut(adapter: Adapter, *steps: Step) -> Script:
    """The steps, and then no final chunk."""
    return steps_script(adapter, *steps, Cut())


def reset(adapter: Adapter, *steps: Step) -> Script:
    """The steps, and then RST."""
    return steps_script(adapter, *steps, Reset())


def keep_alive(adapter: Adapter) -> bytes:
    """What says that the server lives, and nothing else."""
    return b"\n" if adapter.name == "ollama" else b": keep-alive\n\n"


def frame(adapter: Adapter, body: object) -> bytes:
    """Any JSON as a frame of the protocol."""
    return ndjson(body) if adapter.name == "ollama" else sse(body)


def raw_frame(adapter: Adapter, data: bytes) -> bytes:
    """Any bytes as a frame of the protocol."""
    return data + b"\n" if adapter.name == "ollama" else b"data: " + data + b"\n\n"


def reasoning(adapter: Adapter, text: str) -> bytes:
    """A frame with a piece of reasoning."""
    match adapter.name:
        case "openai":
            return chunk(reasoning=text)
        case "openrouter":
            return chunk(choices=[{"index": 0, "delta": {"content": "", "reasoning": text}}])
        case "openai-responses":
            where = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
            return sse({"type": "response.reasoning_summary_text.delta", **where, "delta": text})
        case "ollama":
            return ndjson({"message": {"content": "", "thinking": text}, "done": False})
    parts = [{"text": text, "thought": True}]
    return sse({"candidates": [{"content": {"role": "model", "parts": parts}}]})


def end_frame(adapter: Adapter, why: str, last: bool = True) -> bytes:
    """The end, `why` being stop, length, content_filter or, for CHAT, another word.

    `last`: with the end marker, where the protocol has one beside the reason.
    """
    match adapter.name:
        case "openai" | "openrouter":
            return chunk(finish=why) + DONE * last
        case "openai-responses":
            if why == "stop":
                return sse({"type": "response.completed", "response": response([])})
            reason = {"length": "max_output_tokens"}.get(why, why)
            made = response([], "incomplete", incomplete_details={"reason": reason})
            return sse({"type": "response.incomplete", "response": made})
        case "ollama":
            return ndjson({"message": {"content": ""}, "done": True, "done_reason": why})
    reason = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(why, why.upper())
    return sse({"candidates": [{"content": {"role": "model"}, "finishReason": reason}]})


def text_and_finish_frame(adapter: Adapter, text: str, why: str) -> bytes:
    """A frame with a piece of text and a finish reason; not in Responses."""
    match adapter.name:
        case "openai" | "openrouter":
            return chunk(text, finish=why)
        case "ollama":
            return ndjson({"message": {"content": text}, "done": why == "stop", "done_reason": why})
    content = {"role": "model", "parts": [{"text": text}]}
    return sse({"candidates": [{"content": content, "finishReason": why.upper()}]})


def refusal_frames(adapter: Adapter, words: str) -> tuple[bytes, ...]:
    """The model refuses in the field that is made for it."""
    if adapter.name != "openai-responses":
        return chunk(choices=[{"delta": {"refusal": words}}]), chunk(finish="stop"), DONE
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = response([message_item("msg_1", refusal=words)], usage=usage_of(1, 1))
    return (
        sse({"type": "response.refusal.delta", **where, "delta": words}),
        sse({"type": "response.completed", "response": whole}),
    )


def openai_error(status: int, words: str) -> Json:
    """OpenAI's error object for what would have been a status."""
    code = OPENAI_CODES.get(status, "server_error")
    return {"message": words, "type": "some_error", "param": None, "code": code}


def error_frame(adapter: Adapter, status: int, words: str) -> bytes:
    """The provider's own error inside a stream that began with 200."""
    match adapter.name:
        case "openai":
            return sse({"error": openai_error(status, words)})
        case "openai-responses":
            made = response([], "failed", error=openai_error(status, words))
            return sse({"type": "response.failed", "response": made}, "response.failed")
        case "ollama":
            return ndjson({"error": words})
        case "gemini":
            word = GOOGLE_WORDS.get(status, "INVALID_ARGUMENT")
            return sse({"error": {"code": status, "message": words, "status": word}})
    choices = [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    return chunk(error={"code": status, "message": words}, choices=choices)


def usage_end_frames(adapter: Adapter, counts: Any) -> bytes:
    """The end of an answer with a usage in which every count is `counts`."""
    match adapter.name:
        case "openai" | "openrouter":
            names = ("prompt_tokens", "completion_tokens", "total_tokens", "cost")
            usage = sse({"choices": [], "usage": dict.fromkeys(names, counts)})
            return chunk(finish="stop") + usage + DONE
        case "openai-responses":
            names = ("input_tokens", "output_tokens", "total_tokens", "output_tokens_details")
            made = response([], usage=dict.fromkeys(names, counts))
            return sse({"type": "response.completed", "response": made})
        case "ollama":
            names = ("prompt_eval_count", "eval_count", "eval_duration", "total_duration")
            end = {"message": {"content": ""}, "done": True, "done_reason": "stop"}
            return ndjson(end | dict.fromkeys(names, counts))
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")
    usage_metadata = dict.fromkeys(names, counts)
    return adapter.wire.end + sse({"usageMetadata": usage_metadata})
