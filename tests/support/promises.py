"""Reads the promises of docs/promises.md, and finds the tests whose names hold their numbers."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support import ROOT

TESTS = ROOT / "tests"
PAGE = ROOT / "docs" / "promises.md"
LINE = re.compile(r"^- ([A-Z]+)-(\d+): (.+)$", re.MULTILINE)
NO_TEST = re.compile(r"\((?:not yet|measured): [^)]+\)")  # not implemented, or a benchmark
NUMBER = r"(?:_and)?_\d+(?![a-z0-9])"

Promise = tuple[str, int]  # ("FAULT", 31)


def promises() -> dict[Promise, str]:
    """Return every promise of the page, with its text."""
    promise_lines = LINE.findall(PAGE.read_text("utf-8"))
    assert len({line[:2] for line in promise_lines}) == len(promise_lines), "a number stands twice"
    return {(group, int(number)): text for group, number, text in promise_lines}


def needs_a_test(text: str) -> bool:
    """Return whether a test must have the promise's number in its name."""
    return NO_TEST.search(text) is None


def promises_in(name: str, groups: frozenset[str]) -> set[Promise]:
    """Return the promises in a name such as `fault_33-cut` or `test_fault_59_and_61_words`."""
    words = "|".join(group.lower() for group in groups)
    matches = re.finditer(rf"(?<![a-z0-9])({words})((?:{NUMBER})+)", name)
    return {
        (match[1].upper(), int(number))
        for match in matches
        for number in re.findall(r"\d+", match[2])
    }


@dataclass(frozen=True)
class FileOfTests:
    """A test file, and the promises that its tests claim."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return {node.name: node for node in self.tree.body if isinstance(node, kinds)}

    def claims(self, groups: frozenset[str]) -> Iterator[tuple[Promise, str, bool]]:
        """Yield (promise, the test's name, whether it runs the command as a process)."""
        if not promises_in(self.text, groups):  # parsing is slow
            return
        for name, function in self.functions.items():
            if name.startswith("test_"):
                texts = [name, *self._strings_in_parameters(function)]
                for promise in set().union(*(promises_in(text, groups) for text in texts)):
                    yield promise, name, self._runs_the_command(function)

    def _strings_in_parameters(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
        """Return the strings in a test's decorators and in the tables that they name."""
        names = {
            node.id
            for decorator in function.decorator_list
            for node in ast.walk(decorator)
            if isinstance(node, ast.Name)
        }
        tables = [
            node
            for node in self.tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and names & set(assigned_names(node))
        ]
        return [
            node.value
            for part in (*function.decorator_list, *tables)
            for node in ast.walk(part)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]

    def _runs_the_command(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Return whether the test uses the fixture `easyllm`, or a fixture that needs it."""
        arguments = [argument.arg for argument in function.args.args]
        if "easyllm" in arguments:
            return True
        fixtures = [self.functions[name] for name in arguments if name in self.functions]
        return any("Easyllm" in ast.unparse(fixture) for fixture in fixtures)


def assigned_names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def every_file() -> list[FileOfTests]:
    """Return every test file except test_promises.py, which uses this module."""
    paths = sorted(TESTS.rglob("test_*.py"))
    return [FileOfTests(path) for path in paths if path.name != "test_promises.py"]
