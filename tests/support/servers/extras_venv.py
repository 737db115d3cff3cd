"""Makes .cache/extras-venv: this project with every extra, beside the product's bare venv.

    python tests/support/servers/extras_venv.py

The locked packages are installed when the lock has changed, our own code every time. openai is
held at 2.x here (older litellm forces it); the product's venv has 3.x.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"
LOCKED = ROOT / ".ci" / "extras.lock"
VENV = CACHE / "extras-venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "recipe.sha256"
STEP_SECONDS = 900


def run(*command: str | Path) -> None:
    """One step, its output shown.

    Raises:
        SystemExit: it failed.
    """
    if subprocess.run(command, stdin=subprocess.DEVNULL, timeout=STEP_SECONDS).returncode:
        sys.exit(f"extras_venv.py: failed: {' '.join(str(word) for word in command)}")


def main() -> None:
    CACHE.mkdir(exist_ok=True)
    wanted = hashlib.sha256(LOCKED.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-cache", "--python", PYTHON)
    locked = ("--only-binary=:all:", "--require-hashes", "--requirement", LOCKED)
    with (CACHE / "extras.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not STAMP.exists() or STAMP.read_text("utf-8") != wanted:
            run(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
            run(*uv, *locked)
            STAMP.write_text(wanted, "utf-8")
        run(*uv, "--no-deps", "--no-build-isolation", "--reinstall", ROOT)


if __name__ == "__main__":
    main()
