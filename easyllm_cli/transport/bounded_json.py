"""Parses JSON only if the parsed value fits a memory limit.

Three bytes of JSON (`{},`) can take 200 bytes of memory. The memory is estimated from the counts
of brackets, commas, colons and quotes before anything is parsed. Short bodies are not checked.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import MalformedAnswer

MAX_UNCHECKED_BYTES = 256 * 1024  # a shorter body cannot need much memory
# Memory that the parsed values may take. Log probabilities of 8,000 tokens with twenty
# alternatives each take 93 % of it; a list of 10,000 models like OpenRouter's takes two thirds.
MAX_MEMORY_BYTES = 114_000_000
MAX_DISTINCT_KEYS = 50_000  # a new key takes much more memory than a repeated one
# One character beyond U+FFFF makes CPython store the whole string with four bytes a character.
MAX_NON_BMP_BYTES = 8 * 1024 * 1024
NON_BMP_CHARACTER = rb"[\xf0-\xf4]|\\u[dD][89abAB]"
JSON_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
JSON_SEGMENT = rb'(?:[^"]{1,4096}+|%b){1,1000}+|"' % JSON_STRING  # never ends inside a string
KEY_OR_STRING = rb"(%b)\s*+:|%b" % (JSON_STRING, JSON_STRING)
# Values of which CPython keeps a single copy: small integers, true, false and null.
INTERNED_VALUE = rb"(?<=[\[,:\s])(?:25[0-6]|2[0-4]\d|1\d\d|\d\d?|true|false|null)(?=[\],}\s])"


def parse_json(data: bytes | bytearray) -> Any:
    """Return the parsed value; bytes that are not UTF-8 become U+FFFD.

    Raises:
        ValueError, RecursionError: `data` is not JSON, or is nested too deeply.
        MalformedAnswer: the value would need too much memory.
    """
    require_bounded_memory(data)
    return json.loads(data.decode("utf-8", "replace"))


def require_bounded_memory(data: bytes | bytearray) -> None:
    """Raise MalformedAnswer if the parsed value would need more memory than the limits allow."""
    size = len(data)
    if size < MAX_UNCHECKED_BYTES:
        return
    if size > MAX_NON_BMP_BYTES and re.search(NON_BMP_CHARACTER, data):
        raise MalformedAnswer(
            f"the response body is longer than {MAX_NON_BMP_BYTES >> 20} MiB and has characters "
            "beyond U+FFFF"
        )
    # An upper bound: it counts punctuation inside strings, too.
    key_count = data.count(b":")
    if (
        key_count <= MAX_DISTINCT_KEYS
        and _estimate_memory_bytes(data, data.count(b'"') // 2) + size <= MAX_MEMORY_BYTES
    ):
        return
    if _is_over_memory_limit(data):
        raise MalformedAnswer("the server sent JSON that would need too much memory")


def _is_over_memory_limit(data: bytes | bytearray) -> bool:
    """Return whether the values exceed a limit; does not count punctuation inside strings."""
    memory_bytes = 0
    keys: set[bytes] = set()
    for match in re.finditer(JSON_SEGMENT, data, re.DOTALL):
        segment = match[0]
        structure = re.sub(JSON_STRING, b'"', segment, flags=re.DOTALL)
        memory_bytes += _estimate_memory_bytes(
            structure, structure.count(b'"'), len(re.findall(INTERNED_VALUE, structure))
        )
        memory_bytes += len(segment) - len(structure)
        # The pattern gives b"" for a string that is not a key.
        keys.update(re.findall(KEY_OR_STRING, segment, re.DOTALL))
        if memory_bytes > MAX_MEMORY_BYTES or len(keys) > MAX_DISTINCT_KEYS:
            return True
    return False


def _estimate_memory_bytes(
    data: bytes | bytearray, string_count: int, interned_count: int = 0
) -> int:
    """Return an upper bound of the bytes that the values and their containers take in CPython.

    `string_count`: strings, keys included. `interned_count`: values that take no memory of their
    own, only a slot in their container.
    """
    key_count = data.count(b":")
    text_count = max(0, string_count - key_count)
    # A comma precedes every value except the first of its array or object.
    other_count = max(0, data.count(b",") - text_count)
    interned_count = min(interned_count, other_count)
    return (
        192 * data.count(b"{") + 96 * data.count(b"[") + 42 * key_count + 73 * text_count
        + 60 * (other_count - interned_count) + 12 * interned_count
    )  # fmt: skip
