"""Every option, declared once; a command's signature is written from the groups it names."""

# No `from __future__ import annotations`: Typer needs the real types.
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any

import typer

from .option_types import CODE, COLOR, EFFORT, REASONING, models, number, profiles, worded

WHO = "Who answers"
WHAT = "What is asked"
HOW = "How it answers"
SHOWN = "What is shown"
SAFE = "How it runs"


def _option(panel: str, *names: str, says: str, words: tuple[str, ...] = (), **more: Any) -> Any:
    """`words`: all that the value may be."""
    if words:
        more = {**worded(words), **more}
    return typer.Option(*names, help=says, rich_help_panel=panel, show_default=False, **more)


Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PROMPT...", help="What to ask; - stands for stdin.", show_default=False
    ),
]


@dataclass(eq=False, repr=False)
class Target:
    """Which profile and model."""

    profile: Annotated[
        str | None,
        _option(
            WHO, "-p", "--profile", says="Profile, or NAME:MODEL.", metavar="NAME",
            autocompletion=profiles,
        ),
    ] = None  # fmt: skip
    model: Annotated[
        str | None,
        _option(
            WHO, "-m", "--model", says="The model's own name.", metavar="MODEL",
            autocompletion=models,
        ),
    ] = None  # fmt: skip
    profiles: Annotated[
        str | None, _option(WHO, "--profiles", says="Profiles file.", metavar="FILE")
    ] = None
    config_db: Annotated[
        str | None,
        _option(WHO, "--config-db", says="Take the profile from a database.", metavar="URL"),
    ] = None
    config_id: Annotated[
        str | None, _option(WHO, "--config-id", says="The row's id in that database.", metavar="ID")
    ] = None


@dataclass(eq=False, repr=False)
class Ask:
    """What is asked, beside the prompt."""

    system: Annotated[
        str | None, _option(WHAT, "-s", "--system", says="System prompt.", metavar="TEXT")
    ] = None
    messages: Annotated[
        str | None,
        _option(WHAT, "--messages", says="OpenAI message list (JSON); - is stdin.", metavar="FILE"),
    ] = None
    file: Annotated[
        list[str] | None,
        _option(
            WHAT,
            "-f",
            "--file",
            says="Text file or '*.pattern' to put first; repeatable.",
            metavar="FILE",
        ),
    ] = None
    image: Annotated[
        list[str] | None,
        _option(
            WHAT,
            "-a",
            "--image",
            says="Picture or '*.pattern' to attach; repeatable.",
            metavar="IMAGE",
        ),
    ] = None
    no_stdin: Annotated[
        bool, _option(WHAT, "-n", "--no-stdin", says="Never read stdin (for shell loops).")
    ] = False


@dataclass(eq=False, repr=False)
class Sampling:
    """How the model answers; only what is named here or in the profile is sent."""

    temperature: Annotated[
        float | None,
        _option(
            HOW, "-t", "--temperature", says="How free the words are.", min=0, max=2, metavar="T"
        ),
    ] = None
    max_tokens: Annotated[
        int | None,
        _option(HOW, "--max-tokens", says="Longest answer, in tokens.", min=1, metavar="N"),
    ] = None
    top_p: Annotated[
        float | None, _option(HOW, "--top-p", says="Nucleus sampling.", min=0, max=1, metavar="P")
    ] = None
    top_k: Annotated[
        int | None, _option(HOW, "--top-k", says="Sample from the K likeliest.", min=0, metavar="K")
    ] = None
    seed: Annotated[
        int | None, _option(HOW, "--seed", says="Seed of the sampling.", metavar="N")
    ] = None
    stop: Annotated[
        list[str] | None,
        _option(HOW, "--stop", says="Text that ends the answer; repeatable.", metavar="TEXT"),
    ] = None
    option: Annotated[
        list[str] | None,
        _option(
            HOW, "-o", "--option", says="Sent as it is; JSON or text; repeatable.",
            metavar="KEY=VALUE",
        ),
    ] = None  # fmt: skip
    schema: Annotated[
        str | None,
        _option(HOW, "--schema", says="JSON schema that the answer must fit.", metavar="FILE"),
    ] = None
    think: Annotated[bool, _option(HOW, "--think", says="Ask for reasoning.")] = False
    effort: Annotated[
        str | None,
        _option(HOW, "--effort", says="How hard to think.", words=EFFORT),
    ] = None


@dataclass(eq=False, repr=False)
class Show:
    """What of the answer is shown, and in which form."""

    reasoning: Annotated[
        str | None,
        _option(SHOWN, "--reasoning", says="Where reasoning goes.", words=REASONING),
    ] = None
    hide_reasoning: Annotated[
        bool, _option(SHOWN, "-R", "--hide-reasoning", says="The same as --reasoning hide.")
    ] = False
    jsonl: Annotated[bool, _option(SHOWN, "--jsonl", says="One JSON object a line.")] = False
    code: Annotated[
        str | None,
        _option(
            SHOWN, "-x", "--code", says="Only the first code block, or =all.", words=CODE,
            metavar="[=all]",
        ),
    ] = None  # fmt: skip
    usage: Annotated[bool, _option(SHOWN, "-u", "--usage", says="Tokens and times.")] = False
    raw: Annotated[bool, _option(SHOWN, "--raw", says="No Markdown on a terminal.")] = False
    partial: Annotated[
        bool, _option(SHOWN, "--partial", says="Print an answer that is not complete, too.")
    ] = False


@dataclass(eq=False, repr=False)
class Common:
    """What every command takes."""

    json: Annotated[bool, _option(SHOWN, "--json", says="One JSON object, errors too.")] = False
    color: Annotated[
        str | None,
        _option(SHOWN, "--color", says="ANSI colours.", words=COLOR),
    ] = None
    quiet: Annotated[bool, _option(SHOWN, "-q", "--quiet", says="No notes on stderr.")] = False
    verbose: Annotated[bool, _option(SHOWN, "-v", "--verbose", says="Say what is done.")] = False
    debug: Annotated[bool, _option(SAFE, "--debug", says="Tracebacks, without keys.")] = False
    timeout: Annotated[
        float | None,
        _option(
            SAFE,
            "--timeout",
            says="The whole command, in seconds.",
            min=0.001,
            metavar="S",
            callback=number,
        ),
    ] = None


@dataclass(eq=False, repr=False)
class Run:
    """How the request is sent and when an answer counts."""

    stream: Annotated[
        bool | None,
        _option(SAFE, "--stream/--no-stream", says="As it comes; or one plain request."),
    ] = None
    strict: Annotated[
        bool, _option(SAFE, "--strict", says="An answer that is not complete is exit code 7.")
    ] = False
    no_retry: Annotated[bool, _option(SAFE, "--no-retry", says="Try once.")] = False
    dry_run: Annotated[
        bool, _option(SAFE, "--dry-run", says="Print the request and send nothing.")
    ] = False
    max_output_bytes: Annotated[
        int | None,
        _option(
            SAFE,
            "--max-output-bytes",
            says="Longest answer, in bytes (default: 8 MiB).",
            min=1,
            metavar="N",
        ),
    ] = None


def options(function: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameters of a group's type become that group's options."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if not is_dataclass(parameter.annotation):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[parameter.name] = parameter.annotation
        parameters += [
            inspect.Parameter(
                item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default,
                annotation=item.type,
            )
            for item in fields(parameter.annotation)
        ]  # fmt: skip

    def command(**values: Any) -> int:
        objects = {
            name: group(**{item.name: values.pop(item.name) for item in fields(group)})
            for name, group in groups.items()
        }
        return function(**values, **objects)

    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command
