"""Each protocol's answers with any JSON anywhere: whole, or one documented error with the text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing.canned import CannedTransport, check_ending, provider_with, receive_answer
from tests.fuzzing.mutations import cut, cuts, fewer_rounds, json_values, mutated_values
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.standins.responses import response, response_events, usage_of

Json = Any
CHAT: list[Json] = [
    {"id": "1", "model": "m", "choices": [
        {"index": 0, "delta": {"role": "assistant", "reasoning_content": "Hm."}}]},
    {"choices": [{"index": 0, "delta": {"content": "Hello "}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "So."}]},
        {"type": "text", "text": "wor"}]}}]},
    {"choices": [{"index": 0, "delta": {"content": "ld", "reasoning_details": [
        {"type": "reasoning.encrypted", "data": "x"}]}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {
        "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": 0.1,
        "completion_tokens_details": {"reasoning_tokens": 1},
        "prompt_tokens_details": {"cached_tokens": 0}}, "x_groq": {"usage": {}}},
]  # fmt: skip
NATIVE: list[Json] = [
    {"model": "m", "message": {"role": "assistant", "thinking": "Hm.", "content": ""}},
    {"message": {"content": "Hello "}, "done": False},
    {"message": {"content": "world"}, "done": False},
    {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 4,
     "prompt_eval_count": 3},
]  # fmt: skip
GOOGLE: list[Json] = [
    {"candidates": [{"index": 0, "content": {"parts": [{"text": "Hm.", "thought": True}]}}]},
    {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello "}]}}]},
    {"candidates": [{"content": {"parts": [{"text": "world"}]}, "finishReason": "STOP"}],
     "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 8,
                       "thoughtsTokenCount": 1, "cachedContentTokenCount": 0},
     "promptFeedback": {"safetyRatings": []}},
]  # fmt: skip
COHERE: list[Json] = [
    {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}},
    {"type": "content-start", "index": 0,
     "delta": {"message": {"content": {"type": "thinking", "thinking": "Hm."}}}},
    {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "Hello "}}}},
    {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "world"}}}},
    {"type": "content-end", "index": 1},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {
        "billed_units": {"input_tokens": 3.0, "output_tokens": 4.0}, "cached_tokens": 0.0,
        "tokens": {"input_tokens": 9.0, "output_tokens": 4.0}}}},
]  # fmt: skip
RESPONSE = response(
    [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [
            {"type": "output_text", "text": "Hello world", "annotations": []}]},
    ],
    usage=usage_of(3, 4),
)  # fmt: skip
MESSAGES: list[Json] = [
    {"type": "message_start", "message": {"content": [], "usage": {
        "input_tokens": 3, "cache_read_input_tokens": 0, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "x"}},
    {"type": "content_block_start", "index": 1, "content_block": {
        "type": "text", "text": "Hello "}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "world"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_details": {
        "type": "refusal", "category": "bio", "explanation": "No."}},
     "usage": {"output_tokens": 4, "output_tokens_details": {"thinking_tokens": 1}}},
    {"type": "message_stop"},
]  # fmt: skip
MESSAGE = {"role": "assistant", "content": "Hello", "reasoning": "Hm.", "refusal": None}
PLAIN: dict[str, Json] = {
    "openai": {"choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}], "usage": {}},
    "openai-responses": RESPONSE,
    "ollama": NATIVE[2] | {"done": True, "done_reason": "stop"},
    "gemini": GOOGLE[2],
    "anthropic": {
        "type": "message",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "x"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "Hello world"},
        ],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    },
}
PLAIN["openrouter"] = PLAIN["openai"]
PLAIN["cohere"] = {
    "id": "c1", "finish_reason": "COMPLETE", "usage": COHERE[-1]["delta"]["usage"],
    "message": {"role": "assistant", "tool_plan": None, "content": [
        {"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hello"}]},
}  # fmt: skip
FRAMES: dict[str, list[Json]] = {
    "openai": CHAT, "openai-responses": list(response_events(RESPONSE)), "ollama": NATIVE,
    "openrouter": CHAT, "gemini": GOOGLE, "anthropic": MESSAGES, "cohere": COHERE,
}  # fmt: skip
each_protocol = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)


def encode_stream(adapter: Adapter, frames: list[Json], done: bool = True) -> bytes:
    """Encode the frames as the protocol does; `done`: with `[DONE]` for Chat Completions."""
    if adapter.id == "ollama":
        return b"".join(json.dumps(frame).encode() + b"\n" for frame in frames)
    lines = [b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames]
    return b"".join([*lines, b"data: [DONE]\n\n" * (done and FRAMES[adapter.id] is CHAT)])


@each_protocol
async def test_good_answers(adapter: Adapter) -> None:
    """The unmutated answers are good; the other tests rely on it."""
    received = await receive_answer(
        provider_with(adapter, CannedTransport([encode_stream(adapter, FRAMES[adapter.id])]))
    )
    assert (received.text, received.reasoning[:3], received.error) == ("Hello world", "Hm.", None)
    body = json.dumps(PLAIN[adapter.id]).encode()
    received = await receive_answer(provider_with(adapter, CannedTransport([body])), stream=False)
    assert (received.text[:5], received.error) in (("Hello", None), ("world", None))


@each_protocol
@given(data=st.data(), done=st.booleans(), at=cuts)
async def test_any_json_anywhere_in_a_stream(
    adapter: Adapter, data: st.DataObject, done: bool, at: list[int]
) -> None:
    frames = data.draw(mutated_values(FRAMES[adapter.id]))
    body = encode_stream(adapter, frames if isinstance(frames, list) else [frames], done)
    check_ending(await receive_answer(provider_with(adapter, CannedTransport(cut(body, at)))))


@each_protocol
@given(data=st.data())
async def test_any_json_anywhere_in_a_body(adapter: Adapter, data: st.DataObject) -> None:
    body = json.dumps(data.draw(mutated_values(PLAIN[adapter.id]))).encode()
    check_ending(
        await receive_answer(provider_with(adapter, CannedTransport([body])), stream=False)
    )


@each_protocol
@fewer_rounds
@given(frames=st.lists(json_values, max_size=4), at=cuts)
async def test_any_frames(adapter: Adapter, frames: list[Json], at: list[int]) -> None:
    body = encode_stream(adapter, frames)
    check_ending(await receive_answer(provider_with(adapter, CannedTransport(cut(body, at)))))


@each_protocol
@fewer_rounds
@given(data=st.data(), at=cuts, noise=st.binary(max_size=8), where=st.integers(0, 600))
async def test_damaged_bytes(
    adapter: Adapter, data: st.DataObject, at: list[int], noise: bytes, where: int
) -> None:
    body = encode_stream(adapter, FRAMES[adapter.id])
    body = body[:where] + noise + body[where + data.draw(st.integers(0, 30)) :]
    whole = await receive_answer(provider_with(adapter, CannedTransport([body])))
    pieces = await receive_answer(provider_with(adapter, CannedTransport(cut(body, at))))
    check_ending(whole)
    assert (pieces.text, pieces.reasoning, pieces.done) == (whole.text, whole.reasoning, whole.done)
    assert type(pieces.error) is type(whole.error)


DEEP = ["[", '{"a":', '{"error":', '{"choices":[{"delta":{"content":', '{"thinking":[']


@each_protocol
@pytest.mark.parametrize("opening", DEEP)
async def test_nesting_that_is_too_deep(adapter: Adapter, opening: str) -> None:
    closing = "".join({"[": "]", "{": "}"}.get(char, "") for char in reversed(opening))
    levels = len(closing)
    for depth in (60, 300, 480, 900, 20_000 // levels):
        value = f"{opening * depth}1{closing * depth}"
        for frame in (value, json.dumps(PLAIN[adapter.id]).replace('"Hello"', value)):
            body = f"{frame}\n" if adapter.id == "ollama" else f"data: {frame}\n\n"
            transport = CannedTransport([body.encode()])
            received = await receive_answer(provider_with(adapter, transport))
            assert received.error is not None or received.text, depth
