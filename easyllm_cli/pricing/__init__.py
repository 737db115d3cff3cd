"""What an answer cost, and who says so.

In this order: the provider's own figure; the setting `price`; the price table (`table.py`); nothing
for a model on this machine. What is unknown is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ConfigError
from ..events import Usage

if TYPE_CHECKING:
    from ..config.endpoints import Endpoint
    from ..config.profile import Profile
    from ..errors import EasyLLMError

PROVIDER, PROFILE, TABLE, LOCAL, CACHE = "provider", "profile", "table", "local", "cache"
# Of several attempts, the source that is the least certain is named.
LEAST_CERTAIN_FIRST = (TABLE, PROFILE, LOCAL, PROVIDER, CACHE)
# Ollama's names of models that run on its own servers, also behind an Ollama on this machine.
# https://docs.ollama.com/cloud
OLLAMA_CLOUD_SUFFIXES = ("-cloud", ":cloud")

# US dollars (a float, or a Decimal), and the source: `provider`, `profile`, `table VERSION`,
# `local` or `cache`. Both are None where the cost is unknown.
Cost = tuple[Any, str | None]
UNKNOWN: Cost = (None, None)


class AttemptUsage(Protocol):
    """One attempt: the profile that was asked, the model, and how it ended.

    `cost`: is set when it is priced, and not priced again once it is known.
    """

    cost: Cost

    @property
    def profile(self) -> Profile | None: ...
    @property
    def model(self) -> str: ...
    @property
    def usage(self) -> Usage | None: ...
    @property
    def error(self) -> EasyLLMError | None: ...
    @property
    def from_cache(self) -> bool: ...
    @property
    def has_output(self) -> bool: ...


def attempt_cost(usage: Usage | None, profile: Profile | None, model: str, time: float) -> Cost:
    """The cost of one attempt that began at `time` (seconds, as `time.time()`).

    `usage`: None = the attempt reported none. `profile`: None = nobody knows which it was.
    `model`: the one that answered.
    """
    # Imported here: an answer has loaded it, and `usage` reads prices without it.
    from ..config.endpoints import is_loopback, resolve_endpoint, runs_in_process

    if usage is not None and usage.cost_usd is not None:
        return usage.cost_usd, PROVIDER
    if profile is None:
        return UNKNOWN
    if profile.price is not None:
        from .table import cost_from_prices  # with decimal: not needed for a local model

        cost = cost_from_prices(profile.price, usage or Usage())
        return UNKNOWN if cost is None else (cost, PROFILE)
    try:
        endpoint = resolve_endpoint(profile)
    except ConfigError:  # a plugin's own endpoint
        return UNKNOWN
    if runs_in_process(profile.provider) or is_loopback(endpoint.url):
        return (0.0, LOCAL) if is_free(profile, endpoint, model) else UNKNOWN
    return UNKNOWN if usage is None else cost_from_table(usage, endpoint.url, model, time)


def cost_from_table(usage: Usage, url: str, model: str, time: float) -> Cost:
    """The cost by the price table, for an endpoint's base URL ("" = named by the model)."""
    from .table import find_model_prices

    prices = find_model_prices(url, model)
    cost = prices.cost(usage, time) if prices else None
    return UNKNOWN if cost is None or prices is None else (cost, f"{TABLE} {prices.version}")


def is_free(profile: Profile, endpoint: Endpoint, model: str) -> bool:
    """Whether a model behind an endpoint on this machine costs nothing.

    A server that is sent a key may be a gateway to a paid service, unless it is of a kind that
    users run themselves.
    """
    from ..config.credentials import has_key_source
    from ..vendors import get_vendor

    vendor = get_vendor(profile.provider)
    if vendor.adapter == "ollama":
        return not model.endswith(OLLAMA_CLOUD_SUFFIXES)
    is_run_by_users = bool(vendor.hosts) and not vendor.key_required
    return is_run_by_users or not has_key_source(profile, endpoint)


def total_cost(attempts: Iterable[AttemptUsage], time: float) -> tuple[float | None, str | None]:
    """The US dollars of all attempts together, and the least certain source among theirs.

    Both are None if the cost of one attempt is unknown; an attempt that failed before any output,
    and reported no usage, is left out.
    """
    costs: list[Cost] = []
    for attempt in attempts:
        if attempt.usage is None and attempt.error is not None and not attempt.has_output:
            continue
        if attempt.from_cache:
            attempt.cost = 0.0, CACHE
        if attempt.cost[0] is None:
            attempt.cost = attempt_cost(attempt.usage, attempt.profile, attempt.model, time)
        if attempt.cost[0] is None:
            return UNKNOWN
        costs.append(attempt.cost)
    if len(costs) == 1:
        return float(costs[0][0]), costs[0][1]
    if not costs:
        return UNKNOWN
    from decimal import Decimal

    total = sum(Decimal(str(dollars)) for dollars, _ in costs)
    return float(total), min((source for _, source in costs if source), key=_certainty)


def _certainty(source: str) -> int:
    return LEAST_CERTAIN_FIRST.index(source.partition(" ")[0])
