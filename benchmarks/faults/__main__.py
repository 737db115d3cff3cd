"""Runs faults against easyllm and other tools, and writes docs/faults.md.

    python -m benchmarks.faults [--tools NAME …] [--only FAULT …] [--installed] [--json FILE]

Other tools are installed in environments of their own; one that cannot be is left out, and the
page says so. With --tools, --only or --installed no page is written. It measures and does not
judge: exit code 0 unless something cannot run. By hand, never in CI.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from benchmarks import installs
from benchmarks.faults.cases import Case
from benchmarks.faults.list import GROUPS
from benchmarks.faults.page import Measured, cell, page
from benchmarks.faults.results import result
from benchmarks.faults.tools import TOOLS, Tool, beside_this_python
from benchmarks.measure import CannotRun

PAGE = installs.CHECKOUT / "docs" / "faults.md"


def main() -> int:
    """The whole run; gives the exit code."""
    asked = arguments()
    cases = [case for group in GROUPS for case in group.cases if chosen(case.name, asked.only)]
    tools = [tool for tool in TOOLS if chosen(tool.name, asked.tools)]
    try:
        measured = installed(tools, asked.installed)
    except CannotRun as error:
        print(f"benchmarks.faults: {error}", file=sys.stderr)
        return 1
    for case in cases:
        run(case, measured)
    if asked.json:
        asked.json.write_text(json.dumps(told(measured), indent=1) + "\n", "utf-8")
    if not (asked.only or asked.tools or asked.installed):
        PAGE.write_text(page(measured, GROUPS), "utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    cases = [case.name for group in GROUPS for case in group.cases]
    names = [tool.name for tool in TOOLS]
    parser.add_argument("--only", nargs="+", choices=cases, metavar="FAULT", help=", ".join(cases))
    parser.add_argument("--tools", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--installed", action="store_true", help="install nothing: those beside this Python"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure, too")
    return parser.parse_args()


def chosen(name: str, wanted: list[str] | None) -> bool:
    return wanted is None or name in wanted


def installed(tools: Iterable[Tool], here: bool) -> list[Measured]:
    """Each tool in its environment, or why it cannot be had.

    Raises:
        CannotRun: easyllm itself cannot be installed.
    """
    if here:
        home = beside_this_python()
        found = [(tool, home.version(tool.package)) for tool in tools]
        return [Measured(tool, home, version) for tool, version in found if version]
    ours = installs.of_project("venv", installs.CHECKOUT)
    version = ours.version("easyllm-cli")
    return [peer(tool) if tool.packages else Measured(tool, ours, version) for tool in tools]


def peer(tool: Tool) -> Measured:
    """Another tool's newest release that this machine's index has."""
    try:
        home = installs.venv(tool.house)
        home.pip("install", "--upgrade", *tool.packages)
        return Measured(tool, home, home.version(tool.package))
    except CannotRun as error:
        return Measured(tool, None, str(error))


def run(case: Case, measured: Iterable[Measured]) -> None:
    """One fault, every tool; prints as it goes."""
    print(f"\n{case.name}: {case.title}")
    for one in measured:
        if one.venv is None:
            continue
        one.results[case.name] = found = result(case, one.tool, one.venv)
        print(f"  {one.tool.name:16}{cell(found, one):56}{found.mebibytes:8.1f} MiB", flush=True)


def told(measured: Iterable[Measured]) -> dict[str, object]:
    return {
        one.tool.name: {
            "version": one.version,
            "faults": {name: asdict(found) for name, found in one.results.items()},
        }
        for one in measured
    }


if __name__ == "__main__":
    sys.exit(main())
