"""The price table: finds a model's prices in it, and computes the cost of a usage.

The table is a folder of JSON files made by `update.py`: `current.json` names the version and says
which provider belongs to an endpoint; `VERSION/PROVIDER.json` lists a provider's models. Prices are
decimal numbers in text, in US dollars per million tokens.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..config.paths import data_folder
from ..events import Usage

FORM = 1  # of the files; a table of another form is made again
MILLION = Decimal(1_000_000)
NOTHING = Decimal(0)
INDEX_FILE_NAME = "current.json"
# A file that is missing, cannot be read or holds something else; no home folder.
UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError,
    re.error,
)  # fmt: skip
COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=[-:]|$)")
# One price, or [the price below all tiers, [tokens of the prompt, the price above them], …].
Price = str | list[Any]


class ModelPrices:
    """What the table says about one model of a provider.

    `version`: of the table. `context`: the model's context window in tokens, None = unknown.
    """

    def __init__(self, provider: str, version: str, row: Mapping[str, Any]) -> None:
        self.provider = provider
        self.version = version
        self.id: str = row["id"]
        self.context: int | None = row.get("context")
        self._entries: list[dict[str, Any]] = row["prices"]

    def entries_at(self, time: float) -> list[dict[str, Any]]:
        """The prices that may apply at a time (in seconds, as `time.time()`).

        It is the newest that has begun by then, and each price of a time of day that was added
        after it. Keys: those of the setting `price`, `reasoning`, and `request` (US dollars for
        one request); a price is missing where the table has none.
        """
        today = datetime.fromtimestamp(time, UTC).date().isoformat()
        chosen: list[dict[str, Any]] = []
        for entry in self._entries:
            if entry.get("daily"):
                chosen.append(entry)
            elif entry.get("from", "") <= today or not chosen:
                chosen = [entry]
        return chosen

    def cost(self, usage: Usage, time: float) -> Decimal | None:
        """The cost in US dollars at a time; None = a count or a price is missing.

        Where the price depends on the time of day it is the highest of that day.
        """
        try:
            costs = [cost_from_prices(entry, usage) for entry in self.entries_at(time)]
        except UNREADABLE:
            return None
        known = [cost for cost in costs if cost is not None]
        return max(known) if known and len(known) == len(costs) else None

    def dollars(self, key: str, time: float, prompt_tokens: int = 0) -> float | None:
        """The highest price of `key` at a time, in US dollars per million tokens.

        `prompt_tokens`: the size of the prompt, for a price with tiers. None = no such price.
        """
        prices = [
            price_at_prompt_size(entry.get(key), prompt_tokens) for entry in self.entries_at(time)
        ]
        known = [price for price in prices if price is not None]
        return float(max(known)) if known else None

    def tiers(self, time: float) -> list[int]:
        """The sizes of the prompt, in tokens, above which other prices apply."""
        prices = [price for entry in self.entries_at(time) for price in entry.values()]
        return sorted(
            {tier[0] for price in prices if isinstance(price, list) for tier in price[1:]}
        )


def cost_from_prices(prices: Mapping[str, Any], usage: Usage) -> Decimal | None:
    """The cost of a usage in US dollars; None = a count or a price that it needs is missing.

    `prices`: as the setting `price`, or an entry of the table. Tokens read from the provider's
    cache and written to it are part of the prompt's, and cost as much where they have no price.
    Reasoning is part of the completion.
    """
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    total = MILLION * (price_at_prompt_size(prices.get("request"), 0) or NOTHING)
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    plain = None if prompt is None else max(0, prompt - cached - written)
    reasoning = min(usage.reasoning_tokens or 0, completion or 0) if "reasoning" in prices else 0
    rest = None if completion is None else completion - reasoning
    for key, instead, tokens in (
        ("input", None, plain),
        ("cached", "input", cached),
        ("cache_write", "input", written),
        ("output", None, rest),
        ("reasoning", None, reasoning),
    ):
        raw = prices.get(key, prices.get(instead or key))
        dollars = price_at_prompt_size(raw, prompt)
        if tokens == 0 or dollars == 0:
            continue
        if tokens is None or dollars is None:
            return None
        total += dollars * tokens
    return total / MILLION


def price_at_prompt_size(price: Price | float | None, prompt_tokens: int | None) -> Decimal | None:
    """The price per million tokens of a prompt of this size; None = unknown.

    A tier applies to the whole request.
    """
    if not isinstance(price, list):
        return None if price is None else Decimal(str(price))
    first, *tiers = price
    if prompt_tokens is None:
        return None
    for above, tier_price in tiers:
        if prompt_tokens > above:
            first = tier_price
    return Decimal(first)


def find_model_prices(url: str, model: str) -> ModelPrices | None:
    """Look up a model by the endpoint's base URL; None = no table, or not in it.

    Without a URL, as with litellm, the model's name begins with the provider: `openai/gpt-4o`.
    """
    index = read_index()
    if index is None:
        return None
    try:
        if url:
            provider = _provider_at(index, url)
        else:
            name, _, model = model.partition("/")
            provider = index["names"].get(name)
        return find_in_provider(index, provider, model) if provider else None
    except UNREADABLE:
        return None


def find_at_every_provider(model: str) -> list[ModelPrices]:
    """What each provider of the table says about a model of this name; [] = no table, or unknown.

    A provider before a slash is left out for the others: `openai/gpt-4o` is OpenAI's `gpt-4o`.
    """
    index = read_index()
    if index is None:
        return []
    vendor, slash, name = model.partition("/")
    owner = index["names"].get(vendor) if slash else None
    found = [
        find_in_provider(index, provider, name if provider == owner else model)
        for provider in sorted({*index["names"].values()})
    ]
    return [prices for prices in found if prices is not None]


def read_index() -> dict[str, Any] | None:
    """The content of `current.json`; None = there is no table of this form."""
    try:
        path = prices_folder() / INDEX_FILE_NAME
        status = os.stat(path)
        index = _parse_index(path, status.st_ino, status.st_mtime_ns)
        return index if index["form"] == FORM else None
    except UNREADABLE:
        return None


@lru_cache(maxsize=1)  # a list of models looks up each one
def _parse_index(path: Path, inode: int, changed_at: int) -> dict[str, Any]:
    """The content of a version of the file; a new version replaces it, and is another inode."""
    index: dict[str, Any] = json.loads(path.read_bytes())
    return index


def prices_folder() -> Path:
    """The folder of the table: `prices` in the data folder.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    return data_folder() / "prices"


