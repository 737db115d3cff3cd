"""Prints calls of the history: a table or lines, Markdown, code blocks, JSON, an export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..history.calls import call_images, call_object, call_objects
from ..history.export import format_local_time, json_lines_from_objects, markdown_from_calls
from ..history.search import EXCERPT_CHARS, excerpt
from ..history.store import HistoryStore, Row
from ..render.options import is_terminal, takes_layout, terminal_size
from ..render.output import OutputStream, print_notice
from .options.common import ListFormat
from .results import CommandResult, print_result

OTHER_COLUMNS_CELLS = 60  # of a table on a terminal; the prompt gets the rest, so rows stay single
MIN_PROMPT_CHARS = 20


def print_calls(
    store: HistoryStore | None,
    rows: list[Row],
    list_format: ListFormat,
    empty_message: str,
    words: Sequence[str] | None = None,
) -> int:
    """Print one row for each call, or `empty_message` on stderr; returns the exit code.

    `words`: the words that were searched for; the prompt's column then shows where they are.
    """
    if list_format.json:
        return print_calls_json(store, rows)
    color = list_format.color or "auto"
    if not rows:
        print_notice(f"easyllm: {empty_message}")
    elif takes_layout(1, color):
        from ..render.tables import print_history  # rich

        chars = max(MIN_PROMPT_CHARS, terminal_size(1)[0] - OTHER_COLUMNS_CELLS)
        print_history([_list_row(row, words, chars) for row in rows], color)
    else:
        lines = ["\t".join(_list_row(row, words, EXCERPT_CHARS).values()) for row in rows]
        OutputStream(1, terminal=False).write("".join(f"{line}\n" for line in lines))
    return 0


def _list_row(row: Row, words: Sequence[str] | None, chars: int) -> dict[str, str]:
    """The texts of a list's columns; no text holds a tab or a line break."""
    return {
        "id": row["id"],
        "when": format_local_time(row["started_at"]),
        "profile": row["profile"] or row["provider"] or "",
        "model": row["model"] or "",
        "error": row["error_kind"] or (f"exit {row['exit_code']}" if row["exit_code"] else ""),
        "prompt": excerpt(row, list(words or []), chars),
    }


def print_calls_json(store: HistoryStore | None, rows: list[Row]) -> int:
    """Print the object of --json."""
    calls = call_objects(store, rows) if store else []
    result = CommandResult(listing={"calls": calls})
    return print_result(result, json=True, jsonl=False, debug=False)


def print_markdown(rows: list[Row], reasoning: bool, color: str) -> int:
    """Print calls as Markdown: drawn on a terminal, as it is in a pipe."""
    text = "\n".join(markdown_from_calls(rows, reasoning))
    if not takes_layout(1, color):
        OutputStream(1, terminal=False).write(text)
        return 0
    from ..render.buffered_markdown import lay_out_markdown
    from ..render.tables import print_rows

    print_rows(lay_out_markdown(text, terminal_size(1)[0]), color)
    return 0


def print_code(rows: list[Row], code: str) -> int:
    """Print the code blocks of the answers; `code`: first or all.

    Raises:
        IncompleteAnswer: there is none.
    """
    from ..render.code_blocks import extract_code_blocks

    text = "\n\n".join(row["text"] or "" for row in rows)
    blocks = extract_code_blocks(text, all_blocks=code == "all")
    stdout = OutputStream(1, terminal=is_terminal(1))
    stdout.write(blocks if blocks.endswith("\n") else f"{blocks}\n")
    return 0


def write_export(store: HistoryStore, rows: Iterable[Row], format: str) -> None:
    """Write calls to stdout as they are read; `format`: md or jsonl."""
    stdout = OutputStream(1, terminal=is_terminal(1))
    if format == "jsonl":
        for line in json_lines_from_objects(_objects(store, rows)):
            stdout.write(line)
        return
    separator = ""
    for text in markdown_from_calls(rows):
        stdout.write(separator + text)
        separator = "\n"


def _objects(store: HistoryStore, rows: Iterable[Row]) -> Iterable[dict[str, Any]]:
    for row in rows:
        yield call_object(row, call_images(store, [row["n"]])[row["n"]])
