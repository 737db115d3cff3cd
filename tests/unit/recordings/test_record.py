"""The record stage: which failures are recorded, and that they end again as they did."""

from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import Call, LLMService
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BudgetError, BusyError, ConfigError, EasyLLMError, OutputError
from easyllm_cli.events import Event, Start
from easyllm_cli.limits import limiter
from easyllm_cli.messages import Message
from easyllm_cli.pipeline import complete
from easyllm_cli.recordings import Recordings
from tests.support.adapters import HTTP_ADAPTERS
from tests.support.binary import chat_answer_script
from tests.support.replaying import WithoutWire, ask
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

OPENAI = HTTP_ADAPTERS[0]
PRICE = {"input": 1, "output": 1}


@pytest.mark.parametrize(
    ("error", "settings"),
    [
        (BudgetError, {"budget": {"day": 0}, "price": PRICE}),
        (BusyError, {"rpm": 1}),
        (OutputError, {"rpm": 600, "strict": True}),
    ],
)
async def test_a_failure_of_this_machine_is_not_recorded(
    error: type[EasyLLMError],
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "answers.jsonl"
    if error is BusyError:
        monkeypatch.setattr(limiter, "seconds_left", lambda: -1.0)
    if error is OutputError:
        monkeypatch.setattr(limiter, "rate_file_path", lambda *_: Path("/dev/null"))
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profile = OPENAI.profile(server, **settings)
        asked = [await ask(LLMService(record=path), profile) for _ in range(2)]
        assert isinstance(asked[1].error, error)
        assert len(server.requests) == (error is BusyError)
    assert path.read_text().count('"error"') == 0


class FailingPlugin(WithoutWire):
    """A plugin whose code fails, and whose hint fails, too, where `fails_to_hint`."""

    fails_to_hint = False

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        yield Start("failing", self.model)
        raise ValueError("no such thing")

    async def add_hint(self, error: EasyLLMError) -> None:
        if self.fails_to_hint:
            raise LookupError("no hint")


@pytest.mark.parametrize("fails_to_hint", [False, True])
async def test_rec_1_a_plugins_exception_is_recorded(fails_to_hint: bool, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    source = FailingPlugin(Profile.of({"provider": "openai", "model": "m"}))
    source.entry_point = EntryPoint("failing", "failing", "easyllm.providers")
    source.fails_to_hint = fails_to_hint
    told = []
    for recordings in (Recordings(record=path), Recordings(replay=path)):
        call = Call([Message("user", ("hi",))])
        call.recordings = recordings
        with pytest.raises(ConfigError, match="failing") as raised:
            await complete(call, lambda: [source])
        told.append(raised.value.message)
    assert "ValueError" in told[1]
    assert fails_to_hint or told[0] == told[1]
