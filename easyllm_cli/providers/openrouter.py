"""OpenRouter: Chat Completions with reasoning, costs, fallbacks and a telling list (WIRE §4)."""

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

# Why no provider of a model may be asked (404), and what to do.
NO_ROUTE_HINTS = {
    "data policy|guardrail|privacy": "allow it at https://openrouter.ai/settings/privacy, or "
    "choose another model",
    "allowed providers|ignored providers": "see https://openrouter.ai/settings/preferences, and "
    "`provider` in the options",
    "requested parameters|tool use": "leave out what the model's providers do not take",
}
MILLION = Decimal(1_000_000)


class OpenRouterProvider(OpenAIProvider):
    """The same protocol; reasoning is asked for with an object, `models` names fallbacks."""

    provider: ClassVar[str] = "openrouter"
    ignored: ClassVar[tuple[str, ...]] = ("num_ctx", "keep_alive", "mmproj")

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
        # Routes where reasoning is optional want `enabled` beside the effort (WIRE §4a).
        return {"reasoning": {"effort": OPENAI_EFFORT_VALUES.get(effort, effort), "enabled": True}}

    def decoder(self, stream: bool) -> Decoder:
        return OpenRouterDecoder(stream, self.profile.provider or "", self.profile.name, self.model)

    def has_inline_reasoning(self) -> bool:
        return False  # it separates reasoning whatever the model, behind any address

    async def lacks_vision(self) -> bool:
        """The public model list tells which models take images."""
        try:
            mine = await self.find_model()
        except EasyLLMError:
            return False
        return mine is not None and mine.vision is False

    async def reasons(self) -> bool | None:
        mine = await self.find_model()
        return mine.reasoning if mine else None

    def matches_model(self, model_id: str) -> bool:
        """A route may stand behind the name: `vendor/model:nitro`."""
        return model_id in (self.model, self.model.partition(":")[0])

    async def check_key(self) -> None:
        """Its model list is public, its /key is not (WIRE §4h); a gateway's may lack it."""
        with suppress(NotFoundError):
            await self.request_json("GET", f"{self.endpoint.url}/key")

    async def no_vision_error(self) -> RefusedError:
        seeing = [one.id for one in await self.models() if one.vision][:5]
        return RefusedError(
            f"the model {self.model} takes no images", hint=f"ones that see: {', '.join(seeing)}"
        )

    async def add_hint(self, error: EasyLLMError) -> None:
        """Where it finds nobody to ask, the reason is not the model's name."""
        for words, hint in NO_ROUTE_HINTS.items():
            if isinstance(error, NotFoundError) and re.search(words, error.message, re.IGNORECASE):
                error.hint = hint
                return
        await super().add_hint(error)

    async def models(self) -> list[Model]:
        body = await self.request_json("GET", f"{self.endpoint.url}/models")
        return [_model_with_prices(row) for row in parse_model_rows(body, "data") if row.get("id")]


class OpenRouterDecoder(ChatDecoder):
    """Names the model that really answers when OpenRouter fell back to another."""

    def __init__(self, stream: bool, provider: str, profile: str, model: str) -> None:
        super().__init__(stream)
        self._start = Start(provider, model, profile)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        answering = body.get("model")
        # `vendor/model` may come back as `vendor/model:free` or with a date behind it.
        same = re.escape(self._start.model.partition(":")[0]) + r"(:.*|-\d{4}.*)?"
        if isinstance(answering, str) and answering and not re.fullmatch(same, answering):
            self._start = Start(self._start.provider, answering, self._start.profile)
            yield self._start
        yield from super().decode(body)


def _model_with_prices(row: dict[str, Any]) -> Model:
    """One row of the list; prices are strings in US dollars per token (WIRE §4f)."""
    basic = model_from_row(row)
    supported = row.get("supported_parameters")
    reasons = "reasoning" in supported if isinstance(supported, list) else None
    named = row.get("pricing")
    pricing: dict[str, Any] = named if isinstance(named, dict) else {}
    return Model(
        basic.id, basic.context, basic.vision, reasons,
        _price_per_million(pricing.get("prompt")), _price_per_million(pricing.get("completion")),
    )  # fmt: skip


def _price_per_million(price: Any) -> float | None:
    """A price per token as US dollars per million tokens; 0 is a price, None and -1 are none."""
    try:
        value = float(Decimal(str(price)) * MILLION)
    except (DecimalException, ValueError):  # no number, or one that nothing holds
        return None
    return value if 0 <= value < inf else None
