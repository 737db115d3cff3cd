"""The price table: it gives what the package genai-prices computes, for every model in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider
from genai_prices.types import Usage as PackageUsage

from easyllm_cli.events import Usage
from easyllm_cli.pricing import table
from easyllm_cli.private_file import write_private_file

NOW = datetime(2026, 11, 29, tzinfo=UTC)
# prompt, completion, cached, cache_write, reasoning
COUNTS = [
    (1_000, 100, 0, 0, 0),
    (150_000, 3_000, 20_000, 50_000, 2_000),
    (300_001, 7, 300_001, 0, 0),
]

pytestmark = pytest.mark.usefixtures("price_table")


def models() -> Iterator[tuple[Provider, ModelInfo, table.ModelPrices]]:
    index = table.read_index()
    assert index is not None
    for provider in providers:
        rows = table._read_rows(index, provider.id)
        for model, row in zip(provider.models, rows, strict=False):
            yield provider, model, table.ModelPrices(provider.id, index["version"], row)


def package_cost(provider: Provider, model: ModelInfo, usage: Any, time: datetime) -> Any:
    """What the package computes; over all hours where the price depends on the time of day."""
    timed = isinstance(model.prices, list) and any(
        hasattr(each.constraint, "start_time") for each in model.prices
    )
    times = [time + timedelta(hours=hour) for hour in range(24)] if timed else [time]
    return max(
        model.calc_price(usage, provider, genai_request_timestamp=each).total_price
        for each in times
    )


@pytest.mark.parametrize("time", [NOW, datetime(2024, 6, 1, tzinfo=UTC)], ids=str)
def test_cost_3_every_model_costs_what_the_package_computes(time: datetime) -> None:
    compared = 0
    for provider, model, prices in models():
        for counts in COUNTS:
            prompt, completion, cached, written, reasoning = counts
            cost = prices.cost(
                Usage(
                    prompt, completion, cached_tokens=cached, cache_write_tokens=written,
                    reasoning_tokens=reasoning,
                ),
                time.timestamp(),
            )  # fmt: skip
            if cost is None:  # a model that is not priced by tokens of text, or gives none
                continue
            usage = PackageUsage(
                input_tokens=prompt, output_tokens=completion, cache_read_tokens=cached,
                cache_write_tokens=written, output_reasoning_tokens=reasoning,
            )  # fmt: skip
            expected = package_cost(provider, model, usage, time)
            assert abs(cost - expected) < Decimal("1e-9"), f"{provider.id} {model.id}"
            compared += 1
    assert compared > 5_000


def test_a_name_means_the_model_that_the_package_finds() -> None:
    index = table.read_index()
    assert index is not None
    for provider, model, _ in [*models()][::9]:
        found = table.find_in_provider(index, provider.id, model.id)
        expected = provider.find_model(model.id)
        assert (found and found.id) == (expected and expected.id), f"{provider.id} {model.id}"


NAMES = [
    ("https://api.openai.com/v1", "gpt-4o-mini-2024-07-18", "openai", "gpt-4o-mini"),
    ("https://api.openai.com/v1", "GPT-4o", "openai", "gpt-4o"),
    ("https://example.openai.azure.com/openai/v1", "gpt-4o", "azure", "gpt-4o"),
    ("https://generativelanguage.googleapis.com/v1beta", "models/gemini-2.5-pro", "google",
     "gemini-2.5-pro"),
    ("https://api.anthropic.com", "claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5"),
    ("https://openrouter.ai/api/v1", "openai/gpt-4o", "openrouter", "openai/gpt-4o"),
    ("https://api.x.ai/v1", "grok-4", "x-ai", "grok-4-0709"),
    ("", "openai/gpt-4o", "openai", "gpt-4o"),
    ("", "gemini/gemini-2.5-pro", "google", "gemini-2.5-pro"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "model", "provider", "id"), NAMES)
def test_a_model_is_found_by_endpoint_and_name(
    url: str, model: str, provider: str, id: str
) -> None:
    found = table.find_model_prices(url, model)
    assert found is not None
    assert (found.provider, found.id) == (provider, id)


@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("https://api.openai.com/v1", "no-such-model"),
        ("https://llm.example.com/v1", "gpt-4o"),  # another seller may ask another price
        ("https://api.openai.com.example.org/v1", "gpt-4o"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen-plus"),  # not in the table
        ("", "gpt-4o"),
        ("", "unknown/gpt-4o"),
    ],
)
def test_cost_1_an_unknown_model_has_no_price(url: str, model: str) -> None:
    assert table.find_model_prices(url, model) is None


def test_a_damaged_table_is_no_table(
    price_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = table.prices_folder()
    folder.mkdir(parents=True)
    asked = ("https://api.openai.com/v1", "gpt-4o")
    for text in ("", "[]", "{}", '{"form": 0}', '{"form": 1, "version": "9"'):
        (folder / table.INDEX_FILE_NAME).write_text(text, "utf-8")
        assert table.find_model_prices(*asked) is None
    good = (price_table / "easyllm/prices" / table.INDEX_FILE_NAME).read_text("utf-8")
    (folder / table.INDEX_FILE_NAME).write_text(good, "utf-8")
    assert table.find_model_prices(*asked) is None  # its provider's file is missing
    rows = folder / json.loads(good)["version"] / "openai.json"
    rows.parent.mkdir()
    for models in ("5", "[5]", '[{"match": ["sounds_like", "x"]}]', '[{"match": ["regex", "("]}]'):
        rows.write_text(f'{{"models": {models}}}', "utf-8")
        table._read_models.cache_clear()
        assert table.find_model_prices(*asked) is None
    broken = table.ModelPrices("p", "1", {"id": "m", "prices": [{"input": "much"}]})
    assert broken.cost(Usage(1, 1), 0) is None


DATED = table.ModelPrices("p", "1", {
    "id": "m",
    "prices": [
        {"input": "1", "output": "1"},
        {"daily": True, "input": "9", "output": "9"},
        {"from": "2026-03-01", "input": "2", "output": "2"},
        {"daily": True, "input": "1", "output": "4"},
        {"from": "2027-01-01", "input": "3", "output": "3"},
    ],
})  # fmt: skip


@pytest.mark.parametrize(
    ("day", "prompt", "completion", "dollars"),
    [
        (datetime(2026, 2, 28, 23, 59, tzinfo=UTC), 1, 0, 9),  # the dearest time of day
        (datetime(2026, 3, 1, tzinfo=UTC), 1, 0, 2),  # begun: what stood before it is over
        (datetime(2026, 3, 1, tzinfo=UTC), 1, 1, 5),
        (datetime(2027, 1, 1, tzinfo=UTC), 1, 1, 6),
    ],
)
def test_cost_3_the_newest_price_that_has_begun(
    day: datetime, prompt: int, completion: int, dollars: int
) -> None:
    usage = Usage(prompt * 1_000_000, completion * 1_000_000)
    assert DATED.cost(usage, day.timestamp()) == dollars


def test_the_index_is_parsed_once_for_each_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    index_path = table.prices_folder() / table.INDEX_FILE_NAME
    for version in ("1", "2"):
        content = {"form": table.FORM, "version": version}
        write_private_file(index_path, json.dumps(content).encode())
        before = table._parse_index.cache_info().misses
        assert [table.read_index() for _ in range(3)] == [content] * 3
        assert table._parse_index.cache_info().misses == before + 1
