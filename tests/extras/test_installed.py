"""Every extra is there, each with a version that we said we work with."""

from importlib.metadata import version

import pytest

FLOORS = {"litellm": (1, 100), "google-generativeai": (0, 8), "sqlalchemy": (2, 0)}


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_the_extra_is_installed(package: str) -> None:
    major, minor, *_ = version(package).split(".")
    assert (int(major), int(minor)) >= FLOORS[package]
