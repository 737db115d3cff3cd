"""Runs the decoder of Responses over frames, without a server."""

from collections.abc import Iterable
from typing import Any

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Event
from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.providers.openai.responses_decoder import ResponsesDecoder
from easyllm_cli.transport.framing import BODY_EVENT
from tests.support.asking import Json
from tests.support.standins.responses import response

Frames = Iterable[Json]


def decode_frames(frames: Frames, event: str = "", **more: Any) -> tuple[list[Event], Completion]:
    """Decode the frames of a complete answer; return the events and the completion."""
    decoder = ResponsesDecoder(event != BODY_EVENT, **more)
    events = [decoded for frame in frames for decoded in decoder.read(frame, event)]
    events += decoder.end(started=bool(events))
    collector = Collector()
    for decoded in events:
        collector.feed(decoded)
    return events, collector.completion()


def decode_answer(
    frames: Frames, event: str = "", **more: Any
) -> tuple[str | None, str, str | None]:
    """Decode the frames; return the reasoning, the text and the finish_reason."""
    completion = decode_frames(frames, event, **more)[1]
    return completion["reasoning"], completion["text"], completion["finish_reason"]


def expect_decode_error(frames: Frames, event: str = "") -> EasyLLMError:
    with pytest.raises(EasyLLMError) as caught:
        decode_frames(frames, event)
    return caught.value


def delta(text: str, kind: str = "output_text", **where: Any) -> Json:
    return {"type": f"response.{kind}.delta", "delta": text, **where}


def final_frame(status: str = "completed", *output: Json, **more: Any) -> Json:
    return {"type": f"response.{status}", "response": response([*output], status, **more)}
