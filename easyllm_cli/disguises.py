"""Finds a key in a text even where it is encoded, backwards, or only in part."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache

from .vendors import VENDORS

PIECE = 8  # characters of a key that are never seen in one piece
WORD = re.compile(r"[a-z]{8,11}")  # "database", which a password may hold, too, is no piece of it
# One character as a URL, JSON, a C string or HTML writes it.
ESCAPE = re.compile(
    r"%([0-9a-f]{2})|\\+u00([0-9a-f]{2})|\\+x([0-9a-f]{2})|&#x0*([0-9a-f]{2});|&#0*(\d{2,3});",
    re.IGNORECASE,
)


def spans(text: str, keys: Iterable[str]) -> list[tuple[int, int]]:
    """Where in the text a key, or a piece of one of 8 characters or more, begins and ends.

    In order, and apart from each other. A shorter key is found as it is, and so is one that is a
    word; a piece that is a word is left.
    """
    plain, places = _without_escapes(text)
    found: set[int] = set()
    wanted, pieces_by_size = _sought(frozenset(keys))
    for size, pieces in pieces_by_size.items():
        for at in range(len(plain) - size + 1):
            if plain[at : at + size] in pieces:
                found.update(range(at, at + size))
    made: list[tuple[int, int]] = []
    for at in sorted(found):
        start, end = places[at], places[at + 1]
        if made and made[-1][1] == start:
            start = made.pop()[0]
        made.append((start, end))
    return [(start, end) for start, end in made if not _is_word(text[start:end], wanted)]


def _is_word(piece: str, wanted: set[str]) -> bool:
    return bool(WORD.fullmatch(piece)) and piece not in wanted


@lru_cache(maxsize=1)  # a list of 5000 models has as many texts, and the keys are the same
def _sought(keys: frozenset[str]) -> tuple[set[str], dict[int, set[str]]]:
    """All forms of the keys, and by their length the pieces that may stand in no text.

    But for a server's own name, which its manual gives for a key where it looks at none.
    """
    kept = [key for key in keys if key.lower().replace("-", "") not in VENDORS]
    wanted = {form for key in kept for form in _forms(key)}
    made: dict[int, set[str]] = {}
    for form in wanted:
        size = min(len(form), PIECE)
        pieces = (form[at : at + size] for at in range(len(form) - size + 1))
        made.setdefault(size, set()).update(pieces)
    return wanted, made


def _without_escapes(text: str) -> tuple[str, list[int]]:
    """The text with escapes undone, and where each of its characters (and the end) stood."""
    plain: list[str] = []
    places: list[int] = []
    last = 0
    for match in ESCAPE.finditer(text):
        *hexadecimal, decimal = match.groups()
        code = int(decimal) if decimal else int(next(filter(None, hexadecimal)), 16)
        plain += [*text[last : match.start()], chr(code)]
        places += range(last, match.start() + 1)
        last = match.end()
    return "".join(plain) + text[last:], [*places, *range(last, len(text) + 1)]


def _forms(key: str) -> list[str]:
    """What may stand for the key; the encoded forms only where a piece of them tells something."""
    if len(key) < PIECE:
        return [key]
    data = key.encode()
    forms = [key, key[::-1], data.hex(), data.hex().upper()]
    for lead in range(3):  # base64 of whatever the key stands in: it begins at one of three places
        within = b64encode(b"x" * lead + data).decode()[4 * bool(lead) :].rstrip("=")
        forms += [within, within.translate({43: "-", 47: "_"})]
    return forms
