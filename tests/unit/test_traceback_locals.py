"""No local variable of a traceback holds the key: error reporting services send them on."""

from collections.abc import Iterator
from types import FrameType

import pytest

from easyllm_cli.errors import EasyLLMError
from easyllm_cli.transport.network_errors import iter_causes
from tests.support.adapters import ADAPTERS, AIOHTTP_ADAPTERS, Adapter
from tests.support.asking import get_completion, open_provider
from tests.support.faults.fault import Silence
from tests.support.standins.script import Cut, Reset, Script, script_handler
from tests.support.standins.server import StandIn

KEY = "sk-in-no-variable-0123456789"
FAILS: dict[str, Script] = {
    "401": Script(b"{}", status=401, content_type="application/json"),
    "500": Script(b"{}", status=500, content_type="application/json"),
    "redirect": Script(status=307, headers={"Location": "http://127.0.0.2/"}),
    "cut": Script(Cut()),
    "reset": Script(Reset()),
    "no answer": Script(b"<html>"),
    "silence": Silence(),
}
over_every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)


def frames(error: BaseException) -> Iterator[FrameType]:
    """Every frame in the tracebacks of the error and of its causes."""
    for cause in iter_causes(error):
        step = cause.__traceback__
        while step is not None:
            yield step.tb_frame
            step = step.tb_next


def variables_with_the_key(error: BaseException) -> list[str]:
    """Variables whose repr holds the key, as in an error report; those of tests are ignored."""
    return [
        f"{frame.f_code.co_filename}:{frame.f_code.co_name}: {name}"
        for frame in frames(error)
        if "/tests/" not in frame.f_code.co_filename
        for name, value in frame.f_locals.items()
        if KEY in repr(value)
    ]


@over_every_adapter
@pytest.mark.parametrize("stream", [True, False])
async def test_no_key_in_variables_after_a_failure(adapter: Adapter, stream: bool) -> None:
    for name, script in FAILS.items():
        with StandIn(script_handler(script)) as server:
            limits = {"first_token": 0.3, "total": 0.3}
            profile = adapter.profile(server, api_key=KEY, max_retries=0, timeout=limits)
            with pytest.raises(EasyLLMError) as caught:
                await get_completion(profile, stream)
        assert len(list(frames(caught.value))) > 5
        assert variables_with_the_key(caught.value) == [], name


@over_every_adapter
async def test_no_key_in_variables_when_nothing_listens(adapter: Adapter) -> None:
    with StandIn(script_handler(Script())) as server:
        profile = adapter.profile(server, api_key=KEY, max_retries=0)
    with pytest.raises(EasyLLMError) as caught:
        await get_completion(profile)
    assert variables_with_the_key(caught.value) == []
    async with open_provider(profile) as provider:
        with pytest.raises(EasyLLMError) as caught:
            await provider.list_models()
    assert variables_with_the_key(caught.value) == []


async def test_no_key_in_variables_when_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection is lost before aiohttp writes: a frame of it then holds all of the bytes."""
    monkeypatch.setattr("asyncio.selector_events._SelectorTransport.is_closing", lambda _: True)
    with StandIn(script_handler(Silence())) as server:
        profile = AIOHTTP_ADAPTERS[0].profile(server, api_key=KEY, max_retries=0)
        with pytest.raises(EasyLLMError) as caught:
            await get_completion(profile)
    causes = [type(cause).__name__ for cause in iter_causes(caught.value)]
    assert "ClientConnectionResetError" in causes
    assert variables_with_the_key(caught.value) == []
