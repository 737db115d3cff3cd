"""The highest cost of a request, before it is sent: of the prompt, and of the longest answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from math import ceil, inf
from typing import Any

from ..config.endpoints import resolve_adapter
from ..config.profile import Profile
from ..config.setting_values import convert_form_value, has_type
from ..dollars import to_billionths
from ..errors import ConfigError
from ..events import Usage
from ..messages import Message
from ..pricing import attempt_cost
from .estimate import estimate_prompt_tokens

MILLION = 1_000_000
# Options for several answers to one prompt: each is paid for.
ANSWER_COUNT_OPTIONS = (
    "n", "best_of", "candidateCount", "candidate_count", "num_generations", "num_return_sequences",
)  # fmt: skip
# Options that replace the model or the messages, or make the provider add to the prompt what it
# keeps or finds: nobody can tell before how many tokens that is.
UNKNOWN_COST_OPTIONS = (
    "model", "models", "messages", "contents", "input", "prompt", "previous_response_id",
    "conversation", "cachedContent", "cached_content", "tools", "plugins", "connectors",
    "web_search", "web_search_options", "search_parameters", "enable_search",
)  # fmt: skip
# Options that change the price, which the setting `price` can name.
PRICE_OPTIONS = ("service_tier", "speed", "inference_geo", "modalities", "audio")


class HighestCost:
    """What one attempt may cost, in billionths of a US dollar.

    `model`: the one that is asked; the profile's `fallback_models` may answer instead.
    Raises:
        ConfigError: no price is known, or an option has a cost that nobody can tell before.
    """

    def __init__(self, profile: Profile, model: str, messages: Iterable[Message]) -> None:
        self._profile = profile
        self._models = [model, *(profile.fallback_models or [])]
        # litellm's fallback models are asked one after the other, and each may be billed.
        self.adds_models = resolve_adapter(profile) == "litellm"
        messages, options = list(messages), profile.options or {}
        self._prompt_tokens = estimate_prompt_tokens(messages, profile.schema, options)
        parts = [part for message in messages for part in message.parts]
        self._writes_cache = "cache_control" in options or any(
            getattr(part, "cache_control", None) for part in parts
        )
        self._answers = 1
        self.is_free = not self.of(MILLION)
        if not self.is_free:
            self._refuse_unknown_costs()
            self._answers = max([1, *self._answer_counts()])

    def of(self, answer_tokens: int) -> int:
        """The highest cost with an answer of so many tokens, of all models that may answer."""
        costs = [self.of_model(model, answer_tokens) for model in self._models]
        return sum(costs) if self.adds_models else max(costs)

    def of_model(self, model: str, answer_tokens: int) -> int:
        """The highest cost where this model answers. Reasoning may have a price of its own."""
        prompt = self._prompt_tokens
        usages = [
            Usage(prompt_tokens=prompt, completion_tokens=answer_tokens),
            Usage(prompt, answer_tokens, reasoning_tokens=answer_tokens),
        ]
        if self._writes_cache:
            usages.append(Usage(prompt, answer_tokens, cache_write_tokens=prompt))
        return self._answers * max(self._price(model, usage) for usage in usages)

    def _price(self, model: str, usage: Usage) -> int:
        dollars, _ = attempt_cost(usage, self._profile, model, time.time())
        if dollars is None:
            from ..pricing.update import try_update  # takes 0.2 s, once for a version

            try_update()
            dollars, _ = attempt_cost(usage, self._profile, model, time.time())
        if dollars is None:
            raise ConfigError(
                f"a budget is set, and no price is known for {model or 'the model'}",
                where=f"profile {self._profile.name}",
                hint="pass trust_configs=True to believe the dict's price"
                if self._profile.untrusted
                else "set price in the profile: price = { input = 0.15, output = 0.6 }, both 0 for "
                "a free model",
            )
        return to_billionths(dollars)

    def _refuse_unknown_costs(self) -> None:
        has_own_price = self._profile.price is not None
        refused = [*UNKNOWN_COST_OPTIONS, *(() if has_own_price else PRICE_OPTIONS)]
        options = self._profile.options or {}
        extra = options.get("extra_body")
        for table in (options, extra if isinstance(extra, Mapping) else {}):
            for name in refused:
                if table.get(name):
                    raise self._option_error(name, "what it costs cannot be told before")

    def _answer_counts(self) -> Iterator[int]:
        """How many answers the options ask for. A text may be a number, too."""
        options = self._profile.options or {}
        nested = [table for table in options.values() if isinstance(table, Mapping)]
        for table in (options, *nested):
            for name in ANSWER_COUNT_OPTIONS:
                if table.get(name) is not None:
                    yield self._parse_count(name, table[name])

    def _parse_count(self, name: str, value: Any) -> int:
        number: float = convert_form_value(value, "float")
        if not has_type(number, "float") or not 0 <= number < inf:
            raise self._option_error(name, "it is no number of answers")
        return ceil(number)

    def _option_error(self, name: str, why: str) -> ConfigError:
        return ConfigError(
            f"a budget is set, and an option does not go with it: {name} ({why})",
            where=f"profile {self._profile.name}",
            code="options",
            hint="leave it out",
        )
