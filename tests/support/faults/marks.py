"""Faults of reasoning marks that stay in the answer's text (docs/reasoning-marks.md)."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import FAULT_REASONING, Fault, ScriptsFactory
from tests.support.faults.spelling import cut, steps_script

HARMONY = f"<|channel|>analysis<|message|>{FAULT_REASONING}<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"


def split_answer(text: str, size: int = 7) -> ScriptsFactory:
    """Return the text in pieces that split its marks, and a good end."""
    return lambda adapter: (
        steps_script(adapter, *split_frames(adapter, text, size), adapter.wire.end),
    )


def split_frames(adapter: Adapter, text: str, size: int = 7) -> list[bytes]:
    """Return frames with at most `size` characters of text each."""
    return [adapter.wire.text(text[at : at + size]) for at in range(0, len(text), size)]


MARKS = (
    Fault("harmony-channels", (), split_answer(f"{HARMONY}{FINAL}Hello<|return|>"), 0, "Hello"),
    Fault("harmony-without-a-final-message", (), split_answer(f"{HARMONY}Hello"), 0, "Hello"),
    Fault(
        "gemma-channel",
        (),
        split_answer(f"<|channel>thought\n{FAULT_REASONING}<channel|>Hello"),
        0,
        "Hello",
    ),
    Fault(
        "bracketed-marks",
        (),
        split_answer(f"[THINK]{FAULT_REASONING}[/THINK]\n\nHello"),
        0,
        "Hello",
    ),
    Fault(
        "namespaced-marks",
        (),
        split_answer(f"<seed:think>{FAULT_REASONING}</seed:think>Hello"),
        0,
        "Hello",
    ),
    Fault(
        "marks-around-the-answer",
        (),
        split_answer(
            f"<|START_THINKING|>{FAULT_REASONING}<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>"
        ),
        0,
        "Hello",
    ),
    Fault("harmony-reasoning-alone", (), split_answer(HARMONY), 7, stderr_text="only reasoned"),
    Fault(
        "cut-behind-harmony-reasoning",
        (),
        lambda a: (cut(a, *split_frames(a, HARMONY)),),
        7,
        tries=2,
    ),
    Fault(
        "cut-inside-an-end",
        (),
        lambda a: (cut(a, *split_frames(a, f"{HARMONY}{FINAL}Hello<|retu")),),
        7,
        "Hello<|retu",
        chat_tries=2,
    ),
)
