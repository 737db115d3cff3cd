"""Each protocol's frames for reasoning, ends, refusals, errors and usage (docs/protocols.md)."""

from typing import Any

from tests.support.adapters import Adapter
from tests.support.standins import anthropic
from tests.support.standins.cohere import content_delta, message_end
from tests.support.standins.responses import message_item, response, usage_of
from tests.support.standins.script import DONE, Cut, Json, Reset, Script, Step, chunk, ndjson, sse

CHAT_ADAPTERS = ("openai", "openrouter")  # the adapters for Chat Completions
SSE = ("openai", "openai-responses", "openrouter", "gemini", "anthropic", "cohere")
OPENAI_CODES = {400: "invalid_prompt", 401: "invalid_api_key", 429: "insufficient_quota"}
ANTHROPIC_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
COHERE_REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "content_filter": "ERROR_TOXIC"}
GOOGLE_WORDS = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def good(adapter: Adapter) -> Script:
    """Return a whole answer, "Hello world"."""
    return adapter.script("Hello ", "world")


def first_frames(adapter: Adapter) -> tuple[bytes, bytes]:
    """Return two frames with the beginning of that answer, "Hello wor"."""
    return adapter.wire.text("Hello "), adapter.wire.text("wor")


def steps_script(adapter: Adapter, *steps: Step) -> Script:
    """Return steps with the protocol's content type."""
    return Script(*steps, content_type=adapter.wire.content_type)


def cut(adapter: Adapter, *steps: Step) -> Script:
    """Return the steps, and then a closed socket without the final chunk."""
    return steps_script(adapter, *steps, Cut())


def reset(adapter: Adapter, *steps: Step) -> Script:
    """Return the steps, and then RST."""
    return steps_script(adapter, *steps, Reset())


def keep_alive(adapter: Adapter) -> bytes:
    """Return the protocol's keep-alive: a comment, or an empty line for NDJSON."""
    return b"\n" if adapter.name == "ollama" else b": keep-alive\n\n"


def frame(adapter: Adapter, body: object) -> bytes:
    """Return any JSON as a frame of the protocol."""
    return ndjson(body) if adapter.name == "ollama" else sse(body)


def raw_frame(adapter: Adapter, data: bytes) -> bytes:
    """Return any bytes as a frame of the protocol."""
    return data + b"\n" if adapter.name == "ollama" else b"data: " + data + b"\n\n"


def reasoning(adapter: Adapter, text: str) -> bytes:
    """Return a frame with a piece of reasoning."""
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
        case "anthropic":
            return anthropic.thinking(text)
        case "cohere":
            return content_delta("thinking", text)
    parts = [{"text": text, "thought": True}]
    return sse({"candidates": [{"content": {"role": "model", "parts": parts}}]})


def end_frame(adapter: Adapter, why: str, last: bool = True) -> bytes:
    """Return the end of an answer.

    `why`: stop, length, content_filter or, for CHAT_ADAPTERS, any finish reason. `last`: add the
    end marker, if the protocol has one beside the finish reason.
    """
    match adapter.name:
        case "openai" | "openrouter":
            return chunk(finish=why) + DONE * last
        case "openai-responses":
            if why == "stop":
                return sse({"type": "response.completed", "response": response([])})
            reason = {"length": "max_output_tokens"}.get(why, why)
            incomplete = response([], "incomplete", incomplete_details={"reason": reason})
            return sse({"type": "response.incomplete", "response": incomplete})
        case "ollama":
            return ndjson({"message": {"content": ""}, "done": True, "done_reason": why})
        case "anthropic":
            stop = anthropic.message_delta(ANTHROPIC_REASONS.get(why, why))
            return anthropic.block_stop() + stop + anthropic.message_stop() * last
        case "cohere":
            return message_end(COHERE_REASONS[why])
    reason = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(why, why.upper())
    return sse({"candidates": [{"content": {"role": "model"}, "finishReason": reason}]})


def text_and_finish_frame(adapter: Adapter, text: str, why: str) -> bytes:
    """Return a frame with text and a finish reason; Responses has no such frame."""
    match adapter.name:
        case "openai" | "openrouter":
            return chunk(text, finish=why)
        case "ollama":
            return ndjson({"message": {"content": text}, "done": why == "stop", "done_reason": why})
    content = {"role": "model", "parts": [{"text": text}]}
    return sse({"candidates": [{"content": content, "finishReason": why.upper()}]})


def refusal_frames(adapter: Adapter, words: str) -> tuple[bytes, ...]:
    """Return frames in which the model refuses, in the protocol's own field."""
    if adapter.name == "anthropic":
        details = {"type": "refusal", "category": None, "explanation": words}
        return (anthropic.ending("refusal", stop_details=details),)
    if adapter.name != "openai-responses":
        return chunk(choices=[{"delta": {"refusal": words}}]), chunk(finish="stop"), DONE
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = response([message_item("msg_1", refusal=words)], usage=usage_of(1, 1))
    return (
        sse({"type": "response.refusal.delta", **where, "delta": words}),
        sse({"type": "response.completed", "response": whole}),
    )


def openai_error(status: int, words: str) -> Json:
    """Return OpenAI's error object with the code that belongs to this status."""
    code = OPENAI_CODES.get(status, "server_error")
    return {"message": words, "type": "some_error", "param": None, "code": code}


def error_frame(adapter: Adapter, status: int, words: str) -> bytes:
    """Return the provider's error as a frame of a stream that began with status 200."""
    match adapter.name:
        case "openai":
            return sse({"error": openai_error(status, words)})
        case "openai-responses":
            failed = response([], "failed", error=openai_error(status, words))
            return sse({"type": "response.failed", "response": failed}, "response.failed")
        case "ollama":
            return ndjson({"error": words})
        case "anthropic":
            return anthropic.error_event(anthropic.error_kind(status), words)
        case "cohere":  # it names no status
            return message_end("ERROR", error=words)
        case "gemini":
            google_status = GOOGLE_WORDS.get(status, "INVALID_ARGUMENT")
            return sse({"error": {"code": status, "message": words, "status": google_status}})
    choices = [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    return chunk(error={"code": status, "message": words}, choices=choices)


def usage_end_frames(adapter: Adapter, counts: Any) -> bytes:
    """Return the end of an answer with a usage in which every count is `counts`."""
    match adapter.name:
        case "openai" | "openrouter":
            names = ("prompt_tokens", "completion_tokens", "total_tokens", "cost")
            usage = sse({"choices": [], "usage": dict.fromkeys(names, counts)})
            return chunk(finish="stop") + usage + DONE
        case "openai-responses":
            names = ("input_tokens", "output_tokens", "total_tokens", "output_tokens_details")
            completed = response([], usage=dict.fromkeys(names, counts))
            return sse({"type": "response.completed", "response": completed})
        case "ollama":
            names = ("prompt_eval_count", "eval_count", "eval_duration", "total_duration")
            end = {"message": {"content": ""}, "done": True, "done_reason": "stop"}
            return ndjson(end | dict.fromkeys(names, counts))
        case "anthropic":
            counted = {"input_tokens": counts, "output_tokens_details": counts}
            return anthropic.ending(tokens=counts, usage=counted)
        case "cohere":
            tokens = dict.fromkeys(("input_tokens", "output_tokens"), counts)
            cohere_usage = {"tokens": tokens, "billed_units": tokens, "cached_tokens": counts}
            return message_end("COMPLETE", usage=cohere_usage)
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")
    usage_metadata = dict.fromkeys(names, counts)
    return adapter.wire.end + sse({"usageMetadata": usage_metadata})
