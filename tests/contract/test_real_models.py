"""Runs tests/contract/real in parallel with the other tests: it mostly waits for models."""

import pytest

from tests.support.servers.background import Ended, check_tests, wait_for


@pytest.fixture(scope="session")
def real_model_tests() -> Ended:
    """The run of all of tests/contract/real, started with this test run."""
    return wait_for("real_model_tests")


@pytest.fixture(scope="session")
def full_real_model_tests() -> Ended:
    """The same run with the tests of the full tier."""
    return wait_for("full_real_model_tests")


def test_with_real_models(real_model_tests: Ended) -> None:
    check_tests(real_model_tests)


@pytest.mark.full
def test_with_real_models_in_full(full_real_model_tests: Ended) -> None:
    check_tests(full_real_model_tests)
