"""The model list as a table: it fits any width, loses nothing, and omits what is unknown."""

import sys

import pytest

from easyllm_cli.events import Model
from easyllm_cli.render.spans import row_width, text_from_row
from easyllm_cli.render.tables import format_price, lay_out_models
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.server import StandIn
from tests.support.terminal import run_on_one_terminal, run_on_terminals

MODELS = [
    Model("vendor/thinker", 131_072, False, True, 0.55, 2.19),
    Model("vendor/a-name-that-is-rather-long-for-models", 8192, True, None, 0.0, 0.0375),
    Model("plain"),
]


def text(width: int, models: list[Model] = MODELS) -> list[str]:
    return [text_from_row(row) for row in lay_out_models(models, width)]


def test_table_rows() -> None:
    assert text(100) == [
        "model                                         context  vision  reasoning  $/M in  $/M out",
        "────────────────────────────────────────────  ───────  ──────  ─────────  ──────  ───────",
        "vendor/thinker                                131,072  no      yes          0.55     2.19",
        "vendor/a-name-that-is-rather-long-for-models    8,192  yes                  0.00    0.037",
        "plain",
    ]


@pytest.mark.parametrize("width", [58, 60, 80, 100])
def test_a_table_fits_and_loses_nothing(width: int) -> None:
    rows = text(width)
    assert all(row_width(row) <= width for row in lay_out_models(MODELS, width))
    names = "".join(row[: rows[1].index(" ")].strip() for row in rows)
    assert all(model.id in names for model in MODELS)


@pytest.mark.parametrize("width", [4, 10, 20, 40])
def test_list_where_a_table_has_no_room(width: int) -> None:
    assert all(row_width(row) <= width for row in lay_out_models(MODELS, width))
    assert "".join(text(width)).replace(" ", "") == (
        "model:vendor/thinkercontext:131,072vision:noreasoning:yes$/Min:0.55$/Mout:2.19"
        "model:vendor/a-name-that-is-rather-long-for-modelscontext:8,192vision:yes"
        "$/Min:0.00$/Mout:0.037model:plain"
    )


def test_empty_columns_are_left_out() -> None:
    assert text(80, [Model("a"), Model("b")]) == ["model", "─────", "a", "b"]


def test_a_price_below_a_dime_keeps_its_digits() -> None:
    prices = (None, 0.0, 0.0375, 0.099, 0.1, 12.5)
    assert [format_price(price) for price in prices] == [
        "",
        "0.00",
        "0.037",
        "0.099",
        "0.10",
        "12.50",
    ]


def test_wide_names_are_aligned() -> None:
    rows = text(80, [Model("模型", 1000), Model("abcd", 1000)])
    assert rows[2:] == ["模型     1,000", "abcd     1,000"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
def test_on_a_terminal_of_20_columns_and_of_no_known_size(easyllm: Easyllm) -> None:
    with StandIn(OpenRouterServer().handle) as server:
        profiles = single_profile_toml(server, "openrouter")
        for size in ((20, 10), (0, 0)):
            code, screen = run_on_one_terminal(easyllm, "models", profiles=profiles, size=size)
            assert code == 0
            assert "vendor/plain" in "".join(screen.text()).replace("\n", "")
            assert screen.resting


@pytest.mark.skipif(sys.platform == "win32", reason="no pty there")
def test_terminal_without_escape_codes(easyllm: Easyllm) -> None:
    async def handler(request: Request, reply: Reply) -> None:
        await reply.json({"data": [{"id": "one"}]})

    with StandIn(handler) as server:
        profiles = single_profile_toml(server)
        _, out, _ = run_on_terminals(easyllm, "models", profiles=profiles, env={"TERM": "dumb"})
    assert out == "model\n─────\none\n"
