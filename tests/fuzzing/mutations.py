"""Hypothesis strategies: any JSON, good JSON with replaced values, and split bytes."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# For a test of code that all protocols share: together they draw 140 examples by default. What one
# protocol's decoder reads needs all rounds: with fewer, a text that is a number was not found.
fewer_rounds = settings(max_examples=settings().max_examples * 2 // 5)
# Values that Python itself has trouble with: NaN, infinity, numbers too large for a float or for
# str(), lone surrogates.
EDGES = [
    float("nan"), float("inf"), -1, 0, 10**400, -(10**400), 1e308, True, "", "0", "9" * 5000,
    "\ud800", "\x1b]52;c;aGk=\x07", "stop", "length", "error", "object", {}, [], [[]], [None],
]  # fmt: skip
# Field names of the protocols.
WORDS = [
    "error", "message", "choices", "delta", "content", "text", "type", "thinking", "reasoning",
    "finish_reason", "index", "usage", "candidates", "parts", "done", "output", "item", "id",
    "code", "status", "metadata", "cost", "thought", "encrypted_content", "details",
]  # fmt: skip
numbers = st.integers() | st.floats() | st.integers(0, 600)
texts = st.text(st.characters(codec=None), max_size=12)
leaves = st.none() | st.booleans() | numbers | texts | st.sampled_from(EDGES)
json_values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | texts, inner, max_size=4)
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all values inside, the outermost first."""
    paths = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            paths += places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            paths += places(inner, (*path, number))
    return paths


def replace_value(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a copy with another value at the path `place`; `...` removes it."""
    if not place:
        return None if new is ... else new
    copy = deepcopy(value)
    container = copy
    for step in place[:-1]:
        container = container[step]
    if new is ...:
        del container[place[-1]]
    else:
        container[place[-1]] = new
    return copy


@st.composite
def mutated_values(draw: st.DrawFn, value: Any) -> Any:
    """Draw the value with one to three of its inner values replaced or removed."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(value)))
        value = replace_value(value, place, draw(json_values | st.just(...)))
    return value


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    """Split the body at these offsets."""
    edges = sorted({0, len(body), *(offset for offset in cuts if 0 < offset < len(body))})
    return [body[start:end] for start, end in pairwise(edges)]


cuts = st.lists(st.integers(0, 600), max_size=6)
