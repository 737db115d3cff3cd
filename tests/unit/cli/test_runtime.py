"""A second Ctrl-C where Python drops exceptions ends in one plain error, and prints nothing."""

import asyncio
import gc
import signal
import weakref
from collections.abc import Iterator

import pytest

from easyllm_cli.cli.runtime import hide_dropped_interrupts, run_cancellable
from easyllm_cli.errors import Interrupted


class Target:
    """An object with a weak reference whose callback raises."""


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Restore what an interrupted command ignores from then on."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    gc.unfreeze()


def drop_target(error: BaseException) -> None:
    """Raise the error in a weakref callback."""

    def callback(_: object) -> None:
        raise error

    target = Target()
    reference = weakref.ref(target, callback)
    del target
    assert reference() is None


def test_a_second_ctrl_c_in_a_weakref_callback(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, signal_handlers: None
) -> None:
    monkeypatch.setattr("sys.unraisablehook", print)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.sleep(10)
        finally:
            target = Target()
            reference = weakref.ref(target, lambda _: signal.raise_signal(signal.SIGINT))
            del target
            assert reference() is None

    with asyncio.Runner() as runner:
        error = run_cancellable(work(), None, lambda: False, runner)
    assert isinstance(error, Interrupted)
    assert capfd.readouterr() == ("", "")


def test_other_dropped_exceptions_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda dropped: printed.append(dropped.exc_value))
    lost = ValueError("lost")
    with hide_dropped_interrupts():
        drop_target(KeyboardInterrupt())
        drop_target(lost)
    drop_target(KeyboardInterrupt())
    assert printed[0] is lost
    assert len(printed) == 2
