"""The package's public names: sorted, all importable, and loaded only on first use."""

import json
import subprocess
import sys
from typing import Any

import pytest

import easyllm_cli
from easyllm_cli import errors, events
from easyllm_cli.errors import (
    ConfigError,
    EasyLLMError,
    Interrupted,
    OutputError,
    SomeFailedError,
)
from tests.support import ROOT

SPEC = {"LLMService", "OpenAIProvider", "OllamaProvider", "OpenRouterProvider", "GeminiProvider"}
FOR_PLUGINS = {"BaseLLMProvider", "HTTPProvider"}
LOOK = """
import json, sys
import easyllm_cli
before = sorted(name for name in sys.modules if name.startswith("easyllm_cli."))
easyllm_cli.Text
after = sorted(name for name in sys.modules if name.startswith("easyllm_cli."))
print(json.dumps([before, after]))
"""


def test_names_are_sorted_and_importable() -> None:
    assert easyllm_cli.__all__ == sorted(set(easyllm_cli.__all__))
    for name in easyllm_cli.__all__:
        assert getattr(easyllm_cli, name) is not None
    assert set(easyllm_cli.__all__) <= set(dir(easyllm_cli))
    assert set(easyllm_cli.__all__) >= SPEC | FOR_PLUGINS


def test_every_event_and_error_is_public() -> None:
    kinds = {kind.__name__ for kind in events.Event.__args__}
    assert kinds | {"Event", "Completion", "Model", "collect"} <= set(easyllm_cli.__all__)
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    raised = {error.__name__ for error in classes if issubclass(error, EasyLLMError)}
    # Only the command line raises these: the library prints nothing, is cancelled, and asks once.
    of_commands = {error.__name__ for error in (OutputError, Interrupted, SomeFailedError)}
    assert raised - of_commands <= set(easyllm_cli.__all__)


def test_unknown_name() -> None:
    package: Any = easyllm_cli
    with pytest.raises(AttributeError, match="has no attribute 'LLMServices'"):
        _ = package.LLMServices


def test_model_config_names_its_extra() -> None:
    with pytest.raises(ConfigError, match=r"SQLAlchemy 2.*pip install .*\[db\]"):
        _ = easyllm_cli.ModelConfig


def test_importing_the_package_loads_only_its_version() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    before, after = json.loads(ran.stdout)
    assert before == ["easyllm_cli._version"]
    assert after == [*before, "easyllm_cli.events", "easyllm_cli.frozen_dataclass"]
