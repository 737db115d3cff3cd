"""Cohere adapter: the Chat API, version 2, streamed as server-sent events."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from ...events import Model
from ...images import Image
from ...messages import Message, with_system_instruction, with_text_first
from ...transport.base import Request
from ...transport.framing import Framing, ServerSentEvents
from ..decoder import Decoder
from ..http import HTTPProvider
from ..json_values import parse_count
from ..model_list import parse_model_rows
from .decoder import CohereDecoder

# Tokens of `thinking.token_budget`. Cohere recommends no budget, or 31,000 as the largest one
# (https://docs.cohere.com/docs/reasoning); `max` sends none.
THINKING_BUDGET_TOKENS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 31000}
MAX_PAGES = 50
# Without such words a model may write white space without end (docs.cohere.com/reference/chat).
JSON_INSTRUCTION = "Generate a JSON object."


class CohereProvider(HTTPProvider):
    """Sends POST {base}/v2/chat; the base URL has no version."""

    provider: ClassVar[str] = "cohere"
    ignored: ClassVar[tuple[str, ...]] = (
        "api", "organization", "project", "fallback_models", "num_ctx", "keep_alive", "mmproj",
    )  # fmt: skip
    parameter_paths: ClassVar[Mapping[str, str]] = {
        "temperature": "temperature",
        "max_tokens": "max_tokens",
        "top_p": "p",
        "top_k": "k",
        "seed": "seed",
        "stop": "stop_sequences",
        "reasoning": "thinking",
    }

    def request(self, messages: list[Message], stream: bool) -> Request:
        body: dict[str, Any] = {"model": self.model, "messages": [], "stream": stream}
        for key, value in self.sampling_with_defaults().items():
            wrapped = [value] if key == "stop" and isinstance(value, str) else value
            body[self.parameter_paths[key]] = wrapped
        if thinking := self.thinking():
            body["thinking"] = thinking
        if self.request_variant.schema is not None:
            messages = with_system_instruction(messages, JSON_INSTRUCTION)
            body["response_format"] = {
                "type": "json_object",
                "json_schema": self.request_variant.schema,
            }
        body["messages"] = [format_message(message) for message in messages]
        body |= self.profile.options or {}
        return Request("POST", f"{self.endpoint.url}/v2/chat", self.headers(), body)

    def thinking(self) -> dict[str, Any]:
        """The field `thinking`; {} = the model's default, which is on for models that reason."""
        effort = self.profile.reasoning
        if effort is None:
            return {}
        if effort == "off":
            return {"type": "disabled"}
        budget = THINKING_BUDGET_TOKENS.get(effort)
        limit = self.profile.output_limit() or self.output_limit
        if budget and limit is not None:
            budget = min(budget, max(limit // 2, 1))  # the other half is for the answer
        return {"type": "enabled"} | ({"token_budget": budget} if budget else {})

    def message_fields(self) -> Collection[str]:
        return ("detail",)

    def framing(self) -> Framing:
        return ServerSentEvents()

    def decoder(self, stream: bool) -> Decoder:
        return CohereDecoder(stream)

    async def reasons(self) -> bool | None:
        """Whether the model list names `reasoning` among the model's features."""
        model = await self.find_model()
        return model.reasoning if model else None

    async def models(self) -> list[Model]:
        """Return the models of the chat endpoint, from all pages (at most 50)."""
        models: list[Model] = []
        token = ""
        for _ in range(MAX_PAGES):
            page = f"endpoint=chat&page_size=1000{token and '&page_token=' + quote(token, '')}"
            body = await self.request_json("GET", f"{self.endpoint.url}/v1/models?{page}")
            rows = parse_model_rows(body, "models")
            models += [model_from_cohere_row(row) for row in rows if row.get("name")]
            next_token = str(body.get("next_page_token") or "") if isinstance(body, dict) else ""
            if next_token in ("", token):
                break
            token = next_token
        return models


def format_message(message: Message) -> dict[str, Any]:
    """Format one message; content that is only text stays a string."""
    role = "system" if message.role == "developer" else message.role
    if not message.images:
        return {"role": role, "content": message.text}
    # Text first, as in https://docs.cohere.com/docs/image-inputs.
    parts = [format_part(part) for part in with_text_first(message)]
    return {"role": role, "content": parts}


def format_part(part: str | Image) -> dict[str, Any]:
    """Format text or an image (a data URL or a web URL) as a content block."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    detail = {"detail": part.detail} if part.detail else {}
    return {"type": "image_url", "image_url": {"url": part.as_url(), **detail}}


def model_from_cohere_row(row: dict[str, Any]) -> Model:
    """Return the Model of a model-list row; without `features` vision and reasoning are unknown."""
    features = row.get("features")
    vision, reasoning = (
        name in features if isinstance(features, list) else None for name in ("vision", "reasoning")
    )
    return Model(str(row["name"]), parse_count(row.get("context_length")), vision, reasoning)
