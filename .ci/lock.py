"""Writes the lock files in this folder: every package that CI installs, with version and hashes.

    python .ci/lock.py [--upgrade]       (about ten seconds; asks the package index)

Without --upgrade locked versions stay as long as pyproject.toml allows them. One file serves every
supported Python and platform. Only wheels are used, so no package runs code during the install. Run
it by hand when a dependency changes or is to be upgraded; `tests/unit/test_supply_chain.py` fails
if that was forgotten.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = "pyproject.toml"
# Lock file: the parts of pyproject.toml in it, as uv's options. The extras have their own file,
# because litellm and the tests of the older SDK need openai 2.x; the servers do not need easyllm.
LOCKS = {
    "requirements.lock": (
        PROJECT, "--group=test", "--group=lint", "--group=build", "--group=venvs",
    ),
    "extras.lock": (PROJECT, "--extra=all", "--group=test", "--group=extras", "--group=build"),
    "servers.lock": ("--group=servers",),
    "publish.lock": ("--group=publish",),
    "installer.lock": ("--group=venvs",),
    "ray.lock": (PROJECT, "--extra=batch", "--group=ray", "--group=build"),
}  # fmt: skip
OLDEST = "3.11"  # requires-python


def write(lock: Path, tool: Path, asked: tuple[str, ...], upgrade: bool) -> None:
    """Write one lock file.

    Raises:
        SystemExit: no set of versions fits, or no index answers; uv has printed why.
    """
    command = [
        tool, "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST,
        "--generate-hashes", "--no-strip-extras", "--only-binary", ":all:",
        "--no-emit-index-url", "--custom-compile-command", "python .ci/lock.py",
        *(["--upgrade"] if upgrade else []), *asked, "--output-file", lock,
    ]  # fmt: skip
    if subprocess.run(command, stdout=subprocess.DEVNULL, cwd=HERE.parent).returncode:
        sys.exit(f"lock.py: {lock.name} could not be written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    upgrade = parser.parse_args().upgrade
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", "uv"], check=True)
        for name, asked in LOCKS.items():
            write(HERE / name, venv / "bin" / "uv", asked, upgrade)


if __name__ == "__main__":
    main()
