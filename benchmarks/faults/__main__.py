"""Runs faults against easyllm and other tools, and writes docs/faults.md.

    python -m benchmarks.faults [--tools NAME …] [--only FAULT …] [--installed] [--json FILE]

Other tools are installed in environments of their own; the page names those that could not be
installed. With --tools, --only or --installed no page is written. The exit code is 0 unless
something cannot run, whatever the results are. Run it by hand, not in CI.
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
    """Run the benchmark; returns the exit code."""
    options = arguments()
    cases = [case for group in GROUPS for case in group.cases if chosen(case.key, options.only)]
    tools = [tool for tool in TOOLS if chosen(tool.name, options.tools)]
    try:
        measured = installed(tools, options.installed)
    except CannotRun as error:
        print(f"benchmarks.faults: {error}", file=sys.stderr)
        return 1
    for case in cases:
        run(case, measured)
    if options.json:
        options.json.write_text(json.dumps(as_json(measured), indent=1) + "\n", "utf-8")
    if not (options.only or options.tools or options.installed):
        PAGE.write_text(page(measured, GROUPS), "utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    cases = [case.key for group in GROUPS for case in group.cases]
    names = [tool.name for tool in TOOLS]
    parser.add_argument("--only", nargs="+", choices=cases, metavar="FAULT", help=", ".join(cases))
    parser.add_argument("--tools", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--installed", action="store_true", help="install nothing: use the tools beside this Python"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures")
    return parser.parse_args()


def chosen(name: str, wanted: list[str] | None) -> bool:
    return wanted is None or name in wanted


def installed(tools: Iterable[Tool], here: bool) -> list[Measured]:
    """Each tool with its environment, or why it could not be installed.

    Raises:
        CannotRun: easyllm itself cannot be installed.
    """
    if here:
        home = beside_this_python()
        found = [(tool, home.version(tool.package)) for tool in tools]
        return [Measured(tool, home, version) for tool, version in found if version]
    ours = installs.venv_for_project("venv", installs.CHECKOUT)
    version = ours.version("easyllm-cli")
    return [peer(tool) if tool.packages else Measured(tool, ours, version) for tool in tools]


def peer(tool: Tool) -> Measured:
    """Another tool, in the newest release on this machine's package index."""
    try:
        home = installs.venv(tool.venv_name)
        home.pip("install", "--upgrade", *tool.packages)
        return Measured(tool, home, home.version(tool.package))
    except CannotRun as error:
        return Measured(tool, None, str(error))


def run(case: Case, measured: Iterable[Measured]) -> None:
    """Run one fault against every tool; print each result."""
    print(f"\n{case.name}: {case.title}", flush=True)
    for entry in measured:
        if entry.venv is None or entry.tool.provider != case.adapter.provider:
            continue
        entry.results[case.key] = found = result(case, entry.tool, entry.venv)
        print(
            f"  {entry.tool.name:28}{cell(found, entry):56}{found.mebibytes:8.1f} MiB", flush=True
        )


def as_json(measured: Iterable[Measured]) -> dict[str, object]:
    """All results, by tool and fault."""
    return {
        one.tool.name: {
            "version": one.version,
            "faults": {name: asdict(found) for name, found in one.results.items()},
        }
        for one in measured
    }


if __name__ == "__main__":
    sys.exit(main())
