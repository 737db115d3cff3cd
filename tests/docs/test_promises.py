"""Every promise of docs/promises.md has a test, and every number in a test's name is a promise."""

from functools import cache

import pytest

from tests.faults.test_matrix import IN_PROCESS, ONCE, every_way
from tests.support.faults.table import FAULTS
from tests.support.promises import Promise, every_file, needs_a_test, promises, promises_in

PROMISES = promises()
GROUPS = frozenset(group for group, _ in PROMISES)
MATRIX = {("FAULT", number): case.id for case in ONCE for number in case.fault.promises}


@cache
def claims() -> list[tuple[Promise, str, bool]]:
    """Return what every test file claims; not read at import, which every worker does."""
    return [claim for file in every_file() for claim in file.claims(GROUPS)]


@pytest.mark.parametrize(
    "promise", [promise for promise, text in PROMISES.items() if needs_a_test(text)]
)
def test_every_promise_has_a_test(promise: Promise) -> None:
    """The test of a FAULT must run the command as a process, because exit codes are promised."""
    is_fault = promise[0] == "FAULT"
    proved = {promise for promise, _, runs_command in claims() if runs_command or not is_fault}
    assert promise in proved | MATRIX.keys(), f"{PROMISES[promise]}: no test has its number"


def test_every_number_in_a_name_is_a_promise() -> None:
    assert not {name for promise, name, _ in claims() if promise not in PROMISES}
    assert {("FAULT", number) for fault in FAULTS for number in fault.promises} <= PROMISES.keys()


def test_numbers_of_a_group_have_no_gap() -> None:
    for group in GROUPS:
        numbers = [number for name, number in PROMISES if name == group]
        assert numbers == list(range(1, len(numbers) + 1))


def test_promises_not_yet_kept_have_no_test() -> None:
    waiting = {promise for promise, text in PROMISES.items() if "(not yet: " in text}
    assert not [name for promise, name, _ in claims() if promise in waiting]


def test_every_fault_has_a_unique_id() -> None:
    for cases in (IN_PROCESS, ONCE, every_way()):
        ids = [case.id for case in cases]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("test_fault_50_head_closes_the_pipe", {50}),
        ("test_fault_59_and_61_keys", {59, 61}),
        ("test_fault_29_35_36_37_an_error", {29, 35, 36, 37}),
        ("test_fault_56_kill_9_while_writing", {56}),
        ("fault_07_and_33-cut-ollama", {7, 33}),
        ("fault_39-bad-utf-8-openai", {39}),
        ("test_fault_19a_nothing", set()),
        ("test_default_12_tokens", set()),
    ],
)
def test_numbers_are_read_from_names(name: str, numbers: set[int]) -> None:
    assert promises_in(name, frozenset({"FAULT"})) == {("FAULT", number) for number in numbers}
