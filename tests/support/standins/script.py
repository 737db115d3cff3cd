"""Scripted responses for tests: steps such as bytes, waits and cuts, and helpers for frames."""

import base64
import binascii
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.standins.server import Handler, Reply, Request

DONE = b"data: [DONE]\n\n"
Json = dict[str, Any]


@dataclass(frozen=True)
class Wait:
    """A pause between two steps, in seconds."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """Closes the socket without the final chunk."""


@dataclass(frozen=True)
class Reset:
    """Resets the connection with RST."""


Step = bytes | Wait | Cut | Reset


class Script:
    """One response: a status and steps; Cut or Reset as the first step sends no headers."""

    def __init__(
        self,
        *steps: Step,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = "text/event-stream",
    ) -> None:
        self.steps = steps
        self.status = status
        self.headers = headers
        self.content_type = content_type

    async def play(self, reply: Reply) -> None:
        """Send the steps in order, and the final chunk unless a step cut the response."""
        if not (self.steps and isinstance(self.steps[0], Cut | Reset)):
            await reply.head(self.status, self.headers, self.content_type, chunked=True)
        for step in self.steps:
            match step:
                case bytes():
                    await reply.write(step)
                case Wait():
                    await reply.sleep(step.seconds)
                case Cut():
                    await reply.cut()
                    return
                case Reset():
                    await reply.reset()
                    return
        await reply.end()


def script_handler(*scripts: Script) -> Handler:
    """Return a handler that plays the n-th script for the n-th request; the last one repeats."""
    remaining = itertools.chain(scripts, itertools.repeat(scripts[-1]))

    async def handler(request: Request, reply: Reply) -> None:
        await next(remaining).play(reply)

    return handler


def compact(obj: object) -> bytes:
    """Return JSON as servers send it: no spaces, UTF-8 unescaped, U+2028 included."""
    return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()


def sse(obj: object, event: str | None = None) -> bytes:
    """Return one server-sent event."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + compact(obj) + b"\n\n"


def ndjson(obj: object) -> bytes:
    """Return one line as Go's encoder writes it, with `<`, `>`, `&` and U+2028/9 escaped."""
    line = compact(obj).decode()
    for char in "<>&\u2028\u2029":
        line = line.replace(char, f"\\u{ord(char):04x}")
    return line.encode() + b"\n"


def chunk(
    content: str | None = None,
    reasoning: str | None = None,
    finish: str | None = None,
    **extra: Any,
) -> bytes:
    """Return a chat.completion.chunk; `extra` sets or replaces its top-level fields."""
    delta = {"content": content, "reasoning_content": reasoning}
    choice = {
        "index": 0,
        "delta": {name: text for name, text in delta.items() if text is not None},
        "finish_reason": finish,
    }
    return sse(_frame([choice]) | extra)


def usage_chunk(prompt: int, completion: int, **details: Any) -> bytes:
    """Return the chunk with usage and no choices; `details` are fields of usage."""
    return sse(_frame([]) | {"usage": usage(prompt, completion, **details)})


def usage(prompt: int, completion: int, **details: Any) -> Json:
    """Return OpenAI's usage; cached_tokens and reasoning_tokens go into `*_tokens_details`."""
    counts: Json = {"prompt_tokens": prompt, "completion_tokens": completion}
    counts["total_tokens"] = prompt + completion
    for name, place in (("cached_tokens", "prompt"), ("reasoning_tokens", "completion")):
        if name in details:
            counts[f"{place}_tokens_details"] = {name: details.pop(name)}
    return counts | details


def split_text(text: str, count: int = 4) -> list[str]:
    """Split a text into about `count` deltas, also inside words, as tokens do."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def words(text: str) -> int:
    """Return the stand-ins' token count: the number of words, which a test can count by hand."""
    return len(text.split())


def unbase64(text: str) -> bytes | None:
    """Return the bytes of well-formed, non-empty base64; else None."""
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def sniff(data: bytes) -> str | None:
    """Return the kind of an image by its first bytes; names and media types are ignored."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    magics = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"BM": "bmp"}
    return next((kind for magic, kind in magics.items() if data.startswith(magic)), None)


def _frame(choices: list[Json]) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "test-model",
        "choices": choices,
    }
