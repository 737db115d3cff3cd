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
from .model_list import model_of, rows
from .openai.chat import OpenAIProvider
from .openai.chat_decoder import ChatDecoder
from .openai.reasoning_params import EFFORT_WORDS

# Why no provider of a model may be asked (404), and what to do.
UNROUTED = {
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

    def names_on_the_wire(self) -> Mapping[str, str]:
        return {**super().names_on_the_wire(), "max_tokens": "max_tokens"}

    def request(self, messages: list[Message], stream: bool) -> Request:
        request = super().request(messages, stream)
        models = list(dict.fromkeys([self.model, *(self.profile.fallback_models or ())]))
        if len(models) > 1 and request.body is not None:
            request.body["models"] = models
        return request

    def thinking(self) -> dict[str, Any]:
        effort = self.profile.reasoning
        if effort is None:
            return {"reasoning": {"enabled": True}} if self.profile.think else {}
        if effort == "off":
            return {"reasoning": {"effort": "none"}}
        # Routes where reasoning is optional want `enabled` beside the effort (WIRE §4a).
        return {"reasoning": {"effort": EFFORT_WORDS.get(effort, effort), "enabled": True}}

    def decoder(self, stream: bool) -> Decoder:
        return OpenRouterDecoder(stream, self.profile.provider or "", self.profile.name, self.model)

    def holds_text(self) -> bool:
        return False  # it separates reasoning whatever the model, behind any address

    async def blind(self) -> bool:
        """The public model list tells which models take images."""
        try:
            mine = await self.listed()
        except EasyLLMError:
            return False
        return mine is not None and mine.vision is False

    async def reasons(self) -> bool | None:
        mine = await self.listed()
        return mine.reasoning if mine else None

    def is_mine(self, listed: str) -> bool:
        """A route may stand behind the name: `vendor/model:nitro`."""
        return listed in (self.model, self.model.partition(":")[0])

    async def try_key(self) -> None:
        """Its model list is public, its /key is not (WIRE §4h); a gateway's may lack it."""
        with suppress(NotFoundError):
            await self.ask("GET", f"{self.endpoint.url}/key")

    async def refuse_images(self) -> RefusedError:
        seeing = [one.id for one in await self.models() if one.vision][:5]
        return RefusedError(
            f"the model {self.model} takes no images", hint=f"ones that see: {', '.join(seeing)}"
        )

    async def explain(self, error: EasyLLMError) -> None:
        """Where it finds nobody to ask, the reason is not the model's name."""
        for words, hint in UNROUTED.items():
            if isinstance(error, NotFoundError) and re.search(words, error.message, re.IGNORECASE):
                error.hint = hint
                return
        await super().explain(error)

    async def models(self) -> list[Model]:
        body = await self.ask("GET", f"{self.endpoint.url}/models")
        return [_described(row) for row in rows(body, "data") if row.get("id")]


class OpenRouterDecoder(ChatDecoder):
    """Names the model that really answers when OpenRouter fell back to another."""

    def __init__(self, stream: bool, provider: str, profile: str, model: str) -> None:
        super().__init__(stream)
        self._asked = Start(provider, model, profile)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        answering = body.get("model")
        # `vendor/model` may come back as `vendor/model:free` or with a date behind it.
        same = re.escape(self._asked.model.partition(":")[0]) + r"(:.*|-\d{4}.*)?"
        if isinstance(answering, str) and answering and not re.fullmatch(same, answering):
            self._asked = Start(self._asked.provider, answering, self._asked.profile)
            yield self._asked
        yield from super().decode(body)


def _described(row: dict[str, Any]) -> Model:
    """One row of the list; prices are strings in US dollars per token (WIRE §4f)."""
    basic = model_of(row)
    supported = row.get("supported_parameters")
    reasons = "reasoning" in supported if isinstance(supported, list) else None
    named = row.get("pricing")
    pricing: dict[str, Any] = named if isinstance(named, dict) else {}
    return Model(
        basic.id, basic.context, basic.vision, reasons,
        _per_million(pricing.get("prompt")), _per_million(pricing.get("completion")),
    )  # fmt: skip


def _per_million(price: Any) -> float | None:
    """A price per token as US dollars per million tokens; 0 is a price, None and -1 are none."""
    try:
        value = float(Decimal(str(price)) * MILLION)
    except (DecimalException, ValueError):  # no number, or one that nothing holds
        return None
    return value if 0 <= value < inf else None
