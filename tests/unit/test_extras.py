"""Runs tests/extras in a venv with every extra; the product's own venv has none."""

import pytest

from tests.support.servers.background import Ended, check_tests, wait_for


@pytest.fixture(scope="session")
def extras_tests() -> Ended:
    """The run of all of tests/extras, which was started together with this test run."""
    return wait_for("extras_tests")


@pytest.fixture(scope="session")
def full_extras_tests() -> Ended:
    """The same run with the tests of the full tier."""
    return wait_for("full_extras_tests")


def test_with_every_extra(extras_tests: Ended) -> None:
    check_tests(extras_tests)


@pytest.mark.full
def test_with_every_extra_in_full(full_extras_tests: Ended) -> None:
    check_tests(full_extras_tests)
