"""Fault: what a server does wrong, and how a run of ours against it must end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.adapters import Adapter
from tests.support.standins.script import Script
from tests.support.standins.server import Reply

KEY = "sk-fault-0123456789abcdef"  # in every profile; some servers throw it back at us
RETRIES = 2  # max_retries of every profile, unless the fault names another
TRIES = RETRIES + 1
FAULT_REASONING = "Hm"  # all reasoning that there is; `cot` prints it beside the answer
REDIRECT_URL = "http://127.0.0.2"  # where redirects lead; a runner puts a server's address here
ScriptsFactory = Callable[[Adapter], tuple[Script, ...]]


@dataclass(frozen=True)
class Fault:
    """One fault, for every protocol unless `only` or `not_for` (an adapter's `name`) says so.

    `scripts`: what the server gives the first request, the second and so on; the last repeats.
    `text`: what of the answer comes; `stream` prints it, `chat` prints it or keeps it.
    `code`: the exit code. `tries`: requests for an answer. `chat_*`: where `chat` differs.
    `says`: words on stderr. `args`: of the command. `keys`: of the profile.
    `longest`: characters that a line on stderr may have (DESIGN §7: 300 of a server's words).
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
        """The numbers of its promises (FAULTS §7) and its name."""
        numbers = "_and_".join(f"{number:02}" for number in self.promises)
        return f"fault_{numbers}-{self.name}" if numbers else self.name

    def is_for(self, adapter: Adapter) -> bool:
        """Whether the fault can happen in an adapter's protocol."""
        return (not self.only or adapter.name in self.only) and adapter.name not in self.not_for


class Silence(Script):
    """Accepts the request and never answers: not even a status."""

    async def play(self, reply: Reply) -> None:
        await reply.sleep(30)


class Endless(Script):
    """Repeats its steps, which are bytes, for as long as somebody listens."""

    async def play(self, reply: Reply) -> None:
        await reply.head(self.status, self.headers, self.content_type, chunked=True)
        while True:
            for step in self.steps:
                assert isinstance(step, bytes)
                await reply.write(step)
