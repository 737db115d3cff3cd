"""FrozenDataclass behaves like `dataclasses.dataclass(frozen=True)`."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any, ClassVar

import pytest

from easyllm_cli.frozen_dataclass import FrozenDataclass


class Point(FrozenDataclass):
    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)


class Point3(Point):
    z: int = 3


@dataclasses.dataclass(frozen=True)
class Real:
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)


@pytest.mark.parametrize("of", [Point, Real])
def test_it_behaves_like_a_dataclass(of: Any) -> None:
    point = of(1, tags=["a"])
    assert vars(point) == {"x": 1, "y": 2, "tags": ["a"]}
    assert (point, of(1, 3)) == (of(x=1, y=2, tags=["a"]), dataclasses.replace(of(1), y=3))
    assert point != of(1)
    assert repr(point) == f"{of.__name__}(x=1, y=2, tags=['a'])"
    assert of(1).tags is not of(1).tags
    assert (of.__match_args__, dataclasses.is_dataclass(of)) == (("x", "y", "tags"), True)
    assert dataclasses.asdict(point) == vars(point)
    names = [(item.name, item.type, item.default) for item in dataclasses.fields(of)]
    missing = dataclasses.MISSING
    assert names == [("x", "int", missing), ("y", "int", 2), ("tags", "list[str]", missing)]
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == copy.copy(point) == point
    assert [*inspect.signature(of).parameters] == ["x", "y", "tags"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    for values, named in (((), {}), ((1, 2, [], 4), {}), ((1,), {"z": 2}), ((1,), {"x": 1})):
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            of(*values, **named)


class Options(FrozenDataclass, shared_init=True):
    depth: int = 1
    name: str = ""


class MoreOptions(Options, shared_init=True):
    color: str | None = None


def test_a_shared_init_takes_the_same_arguments() -> None:
    assert vars(Options(2, name="a")) == {"depth": 2, "name": "a"}
    assert vars(MoreOptions(color="red")) == {"depth": 1, "name": "", "color": "red"}
    assert dataclasses.replace(MoreOptions(5), name="b") == MoreOptions(5, "b")
    assert [*inspect.signature(MoreOptions).parameters] == ["depth", "name", "color"]
    assert pickle.loads(pickle.dumps(MoreOptions(3))) == MoreOptions(3)
    for values, named in (((1, "a", "b"), {}), ((1,), {"color": "red"}), ((1,), {"depth": 1})):
        with pytest.raises(TypeError):
            Options(*values, **named)


def test_a_subclass_adds_its_fields_at_the_end() -> None:
    assert vars(Point3(1, 5, [], 6)) == {"x": 1, "y": 5, "tags": [], "z": 6}
    assert [item.name for item in dataclasses.fields(Point3)] == ["x", "y", "tags", "z"]
    assert len(dataclasses.fields(Point)) == 3
    assert Point3(1) != Point(1)


def test_objects_with_the_same_values_have_the_same_hash() -> None:
    class Pair(FrozenDataclass):
        a: int
        b: str = ""

    assert len({Pair(1), Pair(1, ""), Pair(2)}) == 2
