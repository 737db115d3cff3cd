"""The arithmetic of the rate limit on a clock that the tests set: windows, order, what is lost."""

import heapq
import itertools
import random
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from easyllm_cli.limits.rate_state import (
    BOOT_BYTES,
    EXPIRY,
    LONGEST_DEBT,
    LONGEST_PAUSE,
    UNRENEWED_WAIT,
    RateState,
    Reservation,
)
from tests.support.rate_windows import allowed_in_minute, most_in_window

Number = Callable[[], float]
RENEWAL = EXPIRY / 3


class Limit:
    """A rate limit with a clock that a test sets; at each step it goes through its bytes."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.boot = b"b" * BOOT_BYTES
        self.data = b""

    def change(self, change: Callable[[RateState], Any]) -> Any:
        state = RateState(self.data)
        state.begin(self.now, self.boot)
        result = change(state)
        self.data = state.to_bytes()
        return result

    def take(
        self, rpm: float | str | None = 60, tpm: float | None = None, tokens: float = 0
    ) -> Reservation:
        taken = self.change(lambda state: state.reserve(self.now, rpm, tpm, tokens))
        assert isinstance(taken, Reservation)
        return taken

    def wait_of(self, rpm: float | str | None = 60, **tokens: float) -> float:
        """Take a place, and return how long its caller has to wait."""
        return self.take(rpm, **tokens).start - self.now

    def renew(self, reservation: Reservation) -> Reservation:
        renewed = self.change(lambda state: state.renew(reservation, self.now))
        assert isinstance(renewed, Reservation)
        return renewed

    def give_back(self, reservation: Reservation) -> None:
        self.change(lambda state: state.give_back(reservation, self.now))

    def settle(self, reservation: Reservation, used: float) -> None:
        self.change(lambda state: state.settle(reservation, used))

    def pause(self, seconds: float) -> None:
        self.change(lambda state: state.pause(self.now, seconds))

    def wait_and_keep(self, reservations: list[Reservation], seconds: float) -> list[Reservation]:
        """Let time pass; the callers that still wait renew their reservations."""
        for _ in range(round(seconds / RENEWAL)):
            self.now += RENEWAL
            reservations = [self.renew(each) for each in reservations if each.start > self.now]
        return reservations


@pytest.fixture(name="limit")
def new_limit() -> Limit:
    return Limit()


def simulate(
    limit: Limit, rpms: list[int | None], seconds: float, work: Number,
    tpm: int | None = None, tokens: tuple[Number, Number] = (lambda: 0.0, lambda: 0.0),
) -> list[tuple[float, float, int | None]]:  # fmt: skip
    """Run callers that reserve, wait, work and begin again, each with its `rpm`.

    `tokens`: what a request is expected to use, and what it really uses. Returns (time of arrival,
    tokens used, rpm) of each request; a request arrives up to 50 ms late.
    """
    end, sent = limit.now + seconds, list[tuple[float, float, int | None]]()
    queue: list[Any] = [(limit.now, number, rpm, None, 0.0) for number, rpm in enumerate(rpms)]
    number, chance = len(queue), random.Random(7)
    while queue and queue[0][0] < end:
        limit.now, _, rpm, reservation, used = heapq.heappop(queue)
        if reservation is not None and limit.now < reservation.start:
            if reservation.expires - limit.now <= EXPIRY - RENEWAL:
                reservation = limit.renew(reservation)
            due = min(reservation.start, limit.now + RENEWAL)
        elif reservation is not None and used == 0.0:
            used, arrived = max(1e-9, tokens[1]()), limit.now + chance.uniform(0, 0.05)
            sent.append((arrived, used, rpm))
            due = arrived + work()
        else:
            if reservation is not None and tpm:
                limit.settle(reservation, used)
            reservation, used = limit.take(rpm, tpm, tokens[0]()), 0.0
            due = min(reservation.start, limit.now + RENEWAL)
        number += 1
        heapq.heappush(queue, (due, number, rpm, reservation, used))
    return [each for each in sent if each[0] < end]


@pytest.mark.parametrize("rpm", [10, 60, 600, 6000])
@pytest.mark.parametrize("busy", [0.0, 1.0])
def test_limit_1_and_2_no_minute_is_exceeded_and_all_of_it_is_used(
    limit: Limit, rpm: int, busy: float
) -> None:
    chance = random.Random(rpm)
    minutes = 3 if rpm < 1000 else 1.2
    callers: list[int | None] = [rpm] * (150 if rpm > 600 else 30)
    sent = simulate(limit, callers, 60 * minutes, lambda: busy * chance.uniform(0, 2))
    assert most_in_window([at for at, *_ in sent]) <= allowed_in_minute(rpm)
    assert len(sent) >= 0.95 * minutes * rpm


def test_limit_12_profiles_with_different_limits_share_the_minute(limit: Limit) -> None:
    sent = simulate(limit, [60, 600] * 10, 180, lambda: 0.5)
    slow, fast = ([at for at, _, rpm in sent if rpm == each] for each in (60, 600))
    assert most_in_window(slow) <= allowed_in_minute(60)
    assert most_in_window([*slow, *fast]) <= allowed_in_minute(600)
    # Each request takes its part of the minute, so that neither profile starves.
    assert 3 * (len(slow) / 60 + len(fast) / 600) >= 0.95 * 3
    assert min(len(slow), len(fast)) > 100


def test_limit_12_a_freed_slot_of_the_faster_profile_is_too_short_for_the_slower(
    limit: Limit,
) -> None:
    queue = [limit.take(600) for _ in range(60)]
    for reservation in queue[30:50]:
        limit.give_back(reservation)
    slots = sorted(limit.take(60).slot for _ in range(5))
    assert min(later - slot for slot, later in itertools.pairwise(slots)) > 1
    assert limit.take(600).slot == queue[30].slot


@pytest.mark.parametrize("factor", [0.3, 1.0, 3.0])
def test_limit_3_tokens_of_five_minutes(limit: Limit, factor: float) -> None:
    """20 callers whose requests use 0.3 to 3 times the tokens that were expected."""
    chance = random.Random(3)
    sent = simulate(
        limit, [None] * 20, 600, lambda: chance.uniform(1, 5), 90_000,
        (lambda: 1000.0, lambda: 1000.0 * factor * chance.uniform(0.8, 1.2)),
    )  # fmt: skip
    begin = sent[0][0]
    for start in range(0, 300, 10):
        window = [used for at, used, _ in sent if start <= at - begin < start + 300]
        assert sum(window) <= 1.05 * 5 * 90_000
    assert sum(used for _, used, _ in sent) >= 0.95 * 10 * 90_000


def test_limit_3_estimates_are_corrected_by_what_was_used(limit: Limit) -> None:
    for _ in range(30):
        limit.settle(limit.take(None, 10**9, 100), 400)
    assert limit.take(None, 10**9, 100).tokens == pytest.approx(400, rel=0.01)


@pytest.mark.parametrize("used", [10**400, 10**15, inf, 1e300])
def test_a_senseless_usage_costs_at_most_five_minutes(limit: Limit, used: float) -> None:
    for sent in [limit.take(None, 60_000, 100) for _ in range(5)]:
        limit.settle(sent, used)
    assert 250 < limit.wait_of(None, tpm=60_000, tokens=100) <= LONGEST_DEBT + UNRENEWED_WAIT
    limit.now += LONGEST_DEBT
    assert limit.wait_of(None, tpm=60_000, tokens=100) <= LONGEST_DEBT + UNRENEWED_WAIT


@pytest.mark.parametrize("used", [nan, -1e300, -1])
def test_a_usage_below_nothing_counts_as_nothing(limit: Limit, used: float) -> None:
    sent = limit.take(None, 60_000, 100)
    limit.take(None, 60_000, 60_000)
    limit.settle(sent, used)  # it frees no tokens of the other one
    assert limit.wait_of(None, tpm=60_000, tokens=100) > 40


def test_a_request_larger_than_the_limit_stops_nobody_for_hours(limit: Limit) -> None:
    large = limit.take(None, 60, 10**9)
    assert 250 < limit.wait_of(None, tpm=60, tokens=100) <= LONGEST_DEBT + UNRENEWED_WAIT
    limit.settle(large, 0)  # it frees no more than it took: the other one's tokens still count
    assert 90 < limit.wait_of(None, tpm=60, tokens=100) < 110


def test_a_senseless_usage_changes_later_estimates_little(limit: Limit) -> None:
    limit.settle(limit.take(None, 60_000, 100), 10**15)
    assert limit.take(None, 60_000, 100).tokens < 500


def test_limit_8_after_a_reboot_nobody_waits(limit: Limit) -> None:
    queue = [limit.take() for _ in range(100)]
    limit.pause(LONGEST_PAUSE)
    limit.now = 5.0  # the machine's clock has begun again
    assert limit.wait_of() == 0
    limit.give_back(queue[50])  # by somebody who knows of the old clock
    assert limit.wait_of() <= 1.1


def test_limit_8_a_reboot_is_noticed_when_the_new_clock_is_later_than_the_old(limit: Limit) -> None:
    for _ in range(100):
        limit.take()
    limit.pause(LONGEST_PAUSE)
    limit.boot = b"c" * BOOT_BYTES
    limit.now += 1  # the machine ran as long after this boot as after the last
    assert limit.wait_of() == 0


def test_limit_8_a_sleep_of_hours_causes_no_wait_and_no_burst(limit: Limit) -> None:
    limit.wait_and_keep([limit.take() for _ in range(30)], 60)
    limit.now += 8 * 3600
    waits = [limit.wait_of() for _ in range(10)]
    assert waits[0] == 0
    assert waits[-1] > 7


def test_limit_9_callers_are_served_in_order(limit: Limit) -> None:
    starts = [limit.take().start for _ in range(100)]
    assert starts == sorted(starts)
    assert len(set(starts)) >= 99  # the first ones may start at once


def test_a_pause_stops_all_and_they_come_back_one_by_one(limit: Limit) -> None:
    limit.pause(2)
    limit.pause(1)  # a shorter one does not end it
    starts = [limit.wait_of(600) for _ in range(20)]
    assert starts[0] == 2
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert min(gaps) == pytest.approx(0.102)


@pytest.mark.parametrize("given_back", [0, 25])
def test_after_a_pause_nobody_comes_as_a_burst(limit: Limit, given_back: int) -> None:
    """Also those who come only after it, and with the slots of those who were to send in it."""
    queue = [limit.take(600) for _ in range(40)]
    limit.pause(2)
    limit.now += 1
    for reservation in queue[len(queue) - given_back :][:-1]:
        limit.give_back(reservation)
    limit.now += 1.05
    waits = [limit.wait_of(600) for _ in range(20)]
    assert sum(wait == 0 for wait in waits) <= 1
    assert min(later - wait for wait, later in itertools.pairwise(waits[1:])) > 0.1


def test_a_pause_is_never_longer_than_an_hour(limit: Limit) -> None:
    limit.pause(1e9)
    assert limit.wait_of() == LONGEST_PAUSE


def test_places_given_back_are_taken_again(limit: Limit) -> None:
    first = [limit.take() for _ in range(10)]
    for reservation in first[5:8]:
        limit.give_back(reservation)
    again = [limit.take().slot for _ in range(4)]
    assert again[:3] == [reservation.slot for reservation in first[5:8]]
    assert again[3] > first[-1].slot


def test_a_queue_that_is_given_up_leaves_no_wait(limit: Limit) -> None:
    queue = [limit.take((60, 600, 6)[number % 3], 60_000, 100) for number in range(60)]
    random.Random(1).shuffle(queue)
    for reservation in queue:
        limit.give_back(reservation)
    assert limit.wait_of(tpm=60_000, tokens=100) <= 2.1


def test_limit_11_a_queue_that_was_killed_leaves_no_wait(limit: Limit) -> None:
    for _ in range(50):
        limit.take(6, 6000, 500)
    limit.now += EXPIRY - 1
    assert limit.wait_of(6) > 400  # they may still wait
    limit.now += 2
    assert limit.wait_of(6, tpm=6000, tokens=10) <= 35  # the one of a second ago


def test_limit_11_who_still_waits_keeps_its_place(limit: Limit) -> None:
    queue = [limit.take(6) for _ in range(30)]
    alive = queue[::3]
    kept = limit.wait_and_keep(alive, 2 * EXPIRY)
    assert [each.slot for each in kept] == [each.slot for each in alive if each.start > limit.now]
    slots = [limit.take(6).slot for _ in range(40)]
    assert len({*slots, *(each.slot for each in kept)}) == len(slots) + len(kept)


def test_limit_11_who_was_stopped_too_long_gives_nothing_back_twice(limit: Limit) -> None:
    stopped = [limit.take(6) for _ in range(20)][-1]
    limit.now += EXPIRY + 1
    slots = [limit.take(6).slot for _ in range(20)]
    assert limit.renew(stopped) == stopped  # it stays expired
    limit.give_back(stopped)
    assert limit.take(6).slot not in slots


def test_auto_is_no_limit_until_the_server_reports_one(limit: Limit) -> None:
    assert {limit.wait_of("auto") for _ in range(50)} == {0}
    limit.change(lambda state: setattr(state, "learned_rpm", 60.0))
    assert [limit.wait_of("auto") for _ in range(10)][-1] > 7


NUMBERS = (
    "written_at", "next_slot", "next_token", "paused_until", "learned_rpm", "usage_ratio",
    "last_number",
)  # fmt: skip


@pytest.mark.parametrize("value", [nan, inf, -inf, 1e300, -1e300, 1e9, 1e-320])
@pytest.mark.parametrize("name", [*NUMBERS, "waiting", "returned"])
def test_wrong_values_are_forgotten(limit: Limit, name: str, value: float) -> None:
    """Whatever number stands in the file, nobody waits long or for ever, or makes others do so."""
    state = RateState()
    state.begin(limit.now, limit.boot)
    if name == "waiting":
        state.waiting = [(value, value, value, value, value, limit.now + 9)]
        state.next_slot = value
    elif name == "returned":
        state.returned = [(value, value)]
    else:
        setattr(state, name, value)
    limit.data = state.to_bytes()
    waits = [limit.wait_of(60, tpm=60_000, tokens=100) for _ in range(10)]
    assert min(waits) >= 0
    assert max(waits) <= (LONGEST_DEBT + 10 if name == "next_token" else 75)
    limit.now += LONGEST_DEBT
    assert limit.wait_of(60, tpm=60_000, tokens=100) <= 2
    assert 0 <= limit.wait_of("auto") <= 75


def test_a_queue_that_cannot_be_true_is_forgotten(limit: Limit) -> None:
    """Somebody who waits for hours, and whose reservation does not expire for days."""
    state = RateState()
    state.begin(limit.now, limit.boot)
    state.next_slot = state.next_token = limit.now + 20_000
    state.waiting = [(1.0, state.next_slot, state.next_slot, 1.0, 1.0, limit.now + 1e6)]
    limit.data = state.to_bytes()
    assert limit.wait_of() <= 75


@pytest.mark.parametrize("cut", [1, 8, 30, 200])
def test_a_file_that_is_cut_costs_no_wait_and_no_error(limit: Limit, cut: int) -> None:
    for reservation in [limit.take() for _ in range(20)][5:9]:
        limit.give_back(reservation)
    limit.data = limit.data[:-cut]
    assert limit.wait_of() <= 75
