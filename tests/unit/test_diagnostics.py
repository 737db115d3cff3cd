"""A diagnosis of a provider that looks after its own connections, as a plugin's may."""

from collections.abc import AsyncIterator

from easyllm_cli.diagnostics import diagnose
from easyllm_cli.errors import BusyError
from easyllm_cli.events import Done, Event, Model, Start, Text
from easyllm_cli.messages import Message
from easyllm_cli.providers.base import BaseLLMProvider


class Own(BaseLLMProvider):
    """Lists one model; `busy` is told by it instead of a list."""

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


async def found(provider: BaseLLMProvider, calls: bool = False) -> dict[str, tuple[object, str]]:
    return {one.name: (one.ok, one.message) async for one in diagnose(provider, calls)}


async def test_what_only_its_list_tells() -> None:
    made = await found(Own({"provider": "own", "model": "m"}))
    applies = {name: said for name, said in made.items() if said[0] is not None}
    assert applies == {
        "server": (True, "own answers"),
        "model": (True, "m"),
        "vision": (True, "yes"),
    }


async def test_a_failing_list_is_the_servers_failure() -> None:
    provider = Own({"provider": "own", "model": "m"})
    provider.busy = "come back later"
    made = await found(provider)
    assert list(made)[-1] == "server"
    assert made["server"] == (False, "come back later")


class Tabled(Own):
    """Its list is no server's."""

    models_note = "from a table"


async def test_a_list_that_no_server_gave_proves_nothing_about_one() -> None:
    made = await found(Tabled({"provider": "own", "model": "not in it"}))
    assert {ok for ok, _ in made.values()} == {None}
    assert made["server"] == (None, "from a table")
