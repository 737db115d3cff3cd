"""Files named on the command line: patterns that the shell left, and files among the words."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from ..errors import UsageError
from .options.input import InputOptions

MAX_FILES_SHOWN = 5  # files in a command line that an error proposes


def expand_patterns(names: list[str]) -> list[str]:
    """The names, each pattern (`doc*.txt`, as some shells leave it) replaced by its files, sorted.

    Raises:
        UsageError: no file matches a pattern.
    """
    made: list[str] = []
    for name in names:
        made += _require_matches(name) if _is_pattern(name) else [name]
    return made


def may_be_image(name: str) -> bool:
    """Whether an argument names a picture: a file, a URL, stdin, or a pattern of files."""
    return (
        name == "-"
        or is_file(name)
        or _is_url(name)
        or (_is_pattern(name) and bool(_find_matches(name)))
    )


def _is_url(name: str) -> bool:
    return "://" in name or name.startswith("data:")


def _is_pattern(name: str) -> bool:
    """Whether it holds `*`, `?` or `[` and is neither a file's own name nor a URL."""
    if not any(sign in name for sign in "*?[") or _is_url(name):
        return False
    return not os.path.lexists(os.path.expanduser(name))


def _require_matches(pattern: str) -> list[str]:
    files = _find_matches(pattern)
    if not files:
        raise UsageError("no file matches the pattern", where=pattern, hint="check the path")
    return files


def _find_matches(pattern: str) -> list[str]:
    """What matches it but folders, sorted."""
    from glob import glob  # for patterns alone

    found = glob(os.path.expanduser(pattern), recursive=True)
    return sorted(one for one in found if not os.path.isdir(one))


def refuse_files_among(
    words: list[str], input: InputOptions, command: str, leading_arguments: Sequence[str] = ()
) -> None:
    """The shell's `-f *.txt` gives -f the first file, and the prompt the names of the others.

    `before`: arguments of the command before the prompt's words.
    Raises:
        UsageError: -f or -a is given, and a word of the prompt is a file; shows what is meant.
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
    """What to say of a prompt that is the name of a file, or holds one; "" = it does not."""
    alone = len(words) == 1
    for word in words:
        if is_file(word) and (alone or "." in word or os.sep in word):
            option = _option_for(word, True)
            return f"{word} is a file, and only its name is sent: {option} sends what is in it"
    return ""


def is_file(name: str) -> bool:
    """Whether a regular file has this name."""
    return name != "-" and os.path.isfile(name)


def _option_for(name: str, unreadable_is_text: bool) -> str:
    """-a for a picture, -f for another file; `text`: for one that cannot be read."""
    from ..image_header import sniff_media_type
    from ..images import OPEN_FLAGS

    try:
        with open(os.open(name, OPEN_FLAGS), "rb") as file:
            return "-a" if sniff_media_type(file.read(256)) else "-f"
    except OSError:
        return "-f" if unreadable_is_text else "-a"
