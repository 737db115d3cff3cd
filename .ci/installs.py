"""Installs the wheel bare, with each extra and with all of them, each in a clean venv, and uses it.

    python .ci/installs.py [EXTRA ...]        (all of pyproject.toml's by default; about 4 minutes)

One line an install; exit code 1 if one of them does not work. By hand: CI runs the tests of the
extras in one venv that has them all.
"""

import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BARE = "bare"
# What each install must be able to do, beside `pip check` and a dry run of the command.
PROOF = {
    "litellm": "from easyllm_cli.providers import provider_class; provider_class('litellm')",
    "gemini": "import easyllm_cli.transport.google_sdk",
    "db": "import easyllm_cli.config.database",
    "schema": "import jsonschema",
    "local": "import xllamacpp",
    "keyring": "import keyring",
}
ASK = ("chat", "--dry-run", "-n", "-p", "openai:gpt-4o", "hi")


def said(*command: str | Path) -> str:
    """What a command prints.

    Raises:
        SystemExit: it failed; its output is shown.
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
    """Install and use one; gives its line."""
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
