"""Prints the first shell block under a README heading, so that CI runs what a reader would copy."""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def command(heading: str) -> str:
    section = README.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    block = re.search(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    if block is None:
        sys.exit(f"README.md has no shell block under {heading!r}")
    return block[1]


if __name__ == "__main__":
    sys.stdout.write(command(sys.argv[1]))
