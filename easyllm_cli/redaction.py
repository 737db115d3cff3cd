"""Finds the given API keys in a text, also encoded, reversed, spread out or only in part."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache

from .vendors import VENDORS

FRAGMENT_CHARS = 8  # a fragment of a key with this many characters is redacted
SPREAD_FRAGMENT_CHARS = 12  # the same, with separators in between or in another case
# Ordinary words ("database") are not redacted, even if a password contains them.
ORDINARY_WORD = re.compile(r"[a-z]{8,11}")
# One character as escaped in a URL, in JSON, in a C string or in HTML.
ESCAPED_CHARACTER = re.compile(
    r"%([0-9a-f]{2})|\\+u00([0-9a-f]{2})|\\+x([0-9a-f]{2})|&#x0*([0-9a-f]{2});|&#0*(\d{2,3});",
    re.IGNORECASE,
)


def find_secrets(text: str, keys: Iterable[str]) -> list[tuple[int, int]]:
    """The spans (start, end) of all keys and of their fragments of 8 characters or more.

    The spans are sorted and do not overlap. Keys shorter than 8 characters are found whole. A
    fragment that is an ordinary word is skipped, a whole key is not. With separators in between
    (spaces, dashes, invisible characters) or in another case, a fragment has 12 characters or more,
    because shorter ones occur in ordinary text.
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


def holds_key(text: str, keys: Iterable[str]) -> bool:
    """Whether a text holds a whole key, also escaped, encoded, reversed or in another case.

    For long texts: it takes a tenth of the time of `find_secrets`, which also finds fragments.
    """
    unescaped = ESCAPED_CHARACTER.sub(_unescape, text.replace("\\/", "/"))
    texts = {text.lower(), unescaped.lower()}
    forms = {form.lower() for key in keys for form in (*_plain_forms(key), *_base64_forms(key))}
    return any(form in each for form in forms for each in texts)


def _match_positions(text: str, fragments_by_length: dict[int, set[str]]) -> set[int]:
    """The positions of all characters of the text that belong to a fragment."""
    positions: set[int] = set()
    for size, fragments in fragments_by_length.items():
        for at in range(len(text) - size + 1):
            if text[at : at + size] in fragments:
                positions.update(range(at, at + size))
    return positions


def _group_runs(positions: set[int]) -> list[tuple[int, int]]:
    """The first and last position of each run of adjacent positions."""
    runs: list[tuple[int, int]] = []
    for position in sorted(positions):
        first = runs.pop()[0] if runs and runs[-1][1] == position - 1 else position
        runs.append((first, position))
    return runs


def _merge_spans(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge spans that touch or overlap; `spans` is sorted."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            first, last = merged.pop()
            start, end = first, max(last, end)
        merged.append((start, end))
    return merged


def _strip_separators(text: str) -> tuple[str, list[int]]:
    """The text in lower case without spaces, dashes and invisible characters.

    The list has the offset of each remaining character in the text.
    """
    offsets = [at for at, char in enumerate(text) if not _is_separator(char)]
    # If lower case would make two characters of one, the character stays as it is.
    chars = (lower if len(lower := text[at].lower()) == 1 else text[at] for at in offsets)
    return "".join(chars), offsets


def _is_separator(char: str) -> bool:
    return char in " -\n\t\r" or (
        not char.isascii() and unicodedata.category(char) in ("Cf", "Pd", "Zs")
    )


def _is_ordinary_word(fragment: str, encoded_keys: set[str]) -> bool:
    return bool(ORDINARY_WORD.fullmatch(fragment)) and fragment not in encoded_keys


@lru_cache(maxsize=1)  # a list of 5000 models is 5000 texts with the same keys
def _build_fragments(
    keys: frozenset[str],
) -> tuple[set[str], dict[int, set[str]], dict[int, set[str]]]:
    """All encodings of the keys, their fragments, and the fragments to find when spread out.

    The fragments are grouped by length. Keys such as "ollama" are skipped: manuals of servers
    suggest their own name as a dummy key.
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
    """All fragments of the forms, grouped by length; a form below `max_chars` is one fragment."""
    fragments_by_length: dict[int, set[str]] = {}
    for form in forms:
        size = min(len(form), max_chars)
        fragments = (form[at : at + size] for at in range(len(form) - size + 1))
        fragments_by_length.setdefault(size, set()).update(fragments)
    return fragments_by_length


def _decode_escapes(text: str) -> tuple[str, list[int]]:
    """The text without escapes, and the offset of each character, and of the end, in `text`."""
    decoded: list[str] = []
    offsets: list[int] = []
    last = 0
    for match in ESCAPED_CHARACTER.finditer(text):
        decoded += [*text[last : match.start()], _unescape(match)]
        offsets += range(last, match.start() + 1)
        last = match.end()
    return "".join(decoded) + text[last:], [*offsets, *range(last, len(text) + 1)]


def _unescape(match: re.Match[str]) -> str:
    """The character of a match of ESCAPED_CHARACTER."""
    *hexadecimal, decimal = match.groups()
    return chr(int(decimal) if decimal else int(next(filter(None, hexadecimal)), 16))


def _encode_key(key: str) -> list[str]:
    """The key and its encodings: reversed, hex, base64; a key below 8 characters only as it is."""
    if len(key) < FRAGMENT_CHARS:
        return [key]
    return [*_plain_forms(key), *_base64_forms(key, is_end_known=True)]


def _plain_forms(key: str) -> list[str]:
    """The key as it is, reversed and in hex."""
    data = key.encode("utf-8", "surrogatepass")
    return [key, key[::-1], data.hex(), data.hex().upper()]


def _base64_forms(key: str, is_end_known: bool = False) -> Iterator[str]:
    """What the base64 of a longer text with the key contains: it starts at one of three offsets.

    `is_end_known`: the key ends the text; else its last bits depend on what follows, and are left
    out.
    """
    data = key.encode("utf-8", "surrogatepass")
    for shift in range(3):
        padded = b64encode(b"x" * shift + data).decode()[4 * bool(shift) :]
        encoded = padded.rstrip("=")
        if encoded != padded and not is_end_known:
            encoded = encoded[:-1]
        yield from (encoded, encoded.translate({43: "-", 47: "_"}))
