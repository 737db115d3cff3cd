"""Lists every package that is installed beside this Python, with its version and its licence.

    PYTHON .ci/licences.py [--all]

PYTHON is a venv's: CI asks the one that its tests ran in and the one that holds all extras. By
default what the tests and tools need on top is left out, as far as the product does not need it,
too. Exit code 1 where a licence is not known, or asks for more than we can promise to everybody
who installs this (a GPL).
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

OURS = "easyllm-cli"
# In the words of licence expressions, trove classifiers and free texts: permissive ones, and
# copyleft that ends at its own files (MPL) or at the library's edge (LGPL).
KNOWN = re.compile(
    r"\b(MIT(-0)?|BSD|Apache|ISC|PSF|Python Software Foundation|CNRI-Python|Unlicense|HPND"
    r"|MPL|Mozilla Public License|LGPL(v?\d)?|Lesser General Public License)\b"
)
NAME = re.compile(r"[A-Za-z0-9._-]+")


def licence(package: Distribution) -> str:
    """What a package says: its expression, or its classifiers, or its free text's first line."""
    said = package.metadata
    expression = said.get("License-Expression", "")
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in said.get_all("Classifier") or ()
        if line.startswith("License :: ")
    ]
    text = (said.get("License") or "").strip().partition("\n")[0]
    return expression or " or ".join(classifiers) or text


def is_fine(words: str) -> bool:
    """Whether we may depend on it: every one of those that hold together, one of each choice."""
    parts = re.split(r" and ", words, flags=re.IGNORECASE)
    choices = [re.split(r" or ", part, flags=re.IGNORECASE) for part in parts]
    return all(any(KNOWN.search(one) for one in several) for several in choices)


def needed(name: str, found: dict[str, Distribution]) -> None:
    """Adds a package and what it requires to `found`, as far as it is installed."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return  # of another platform or Python, or an extra that is not installed here
    key = canonical(package.metadata["Name"])
    if key in found:
        return
    found[key] = package
    for line in package.requires or ():
        requirement = NAME.match(line)
        if requirement and (key == OURS or "extra ==" not in line):
            needed(requirement[0], found)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    found: dict[str, Distribution] = {}
    if "--all" in sys.argv[1:]:
        found = {canonical(one.metadata["Name"]): one for one in distributions()}
    else:
        needed(OURS, found)
    refused = 0
    for name, package in sorted(found.items()):
        words = licence(package)
        mark = "" if is_fine(words) else "   <- not one that we know to be fine"
        refused += bool(mark)
        print(f"{name:<28} {package.version:<18} {words or 'says none'}{mark}")
    print(f"{len(found)} packages, {refused} refused")
    return 1 if refused or not found else 0


if __name__ == "__main__":
    sys.exit(main())
