"""Makes the benchmarks' virtual environments, in .cache/bench."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import CannotRun

CHECKOUT = Path(__file__).resolve().parent.parent
BENCH_FOLDER = CHECKOUT / ".cache" / "bench"
KEPT_VARIABLES = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True)
class Venv:
    """One virtual environment."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def pip(self, *arguments: str) -> None:
        """Run pip, which byte-compiles what it installs.

        Raises:
            CannotRun: pip failed; holds its last line.
        """
        _checked([self.python, "-m", "pip", *arguments, "--quiet"])

    def version(self, distribution: str) -> str:
        """The installed version; "" = not installed."""
        code = (
            "import importlib.metadata as m, sys\n"
            "try: print(m.version(sys.argv[1]))\n"
            "except m.PackageNotFoundError: pass"
        )
        return _checked([self.python, "-c", code, distribution]).strip()

    def packages(self) -> list[str]:
        """`name==version` of all installed packages except the project itself."""
        listed = _checked([self.python, "-m", "pip", "freeze"]).splitlines()
        return [line for line in listed if not line.startswith("easyllm")]


def without_python(environment: dict[str, str]) -> dict[str, str]:
    """The variables that do not begin with PYTHON."""
    return {name: value for name, value in environment.items() if not name.startswith("PYTHON")}


def environment(**more: str) -> dict[str, str]:
    """A measured process's environment: a home of its own, and none of the user's variables."""
    home = BENCH_FOLDER / "home"
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", **more}


def _checked(argv: list[str]) -> str:
    """The output of a command.

    Raises:
        CannotRun: it failed.
    """
    done = subprocess.run(
        argv, env=without_python(dict(os.environ)), capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        raise CannotRun(f"{' '.join(argv[:4])} …: {lines[-1][:300]}")
    return done.stdout


def venv(name: str) -> Venv:
    """The environment of this name; made if it is missing or belongs to another Python."""
    made = Venv(BENCH_FOLDER / name)
    mark = made.folder / "made-by"
    if not mark.is_file() or mark.read_text() != sys.version:
        shutil.rmtree(made.folder, ignore_errors=True)
        _checked([sys.executable, "-m", "venv", str(made.folder)])
        mark.write_text(sys.version)
    return made


def venv_for_project(name: str, source: Path, extra: str = "") -> Venv:
    """An environment with the project in `source`, as a new wheel. `extra`: e.g. "[local]"."""
    builder, made, wheels = venv("builder"), venv(name), BENCH_FOLDER / "wheels" / name
    if not builder.version("hatchling"):
        builder.pip("install", "hatchling")
    shutil.rmtree(wheels, ignore_errors=True)
    builder.pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source))
    (wheel,) = wheels.glob("*.whl")
    # The version number stays the same, so pip would keep the files of an older wheel.
    made.pip("install", "--force-reinstall", "--no-deps", str(wheel))
    made.pip("install", f"{wheel}{extra}")
    return made


def commit() -> str:
    """The checkout's commit, with a + if the package has uncommitted changes."""
    named = _checked(["git", "-C", str(CHECKOUT), "rev-parse", "--short", "HEAD"]).strip()
    changed = _checked(["git", "-C", str(CHECKOUT), "status", "--short", "easyllm_cli"])
    return named + "+" * bool(changed)


def venv_for_commit(commit: str) -> Venv:
    """An environment with the project at a commit of this repository."""
    full = _checked(["git", "-C", str(CHECKOUT), "rev-parse", "--verify", f"{commit}^{{commit}}"])
    short = full.strip()[:12]
    source = BENCH_FOLDER / "sources" / short
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    archive = BENCH_FOLDER / "sources" / f"{short}.tar"
    _checked(["git", "-C", str(CHECKOUT), "archive", "-o", str(archive), short])
    shutil.unpack_archive(archive, source)
    archive.unlink()
    return venv_for_project(short, source)
