"""A price table that the tests of a session share, made from the installed genai-prices."""

from pathlib import Path

import pytest

from easyllm_cli.pricing.update import update_price_table


@pytest.fixture(scope="session")
def data_home_with_prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for XDG_DATA_HOME that holds the table; tests only read it."""
    folder = tmp_path_factory.mktemp("prices")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        assert update_price_table()
    return folder


@pytest.fixture
def price_table(data_home_with_prices: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this process and its children find the table; return the folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(data_home_with_prices))
    return data_home_with_prices
