"""File names on the command line: expands patterns, finds file names among prompt words."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from ..errors import UsageError
from .options.input import InputOptions

MAX_FILES_SHOWN = 5  # in the command line that an error suggests


def expand_patterns(names: list[str]) -> list[str]:
    """Replace each pattern (`doc*.txt`, unexpanded by some shells) by its files, sorted.

    Raises:
        UsageError: no file matches a pattern.
    """
    expanded: list[str] = []
    for name in names:
        expanded += _require_matches(name) if _is_pattern(name) else [name]
    return expanded


def may_be_image(name: str) -> bool:
    """Whether an argument can be an image: a file, a URL, stdin, or a pattern that matches."""
    return (
        name == "-"
        or is_file(name)
        or _is_url(name)
        or (_is_pattern(name) and bool(_find_matches(name)))
    )


def _is_url(name: str) -> bool:
    return "://" in name or name.startswith("data:")


def _is_pattern(name: str) -> bool:
    """Whether the name contains `*`, `?` or `[` and is neither a file nor a URL."""
    if not any(sign in name for sign in "*?[") or _is_url(name):
        return False
    return not os.path.lexists(os.path.expanduser(name))


def _require_matches(pattern: str) -> list[str]:
    files = _find_matches(pattern)
    if not files:
        raise UsageError("no file matches the pattern", where=pattern, hint="check the path")
    return files


def _find_matches(pattern: str) -> list[str]:
    """The files that match the pattern, sorted; folders are left out."""
    from glob import glob  # imported for patterns only

    paths = glob(os.path.expanduser(pattern), recursive=True)
    return sorted(path for path in paths if not os.path.isdir(path))


def refuse_files_among(
    words: list[str], input: InputOptions, command: str, leading_arguments: Sequence[str] = ()
) -> None:
    """Refuse file names among the prompt's words if -f or -a is used.

    The shell expands `-f *.txt` so that -f gets the first file and the prompt the other names.
    `leading_arguments`: arguments of the command before the prompt's words.
    Raises:
        UsageError: a word is a file; the hint shows the command line that was probably meant.
    """
    named = [word for word in words if is_file(word)] if input.file or input.image else []
    if not named:
        return
    options = {name: _option_for(name, bool(input.file)) for name in named}
    prompt = " ".join(word for word in words if word not in options)
    meant = [("-f", name) for name in input.file or []] + [
        ("-a", name) for name in input.image or []
    ]
    meant += [(options[name], name) for name in named]
    line = shlex.join(["easyllm", command, *leading_arguments, *([prompt] if prompt else [])])
    shown = "".join(f" {option} {shlex.quote(name)}" for option, name in meant[:MAX_FILES_SHOWN])
    if len(meant) > MAX_FILES_SHOWN:
        shown += f" …, or a pattern in quotes: {meant[0][0]} '*.txt'"
    raise UsageError(
        f"{named[0]} is a file, not a word of the prompt",
        hint=f"{options[named[0]]} before each: {line}{shown}",
    )


def note_on_files_among(words: list[str]) -> str:
    """A note if the prompt is a file name or contains one, else ""."""
    alone = len(words) == 1
    for word in words:
        if is_file(word) and (alone or "." in word or os.sep in word):
            option = _option_for(word, True)
            return f"{word} is a file, and only its name is sent: {option} sends what is in it"
    return ""


def is_file(name: str) -> bool:
    """Whether this is the name of a regular file."""
    return name != "-" and os.path.isfile(name)


def _option_for(name: str, unreadable_is_text: bool) -> str:
    """-a for an image, else -f. `unreadable_is_text`: -f for a file that cannot be read."""
    from ..image_header import sniff_media_type
    from ..private_file import open_regular

    try:
        with open(open_regular(name, os.O_RDONLY), "rb") as file:
            return "-a" if sniff_media_type(file.read(256)) else "-f"
    except OSError:
        return "-f" if unreadable_is_text else "-a"
