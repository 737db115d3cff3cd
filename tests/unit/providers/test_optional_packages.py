"""A missing optional package is a one-line error that names the extra; other errors are not."""

import tomllib
from pathlib import Path

import pytest

import easyllm_cli.providers
from easyllm_cli import ConfigError, LLMService
from easyllm_cli.errors import EXTRAS, missing_package_error
from easyllm_cli.providers import ADAPTERS, provider_class
from easyllm_cli.vendors import VENDORS, Vendor
from tests.support import ROOT
from tests.support.asking import messages
from tests.support.install_commands import installs_extra


def register_adapter(imports: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register a provider `wants` whose module begins with these imports."""
    name = f"wants_{abs(hash(imports))}"
    (folder / f"{name}.py").write_text(f"{imports}\nclass Wants: ...\n")
    monkeypatch.setattr(
        easyllm_cli.providers, "__path__", [*easyllm_cli.providers.__path__, str(folder)]
    )
    monkeypatch.setitem(ADAPTERS, "wants", (name, "Wants"))
    monkeypatch.setitem(VENDORS, "wants", Vendor("wants", "http://127.0.0.1:9", ()))


@pytest.mark.parametrize(
    ("imports", "extra"),
    [
        ("import litellm", "litellm"),
        ("from litellm.utils import x", "litellm"),
        ("import google.generativeai", "gemini"),
        ("from sqlalchemy.orm import Session", "db"),
    ],
)
async def test_error_names_the_extra(
    imports: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_adapter(imports, tmp_path, monkeypatch)
    with pytest.raises(ConfigError) as caught:
        await LLMService().chat({"provider": "wants"}, messages())
    error = caught.value
    assert error.where == "provider wants"
    assert installs_extra(error.hint, extra)
    assert "\n" not in str(error)
    assert error.exit_code == 2


def test_public_name_that_needs_a_package_names_the_extra() -> None:
    with pytest.raises(ConfigError) as caught:
        _ = easyllm_cli.LiteLLMProvider
    assert installs_extra(caught.value.hint, "litellm")


@pytest.mark.parametrize("imports", ["import nowhere_at_all", "from json import nonsense"])
def test_other_import_errors_are_unchanged(
    imports: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_adapter(imports, tmp_path, monkeypatch)
    with pytest.raises(ImportError):
        provider_class("wants")


def test_only_a_missing_package_counts() -> None:
    assert missing_package_error(ModuleNotFoundError("no", name="litellm.types")) is not None
    assert missing_package_error(ImportError("cannot import name", name="litellm")) is None
    assert missing_package_error(ModuleNotFoundError("no", name="litellm_proxy")) is None


def test_every_named_extra_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(EXTRAS.values()) <= set(project["optional-dependencies"])


def test_installed_plugins_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "acme_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[easyllm_cli.providers]\nacme = acme_models:Provider\nopenai = acme_models:Other\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    listed = LLMService().list_supported_providers()
    assert listed == [*VENDORS, "acme"]
