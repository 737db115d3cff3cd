"""Diagnosis of a provider that manages its own connections, as a plugin's provider may."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.diagnostics import diagnose
from easyllm_cli.diagnostics.checks import check_call, check_limits
from easyllm_cli.diagnostics.probe import Probe
from easyllm_cli.errors import BusyError
from easyllm_cli.events import Done, Event, Model, Start, Text
from easyllm_cli.messages import Message
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.base import BaseLLMProvider
from tests.support.asking import answer_requests, openai
from tests.support.binary import chat_answer_script
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import StandIn


class Own(BaseLLMProvider):
    """Lists one model; with `busy` set it raises a BusyError with that text instead."""

    provider = "own"
    busy = ""

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        yield Start(self.provider, self.model, "")
        yield Text("OK")
        yield Done("stop", complete=True)

    async def models(self) -> list[Model]:
        if self.busy:
            raise BusyError(self.busy)
        return [Model("m", vision=True, reasoning=False)]


async def diagnosis(
    provider: BaseLLMProvider, calls: bool = False
) -> dict[str, tuple[object, str]]:
    return {check.name: (check.ok, check.message) async for check in diagnose(provider, calls)}


async def test_checks_that_a_model_list_answers() -> None:
    checks = await diagnosis(Own({"provider": "own", "model": "m"}))
    applies = {name: result for name, result in checks.items() if result[0] is not None}
    assert applies == {
        "server": (True, "own answers"),
        "model": (True, "m"),
        "vision": (True, "yes"),
    }


async def test_failing_model_list_fails_the_server_check() -> None:
    provider = Own({"provider": "own", "model": "m"})
    provider.busy = "come back later"
    checks = await diagnosis(provider)
    assert list(checks)[-1] == "server"
    assert checks["server"] == (False, "come back later")


class Tabled(Own):
    """Its model list comes from a built-in table, not from a server."""

    models_note = "from a table"


async def test_built_in_model_list_proves_nothing_about_the_server() -> None:
    checks = await diagnosis(Tabled({"provider": "own", "model": "not in it"}))
    assert {ok for ok, _ in checks.values()} == {None}
    assert checks["server"] == (None, "from a table")


@pytest.mark.parametrize(("settings", "words"), [
    ({}, ""),
    ({"rpm": 60}, "rpm = 60"),
    ({"tpm": 90_000}, "tpm = 90000"),
    ({"concurrency": 4}, "concurrency = 4"),
    ({"rpm": "auto", "tpm": 9}, "rpm = auto (nothing learned), tpm = 9"),
], ids=repr)  # fmt: skip
async def test_limits_that_are_set(settings: dict[str, Any], words: str) -> None:
    own = Profile.of({"provider": "openai", "endpoint": "http://127.0.0.1:9/v1", **settings})
    finding = await check_limits(Probe(provider_for(own)))
    assert (finding.ok, finding.message) == (
        (True, words) if words else (None, "none set, none reported")
    )


async def test_the_limit_that_auto_has_learned() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
    }  # fmt: skip
    answer = Script(*chat_answer_script("OK").steps, headers=headers)
    with StandIn(script_handler(answer)) as server:
        probe = Probe(provider_for(openai(server, rpm="auto")))
        await check_call(probe)
        assert (await check_limits(probe)).message == (
            "rpm = auto (60 learned); the server reports 60 requests a minute (59 left)"
        )
        later = Probe(provider_for(openai(server, rpm="auto")))  # another run, without --call
        assert (await check_limits(later)).message == "rpm = auto (60 learned)"


async def test_a_call_is_never_answered_from_the_cache() -> None:
    with StandIn(script_handler(chat_answer_script("OK"))) as server:
        target = openai(server, cache="1h")
        for count in (1, 2):
            assert (await check_call(Probe(provider_for(target)))).ok
            assert len(answer_requests(server)) == count
