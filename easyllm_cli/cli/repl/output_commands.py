"""Commands that show or write what is there already: /code, /save and /usage."""

from __future__ import annotations

import re
import shlex

from ...config.paths import expand_home
from ...errors import OutputError, UsageError
from ...history.export import markdown_from_messages
from ...render.code_blocks import find_code_blocks
from .printing import print_text, print_wrapped
from .session import Session

CODE_ARGUMENT = re.compile(r"(?P<number>\d{1,9})?\s*(?:>\s*(?P<file>.+))?")
CODE_HINT = "/code, /code 2, or /code 2 > FILE"


def code(session: Session, argument: str) -> None:
    """Print a code block of the last answer, or write it to a new file.

    Raises:
        UsageError: there is no such block, or the file exists.
        OutputError: the file cannot be written.
    """
    match = CODE_ARGUMENT.fullmatch(argument)
    if match is None:
        raise UsageError(f'/code does not know "{argument[:40]}"', hint=CODE_HINT)
    blocks = find_code_blocks(session.transcript.last()[-1].text)
    number = int(match["number"] or 1)
    if not blocks:
        raise UsageError("the last answer has no code block", hint="ask for one")
    if not 1 <= number <= len(blocks):
        raise UsageError(f"the last answer has no block {number}", hint=f"it has {len(blocks)}")
    if match["file"]:
        write_new_text(_one_name(match["file"], CODE_HINT), blocks[number - 1])
    else:
        print_text(blocks[number - 1].removesuffix("\n"))


def save(session: Session, argument: str) -> None:
    """Write the conversation to a new Markdown file.

    Raises:
        UsageError: no file is named, or it exists. OutputError: it cannot be written.
    """
    name = _one_name(argument, "/save FILE")
    session.transcript.last()  # refuses a conversation without a turn
    write_new_text(name, markdown_from_messages(session.transcript.messages))


def usage(session: Session, argument: str) -> None:
    """Print tokens and cost of this repl."""
    print_wrapped(session.totals.describe())


def write_new_text(name: str, text: str) -> None:
    """Write a text file that does not exist yet, and say so.

    Raises:
        UsageError: it exists, or its home folder does not. OutputError: it cannot be written.
    """
    path = expand_home(name)
    try:
        with path.open("x", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError("the file exists", where=name, hint="name another one") from None
    except OSError as error:
        raise OutputError.from_os_error(f"cannot write {name}", error) from None
    print_wrapped(f"wrote {path}")


def _one_name(argument: str, hint: str) -> str:
    """The file name, without quotes. Raises UsageError: it is none, or several."""
    try:
        names = shlex.split(argument)
    except ValueError:  # a quote that is not closed
        names = []
    if len(names) != 1 or not names[0]:
        raise UsageError("name one file", hint=f"{hint}; quote a name with blanks")
    return names[0]
