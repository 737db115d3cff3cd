"""Makes the price table from the installed package genai-prices, once per version.

The package's data is a list of Python objects (https://github.com/pydantic/genai-prices), and
importing it takes longer than a short answer. So it is read when nobody waits for an answer, and
written as one small JSON file for each provider (`table.py`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import ConfigError, OutputError
from ..private_file import lock_file, replace_file, write_private_file
from ..vendors import VENDORS
from .table import FORM, INDEX_FILE_NAME, prices_folder, read_index

PACKAGE = "genai-prices"
# The table's key: the package's name of a price per million tokens.
TOKEN_PRICES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}
# litellm's names of providers that the package lists under another name.
# https://docs.litellm.ai/docs/providers
LITELLM_NAMES = {
    "bedrock": "aws", "fireworks_ai": "fireworks", "gemini": "google", "moonshot": "moonshotai",
    "together_ai": "together", "vertex_ai": "google", "xai": "x-ai",
}  # fmt: skip


def try_update() -> str:
    """Make the table if needed; return a note for the user if it cannot be made, else ""."""
    try:
        update_price_table()
    except (ConfigError, OutputError) as error:
        return f"no new price table: {error}"
    return ""


def update_price_table() -> bool:
    """Make the table if there is none of the installed version; return whether it was made.

    Several processes at once make it once. A table of a newer version than the installed one is
    kept, because another installation of easyllm may share the folder.

    Raises:
        ConfigError: the package cannot be read.
        OutputError: the table cannot be written.
    """
    source = _describe_package_file()
    if not _is_outdated(source):
        return False
    try:
        folder = prices_folder()
    except RuntimeError as error:
        raise OutputError(f"the price table cannot be written: {error}") from None
    with lock_file(folder / INDEX_FILE_NAME) as index_path:
        if _is_outdated(source):  # another process may have made it meanwhile
            _write_table(index_path, source)
            return True
    return False


def _describe_package_file() -> str:
    """Time and size of the package's data file, without importing it.

    Raises:
        ConfigError: the package is not installed.
    """
    spec = find_spec("genai_prices")
    try:
        status = os.stat(Path(spec.submodule_search_locations[0]) / "data.py")  # type: ignore
    except (AttributeError, TypeError, IndexError, OSError):
        raise ConfigError(
            f"the package {PACKAGE} is missing", hint="install easyllm-cli again"
        ) from None
    return f"{status.st_mtime_ns} {status.st_size}"


def _is_outdated(source: str) -> bool:
    """Whether the table is missing, or older than the installed package."""
    index = read_index()
    if index is None:
        return True
    return index["source"] != source and _version_key(index["version"]) <= _version_key(
        installed_version()
    )


def installed_version() -> str:
    """The version of the installed package."""
    from importlib.metadata import version

    return version(PACKAGE)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _write_table(index_path: Path, source: str) -> None:
    """Write the providers' files, then the index that names them; remove older versions.

    Raises:
        ConfigError: the package's data has another form.
        OutputError: a file cannot be written.
    """
    from shutil import rmtree

    version = installed_version()
    try:
        providers, index = _read_package()
    except Exception as error:  # whatever a later version of the package does
        raise ConfigError(
            f"the package {PACKAGE} {version} cannot be read: {error}",
            hint="install the version that easyllm-cli asks for",
        ) from None
    index = {"form": FORM, "version": version, "source": source, **index}
    folder = index_path.parent / version
    try:
        for name, models in providers.items():
            content = json.dumps({"provider": name, "models": models}, separators=(",", ":"))
            write_private_file(folder / f"{name}.json", content.encode())
    except OSError as error:
        raise OutputError.from_os_error(
            "the price table cannot be written", error, str(folder)
        ) from None
    replace_file(index_path, json.dumps(index).encode())
    for other in index_path.parent.iterdir():
        if other.is_dir() and other != folder:
            with suppress(OSError):
                rmtree(other)


def _read_package() -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Each provider's models as the table has them, and the parts of the index."""
    from genai_prices.data import providers

    by_id = {provider.id: provider for provider in providers}
    models = {name: list(map(_model_row, provider.models)) for name, provider in by_id.items()}
    for name, provider in by_id.items():
        for other in provider.fallback_model_providers or ():
            models[name] += map(_model_row, by_id[other].models)
    patterns = [(provider.api_pattern, provider.id) for provider in providers]
    names = {name: name for name in by_id} | LITELLM_NAMES
    return models, {"hosts": _map_hosts(patterns), "patterns": patterns, "names": names}


def _map_hosts(patterns: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The table's provider of each built-in vendor's hosts; "" = not in the table.

    Matching the patterns of all providers takes longer than reading the table.
    """
    patterns = list(patterns)
    return {
        host: next(
            (name for pattern, name in patterns if re.match(pattern, f"https://{host}/")), ""
        )
        for vendor in VENDORS.values()
        for host in vendor.hosts
    }


def _model_row(model: Any) -> dict[str, Any]:
    """One model: id, context, how its names look, and its prices in the order they apply."""
    prices = model.prices if isinstance(model.prices, list) else [None]
    rows = [
        _price_entry(model.prices, None) if item is None else _price_entry(item.prices, item)
        for item in prices
    ]
    return {
        "id": model.id,
        "match": _clause(model.match),
        "prices": rows,
        **({"context": model.context_window} if model.context_window else {}),
    }


def _price_entry(prices: Any, condition: Any) -> dict[str, Any]:
    """One set of prices with its condition: `from` (a date), `daily` (a time of day), or none.

    Raises:
        ValueError: an unknown condition.
    """
    entry: dict[str, Any] = {}
    constraint: Any = getattr(condition, "constraint", None)
    if hasattr(constraint, "start_date"):
        entry["from"] = constraint.start_date.isoformat()
    elif hasattr(constraint, "start_time"):
        entry["daily"] = True
    elif constraint is not None:
        raise ValueError(f"unknown condition {type(constraint).__name__}")
    for key, name in TOKEN_PRICES.items():
        price = getattr(prices, name, None)
        if price is not None:
            entry[key] = _format_price(price)
    per_thousand = getattr(prices, "requests_kcount", None)
    if per_thousand is not None:
        entry["request"] = str(per_thousand / 1000)
    return entry


def _format_price(price: Any) -> Any:
    """A price as `table.Price`."""
    tiers = getattr(price, "tiers", None)
    if tiers is None:
        return str(price)
    return [str(price.base), *([tier.start, str(tier.price)] for tier in tiers)]


def _clause(match: Any) -> list[Any]:
    """How a model's names look, as `table.matches_clause` reads it.

    Raises:
        ValueError: an unknown kind of clause.
    """
    ((kind, value),) = vars(match).items()
    kind = kind.rstrip("_")
    if kind in ("or", "and"):
        return [kind, *map(_clause, value)]
    if kind not in ("equals", "starts_with", "ends_with", "contains", "regex"):
        raise ValueError(f"unknown clause {kind}")
    return [kind, value if kind == "regex" else value.lower()]
