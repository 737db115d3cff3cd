"""The lines of one profile in the text: tomlkit would take the next table's comment with them."""

from __future__ import annotations

from .places import HEADER


def without(text: str, name: str) -> str:
    """The text without the profile's `[profiles.NAME]` and `[profiles.NAME.…]`.

    Comments behind the last key stay if a blank line is between: they are about what follows. A
    profile in another form stays; whoever asks looks at what came out.
    """
    kept: list[str] = []
    section: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            kept += behind(section) if inside else section
            section = []
            header = HEADER.match(line)
            inside = header is not None and name in header.groups()
        section.append(line)
    return "".join(kept + (behind(section) if inside else section))


def behind(section: list[str]) -> list[str]:
    """The blank lines and comments behind a section's last key, from the first blank line on."""
    last = max(
        (number for number, line in enumerate(section) if line.partition("#")[0].strip()),
        default=-1,
    )
    tail = section[last + 1 :]
    blank = next((number for number, line in enumerate(tail) if not line.strip()), 0)
    return tail[blank:]
