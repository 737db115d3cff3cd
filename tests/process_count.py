"""Prints how many processes a test run started and the CPU seconds they took."""

import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

# Starts by program name: "easyllm", "python", …
started: Counter[str] = Counter()


def count_start(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: Python reports every process that this one starts.

    https://docs.python.org/3/library/audit_events.html
    """
    if event == "subprocess.Popen":
        started[Path(str(arguments[0])).name] += 1
    elif event == "tests.launch":  # tests/launcher.py
        started["easyllm by the launcher"] += 1
    elif event in ("os.fork", "os.forkpty", "os.posix_spawn"):
        started[event] += 1


def cpu_seconds(who: int) -> float:
    """User and system seconds of this process, or of its children that have ended."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def pytest_configure() -> None:
    sys.addaudithook(count_start)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    programs = ", ".join(f"{number} {name}" for name, number in started.most_common())
    terminalreporter.write_line(
        f"started {started.total()} processes ({programs}); they took "
        f"{cpu_seconds(resource.RUSAGE_CHILDREN):.0f} s of CPU, "
        f"the tests themselves {cpu_seconds(resource.RUSAGE_SELF):.0f} s"
    )
