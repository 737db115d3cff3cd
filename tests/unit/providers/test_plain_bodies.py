"""Unusual plain bodies: tool calls, content of other shapes, errors, images, several choices."""

from typing import Any

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.errors import EasyLLMError, MalformedAnswer
from easyllm_cli.events import Note
from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.providers.decoder import Decoder
from easyllm_cli.providers.gemini.decoder import GeminiDecoder
from easyllm_cli.providers.ollama import OllamaDecoder
from easyllm_cli.providers.openai.chat_decoder import ChatDecoder
from easyllm_cli.providers.openai.responses_decoder import ResponsesDecoder
from easyllm_cli.transport.framing import BODY_EVENT
from tests.support.asking import Json

CALL = {"function": {"name": "f", "arguments": "{}"}}
BROKE = {"code": 503, "message": "it broke"}


def read(
    decoder: type[Decoder], *bodies: Json, event: str = BODY_EVENT
) -> tuple[Completion, list[str]]:
    """Return the completion from bodies or stream frames, and the notes about it."""
    reader = decoder(event != BODY_EVENT)
    events = [decoded for body in bodies for decoded in reader.read(body, event)]
    events += reader.end(started=True)
    collector = Collector()
    for decoded in events:
        collector.feed(decoded)
    return collector.completion(), [decoded.text for decoded in events if isinstance(decoded, Note)]


def chat(message: Json, finish: str = "stop", **more: Any) -> Json:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish} | more]}


def gemini(*parts: Json, **more: Any) -> Json:
    return {"candidates": [{"content": {"parts": [*parts]}, "finishReason": "STOP"} | more]}


@pytest.mark.parametrize("content", [
    {"type": "text", "text": "Hello"}, [{"type": "text", "text": "Hel"}, "lo"],
    {"text": {"value": "Hello"}}, ["Hello"],
])  # fmt: skip
def test_content_of_any_shape(content: Any) -> None:
    done, _ = read(ChatDecoder, chat({"role": "assistant", "content": content}))
    assert (done["text"], done["complete"]) == ("Hello", True)
    line = {"message": {"content": content}, "done": True, "done_reason": "stop"}
    assert read(OllamaDecoder, line)[0]["text"] == "Hello"


def test_reasoning_part_is_not_text() -> None:
    parts = [{"type": "reasoning", "text": "Hm"}, {"type": "text", "text": "Hello"}]
    done, _ = read(ChatDecoder, chat({"content": parts}))
    assert (done["reasoning"], done["text"]) == ("Hm", "Hello")


def test_gemini_part_outside_a_list() -> None:
    body = {"candidates": [{"content": {"parts": {"text": "Hello"}}, "finishReason": "STOP"}]}
    assert read(GeminiDecoder, body)[0]["text"] == "Hello"


@pytest.mark.parametrize("answer", [
    (ChatDecoder, chat({"content": "Hello", "tool_calls": [CALL]})),
    (ChatDecoder, chat({"content": "Hello", "function_call": {"name": "f"}})),
    (OllamaDecoder, {"message": {"content": "Hello", "tool_calls": [CALL]}, "done": True,
                     "done_reason": "stop"}),
    (GeminiDecoder, gemini({"text": "Hello"}, {"functionCall": {"name": "f"}})),
])  # fmt: skip
def test_tool_call_overrides_stop(answer: tuple[type[Decoder], Json]) -> None:
    done, _ = read(*answer)
    assert (done["text"], done["finish_reason"]) == ("Hello", "tool_calls")
    assert not done["complete"]


@pytest.mark.parametrize(
    "no_call", [{"tool_calls": []}, {"tool_calls": None, "function_call": None}]
)
def test_empty_tool_calls_are_ignored(no_call: Json) -> None:
    assert read(ChatDecoder, chat({"content": "Hello"} | no_call))[0]["complete"]


