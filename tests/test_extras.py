"""Runs tests/extras in a venv that has every extra: the product's own venv has none of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import extras_venv

EXTRAS = Path(__file__).with_name("extras")
FILES = sorted(path.name for path in EXTRAS.glob("test_*.py"))
SECONDS = 300.0
TOGETHER = 2
Run = subprocess.CompletedProcess[bytes]


@pytest.fixture(scope="session")
def extras_python() -> Path:
    """The Python that has the extras; without it the whole test run ends, never a skip."""
    done = subprocess.run(
        [sys.executable, extras_venv.__file__],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace")
        pytest.exit(f"tests/servers/extras_venv.py failed:\n{output}", returncode=1)
    return extras_venv.PYTHON


@pytest.fixture(scope="session")
def runs(extras_python: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Run]]]:
    """The run of each file that was asked for; they mostly wait, so several are under way."""
    wanted = [item.name for item in request.session.items]
    files = [file for file in FILES if f"{test_with_every_extra.__name__}[{file}]" in wanted]
    pool = ThreadPoolExecutor(TOGETHER)
    yield {file: pool.submit(run, extras_python, file) for file in files}
    pool.shutdown(cancel_futures=True)


def run(python: Path, file: str) -> Run:
    inner = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", EXTRAS / file],
        cwd=extras_venv.ROOT,
        env=inner,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
    )


@pytest.mark.parametrize("file", FILES)
def test_with_every_extra(runs: dict[str, Future[Run]], file: str) -> None:
    ran = runs[file].result()
    output = ran.stdout.decode(errors="replace")
    print(output)
    assert ran.returncode == 0, output
    assert " passed" in output
    assert "skipped" not in output
