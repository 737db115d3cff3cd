"""Untrusted text for a terminal: single code points are neutralised, none vanish (RENDER §5).

There is no state but one held CR, so that CRLF folds at any split and an escape sequence that is
cut in two cannot slip through.
"""

from __future__ import annotations

# Unicode's Bidi_Control: all that may show a text in another order than it has.
BIDI_CODE_POINTS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
SANITIZE_TABLE: dict[int, str | None] = (
    {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
    | {0x7F: "\u2421", 0x2028: "\n", 0x2029: "\n", 0xFEFF: None}
    | dict.fromkeys(range(128, 160), "�")
    | {code: f"<U+{code:04X}>" for code in BIDI_CODE_POINTS}
    | dict.fromkeys(range(917504, 917632))
    | dict.fromkeys(range(55296, 57344), "�")
)


class Sanitizer:
    """Text in pieces in, harmless text out; `end` gives what was held."""

    def __init__(self) -> None:
        self._has_pending_cr = False

    def feed(self, text: str) -> str:
        if self._has_pending_cr:
            text = "\r" + text
        self._has_pending_cr = text.endswith("\r")
        if self._has_pending_cr:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        # isprintable is false for a newline, which only costs the translation.
        return text if text.isascii() and text.isprintable() else text.translate(SANITIZE_TABLE)

    def end(self) -> str:
        pending, self._has_pending_cr = self._has_pending_cr, False
        return SANITIZE_TABLE[0x0D] or "" if pending else ""


def sanitize_text(text: str) -> str:
    """One whole text, neutralised."""
    sanitizer = Sanitizer()
    return sanitizer.feed(text) + sanitizer.end()
