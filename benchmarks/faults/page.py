"""Writes docs/faults.md: the results, one table per group of faults."""

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

TEXTS = {"whole": "whole", "all": "all that arrived", "more": "all that arrived, and other text",
         "part": "part", "other": "other text", "file": "in a file", "none": ""}  # fmt: skip
MUCH = 50.0  # MiB above a good answer's peak; less is not shown
GOOD = ("good", "anthropic-good")


@dataclass
class Measured:
    """A tool, its environment (None: not installable, and `version` says why), its results."""

    tool: Tool
    venv: Venv | None
    version: str
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def memory_of_a_good_answer(self) -> float:
        """The peak in MiB; 0 = that case was not run."""
        return next((self.results[key].mebibytes for key in GOOD if key in self.results), 0.0)


def cell(found: Result, one: Measured) -> str:
    """One cell: how it ended · what is on stdout · requests · memory · anything else."""
    if found.facts == (NO_KEYS,):
        return NO_KEYS
    ended = f"**{found.ended}, silent**" if found.silent else found.ended
    if found.ended == "hang":
        ended = "**hang**"
    parts = [ended, TEXTS[found.text]]
    if found.requests != 1:
        parts.append(f"{found.requests}×")
    usual = one.memory_of_a_good_answer
    if usual and found.mebibytes - usual > MUCH:
        parts.append(f"+{found.mebibytes - usual:.0f} MiB")
    facts = "; ".join(found.facts)
    parts.append(f"**{facts}**" if facts and found.bad else facts)
    return " · ".join(part for part in parts if part)


def page(measured: Sequence[Measured], groups: Iterable[Group]) -> str:
    """The whole text of docs/faults.md."""
    shown = [one for one in measured if one.venv is not None]
    missing = [one for one in measured if one.venv is None]
    tables = [line for group in groups for line in _table(group, shown)]
    lines = [*_head(shown, missing), *_legend(), *tables, *_foot(shown)]
    return "\n".join(lines) + "\n"


def _head(shown: Iterable[Measured], missing: Iterable[Measured]) -> list[str]:
    versions = {one.tool.package: one.version for one in shown}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    left_out = [
        f"Left out, because it cannot be installed here: {one.tool.name}." for one in missing
    ]
    when = datetime.datetime.now(datetime.UTC).date()
    return [
        "# What happens when something goes wrong",
        "",
        "The same faults, sent by the same server on 127.0.0.1 over Chat Completions (the last",
        "table: over Anthropic's Messages API), to easyllm and to other tools, each called as its",
        "documentation says. This page is written by",
        "`python -m benchmarks.faults`, which installs the other tools in environments of their",
        f"own; last on {when}, with {named};",
        f"Python {platform.python_version()}, {platform.system()}.",
        *left_out,
        "",
        "Most faults are rows of [tests/support/faults](../tests/support/faults). The tests run",
        "many more of them against easyllm, over every protocol that it supports.",
        "",
    ]


def _legend() -> list[str]:
    return [
        "## How to read a cell",
        "",
        "A cell has up to five parts, separated by dots: `7 · in a file · 2×` means exit code 7,",
        "the text that arrived was saved in a file, and two requests were sent.",
        "",
        "1. **How it ended**: the exit code, or for a script the name of the exception. `hang`: it",
        f"   was still running {LONGEST:.0f} s after its request. **silent**: exit code 0, or no",
        "   exception, although the answer is missing, wrong or incomplete.",
        "2. **What is on stdout**: `whole`, `all that arrived`, `part` or `other text`.",
        "   `in a file`: nothing, but the tool saved the text in a file. No word: nothing. White",
        "   space and styles are ignored.",
        "3. **Requests**: how many were sent, unless it was one.",
        f"4. **Memory**: the peak above that of a good answer, if it is more than {MUCH:.0f} MiB.",
        "5. **Anything else**: for example what was printed on stderr. Bold means bad.",
        "",
        "`openai SDK`, `litellm` and `anthropic SDK` are libraries: scripts of ten lines",
        "([one](../benchmarks/ask_openai.py), [two](../benchmarks/ask_litellm.py),",
        "[three](../benchmarks/ask_anthropic.py)) print what streams. The libraries offer",
        "`finish_reason` (`stop_reason`) to a script that checks it. Into a pipe, `easyllm chat`",
        "prints a complete answer or nothing, and saves an incomplete one in a file;",
        "`easyllm stream` prints what arrives.",
    ]


def _table(group: Group, shown: Sequence[Measured]) -> list[str]:
    shown = [one for one in shown if one.tool.provider == group.cases[0].adapter.provider]
    names = [one.tool.name for one in shown]
    rows = [_row(case, shown) for case in group.cases]
    words = ["", group.words] if group.words else []
    heads = ["| " + " | ".join(["", *names]) + " |", "|---" * (len(names) + 1) + "|"]
    return ["", f"## {group.title}", *words, "", *heads, *rows]


def _row(case: Case, shown: Sequence[Measured]) -> str:
    cells = [cell(one.results[case.key], one) for one in shown]
    title = case.title.replace("|", "\\|")
    return "| " + " | ".join([title, *cells]) + " |"


def _foot(shown: Sequence[Measured]) -> list[str]:
    """The sums: silent failures, hangs, memory of a good answer."""
    rows = ["", "## Sums", "", "| | " + " | ".join(one.tool.name for one in shown) + " |"]
    rows.append("|---" * (len(shown) + 1) + "|")
    silent = [sum(found.silent for found in one.results.values()) for one in shown]
    hung = [sum(found.ended == "hang" for found in one.results.values()) for one in shown]
    usual = [f"{one.memory_of_a_good_answer:.0f} MiB" for one in shown]
    rows.append("| silent | " + " | ".join(map(str, silent)) + " |")
    rows.append("| hangs | " + " | ".join(map(str, hung)) + " |")
    rows.append("| peak memory of a good answer | " + " | ".join(usual) + " |")
    return rows
