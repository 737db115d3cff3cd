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
    decoded, offsets = _decode_escapes(text)
    encoded_keys, fragments, spread_fragments = _build_fragments(frozenset(keys))
    runs = [
        (first, last)
        for first, last in _group_runs(_match_positions(decoded, fragments))
        if not _is_ordinary_word(text[offsets[first] : offsets[last + 1]], encoded_keys)
    ]
    known_positions = {position for first, last in runs for position in range(first, last + 1)}
    compact, compact_offsets = _strip_separators(decoded)
    for first, last in _group_runs(_match_positions(compact, spread_fragments)):
        if not known_positions.issuperset(compact_offsets[first : last + 1]):
            runs.append((compact_offsets[first], compact_offsets[last]))
    spans = [(offsets[first], offsets[last + 1]) for first, last in runs]
    return _merge_spans(sorted(spans))


def _match_positions(text: str, fragments_by_length: dict[int, set[str]]) -> set[int]:
    """Which characters of the text belong to a piece."""
    positions: set[int] = set()
    for size, fragments in fragments_by_length.items():
        for at in range(len(text) - size + 1):
            if text[at : at + size] in fragments:
                positions.update(range(at, at + size))
    return positions


def _group_runs(positions: set[int]) -> list[tuple[int, int]]:
    """The first and the last of those that stand side by side."""
    runs: list[tuple[int, int]] = []
    for position in sorted(positions):
        first = runs.pop()[0] if runs and runs[-1][1] == position - 1 else position
        runs.append((first, position))
    return runs


def _merge_spans(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            first, last = merged.pop()
            start, end = first, max(last, end)
        merged.append((start, end))
    return merged


def _strip_separators(text: str) -> tuple[str, list[int]]:
    """The text in one case without blanks, dashes and characters that are not seen.

    Gives where each character of it stood, too.
    """
    offsets = [at for at, char in enumerate(text) if not _is_separator(char)]
    # Lower case of one character may be two: then the character stays as it is.
    chars = (lower if len(lower := text[at].lower()) == 1 else text[at] for at in offsets)
    return "".join(chars), offsets


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
    real_keys = [key for key in keys if key.lower().replace("-", "") not in VENDORS]
    encoded_keys = {form for key in real_keys for form in _encode_key(key)}
    compact = {_strip_separators(form)[0] for form in encoded_keys}
    long_enough = {
        form
        for form in compact
        if len(form) >= SPREAD_FRAGMENT_CHARS
        or (len(form) >= FRAGMENT_CHARS and any(map(str.isdecimal, form)))
    }
    return (
        encoded_keys,
        _split_fragments(encoded_keys, FRAGMENT_CHARS),
        _split_fragments(long_enough, SPREAD_FRAGMENT_CHARS),
    )


def _split_fragments(forms: Iterable[str], max_chars: int) -> dict[int, set[str]]:
    """By their length the pieces of the forms; a shorter form is one piece."""
    fragments_by_length: dict[int, set[str]] = {}
    for form in forms:
        size = min(len(form), max_chars)
        fragments = (form[at : at + size] for at in range(len(form) - size + 1))
        fragments_by_length.setdefault(size, set()).update(fragments)
    return fragments_by_length


def _decode_escapes(text: str) -> tuple[str, list[int]]:
    """The text with escapes undone, and where each of its characters (and the end) stood."""
    decoded: list[str] = []
    offsets: list[int] = []
    last = 0
    for match in ESCAPED_CHARACTER.finditer(text):
        *hexadecimal, decimal = match.groups()
        code = int(decimal) if decimal else int(next(filter(None, hexadecimal)), 16)
        decoded += [*text[last : match.start()], chr(code)]
        offsets += range(last, match.start() + 1)
        last = match.end()
    return "".join(decoded) + text[last:], [*offsets, *range(last, len(text) + 1)]


def _encode_key(key: str) -> list[str]:
    """What may stand for the key; the encoded forms only where a piece of them tells something."""
    if len(key) < FRAGMENT_CHARS:
        return [key]
    data = key.encode()
    forms = [key, key[::-1], data.hex(), data.hex().upper()]
    # base64 of whatever the key stands in: it begins at one of three places
    for shift in range(3):
        encoded = b64encode(b"x" * shift + data).decode()[4 * bool(shift) :].rstrip("=")
        forms += [encoded, encoded.translate({43: "-", 47: "_"})]
    return forms
