"""Runs easyllm and other command lines against the same server, and writes docs/comparison.md.

    python -m benchmarks.comparison [--rounds N] [--print]

Only the first table of that page is written: what was read in the source of other tools is kept.
Each tool is installed in an environment of its own. Run it by hand, not in CI.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import installs, peers
from benchmarks.faults import facts
from benchmarks.faults.__main__ import peer, run
from benchmarks.faults.cases import CHAT, Case, from_table
from benchmarks.faults.list import GROUPS
from benchmarks.faults.page import Measured, cell
from benchmarks.faults.tools import CLAI, TOOLS
from benchmarks.measure import CannotRun
from benchmarks.server import running
from tests.support.faults.spelling import end_frame, reasoning, steps_script
from tests.support.standins.script import chunk

PAGE = installs.CHECKOUT / "docs" / "comparison.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of what is measured -->\n"
NAMES = ("easyllm chat", "llm", "shell-gpt")
BOLD = "**Hello** world"
LISTED = {case.key: case for group in GROUPS for case in group.cases}
CASES = (
    Case("markdown", f"a good answer, `{BOLD}`, into a pipe", (CHAT.script(BOLD),), BOLD, True),
    LISTED["no-end-marker"],
    LISTED["length-unasked"],
    LISTED["asked-again"],
    Case(
        "reasoning-field",
        "`reasoning_content` before the answer",
        (
            steps_script(
                CHAT, reasoning(CHAT, "Let me think"), chunk("Hello"), end_frame(CHAT, "stop")
            ),
        ),
        "Hello",
        True,
    ),
    Case(
        "think-tags",
        "`<think>…</think>` before the answer, in its text",
        (CHAT.script("<think>Let me ", "think</think>\n", "Hello"),),
        "Hello",
        True,
    ),
    from_table("status-401", "a wrong key (401)", find_facts=facts.error_lines),
    LISTED["quota"],
    LISTED["retry-after-1"],
    LISTED["ctrl-c"],
)


def main() -> int:
    """Run the comparison; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of the CPU's row")
    parser.add_argument("--print", action="store_true", help="print the table, write no page")
    asked = parser.parse_args()
    try:
        ours = installs.venv_for_project("venv", installs.CHECKOUT)
    except CannotRun as error:
        print(f"benchmarks.comparison: {error}", file=sys.stderr)
        return 1
    measured = [
        Measured(tool, ours, ours.version(tool.package)) if not tool.packages else peer(tool)
        for tool in (*TOOLS, CLAI)
        if tool.name in NAMES or tool is CLAI
    ]
    for case in CASES:
        run(case, measured)
    text = table(measured, cpu_cells(ours, measured, asked.rounds))
    print(text)
    if not asked.print:
        write(PAGE, text)
    return 0


def cpu_cells(ours: installs.Venv, measured: Sequence[Measured], rounds: int) -> dict[str, str]:
    """CPU time of one short chat, by the tool's name: in ms, and as a multiple of easyllm's."""
    homes = {one.tool.package: one.venv or one.version for one in measured if one.tool.packages}
    with running() as port:
        found = peers.compare(ours, port, homes, rounds)
    cells = {}
    for name, figures in found.items():
        if "cpu_ms" in figures:
            cells[name] = f"{float(str(figures['cpu_ratio'])):.1f} times easyllm's"
    return cells


def table(measured: Iterable[Measured], cpu: dict[str, str]) -> str:
    """The table, below a line with versions and date."""
    shown = [one for one in measured if one.venv is not None]
    named = ", ".join(f"{one.tool.package} {one.version}" for one in shown)
    when = datetime.datetime.now(datetime.UTC).date()
    rows = [[case.title, *(cell(one.results[case.key], one) for one in shown)] for case in CASES]
    rows.append(["CPU time of a short chat", *(cpu.get(one.tool.package, "1") for one in shown)])
    lines = [
        f"Last run on {when}: {named}; Python {platform.python_version()}, {platform.system()}.",
        "",
        "| " + " | ".join(["", *(one.tool.name for one in shown)]) + " |",
        "|---" * (len(shown) + 1) + "|",
        *("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def write(page: Path, text: str) -> None:
    """Replace the measured part of the page."""
    old = page.read_text("utf-8")
    marked = re.compile(f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", re.DOTALL)
    page.write_text(marked.sub(lambda _: text, old), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
