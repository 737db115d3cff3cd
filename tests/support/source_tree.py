"""The package's source files with their syntax trees and imports, for tests of its structure."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tests.support import ROOT as CHECKOUT

PACKAGE = "easyllm_cli"
ROOT = CHECKOUT / PACKAGE


@dataclass(frozen=True)
class Import:
    """One imported module. `function` is the outermost function around it, "" = none."""

    target: str
    line: int
    function: str
    typing_only: bool

    @property
    def top(self) -> str:
        return self.target.partition(".")[0]

    @property
    def ours(self) -> bool:
        return self.top == PACKAGE


@dataclass(frozen=True)
class Source:
    """One file: its path relative to the package, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def module(self) -> str:
        """The dotted name, with `easyllm_cli` first."""
        parts = [PACKAGE, *Path(self.path).with_suffix("").parts]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def top_level_part(self) -> str:
        """The subpackage or top-level module, such as "transport" or "errors"; "" = the package."""
        return top_level_part(self.module)

    @cached_property
    def statements(self) -> list[tuple[ast.stmt, str, bool]]:
        """Every statement, its outermost function, and whether TYPE_CHECKING guards it."""
        return list(places(self.tree))

    @cached_property
    def imports(self) -> list[Import]:
        return [
            imported
            for node, function, typing in self.statements
            for imported in self._targets(node, function, typing)
        ]

    def _targets(self, node: ast.stmt, function: str, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno, function, typing)
        elif isinstance(node, ast.ImportFrom):
            base = self._absolute(node)
            for name in node.names:
                target = f"{base}.{name.name}" if is_module(f"{base}.{name.name}") else base
                yield Import(target, node.lineno, function, typing)

    def _absolute(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of a relative import's module."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        package = parts if self.path.endswith("__init__.py") else parts[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])


def top_level_part(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def is_module(dotted: str) -> bool:
    """Return whether a dotted name is a module of the package."""
    top, *rest = dotted.split(".")
    path = ROOT.joinpath(*rest)
    files = (path.with_suffix(".py"), path / "__init__.py")
    return top == PACKAGE and any(file.is_file() for file in files)


def places(tree: ast.Module) -> Iterator[tuple[ast.stmt, str, bool]]:
    """Yield every statement, its outermost function, and whether TYPE_CHECKING guards it."""

    def walk(node: ast.AST, function: str, typing: bool) -> Iterator[tuple[ast.stmt, str, bool]]:
        for child in ast.iter_child_nodes(node):
            inside = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = function or child.name
            guarded = typing or (isinstance(child, ast.If) and is_type_checking(child.test))
            if isinstance(child, ast.stmt):
                yield child, function, typing
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                yield from walk(child, inside, guarded)

    yield from walk(tree, "", False)


def is_type_checking(test: ast.expr) -> bool:
    """Return whether a condition is `TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def is_third_party(imported: Import) -> bool:
    return not imported.ours and imported.top not in sys.stdlib_module_names


@cache
def sources() -> list[Source]:
    """Return every file of the package, each parsed at most once for all tests."""
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
    ]
