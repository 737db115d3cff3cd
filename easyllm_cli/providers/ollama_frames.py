"""Reads Ollama's answers: one object a line, the last one `done` (WIRE §3b-d)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..events import Event, Reasoning, Text, Usage
from .chat_frames import count
from .decoder import Decoder


class OllamaDecoder(Decoder):
    """One object a line; the last one says `done`."""

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        message = body.get("message")
        if isinstance(message, dict) and not self.ended:
            thought, text = message.get("thinking"), message.get("content")
            if isinstance(thought, str) and thought:
                yield Reasoning(thought)
            if isinstance(text, str) and text:
                yield Text(text)
        reason = body.get("done_reason")
        if body.get("done") is True or (isinstance(reason, str) and reason):
            self.finished(reason if isinstance(reason, str) else "")
            self.over = True
            prompt, answer = count(body.get("prompt_eval_count")), count(body.get("eval_count"))
            both = None if prompt is None or answer is None else prompt + answer
            self.usage = Usage(prompt, answer, both)
