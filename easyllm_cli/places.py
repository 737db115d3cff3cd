"""Where a key stands in a profiles file, as line and column, for error lines."""

from __future__ import annotations

import re

HEADER = re.compile(
    r"""\s*\[\s*profiles\s*\.\s*(?:"([^"]+)"|'([^']+)'|([^\]"'.\s]+))\s*(?:\.[^\]]*)?\]"""
)
# A string that is a value: one with = . or ] behind it is a quoted key.
VALUE = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*')(?!\s*[=.\]])""")


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
    return VALUE.sub(lambda match: " " * len(match[0]), line).partition("#")[0]
