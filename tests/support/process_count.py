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
    """Count a process start; an audit hook, which Python calls for every start.

    https://docs.python.org/3/library/audit_events.html
    """
    if event == "subprocess.Popen":
        started[Path(str(arguments[0])).name] += 1
    elif event == "tests.launch":  # tests/support/launcher
        started["easyllm by the launcher"] += 1
    elif event in ("os.fork", "os.forkpty", "os.posix_spawn"):
        started[event] += 1


def cpu_seconds(who: int) -> float:
    """Return the user and system seconds of this process or of its ended children."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


class Workers:
    """Adds up the counts of pytest-xdist's workers."""

    seconds = 0.0

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})  # a worker that crashed has none
        started.update(output.get("started", {}))
        self.seconds += output.get("seconds", 0.0)


workers = Workers()


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(count_start)
    config.pluginmanager.register(workers)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass a pytest-xdist worker's counts to the process that prints them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["started"] = dict(started)
        session.config.workeroutput["seconds"] = cpu_seconds(resource.RUSAGE_SELF)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    programs = ", ".join(f"{number} {name}" for name, number in started.most_common())
    terminalreporter.write_line(
        f"started {started.total()} processes ({programs}); they took "
        f"{cpu_seconds(resource.RUSAGE_CHILDREN) - workers.seconds:.0f} s of CPU, "
        f"the tests themselves {cpu_seconds(resource.RUSAGE_SELF) + workers.seconds:.0f} s"
    )
