"""The command of the tests of `easyllm batch --via api`, once for each provider."""

from collections.abc import Iterator

import pytest

from tests.support.api_batches import ApiBatch
from tests.support.binary import Easyllm
from tests.support.standins.anthropic_batches import AnthropicBatches
from tests.support.standins.batch_jobs import BatchStandIn
from tests.support.standins.gemini_batches import GeminiBatches
from tests.support.standins.openai_batches import OpenAIBatches
from tests.support.standins.server import StandIn

APIS: dict[str, type[BatchStandIn]] = {
    "openai": OpenAIBatches,
    "anthropic": AnthropicBatches,
    "gemini": GeminiBatches,
}


@pytest.fixture(params=APIS)
def batch(
    request: pytest.FixtureRequest, easyllm: Easyllm, capfd: pytest.CaptureFixture[str]
) -> Iterator[ApiBatch]:
    server = APIS[request.param]()
    with StandIn(server.handle) as stand_in:
        yield ApiBatch(easyllm, server, stand_in, capfd, request.param)
