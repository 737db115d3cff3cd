"""What the decoder of Responses makes of frames, without a server."""

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
    """What a decoder makes of an answer that ends."""
    decoder = ResponsesDecoder(event != BODY_EVENT, **more)
    came = [one for frame in frames for one in decoder.read(frame, event)]
    came += decoder.end(started=bool(came))
    gathered = Collector()
    for one in came:
        gathered.feed(one)
    return came, gathered.completion()


def decode_answer(
    frames: Frames, event: str = "", **more: Any
) -> tuple[str | None, str, str | None]:
    """Its reasoning, its text and why it ended."""
    done = decode_frames(frames, event, **more)[1]
    return done["reasoning"], done["text"], done["finish_reason"]


def expect_decode_error(frames: Frames, event: str = "") -> EasyLLMError:
    with pytest.raises(EasyLLMError) as caught:
        decode_frames(frames, event)
    return caught.value


def delta(text: str, kind: str = "output_text", **where: Any) -> Json:
    return {"type": f"response.{kind}.delta", "delta": text, **where}


def final_frame(status: str = "completed", *output: Json, **more: Any) -> Json:
    return {"type": f"response.{status}", "response": response([*output], status, **more)}
