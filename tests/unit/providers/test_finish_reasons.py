"""Every vendor's finish reasons, as the decoders translate them."""

from collections.abc import Iterable
from typing import Any

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.errors import BusyError, IncompleteAnswer
from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.providers.decoder import Decoder
from easyllm_cli.providers.gemini.decoder import GeminiDecoder
from easyllm_cli.providers.ollama import OllamaDecoder
from easyllm_cli.providers.openai.chat_decoder import ChatDecoder
from easyllm_cli.transport.framing import BODY_EVENT
from tests.support.asking import Json

STOP = (
    "stop", "STOP", "end_turn", "eos_token", "stop_sequence", "COMPLETE", "end", "FINISHED",
    "STOP_CRITERIA_MET", "endoftext", "normal", "FinishReason.STOP", "FINISH_REASON_STOP",
    "REASON_STOP", " stop ",
)  # fmt: skip
LENGTH = (
    "length", "MAX_TOKENS", "max-tokens", "maxTokens", "max_output_tokens", "token_limit",
    "FinishReason.MAX_TOKENS", "model_length", "model_context_window_exceeded",
    "context_length_exceeded", "REASON_MAX_LEN",
)  # fmt: skip
FILTER = (
    "content_filter", "content-filter", "sensitive", "SAFETY", "guardrail_intervened",
    "content_filtered", "IMAGE_PROHIBITED_CONTENT", "LANGUAGE", "MODEL_ARMOR", "ERROR_TOXIC",
    "refusal", "brand_new_safety_word",
)  # fmt: skip
TOOL = ("tool_calls", "function_call", "tool_use", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")
FAILED = (
    "error", "network_error", "abort", "insufficient_system_resource", "MALFORMED_RESPONSE",
    "malformed_tool_use", "OTHER", "TIMEOUT", "engine_error",
)  # fmt: skip
NOTHING = ("", "null", "NULL", "none", "None", "FINISH_REASON_UNSPECIFIED", "NOT_FINISHED", None)


def chat(word: Any, text: str = "Hello") -> tuple[ChatDecoder, list[Json]]:
    return ChatDecoder(True), [{"choices": [{"delta": {"content": text}, "finish_reason": word}]}]


def ollama(word: Any, text: str = "Hello") -> tuple[OllamaDecoder, list[Json]]:
    return OllamaDecoder(True), [{"message": {"content": text}, "done_reason": word}]


def gemini(word: Any, text: str = "Hello") -> tuple[GeminiDecoder, list[Json]]:
    content = {"parts": [{"text": text}]}
    return GeminiDecoder(True), [{"candidates": [{"content": content, "finishReason": word}]}]


PROTOCOLS = (chat, ollama, gemini)


def decode(decoder: Decoder, frames: Iterable[Json], event: str = "") -> Completion:
    """Return the completion that a decoder makes from these frames."""
    collector = Collector()
    for frame in frames:
        for decoded in decoder.read(frame, event):
            collector.feed(decoded)
    for decoded in decoder.end(started=True):
        collector.feed(decoded)
    return collector.completion()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [("stop", STOP), ("length", LENGTH), ("content_filter", FILTER), ("tool_calls", TOOL)],
)
def test_vendor_finish_reason_becomes_openais(
    protocol: Any, kind: str, words: tuple[str, ...]
) -> None:
    for word in words:
        done = decode(*protocol(word))
        assert (done["finish_reason"], done["complete"]) == (kind, kind == "stop"), word


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("word", FAILED)
def test_finish_reason_of_a_failure_is_a_busy_error_that_quotes_it(
    protocol: Any, word: str
) -> None:
    with pytest.raises(BusyError, match=word.lower()):
        decode(*protocol(word))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("word", NOTHING)
def test_empty_finish_reason_is_incomplete(protocol: Any, word: str | None) -> None:
    with pytest.raises(IncompleteAnswer, match="end marker"):
        decode(*protocol(word))


@pytest.mark.parametrize("word", NOTHING)
def test_whole_body_needs_no_finish_reason(word: str | None) -> None:
    body = {"choices": [{"message": {"content": "Hello"}, "finish_reason": word}]}
    done = decode(ChatDecoder(False), [body], BODY_EVENT)
    assert (done["text"], done["finish_reason"], done["complete"]) == ("Hello", None, True)


@pytest.mark.parametrize("word", ["cancelled", "pause_turn", "brand_new", "load"])
def test_unknown_finish_reason_is_incomplete(word: str) -> None:
    done = decode(*chat(word))
    assert (done["finish_reason"], done["complete"]) == (word, False)


def test_later_stop_replaces_an_unknown_finish_reason() -> None:
    decoder, frames = chat("half_way")
    done = decode(decoder, frames + chat("stop", " you")[1])
    assert (done["text"], done["finish_reason"]) == ("Hello you", "stop")


@pytest.mark.parametrize("word", [{"type": "length", "length": 5}, {"reason": "max_tokens"}])
def test_a_finish_reason_as_an_object(word: Json) -> None:
    assert decode(*chat(word))["finish_reason"] == "length"
