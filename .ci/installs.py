"""Installs and runs the wheel without extras, with each extra and with all, in clean venvs.

    python .ci/installs.py [EXTRA ...]        (default: all in pyproject.toml; about 4 minutes)

It prints one line per install; the exit code is 1 if one does not work. Run it by hand: CI runs the
tests of the extras in one venv that has all of them.
"""

import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BARE = "bare"
# What each install must be able to do, besides `pip check` and a dry run of the command.
PROOF = {
    "litellm": "from easyllm_cli.providers import provider_class; provider_class('litellm')",
    "gemini": "import easyllm_cli.transport.google_sdk",
    "db": "import easyllm_cli.config.database",
    "schema": "import jsonschema",
    "local": "import xllamacpp",
    "keyring": "import keyring",
    "batch": "import easyllm_cli.transport.aiohttp_client",
}
ASK = ("chat", "--dry-run", "-n", "-p", "openai:gpt-4o", "hi")


def said(*command: str | Path) -> str:
    """Run a command; returns its output.

    Raises:
        SystemExit: it failed; holds its output.
    """
    ran = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ran.returncode:
        sys.exit(f"installs.py: failed: {' '.join(map(str, command))}\n{ran.stdout}")
    return ran.stdout


def tried(wheel: Path, extra: str, folder: Path) -> str:
    """Install and run the wheel with one extra; returns the line to print."""
    began = time.monotonic()
    said(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    wanted = str(wheel) if extra == BARE else f"{wheel}[{extra}]"
    said(python, "-m", "pip", "install", "--quiet", wanted)
    said(python, "-m", "pip", "check")
    said(folder / "bin" / "easyllm", *ASK)
    extras = PROOF if extra == "all" else [extra] if extra in PROOF else []
    for one in extras:
        said(python, "-c", PROOF[one])
    count = len(said(python, "-m", "pip", "list", "--format=freeze").splitlines())
    return f"{extra:<10} ok  {count:>3} packages  {time.monotonic() - began:>5.0f} s"


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = sys.argv[1:] or [BARE, *project["optional-dependencies"]]
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        said(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", here, ROOT)
        wheel = next(here.glob("*.whl"))
        for extra in wanted:
            print(tried(wheel, extra, here / extra), flush=True)


if __name__ == "__main__":
    main()
