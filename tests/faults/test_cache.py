"""Over every protocol: what was not accepted is asked for again, and never answered from the cache.

tests/faults/test_matrix.py asks every fault with the cache.
"""

import pytest

from easyllm_cli import LLMService
from easyllm_cli.errors import IncompleteAnswer
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.faults.spelling import cut, first_frames, good
from tests.support.replaying import ask, kept_answers
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn


@pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)
async def test_cache_1_after_a_cut_answer_the_second_call_asks_again(adapter: Adapter) -> None:
    answers = (cut(adapter, *first_frames(adapter)), good(adapter))
    with StandIn(script_handler(*answers)) as server:
        profile = adapter.profile(server, max_retries=0, cache="1h")
        first, second, third = [await ask(LLMService(), profile) for _ in range(3)]
        assert len(server.requests) == 2
    assert isinstance(first.error, IncompleteAnswer)
    assert [(each.error, each.text) for each in (second, third)] == [(None, "Hello world")] * 2
    assert [each.call.replayed is None for each in (first, second, third)] == [True, True, False]
    assert len(kept_answers()) == 1
