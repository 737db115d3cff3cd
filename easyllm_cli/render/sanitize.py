"""Untrusted text for a terminal: single code points are neutralised, none vanish (RENDER §5).

There is no state but one held CR, so that CRLF folds at any split and an escape sequence that is
cut in two cannot slip through.
"""

from __future__ import annotations

# Unicode's Bidi_Control: all that may show a text in another order than it has.
BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
TABLE: dict[int, str | None] = (
    {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
    | {0x7F: "\u2421", 0x2028: "\n", 0x2029: "\n", 0xFEFF: None}
    | dict.fromkeys(range(128, 160), "�")
    | {code: f"<U+{code:04X}>" for code in BIDI}
    | dict.fromkeys(range(917504, 917632))
    | dict.fromkeys(range(55296, 57344), "�")
)


class Neutraliser:
    """Text in pieces in, harmless text out; `end` gives what was held."""

    def __init__(self) -> None:
        self._held = False

    def feed(self, text: str) -> str:
        if self._held:
            text = "\r" + text
        self._held = text.endswith("\r")
        if self._held:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        # isprintable is false for a newline, which only costs the translation.
        return text if text.isascii() and text.isprintable() else text.translate(TABLE)

    def end(self) -> str:
        held, self._held = self._held, False
        return TABLE[0x0D] or "" if held else ""


def neutral(text: str) -> str:
    """One whole text, neutralised."""
    neutraliser = Neutraliser()
    return neutraliser.feed(text) + neutraliser.end()
