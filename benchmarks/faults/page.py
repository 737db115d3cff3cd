"""docs/faults.md: what the runs gave, one table for each group."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.faults.cases import Case, Group
from benchmarks.faults.files import NO_KEYS
from benchmarks.faults.results import Result
from benchmarks.faults.runs import LONGEST
from benchmarks.faults.tools import Tool
from benchmarks.installs import Venv

TEXTS = {"whole": "whole", "all": "all that came", "more": "all that came, and its own words",
         "part": "a part", "other": "its own words", "file": "in a file", "none": ""}  # fmt: skip
MUCH = 50.0  # MiB above a good answer's peak that are worth telling
GOOD = "good"


@dataclass
class Measured:
    """A tool, its environment (None: it cannot be had, and `version` says why), its results."""

    tool: Tool
    venv: Venv | None
    version: str
    results: dict[str, Result] = field(default_factory=dict)


def cell(found: Result, one: Measured) -> str:
    """How it ended · what stands on stdout · requests · memory · what else there is to tell."""
    if found.facts == (NO_KEYS,):
        return NO_KEYS
    ended = f"**{found.ended}, silent**" if found.silent else found.ended
    if found.ended == "hang":
        ended = "**hang**"
    parts = [ended, TEXTS[found.text]]
    if found.requests != 1:
        parts.append(f"{found.requests}×")
    usual = one.results[GOOD].mebibytes if GOOD in one.results else 0.0
    if usual and found.mebibytes - usual > MUCH:
        parts.append(f"+{found.mebibytes - usual:.0f} MiB")
    facts = "; ".join(found.facts)
    parts.append(f"**{facts}**" if facts and found.bad else facts)
    return " · ".join(part for part in parts if part)


def page(measured: Sequence[Measured], groups: Iterable[Group]) -> str:
    """The whole of docs/faults.md."""
    shown = [one for one in measured if one.venv is not None]
    missing = [one for one in measured if one.venv is None]
    tables = [line for group in groups for line in _table(group, shown)]
    lines = [*_head(shown, missing), *_legend(), *tables, *_foot(shown)]
    return "\n".join(lines) + "\n"


def _head(shown: Iterable[Measured], missing: Iterable[Measured]) -> list[str]:
    versions = {one.tool.package: one.version for one in shown}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    left_out = [f"Not installable here, and so left out: {one.tool.name}." for one in missing]
    when = datetime.datetime.now(datetime.UTC).date()
    return [
        "# What happens when something goes wrong",
        "",
        "The same faults, from the same server on 127.0.0.1 that speaks Chat Completions, against",
        "easyllm and other tools, each called as its documentation says. Written by",
        "`python -m benchmarks.faults` (it installs the other tools in environments of their own);",
        f"last on {when}, with {named};",
        f"Python {platform.python_version()}, {platform.system()}.",
        *left_out,
        "",
        "Most are rows of [tests/support/faults](../tests/support/faults), where many more are",
        "tried against easyllm, over every protocol that it speaks.",
        "",
    ]


def _legend() -> list[str]:
    return [
        "A cell is: how it ended · what stands on stdout · requests, where it was not one · memory",
        "· what else there is to tell.",
        "",
        "- **How it ended**: the exit code, of a script the exception's name; `hang`: it still",
        f"  ran {LONGEST:.0f} s after its request. **silent**: exit code 0, or no exception,",
        "  though the answer is missing, wrong or not whole.",
        "- **On stdout**: `whole`, `all that came`, `a part`; `in a file`: nothing, but a file of",
        "  the tool's own has it; nothing said: nothing is there. White space and styles do not",
        "  count.",
        f"- **Memory**: how much more than a good answer at its peak, where it is over {MUCH:.0f}",
        "  MiB.",
        "- `openai SDK` and `litellm` are libraries: ten-line scripts",
        "  ([one](../benchmarks/ask_openai.py), [two](../benchmarks/ask_litellm.py)) print what",
        "  streams. Both hand out `finish_reason`, for a script that looks at it.",
        "- `chat` into a pipe prints a whole answer or none, and keeps what came in a file;",
        "  `stream` prints what comes.",
    ]


def _table(group: Group, shown: Sequence[Measured]) -> list[str]:
    names = [one.tool.name for one in shown]
    rows = [_row(case, shown) for case in group.cases]
    words = ["", group.words] if group.words else []
    heads = ["| " + " | ".join(["", *names]) + " |", "|---" * (len(names) + 1) + "|"]
    return ["", f"## {group.title}", *words, "", *heads, *rows]


def _row(case: Case, shown: Sequence[Measured]) -> str:
    cells = [cell(one.results[case.name], one) for one in shown]
    title = case.title.replace("|", "\\|")
    return "| " + " | ".join([title, *cells]) + " |"


def _foot(shown: Sequence[Measured]) -> list[str]:
    """Counts, and memory of a good answer."""
    rows = ["", "## Sums", "", "| | " + " | ".join(one.tool.name for one in shown) + " |"]
    rows.append("|---" * (len(shown) + 1) + "|")
    silent = [sum(found.silent for found in one.results.values()) for one in shown]
    hung = [sum(found.ended == "hang" for found in one.results.values()) for one in shown]
    usual = [f"{one.results[GOOD].mebibytes:.0f} MiB" for one in shown]
    rows.append("| silent | " + " | ".join(map(str, silent)) + " |")
    rows.append("| hangs | " + " | ".join(map(str, hung)) + " |")
    rows.append("| peak memory of a good answer | " + " | ".join(usual) + " |")
    return rows
