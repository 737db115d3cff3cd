"""Reads Ollama's answers: one object a line, the last one `done` (WIRE §3b-d)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..events import Event, Reasoning, Text, Usage
from .decoder import Decoder
from .finish_reasons import is_claim
from .openai.chat_decoder import count, parts_of


class OllamaDecoder(Decoder):
    """One object a line; the last one says `done`. The body's end is the only end marker."""

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        message = body.get("message")
        said = False
        if isinstance(message, dict):
            thought, content = message.get("thinking"), message.get("content")
            if isinstance(thought, str) and thought:
                said = True
                yield Reasoning(thought)
            if isinstance(content, str):
                if content:
                    said = self.wrote = True
                    yield Text(content)
            elif content:
                for event in parts_of(content):
                    said = True
                    self.wrote = self.wrote or isinstance(event, Text)
                    yield event
            if message.get("tool_calls"):
                self.because("tool_calls")
            if "error" in message:
                self.refuse_error(message)
        reason = body.get("done_reason")
        if body.get("done") is True or is_claim(reason):
            self.finished(reason)
            # Some proxies say so in every line: only one without text is taken for the last.
            if body.get("done") is True and not said and self.plausible:
                self.mark()
            self._count(body)

    def _count(self, body: dict[str, Any]) -> None:
        prompt, answer = count(body.get("prompt_eval_count")), count(body.get("eval_count"))
        both = None if prompt is None or answer is None else prompt + answer
        usage = Usage(prompt, answer, both)
        if self.usage is None or usage != Usage():
            self.usage = usage
