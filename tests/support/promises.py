"""The promises of docs/promises.md, and the tests that bear their numbers."""

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
NO_TEST = re.compile(r"\((?:not yet|measured): [^)]+\)")  # waits, or is a benchmark
NUMBER = r"(?:_and)?_\d+(?![a-z0-9])"

Promise = tuple[str, int]  # FAULT, 31


def promises() -> dict[Promise, str]:
    """Every promise of the page, with its text."""
    found = LINE.findall(PAGE.read_text("utf-8"))
    assert len({one[:2] for one in found}) == len(found), "a number stands twice"
    return {(group, int(number)): text for group, number, text in found}


def needs_a_test(text: str) -> bool:
    """Whether a test must bear the promise's number."""
    return NO_TEST.search(text) is None


def promises_in(name: str, groups: frozenset[str]) -> set[Promise]:
    """The promises that a name tells: `fault_33-cut`, `test_fault_59_and_61_words`."""
    words = "|".join(group.lower() for group in groups)
    found = re.finditer(rf"(?<![a-z0-9])({words})((?:{NUMBER})+)", name)
    return {
        (match[1].upper(), int(number))
        for match in found
        for number in re.findall(r"\d+", match[2])
    }


@dataclass(frozen=True)
class FileOfTests:
    """A file of tests, and which promises its tests claim."""

    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"), str(self.path))

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return {node.name: node for node in self.tree.body if isinstance(node, kinds)}

    def claims(self, groups: frozenset[str]) -> Iterator[tuple[Promise, str, bool]]:
        """(promise, the test's name, whether it runs the command as a process)."""
        for name, function in self.functions.items():
            if name.startswith("test_"):
                texts = [name, *self._ids(function)]
                for promise in set().union(*(promises_in(text, groups) for text in texts)):
                    yield promise, name, self._runs_the_command(function)

    def _ids(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
        """Strings of a parametrised test's decorators, and of a table above it that they name."""
        named = {
            node.id
            for decorator in function.decorator_list
            for node in ast.walk(decorator)
            if isinstance(node, ast.Name)
        }
        tables = [
            node
            for node in self.tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and named & set(assigned_names(node))
        ]
        return [
            node.value
            for part in (*function.decorator_list, *tables)
            for node in ast.walk(part)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]

    def _runs_the_command(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether it takes the fixture `easyllm`, or one of its own file that makes one."""
        arguments = [argument.arg for argument in function.args.args]
        if "easyllm" in arguments:
            return True
        own = [self.functions[name] for name in arguments if name in self.functions]
        return any("Easyllm" in ast.unparse(fixture) for fixture in own)


def assigned_names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def every_file() -> list[FileOfTests]:
    """Every file of tests, but the one that looks at them."""
    found = sorted(TESTS.rglob("test_*.py"))
    return [FileOfTests(path) for path in found if path.name != "test_promises.py"]
