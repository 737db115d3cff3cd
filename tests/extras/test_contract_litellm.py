"""Runs the contract suite's tests for litellm.

Left out are tests of things that litellm does not expose: the server's model list (and so the
suggested names), the request of --dry-run, and switching reasoning off.
"""

from collections.abc import Iterator

import pytest

from tests.contract.test_answers import (  # noqa: F401
    Bench,
    test_a_provider_works_again_after_aclose,
    test_events_come_in_order,
    test_images_reach_the_server_intact,
    test_one_provider_object_answers_many_at_once,
    test_reasoning_when_asked,
    test_streaming_equals_plain,
    test_system_prompt_and_turns_are_placed,
    test_the_last_event_is_done,
    test_the_service_gives_the_same_answer,
    test_the_specs_four_methods,
    test_usage_is_present,
)
from tests.contract.test_failures import (  # noqa: F401
    test_400_is_refused_once,
    test_401_is_a_key_error,
    test_429_is_retried_then_busy,
    test_429_then_a_good_answer,
    test_a_provider_answers_after_a_failure,
    test_cut_keeps_the_partial_text,
    test_cut_plain_answer_is_an_error,
    test_cut_that_nobody_saw_is_tried_once_more,
    test_empty_body_is_malformed,
    test_leaving_closes_the_connection,
    test_nothing_listens,
    test_silence_is_a_timeout,
    test_timeout_while_a_plain_answer_is_awaited,
)
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS, LITELLM
from tests.support.adapters import Adapter
from tests.support.standins.server import StandIn

pytestmark = IGNORE_LITELLM_WARNINGS


@pytest.fixture
def adapter() -> Adapter:
    return LITELLM


@pytest.fixture
def bench(adapter: Adapter) -> Iterator[Bench]:
    with StandIn(adapter.server().handle) as server:
        yield Bench(adapter, server)
