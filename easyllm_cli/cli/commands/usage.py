"""`easyllm usage`: sums up the history: calls, tokens, cost and speed; shows known prices."""

# No `from __future__ import annotations`: Typer needs the real types.
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import EasyLLMError, UsageError
from ..history_reading import open_history, parse_time_option
from ..option_types import choice
from ..options.common import ListFormat, ProfilesFileOption
from ..options.groups import expand_option_groups

if TYPE_CHECKING:
    pass

Row = dict[str, Any]
BY_CHOICES = ("day", "model", "profile", "command", "conversation")
DEFAULT_SINCE = "30d"
DEFAULT_BY = "day"
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="WHEN", show_default=False,
        help=f"A date, a time such as 7d, or month; default {DEFAULT_SINCE}.",
    ),
]  # fmt: skip
By = Annotated[
    str | None,
    typer.Option(
        "--by", help=f"What to sum up by; default {DEFAULT_BY}.", show_default=False,
        **choice(BY_CHOICES),
    ),
]  # fmt: skip
Speed = Annotated[bool, typer.Option("--speed", help="First token, tokens/s, errors and retries.")]
Prometheus = Annotated[
    bool, typer.Option("--prometheus", help="All of the history in Prometheus' text format.")
]
Prices = Annotated[
    str | None,
    typer.Option(
        "--prices", metavar="MODEL", help="Show what is known of a model's prices.",
        show_default=False,
    ),
]  # fmt: skip


@expand_option_groups
def usage(
    list_format: ListFormat,
    profiles_file: ProfilesFileOption,
    since: Since = None,
    by: By = None,
    speed: Speed = False,
    prometheus: Prometheus = False,
    prices: Prices = None,
) -> int:
    """Sum up the history: calls, tokens and cost, or how fast the answers were.

    easyllm usage --speed --by model --since month
    easyllm usage --prices gpt-4o
    """
    from ..cost import refresh_price_table
    from ..results import CommandResult, print_result

    listing: dict[str, list[Row]] = {"rows": [], "budgets": []}
    error: EasyLLMError | None = None
    try:
        refuse_combinations(list_format.json, speed, prometheus, prices)
        refuse_ignored(since, by, "--prometheus" if prometheus else "--prices" if prices else "")
        start = parse_time_option("--since", since or DEFAULT_SINCE)
        refresh_price_table()
        if prometheus:
            return print_metrics()
        if prices is not None:
            kind, listing["rows"] = "prices", read_prices(prices, profiles_file)
        else:
            kind, listing["rows"] = read_rows(by or DEFAULT_BY, start, speed)
        if not list_format.json:
            print_report(kind, listing["rows"], by or DEFAULT_BY, list_format.color or "auto")
        if prices is None:
            listing["budgets"], error = report_budgets(profiles_file, quiet=list_format.json)
    except EasyLLMError as failure:
        error = failure
    return print_result(
        CommandResult(error=error, listing=listing),
        json=list_format.json, jsonl=False, debug=profiles_file.debug,
    )  # fmt: skip


def refuse_combinations(json: bool, speed: bool, prometheus: bool, prices: str | None) -> None:
    """Refuse options that ask for different outputs. Raises UsageError."""
    asked = [("--speed", speed), ("--prometheus", prometheus), ("--prices", prices is not None)]
    names = [name for name, on in asked if on]
    if prometheus and json:
        names.append("--json")
    if len(names) > 1:
        raise UsageError(f"{names[0]} cannot be used with {names[1]}", hint="leave one out")


def refuse_ignored(since: str | None, by: str | None, other: str) -> None:
    """Refuse --since and --by beside an option that would ignore them."""
    for name, value in (("--since", since), ("--by", by)):
        if other and value is not None:
            raise UsageError(f"{other} cannot be used with {name}", hint="leave one out")


def read_rows(by: str, since: float, speed: bool) -> tuple[str, list[Row]]:
    """The rows to print, and their kind: sums or speeds. Raises EasyLLMError as `open_history`."""
    from ...history.report import add_titles, measure_speed, sum_calls
    from ...render.output import print_notice

    kind = "speeds" if speed else "sums"
    with open_history() as store:
        if store is None:
            print_missing_history()
            return kind, []
        rows = measure_speed(store, by, since) if speed else sum_calls(store, (by,), since)
        if not rows:
            day = time.strftime("%Y-%m-%d", time.localtime(since))
            print_notice(f"easyllm: no answers since {day}")
        return kind, add_titles(store, rows) if by == "conversation" else rows


