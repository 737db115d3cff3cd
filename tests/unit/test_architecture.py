"""Folders are floors: imports point down, without circles; one home a package; bounded sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter

from tests.support.source_tree import Source, is_third_party, sources

# From the ground up. An import goes to a lower floor or stays in its own folder; the files at the
# root are the ground, but for the three of TOP.
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
    "openai": "transport/openai_sdk.py",
    "google": "transport/google_sdk.py",
    "litellm": "providers/litellm/client.py",
    "xllamacpp": "providers/local/engine.py",
    "tomllib": "config/profiles_file.py",
    "tomlkit": "config/toml_document.py",
    "keyring": "config/key_store.py",
    "sqlalchemy": "config/database/",
    "backoff": "pipeline/retry.py",
    "jsonschema": "json_schema.py",
    "referencing": "json_schema.py",
}
FILE_LINES, FUNCTION_LINES = 400, 40
SOURCES = sources()
MODULES = {source.module: source for source in SOURCES}


def folder_of(source: Source) -> str:
    """The folder that decides a file's floor; a file of TOP is one by itself."""
    first, _, rest = source.path.partition("/")
    name = first.removesuffix(".py")
    return first if rest else name if name in TOP else ""


def imported(source: Source) -> Iterator[tuple[int, Source]]:
    """Every file of ours that a file imports, those for types alone and late ones too."""
    for one in source.imports:
        found = MODULES.get(one.target)
        if found and found is not source and found.path != "__init__.py":
            yield one.line, found


def test_imports_point_down() -> None:
    wrong = [
        f"{source.path}:{line}: {target.path} is not below"
        for source in SOURCES
        for line, target in imported(source)
        if folder_of(target) != folder_of(source)
        and FLOOR[folder_of(target)] >= FLOOR[folder_of(source)]
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_no_circle() -> None:
    TopologicalSorter(
        {source.path: {target.path for _, target in imported(source)} for source in SOURCES}
    ).prepare()  # raises CycleError, which names the files


def test_a_package_has_one_home() -> None:
    wrong = [
        f"{source.path}:{one.line}: {one.top} lives in {HOMES.get(one.top, 'nowhere')}"
        for source in SOURCES
        for one in source.imports
        if is_third_party(one) or one.top == "tomllib"
        if not source.path.startswith(HOMES.get(one.top, "nowhere"))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_files_and_functions_stay_small() -> None:
    wrong = [source.path for source in SOURCES if len(source.text.splitlines()) > FILE_LINES]
    wrong += [
        f"{source.path}:{node.lineno}: {node.name}"
        for source in SOURCES
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]
    assert not wrong, "\n" + "\n".join(wrong)
