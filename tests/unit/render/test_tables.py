"""The model list as a table: it fits any width, loses nothing, and omits what is unknown."""

import json
import sys

import pytest

from easyllm_cli.events import Model
from easyllm_cli.render.name_wrapping import wrap_names
from easyllm_cli.render.record_list import lay_out_records
from easyllm_cli.render.spans import row_width, text_from_row
from easyllm_cli.render.tables import (
    MODEL_COLUMNS,
    PROFILE_COLUMNS,
    format_price,
    lay_out_models,
    lay_out_settings,
)
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


# The least width of each table, and its header.
HEADERS = {
    89: "model context vision reasoning $/M in $/M out",
    78: "model ctx see think $in $out",
    72: "model context vision reasoning",
    65: "model ctx see think",
    61: "model context vision",
    58: "model ctx see",
    53: "model context",
    50: "model",
}
LEFT_OUT = {72: 2, 65: 2, 61: 3, 58: 3, 53: 4, 50: 5}


@pytest.mark.parametrize("least", HEADERS)
def test_headers_get_shorter_and_columns_go_before_an_id_is_cut(least: int) -> None:
    most = next((width - 1 for width in reversed(HEADERS) if width > least), 120)
    for width in (least, most):
        rows = text(width)
        assert all(row_width(row) <= width for row in lay_out_models(MODELS, width))
        assert " ".join(rows[0].split()) == HEADERS[least]
        assert [row.split()[0] for row in rows[2:5]] == [model.id for model in MODELS]
        gone = list(MODEL_COLUMNS)[len(MODEL_COLUMNS) - LEFT_OUT.get(least, 0) :]
        note = f"no room for {', '.join(gone)}: --json shows them"
        assert " ".join(rows[5:]).strip() == (note if gone else "")


def test_an_id_that_is_too_long_alone_breaks_at_its_marks() -> None:
    long = "a-vendor-of-models/a-model-with-a-long-name-2.5:a-version"
    assert text(50, [Model(long), Model("b", 1000)]) == [
        "model",
        "──────────────────────────────────────────────────",
        "a-vendor-of-models/a-model-with-a-long-name-2.5:a-",
        "version",
        "b",
        "",
        "no room for context: --json shows them",
    ]
    assert text(24, [Model(long)]) == [
        "model:", "a-vendor-of-models/a-", "model-with-a-long-name-", "2.5:a-version"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "width", "rows"),
    [
        ("two words", 6, ["two", "words"]),
        ("https://host.example/v1", 10, ["https://", "host.", "example/v1"]),
        ("nomarksatall", 5, ["nomar", "ksata", "ll"]),
        ("see nomarksatall", 6, ["see", "nomark", "satall"]),
        ("模型模型模型", 5, ["模型", "模型", "模型"]),
        ("  led", 9, ["  led"]),
        ("", 9, []),
    ],
)
def test_where_a_name_breaks(name: str, width: int, rows: list[str]) -> None:
    assert wrap_names(name, width) == rows


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


PROBLEM = "temperature = 9 is out of range (/x/profiles.toml:13:1): between 0 and 2"
PROFILES = [
    {"name": "a", "default": True, "provider": "openrouter", "model": "vendor/a-long-name-2.5",
     "endpoint": "https://host.example.com/api/v1", "problem": None},
    {"name": "b", "default": False, "provider": None, "model": None, "endpoint": None,
     "problem": PROBLEM},
]  # fmt: skip


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (200, "profile provider model endpoint problem"),
        (110, "profile provider model endpoint problem"),
        (80, "profile provider model problem"),
        (60, "profile model problem"),
        (52, "profile: * a"),
        (40, "profile: * a"),
    ],
)
def test_profiles_in_a_narrow_terminal(width: int, titles: str) -> None:
    """The problem is text, which wraps before a column goes; it never goes itself."""
    rows = [text_from_row(row) for row in lay_out_records(PROFILE_COLUMNS, PROFILES, width)]
    assert all(len(row) <= width for row in rows)
    assert rows[0].split() == titles.split()
    assert "vendor/a-long-name-2.5" in " ".join(rows)
    words = " ".join(rows).split()
    short = PROBLEM.replace("/x/profiles.toml:13:1", "line 13").split()
    assert [word for word in short if word in words] == short


def test_settings_in_a_narrow_terminal() -> None:
    settings = [{"key": "system", "value": json.dumps("be brief " * 9), "source": "line 3"}]
    for width in (20, 40, 80, 200):
        rows = lay_out_settings("/etc/profiles.toml", settings, 1, width)
        assert all(row_width(row) <= width for row in rows)
    assert text_from_row(rows[0]) == "/etc/profiles.toml"
    assert text_from_row(rows[-1]) == "1 setting left at the default: -a shows them"


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
