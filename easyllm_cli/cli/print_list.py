"""A list as it is asked for: a table, one name a line, or one JSON object."""

from __future__ import annotations

from typing import Any

from ..render import is_terminal
from ..render.output import Stream, complain
from .file_options import Form
from .results import Outcome, finish


def print_list(kind: str, rows: list[dict[str, Any]], form: Form, empty: str) -> int:
    """Print the rows, each with a `name`; `empty` is said on stderr where there are none."""
    if form.json:
        return finish(Outcome(listing={kind: rows}), json=True, jsonl=False, debug=False)
    if not rows:
        complain(f"easyllm: {empty}")
    elif is_terminal(1):
        from ..render import tables  # rich

        printer = {"profiles": tables.print_profiles, "keys": tables.print_keys}[kind]
        printer(rows, form.color or "auto")
    else:
        Stream(1, terminal=False).write("".join(f"{row['name']}\n" for row in rows))
    return 0
