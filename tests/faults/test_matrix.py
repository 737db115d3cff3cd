"""Every fault over every protocol through the real binary: one generated test for each pair.

By default `stream` over each protocol and `chat` over OpenAI's; `pytest -m full` runs the others:
`chat` and `cot` over each, and all three through the openai package.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from tests.adapters import ADAPTERS, HTTP
from tests.binary import Easyllm
from tests.faults.running import Case, Ending, check, run
from tests.faults.table import FAULTS

AT_ONCE = 3
COMMANDS = ("stream", "chat", "cot")
DEFAULT = {("stream", one.id) for one in HTTP} | {("chat", HTTP[0].id)}
CASES = [
    Case(command, fault, adapter)
    for fault in FAULTS
    for adapter in ADAPTERS
    for command in COMMANDS
    if fault.is_for(adapter)
]


def marked(case: Case) -> object:
    """The case as pytest's parameter; what is not run by default bears the mark `full`."""
    usual = (case.command, case.adapter.id) in DEFAULT
    return pytest.param(case, id=case.id, marks=() if usual else pytest.mark.full)


@pytest.fixture(scope="module")
def endings(request: pytest.FixtureRequest, homes: Path) -> Iterator[dict[str, Future[Ending]]]:
    """All runs that were selected, some at a time: they begin before their tests ask for them."""
    selected: list[Case] = [
        cast(Case, item.callspec.params["case"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_fault"
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            case.id: pool.submit(run, case, Easyllm(homes / f"fault{number}"))
            for number, case in enumerate(selected)
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", [*map(marked, CASES)])
def test_fault(case: Case, endings: dict[str, Future[Ending]]) -> None:
    check(case, endings[case.id].result())
