"""What is promised (FAULTS §7), one line each, and which tests name a promise by its number."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support import ROOT

TESTS = ROOT / "tests"
PROMISES = {
    1: "refused on loopback: 6 at once; refused elsewhere: tried again",
    2: "a host that does not exist: 6, tried once",
    3: "a certificate that is not trusted: 6, and the line says so",
    4: "accepted and never answered: tried again, then 6",
    5: "dropped before the first byte, then good: 0 with two requests",
    6: "a dead proxy: 6, and the line names it",
    7: "--no-retry: one request",
    8: "401: 3, one request, no key in the line",
    9: "403: 3",
    10: "402: 3",
    11: "404 for a model: 4, and names that are close",
    12: "400: 4 with the provider's words",
    13: "422 with a list: 4 with the words in it",
    14: "413: 4",
    15: "Retry-After in seconds is waited, and no less",
    16: "Retry-After as a date",
    17: "retry-after-ms",
    18: "x-ratelimit-reset",
    19: "a wait that is too long: 5 at once, and the line says how long",
    20: "a wait that is negative or unreadable: our own",
    21: "a quota that is used up: 3, one request",
    22: "500 four times: 5 with four requests, waits within the schedule",
    23: "529: 5",
    24: "a page as an error: its title, no markup",
    25: "x-should-retry is obeyed",
    26: "a page under 200: 7",
    27: "nothing under 200: 7",
    28: "a JSON that is cut: 7",
    29: "an error object under 200: by its code",
    30: "an error as string, list or nested: its words are found",
    31: "no end marker: 7, the text is there, the line says incomplete",
    32: "a finish_reason and no [DONE]: 0",
    33: "a cut between two chunks: 7, one request",
    34: "a reset: 7",
    35: "an error object in a stream: 5",
    36: "event: error: 5",
    37: "Ollama's error line: 5; its end without done: 7",
    38: "a frame that is no JSON: 7",
    39: "bytes that are not UTF-8: 0 with U+FFFD",
    40: "byte by byte, with CRLF: the exact text",
    41: "U+2028 and U+0085 are kept",
    42: "null and empty choices, late chunks: the exact text, once",
    43: "keep-alives are no tokens: first token 6, idle 7, by the server's clock",
    44: "a line of 64 MiB: 7 within 50 MB",
    45: "a gzip bomb: 7 within 50 MB",
    46: "tokens without an end, --max-output-bytes: 7",
    47: "length as asked: 0 and a line; --strict: 7",
    48: "Ctrl-C at the third token: 130, three tokens, the connection closed within 1 s",
    49: "SIGTERM: 143",
    50: "head closes the pipe: 141, not a word, the connection closed",
    51: "stdin closed: works with a prompt in the arguments",
    52: "no prompt and no terminal: 2",
    53: "a full disk under stdout: 8",
    54: "a log that cannot be written: 0, one line, the answer whole",
    55: "ten processes and a new log: ten rows, ten times 0",
    56: "kill -9 a hundred times while writing: files are whole, no key is lost",
    57: "redirects: 4, and the other server is asked nothing",
    58: "no key in anything that leaves the process",
    59: "a key in a file that others can read: 2",
    60: "http:// beyond this machine with a key: 2",
    61: "nothing is read from the current folder, no command run from others' files",
    62: "nothing steers the terminal, wherever it is split",
    63: "nor through --json",
    64: "pictures: no device, no pipe, no private address, nothing past the cap",
    65: "a profiles file that is too large or too deep: 2",
    66: "a damaged file is never written over",
}
NO_LOG = "there is no log yet"
WAITING = {54: NO_LOG, 55: NO_LOG}
WAITING_HALVES = {
    48: f"the row `interrupted`: {NO_LOG}",
    56: f"kill -9 during a log write: {NO_LOG}",
    58: f"the log database: {NO_LOG}",
}
NUMBER = r"(?:_and)?_\d+(?![a-z0-9])"
NAMED = re.compile(rf"(?<![a-z0-9])promises?((?:{NUMBER})+)")


def numbers_in(text: str) -> set[int]:
    """The promises that a name tells: `promise_33-cut`, `test_promises_59_and_61_words`."""
    return {int(number) for one in NAMED.findall(text) for number in re.findall(r"\d+", one)}


@dataclass(frozen=True)
class FileOfTests:
    """A file of tests, and what its tests claim."""

    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"), str(self.path))

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return {one.name: one for one in self.tree.body if isinstance(one, kinds)}

    def claims(self) -> Iterator[tuple[int, str, bool]]:
        """(promise, the test's name, whether it runs the binary)."""
        for name, function in self.functions.items():
            if name.startswith("test_"):
                for number in numbers_in(name) | self._ids(function):
                    yield number, name, self._runs_the_binary(function)

    def _ids(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
        """Promises in the ids of a parametrised test, which may stand in a table above it."""
        named = {
            node.id for one in function.decorator_list for node in ast.walk(one)
            if isinstance(node, ast.Name)
        }  # fmt: skip
        tables = [
            one for one in self.tree.body
            if isinstance(one, ast.Assign | ast.AnnAssign) and named & set(targets(one))
        ]  # fmt: skip
        texts = [
            node.value for one in (*function.decorator_list, *tables) for node in ast.walk(one)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]  # fmt: skip
        return set().union(*map(numbers_in, texts))

    def _runs_the_binary(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether it takes the fixture `easyllm`, or one of its own file that makes one."""
        taken = [one.arg for one in function.args.args]
        if "easyllm" in taken:
            return True
        own = [self.functions[name] for name in taken if name in self.functions]
        return any("Easyllm" in ast.unparse(one) for one in own)


def targets(made: ast.Assign | ast.AnnAssign) -> list[str]:
    """The names that are given a value."""
    all_of_them = made.targets if isinstance(made, ast.Assign) else [made.target]
    return [one.id for one in all_of_them if isinstance(one, ast.Name)]


def every_file() -> list[FileOfTests]:
    """Every file of tests, but the one that looks at them."""
    found = sorted(TESTS.rglob("test_*.py"))
    return [FileOfTests(path) for path in found if path.name != "test_promises.py"]
