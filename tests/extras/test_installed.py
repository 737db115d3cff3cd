"""Every extra is there, each with a version that we said we work with."""

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


def test_the_wheel_tells_type_checkers_that_it_is_typed() -> None:
    """Here the project is installed as users install it: from its wheel."""
    assert "easyllm_cli/py.typed" in map(str, files("easyllm-cli") or [])
