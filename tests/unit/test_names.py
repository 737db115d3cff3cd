"""Names in the package are plain: retired words and references to outside pages do not return."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.source_tree import Source, sources

RETIRED = set(Path(__file__).with_name("retired_names.txt").read_text("utf-8").split())
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# A page outside the repository: `WORD §2`, `trap 12`. RFC sections are public, so allowed.
FOREIGN_PAGE = re.compile(r"\b(?:[A-Z]{4,} §\d|[A-Z]{4,}\.md|traps? \d)")
SOURCES = sources()


def names(source: Source) -> Iterator[tuple[int, str]]:
    """The module's name and every class, function and method name in it, in snake case."""
    yield 1, source.module.rpartition(".")[2]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, CAPITAL.sub("_", node.name).lower()


def test_no_retired_word_in_a_name() -> None:
    wrong = [
        f"{source.path}:{line}: {name}"
        for source in SOURCES
        for line, name in names(source)
        if any(f"_{word}_" in f"_{name}_" for word in RETIRED)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_no_reference_to_a_page_outside_the_repository() -> None:
    wrong = [
        f"{source.path}:{number}: {line.strip()}"
        for source in SOURCES
        for number, line in enumerate(source.text.splitlines(), 1)
        if FOREIGN_PAGE.search(line)
    ]
    assert not wrong, "\n" + "\n".join(wrong)
