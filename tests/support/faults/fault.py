"""Fault: one wrong server response, and the expected result of a run against it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.adapters import Adapter
from tests.support.standins.script import Script
from tests.support.standins.server import Reply

KEY = "sk-fault-0123456789abcdef"  # in every profile; some servers repeat it in an error
RETRIES = 2  # max_retries of every profile, unless the fault sets another
TRIES = RETRIES + 1
FAULT_REASONING = "Hm"  # the only reasoning; `cot` prints it on stderr
# A placeholder for the target of redirects; a runner replaces it by a server's address.
REDIRECT_URL = "http://127.0.0.2"
ScriptsFactory = Callable[[Adapter], tuple[Script, ...]]


@dataclass(frozen=True)
class Fault:
    """One fault, for every protocol unless `only` or `not_for` (adapters' names) restrict it.

    `scripts`: the response to the first request, the second and so on; the last one repeats.
    `text`: the text that arrives; `stream` prints it, `chat` prints it or saves it in a file.
    `code`: the exit code. `tries`: the number of requests for an answer.
    `chat_*`: values for `chat` and `cot` where they differ.
    `stderr_text`: a text that stderr must contain.
    `args`: arguments of the command. `profile_settings`: further settings of the profile.
    `longest`: characters that a line on stderr may have, 300 of them from the server.
    """

    name: str
    promises: tuple[int, ...]
    scripts: ScriptsFactory
    code: int
    text: str = ""
    tries: int = 1
    stderr_text: str = ""
    chat_code: int | None = None
    chat_text: str | None = None
    chat_tries: int | None = None
    args: tuple[str, ...] = ()
    profile_settings: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    not_for: tuple[str, ...] = ()
    longest: int = 600

    @property
    def id(self) -> str:
        """The numbers of its promises (docs/promises.md) and its name."""
        numbers = "_and_".join(f"{number:02}" for number in self.promises)
        return f"fault_{numbers}-{self.name}" if numbers else self.name

    def is_for(self, adapter: Adapter) -> bool:
        """Return whether the fault can happen in the adapter's protocol."""
        return (not self.only or adapter.name in self.only) and adapter.name not in self.not_for


class Silence(Script):
    """Accepts the request and never answers, not even with a status."""

    async def play(self, reply: Reply) -> None:
        await reply.sleep(30)


class Endless(Script):
    """Repeats its steps, which are all bytes, until the client leaves."""

    async def play(self, reply: Reply) -> None:
        await reply.head(self.status, self.headers, self.content_type, chunked=True)
        while True:
            for step in self.steps:
                assert isinstance(step, bytes)
                await reply.write(step)
