"""Commands that put something into the next question: /file, /image and /edit."""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import suppress
from pathlib import Path

from ...errors import OutputError, UsageError
from ...private_file import open_private
from ..editor import open_editor
from ..prompt_text import read_text_file
from .printing import print_wrapped
from .session import Session

LAST = "last"  # /edit last


def file(session: Session, argument: str) -> None:
    """Read text files; they go with the next question. Raises UsageError: one cannot be read."""
    session.attach(split_names(argument, "/file"), [])
    describe_attached(session)


def image(session: Session, argument: str) -> None:
    """Read images; they go with the next question. Raises UsageError: one is no image."""
    session.attach([], split_names(argument, "/image"))
    describe_attached(session)


def split_names(argument: str, command: str) -> list[str]:
    """The names of files, as a shell splits them. Raises UsageError: there is none."""
    try:
        names = shlex.split(argument)
    except ValueError as error:  # a quote that is not closed
        raise UsageError(
            f"{command}: {str(error).lower()}", hint="quote a name with blanks"
        ) from None
    if not names:
        raise UsageError(f"{command} needs the name of a file", hint=f"{command} FILE…")
    return names


def describe_attached(session: Session) -> None:
    """Say what goes with the next question."""
    counts = (("file", len(session.files)), ("image", len(session.images)))
    parts = [f"{count} {name}{'s' * (count != 1)}" for name, count in counts if count]
    print_wrapped(f"{' and '.join(parts)} with the next question; /undo takes that back")


def edit(session: Session, argument: str) -> None:
    """Write a question in $VISUAL, or change the last one's text; what is saved is asked.

    Raises:
        UsageError: it is not UTF-8, or there is no last question.
        ConfigError: the editor cannot be started, or failed.
        OutputError: the file for the editor cannot be written.
        Interrupted: SIGTERM arrived meanwhile.
    """
    if argument not in ("", LAST):
        raise UsageError(f'/edit takes nothing or "{LAST}"', hint=f"/edit, or /edit {LAST}")
    last = session.require_question() if argument else None
    original = last.text if last else ""
    path = _write_for_editor(original)
    open_editor(path, original.encode("utf-8", "replace"), "nothing was asked")
    text = read_text_file(str(path), "the question").strip("\n")
    with suppress(OSError):
        path.unlink()
    if not text.strip() or text == original.strip("\n"):
        print_wrapped("nothing was changed, and nothing is asked")
        return
    if last is None:
        session.ask_text(text)
    else:  # it is in the template already, and has its files
        session.ask_filled(text, title=text, images=last.images)


def _write_for_editor(text: str) -> Path:
    """A new file with the text, which its owner alone can read. Raises OutputError."""
    path = Path(tempfile.gettempdir(), f"easyllm-{os.getpid()}-{os.urandom(6).hex()}.md")
    try:
        with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as stream:
            stream.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise OutputError.from_os_error(f"cannot write {path}", error) from None
    return path