def print_metrics() -> int:
    """Print all metrics for Prometheus. Raises EasyLLMError as `open_history`."""
    from ...history.prometheus import format_metrics
    from ...render.output import OutputStream

    with open_history() as store:
        if store is None:
            print_missing_history()
        else:
            OutputStream(1, terminal=False).write(format_metrics(store))
    return 0


def print_missing_history() -> None:
    """Say on stderr that nothing is kept yet, and where it would be."""
    from ...history import history_path
    from ...render.output import print_notice

    print_notice(f"easyllm: there is no history yet ({history_path()})")


def report_budgets(
    profiles_file: ProfilesFileOption, quiet: bool
) -> tuple[list[Row], EasyLLMError | None]:
    """What is left of each budget, as objects of --json; unless `quiet`, stderr says it, too.

    A budget that cannot be read hides no other one: its error is returned, or said on stderr if it
    is not the first.
    """
    from ...config.profiles_file import read_profiles
    from ...render.output import print_notice
    from ..profile_budgets import read_budgets

    rows, errors = read_budgets(read_profiles(profiles_file.profiles))
    for row in () if quiet else rows:
        print_notice(f"easyllm: budget of {row.name}: {row.format()}")
    for error in errors[1:]:
        print_notice(f"easyllm: {error}")
    return [row.to_json() for row in rows], errors[0] if errors else None


def read_prices(model: str, profiles_file: ProfilesFileOption) -> list[Row]:
    """What the profiles and the price table say about a model, one row for each tier.

    Raises:
        UsageError: nothing is known.
    """
    from ...config.profiles_file import read_profiles
    from ...pricing.table import ModelPrices, find_at_every_provider

    rows = []
    profiles = read_profiles(profiles_file.profiles)
    for name in profiles.tables:
        try:
            profile = profiles.resolve_profile(name)
        except EasyLLMError:
            continue  # its own commands report it
        if profile.price and profile.model == model:
            rows.append(price_row(profile.provider, model, f"profile {name}", profile.price.get))
    now = time.time()
    for prices in find_at_every_provider(model):
        for above in (0, *prices.tiers(now)):

            def dollars(key: str, above: int = above, prices: ModelPrices = prices) -> float | None:
                return prices.dollars(key, now, above + 1)

            source = f"table {prices.version}"
            rows.append(price_row(prices.provider, prices.id, source, dollars, above))
    rows = [row for row in rows if row["prompt_usd"] is not None]
    if not rows:
        raise UsageError(
            f"no price is known for {model[:80]}",
            hint="set price in its profile: price = { input = 0.15, output = 0.6 }",
        )
    return rows


def price_row(
    provider: str | None,
    model: str,
    source: str,
    dollars: Callable[[str], float | None],
    above: int = 0,
) -> dict[str, Any]:
    """A row of --prices, in US dollars per million tokens; `above`: tokens of the prompt."""
    return {
        "provider": provider,
        "model": model,
        "above": above,
        "prompt_usd": dollars("input"),
        "completion_usd": dollars("output"),
        "cached_usd": dollars("cached"),
        "cache_write_usd": dollars("cache_write"),
        "source": source,
    }


def print_report(kind: str, rows: Sequence[Row], by: str, color: str) -> None:
    """Print a table on a terminal, else the names of the columns and tab-separated values."""
    from ...render.options import takes_layout
    from ...render.output import OutputStream

    if not rows:
        return
    if not takes_layout(1, color):
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        OutputStream(1, terminal=False).write("".join(map(format_line, lines)))
        return
    from ...render import usage_tables

    if kind == "prices":
        usage_tables.print_prices(rows, color)
    elif kind == "speeds":
        usage_tables.print_speeds(rows, by, color)
    else:
        usage_tables.print_sums(rows, by, color)


def format_line(values: Sequence[Any]) -> str:
    """A line of tab-separated values; None is empty."""
    return "\t".join(map(format_value, values)) + "\n"


def format_value(value: Any) -> str:
    """A value without tabs and line breaks; a dict as `key=value`."""
    if isinstance(value, dict):
        return " ".join(f"{key}={number:g}" for key, number in value.items())
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return "" if value is None else " ".join(str(value).split())
