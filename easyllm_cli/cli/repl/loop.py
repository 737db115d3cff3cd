"""The loop of the repl: reads a line, runs it, and goes on after every error."""

from __future__ import annotations

from ...errors import (
    BROKEN_PIPE_EXIT_CODE,
    SIGTERM_EXIT_CODE,
    EasyLLMError,
    Interrupted,
    UsageError,
)
from ...render.options import can_move_cursor
from ...render.output import print_error, print_notice
from ...render.sanitize import sanitize_text
from ..termination import Terminated, on_termination, raise_terminated, restore_process_afterwards
from .commands import handle
from .line_editor import LineEditor
from .line_history import append_entry
from .session import Session

MAX_NAME_CHARS = 20  # of the profile, in the prompt
ERASE_BELOW = "\x1b[J"
LEAVE_HINT = "easyllm: /quit or Ctrl-D leaves"


def run_loop(session: Session, editor: LineEditor, first_prompt: str) -> int:
    """Ask until the user leaves; returns the exit code.

    `first_prompt`: is asked before anything is read, unless it is empty.
    """
    interrupts = 0
    try:
        with on_termination(raise_terminated):
            while session.exit_code is None:
                interrupts = _read_and_run(session, editor, first_prompt, interrupts)
                first_prompt = ""
    except Terminated:
        return SIGTERM_EXIT_CODE
    except BrokenPipeError:
        return BROKEN_PIPE_EXIT_CODE
    return session.exit_code or 0


def _read_and_run(session: Session, editor: LineEditor, given: str, interrupts: int) -> int:
    """One round: what is `given`, else a line that is read.

    Returns how often Ctrl-C was pressed in a row, `interrupts` of them before.
    """
    try:
        text = given or editor.read(prompt_of(session))
        if text.strip():
            _remember(session, editor, text)
            _run_line(session, text.strip("\n"))
    except Terminated:
        raise
    except KeyboardInterrupt:
        # Rows of the cleared line below the cursor would stay there.
        print(f"\n{ERASE_BELOW}" if can_move_cursor(1) else "\n", end="", flush=True)
        if interrupts:
            print_notice(LEAVE_HINT)
        return interrupts + 1
    except EOFError:
        print()
        session.exit_code = 0
    except UnicodeError:
        print_error(UsageError("what was typed is not UTF-8", hint=_hint_of_locale()))
    return 0


def _hint_of_locale() -> str:
    """What helps where a line was not UTF-8: in another locale all non-ASCII letters arrive so."""
    import locale

    if locale.getencoding().upper() == "UTF-8":
        return "type it again"
    return "the locale is not UTF-8: LC_ALL=C.UTF-8 easyllm repl"


def _remember(session: Session, editor: LineEditor, text: str) -> None:
    """Let Up bring the line back; in the next repl, too, where texts are kept.

    A line that begins with a space is not written to the file, as in shells.
    """
    editor.remember(text)
    if session.keeps_texts and not text.startswith(" "):
        append_entry(text)


def _run_line(session: Session, text: str) -> None:
    """Run a command or ask; every error is printed, and none ends the repl but signals."""
    try:
        with restore_process_afterwards():
            handle(session, text)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except EasyLLMError as error:
        print_error(error)
        if isinstance(error, Interrupted) and error.exit_code == SIGTERM_EXIT_CODE:
            session.exit_code = SIGTERM_EXIT_CODE
    except Exception as error:
        from ..app import unexpected_error

        print_error(unexpected_error(error))


def prompt_of(session: Session) -> str:
    """`r1> `; a name from a file is made safe for the terminal."""
    name = sanitize_text(" ".join(session.profile_name.split()))
    return f"{name[:MAX_NAME_CHARS]}> "
