"""Installed packages are locked with hashes; neither they nor our wheel run code by themselves."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from easyllm_cli import __version__
from tests.support import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
BASE = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
# Each lock file (written by .ci/lock.py), and the requirements in pyproject.toml that it locks.
LOCKED = {
    "requirements.lock": [
        *BASE, *GROUPS["test"], *GROUPS["lint"], *GROUPS["build"], *GROUPS["venvs"],
    ],
    "extras.lock": [
        *BASE,
        *[line for name, extra in EXTRAS.items() if name != "all" for line in extra],
        *GROUPS["test"], *GROUPS["extras"], *GROUPS["build"],
    ],
    "servers.lock": GROUPS["servers"],
    "publish.lock": GROUPS["publish"],
    "installer.lock": GROUPS["venvs"],
    "ray.lock": [*BASE, *EXTRAS["batch"], *GROUPS["ray"], *GROUPS["build"]],
}  # fmt: skip
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(?P<version>[^ ]+)(?P<rest>(?:.*\\\n)*.*)$", re.M
)
SHA256 = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
# Python runs the import lines of .pth files at every start; litellm 1.82.8 stole credentials that
# way (BerriAI/litellm#24518).
RUNS_AT_START = re.compile(r"^import[ \t]", re.M)


def entries(lock: str) -> dict[str, re.Match[str]]:
    text = (ROOT / ".ci" / lock).read_text("utf-8")
    return {match["name"]: match for match in ENTRY.finditer(text)}


@pytest.mark.parametrize("lock", LOCKED)
def test_lock_matches_pyproject(lock: str) -> None:
    """Fails if `python .ci/lock.py` was not run after a change."""
    locked = entries(lock)
    for line in LOCKED[lock]:
        requirement = Requirement(line)
        entry = locked.get(canonicalize_name(requirement.name))
        assert entry, f"{requirement.name} is not locked"
        assert requirement.specifier.contains(entry["version"], prereleases=True), (
            f"{line}: {entry[0]}"
        )


@pytest.mark.parametrize("lock", LOCKED)
def test_every_package_is_pinned_by_version_and_hash(lock: str) -> None:
    text = (ROOT / ".ci" / lock).read_text("utf-8")
    locked = entries(lock)
    starts = [line for line in text.splitlines() if line and line[0] not in "# "]
    assert {line.partition("==")[0].partition("[")[0] for line in starts} == locked.keys()
    assert len(locked) >= len(LOCKED[lock])
    assert all(SHA256.search(entry["rest"]) for entry in locked.values())
    assert "://" not in text, "it names no place to fetch from"


def test_installed_packages_match_the_lock() -> None:
    """The tests run on the locked versions; a developer's venv may hold more packages."""
    installed = {canonicalize_name(item.name): item.version for item in distributions()}
    locked = {name: entry["version"] for name, entry in entries("requirements.lock").items()}
    assert {canonicalize_name(Requirement(line).name) for line in BASE} <= installed.keys()
    assert {n: v for n, v in installed.items() if locked.get(n, v) != v} == {}


def test_no_installed_package_runs_at_python_start() -> None:
    folder = Path(pytest.__file__).parent.parent
    pth_files = [
        path.name for path in folder.glob("*.pth") if RUNS_AT_START.search(path.read_text())
    ]
    # distutils-precedence.pth belongs to setuptools.
    assert [name for name in pth_files if name != "distutils-precedence.pth"] == []


DATA = f"easyllm_cli-{__version__}.data"


def test_wheel_holds_only_code_and_one_command(tmp_path: Path) -> None:
    """No build hook, no .pth file, no script except `easyllm`; outside the package completions."""
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
        scripts = wheel.read(points).decode()
    tops = {name.partition("/")[0] for name in names}
    assert {re.sub(r"-[\d.]+\.dist-info", ".dist-info", top) for top in tops} == {
        "easyllm_cli", "easyllm_cli.dist-info", DATA,
    }  # fmt: skip
    assert {Path(name).suffix for name in names if name.startswith("easyllm_cli/")} <= {
        ".py", ".typed", "", ".bash", ".fish",
    }  # fmt: skip
    outside = {name for name in names if name.startswith(f"{DATA}/")}
    assert {name.partition("/share/")[2] for name in outside} == {
        "bash-completion/completions/easyllm", "zsh/site-functions/_easyllm",
        "fish/vendor_completions.d/easyllm.fish",
    }  # fmt: skip
    assert scripts.split() == ["[console_scripts]", "easyllm", "=", "easyllm_cli.cli:main"]


def test_licences_are_listed_and_a_strong_copyleft_is_refused(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / ".ci" / "licences.py")]
    ran = subprocess.run(script, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    listed = {line.split()[0] for line in ran.stdout.splitlines()}
    assert {canonicalize_name(Requirement(line).name) for line in BASE} <= listed
    assert "pytest" not in listed, "what only tests need is no dependency"
    dist_info = tmp_path / "viral-1.0.dist-info"
    dist_info.mkdir()
    lines = "Metadata-Version: 2.4\nName: viral\nVersion: 1.0\nLicense-Expression: {}\n"
    for words, code in [("GPL-3.0-only", 1), ("MIT AND AGPL-3.0", 1), ("MIT OR GPL-2.0", 0)]:
        (dist_info / "METADATA").write_text(lines.format(words))
        env = {"PYTHONPATH": str(tmp_path)}
        ran = subprocess.run([*script, "--all"], capture_output=True, text=True, env=env)
        assert (ran.returncode, "viral" in ran.stdout) == (code, True), ran.stdout
