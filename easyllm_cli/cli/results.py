"""Outcome: how a command ended; printed as one line, one JSON object, and an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..completion import Completion
from ..errors import BROKEN_PIPE, EasyLLMError, Interrupted, OutputError
from ..render.options import is_terminal
from ..render.output import Stream, complain, complain_of
from ..secret import redact


@dataclass(eq=False, repr=False)
class Outcome:
    """One command's end; times in milliseconds. `listing`: what a command that lists found."""

    error: EasyLLMError | None = None
    completion: Completion | None = None
    profile: str | None = None
    cost_usd: float | None = None
    attempts: int = 0
    ms: int = 0
    ms_first_token: int | None = None
    notes: list[str] = field(default_factory=list)
    listing: dict[str, Any] | None = None


def finish(
    outcome: Outcome,
    *,
    json: bool,
    jsonl: bool,
    debug: bool,
    lost: Callable[[OutputError], None] = lambda _: None,
) -> int:
    """Print the ending and give its exit code; never raises.

    With --json the object goes to stdout and the line to stderr as well. `lost` is told when the
    object cannot be written.
    """
    error = outcome.error
    if error is not None:
        if debug:
            complain_lines(error)
        complain_of(error)
    code = error.exit_code if error else 0
    if not json and not jsonl:
        return code
    from ..render.json import print_object

    try:
        print_object(_object(outcome, jsonl))
    except BrokenPipeError:
        return BROKEN_PIPE
    except OutputError as failure:
        if isinstance(error, Interrupted):
            return code
        lost(failure)
        if not isinstance(error, OutputError):  # else it has just been said
            complain_of(failure)
        return failure.exit_code
    return code


def _object(outcome: Outcome, jsonl: bool) -> dict[str, Any]:
    """The one object that ends a command."""
    from ..render.json import envelope, listing_object

    if outcome.listing is not None:
        return listing_object(outcome.listing, outcome.error)
    made = envelope(
        outcome.completion,
        outcome.error,
        profile=outcome.profile,
        cost_usd=outcome.cost_usd,
        attempts=outcome.attempts,
        ms=outcome.ms,
        ms_first_token=outcome.ms_first_token,
        notes=outcome.notes,
    )
    return {"kind": "error" if outcome.error else "done", **made} if jsonl else made


def complain_lines(error: BaseException) -> None:
    """The traceback, without keys."""
    for line in redact("".join(traceback.format_exception(error))).splitlines():
        complain(line)


# command, and the command under it: its own keys of the object
EMPTY: dict[tuple[str, ...], dict[str, Any]] = {
    ("models",): {"models": []},
    ("profiles",): {"profiles": []},
    ("profiles", "show"): {"profile": None, "values": []},
    ("profiles", "path"): {"path": None, "exists": False},
    ("keys",): {"keys": []},
    ("doctor",): {"profile": None, "checks": []},
}


def empty(arguments: list[str]) -> dict[str, Any] | None:
    """The keys for this command line; None = the command gives an answer."""
    both = EMPTY.get(tuple(arguments[:2]))
    return both if both is not None else EMPTY.get(tuple(arguments[:1]))


def print_list(
    kind: str, rows: list[dict[str, Any]], empty: str, *, json: bool, color: str | None
) -> int:
    """Print the rows, each with a `name`; `empty` is said on stderr where there are none."""
    if json:
        return finish(Outcome(listing={kind: rows}), json=True, jsonl=False, debug=False)
    if not rows:
        complain(f"easyllm: {empty}")
    elif is_terminal(1):
        from ..render import tables  # rich

        printer = {"profiles": tables.print_profiles, "keys": tables.print_keys}[kind]
        printer(rows, color or "auto")
    else:
        Stream(1, terminal=False).write("".join(f"{row['name']}\n" for row in rows))
    return 0
