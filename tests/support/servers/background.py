"""Starts slow commands (set-up, other test runs) in the background when the test run begins.

Each belongs to a fixture, which waits for its end. Under pytest-xdist a worker runs a fixture's
commands when it reaches the fixture's tests, which come first.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.servers import locked_venv, setup

SECONDS = 1800.0  # timeout of one command
Command = Sequence[str | Path]
Ended = subprocess.CompletedProcess[bytes]

SET_UP: Command = (sys.executable, setup.__file__)
EXTRAS_VENV: Command = (sys.executable, locked_venv.__file__, "extras")
RAY_VENV: Command = (sys.executable, locked_venv.__file__, "ray")
PYTEST: Command = ("-m", "pytest", "-p", "no:cacheprovider")
EXTRAS: Command = (locked_venv.python_of("extras"), *PYTEST, "tests/extras")
REAL_MODELS: Command = (sys.executable, *PYTEST, "tests/contract/real")
# For each fixture the commands, which run one after another until one fails.
COMMANDS: dict[str, Sequence[Command]] = {
    "servers_set_up": (SET_UP,),
    "real_model_tests": (SET_UP, REAL_MODELS),
    "extras_tests": (SET_UP, EXTRAS_VENV, EXTRAS),
    "ray_venv": (RAY_VENV,),
    "full_real_model_tests": (SET_UP, (*REAL_MODELS, "-m", "full")),
    "full_extras_tests": (SET_UP, EXTRAS_VENV, (*EXTRAS, "-m", "full")),
}
_running: dict[str, Future[Ended]] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests first that wait for other test runs."""
    runs = COMMANDS.keys() - {"servers_set_up"}
    items.sort(key=lambda item: runs.isdisjoint(getattr(item, "fixturenames", ())))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the commands of the fixtures that the selected tests use."""
    if session.config.option.collectonly or "PYTEST_XDIST_WORKER" in os.environ:
        return
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    pool = ThreadPoolExecutor(len(COMMANDS))
    for fixture in COMMANDS.keys() & fixtures:
        _running[fixture] = pool.submit(run, COMMANDS[fixture])
    pool.shutdown(wait=False)


def run(commands: Sequence[Command]) -> Ended:
    """Run the commands until one fails; return the result of the last one that ran."""
    # Bytecode must be written: the other venvs have none, and litellm takes 15 s to compile.
    removed = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    for command in commands:
        ended = subprocess.run(
            command, cwd=locked_venv.ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
        )  # fmt: skip
        if ended.returncode:
            break
    return ended


def wait_for(fixture: str) -> Ended:
    """Wait for the fixture's commands, or run them now; return the result of the last one."""
    return _running[fixture].result() if fixture in _running else run(COMMANDS[fixture])


def check_tests(ended: Ended) -> None:
    """Fail unless the last command was a test run in which every test passed and none skipped."""
    if ended.args in (SET_UP, EXTRAS_VENV):
        stop_run(ended)
    output = ended.stdout.decode(errors="replace")
    print(output)
    assert ended.returncode == 0, output
    assert " passed" in output
    assert "skipped" not in output


def stop_run(ended: Ended) -> None:
    """End the whole test run because the set-up failed; tests are never skipped for it."""
    output = ended.stdout.decode(errors="replace")
    pytest.exit(f"{' '.join(map(str, ended.args))} failed:\n{output}", returncode=1)
