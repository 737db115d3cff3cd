"""Runs tests/extras in a venv that has every extra: the product's own venv has none of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import extras_venv

EXTRAS = Path(__file__).with_name("extras")
FILES = sorted(path.name for path in EXTRAS.glob("test_*.py"))
SECONDS = 300.0


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


@pytest.mark.parametrize("file", FILES)
def test_with_every_extra(extras_python: Path, file: str) -> None:
    inner = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    ran = subprocess.run(
        [extras_python, "-m", "pytest", "-p", "no:cacheprovider", EXTRAS / file],
        cwd=extras_venv.ROOT,
        env=inner,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
    )
    output = ran.stdout.decode(errors="replace")
    print(output)
    assert ran.returncode == 0, output
    assert " passed" in output
    assert "skipped" not in output
