"""Case: one fault of the benchmark, with its title, the server's script and the right result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults.facts import Facts, nothing
from benchmarks.faults.invocation import Invocation, Scene, piped
from benchmarks.faults.runs import ProcessResult
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.faults.fault import Fault
from tests.support.faults.table import FAULTS
from tests.support.standins.script import Script

CHAT = HTTP_ADAPTERS[0]  # Chat Completions, which most of the tools speak
MESSAGES = next(adapter for adapter in HTTP_ADAPTERS if adapter.name == "anthropic")
# Two faults may share a name; ids are unique.
TABLE: dict[str, Fault] = {key: fault for fault in FAULTS for key in (fault.name, fault.id)}
FactFinder = Callable[[ProcessResult, Scene], Facts]


@dataclass(frozen=True)
class Case:
    """One row of the page.

    `text`: the part of the answer that the server sends. `whole`: whether exit code 0 can be right,
    and then only with all of the text. `seconds`: the timeout, for tools that have one. `adapter`:
    the protocol; only the tools that speak it are asked.
    """

    name: str
    title: str
    scripts: tuple[Script, ...]
    text: str = ""
    whole: bool = False
    seconds: int | None = None
    invoke: Invocation = piped
    find_facts: FactFinder = nothing
    adapter: Adapter = CHAT

    @property
    def key(self) -> str:
        """The name, which is unique in its protocol, and the protocol if it is not the first."""
        return self.name if self.adapter is CHAT else f"{self.adapter.name}-{self.name}"


@dataclass(frozen=True)
class Group:
    """One table of the page."""

    title: str
    words: str
    cases: tuple[Case, ...]


def from_table(
    name: str,
    title: str,
    *,
    seconds: int | None = None,
    find_facts: FactFinder = nothing,
    adapter: Adapter = CHAT,
) -> Case:
    """A row of tests/support/faults, by name or id, with its scripts and expected exit code.

    Raises:
        KeyError: the table has no such fault.
    """
    fault = TABLE[name]
    whole = fault.code == 0 and fault.chat_code in (None, 0)
    return Case(
        fault.name, title, fault.scripts(adapter), fault.text, whole, seconds,
        find_facts=find_facts, adapter=adapter,
    )  # fmt: skip
