"""Fixtures of every test: the real servers, and an environment without the user's settings."""

import gc
import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from easyllm_cli import secret
from easyllm_cli.vendors import VENDORS, get_endpoint_variable

pytest_plugins = [
    "tests.support.servers.background",
    "tests.support.servers.fixtures",
    "tests.support.binary",
    "tests.support.event_loops",
    "tests.support.price_table",
    "tests.support.process_count",
    "tests.support.time_limit",
]

# `steady` runs the same examples every time, so that CI is stable. `long` looks for new ones and is
# run by hand: pytest --hypothesis-profile=long tests/fuzzing
# All examples of a test share one home, so each example writes its files again.
ONE_HOME = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
USUAL: Any = {"deadline": None, "suppress_health_check": ONE_HOME}
settings.register_profile("steady", derandomize=True, max_examples=50, **USUAL)
settings.register_profile("long", max_examples=10_000, **USUAL)
settings.load_profile("steady")

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OTHERS = (
    "NO_COLOR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "AWS_REGION",
)


KEYS = {variable for vendor in VENDORS.values() for variable in vendor.key_variables}
ENDPOINTS = {get_endpoint_variable(provider) for provider in VENDORS}


def is_configuration_variable(name: str) -> bool:
    """Return whether a variable could change what the program does."""
    return (
        name in KEYS
        or name in ENDPOINTS
        or name.upper() in PROXIES
        or name in OTHERS
        or name.startswith(("EASYLLM_", "XDG_"))
    )


def pytest_collection(session: pytest.Session) -> None:
    """Collect no garbage while the tests are collected, because all that is made is kept."""
    gc.disable()
    if [Path(name).name for name in session.config.args] == ["tests"]:
        import_share()


def import_share() -> None:
    """Import the n-th part of the test files in the n-th worker of pytest-xdist, before all others.

    pytest rewrites the asserts of a file when it is first imported, and keeps its bytecode. All
    workers collect all files at once, and without bytecode each would rewrite every file.
    """
    if (worker := os.environ.get("PYTEST_XDIST_WORKER")) is None:
        return
    number = int(worker.removeprefix("gw"))
    count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    root = Path(__file__).parent.parent
    files = [file.relative_to(root) for file in sorted(root.glob("tests/**/test_*.py"))]
    for file in files[number::count]:
        if file.parts[:2] != ("tests", "extras") and file.parts[:3] != (
            "tests",
            "contract",
            "real",
        ):
            import_module(".".join(file.with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Leave the collected tests, a million objects, out of every later garbage collection."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder for all homes; pytest's tmp_path would list all folders for each test."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set HOME to a new empty folder, and remove every variable that configures easyllm."""
    for name in filter(is_configuration_variable, list(os.environ)):
        monkeypatch.delenv(name)
    folder = Path(tempfile.mkdtemp(dir=homes))
    monkeypatch.setenv("HOME", str(folder))
    # A command that ran in this process keeps the secrets of later tests, too.
    monkeypatch.setattr(secret, "_retained_secrets", None)
    return folder
