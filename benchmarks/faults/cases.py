"""What a fault is to the benchmark: its name on the page, what the server does, what is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults.manners import Manner, Scene, piped
from benchmarks.faults.runs import Ended
from benchmarks.faults.told import Told, nothing
from tests.support.adapters import HTTP
from tests.support.faults.fault import Fault
from tests.support.faults.table import FAULTS
from tests.support.standins.script import Script

CHAT = HTTP[0]  # Chat Completions, which all of the tools speak
# Two faults may share a name; an id is one's own.
TABLE: dict[str, Fault] = {key: fault for fault in FAULTS for key in (fault.name, fault.id)}
Teller = Callable[[Ended, Scene], Told]


@dataclass(frozen=True)
class Case:
    """One row of the page.

    `text`: what of the answer the server sends. `whole`: whether exit code 0 can be right, and
    then only with all of the text. `seconds`: the limit that tools are given which know one.
    """

    name: str
    title: str
    scripts: tuple[Script, ...]
    text: str = ""
    whole: bool = False
    seconds: int | None = None
    manner: Manner = piped
    tells: Teller = nothing


@dataclass(frozen=True)
class Group:
    """One table of the page."""

    title: str
    words: str
    cases: tuple[Case, ...]


def from_table(
    name: str, title: str, *, seconds: int | None = None, tells: Teller = nothing
) -> Case:
    """A row of tests/support/faults, by name or id: the same scripts, judged by its rules.

    Raises:
        KeyError: the table has no such fault.
    """
    fault = TABLE[name]
    whole = fault.code == 0 and fault.chat_code in (None, 0)
    return Case(fault.name, title, fault.scripts(CHAT), fault.text, whole, seconds, tells=tells)
