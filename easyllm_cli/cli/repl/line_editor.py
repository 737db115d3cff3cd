"""LineEditor: reads questions with readline, the only file that knows it.

A paste of several lines is one question: terminals mark it (bracketed paste), and GNU readline
takes it as one line. Python switches that off when it imports readline
(https://github.com/python/cpython/issues/86985), so it is switched on again. libedit (some builds
for macOS) and Windows know no such marks: there, and anywhere, a text between two lines of three
quotes is one question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...render.options import can_move_cursor
from .commands import escape_command
from .suspension import Suspended, raise_suspended

try:
    import readline
except ImportError:  # Windows
    readline = None  # type: ignore[assignment]

QUOTES = '"""'
CONTINUATION_PROMPT = "… "
WORD_BREAKS = " \t\n"
# Gets the line up to the cursor and the word that ends it; gives the words that could stand there.
Complete = Callable[[str, str], Sequence[str]]


class LineEditor:
    """Reads one question after the other from the terminal.

    `entries`: what Up brings back, oldest first.
    """

    def __init__(self, entries: Sequence[str], complete: Complete) -> None:
        self._complete = complete
        self._found: Sequence[str] = ()
        self._is_quoting = False  # between three quotes
        if readline is None:
            return
        is_libedit = "libedit" in (readline.__doc__ or "")
        if not is_libedit and can_move_cursor(1):
            readline.parse_and_bind("set enable-bracketed-paste on")
        readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
        readline.set_auto_history(False)
        readline.set_completer_delims(WORD_BREAKS)
        readline.set_completer(self._next_completion)
        for entry in entries:
            readline.add_history(entry)

    def read(self, prompt: str) -> str:
        """The next question.

        Raises:
            EOFError: Ctrl-D, or the terminal is gone. KeyboardInterrupt: Ctrl-C.
            UnicodeDecodeError: what was typed is not in the terminal's encoding.
        """
        text = self._read_line(prompt)
        if not text.startswith(QUOTES) or "\n" in text:  # a paste is what it is
            return text
        self._is_quoting = True
        try:
            return escape_command(self._read_quoted(text))
        finally:
            self._is_quoting = False

    def _read_quoted(self, first_line: str) -> str:
        """The text between the quotes. Raises as `read`, an error of encoding after its end."""
        lines = [first_line.removeprefix(QUOTES)]
        failure: UnicodeDecodeError | None = None
        while not lines[-1].rstrip().endswith(QUOTES):
            try:
                lines.append(self._read_line(CONTINUATION_PROMPT))
            except UnicodeDecodeError as error:  # the other lines are no questions
                failure = error
        if failure is not None:
            raise failure
        lines[-1] = lines[-1].rstrip().removesuffix(QUOTES)
        return "\n".join(lines).strip("\n")

    def _read_line(self, prompt: str) -> str:
        """One line or one marked paste; after Ctrl-Z and `fg` what was typed is there again."""
        while True:
            try:
                with raise_suspended():
                    return input(prompt)
            except Suspended as suspended:
                typed = "" if readline is None else readline.get_line_buffer()
                suspended.suspend()
                self._insert_at_start(typed)

    @staticmethod
    def _insert_at_start(text: str) -> None:
        """Begin the next line with this text."""
        if readline is None:
            return

        def insert() -> None:
            readline.set_startup_hook()
            readline.insert_text(text)

        readline.set_startup_hook(insert)

    def remember(self, text: str) -> None:
        """Let Up bring the text back."""
        if readline is not None:
            readline.add_history(text)

    def _next_completion(self, word: str, number: int) -> str | None:
        """readline's completer: the words one by one, and then None.

        In a text TAB is a tab: it may come from a paste without marks.
        """
        if number == 0:
            self._found = ()
            try:
                line = readline.get_line_buffer()[: readline.get_endidx()]
                if self._is_quoting or not line.startswith("/"):
                    readline.insert_text("\t")
                else:
                    self._found = self._complete(line, word)
            except Exception:  # readline would print nothing, and a TAB must never end the repl
                self._found = ()
        return self._found[number] if number < len(self._found) else None
