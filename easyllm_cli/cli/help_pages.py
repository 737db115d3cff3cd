"""The pages of `COMMAND -h` (one screen) and `COMMAND --help` (everything)."""

from __future__ import annotations

from typing import Any

from ..render.options import terminal_size
from .front_page import HELP_OPTIONS, front_page
from .help_text import bold_headings, two_columns, wrap
from .help_topics import COMPLETION_COMMANDS, environment_note, split_examples

MAX_WIDTH = 100
ROOT_EXAMPLE = '  easyllm -p ollama "What is Python?"'
MAX_NAME_WIDTH = 24  # the help of a longer option stands below it
# The order of the headings; options without a heading come last, under "Options".
HEADINGS = ("Arguments", "Model", "Input", "Sampling", "Output", "Run", "Options")


def build_page(ctx: Any, *, full: bool) -> str:
    """The page of a command's `-h`, or of its `--help` (`full`), for the terminal or pipe."""
    width = min(terminal_size(1)[0], MAX_WIDTH + 1) - 1
    if ctx.parent is None and ctx.command.name == "easyllm":
        page = root_page(width) if full else front_page(width + 1)
    else:
        page = full_page(ctx, width) if full else short_page(ctx, width)
    return bold_headings(page, 1)


def short_page(ctx: Any, width: int) -> str:
    """`COMMAND -h`: usage, the options declared with short=True, and the examples.

    A command without such options has few: it prints its full page.
    """
    rows = [_option_row(each, ctx) for each in ctx.command.params if _is_short(each)]
    if not rows:
        return full_page(ctx, width)
    description, examples = split_examples(ctx.command.help or "")
    return "\n\n".join([
        f"{_usage(ctx, width)}\n{wrap(description.partition(chr(10) * 2)[0], width)}",
        _table(rows, rows, width),
        *_example_block(examples),
        f"All options: {ctx.command_path} --help",
    ])  # fmt: skip


def full_page(ctx: Any, width: int) -> str:
    """`COMMAND --help`: every argument, command and option, then variables and examples."""
    command = ctx.command
    description, examples = split_examples(command.help or "")
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.params:
        if parameter.name not in HELP_OPTIONS.values():
            title = _heading_of(parameter)
            sections.setdefault(title, []).append(_option_row(parameter, ctx))
    last = max(sections, key=HEADINGS.index, default="Options")
    last = "Options" if last == "Arguments" else last
    sections.setdefault(last, []).extend(_help_rows(command))
    commands = [(name, each.help) for name, each in getattr(command, "commands", {}).items()]
    if commands:
        sections["Commands"] = commands
    everything = [row for rows in sections.values() for row in rows]
    titles = [title for title in ("Commands", *HEADINGS) if title in sections]
    note = environment_note([parameter.name or "" for parameter in command.params])
    return "\n\n".join([
        _usage(ctx, width),
        *(wrap(paragraph, width, "  ") for paragraph in description.split("\n\n") if paragraph),
        *(f"{title}:\n{_table(sections[title], everything, width)}" for title in titles),
        *([wrap(note, width)] if note else []),
        *_example_block(examples),
    ])  # fmt: skip


def root_page(width: int) -> str:
    """`easyllm --help`: the commands, and what stands beside them."""
    rows = [("-h", "Show the commands."), ("--help", "Show this page."),
            ("--version", "Show the version.")]  # fmt: skip
    return "\n\n".join([
        front_page(width + 1),
        f"Options:\n{two_columns(rows, width, 9)}",
        wrap("Options of chat may come first:", width) + "\n" + ROOT_EXAMPLE,
        f"TAB completion, as a line of the shell's start-up file:\n"
        f"{two_columns(COMPLETION_COMMANDS, width, 9)}",
    ])  # fmt: skip


def _is_short(parameter: Any) -> bool:
    return getattr(getattr(parameter, "rich_help_panel", None), "short", False)


def _heading_of(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    return str(getattr(parameter, "rich_help_panel", None) or "Options")


def _option_row(parameter: Any, ctx: Any) -> tuple[str, str]:
    """Names and help of a parameter, without the ranges of numbers that Typer adds."""
    if parameter.param_type_name == "argument":
        return parameter.make_metavar(ctx), parameter.help or ""
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else f" {parameter.make_metavar(ctx)}"
    return names + value, parameter.help or ""


def _help_rows(command: Any) -> list[tuple[str, str]]:
    if any(map(_is_short, command.params)):
        return [("-h", "Show the most used options on one screen."), ("--help", "Show this page.")]
    return [(", ".join(HELP_OPTIONS), "Show this page.")]


def _table(rows: list[tuple[str, str]], page: list[tuple[str, str]], width: int) -> str:
    """Rows whose texts begin in the same column on the whole page."""
    fitting = [len(name) for name, _ in page if len(name) <= MAX_NAME_WIDTH]
    return two_columns(rows, width, max(fitting, default=MAX_NAME_WIDTH))


def _usage(ctx: Any, width: int) -> str:
    """The usage line; Typer's braces around a required argument are left out."""
    pieces = [piece.strip("{}") for piece in ctx.command.collect_usage_pieces(ctx)]
    return wrap(f"Usage: {ctx.command_path} {' '.join(pieces)}", width, "", " " * 7)


def _example_block(examples: list[str]) -> list[str]:
    if not examples:
        return []
    title = "Examples:" if len(examples) > 1 else "Example:"
    return ["\n".join([title, *(f"  {each}" for each in examples)])]
