"""Makes .cache/NAME-venv: this project with the packages of .ci/NAME.lock.

    python tests/support/servers/locked_venv.py extras      (every extra, and openai 2.x)
    python tests/support/servers/locked_venv.py ray         (Ray Data, 530 MB)

The locked packages are installed when the lock has changed, our own code every time. The product's
venv stays bare. Runs at the same time wait for each other.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"
STEP_SECONDS = 900


def python_of(name: str) -> Path:
    """The Python of a venv."""
    return CACHE / f"{name}-venv" / "bin" / "python"


def run(*command: str | Path) -> None:
    """One step, its output shown.

    Raises:
        SystemExit: it failed.
    """
    if subprocess.run(command, stdin=subprocess.DEVNULL, timeout=STEP_SECONDS).returncode:
        sys.exit(f"locked_venv.py: failed: {' '.join(str(word) for word in command)}")


def make_venv(name: str) -> None:
    """Make one venv, or bring it up to date."""
    CACHE.mkdir(exist_ok=True)
    locked, python = ROOT / ".ci" / f"{name}.lock", python_of(name)
    venv = python.parents[1]
    stamp = venv / "recipe.sha256"
    wanted = hashlib.sha256(locked.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-cache", "--python", python)
    packages = ("--only-binary=:all:", "--require-hashes", "--requirement", locked)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text("utf-8") != wanted:
            run(sys.executable, "-m", "venv", "--clear", "--without-pip", venv)
            run(*uv, *packages)
            stamp.write_text(wanted, "utf-8")
        run(*uv, "--no-deps", "--no-build-isolation", "--reinstall", ROOT)


if __name__ == "__main__":
    make_venv(sys.argv[1])
