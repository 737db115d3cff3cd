"""JSON is parsed only where what it becomes has a bound: three bytes (`{},`) may become a hundred.

What a body would take is told by its structure, before anything of it is parsed. An ordinary
frame is short, and not looked at.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import MalformedAnswer

MAX_UNCHECKED_BYTES = 256 * 1024  # bytes: what is shorter cannot cost much
# Bytes of memory that a body's values may take. Log probabilities of 8,000 tokens with twenty
# alternatives each take nine tenths of it, a list of 10,000 models as OpenRouter's two thirds.
MAX_MEMORY_BYTES = 118_000_000
MAX_DISTINCT_KEYS = 50_000  # different keys: each costs much more than one that was seen before
MAX_NON_BMP_BYTES = (
    8 * 1024 * 1024
)  # one character beyond U+FFFF makes a whole string four bytes wide
NON_BMP_CHARACTER = rb"[\xf0-\xf4]|\\u[dD][89abAB]"
JSON_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
JSON_SEGMENT = rb'(?:[^"]{1,4096}+|%b){1,1000}+|"' % JSON_STRING  # never ends inside a string
KEY_OR_STRING = rb"(%b)\s*+:|%b" % (JSON_STRING, JSON_STRING)
# What CPython keeps one of, however often it comes.
INTERNED_VALUE = rb"(?<=[\[,:\s])(?:25[0-6]|2[0-4]\d|1\d\d|\d\d?|true|false|null)(?=[\],}\s])"


def parse_json(data: bytes | bytearray) -> Any:
    """The value; bytes that are not UTF-8 become U+FFFD.

    Raises:
        ValueError, RecursionError: it is no JSON.
        MalformedAnswer: there is more structure in it than in any answer, or it is too wide.
    """
    require_bounded_memory(data)
    return json.loads(data.decode("utf-8", "replace"))


def require_bounded_memory(data: bytes | bytearray) -> None:
    """Raise MalformedAnswer for what would take far more memory than its bytes."""
    size = len(data)
    if size < MAX_UNCHECKED_BYTES:
        return
    if size > MAX_NON_BMP_BYTES and re.search(NON_BMP_CHARACTER, data):
        raise MalformedAnswer(
            f"the answer's body is longer than {MAX_NON_BMP_BYTES >> 20} MiB, with characters "
            "beyond U+FFFF"
        )
    # An upper bound: marks inside strings are counted, too.
    key_count = data.count(b":")
    if (
        key_count <= MAX_DISTINCT_KEYS
        and _estimate_memory_bytes(data, data.count(b'"') // 2) + size <= MAX_MEMORY_BYTES
    ):
        return
    if _is_over_memory_limit(data):
        raise MalformedAnswer("the server sent JSON of more structure than an answer has")


def _is_over_memory_limit(data: bytes | bytearray) -> bool:
    """Whether the values take more than MOST: counted without what is inside strings."""
    memory_bytes = 0
    keys: set[bytes] = set()
    for match in re.finditer(JSON_SEGMENT, data, re.DOTALL):
        segment = match[0]
        structure = re.sub(JSON_STRING, b'"', segment, flags=re.DOTALL)
        memory_bytes += _estimate_memory_bytes(
            structure, structure.count(b'"'), len(re.findall(INTERNED_VALUE, structure))
        )
        memory_bytes += len(segment) - len(structure)
        keys.update(
            re.findall(KEY_OR_STRING, segment, re.DOTALL)
        )  # b"" for a string that is no key
        if memory_bytes > MAX_MEMORY_BYTES or len(keys) > MAX_DISTINCT_KEYS:
            return True
    return False


def _estimate_memory_bytes(
    data: bytes | bytearray, string_count: int, interned_count: int = 0
) -> int:
    """Bytes of memory in CPython, rounded up: each value, and its place in what holds it.

    `strings`: those that are keys included. `shared`: values that cost their place alone.
    """
    key_count = data.count(b":")
    text_count = max(0, string_count - key_count)
    # Every value but the first in its array or object stands behind a comma.
    other_count = max(0, data.count(b",") - text_count)
    interned_count = min(interned_count, other_count)
    return (
        192 * data.count(b"{") + 96 * data.count(b"[") + 42 * key_count + 73 * text_count
        + 60 * (other_count - interned_count) + 12 * interned_count
    )  # fmt: skip
