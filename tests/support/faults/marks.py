"""Marks of reasoning that a server leaves in the answer's text (docs/reasoning-marks.md)."""

from tests.support.adapters import Adapter
from tests.support.faults.fault import THOUGHT, Fault, Scripts
from tests.support.faults.spelling import answer, cut

HARMONY = f"<|channel|>analysis<|message|>{THOUGHT}<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"


def said(text: str, size: int = 7) -> Scripts:
    """The text in pieces that cut its marks, and a good end."""
    return lambda adapter: (answer(adapter, *in_pieces(adapter, text, size), adapter.wire.end),)


def in_pieces(adapter: Adapter, text: str, size: int = 7) -> list[bytes]:
    """Frames with so many characters each."""
    return [adapter.wire.text(text[at : at + size]) for at in range(0, len(text), size)]


MARKS = (
    Fault("harmony-channels", (), said(f"{HARMONY}{FINAL}Hello<|return|>"), 0, "Hello"),
    Fault("harmony-without-a-final-message", (), said(f"{HARMONY}Hello"), 0, "Hello"),
    Fault("gemma-channel", (), said(f"<|channel>thought\n{THOUGHT}<channel|>Hello"), 0, "Hello"),
    Fault("bracketed-marks", (), said(f"[THINK]{THOUGHT}[/THINK]\n\nHello"), 0, "Hello"),
    Fault("namespaced-marks", (), said(f"<seed:think>{THOUGHT}</seed:think>Hello"), 0, "Hello"),
    Fault("marks-around-the-answer", (), said(
        f"<|START_THINKING|>{THOUGHT}<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>"), 0,
        "Hello"),
    Fault("harmony-reasoning-alone", (), said(HARMONY), 7, says="only reasoned"),
    Fault("cut-behind-harmony-reasoning", (), lambda a: (cut(a, *in_pieces(a, HARMONY)),), 7,
          tries=2),
    Fault("cut-inside-an-end", (), lambda a: (
        cut(a, *in_pieces(a, f"{HARMONY}{FINAL}Hello<|retu")),), 7, "Hello<|retu", chat_tries=2),
)  # fmt: skip
