"""Every promise of FAULTS §7 is borne by a test through the real binary, or waits and says why."""

import pytest

from tests.faults.promises import (
    PROMISES,
    WAITING,
    WAITING_HALVES,
    every_file,
    numbers_in,
)
from tests.faults.test_matrix import IN_PROCESS, ONCE, every_way
from tests.support.faults.table import FAULTS

CLAIMS = [claim for file in every_file() for claim in file.claims()]
MATRIX = {number: case.id for case in ONCE for number in case.fault.promises}
PROVED = {number: name for number, name, is_binary in CLAIMS if is_binary} | MATRIX


def test_there_are_66() -> None:
    assert list(PROMISES) == list(range(1, 67))
    assert WAITING.keys() | WAITING_HALVES.keys() <= PROMISES.keys()


@pytest.mark.parametrize("number", [one for one in PROMISES if one not in WAITING])
def test_it_has_a_test_through_the_binary(number: int) -> None:
    assert number in PROVED, f"{PROMISES[number]}: no test bears its number"


def test_no_name_bears_a_number_that_is_none() -> None:
    unknown = {name for number, name, _ in CLAIMS if number not in PROMISES}
    assert not unknown
    assert {number for one in FAULTS for number in one.promises} <= PROMISES.keys()


def test_what_waits_is_not_claimed() -> None:
    assert not [name for number, name, _ in CLAIMS if number in WAITING]


def test_every_fault_has_an_id_of_its_own() -> None:
    for cases in (IN_PROCESS, ONCE, every_way()):
        ids = [case.id for case in cases]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("test_promise_50_head_closes_the_pipe", {50}),
        ("test_promises_59_and_61_keys", {59, 61}),
        ("test_promises_29_35_36_37_an_error", {29, 35, 36, 37}),
        ("test_promise_56_kill_9_while_writing", {56}),
        ("promise_07_and_33-cut-ollama", {7, 33}),
        ("promise_39-bad-utf-8-openai", {39}),
        ("test_promise_19a_nothing", set()),
        ("test_compromise_12_tokens", set()),
    ],
)
def test_numbers_are_read(name: str, numbers: set[int]) -> None:
    assert numbers_in(name) == numbers
