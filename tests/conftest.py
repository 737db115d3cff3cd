"""What every test shares: the real servers, and an environment that holds nothing of the user's."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from easyllm_cli.vendors import VENDORS, get_endpoint_variable

pytest_plugins = [
    "tests.support.servers.background",
    "tests.support.servers.fixtures",
    "tests.support.binary",
    "tests.support.process_count",
    "tests.support.time_limit",
]

# The same examples at every run, so that CI is steady: the profile `long`, which is run by hand
# (pytest --hypothesis-profile=long tests/fuzzing), is what looks for new ones.
# One home serves all examples of a test, which write its files anew each time.
ONE_HOME = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
USUAL: Any = {"deadline": None, "suppress_health_check": ONE_HOME}
settings.register_profile("steady", derandomize=True, max_examples=50, **USUAL)
settings.register_profile("long", max_examples=10_000, **USUAL)
settings.load_profile("steady")

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OTHERS = ("NO_COLOR", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")


def is_configuration_variable(name: str) -> bool:
    """Whether a variable could change what the program does."""
    keys = {variable for vendor in VENDORS.values() for variable in vendor.key_variables}
    endpoints = {get_endpoint_variable(provider) for provider in VENDORS}
    return (
        name in keys | endpoints
        or name.upper() in PROXIES
        or name in OTHERS
        or name.startswith(("EASYLLM_", "XDG_"))
    )


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all homes: pytest's own numbering reads every folder again."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new and empty HOME, and no variable that configures us."""
    for name in filter(is_configuration_variable, list(os.environ)):
        monkeypatch.delenv(name)
    made = Path(tempfile.mkdtemp(dir=homes))
    monkeypatch.setenv("HOME", str(made))
    return made
