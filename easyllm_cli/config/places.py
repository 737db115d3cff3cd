"""Where a key stands in a profiles file, as line and column, for error lines.

Time is linear in the file's length, whatever it holds: no character is matched from many starts.
"""

from __future__ import annotations

import re

HEADER = re.compile(
    r"""\s*\[\s*profiles\s*\.\s*(?:"([^"]+)"|'([^']+)'|([^\]"'.\s]+))\s*(?:\.[^\]]*)?\]"""
)
# A string, or one that is never closed; with = . or ] behind it, it is a quoted key and no value.
STRING = re.compile(r"""("(?:[^"\\]|\\.)*+"?|'[^']*+'?)(\s*[=.\]])?""")
MOST_DOTS = 100  # in one key: tomllib's time grows with their square


def position(text: str, name: str | None, key: str) -> tuple[int, int]:
    """Line and column (from 1) of a key in a profile's table, or at the top level (name None).

    The table's own place when the key is not found. tomllib gives no positions for valid files,
    so this reads the lines again, on errors only.
    """
    inside = name is None
    wanted = re.compile(rf"(^|[\s{{,.])[\"']?{re.escape(key)}[\"']?\s*[=.\]]") if key else None
    found = (1, 1)
    for number, line in enumerate(text.splitlines(), 1):
        table = HEADER.match(line)
        if table or line.lstrip().startswith("["):
            inside = name is not None and table is not None and name in table.groups()
            if inside and found == (1, 1):
                found = (number, 1)
        if inside and wanted and (match := wanted.search(_without_values(line))):
            return number, match.end(1) + 1
    return found


def _without_values(line: str) -> str:
    """The line with its strings blanked (but for quoted keys) and its comment cut off."""

    def blanked(match: re.Match[str]) -> str:
        return match[0] if match[2] else " " * len(match[1])

    return STRING.sub(blanked, line).partition("#")[0]


def line_of_absurd_key(text: str) -> int:
    """The line of a key with more than MOST_DOTS dots, which nobody has waited for; 0 = none."""
    if not _has_dots(text.split("\n")):
        return 0
    # Such a line may be prose in a string or a comment: only what is left without those counts.
    text_or_comment = re.compile(
        r'''"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|#[^\n]*+|'''
        r"""'''(?:[^']|'(?!''))*+(?:''')?|'[^'\n]*+'?""",
        re.DOTALL,
    )
    bare = text_or_comment.sub(lambda match: "\n" * match[0].count("\n"), text)
    keys = (re.split(r"[=,\[\]{}]", line) for line in bare.split("\n"))
    return next((number for number, line in enumerate(keys, 1) if _has_dots(line)), 0)


def _has_dots(pieces: list[str]) -> bool:
    return any(piece.count(".") > MOST_DOTS for piece in pieces)
