"""Which answers the cache keeps: a fault of each promise, asked with the setting `cache`."""

from dataclasses import replace

import pytest

from tests.faults import in_process
from tests.support.adapters import HTTP_ADAPTERS
from tests.support.faults.running import Case, check
from tests.support.faults.table import FAULTS
from tests.support.replaying import kept_answers

OPENAI = HTTP_ADAPTERS[0]
# The first fault of each promise.
FIRST = {
    number: fault for fault in reversed(FAULTS) if fault.is_for(OPENAI) for number in fault.promises
}
CASES = [
    Case("chat", fault, OPENAI) for fault in {id(each): each for each in FIRST.values()}.values()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.fault.id))
def test_cache_1_only_a_whole_answer_is_kept(case: Case) -> None:
    fault = replace(case.fault, profile_settings={**case.fault.profile_settings, "cache": "1h"})
    result = in_process.run(replace(case, fault=fault))
    check(case, result)
    ran = result.command_result
    is_cut = "was cut at the token limit" in ran.stderr
    assert len(kept_answers()) == (ran.code == 0 and not is_cut)
