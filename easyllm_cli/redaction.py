"""Finds a key in a text even where it is encoded, backwards, or only in part."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache

from .vendors import VENDORS

SPREAD_FRAGMENT_CHARS = 12  # the same where other characters stand between, or the case is another
FRAGMENT_CHARS = 8  # characters of a key that are never seen in one piece
ORDINARY_WORD = re.compile(
    r"[a-z]{8,11}"
)  # "database", which a password may hold, too, is no piece of it
# One character as a URL, JSON, a C string or HTML writes it.
ESCAPED_CHARACTER = re.compile(
    r"%([0-9a-f]{2})|\\+u00([0-9a-f]{2})|\\+x([0-9a-f]{2})|&#x0*([0-9a-f]{2});|&#0*(\d{2,3});",
    re.IGNORECASE,
)


def find_secrets(text: str, keys: Iterable[str]) -> list[tuple[int, int]]:
    """Where in the text a key, or a piece of one of 8 characters or more, begins and ends.

    In order, and apart from each other. A shorter key is found as it is, and so is one that is a
    word; a piece that is a word is left. Spread out (blanks, dashes, unseen characters between its
    own) or in another case a piece has 12 characters: shorter ones stand in ordinary text.
    """
    plain, places = _decode_escapes(text)
    wanted, pieces, spread = _build_fragments(frozenset(keys))
    runs = [
        (first, last)
        for first, last in _group_runs(_match_positions(plain, pieces))
        if not _is_ordinary_word(text[places[first] : places[last + 1]], wanted)
    ]
    known = {at for first, last in runs for at in range(first, last + 1)}
    squeezed, kept = _strip_separators(plain)
    for first, last in _group_runs(_match_positions(squeezed, spread)):
        if not known.issuperset(kept[first : last + 1]):
            runs.append((kept[first], kept[last]))
    made = [(places[first], places[last + 1]) for first, last in runs]
    return _merge_spans(sorted(made))


def _match_positions(text: str, fragments_by_length: dict[int, set[str]]) -> set[int]:
    """Which characters of the text belong to a piece."""
    found: set[int] = set()
    for size, pieces in fragments_by_length.items():
        for at in range(len(text) - size + 1):
            if text[at : at + size] in pieces:
                found.update(range(at, at + size))
    return found


def _group_runs(positions: set[int]) -> list[tuple[int, int]]:
    """The first and the last of those that stand side by side."""
    made: list[tuple[int, int]] = []
    for at in sorted(positions):
        first = made.pop()[0] if made and made[-1][1] == at - 1 else at
        made.append((first, at))
    return made


def _merge_spans(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch as one."""
    made: list[tuple[int, int]] = []
    for start, end in spans:
        if made and start <= made[-1][1]:
            first, last = made.pop()
            start, end = first, max(last, end)
        made.append((start, end))
    return made


def _strip_separators(text: str) -> tuple[str, list[int]]:
    """The text in one case without blanks, dashes and characters that are not seen.

    Gives where each character of it stood, too.
    """
    kept = [at for at, char in enumerate(text) if not _is_separator(char)]
    # Lower case of one character may be two: then the character stays as it is.
    return "".join(lower if len(lower := text[at].lower()) == 1 else text[at] for at in kept), kept


def _is_separator(char: str) -> bool:
    return char in " -\n\t\r" or (
        not char.isascii() and unicodedata.category(char) in ("Cf", "Pd", "Zs")
    )


def _is_ordinary_word(fragment: str, encoded_keys: set[str]) -> bool:
    return bool(ORDINARY_WORD.fullmatch(fragment)) and fragment not in encoded_keys


@lru_cache(maxsize=1)  # a list of 5000 models has as many texts, and the keys are the same
def _build_fragments(
    keys: frozenset[str],
) -> tuple[set[str], dict[int, set[str]], dict[int, set[str]]]:
    """All forms of the keys, and by their length the pieces that may stand in no text.

    The last: those that may not stand there spread out. But for a server's own name, which its
    manual gives for a key where it looks at none.
    """
    kept = [key for key in keys if key.lower().replace("-", "") not in VENDORS]
    wanted = {form for key in kept for form in _encode_key(key)}
    squeezed = {_strip_separators(form)[0] for form in wanted}
    spread = {
        form
        for form in squeezed
        if len(form) >= SPREAD_FRAGMENT_CHARS
        or (len(form) >= FRAGMENT_CHARS and any(map(str.isdecimal, form)))
    }
    return (
        wanted,
        _split_fragments(wanted, FRAGMENT_CHARS),
        _split_fragments(spread, SPREAD_FRAGMENT_CHARS),
    )


def _split_fragments(forms: Iterable[str], max_chars: int) -> dict[int, set[str]]:
    """By their length the pieces of the forms; a shorter form is one piece."""
    made: dict[int, set[str]] = {}
    for form in forms:
        size = min(len(form), max_chars)
        pieces = (form[at : at + size] for at in range(len(form) - size + 1))
        made.setdefault(size, set()).update(pieces)
    return made


def _decode_escapes(text: str) -> tuple[str, list[int]]:
    """The text with escapes undone, and where each of its characters (and the end) stood."""
    plain: list[str] = []
    places: list[int] = []
    last = 0
    for match in ESCAPED_CHARACTER.finditer(text):
        *hexadecimal, decimal = match.groups()
        code = int(decimal) if decimal else int(next(filter(None, hexadecimal)), 16)
        plain += [*text[last : match.start()], chr(code)]
        places += range(last, match.start() + 1)
        last = match.end()
    return "".join(plain) + text[last:], [*places, *range(last, len(text) + 1)]


def _encode_key(key: str) -> list[str]:
    """What may stand for the key; the encoded forms only where a piece of them tells something."""
    if len(key) < FRAGMENT_CHARS:
        return [key]
    data = key.encode()
    forms = [key, key[::-1], data.hex(), data.hex().upper()]
    for lead in range(3):  # base64 of whatever the key stands in: it begins at one of three places
        within = b64encode(b"x" * lead + data).decode()[4 * bool(lead) :].rstrip("=")
        forms += [within, within.translate({43: "-", 47: "_"})]
    return forms
