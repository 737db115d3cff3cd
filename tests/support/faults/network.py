"""Faults of the connection: dropped, reset, or silent."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import RETRIES, TRIES, Endless, Fault, Silence
from tests.support.faults.spelling import cut, first_frames, good, keep_alive, reset, steps_script
from tests.support.standins.script import Step, Wait

ONE_RETRY = {"max_retries": 1}


def flood(adapter: Adapter) -> Endless:
    """Send keep-alives and empty frames for ever, as fast as they are read."""
    frames = (keep_alive(adapter) + adapter.wire.text("")) * 300
    return Endless(frames, content_type=adapter.wire.content_type)


def repeat_for_20_seconds(data: bytes) -> tuple[Step, ...]:
    """Return steps that repeat these bytes every 20 ms for 20 seconds."""
    return (data, Wait(0.02)) * 1000


NETWORK = (
    Fault("dropped-then-good", (5,), lambda a: (cut(a), good(a)), 0, "Hello world", 2, "try 2"),
    Fault("dropped", (5,), lambda a: (cut(a),), 6, tries=TRIES),
    Fault("dropped-no-retry", (7,), lambda a: (cut(a),), 6, args=("--no-retry",)),
    Fault("reset", (5,), lambda a: (reset(a),), 6, tries=TRIES),
    Fault("reset-then-good", (5,), lambda a: (reset(a), good(a)), 0, "Hello world", 2, "try 2"),
    Fault(
        "cut-before-text", (5,), lambda a: (cut(a, keep_alive(a), a.wire.text("")),), 6, tries=TRIES
    ),
    Fault("reset-before-text", (5,), lambda a: (reset(a, a.wire.text("")),), 6, tries=TRIES),
    Fault(
        "silence",
        (4,),
        lambda a: (Silence(),),
        6,
        tries=2,
        stderr_text="no token came within 0.1 s",
        profile_settings=ONE_RETRY | {"timeout": {"first_token": 0.1}},
    ),
    Fault(
        "head-then-silence",
        (4,),
        lambda a: (steps_script(a, Wait(20)),),
        6,
        tries=2,
        stderr_text="no token came within 0.1 s",
        profile_settings=ONE_RETRY | {"timeout": {"first_token": 0.1}},
    ),
    Fault(
        "keep-alive-only",
        (43,),
        lambda a: (steps_script(a, *repeat_for_20_seconds(keep_alive(a))),),
        6,
        tries=2,
        stderr_text="no token came within 0.1 s",
        profile_settings=ONE_RETRY | {"timeout": {"first_token": 0.1}},
    ),
    Fault(
        "empty-frames-only",
        (43,),
        lambda a: (steps_script(a, *repeat_for_20_seconds(a.wire.text(""))),),
        6,
        tries=2,
        stderr_text="no token came within 0.1 s",
        profile_settings=ONE_RETRY | {"timeout": {"first_token": 0.1}},
    ),
    Fault(
        "flood-of-nothing",
        (43,),
        lambda a: (flood(a),),
        6,
        tries=2,
        stderr_text="no token came within 0.1 s",
        profile_settings=ONE_RETRY | {"timeout": {"first_token": 0.1}},
    ),
    Fault(
        "text-then-keep-alive",
        (43,),
        lambda a: (steps_script(a, *first_frames(a), *repeat_for_20_seconds(keep_alive(a))),),
        7,
        "Hello wor",
        stderr_text="nothing came for 0.3 s",
        chat_tries=2,
        profile_settings={"max_retries": RETRIES, "timeout": {"idle": 0.3}},
    ),
    Fault(
        "text-then-silence",
        (43,),
        lambda a: (steps_script(a, *first_frames(a), Wait(20)),),
        7,
        "Hello wor",
        stderr_text="nothing came for 0.3 s",
        chat_tries=2,
        profile_settings={"timeout": {"idle": 0.3}},
    ),
)
