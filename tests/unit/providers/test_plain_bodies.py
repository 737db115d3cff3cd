"""Whole bodies and their oddities: tool calls, contents that are no text, other answers."""

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
    """The answer in a body (or frames of a stream), and the notes about it."""
    reader = decoder(event != BODY_EVENT)
    came = [one for body in bodies for one in reader.read(body, event)]
    came += reader.end(started=True)
    gathered = Collector()
    for one in came:
        gathered.feed(one)
    return gathered.completion(), [one.text for one in came if isinstance(one, Note)]


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


def test_a_reasoning_part_is_no_answer() -> None:
    parts = [{"type": "reasoning", "text": "Hm"}, {"type": "text", "text": "Hello"}]
    done, _ = read(ChatDecoder, chat({"content": parts}))
    assert (done["reasoning"], done["text"]) == ("Hm", "Hello")


def test_gemini_s_only_part_without_a_list() -> None:
    body = {"candidates": [{"content": {"parts": {"text": "Hello"}}, "finishReason": "STOP"}]}
    assert read(GeminiDecoder, body)[0]["text"] == "Hello"


@pytest.mark.parametrize("made", [
    (ChatDecoder, chat({"content": "Hello", "tool_calls": [CALL]})),
    (ChatDecoder, chat({"content": "Hello", "function_call": {"name": "f"}})),
    (OllamaDecoder, {"message": {"content": "Hello", "tool_calls": [CALL]}, "done": True,
                     "done_reason": "stop"}),
    (GeminiDecoder, gemini({"text": "Hello"}, {"functionCall": {"name": "f"}})),
])  # fmt: skip
def test_a_call_of_a_tool_beside_stop(made: tuple[type[Decoder], Json]) -> None:
    done, _ = read(*made)
    assert (done["text"], done["finish_reason"]) == ("Hello", "tool_calls")
    assert not done["complete"]


@pytest.mark.parametrize("none", [{"tool_calls": []}, {"tool_calls": None, "function_call": None}])
def test_no_call_of_a_tool(none: Json) -> None:
    assert read(ChatDecoder, chat({"content": "Hello"} | none))[0]["complete"]


@pytest.mark.parametrize("body", [
    {"choices": [{"index": 1, "message": {"content": "Hello"}, "finish_reason": "stop"}]},
    {"choices": [{"index": 1, "message": {"content": "Bye"}},
                 {"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]},
])  # fmt: skip
def test_which_of_several_choices(body: Json) -> None:
    done, notes = read(ChatDecoder, body)
    assert (done["text"], done["complete"]) == ("Hello", True)
    assert len(notes) == len(body["choices"]) - 1


@pytest.mark.parametrize("made", [
    (ChatDecoder, chat({"content": "Hello"}, error=BROKE)),
    (ChatDecoder, chat({"content": "Hello", "error": BROKE})),
    (GeminiDecoder, gemini({"text": "Hello"}, error=BROKE)),
    (OllamaDecoder, {"message": {"content": "Hello", "error": "it broke"}, "done": True}),
    (ResponsesDecoder, {"object": "response", "status": "completed", "output": [],
                        "error": BROKE}),
])  # fmt: skip
def test_an_error_inside_a_good_end(made: tuple[type[Decoder], Json]) -> None:
    with pytest.raises(EasyLLMError, match="it broke") as caught:
        read(*made)
    assert caught.value.exit_code == 5


def test_a_message_repeats_neither_reasoning_nor_text_of_deltas() -> None:
    deltas = [{"choices": [{"delta": delta}]} for delta in (
        {"reasoning_content": "Hm"}, {"content": "Hel"}, {"content": "lo"})]  # fmt: skip
    end = chat({"reasoning_content": "Hm", "content": "Hello"}, delta={})
    done, _ = read(ChatDecoder, *deltas, end, event="")
    assert (done["reasoning"], done["text"]) == ("Hm", "Hello")


def test_a_message_tells_what_no_delta_told() -> None:
    thought = {"choices": [{"delta": {"role": "assistant", "reasoning": "Hm"}}]}
    end = chat({"reasoning": "Hm", "content": "Hello"}, delta={"role": "assistant"})
    done, _ = read(ChatDecoder, thought, end, event="")
    assert (done["reasoning"], done["text"]) == ("Hm", "Hello")


def test_a_refusal_is_told_once() -> None:
    said = {"choices": [{"delta": {"refusal": "I won't."}}]}
    with pytest.raises(EasyLLMError, match=r"refused: I won't\.$"):
        read(ChatDecoder, said, chat({"refusal": "I won't."}, delta={}), event="")


@pytest.mark.parametrize("made", [
    (ChatDecoder, chat({"content": None, "images": [{"type": "image_url"}]})),
    (ChatDecoder, chat({"content": [{"type": "image_url", "image_url": {}}]})),
    (GeminiDecoder, gemini({"inlineData": {"mimeType": "image/png", "data": "AAAA"}})),
    (GeminiDecoder, gemini({"fileData": {"mimeType": "image/png", "fileUri": "x"}})),
    (ResponsesDecoder, {"object": "response", "status": "completed", "output": [
        {"type": "image_generation_call", "id": "ig_1", "result": "AAAA"}]}),
])  # fmt: skip
def test_an_image_is_no_text(made: tuple[type[Decoder], Json]) -> None:
    with pytest.raises(MalformedAnswer, match="an image"):
        read(*made)


def test_an_image_beside_text_is_noted() -> None:
    body = gemini({"text": "Hello"}, {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}})
    done, notes = read(GeminiDecoder, body)
    assert (done["text"], done["complete"]) == ("Hello", True)
    assert notes == ["the answer also holds audio: left out"]


@pytest.mark.parametrize(("reason", "complete"), [
    ("SAFETY", False), ("BLOCK_REASON_UNSPECIFIED", True),
])  # fmt: skip
def test_a_block_beside_text_is_not_undone_by_stop(reason: str, complete: bool) -> None:
    body = gemini({"text": "Hello"}) | {"promptFeedback": {"blockReason": reason}}
    assert read(GeminiDecoder, body)[0]["complete"] is complete
