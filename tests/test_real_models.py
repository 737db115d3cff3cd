"""Runs tests/real beside the other tests: it mostly waits for real models."""

import pytest

from tests.servers.background import SET_UP, Ended, stop_run, wait_for


@pytest.fixture(scope="session")
def real_model_tests() -> Ended:
    """The run of all of tests/real, which began with this one."""
    return wait_for("real_model_tests")


def test_with_real_models(real_model_tests: Ended) -> None:
    if real_model_tests.args == SET_UP:
        stop_run(real_model_tests)
    output = real_model_tests.stdout.decode(errors="replace")
    print(output)
    assert real_model_tests.returncode == 0, output
    assert " passed" in output
    assert "skipped" not in output
