"""OpenRouter provider: Chat Completions with reasoning, fallback models and model facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, DecimalException
from math import inf
from typing import Any, ClassVar

from ..errors import EasyLLMError, NotFoundError, RefusedError
from ..events import Event, Model, Start
from ..messages import Message
from ..transport.base import Request
from .decoder import Decoder
from .model_list import model_from_row, parse_model_rows
from .openai.chat import OpenAIProvider
from .openai.chat_decoder import ChatDecoder
from .openai.reasoning_params import OPENAI_EFFORT_VALUES

# Words of a 404 that says why no provider may serve the model -> hint.
NO_ROUTE_HINTS = {
    "data policy|guardrail|privacy": "allow it at https://openrouter.ai/settings/privacy, or "
    "choose another model",
    "allowed providers|ignored providers": "see https://openrouter.ai/settings/preferences, and "
    "`provider` in the options",
    "requested parameters|tool use": "leave out what the model's providers do not support",
}
MILLION = Decimal(1_000_000)


class OpenRouterProvider(OpenAIProvider):
    """Chat Completions with a `reasoning` object, and fallback models in `models`."""

    provider: ClassVar[str] = "openrouter"

    def resolve_parameter_paths(self) -> Mapping[str, str]:
        return {**super().resolve_parameter_paths(), "max_tokens": "max_tokens"}

    def request(self, messages: list[Message], stream: bool) -> Request:
        request = super().request(messages, stream)
        models = list(dict.fromkeys([self.model, *(self.profile.fallback_models or ())]))
        if len(models) > 1 and request.body is not None:
            request.body["models"] = models
        return request

    def reasoning_parameters(self) -> dict[str, Any]:
        effort = self.profile.reasoning
        if effort is None:
            return {"reasoning": {"enabled": True}} if self.profile.think else {}
        if effort == "off":
            return {"reasoning": {"effort": "none"}}
        # Models with optional reasoning may need `enabled` besides the effort.
        return {"reasoning": {"effort": OPENAI_EFFORT_VALUES.get(effort, effort), "enabled": True}}

    def decoder(self, stream: bool) -> Decoder:
        return OpenRouterDecoder(stream, self.profile.provider or "", self.profile.name, self.model)

    def has_inline_reasoning(self) -> bool:
        return False  # OpenRouter separates reasoning for every model

    async def lacks_vision(self) -> bool:
        """Whether the model list says that the model does not accept images."""
        try:
            model = await self.find_model()
        except EasyLLMError:
            return False
        return model is not None and model.vision is False

    async def reasons(self) -> bool | None:
        model = await self.find_model()
        return model.reasoning if model else None

    def matches_model(self, model_id: str) -> bool:
        """Whether an id is the profile's model, with or without a suffix such as `:nitro`."""
        return model_id in (self.model, self.model.partition(":")[0])

    async def check_key(self) -> None:
        """Check the key with GET /key, because the model list is public; gateways may lack /key."""
        with suppress(NotFoundError):
            await self.request_json("GET", f"{self.endpoint.url}/key")

    async def no_vision_error(self) -> RefusedError:
        names = ", ".join([model.id for model in await self.models() if model.vision][:5])
        return RefusedError(
            f"the model {self.model} takes no images", hint=f"models that take images: {names}"
        )

    async def add_hint(self, error: EasyLLMError) -> None:
        """Set a hint for a 404 that means 'no provider available' instead of 'unknown model'."""
        for words, hint in NO_ROUTE_HINTS.items():
            if isinstance(error, NotFoundError) and re.search(words, error.message, re.IGNORECASE):
                error.hint = hint
                return
        await super().add_hint(error)

    async def models(self) -> list[Model]:
        body = await self.request_json("GET", f"{self.endpoint.url}/models")
        return [_model_with_prices(row) for row in parse_model_rows(body, "data") if row.get("id")]


class OpenRouterDecoder(ChatDecoder):
    """Decodes Chat Completions; yields Start again if another model than the requested answers."""

    def __init__(self, stream: bool, provider: str, profile: str, model: str) -> None:
        super().__init__(stream)
        self._start = Start(provider, model, profile)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        answering = body.get("model")
        # `vendor/model` may be reported as `vendor/model:free` or with a date after it.
        same_model = re.escape(self._start.model.partition(":")[0]) + r"(:.*|-\d{4}.*)?"
        if isinstance(answering, str) and answering and not re.fullmatch(same_model, answering):
            self._start = Start(self._start.provider, answering, self._start.profile)
            yield self._start
        yield from super().decode(body)


def _model_with_prices(row: dict[str, Any]) -> Model:
    """One row of the model list; `pricing` holds US dollars per token as strings."""
    basic = model_from_row(row)
    supported = row.get("supported_parameters")
    reasons = "reasoning" in supported if isinstance(supported, list) else None
    value = row.get("pricing")
    pricing: dict[str, Any] = value if isinstance(value, dict) else {}
    return Model(
        basic.id, basic.context, basic.vision, reasons,
        _price_per_million(pricing.get("prompt")), _price_per_million(pricing.get("completion")),
    )  # fmt: skip


def _price_per_million(price: Any) -> float | None:
    """Convert US dollars per token to US dollars per million tokens.

    None = missing, negative (-1 = varies) or not finite; 0 = free.
    """
    try:
        value = float(Decimal(str(price)) * MILLION)
    except (DecimalException, ValueError):  # not a number, or out of range
        return None
    return value if 0 <= value < inf else None
