"""Edits of the profiles file's lines that keep each comment with what it is about.

tomlkit does not know whose a comment is. Whoever calls these functions parses the result and
compares it with the edit that was wanted.
"""

from __future__ import annotations

import re
from itertools import pairwise

from .profiles_file import SECTION_HEADER, find_key_position

COMMENTED_DEFAULT = re.compile(r"#\s*default_profile\s*=")  # `easyllm init` writes such a line


def join_sections(old: str, new: str) -> str:
    """Join two parts of a file with a blank line between them."""
    if not old or not new:
        return old + new
    return old + ("" if old.endswith("\n\n") else "\n" if old.endswith("\n") else "\n\n") + new


def insert_top_level(text: str, assignment: str) -> str:
    """Insert a line of the top level below the file's header comment, else at the top.

    The header is a comment at the beginning with a blank line below it: a comment directly above a
    table is about that table. A default that is commented out gets the line below it.
    """
    lines = text.splitlines(keepends=True)
    top = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    for number in range(top):
        if COMMENTED_DEFAULT.match(lines[number]):
            above, below = "".join(lines[: number + 1]), "".join(lines[number + 1 :])
            return above + ("" if above.endswith("\n") else "\n") + assignment + below
    header = _count_header_lines(lines)
    rest = next((n for n in range(header, len(lines)) if lines[n].strip()), len(lines))
    above = join_sections("".join(lines[:header]), assignment)
    return join_sections(above, "".join(lines[rest:]))


def _count_header_lines(lines: list[str]) -> int:
    """How many lines the file's header comment has; 0 = there is none."""
    end = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return end if end == len(lines) or not lines[end].strip() else 0


def remove_top_level(text: str, key: str) -> str:
    """Remove the line of a setting of the top level."""
    number, _ = find_key_position(text, None, key)
    return _remove_lines(text.splitlines(keepends=True), {number - 1})


def remove_section(text: str, name: str) -> str:
    """Remove `[profiles.NAME]` and `[profiles.NAME.…]`, and the comments directly above them.

    Comments after the last key and a blank line stay, because they belong to the next section; so
    does a comment that begins the file, which may be about the file. A profile in another form
    (dotted keys, inline table) stays.
    """
    lines = text.splitlines(keepends=True)
    starts = [n for n, line in enumerate(lines) if line.lstrip().startswith("[")]
    removed: set[int] = set()
    for start, end in pairwise([*starts, len(lines)]):
        header = re.match(SECTION_HEADER, lines[start])
        if header is not None and name in header.groups():
            end -= len(find_trailing_comments(lines[start:end]))
            removed.update(range(_find_own_comment(lines, start), end))
    return _remove_lines(lines, removed)


def _find_own_comment(lines: list[str], start: int) -> int:
    """The first line of the comment directly above a section, else the section's own.

    Below a key without a blank line the comment is about that key.
    """
    first = start
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return first if first and not lines[first - 1].strip() else start


def find_trailing_comments(section: list[str]) -> list[str]:
    """Return a section's blank lines and comments after its last key, from the first blank line."""
    last = max(
        (number for number, line in enumerate(section) if line.partition("#")[0].strip()),
        default=-1,
    )
    tail = section[last + 1 :]
    blank = next((number for number, line in enumerate(tail) if not line.strip()), 0)
    return tail[blank:]


def _remove_lines(lines: list[str], removed: set[int]) -> str:
    """Remove lines by number (from 0), and the blank lines that would then be double."""
    kept: list[str] = []
    is_gap = False
    for number, line in enumerate(lines):
        if number in removed:
            is_gap = True
        elif line.strip() or not is_gap or (kept and kept[-1].strip()):
            kept.append(line)
            is_gap = False
    while is_gap and kept and not kept[-1].strip():  # the end of the file was removed
        kept.pop()
    return "".join(kept)
