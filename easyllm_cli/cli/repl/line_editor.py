"""LineEditor: reads questions with readline, the only file that knows it.

A paste of several lines is one question: terminals mark it (bracketed paste), and GNU readline
takes it as one line. Python switches that off when it imports readline
(https://github.com/python/cpython/issues/86985), so it is switched on again. libedit (some builds
for macOS) and Windows know no such marks: there, and anywhere, a text between two lines of three
quotes is one question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
        if readline is None:
            return
        is_libedit = "libedit" in (readline.__doc__ or "")
        if not is_libedit:
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
        text = input(prompt)
        if not text.startswith(QUOTES):
            return text
        lines = [text.removeprefix(QUOTES)]
        while not lines[-1].endswith(QUOTES):
            lines.append(input(CONTINUATION_PROMPT))
        lines[-1] = lines[-1].removesuffix(QUOTES)
        return "\n".join(lines).strip("\n")

    def remember(self, text: str) -> None:
        """Let Up bring the text back."""
        if readline is not None:
            readline.add_history(text)

    def _next_completion(self, word: str, number: int) -> str | None:
        """readline's completer: the words one by one, and then None."""
        if number == 0:
            try:
                line = readline.get_line_buffer()[: readline.get_endidx()]
                self._found = self._complete(line, word)
            except Exception:  # readline would print nothing, and a TAB must never end the repl
                self._found = ()
        return self._found[number] if number < len(self._found) else None
