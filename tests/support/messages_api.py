"""Asks a stand-in of Anthropic's Messages API, and returns what the command would end with."""

from dataclasses import dataclass, field
from typing import Any

from easyllm_cli.completion import Completion
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import MAX_TEXT_BYTES, Event, Note, Retrying
from easyllm_cli.pipeline.acceptance import check_acceptable
from easyllm_cli.pipeline.collector import Collector
from tests.support.adapters import KEY
from tests.support.asking import Json, answer_requests, messages, open_provider, profile
from tests.support.standins import anthropic
from tests.support.standins.script import Script, Step, script_handler
from tests.support.standins.server import Handler, StandIn

HELLO = (anthropic.start(), anthropic.block(), anthropic.text("Hi"))


@dataclass
class Answered:
    """How a question ended: the exit code, the answer (or what came of it) and the requests."""

    completion: Completion
    error: EasyLLMError | None
    requests: list[Json]
    events: list[Event] = field(default_factory=list)

    @property
    def code(self) -> int:
        return self.error.exit_code if self.error else 0

    @property
    def text(self) -> str:
        return str(self.completion["text"])

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    @property
    def waits(self) -> list[float]:
        return [event.wait for event in self.events if isinstance(event, Retrying)]

    @property
    def counts(self) -> tuple[int | None, int | None]:
        """The prompt's and the answer's tokens."""
        usage = self.completion["usage"]
        return usage["prompt_tokens"], usage["completion_tokens"]


def stream(*steps: Step, **more: Any) -> Script:
    return Script(*steps, **more)


def hello_then(*steps: Step) -> Script:
    """Return "Hi", the end of its block, and these steps."""
    return Script(*HELLO, anthropic.block_stop(), *steps)


def refusal(
    status: int, kind: str, words: str, details: Json | None = None, **headers: str
) -> Script:
    """Return an error response; `_` in header names becomes `-`."""
    body = anthropic.error_object(kind, words, **(details or {}))
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Script(
        anthropic.encode(body), status=status, headers=fields, content_type="application/json"
    )


async def ask(*scripts: Script, shows: bool = True, plain: bool = False, **keys: Any) -> Answered:
    """Ask a server that plays the scripts, one a request.

    `shows`: the text is shown as it comes, as `stream` does. `plain`: without streaming.
    """
    return await ask_server(script_handler(*scripts), shows=shows, plain=plain, **keys)


async def ask_server(
    handler: Handler, *, shows: bool = True, plain: bool = False, **keys: Any
) -> Answered:
    """Ask a server with this handler once."""
    collector, events = Collector(MAX_TEXT_BYTES), list[Event]()
    error: EasyLLMError | None = None
    with StandIn(handler) as server:
        usual: Json = {"model": anthropic.MODEL, "api_key": KEY, "max_retries": 2}
        async with open_provider(profile("anthropic", server.url, **usual | keys)) as provider:
            try:
                async for event in provider.stream(
                    messages(), not plain, ("text",) if shows else (),
                    verdict=lambda answer, limited: check_acceptable(answer, limited, "auto"),
                ):  # fmt: skip
                    collector.feed(event)
                    events.append(event)
            except EasyLLMError as failure:
                error = failure
        bodies = [request.json for request in answer_requests(server)]
    partial = error.partial if error and error.partial else None
    return Answered(partial or collector.completion(), error, bodies, events)
