"""The cost of a usage: who says it, how it is computed, and when it is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError, NetworkError
from easyllm_cli.events import Retrying, Start, Usage
from easyllm_cli.pipeline.call import Call
from easyllm_cli.pricing import Cost, attempt_cost, total_cost
from easyllm_cli.pricing.table import cost_from_prices
from easyllm_cli.providers import provider_for

NOW = 1_790_000_000.0
USAGE = Usage(prompt_tokens=1000, completion_tokens=500)
PRICE = {"input": 1, "output": 2}
PAID = {"provider": "openai", "model": "m"}
HERE = "http://127.0.0.1:4000/v1"


def profile(**settings: Any) -> Profile:
    return Profile.of({**PAID, **settings})


@pytest.mark.parametrize("dollars", [0.25, 0.0])
@pytest.mark.parametrize("settings", [{}, {"price": PRICE}, {"endpoint": HERE}], ids=str)
def test_cost_2_the_providers_own_figure_wins(settings: dict[str, Any], dollars: float) -> None:
    usage = Usage(1000, 500, cost_usd=dollars)
    assert attempt_cost(usage, profile(**settings), "m", NOW) == (dollars, "provider")


def test_the_setting_price_comes_before_local() -> None:
    own = profile(endpoint=HERE, price=PRICE)
    assert attempt_cost(USAGE, own, "m", NOW) == (Decimal("0.002"), "profile")


@pytest.mark.parametrize(
    ("settings", "model", "free"),
    [
        ({"provider": "ollama"}, "llama3.2", True),
        ({"provider": "ollama"}, "gpt-oss:120b-cloud", False),
        ({"provider": "ollama", "endpoint": "http://gpu.example:11434"}, "llama3.2", False),
        ({"provider": "local"}, "demo", True),
        ({"provider": "vllm", "api_key_env": "K"}, "m", True),
        ({"endpoint": HERE}, "m", True),
        ({"endpoint": HERE, "api_key_env": "K"}, "m", False),  # may be a gateway
        ({}, "m", False),
        ({"provider": "example-plugin"}, "m", False),
    ],
    ids=str,
)
def test_only_a_model_on_this_machine_is_free(
    settings: dict[str, Any], model: str, free: bool
) -> None:
    expected = (0, "local") if free else (None, None)
    assert attempt_cost(USAGE, profile(**settings), model, NOW) == expected
    assert attempt_cost(None, profile(**settings), model, NOW) == expected


@pytest.mark.parametrize(
    "usage",
    [None, Usage(), Usage(prompt_tokens=5), Usage(completion_tokens=5), Usage(total_tokens=5)],
    ids=str,
)
def test_cost_1_missing_counts_are_unknown_and_not_0(usage: Usage | None) -> None:
    assert attempt_cost(usage, profile(price=PRICE), "m", NOW) == (None, None)
    free = profile(price={"input": 0, "output": 0})
    assert attempt_cost(usage, free, "m", NOW) == (0, "profile")


# Prices and rules as the providers' pages had them in November 2026.
PUBLISHED: dict[str, tuple[dict[str, Any], Usage, str]] = {
    # https://openai.com/api/pricing: cached input
    "openai": (
        {"input": "2.5", "output": "10", "cached": "1.25"},
        Usage(2000, 300, cached_tokens=1536),
        "0.00608",  # (464 x 2.5 + 1536 x 1.25 + 300 x 10) / 1,000,000
    ),
    # https://docs.claude.com/en/docs/about-claude/pricing: writes x 1.25, reads x 0.1
    "anthropic": (
        {"input": "3", "output": "15", "cached": "0.3", "cache_write": "3.75"},
        Usage(10_000, 1_000, cached_tokens=6_000, cache_write_tokens=3_000),
        "0.03105",  # (1000 x 3 + 6000 x 0.3 + 3000 x 3.75 + 1000 x 15) / 1,000,000
    ),
    # https://ai.google.dev/gemini-api/docs/pricing: prompts above 200k tokens
    "gemini, below the tier": (
        {"input": ["1.25", [200_000, "2.5"]], "output": ["10", [200_000, "15"]]},
        Usage(200_000, 1_000),
        "0.26",
    ),
    "gemini, above the tier": (
        {"input": ["1.25", [200_000, "2.5"]], "output": ["10", [200_000, "15"]]},
        Usage(200_001, 1_000),
        "0.5150025",  # all tokens at the tier's price
    ),
    # https://api-docs.deepseek.com/quick_start/pricing: cache hits; reasoning is output
    "deepseek": (
        {"input": "0.28", "output": "0.42", "cached": "0.028"},
        Usage(1_000, 900, cached_tokens=640, reasoning_tokens=800),
        "0.00049672",
    ),
    # https://docs.perplexity.ai/getting-started/pricing: a fee for each request
    "perplexity": ({"input": "1", "output": "1", "request": "0.005"}, Usage(100, 50), "0.00515"),
    # https://docs.perplexity.ai/getting-started/pricing: reasoning has a price of its own
    "perplexity, reasoning": (
        {"input": "2", "output": "8", "reasoning": "3"},
        Usage(100, 1_000, reasoning_tokens=900),
        "0.0037",
    ),
    # https://docs.x.ai/docs/models: no price for writes to the cache, which cost as input
    "xai": (
        {"input": "0.2", "output": "0.5", "cached": "0.05"},
        Usage(1_000, 10, cached_tokens=100, cache_write_tokens=200),
        "0.00019",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_cost_3_as_the_providers_publish_it(name: str) -> None:
    prices, usage, dollars = PUBLISHED[name]
    assert cost_from_prices(prices, usage) == Decimal(dollars)


def test_counts_that_contradict_each_other_never_lower_the_cost_below_0() -> None:
    usage = Usage(10, 5, cached_tokens=100, reasoning_tokens=50)
    prices = {"input": "1", "output": "4", "cached": "0", "reasoning": "1"}
    assert cost_from_prices(prices, usage) == Decimal("0.000005")


@dataclass
class Attempt:
    name: str
    usage: Usage | None = None
    error: EasyLLMError | None = None
    model: str = "m"
    from_cache: bool = False
    has_output: bool = False
    cost: Cost = (None, None)

    @property
    def profile(self) -> Profile | None:
        return PROFILES.get(self.name)


PROFILES = {
    "own": profile(price=PRICE),
    "here": profile(endpoint=HERE),
    "router": profile(provider="openrouter"),
    "unknown": profile(provider="alibailian"),
}
FAILED = NetworkError("the connection was dropped")
ASKED: list[tuple[list[Attempt], Any, str | None]] = [
    ([], None, None),
    ([Attempt("own", USAGE)], 0.002, "profile"),
    ([Attempt("own", USAGE, FAILED), Attempt("own", USAGE)], 0.004, "profile"),
    ([Attempt("own", None, FAILED), Attempt("own", USAGE)], 0.002, "profile"),
    ([Attempt("own", None, FAILED, has_output=True), Attempt("own", USAGE)], None, None),
    ([Attempt("own", USAGE, FAILED), Attempt("own")], None, None),  # answered, and counted nothing
    ([Attempt("own", USAGE, FAILED), Attempt("here")], 0.002, "profile"),
    ([Attempt("own", USAGE), Attempt("router", Usage(1, 1, cost_usd=0.1))], 0.102,
     "profile"),
    ([Attempt("unknown", USAGE, FAILED), Attempt("own", USAGE)], None, None),
    ([Attempt("gone", USAGE)], None, None),
    ([Attempt("gone", Usage(1, 1, cost_usd=0.5))], 0.5, "provider"),
    ([Attempt("here", None, FAILED)], None, None),
    ([Attempt("own", USAGE, from_cache=True)], 0.0, "cache"),
    ([Attempt("own", USAGE, FAILED), Attempt("own", USAGE, from_cache=True)], 0.002, "profile"),
]  # fmt: skip


@pytest.mark.parametrize(("attempts", "dollars", "source"), ASKED)
def test_cost_1_several_attempts_count_and_one_unknown_makes_the_sum_unknown(
    attempts: list[Attempt], dollars: float | None, source: str | None
) -> None:
    assert total_cost(attempts, NOW) == (dollars, source)


def test_two_profiles_of_one_name_have_their_own_prices() -> None:
    """Two dicts of the library have no name, and each attempt keeps the profile that it asked."""
    call = Call([])
    for price in ({"input": 1, "output": 1}, {"input": 100, "output": 100}):
        call.source = provider_for(profile(price=price, api_key="k"))
        call.record(Start("openai", "m", "openai"))
        call.record(Usage(1_000_000, 1_000_000))
        call.record(Retrying(2, 0.0, "busy"))
    call.attempts.pop()
    assert total_cost(call.attempts, NOW) == (202.0, "profile")
    assert [attempt.cost[0] for attempt in call.attempts] == [2, 200]


def test_a_cost_that_is_known_is_not_computed_again() -> None:
    attempt = Attempt("own", USAGE, cost=(Decimal("0.5"), "table x"))
    assert total_cost([attempt], NOW) == (0.5, "table x")
