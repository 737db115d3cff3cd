"""Makes untrusted text safe for a terminal by replacing single code points.

Control characters become visible symbols, such as ESC -> U+241B. Only U+FEFF and the tag
characters U+E0000-E007F, which are invisible, are dropped. Replacing code points instead of escape
sequences needs no state, so a sequence that is split over two chunks is caught. The only state is
a pending CR, so that CRLF becomes LF wherever the text is split.
"""

from __future__ import annotations

# Unicode property Bidi_Control: characters that can display text in another order.
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
    """Sanitizes text chunk by chunk."""

    def __init__(self) -> None:
        self._has_pending_cr = False

    def feed(self, text: str) -> str:
        """Sanitize a chunk; a CR at its end is held back until the next call."""
        if self._has_pending_cr:
            text = "\r" + text
        self._has_pending_cr = text.endswith("\r")
        if self._has_pending_cr:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        # A newline is not printable; such text is translated needlessly, which is harmless.
        return text if text.isascii() and text.isprintable() else text.translate(SANITIZE_TABLE)

    def end(self) -> str:
        """Return the CR that was held back, as a symbol, or ""."""
        pending, self._has_pending_cr = self._has_pending_cr, False
        return SANITIZE_TABLE[0x0D] or "" if pending else ""


def sanitize_text(text: str) -> str:
    """Sanitize a complete text."""
    sanitizer = Sanitizer()
    return sanitizer.feed(text) + sanitizer.end()
