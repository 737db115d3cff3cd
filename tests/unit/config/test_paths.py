"""The folders follow the XDG variables, and the platform's custom where they are not set."""

import sys
from pathlib import Path

import pytest

from easyllm_cli.config.paths import cache_folder, data_folder, state_folder


def test_cache_folder_is_the_platforms_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = "Library/Caches" if sys.platform == "darwin" else ".cache"
    assert cache_folder() == home / expected / "easyllm"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    assert cache_folder() == home / expected / "easyllm"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/easyllm")
    assert cache_folder() not in (data_folder(), state_folder())
