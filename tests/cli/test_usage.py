"""`easyllm usage`: a table on a terminal, lines in a pipe, JSON, metrics, and known prices."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from easyllm_cli import history
from easyllm_cli.pricing import table
from tests.support.binary import Easyllm, RunResult
from tests.support.history import record
from tests.support.objects import parse_usage_json
from tests.support.terminal import SGR, run_on_terminals

NOW = time.time()  # once, so that midnight may pass during the tests
TODAY = time.strftime("%Y-%m-%d", time.localtime(NOW))


@pytest.fixture
def filled(easyllm: Easyllm, price_table: Path, monkeypatch: pytest.MonkeyPatch) -> Easyllm:
    """The command with a history of six calls today and an old one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
    calls: list[dict[str, Any]] = [
        {"cost_usd": 1.5, "model": "big"}, {"cost_usd": 0.015, "model": "small"},
        {"cost_usd": 0.0, "model": "free"}, {"model": "house"},
        {"model": "house", "started_at": NOW - 90 * 86400},
        {"model": "big", "exit_code": 5, "error_kind": "busy", "complete": 0, "attempts": 4,
         "prompt_tokens": None, "completion_tokens": None, "ms_first_token": None},
        # Its price was not known when it was answered.
        {"model": "gpt-4o-mini", "provider": "openai", "host": "api.openai.com",
         "prompt_tokens": 1_000_000, "completion_tokens": 1_000_000},
    ]  # fmt: skip
    for number, columns in enumerate(calls):
        rows = record("Hi", id=f"{number:016x}")
        times = {"started_at": NOW, "ms": 1200, "ms_first_token": 300}
        rows.call.update({"usage_all": None, "host": "llm.example.com", **times, **columns})
        history.save(rows)
    return easyllm


def usage(easyllm: Easyllm, *args: str, prices: Path) -> RunResult:
    return easyllm.run("usage", *args, env={"XDG_DATA_HOME": str(prices)})


def test_cost_1_lines_in_a_pipe_leave_unknown_costs_empty(
    filled: Easyllm, price_table: Path
) -> None:
    ran = usage(filled, "--by", "model", prices=price_table)
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout.decode().splitlines() == [
        "model\tcalls\tfailed\tprompt_tokens\tcompletion_tokens\treasoning_tokens\tcached_tokens"
        "\tcache_write_tokens\tcost_usd\tunpriced_calls",
        "big\t2\t1\t12\t34\t\t\t\t1.5\t0",
        "free\t1\t0\t12\t34\t\t\t\t0\t0",
        "gpt-4o-mini\t1\t0\t1000000\t1000000\t\t\t\t0.75\t0",
        "house\t1\t0\t12\t34\t\t\t\t\t1",
        "small\t1\t0\t12\t34\t\t\t\t0.015\t0",
    ]


def test_cost_1_a_table_on_a_terminal(filled: Easyllm, price_table: Path) -> None:
    env = {"XDG_DATA_HOME": str(price_table)}
    code, screen, notes = run_on_terminals(filled, "usage", "--by", "model", env=env, columns=90)
    assert (code, notes) == (0, "")
    assert SGR.sub("", screen).replace("\r", "").rstrip("\n").splitlines() == [
        "model        calls  failed  tokens in        out    cost",
        "───────────  ─────  ──────  ─────────  ─────────  ──────  ──────────",
        "big              2       1         12         34   $1.50  ██████████",
        "free             1                 12         34   $0.00",
        "gpt-4o-mini      1          1,000,000  1,000,000   $0.75  █████",
        "house            1                 12         34",
        "small            1                 12         34  $0.015  ▏",
        "total            6       1  1,000,048  1,000,136   $2.27",
        "+ 1 call of unknown price",
    ]


def test_json_by_day_and_since(filled: Easyllm, price_table: Path) -> None:
    (row,) = parse_usage_json(usage(filled, "--json", prices=price_table))
    assert (row["day"], row["calls"], row["cost_usd"]) == (TODAY, 6, 2.265)
    assert row["unpriced_calls"] == 1
    (*_, today) = parse_usage_json(usage(filled, "--json", "--since", "month", prices=price_table))
    assert today == row
    rows = parse_usage_json(usage(filled, "--json", "--since", "2020-01-01", prices=price_table))
    assert [row["calls"] for row in rows] == [1, 6]
    ran = usage(filled, "--json", "--since", "2099-01-01", prices=price_table)
    assert parse_usage_json(ran) == []
    assert ran.stderr == "easyllm: no answers since 2099-01-01\n"


def test_by_conversation_names_the_title(filled: Easyllm, price_table: Path) -> None:
    ran = usage(filled, "--json", "--by", "conversation", prices=price_table)
    row = parse_usage_json(ran)[0]
    assert (row["conversation"], row["title"]) == (f"{0:016x}", "Hi")


