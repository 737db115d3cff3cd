"""JSON is parsed only where what it becomes has a bound: three bytes (`{},`) may become a hundred.

What a body would take is told by its structure, before anything of it is parsed. An ordinary
frame is short, and not looked at.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import MalformedAnswer

SMALL = 256 * 1024  # bytes: what is shorter cannot cost much
# Bytes of memory that a body's values may take. Log probabilities of 8,000 tokens with twenty
# alternatives each take nine tenths of it, a list of 10,000 models as OpenRouter's two thirds.
MOST = 118_000_000
MOST_NAMES = 50_000  # different keys: each costs much more than one that was seen before
WIDE_CAP = 8 * 1024 * 1024  # one character beyond U+FFFF makes a whole string four bytes wide
WIDE = rb"[\xf0-\xf4]|\\u[dD][89abAB]"
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
SOME = rb'(?:[^"]{1,4096}+|%b){1,1000}+|"' % STRING  # never ends inside a string
NAMED = rb"(%b)\s*+:|%b" % (STRING, STRING)
# What CPython keeps one of, however often it comes.
SHARED = rb"(?<=[\[,:\s])(?:25[0-6]|2[0-4]\d|1\d\d|\d\d?|true|false|null)(?=[\],}\s])"


def parse_json(data: bytes | bytearray) -> Any:
    """The value; bytes that are not UTF-8 become U+FFFD.

    Raises:
        ValueError, RecursionError: it is no JSON.
        MalformedAnswer: there is more structure in it than in any answer, or it is too wide.
    """
    refuse_dense(data)
    return json.loads(data.decode("utf-8", "replace"))


def refuse_dense(data: bytes | bytearray) -> None:
    """Raise MalformedAnswer for what would take far more memory than its bytes."""
    size = len(data)
    if size < SMALL:
        return
    if size > WIDE_CAP and re.search(WIDE, data):
        raise MalformedAnswer(
            f"the answer's body is longer than {WIDE_CAP >> 20} MiB, with characters beyond U+FFFF"
        )
    # An upper bound: marks inside strings are counted, too.
    names = data.count(b":")
    if names <= MOST_NAMES and _cost(data, data.count(b'"') // 2) + size <= MOST:
        return
    if _is_dense(data):
        raise MalformedAnswer("the server sent JSON of more structure than an answer has")


def _is_dense(data: bytes | bytearray) -> bool:
    """Whether the values take more than MOST: counted without what is inside strings."""
    cost = 0
    names: set[bytes] = set()
    for found in re.finditer(SOME, data, re.DOTALL):
        some = found[0]
        bare = re.sub(STRING, b'"', some, flags=re.DOTALL)
        cost += _cost(bare, bare.count(b'"'), len(re.findall(SHARED, bare)))
        cost += len(some) - len(bare)
        names.update(re.findall(NAMED, some, re.DOTALL))  # b"" for a string that is no key
        if cost > MOST or len(names) > MOST_NAMES:
            return True
    return False


def _cost(marks: bytes | bytearray, strings: int, shared: int = 0) -> int:
    """Bytes of memory in CPython, rounded up: each value, and its place in what holds it.

    `strings`: those that are keys included. `shared`: values that cost their place alone.
    """
    names = marks.count(b":")
    texts = max(0, strings - names)
    # Every value but the first in its array or object stands behind a comma.
    others = max(0, marks.count(b",") - texts)
    shared = min(shared, others)
    return (
        192 * marks.count(b"{") + 96 * marks.count(b"[") + 42 * names + 73 * texts
        + 60 * (others - shared) + 12 * shared
    )  # fmt: skip
