"""Gemini adapter: generateContent over REST, streamed as server-sent events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from ...config.credentials import find_key_source
from ...errors import AuthError
from ...events import Model
from ...messages import Message, has_images
from ...secret import Secret
from ...transport.base import Request
from ...transport.framing import Framing, ServerSentEvents
from ..decoder import Decoder
from ..headers import with_key_header
from ..http import HTTPProvider
from ..model_list import parse_model_rows
from ..unsupported_parameters import set_json_path
from .decoder import (
    GeminiDecoder,
    can_generate_content,
    format_content,
    format_part,
    model_from_gemini_row,
)

# No GIF: https://ai.google.dev/gemini-api/docs/image-understanding
GEMINI_IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
# thinkingBudget in tokens, for models before Gemini 3 (ai.google.dev, "Gemini thinking").
THINKING_BUDGET_TOKENS = {
    "off": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "max": 32768,
}
THINKING_LEVELS = {"off": "MINIMAL", "minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM"}
MAX_PAGES = 50
# Options for the top level of the body; all others go into generationConfig.
TOP_LEVEL_FIELDS = ("safetySettings", "generationConfig", "tools", "toolConfig", "cachedContent")


class GeminiProvider(HTTPProvider):
    """Sends POST {base}/models/MODEL:streamGenerateContent or :generateContent.

    The key goes into a header, never into the URL, where it could be logged.
    """

    provider: ClassVar[str] = "gemini"
    system_is_text: ClassVar[bool] = True
    sdk: ClassVar[str] = "google"
    parameter_paths: ClassVar[Mapping[str, str]] = {
        "temperature": "generationConfig.temperature",
        "max_tokens": "generationConfig.maxOutputTokens",
        "top_p": "generationConfig.topP",
        "top_k": "generationConfig.topK",
        "seed": "generationConfig.seed",
        "stop": "generationConfig.stopSequences",
        "reasoning": "generationConfig.thinkingConfig",
    }

    @property
    def key(self) -> Secret | None:
        """The profile's key; None with transport = "sdk" means application-default credentials.

        Raises:
            AuthError, ConfigError: no key and not transport = "sdk", or its source fails.
        """
        try:
            key = super().key
        except AuthError:
            if self.profile.transport != "sdk" or find_key_source(self.profile, self.endpoint):
                raise
            key = None
        if key is None and self.profile.transport == "sdk":
            self.no_key_hint = "check the application-default credentials, or set an API key"
        return key

    def headers(self) -> dict[str, str | Secret]:
        return with_key_header("x-goog-api-key", self.key, self.extra_headers())

    def request(self, messages: list[Message], stream: bool) -> Request:
        instructions = [
            format_part(message.text)
            for message in messages
            if message.role in ("system", "developer")
        ]
        body: dict[str, Any] = {
            "contents": [
                format_content(message)
                for message in messages
                if message.role in ("user", "assistant")
            ]
        }
        if instructions:
            body["systemInstruction"] = {"parts": instructions}
        for key, value in self.sampling_with_defaults().items():
            sent_value = [value] if key == "stop" and isinstance(value, str) else value
            set_json_path(body, self.parameter_paths[key], sent_value)
        if thinking := self.thinking_config():
            set_json_path(body, self.parameter_paths["reasoning"], thinking)
        if self.request_variant.schema is not None:
            from .json_schema import generation_config_fields  # --schema only

            for key, value in generation_config_fields(self.request_variant.schema).items():
                set_json_path(body, f"generationConfig.{key}", value)
        for key, value in (self.profile.options or {}).items():
            set_json_path(
                body, key if key in TOP_LEVEL_FIELDS else f"generationConfig.{key}", value
            )
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        name = quote(self.model.removeprefix("models/"), safe="")
        return Request("POST", f"{self.endpoint.url}/models/{name}:{verb}", self.headers(), body)

    def thinking_config(self) -> dict[str, Any]:
        """Return thinkingConfig: a level for Gemini 3 and later, a budget in tokens before.

        {} means the model's default. With transport = "sdk" it is always {}.
        """
        effort = self.profile.reasoning
        if effort is None or self.profile.transport == "sdk":
            wants_thoughts = self.profile.think and self.profile.transport != "sdk"
            return {"includeThoughts": True} if wants_thoughts else {}
        # Gemini answers 400 to includeThoughts with thinking off (haystack#2845).
        config = {} if effort == "off" else {"includeThoughts": True}
        version = re.match(r"gemini-(\d+)", self.model.removeprefix("models/"))
        if version and int(version[1]) < 3:
            return config | {"thinkingBudget": THINKING_BUDGET_TOKENS[effort]}
        return config | {"thinkingLevel": THINKING_LEVELS.get(effort, "HIGH")}

    def framing(self) -> Framing:
        return ServerSentEvents()

    def decoder(self, stream: bool) -> Decoder:
        return GeminiDecoder(stream)

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        messages, notes = await super().prepare(messages)
        if self.profile.transport == "sdk" and (self.profile.think or self.profile.reasoning):
            notes.append('no reasoning through this transport: use transport = "http"')
        if has_images(messages):
            from ..image_inputs import with_image_bytes  # images only

            messages, image_notes = await with_image_bytes(
                messages, GEMINI_IMAGE_TYPES, self.profile, "Gemini"
            )
            notes += image_notes
        return messages, notes

    def matches_model(self, model_id: str) -> bool:
        return model_id == self.model.removeprefix("models/")

    async def reasons(self) -> bool | None:
        """Whether the model list marks the model with `thinking`.

        Gemini omits `thinking` where it is false. None when no model has it.
        """
        reasoning_by_model = {model.id: model.reasoning for model in await self.models()}
        model_reasons = reasoning_by_model.get(self.model.removeprefix("models/"), True)
        return bool(model_reasons) if any(reasoning_by_model.values()) else None

    async def models(self) -> list[Model]:
        """Return the models that support generateContent, from all pages (at most 50)."""
        models: list[Model] = []
        token = ""
        for _ in range(MAX_PAGES):
            page = f"pageSize=1000{token and '&pageToken=' + quote(token, '', errors='replace')}"
            body = await self.request_json("GET", f"{self.endpoint.url}/models?{page}")
            models += [
                model_from_gemini_row(row)
                for row in parse_model_rows(body, "models")
                if can_generate_content(row)
            ]
            token = str(body.get("nextPageToken") or "") if isinstance(body, dict) else ""
            if not token:
                break
        return models
