"""Runs tests/extras in a venv that has every extra: the product's own venv has none of them."""

import pytest

from tests.servers.background import EXTRAS_VENV, SET_UP, Ended, stop_run, wait_for


@pytest.fixture(scope="session")
def extras_tests() -> Ended:
    """The run of all of tests/extras, which began with this one."""
    return wait_for("extras_tests")


@pytest.fixture(scope="session")
def full_extras_tests() -> Ended:
    """The same with what only the full tier runs."""
    return wait_for("full_extras_tests")


def check(ended: Ended) -> None:
    if ended.args in (SET_UP, EXTRAS_VENV):
        stop_run(ended)
    output = ended.stdout.decode(errors="replace")
    print(output)
    assert ended.returncode == 0, output
    assert " passed" in output
    assert "skipped" not in output


def test_with_every_extra(extras_tests: Ended) -> None:
    check(extras_tests)


@pytest.mark.full
def test_with_every_extra_in_full(full_extras_tests: Ended) -> None:
    check(full_extras_tests)
