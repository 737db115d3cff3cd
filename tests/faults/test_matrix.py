"""Every fault with every protocol in process, and every fault once through the real command.

`pytest -m full` runs all combinations: three commands, every protocol, and also aiohttp and the
openai package as the transport.
"""

from itertools import cycle

import pytest

from tests.faults import in_process
from tests.support.adapters import ADAPTERS, AIOHTTP_ADAPTERS, HTTP_ADAPTERS
from tests.support.binary import Easyllm
from tests.support.faults.network import NETWORK
from tests.support.faults.running import Case, check, run
from tests.support.faults.status import STATUS
from tests.support.faults.stream import STREAM
from tests.support.faults.table import FAULTS

COMMANDS = ("stream", "chat", "cot")
# Every protocol with `stream`; `chat`, which may retry after text, with OpenAI's only.
IN_PROCESS = [
    Case(command, fault, adapter)
    for command, adapters in (("stream", HTTP_ADAPTERS), ("chat", HTTP_ADAPTERS[:1]))
    for fault in FAULTS
    for adapter in adapters
    if fault.is_for(adapter)
]

# The faults whose effect depends on the transport, over aiohttp too.
TRANSPORT_FAULTS = [*NETWORK, *STREAM, *(fault for fault in STATUS if "redirect" in fault.name)]
IN_PROCESS += [
    Case("stream", fault, AIOHTTP_ADAPTERS[0])
    for fault in TRANSPORT_FAULTS
    if fault.is_for(AIOHTTP_ADAPTERS[0])
]


def alternating_cases() -> list[Case]:
    """Return every fault once; protocols and commands alternate."""
    turns = cycle(
        [(command, adapter) for adapter in HTTP_ADAPTERS for command in ("stream", "chat")]
    )
    cases = []
    for fault in FAULTS:
        command, adapter = next(turn for turn in turns if fault.is_for(turn[1]))
        cases.append(Case(command, fault, adapter))
    return cases


ONCE = alternating_cases()


def every_way() -> list[Case]:
    """Return all combinations of commands, faults and adapters."""
    return [
        Case(command, fault, adapter)
        for fault in FAULTS
        for adapter in (*ADAPTERS, *AIOHTTP_ADAPTERS[1:])
        for command in COMMANDS
        if fault.is_for(adapter)
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the thousands of cases of the full tier only if it is selected."""
    if "any_case" in metafunc.fixturenames:
        selected = "full" in metafunc.config.option.markexpr.replace("not full", "")
        metafunc.parametrize("any_case", every_way() if selected else [], ids=case_id)


def case_id(case: Case) -> str:
    return case.id


@pytest.mark.parametrize("case", IN_PROCESS, ids=case_id)
def test_cache_1_and_every_fault_in_process(case: Case) -> None:
    """Only a whole answer is kept in the cache, and then given again without a request."""
    result, cache = in_process.run(case)
    check(case, result)
    assert cache.files == cache.is_whole
    if cache.again:
        again = cache.again.command_result
        assert (again.code, again.stdout) == (0, result.command_result.stdout)
        assert "from the cache" in again.stderr
        assert cache.again.tries == result.tries


@pytest.mark.parametrize("case", ONCE, ids=case_id)
def test_fault(case: Case, easyllm: Easyllm) -> None:
    check(case, run(case, easyllm))


@pytest.mark.full
def test_fault_in_every_way(any_case: Case, easyllm: Easyllm) -> None:
    check(any_case, run(any_case, easyllm))
