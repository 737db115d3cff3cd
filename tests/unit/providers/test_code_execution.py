"""Code that the provider executed, and its output: code blocks in the answer's text."""

from typing import Any

import pytest

from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.providers.gemini.decoder import GeminiDecoder
from easyllm_cli.transport.framing import BODY_EVENT
from tests.support.asking import Json
from tests.support.decoding import decode_answer, delta, final_frame

CODE = {"executableCode": {"language": "PYTHON", "code": "print(6*7)"}}
OUTPUT = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}}
BLOCKS = "```python\nprint(6*7)\n```\n\n```text\n42\n```\n\n"


def gemini(*parts: Json, whole: bool = False) -> str:
    """Return the text of an answer with these parts, one frame for each or all in one body."""
    decoder, collector = GeminiDecoder(not whole), Collector()
    frames_of_parts = [parts] if whole else [(part,) for part in parts]
    for frame_parts in frames_of_parts:
        frame = {"candidates": [{"content": {"parts": [*frame_parts]}, "finishReason": "STOP"}]}
        for event in decoder.read(frame, BODY_EVENT if whole else ""):
            collector.feed(event)
    text: str = collector.completion()["text"]
    return text


@pytest.mark.parametrize("whole", [False, True])
def test_gemini_code_and_result(whole: bool) -> None:
    parts = ({"text": "Let me see."}, CODE, OUTPUT, {"text": "It is 42."})
    assert gemini(*parts, whole=whole) == f"Let me see.\n\n{BLOCKS}It is 42."


def test_code_alone_is_an_answer() -> None:
    assert gemini(CODE, OUTPUT) == BLOCKS


def test_fence_is_longer_than_fences_in_the_code() -> None:
    part = {"executableCode": {"language": "LANGUAGE_UNSPECIFIED", "code": "x = '```'\n"}}
    assert gemini(part) == "````\nx = '```'\n````\n\n"


@pytest.mark.parametrize(("result", "text"), [
    ({"outcome": "OUTCOME_OK"}, ""),
    ({"outcome": "OUTCOME_DEADLINE_EXCEEDED"}, "```text\nOUTCOME_DEADLINE_EXCEEDED\n```\n\n"),
    ({"outcome": "OUTCOME_FAILED", "output": "NameError"}, "```text\nNameError\n```\n\n"),
])  # fmt: skip
def test_failed_or_empty_result(result: Json, text: str) -> None:
    assert gemini({"codeExecutionResult": result}) == text


def interpreter(**more: Any) -> Json:
    call = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed"}
    return call | {"code": "print(6*7)", "outputs": [{"type": "logs", "logs": "42\n"}]} | more


def test_responses_code_interpreter_appears_once() -> None:
    item = interpreter()
    frames = [
        delta("Let me see.", item_id="m", output_index=0),
        {"type": "response.output_item.done", "output_index": 1, "item": item},
        delta("It is 42.", item_id="m2", output_index=2),
        final_frame("completed", item),
    ]
    assert decode_answer(frames)[1] == f"Let me see.\n\n{BLOCKS}It is 42."


def test_responses_code_without_outputs() -> None:
    body = final_frame("completed", interpreter(outputs=None))["response"]
    assert decode_answer([body], BODY_EVENT)[1] == "```python\nprint(6*7)\n```\n\n"
