"""Names in the package are plain: retired words and references to outside pages do not return."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.source_tree import Source, sources

RETIRED = Path(__file__).with_name("retired_names.txt").read_text("utf-8").split()
RETIRED_WORD = re.compile(rf"(?:^|_)(?:{'|'.join(map(re.escape, RETIRED))})(?:_|$)")
DEFINITION = re.compile(r"^\s*(?:async\s+def|def|class)\s+(\w+)")
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# A page outside the repository: `WORD §2`, `trap 12`. RFC sections are public, so allowed.
FOREIGN_PAGE = re.compile(r"\b(?:[A-Z]{4,} §\d|[A-Z]{4,}\.md|traps? \d)")
SOURCES = sources()


def names(source: Source) -> Iterator[tuple[int, str]]:
    """The module's name and every class, function and method name in it, in snake case."""
    yield 1, source.module.rpartition(".")[2]
    for number, line in enumerate(source.text.splitlines(), 1):
        if match := DEFINITION.match(line):
            yield number, CAPITAL.sub("_", match[1]).lower()


def test_no_retired_word_in_a_name() -> None:
    wrong = [
        f"{source.path}:{line}: {name}"
        for source in SOURCES
        for line, name in names(source)
        if RETIRED_WORD.search(name)
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