def _provider_at(index: Mapping[str, Any], url: str) -> str | None:
    """The table's provider of an endpoint."""
    host = urlsplit(url).hostname or ""
    known: str | None = index["hosts"].get(host)
    if known is not None:
        return known or None
    for pattern, provider in index["patterns"]:
        match = re.match(pattern, url)
        if match and _ends_a_host(url, match.end()):
            return str(provider)
    return None


def _ends_a_host(url: str, end: int) -> bool:
    """Whether what a pattern matched ends where a host ends: not `api.openai.com.evil.example`.

    A pattern that ends with a dot leaves the last part of the host open.
    """
    return url[end : end + 1] in ("", "/", ":", "?") or url[end - 1] in "/."


def find_in_provider(index: Mapping[str, Any], provider: str, model: str) -> ModelPrices | None:
    """Look up a model among those of one provider of the table; None = not in it."""
    wanted = model.lower().removeprefix("models/")  # as Gemini's REST API lists them
    rows = _read_rows(index, provider)
    for name in dict.fromkeys((wanted, COMPACT_DATE.sub(r"-\1-\2-\3", wanted))):
        for row in rows:
            if matches_clause(row["match"], name):
                return ModelPrices(provider, index["version"], row)
    return None


def _read_rows(index: Mapping[str, Any], provider: str) -> list[dict[str, Any]]:
    """The models of a provider; none when its file cannot be read."""
    try:
        return _read_models(prices_folder() / index["version"] / f"{provider}.json")
    except UNREADABLE:
        return []


@lru_cache(maxsize=4)  # a list of models looks up each one
def _read_models(path: Path) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads(path.read_bytes())["models"]
    return models


def matches_clause(clause: list[Any], name: str) -> bool:
    """Whether a model's name, in lower case, fits a clause such as ["starts_with", "gpt-4o"]."""
    kind, *rest = clause
    if kind == "or":
        return any(matches_clause(part, name) for part in rest)
    if kind == "and":
        return all(matches_clause(part, name) for part in rest)
    word: str = rest[0]
    if kind == "regex":
        return re.search(word, name) is not None
    return {
        "equals": name == word,
        "starts_with": name.startswith(word),
        "ends_with": name.endswith(word),
        "contains": word in name,
    }[kind]
