"""Writes the lock files beside it: every package that CI installs, with its version and hashes.

    python .ci/lock.py [--upgrade]       (about ten seconds; asks the package index)

Without --upgrade what is locked stays where it is as long as pyproject.toml allows it. One file
serves every Python and platform that we support. Wheels alone are taken, so nothing that is
installed runs code of its own while it is installed. By hand, when a dependency changes or is to
be renewed; `tests/unit/test_supply_chain.py` says when that was forgotten.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = "pyproject.toml"
# A lock file: what of pyproject.toml is in it, as uv's options. The extras have their own, since
# litellm and the tests of the older SDK hold openai at 2.x; the servers do not hold us at all.
LOCKS = {
    "requirements.lock": (
        PROJECT, "--group=test", "--group=lint", "--group=build", "--group=venvs",
    ),
    "extras.lock": (PROJECT, "--extra=all", "--group=test", "--group=extras", "--group=build"),
    "servers.lock": ("--group=servers",),
    "publish.lock": ("--group=publish",),
}  # fmt: skip
OLDEST = "3.11"  # requires-python


def write(lock: Path, tool: Path, asked: tuple[str, ...], upgrade: bool) -> None:
    """One lock file.

    Raises:
        SystemExit: no set of packages fits, or no index answers; uv has said why.
    """
    command = [
        tool, "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST,
        "--generate-hashes", "--no-strip-extras", "--only-binary", ":all:",
        "--no-emit-index-url", "--custom-compile-command", "python .ci/lock.py",
        *(["--upgrade"] if upgrade else []), *asked, "--output-file", lock,
    ]  # fmt: skip
    if subprocess.run(command, stdout=subprocess.DEVNULL, cwd=HERE.parent).returncode:
        sys.exit(f"lock.py: {lock.name} was not made")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    upgrade = parser.parse_args().upgrade
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", "uv"], check=True)
        for name, asked in LOCKS.items():
            write(HERE / name, venv / "bin" / "uv", asked, upgrade)


if __name__ == "__main__":
    main()