def test_speed(filled: Easyllm, price_table: Path) -> None:
    rows = parse_usage_json(usage(filled, "--speed", "--json", prices=price_table))
    assert rows == [
        {
            "day": TODAY, "calls": 6, "failed": 1, "error_rates": {"busy": 1 / 6},
            "ms_first_token_p50": 300, "ms_first_token_p95": 300,
            "tokens_per_second_p50": pytest.approx(33 / 0.9), "retries_per_call": 0.5,
        }
    ]  # fmt: skip
    env = {"XDG_DATA_HOME": str(price_table)}
    _, screen, _ = run_on_terminals(filled, "usage", "--speed", "--by", "profile", env=env)
    last = SGR.sub("", screen).split("\n")[2].split()
    assert last == ["t", "6", "0.30", "s", "0.30", "s", "37", "0.50", "busy", "16.7%"]


def test_prometheus(filled: Easyllm, price_table: Path) -> None:
    ran = usage(filled, "--prometheus", prices=price_table)
    families = {one.name: one for one in text_string_to_metric_families(ran.stdout.decode())}
    assert sum(sample.value for sample in families["easyllm_calls"].samples) == 7


def test_prices_of_a_model(filled: Easyllm, price_table: Path) -> None:
    filled.write_profiles(
        '[profiles.own]\nprovider = "openai"\nmodel = "gpt-4o-mini"\n'
        'price = { input = 1, output = 2 }\n[profiles.broken]\nprovider = "nobody"\n'
    )
    ran = usage(filled, "--prices", "gpt-4o-mini", "--json", prices=price_table)
    rows = parse_usage_json(ran)
    own = {
        "provider": "openai", "model": "gpt-4o-mini", "above": 0, "prompt_usd": 1,
        "completion_usd": 2, "cached_usd": None, "cache_write_usd": None, "source": "profile own",
    }  # fmt: skip
    assert rows[0] == own
    from_table = next(row for row in rows[1:] if row["provider"] == "openai")
    assert (from_table["prompt_usd"], from_table["source"][:6]) == (0.15, "table ")
    ran = usage(filled, "--prices", "gemini-2.5-pro", prices=price_table)
    google = [line.split("\t") for line in ran.stdout.decode().splitlines() if "google" in line]
    assert [line[2:5] for line in google] == [["0", "1.25", "10"], ["200000", "2.5", "15"]]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--prices", "no-such-model"], "no price is known for no-such-model"),
        (["--since", "yesterday"], '--since "yesterday" is no time'),
        (["--speed", "--prometheus"], "--speed cannot be used with --prometheus"),
        (["--prometheus", "--json"], "--prometheus cannot be used with --json"),
        (["--prometheus", "--since", "7d"], "--prometheus cannot be used with --since"),
        (["--prices", "gpt-4o", "--by", "model"], "--prices cannot be used with --by"),
        (["--by", "week"], '"week" is not one of day, model'),
    ],
)
def test_what_cannot_be_meant_is_2(
    easyllm: Easyllm, price_table: Path, args: list[str], says: str
) -> None:
    ran = usage(easyllm, *args, prices=price_table)
    assert ran.code == 2
    assert says in ran.stderr


def test_without_a_history_there_is_nothing_to_sum(easyllm: Easyllm, price_table: Path) -> None:
    ran = usage(easyllm, "--json", prices=price_table)
    assert parse_usage_json(ran) == []
    assert "there is no history yet" in ran.stderr
    assert not (easyllm.home / "state/easyllm/history.db").exists()


def test_a_damaged_history_is_2(easyllm: Easyllm, price_table: Path) -> None:
    path = easyllm.home / "state/easyllm/history.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 100)
    ran = usage(easyllm, "--json", prices=price_table)
    assert ran.code == 2
    assert parse_usage_json(ran) == []
    assert "damaged" in ran.stderr


def test_cost_5_usage_makes_the_table_or_says_why_not(easyllm: Easyllm) -> None:
    folder = easyllm.home / "data/easyllm/prices"
    ran = easyllm.run("usage", "--prices", "gpt-4o-mini")
    assert (ran.code, ran.stderr) == (0, "")
    index = json.loads((folder / table.INDEX_FILE_NAME).read_text("utf-8"))
    assert f"table {index['version']}" in ran.stdout.decode()
    other = easyllm.with_new_home()
    (other.home / "data/easyllm").mkdir(parents=True)
    (other.home / "data/easyllm/prices").write_text("in the way", "utf-8")
    ran = other.run("usage")
    assert ran.code == 0
    first, second = ran.stderr.splitlines()
    assert first.startswith("easyllm: no new price table: ")
    assert "there is no history yet" in second


@pytest.mark.parametrize("word", ["cost", "stats"])
def test_words_of_other_tools_lead_here(easyllm: Easyllm, word: str) -> None:
    ran = easyllm.run(word)
    assert ran.code == 2
    assert "easyllm usage" in ran.stderr
