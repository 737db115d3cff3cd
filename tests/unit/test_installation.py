"""The printed install command fits what installed easyllm, and from where."""

import json
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import installation
from easyllm_cli.installation import format_install_command

METADATA = """\
Metadata-Version: 2.4
Name: easyllm-cli
Version: 1.0
Provides-Extra: schema
Provides-Extra: local
Provides-Extra: all
Requires-Dist: typer<0.29,>=0.26
Requires-Dist: jsonschema>=4.23; extra == 'schema'
Requires-Dist: xllamacpp>=2026.10; (python_version < '3.15') and extra == 'local'
Requires-Dist: pip; extra == 'local'
Requires-Dist: easyllm-cli[local,schema]; extra == 'all'
"""
GIT = {"url": "https://example.com/easyllm.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}


@dataclass
class Environment:
    """A virtual environment in which easyllm is installed; its Python is not on the PATH."""

    prefix: Path
    info: Path

    @property
    def pip(self) -> str:
        return f"{sys.executable} -m pip install"

    def write_origin(self, origin: dict[str, Any]) -> None:
        (self.info / "direct_url.json").write_text(json.dumps(origin))

    def install(self, name: str) -> None:
        """Records another package as installed."""
        info = self.info.with_name(f"{name}-1.0.dist-info")
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    prefix = tmp_path / "venvs" / "easyllm-cli"
    packages = prefix / "lib"
    (prefix / "bin").mkdir(parents=True)
    info = packages / "easyllm_cli-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    monkeypatch.setattr(sys, "path", [str(packages)])
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(sys, "executable", str(prefix / "bin" / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(installation, "find_spec", lambda name: name)
    return Environment(prefix, info)


def test_from_an_index(environment: Environment) -> None:
    assert format_install_command("schema") == f"{environment.pip} 'easyllm-cli[schema]'"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ({"dir_info": {}}, "'{path}[schema]'"),
        ({"dir_info": {"editable": True}}, "-e '{path}[schema]'"),
        ({"archive_info": {}}, "'{path}[schema]'"),
    ],
    ids=["folder", "editable", "wheel"],
)
def test_from_a_path(
    environment: Environment, tmp_path: Path, origin: dict[str, Any], source: str
) -> None:
    path = tmp_path / "a folder"
    environment.write_origin({"url": path.as_uri(), **origin})
    gone = format_install_command("schema")
    assert gone == f"{environment.pip} 'jsonschema>=4.23'"
    path.mkdir()
    assert format_install_command("schema") == f"{environment.pip} {source.format(path=path)}"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (GIT, "git+https://example.com/easyllm.git"),
        (GIT | {"url": "https://user:secret@example.com/e"}, "git+https://example.com/e"),
        (GIT | {"url": "ssh://git@example.com/e"}, "git+ssh://git@example.com/e"),
        (
            {"url": GIT["url"], "vcs_info": {"vcs": "git", "requested_revision": "v1"}}
            | {"subdirectory": "cli"},
            "git+https://example.com/easyllm.git@v1#subdirectory=cli",
        ),
        ({"url": "https://example.com/e.whl", "archive_info": {}}, "https://example.com/e.whl"),
    ],
    ids=["git", "credentials", "ssh", "revision", "archive"],
)
def test_from_a_url(environment: Environment, origin: dict[str, Any], source: str) -> None:
    environment.write_origin(origin)
    expected = f"{environment.pip} 'easyllm-cli[local] @ {source}'"
    assert format_install_command("local") == expected


def test_from_git_on_this_machine_the_packages_are_named(environment: Environment) -> None:
    """Because pip refuses extras of a git+file:// URL."""
    environment.write_origin(GIT | {"url": "file:///src"})
    assert format_install_command("local") == f"{environment.pip} 'xllamacpp>=2026.10' pip"


@pytest.mark.parametrize("origin", ["", "{", "[]"])
def test_an_unreadable_origin_is_an_index(environment: Environment, origin: str) -> None:
    (environment.info / "direct_url.json").write_text(origin)
    assert format_install_command("schema") == f"{environment.pip} 'easyllm-cli[schema]'"


def test_an_active_environment_needs_no_path(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = environment.prefix / "bin" / "pip"
    pip.touch(0o755)
    monkeypatch.setenv("PATH", str(pip.parent))
    assert format_install_command("schema") == "pip install 'easyllm-cli[schema]'"
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)  # not a virtual environment
    assert format_install_command("schema") == f"{environment.pip} 'easyllm-cli[schema]'"


def test_pipx_injects_the_packages(environment: Environment) -> None:
    (environment.prefix / installation.PIPX_MARK).touch()
    assert format_install_command("local") == "pipx inject easyllm-cli 'xllamacpp>=2026.10' pip"


def test_uv_tool_keeps_the_extras_that_are_there(environment: Environment, tmp_path: Path) -> None:
    (environment.prefix / installation.UV_TOOL_MARK).touch()
    assert format_install_command("local") == "uv tool install 'easyllm-cli[local]'"
    environment.install("jsonschema")
    environment.write_origin({"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    expected = f"uv tool install -e '{tmp_path}[local,schema]'"
    assert format_install_command("local") == expected


def test_without_pip(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    python = sys.executable
    expected = f"{python} -m ensurepip && {environment.pip} 'easyllm-cli[local]'"
    assert format_install_command("local") == expected
    (environment.info / "INSTALLER").write_text("uv")
    expected = f"uv pip install --python {python} 'easyllm-cli[local]'"
    assert format_install_command("local") == expected


def test_without_a_record_the_source_is_named(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (environment.info / "METADATA").unlink()
    environment.info.rmdir()
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.distribution("easyllm-cli")
    module = environment.prefix / "easyllm_cli" / "installation.py"
    monkeypatch.setattr(installation, "__file__", str(module))
    assert format_install_command("schema") == f"{environment.pip} 'easyllm-cli[schema]'"
    (environment.prefix / "pyproject.toml").touch()
    expected = f"{environment.pip} '{environment.prefix}[schema]'"
    assert format_install_command("schema") == expected
