"""Parses TOML that a person wrote: errors name file, line and column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import ConfigError

MAX_KEY_DOTS = 100  # in one key; tomllib's time grows with the square of the dots


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Parse a TOML text; `path` is named in the error.

    Raises:
        ConfigError: not valid TOML.
    """
    import tomllib  # most commands without a profiles file need none

    if line_number := find_overlong_key(text):
        raise ConfigError(f"a key has more than {MAX_KEY_DOTS} dots", where=f"{path}:{line_number}")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or an integer of more than 4300 digits
        at = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        end = (text.count("\n") + 1, len(text.rpartition("\n")[2]) + 1)
        line, column = (at[1], at[2]) if at else end
        reason = str(error).partition(" (at ")[0]
        raise ConfigError(f"not valid TOML: {reason}", where=f"{path}:{line}:{column}") from None
    except RecursionError:
        raise ConfigError("not valid TOML: nested too deeply", where=str(path)) from None


def find_overlong_key(text: str) -> int:
    """Return the line of a key with more than MAX_KEY_DOTS dots, which parses slowly; 0 = none."""
    if not _has_too_many_dots(text.split("\n")):
        return 0
    # The dots may be in a string or a comment: remove those and count again.
    text_or_comment = re.compile(
        r'''"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|#[^\n]*+|'''
        r"""'''(?:[^']|'(?!''))*+(?:''')?|'[^'\n]*+'?""",
        re.DOTALL,
    )
    bare = text_or_comment.sub(lambda match: "\n" * match[0].count("\n"), text)
    keys = (re.split(r"[=,\[\]{}]", line) for line in bare.split("\n"))
    return next((number for number, line in enumerate(keys, 1) if _has_too_many_dots(line)), 0)


def _has_too_many_dots(pieces: list[str]) -> bool:
    return any(piece.count(".") > MAX_KEY_DOTS for piece in pieces)
