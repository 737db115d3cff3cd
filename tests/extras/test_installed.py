"""Every extra is installed, in a version that pyproject.toml allows."""

from importlib.metadata import files, version

import pytest

FLOORS = {
    "litellm": (1, 100),
    "google-generativeai": (0, 8),
    "sqlalchemy": (2, 0),
    "keyring": (25, 0),
}


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_the_extra_is_installed(package: str) -> None:
    major, minor, *_ = version(package).split(".")
    assert (int(major), int(minor)) >= FLOORS[package]


def test_the_wheel_contains_py_typed() -> None:
    """In this venv the project is installed from its wheel, as users install it."""
    assert "easyllm_cli/py.typed" in map(str, files("easyllm-cli") or [])