@pytest.mark.parametrize("body", [
    {"choices": [{"index": 1, "message": {"content": "Hello"}, "finish_reason": "stop"}]},
    {"choices": [{"index": 1, "message": {"content": "Bye"}},
                 {"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]},
])  # fmt: skip
def test_choice_0_or_the_only_choice_is_used(body: Json) -> None:
    done, notes = read(ChatDecoder, body)
    assert (done["text"], done["complete"]) == ("Hello", True)
    assert len(notes) == len(body["choices"]) - 1


@pytest.mark.parametrize("answer", [
    (ChatDecoder, chat({"content": "Hello"}, error=BROKE)),
    (ChatDecoder, chat({"content": "Hello", "error": BROKE})),
    (GeminiDecoder, gemini({"text": "Hello"}, error=BROKE)),
    (OllamaDecoder, {"message": {"content": "Hello", "error": "it broke"}, "done": True}),
    (ResponsesDecoder, {"object": "response", "status": "completed", "output": [],
                        "error": BROKE}),
])  # fmt: skip
def test_error_in_a_finished_body(answer: tuple[type[Decoder], Json]) -> None:
    with pytest.raises(EasyLLMError, match="it broke") as caught:
        read(*answer)
    assert caught.value.exit_code == 5


def test_message_after_deltas_is_not_repeated() -> None:
    deltas = [{"choices": [{"delta": delta}]} for delta in (
        {"reasoning_content": "Hm"}, {"content": "Hel"}, {"content": "lo"})]  # fmt: skip
    end = chat({"reasoning_content": "Hm", "content": "Hello"}, delta={})
    done, _ = read(ChatDecoder, *deltas, end, event="")
    assert (done["reasoning"], done["text"]) == ("Hm", "Hello")


def test_message_adds_text_that_no_delta_had() -> None:
    reasoning_frame = {"choices": [{"delta": {"role": "assistant", "reasoning": "Hm"}}]}
    end = chat({"reasoning": "Hm", "content": "Hello"}, delta={"role": "assistant"})
    done, _ = read(ChatDecoder, reasoning_frame, end, event="")
    assert (done["reasoning"], done["text"]) == ("Hm", "Hello")


def test_refusal_is_quoted_once() -> None:
    refusal = {"choices": [{"delta": {"refusal": "I won't."}}]}
    with pytest.raises(EasyLLMError, match=r"refused: I won't\.$"):
        read(ChatDecoder, refusal, chat({"refusal": "I won't."}, delta={}), event="")


@pytest.mark.parametrize("answer", [
    (ChatDecoder, chat({"content": None, "images": [{"type": "image_url"}]})),
    (ChatDecoder, chat({"content": [{"type": "image_url", "image_url": {}}]})),
    (GeminiDecoder, gemini({"inlineData": {"mimeType": "image/png", "data": "AAAA"}})),
    (GeminiDecoder, gemini({"fileData": {"mimeType": "image/png", "fileUri": "x"}})),
    (ResponsesDecoder, {"object": "response", "status": "completed", "output": [
        {"type": "image_generation_call", "id": "ig_1", "result": "AAAA"}]}),
])  # fmt: skip
def test_answer_of_only_an_image_is_malformed(answer: tuple[type[Decoder], Json]) -> None:
    with pytest.raises(MalformedAnswer, match="an image"):
        read(*answer)


def test_media_beside_text_is_noted() -> None:
    body = gemini({"text": "Hello"}, {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}})
    done, notes = read(GeminiDecoder, body)
    assert (done["text"], done["complete"]) == ("Hello", True)
    assert notes == ["the answer also holds audio: left out"]


@pytest.mark.parametrize(("reason", "complete"), [
    ("SAFETY", False), ("BLOCK_REASON_UNSPECIFIED", True),
])  # fmt: skip
def test_stop_does_not_undo_a_block(reason: str, complete: bool) -> None:
    body = gemini({"text": "Hello"}) | {"promptFeedback": {"blockReason": reason}}
    assert read(GeminiDecoder, body)[0]["complete"] is complete
