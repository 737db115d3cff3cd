"""One block that grows long: its end is enough to draw the rows that can be seen.

A long line of a paragraph and a long table would else be parsed again for every frame. Both are
rendered whole once, when they are finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .parser import Block

LONG = 4000  # characters of the window, below which all of it is parsed
CHARACTERS = 3000  # of a paragraph's last line that are drawn
ROWS = 50  # of a table that are drawn, with its header


@dataclass(frozen=True)
class Bounded:
    """The kind of the only block in the window, and the complete lines it then had."""

    kind: str
    lines: int

    @classmethod
    def of(cls, kind: str, window: str) -> Bounded | None:
        """None for a window that is short, or a block whose end says nothing."""
        if len(window) < LONG or kind not in ("paragraph_open", "table_open"):
            return None
        return cls(kind, window.count("\n"))

    def window(self, text: str) -> str:
        """The end of the text that is to be parsed; "" = all of it."""
        return self._of_paragraph(text) if self.kind == "paragraph_open" else _of_table(text)

    def _of_paragraph(self, text: str) -> str:
        if text.count("\n") != self.lines:
            return ""  # a line is complete: the structure may have changed
        begins = max(text.rfind("\n") + 1, len(text) - CHARACTERS)
        end = text[begins:]
        return end[end.find(" ") + 1 :] if len(end) >= CHARACTERS else ""

    def still(self, blocks: Sequence[Block], look: str) -> bool:
        """Whether the end that was parsed is one open block of this kind, as before."""
        if len(blocks) != 1 or blocks[0].kind != self.kind:
            return False
        return self.kind == "paragraph_open" or blocks[0].ends >= look.count("\n")


def _of_table(text: str) -> str:
    lines = text.lstrip("\n").split("\n")
    return "\n".join(lines[:2] + lines[-ROWS:]) if len(lines) > ROWS + 14 else ""
