"""The texts that a prompt is made of: words of the command line and text files."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UsageError
from ..text_encoding import decode_text

MAX_TEXT_FILE_BYTES = 256 * 1024 * 1024
STDIN_PLACEHOLDER = "{stdin}"


def read_text_file(
    name: str, what: str, if_image: str = "it is an image, and text is needed"
) -> str:
    """Read a text file, or a pipe such as bash's <(command), without a byte order mark.

    `what`: what an error calls the file. `if_image`: the hint if it is an image.
    Raises:
        UsageError: it is missing, unreadable, not UTF-8 or larger than 256 MiB.
    """
    try:
        with Path(os.path.expanduser(name)).open("rb") as file:
            data = file.read(MAX_TEXT_FILE_BYTES + 1)
        if len(data) > MAX_TEXT_FILE_BYTES:
            raise UsageError(f"{what} is larger than {MAX_TEXT_FILE_BYTES >> 20} MiB", where=name)
        return decode_text(data, what, name, image_hint=if_image)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"cannot read {what}: {reason}", where=name, hint="check the path"
        ) from None


def require_utf8(text: str) -> str:
    """Return the text of the command line unchanged.

    Raises:
        UsageError: it is not UTF-8.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"the prompt is not UTF-8 at character {error.start}") from None
    return text


def join_words(words: list[str]) -> str:
    """The prompt of the command line, without the `-` that stands for stdin.

    Raises:
        UsageError: it is not UTF-8.
    """
    return require_utf8(" ".join(word for word in words if word != "-"))


def join_with_blank_line(first: str, second: str) -> str:
    """Both texts with a blank line between; one alone if the other is empty."""
    if not first or not second:
        return first or second
    return first + ("\n" if first.endswith("\n") else "\n\n") + second
