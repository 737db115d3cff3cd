"""Code that the model ran at its provider's, and its result: blocks among the answer's text."""

from typing import Any

import pytest

from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.providers.gemini.decoder import GeminiDecoder
from easyllm_cli.transport.framing import BODY_EVENT
from tests.support.asking import Json
from tests.support.decoding import decode_answer, delta, final_frame

RAN = {"executableCode": {"language": "PYTHON", "code": "print(6*7)"}}
PRINTED = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}}
BLOCKS = "```python\nprint(6*7)\n```\n\n```text\n42\n```\n\n"


def gemini(*parts: Json, whole: bool = False) -> str:
    """The text of an answer with these parts, in frames of their own or in one body."""
    decoder, gathered = GeminiDecoder(not whole), Collector()
    sets = [parts] if whole else [(part,) for part in parts]
    for some in sets:
        frame = {"candidates": [{"content": {"parts": [*some]}, "finishReason": "STOP"}]}
        for event in decoder.read(frame, BODY_EVENT if whole else ""):
            gathered.feed(event)
    text: str = gathered.completion()["text"]
    return text


@pytest.mark.parametrize("whole", [False, True])
def test_gemini_s_code_and_result(whole: bool) -> None:
    parts = ({"text": "Let me see."}, RAN, PRINTED, {"text": "It is 42."})
    assert gemini(*parts, whole=whole) == f"Let me see.\n\n{BLOCKS}It is 42."


def test_code_alone_is_an_answer() -> None:
    assert gemini(RAN, PRINTED) == BLOCKS


def test_a_fence_is_longer_than_those_in_the_code() -> None:
    part = {"executableCode": {"language": "LANGUAGE_UNSPECIFIED", "code": "x = '```'\n"}}
    assert gemini(part) == "````\nx = '```'\n````\n\n"


@pytest.mark.parametrize(("result", "text"), [
    ({"outcome": "OUTCOME_OK"}, ""),
    ({"outcome": "OUTCOME_DEADLINE_EXCEEDED"}, "```text\nOUTCOME_DEADLINE_EXCEEDED\n```\n\n"),
    ({"outcome": "OUTCOME_FAILED", "output": "NameError"}, "```text\nNameError\n```\n\n"),
])  # fmt: skip
def test_a_result_that_failed_or_printed_nothing(result: Json, text: str) -> None:
    assert gemini({"codeExecutionResult": result}) == text


def interpreter(**more: Any) -> Json:
    call = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed"}
    return call | {"code": "print(6*7)", "outputs": [{"type": "logs", "logs": "42\n"}]} | more


def test_responses_code_interpreter_is_told_once() -> None:
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
