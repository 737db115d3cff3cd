"""Making the price table: once per version of the package, private, and never half."""

from __future__ import annotations

import importlib.metadata
import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from easyllm_cli.errors import ConfigError, OutputError
from easyllm_cli.pricing import table, update

OPENAI = ("https://api.openai.com/v1", "gpt-4o-mini")
MAKE = "from easyllm_cli.pricing.update import update_price_table as u; print(u())"


def test_the_table_is_made_once_and_private(home: Path) -> None:
    assert table.find_model_prices(*OPENAI) is None
    old = os.umask(0)
    try:
        assert update.update_price_table()
    finally:
        os.umask(old)
    assert not update.update_price_table()
    files = [path for path in table.prices_folder().rglob("*") if path.is_file()]
    assert len(files) > 40
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}
    found = table.find_model_prices(*OPENAI)
    assert found is not None
    assert found.version == importlib.metadata.version("genai-prices")


def make_older_table(version: str, source: str) -> None:
    """A table as another version of the package would have left it."""
    folder = table.prices_folder()
    (folder / version).mkdir(parents=True)
    (folder / version / "openai.json").write_text('{"models": []}', "utf-8")
    index = {"form": table.FORM, "version": version, "source": source, "hosts": {}, "patterns": []}
    (folder / table.INDEX_FILE_NAME).write_text(json.dumps(index), "utf-8")


def test_cost_5_a_newer_package_replaces_the_table() -> None:
    make_older_table("0.1.99", "1 1")
    assert update.update_price_table()
    assert table.find_model_prices(*OPENAI) is not None
    folders = [path.name for path in table.prices_folder().iterdir() if path.is_dir()]
    assert folders == [importlib.metadata.version("genai-prices")]


def test_a_table_of_a_newer_version_is_kept() -> None:
    make_older_table("99.0", "1 1")
    assert not update.update_price_table()


def test_processes_that_start_together_make_it_once() -> None:
    def make(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", MAKE], capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()

    with ThreadPoolExecutor() as threads:
        assert sorted(threads.map(make, range(3))) == ["False", "False", "True"]
    assert table.find_model_prices(*OPENAI) is not None


def test_cost_5_a_table_that_cannot_be_written_is_an_error(home: Path) -> None:
    folder = table.prices_folder()
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way", "utf-8")
    with pytest.raises(OutputError, match="prices"):
        update.update_price_table()


@pytest.mark.parametrize(
    "package",
    [
        None,  # not installed
        "providers = None",
        "",
        "from types import SimpleNamespace as Row\n"
        "model = Row(id='m', match=Row(sounds_like='m'), prices=[])\n"
        "providers = [Row(id='p', api_pattern='', fallback_model_providers=None, models=[model])]",
    ],
)
def test_cost_5_a_package_of_another_form_is_an_error(
    package: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`find_spec` and `import` find this package instead of the installed one."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "genai_prices"]:
        monkeypatch.delitem(sys.modules, name)
    if package is None:
        monkeypatch.setitem(sys.modules, "genai_prices", None)
    else:
        (tmp_path / "genai_prices").mkdir()
        (tmp_path / "genai_prices/__init__.py").touch()
        (tmp_path / "genai_prices/data.py").write_text(package, "utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="genai-prices"):
        update.update_price_table()
    assert table.read_index() is None
