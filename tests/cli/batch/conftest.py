"""The command of the tests of `easyllm batch`."""

from collections.abc import Iterator

import pytest

from tests.support.batch_command import BatchCommand
from tests.support.batches import BatchServer
from tests.support.binary import Easyllm
from tests.support.standins.server import StandIn


@pytest.fixture
def batch(easyllm: Easyllm, capfd: pytest.CaptureFixture[str]) -> Iterator[BatchCommand]:
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        yield BatchCommand(easyllm, server, stand_in, capfd)
