"""Outcome: how a command ended; printed as one line, one JSON object, and an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..completion import Completion
from ..errors import BROKEN_PIPE_EXIT_CODE, EasyLLMError, Interrupted, OutputError
from ..render.options import is_terminal
from ..render.output import OutputStream, print_error, print_notice
from ..secret import redact


@dataclass(eq=False, repr=False)
class CommandResult:
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


def print_result(
    result: CommandResult,
    *,
    json: bool,
    jsonl: bool,
    debug: bool,
    on_write_error: Callable[[OutputError], None] = lambda _: None,
) -> int:
    """Print the ending and give its exit code; never raises.

    With --json the object goes to stdout and the line to stderr as well. `lost` is told when the
    object cannot be written.
    """
    error = result.error
    if error is not None:
        if debug:
            print_traceback(error)
        print_error(error)
    code = error.exit_code if error else 0
    if not json and not jsonl:
        return code
    from ..render.json import print_json

    try:
        print_json(_result_object(result, jsonl))
    except BrokenPipeError:
        return BROKEN_PIPE_EXIT_CODE
    except OutputError as failure:
        if isinstance(error, Interrupted):
            return code
        on_write_error(failure)
        if not isinstance(error, OutputError):  # else it has just been said
            print_error(failure)
        return failure.exit_code
    return code


def _result_object(result: CommandResult, jsonl: bool) -> dict[str, Any]:
    """The one object that ends a command."""
    from ..render.json import envelope, listing_object

    if result.listing is not None:
        return listing_object(result.listing, result.error)
    made = envelope(
        result.completion,
        result.error,
        profile=result.profile,
        cost_usd=result.cost_usd,
        attempts=result.attempts,
        ms=result.ms,
        ms_first_token=result.ms_first_token,
        notes=result.notes,
    )
    return {"kind": "error" if result.error else "done", **made} if jsonl else made


def print_traceback(error: BaseException) -> None:
    """The traceback, without keys."""
    for line in redact("".join(traceback.format_exception(error))).splitlines():
        print_notice(line)


# command, and the command under it: its own keys of the object
EMPTY_RESULTS: dict[tuple[str, ...], dict[str, Any]] = {
    ("models",): {"models": []},
    ("profiles",): {"profiles": []},
    ("profiles", "show"): {"profile": None, "values": []},
    ("profiles", "path"): {"path": None, "exists": False},
    ("keys",): {"keys": []},
    ("doctor",): {"profile": None, "checks": []},
}


def empty_result(arguments: list[str]) -> dict[str, Any] | None:
    """The keys for this command line; None = the command gives an answer."""
    both = EMPTY_RESULTS.get(tuple(arguments[:2]))
    return both if both is not None else EMPTY_RESULTS.get(tuple(arguments[:1]))


def print_list(
    kind: str, rows: list[dict[str, Any]], empty_message: str, *, json: bool, color: str | None
) -> int:
    """Print the rows, each with a `name`; `empty` is said on stderr where there are none."""
    if json:
        return print_result(
            CommandResult(listing={kind: rows}), json=True, jsonl=False, debug=False
        )
    if not rows:
        print_notice(f"easyllm: {empty_message}")
    elif is_terminal(1):
        from ..render import tables  # rich

        printer = {"profiles": tables.print_profiles, "keys": tables.print_keys}[kind]
        printer(rows, color or "auto")
    else:
        OutputStream(1, terminal=False).write("".join(f"{row['name']}\n" for row in rows))
    return 0
