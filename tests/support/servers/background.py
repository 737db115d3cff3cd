"""Begins what takes long with the test run itself, beside the tests that do not need it.

A fixture's name stands for commands; the fixture waits for their end. Under pytest-xdist a worker
runs a fixture's commands when it gets to its tests, which are the first in line.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.servers import extras_venv, setup

SECONDS = 1800.0  # that one command may take
Command = Sequence[str | Path]
Ended = subprocess.CompletedProcess[bytes]

SET_UP: Command = (sys.executable, setup.__file__)
EXTRAS_VENV: Command = (sys.executable, extras_venv.__file__)
PYTEST: Command = ("-m", "pytest", "-p", "no:cacheprovider")
EXTRAS: Command = (extras_venv.PYTHON, *PYTEST, "tests/extras")
REAL_MODELS: Command = (sys.executable, *PYTEST, "tests/contract/real")
# By fixture, the commands that run one after another until one fails.
COMMANDS: dict[str, Sequence[Command]] = {
    "servers_set_up": (SET_UP,),
    "real_model_tests": (SET_UP, REAL_MODELS),
    "extras_tests": (SET_UP, EXTRAS_VENV, EXTRAS),
    "full_extras_tests": (SET_UP, EXTRAS_VENV, (*EXTRAS, "-m", "full")),
}
_running: dict[str, Future[Ended]] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that wait for whole test runs come first."""
    runs = COMMANDS.keys() - {"servers_set_up"}
    items.sort(key=lambda item: runs.isdisjoint(getattr(item, "fixturenames", ())))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Starts the commands of those fixtures that the selected tests name."""
    if session.config.option.collectonly or "PYTEST_XDIST_WORKER" in os.environ:
        return
    named = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    pool = ThreadPoolExecutor(len(COMMANDS))
    for fixture in COMMANDS.keys() & named:
        _running[fixture] = pool.submit(run, COMMANDS[fixture])
    pool.shutdown(wait=False)


def run(commands: Sequence[Command]) -> Ended:
    """The last command that ran: all of them, or the one that failed."""
    # Bytecode is wanted: the other venvs come without, and litellm takes 15 s to compile.
    others = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in others}
    for command in commands:
        ended = subprocess.run(
            command, cwd=extras_venv.ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
        )  # fmt: skip
        if ended.returncode:
            break
    return ended


def wait_for(fixture: str) -> Ended:
    """The end of the fixture's commands; they run now if no test had named the fixture."""
    return _running[fixture].result() if fixture in _running else run(COMMANDS[fixture])


def check_tests(ended: Ended) -> None:
    """Fails unless the last command was a test run that passed whole, with nothing skipped."""
    if ended.args in (SET_UP, EXTRAS_VENV):
        stop_run(ended)
    output = ended.stdout.decode(errors="replace")
    print(output)
    assert ended.returncode == 0, output
    assert " passed" in output
    assert "skipped" not in output


def stop_run(ended: Ended) -> None:
    """A set-up that failed ends the whole test run: it is never a skip."""
    output = ended.stdout.decode(errors="replace")
    pytest.exit(f"{' '.join(map(str, ended.args))} failed:\n{output}", returncode=1)
