"""Any JSON value, good JSON with any value in place of any other, and bytes cut anywhere."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

# Where Python itself gives up: floats that are none, and numbers that no float and no text holds.
EDGES = [
    float("nan"), float("inf"), -1, 0, 10**400, -(10**400), 1e308, True, "", "0", "9" * 5000,
    "\ud800", "\x1b]52;c;aGk=\x07", "stop", "length", "error", "object", {}, [], [[]], [None],
]  # fmt: skip
# Words that mean something in one of the protocols.
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


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside, the outermost first."""
    found = [here]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*here, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*here, number))
    return found


def replace_value(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at the place; `...` takes the place itself away."""
    if not place:
        return None if new is ... else new
    made = deepcopy(value)
    around = made
    for step in place[:-1]:
        around = around[step]
    if new is ...:
        del around[place[-1]]
    else:
        around[place[-1]] = new
    return made


@st.composite
def mutated_values(draw: st.DrawFn, value: Any) -> Any:
    """The value with one to three of its inner values replaced, or taken away."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(value)))
        value = replace_value(value, place, draw(json_values | st.just(...)))
    return value


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    """The body in pieces."""
    edges = sorted({0, len(body), *(one for one in cuts if 0 < one < len(body))})
    return [body[start:end] for start, end in pairwise(edges)]


cuts = st.lists(st.integers(0, 600), max_size=6)
