"""Lists every package that is installed for this Python, with its version and licence.

    PYTHON .ci/licences.py [--all]

PYTHON is that of a venv: CI uses the venv of its tests and the one with all extras. Packages that
only the tests and tools need are left out, unless --all is given. The exit code is 1 if a licence
is unknown, or one that users of easyllm cannot be expected to accept (a GPL).
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

OURS = "easyllm-cli"
# As written in licence expressions, trove classifiers and free texts: permissive licences, and
# those whose copyleft covers only their own files (MPL) or the library itself (LGPL).
KNOWN = re.compile(
    r"\b(MIT(-0)?|BSD|Apache|ISC|PSF|Python Software Foundation|CNRI-Python|Unlicense|HPND"
    r"|MPL|Mozilla Public License|LGPL(v?\d)?|Lesser General Public License)\b"
)
NAME = re.compile(r"[A-Za-z0-9._-]+")


def licence(package: Distribution) -> str:
    """A package's licence: its expression, else its classifiers, else its text's first line."""
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
    """Whether it is acceptable: all licences joined by `and`, and one of those joined by `or`."""
    parts = re.split(r" and ", words, flags=re.IGNORECASE)
    choices = [re.split(r" or ", part, flags=re.IGNORECASE) for part in parts]
    return all(any(KNOWN.search(one) for one in several) for several in choices)


def needed(name: str, found: dict[str, Distribution]) -> None:
    """Add a package and its installed requirements to `found`."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return  # for another platform or Python, or of an extra that is not installed
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
        mark = "" if is_fine(words) else "   <- not known to be acceptable"
        refused += bool(mark)
        print(f"{name:<28} {package.version:<18} {words or 'none given'}{mark}")
    print(f"{len(found)} packages, {refused} refused")
    return 1 if refused or not found else 0


if __name__ == "__main__":
    sys.exit(main())
