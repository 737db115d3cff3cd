"""How Gemini's JSON writes a turn, its parts, and a row of the model list (WIRE §6a, §6e, §6f)."""

from __future__ import annotations

from typing import Any

from ...events import Model
from ...images import Image
from ...messages import Message
from ..openai.chat_decoder import count


def answers(row: dict[str, Any]) -> bool:
    methods = row.get("supportedGenerationMethods")
    return not isinstance(methods, list) or "generateContent" in methods


def described(row: dict[str, Any]) -> Model:
    name = str(row.get("name", "")).removeprefix("models/")
    thinks = row.get("thinking")
    return Model(
        name, count(row.get("inputTokenLimit")), None, thinks if isinstance(thinks, bool) else None
    )


def part(one: str | Image) -> dict[str, Any]:
    """One part: text, or a picture inline."""
    if isinstance(one, str):
        return {"text": one}
    return {"inlineData": {"mimeType": one.media_type, "data": one.base64()}}


def content(message: Message) -> dict[str, Any]:
    """One turn; Gemini calls the assistant `model`."""
    role = "model" if message.role == "assistant" else "user"
    return {"role": role, "parts": [part(one) for one in message.parts]}
