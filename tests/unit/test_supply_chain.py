"""What we install is locked with its hashes, and neither it nor we run anything by ourselves."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
BASE = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
# Each lock file (.ci/lock.py), and what of pyproject.toml it stands for.
LOCKED = {
    "requirements.lock": [
        *BASE, *GROUPS["test"], *GROUPS["lint"], *GROUPS["build"], *GROUPS["venvs"],
    ],
    "extras.lock": [
        *BASE,
        *[one for name, extra in EXTRAS.items() if name != "all" for one in extra],
        *GROUPS["test"], *GROUPS["extras"], *GROUPS["build"],
    ],
    "servers.lock": GROUPS["servers"],
    "publish.lock": GROUPS["publish"],
}  # fmt: skip
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(?P<version>[^ ]+)(?P<rest>(?:.*\\\n)*.*)$", re.M
)
SHA256 = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
# A .pth file runs at every start of Python: litellm 1.82.8 stole keys with one (FAULTS §3).
RUNS_AT_START = re.compile(r"^import[ \t]", re.M)


def entries(lock: str) -> dict[str, re.Match[str]]:
    text = (ROOT / ".ci" / lock).read_text("utf-8")
    return {one["name"]: one for one in ENTRY.finditer(text)}


@pytest.mark.parametrize("lock", LOCKED)
def test_the_lock_is_in_step_with_pyproject(lock: str) -> None:
    """`python .ci/lock.py` was not forgotten."""
    found = entries(lock)
    for line in LOCKED[lock]:
        wanted = Requirement(line)
        entry = found.get(canonicalize_name(wanted.name))
        assert entry, f"{wanted.name} is not locked"
        assert wanted.specifier.contains(entry["version"], prereleases=True), f"{line}: {entry[0]}"


@pytest.mark.parametrize("lock", LOCKED)
def test_every_package_is_held_by_version_and_hash(lock: str) -> None:
    text = (ROOT / ".ci" / lock).read_text("utf-8")
    found = entries(lock)
    starts = [line for line in text.splitlines() if line and line[0] not in "# "]
    assert {line.partition("==")[0].partition("[")[0] for line in starts} == found.keys()
    assert len(found) > 10
    assert all(SHA256.search(one["rest"]) for one in found.values())
    assert "://" not in text, "it names no place to fetch from"


def test_what_runs_here_is_what_was_locked() -> None:
    """The tests themselves run on the locked set; a developer's venv may hold more."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    here = dict(line.split("==") for line in said.splitlines() if "==" in line)
    installed = {canonicalize_name(name): version for name, version in here.items()}
    locked = {name: one["version"] for name, one in entries("requirements.lock").items()}
    assert {canonicalize_name(Requirement(one).name) for one in BASE} <= installed.keys()
    assert {n: v for n, v in installed.items() if locked.get(n, v) != v} == {}


def test_nothing_installed_runs_at_every_start() -> None:
    folder = Path(pytest.__file__).parent.parent
    found = [path.name for path in folder.glob("*.pth") if RUNS_AT_START.search(path.read_text())]
    assert [name for name in found if name != "distutils-precedence.pth"] == []  # the venv's own


def test_our_wheel_holds_code_and_one_command_alone(tmp_path: Path) -> None:
    """No build hook, nothing beside the package, no .pth, no script but `easyllm`."""
    assert PROJECT["build-system"] == {
        "requires": ["hatchling"],
        "build-backend": "hatchling.build",
    }
    assert "hooks" not in str(PROJECT["tool"]["hatch"])
    assert not (ROOT / "setup.py").exists()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        points = next(name for name in names if name.endswith("entry_points.txt"))
        said = wheel.read(points).decode()
    tops = {name.partition("/")[0] for name in names}
    assert {re.sub(r"-[\d.]+\.dist-info", ".dist-info", top) for top in tops} == {
        "easyllm_cli", "easyllm_cli.dist-info",
    }  # fmt: skip
    assert {Path(name).suffix for name in names if name.startswith("easyllm_cli/")} <= {
        ".py", ".typed",
    }  # fmt: skip
    assert said.split() == ["[console_scripts]", "easyllm", "=", "easyllm_cli.cli:main"]


def test_licences_are_listed_and_a_strong_copyleft_is_refused(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / ".ci" / "licences.py")]
    ran = subprocess.run(script, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    listed = {line.split()[0] for line in ran.stdout.splitlines()}
    assert {canonicalize_name(Requirement(one).name) for one in BASE} <= listed
    assert "pytest" not in listed, "what only tests need is no dependency"
    made = tmp_path / "viral-1.0.dist-info"
    made.mkdir()
    lines = "Metadata-Version: 2.4\nName: viral\nVersion: 1.0\nLicense-Expression: {}\n"
    for words, code in [("GPL-3.0-only", 1), ("MIT AND AGPL-3.0", 1), ("MIT OR GPL-2.0", 0)]:
        (made / "METADATA").write_text(lines.format(words))
        env = {"PYTHONPATH": str(tmp_path)}
        ran = subprocess.run([*script, "--all"], capture_output=True, text=True, env=env)
        assert (ran.returncode, "viral" in ran.stdout) == (code, True), ran.stdout
