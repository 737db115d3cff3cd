"""Prints a command's outcome: its list or JSON object, the error line, and the exit code."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..completion import Completion
from ..errors import BROKEN_PIPE_EXIT_CODE, EasyLLMError, Interrupted, OutputError
from ..events import TOKEN_COUNTS, Usage
from ..frozen_dataclass import FrozenDataclass
from ..render.options import takes_layout
from ..render.output import OutputStream, print_error, print_notice
from ..secret import redact
from .front_page import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from ..pipeline.call import Call
    from .cost import AnswerCost


class CommandResult(FrozenDataclass):
    """How a command ended.

    `completion`: the answer as it was shown; `call`: its record, None = nothing was asked.
    `profile`: the name of the profile that answered. `cost`: US dollars and who says so, None =
    unknown. `conversation`: the id of the conversation that keeps the answer. `listing`: the
    object's own keys for a command that prints a list. `answers`: the objects of a command that
    gives several answers, as `answer_object` makes them.
    """

    error: EasyLLMError | None = None
    completion: Completion | None = None
    profile: str | None = None
    call: Call | None = None
    conversation: str | None = None
    cost: AnswerCost = (None, None)
    listing: dict[str, Any] | None = None
    answers: Sequence[dict[str, Any]] | None = None


def print_result(
    result: CommandResult,
    *,
    json: bool,
    jsonl: bool,
    debug: bool,
    on_write_error: Callable[[OutputError], None] = lambda _: None,
) -> int:
    """Print the result and return the exit code; never raises.

    With --json the object goes to stdout and an error line to stderr as well. `on_write_error` is
    called if the object cannot be written.
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
        if not isinstance(error, OutputError):  # else it was printed above
            print_error(failure)
        return failure.exit_code
    return code


def print_path(path: Path, *, json: bool) -> int:
    """Print where a file or folder is, whether it exists or not; returns the exit code."""
    if json:
        listing = {"path": str(path), "exists": path.exists()}
        return print_result(CommandResult(listing=listing), json=True, jsonl=False, debug=False)
    OutputStream(1, terminal=False).write(f"{path}\n")
    return 0


def _result_object(result: CommandResult, jsonl: bool) -> dict[str, Any]:
    """The JSON object of the result."""
    from ..render.json import listing_object

    if result.answers is not None:  # redacted already, but for the texts of the answers
        return listing_object({"results": []}, result.error) | {"results": list(result.answers)}
    if result.listing is not None:
        listed = listing_object(result.listing, result.error)
        return {"kind": "error" if result.error else "done", **listed} if jsonl else listed
    body = answer_object(result)
    return {"kind": "error" if result.error else "done", **body} if jsonl else body


def answer_object(result: CommandResult) -> dict[str, Any]:
    """The --json object of an answer; every key is always present, in this order."""
    from ..render.json import SCHEMA_VERSION, error_object, redact_values

    answer, error, call = result.completion or Completion(), result.error, result.call
    usage = call.usage if call else Usage()
    metadata = {
        "finish_reason": answer.get("finish_reason"),
        "usage": usage_object(usage),
        "cost_usd": result.cost[0],
        "provider": answer.get("provider") or None,
        "model": answer.get("model") or None,
        "profile": result.profile,
        "attempts": len(call.attempts) if call else 0,
        "ms": call.ms if call else 0,
        "ms_first_token": call.ms_first_token if call else None,
        "notes": call.notes if call else [],
        "error": error_object(error) if error else None,
        "id": call.id if call else None,
        "conversation": result.conversation,
        "cost_source": result.cost[1],
        "replayed": call.replayed if call else None,
        "route": call.route if call else None,
        "usage_all": usage_object(call.usage_all) if call and call.usage_all else None,
    }
    return {
        "version": SCHEMA_VERSION,
        "ok": error is None,
        "complete": bool(answer.get("complete")),
        "text": answer.get("text", ""),
        "reasoning": answer.get("reasoning"),
        **redact_values(metadata),
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """A `usage` object of --json; null = not reported."""
    counts = {key: getattr(usage, key) for key in TOKEN_COUNTS}
    return {**counts, "estimated": usage.estimated}


def print_traceback(error: BaseException) -> None:
    """Print the traceback on stderr, with keys redacted."""
    for line in redact("".join(traceback.format_exception(error))).splitlines():
        print_notice(line, wraps=False)


def empty_results() -> dict[tuple[str, ...], dict[str, Any]]:
    """By command and subcommand, the own keys of its --json object, without values."""
    results: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, command in COMMANDS.items():
        if command.empty_result is not None:
            results[(name,)] = command.empty_result
        for subcommand, keys in command.subcommand_results.items():
            results[(name, subcommand)] = keys
    return results


def empty_result(arguments: list[str]) -> dict[str, Any] | None:
    """The empty listing of a command; None for a command that prints an answer."""
    results = empty_results()
    listing = results.get(tuple(arguments[:2]))
    return listing if listing is not None else results.get(tuple(arguments[:1]))


def print_list(
    kind: str, rows: list[dict[str, Any]], empty_message: str, *, json: bool, color: str | None
) -> int:
    """Print rows, each with a `name`; without rows, print `empty_message` on stderr."""
    if json:
        return print_result(
            CommandResult(listing={kind: rows}), json=True, jsonl=False, debug=False
        )
    if not rows:
        print_notice(f"easyllm: {empty_message}")
    elif takes_layout(1, color or "auto"):
        from ..render import tables  # rich

        printer = {"profiles": tables.print_profiles, "keys": tables.print_keys}[kind]
        printer(rows, color or "auto")
    else:
        OutputStream(1, terminal=False).write("".join(f"{row['name']}\n" for row in rows))
    return 0
