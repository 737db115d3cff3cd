"""Imports point downward without cycles, each dependency has one home, and sizes are bounded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter

from tests.support.source_tree import Source, is_third_party, sources

# From bottom to top. A file imports only from a lower layer or from its own folder. Files at the
# package's root are the bottom layer, except the three in TOP.
FLOORS = (
    ("",),
    ("config", "render"),
    ("pricing",),
    ("limits", "recordings"),
    ("pipeline", "transport"),
    ("providers", "history"),
    ("routing",),
    ("service",),
    ("batch", "diagnostics"),
    ("cli",),
    ("__init__", "__main__"),
)
FLOOR = {folder: number for number, folders in enumerate(FLOORS) for folder in folders}
TOP = ("service", "__init__", "__main__")
HOMES = {
    "typer": "cli/",
    "rich": "render/",
    "markdown_it": "render/markdown/",
    "pygments": "render/markdown/",
    "httpx2": "transport/http.py",
    "aiohttp": "transport/aiohttp_client.py",
    "yarl": "transport/aiohttp_urls.py",
    "openai": "transport/openai_sdk.py",
    "google": "transport/google_sdk.py",
    "litellm": "providers/litellm/client.py",
    "xllamacpp": "providers/local/engine.py",
    "tomllib": "config/toml_parsing.py",
    "sqlite3": "history/store.py",
    "readline": "cli/repl/line_editor.py",
    "tomlkit": "config/toml_document.py",
    "keyring": "config/key_store.py",
    "sqlalchemy": "config/database/",
    "backoff": "pipeline/retry.py",
    "genai_prices": "pricing/update.py",
    "jsonschema": "json_schema.py",
    "referencing": "json_schema.py",
}
FILE_LINES, FUNCTION_LINES = 400, 40
SOURCES = sources()
MODULES = {source.module: source for source in SOURCES}


def folder_of(source: Source) -> str:
    """The folder that decides a file's layer; a file in TOP counts as its own folder."""
    first, _, rest = source.path.partition("/")
    name = first.removesuffix(".py")
    return first if rest else name if name in TOP else ""


def imported(source: Source) -> Iterator[tuple[int, Source]]:
    """Every file of the package that a file imports, including type-only and late imports."""
    for import_ in source.imports:
        target = MODULES.get(import_.target)
        if target and target is not source and target.path != "__init__.py":
            yield import_.line, target


def test_imports_point_down() -> None:
    wrong = [
        f"{source.path}:{line}: {target.path} is not below"
        for source in SOURCES
        for line, target in imported(source)
        if folder_of(target) != folder_of(source)
        and FLOOR[folder_of(target)] >= FLOOR[folder_of(source)]
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_imports_have_no_cycle() -> None:
    TopologicalSorter(
        {source.path: {target.path for _, target in imported(source)} for source in SOURCES}
    ).prepare()  # raises CycleError, which names the files


def test_each_dependency_is_imported_in_one_place() -> None:
    wrong = [
        f"{source.path}:{import_.line}: {import_.top} lives in {HOMES.get(import_.top, 'nowhere')}"
        for source in SOURCES
        for import_ in source.imports
        if is_third_party(import_) or import_.top in ("tomllib", "sqlite3", "readline")
        if not source.path.startswith(HOMES.get(import_.top, "nowhere"))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_files_and_functions_stay_small() -> None:
    wrong = [source.path for source in SOURCES if len(source.text.splitlines()) > FILE_LINES]
    wrong += [
        f"{source.path}:{node.lineno}: {node.name}"
        for source in SOURCES
        for node, _, _ in source.statements
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]
    assert not wrong, "\n" + "\n".join(wrong)
