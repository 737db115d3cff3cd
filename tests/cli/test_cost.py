"""What an answer cost, in -u and --json: the provider's figure, a setting, the price table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import Easyllm, RunResult, chat_answer_script, single_profile_toml
from tests.support.objects import (
    parse_answer_json,
    parse_listing_json,
    parse_models_json,
    parse_usage_json,
)
from tests.support.over_tls import serve_tls
from tests.support.proxying import slow_proxy
from tests.support.standins.script import DONE, script_handler, usage_chunk
from tests.support.standins.server import StandIn
from tests.support.terminal import SGR, run_on_terminals

KEY = {"KEY": "k-0123456789"}
PRICE = {"input": 1, "output": 2, "cached": 0.5}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """It answers with 1000 tokens in, of which 400 are cached, and 500 out."""
    usage = usage_chunk(1000, 500, cached_tokens=400)
    with StandIn(script_handler(chat_answer_script("Hello", then=(usage, DONE)))) as server:
        yield server


def ask(easyllm: Easyllm, *args: str, profiles: str) -> RunResult:
    return easyllm.run("chat", "hi", *args, profiles=profiles, env=KEY)


@pytest.mark.parametrize(
    ("settings", "cost", "source", "shown"),
    [
        ({"price": PRICE}, 0.0018, "profile", ", $0.0018 (profile)"),
        ({"price": PRICE, "api_key_env": "KEY"}, 0.0018, "profile", ", $0.0018 (profile)"),
        ({"price": {"input": 0, "output": 3e-7}}, 1.5e-10, "profile", ", $0.00000000015 (profile)"),
        ({}, 0, "local", ""),
        ({"api_key_env": "KEY"}, None, None, ""),  # a gateway to nobody knows what
    ],
    ids=str,
)
def test_cost_1_in_json_and_in_words(
    easyllm: Easyllm,
    server: StandIn,
    settings: dict[str, Any],
    cost: float | None,
    source: str | None,
    shown: str,
) -> None:
    profiles = single_profile_toml(server, **settings)
    answer = parse_answer_json(ask(easyllm, "--json", profiles=profiles))
    assert (answer["cost_usd"], answer["cost_source"]) == (cost, source)
    (line,) = ask(easyllm, "-u", profiles=profiles).stderr.splitlines()
    assert line.startswith("easyllm: 1000 tokens in, 500 out, ")
    assert (
        line.partition(", $")[1:] == (", $", shown.removeprefix(", $"))
        if shown
        else "$" not in line
    )
    assert not (easyllm.home / "data/easyllm/prices").exists()


def test_the_history_keeps_the_cost_and_usage_sums_it(easyllm: Easyllm, server: StandIn) -> None:
    profiles = single_profile_toml(server, price=PRICE)
    for _ in range(2):
        ran = easyllm.run("chat", "hi", profiles=profiles, env={"EASYLLM_HISTORY": "metadata"})
        assert ran.code == 0
    (first, second) = parse_listing_json(easyllm.run("history", "--json"), "calls")["calls"]
    for call in (first, second):
        assert (call["cost_usd"], call["cost_source"]) == (0.0018, "profile")
    (row,) = parse_usage_json(easyllm.run("usage", "--by", "profile", "--json"))
    assert (row["profile"], row["calls"], row["cost_usd"]) == ("t", 2, 0.0036)
    assert (row["cached_tokens"], row["unpriced_calls"]) == (800, 0)


class OpenAI(BaseHTTPRequestHandler):
    """Answers as api.openai.com, with the usage of 1,000,000 tokens in and as many out."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        usage = {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}
        choice = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}
        frames = [{"choices": [choice]}, {"choices": [], "usage": usage}]
        body = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self) -> None:
        body = b'{"data": [{"id": "gpt-4o-mini"}, {"id": "house-model"}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def openai(tmp_path: Path) -> Iterator[str]:
    """A profile of api.openai.com, which a proxy leads to a server here."""
    authority = tmp_path / "ca.pem"
    with (
        serve_tls(OpenAI, authority, "api.openai.com") as url,
        slow_proxy(0, connect_to="127.0.0.1") as proxy,
    ):
        yield single_profile_toml(
            f"{url}/v1", model="gpt-4o-mini", api_key_env="KEY",
            proxy=proxy, ca_bundle=str(authority),
        )  # fmt: skip


def test_cost_5_the_table_is_made_where_somebody_reads(easyllm: Easyllm, openai: str) -> None:
    """In a pipe nothing is made and the cost is unknown; on a terminal, it is known at once."""
    answer = parse_answer_json(ask(easyllm, "--json", profiles=openai))
    assert (answer["cost_usd"], answer["cost_source"]) == (None, None)
    assert not (easyllm.home / "data/easyllm/prices").exists()
    code, _, notes = run_on_terminals(easyllm, "chat", "-u", "hi", profiles=openai, env=KEY)
    assert code == 0
    version = (easyllm.home / "data/easyllm/prices/current.json").read_text("utf-8")
    table = f"table {json.loads(version)['version']}"
    assert f"$0.75 ({table})" in SGR.sub("", notes)
    answer = parse_answer_json(ask(easyllm, "--json", profiles=openai))
    assert (answer["cost_usd"], answer["cost_source"]) == (0.75, table)


def test_cost_5_a_table_that_cannot_be_made_is_one_note(easyllm: Easyllm, openai: str) -> None:
    (easyllm.home / "data/easyllm").mkdir(parents=True)
    (easyllm.home / "data/easyllm/prices").write_text("in the way", "utf-8")
    code, _, notes = run_on_terminals(easyllm, "chat", "-u", "hi", profiles=openai, env=KEY)
    assert code == 0
    assert SGR.sub("", notes).count("no new price table") == 1
    assert "$" not in notes


def test_models_have_the_tables_prices_where_the_server_names_none(
    easyllm: Easyllm, openai: str
) -> None:
    ran = easyllm.run("models", "--json", profiles=openai, env=KEY)
    known, unknown = parse_models_json(ran)["models"]
    assert (known["context"], known["prompt_usd"], known["completion_usd"]) == (128_000, 0.15, 0.6)
    assert known["context_source"] == known["price_source"]
    assert known["price_source"].startswith("table ")
    assert set(unknown.values()) == {"house-model", None}
    code, screen, _ = run_on_terminals(easyllm, "models", profiles=openai, env=KEY)
    assert code == 0
    assert "gpt-4o-mini  128,000    0.15     0.60" in SGR.sub("", screen)


def test_init_makes_the_table(easyllm: Easyllm) -> None:
    ran = easyllm.run("init", "--yes")
    assert ran.code == 0, ran.stderr
    assert (easyllm.home / "data/easyllm/prices/current.json").exists()
