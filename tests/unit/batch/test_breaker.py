"""The breaker: after which failures a run stops."""

from collections.abc import Iterable

from easyllm_cli.batch.breaker import FIRST_ROWS, WINDOW_ROWS, Breaker
from easyllm_cli.errors import BusyError, EasyLLMError, RefusedError


def play(errors: Iterable[EasyLLMError | None]) -> tuple[int, EasyLLMError | None]:
    """How many rows end before the run stops, and why it does."""
    breaker, count = Breaker(), 0
    for count, error in enumerate(errors, 1):
        stop = breaker.add(error)
        if stop is not None:
            return count, stop
    return count, None


BUSY, REFUSED = BusyError("busy", hint="wait"), RefusedError("no")


def test_the_first_rows_all_fail_alike() -> None:
    count, stop = play([BUSY] * 100)
    assert (count, type(stop), str(stop)) == (
        FIRST_ROWS, BusyError, "the first 20 rows all failed: busy: wait",
    )  # fmt: skip
    assert BUSY.message == "busy"


def test_the_first_rows_fail_in_different_ways_or_not_all() -> None:
    for first in ([REFUSED], [None]):
        assert play([*first, *[BUSY] * (WINDOW_ROWS - 2)])[1] is None
        assert play([*[BUSY] * (FIRST_ROWS - 1), *first, *[BUSY] * 100])[1] is None


def test_more_than_half_of_the_last_rows_fail() -> None:
    count, stop = play([*[None] * 150, *[BUSY, REFUSED, BUSY] * 100])
    assert (count, type(stop)) == (251, BusyError)
    assert stop is not None
    assert stop.message == "101 of the last 200 rows failed: busy"
    assert play([None, BUSY] * 1000)[1] is None
