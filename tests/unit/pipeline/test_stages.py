"""The stages around an attempt: their list, their generators, and the record of the answer."""

import inspect
import sys
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path
from types import FrameType

import pytest

from easyllm_cli import BaseLLMProvider, Call, LLMService, Message, Usage, pipeline
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BusyError, EasyLLMError, IncompleteAnswer
from easyllm_cli.events import Done, Event, Model, Start, Text
from easyllm_cli.pipeline.call import Attempt, new_call_id
from easyllm_cli.transport.base import Response
from tests.support.asking import messages, openai
from tests.support.binary import Easyllm, profile_toml
from tests.support.standins.script import (
    DONE,
    Cut,
    Script,
    chunk,
    compact,
    script_handler,
    usage_chunk,
)
from tests.support.standins.server import StandIn

HELLO = Script(chunk("Hel"), chunk("lo"), chunk(finish="stop"), usage_chunk(3, 2), DONE)
CUT_WITH_USAGE = Script(chunk("Hel"), usage_chunk(3, 1), Cut())
BUSY = Script(
    compact({"error": {"message": "slow down"}}), status=429, content_type="application/json",
    headers={"X-RateLimit-Remaining-Requests": "0", "Retry-After": "0"},
)  # fmt: skip
MAX_GENERATORS = 8
PACKAGE = str(Path(pipeline.__file__).parents[1])
WATCHER = """
from contextlib import aclosing
async def watch(call, attempt):
    async with aclosing(attempt()) as events:
        async for event in events:
            print(event.kind, file=log, flush=True)
            yield event
"""


async def ask(server: StandIn, **settings: object) -> tuple[Call, EasyLLMError | None]:
    """Return the record of one answer, and its error."""
    calls: list[Call] = []
    options = {"shown": (), "on_call": calls.append, **settings}
    error = None
    try:
        async for _ in LLMService().stream(openai(server), messages(), **options):  # type: ignore[arg-type]
            pass
    except EasyLLMError as failure:
        error = failure
    return calls[0], error


async def test_a_stage_in_the_list_sees_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Event] = []

    async def watch(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
        async for event in attempt():
            seen.append(event)
            yield event

    monkeypatch.setattr(pipeline, "STAGES", (watch, *pipeline.STAGES))
    profile_with_note = {"provider": "openai", "num_ctx": 5, "model": "m", "max_retries": 1}
    with StandIn(script_handler(BUSY, HELLO)) as server:
        config = {**profile_with_note, "endpoint": f"{server.url}/v1"}
        received = [event async for event in LLMService().stream(config, messages())]
    assert seen == received
    assert [event.kind for event in seen] == [
        "note", "start", "retrying", "start", "text", "text", "usage", "done",
    ]  # fmt: skip


def test_the_command_line_runs_the_stages_of_the_list(easyllm: Easyllm, tmp_path: Path) -> None:
    (tmp_path / "watching.py").write_text(WATCHER + f"log = open({str(tmp_path / 'log')!r}, 'w')\n")
    (tmp_path / "sitecustomize.py").write_text(
        "from easyllm_cli import pipeline\nfrom watching import watch\n"
        "pipeline.STAGES = (watch, *pipeline.STAGES)\n"
    )
    with StandIn(script_handler(HELLO)) as server:
        table = profile_toml(f"{server.url}/v1", "openai")
        ran = easyllm.run("chat", "-p", "t", "hi", profiles=table,
                          env={"PYTHONPATH": str(tmp_path)})  # fmt: skip
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    kinds = (tmp_path / "log").read_text().split()
    assert kinds == ["start", "text", "text", "usage", "done"]


def async_generators(frame: FrameType | None) -> int:
    """Count this package's async generators on the stack."""
    count = 0
    while frame is not None:
        is_generator = frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR
        count += bool(is_generator and frame.f_code.co_filename.startswith(PACKAGE))
        frame = frame.f_back
    return count


async def test_a_chunk_passes_at_most_eight_generators(monkeypatch: pytest.MonkeyPatch) -> None:
    depths = []
    read_chunk = Response.read_chunk

    async def counting(response: Response) -> bytes:
        depths.append(async_generators(sys._getframe()))
        return await read_chunk(response)

    monkeypatch.setattr(Response, "read_chunk", counting)
    with StandIn(script_handler(HELLO)) as server:
        call, error = await ask(server)
    assert error is None
    assert 0 < max(depths) <= MAX_GENERATORS
    assert call.completion()["text"] == "Hello"


async def test_the_record_of_an_answer() -> None:
    with StandIn(script_handler(HELLO)) as server:
        call, _ = await ask(server)
    assert (call.provider, call.model, call.finish_reason) == ("openai", "m", "stop")
    assert (call.complete, call.accepted, call.error) == (True, True, None)
    assert call.usage == Usage(3, 2, 5)
    assert call.usage_all == Usage(3, 2, 5)
    assert call.ms_first_token is not None
    assert 0 <= call.ms_first_token <= call.ms
    answer = call.completion()
    assert (answer["id"], answer["text"]) == (call.id, "Hello")
    assert [message.text for message in call.messages] == ["What is Python?"]


async def test_attempts_that_failed_count_in_usage_all() -> None:
    with StandIn(script_handler(CUT_WITH_USAGE, HELLO)) as server:
        call, error = await ask(server)
    assert error is None
    first, second = call.attempts
    assert isinstance(first.error, IncompleteAnswer)
    assert (first.usage, second.error, second.usage) == (Usage(3, 1, 4), None, Usage(3, 2, 5))
    assert call.usage == Usage(3, 2, 5)
    assert call.usage_all == Usage(6, 3, 9)


async def test_a_failed_call_keeps_its_error_and_the_rate_limit_headers() -> None:
    with StandIn(script_handler(BUSY)) as server:
        call, error = await ask(server, retry_on=lambda error: False)
    assert isinstance(error, BusyError)
    assert len(server.requests) == 1
    assert (type(call.error), str(call.error)) == (BusyError, str(error))
    assert not call.accepted
    assert dict(call.rate_limit_headers) == {
        "x-ratelimit-remaining-requests": "0", "retry-after": "0",
    }  # fmt: skip
    assert call.usage_all is None


async def test_retry_on_takes_the_place_of_retryable() -> None:
    refused = Script(compact({"error": {"message": "no"}}), status=400,
                     content_type="application/json")  # fmt: skip
    with StandIn(script_handler(refused, HELLO)) as server:
        call, error = await ask(server, retry_on=lambda error: error.exit_code == 4)
    assert (error, len(call.attempts), call.completion()["text"]) == (None, 2, "Hello")


async def test_a_chat_has_an_id() -> None:
    with StandIn(script_handler(HELLO, HELLO)) as server:
        answers = [await LLMService().chat(openai(server), messages()) for _ in range(2)]
    assert len({answer["id"] for answer in answers}) == 2


def test_ids_sort_by_time() -> None:
    ids = [new_call_id() for _ in range(50)]
    assert all(len(one) == 16 and one.isalnum() and one == one.lower() for one in ids)
    assert len(set(ids)) == 50
    assert all(first[:9] <= second[:9] for first, second in pairwise(ids))


async def test_what_is_set_for_one_answer_is_not_kept_for_the_next() -> None:
    """A provider that is no HTTPProvider, too: --elicit changes the profile of the answer."""

    class Plain(BaseLLMProvider):
        async def events(
            self, messages: list[Message], stream: bool
        ) -> AsyncGenerator[Event, None]:
            seen.append((messages[0].text, self.profile.reasoning_tags))
            for event in (Start("x", "m"), Text("Hello"), Done("stop", True)):
                yield event

        async def models(self) -> list[Model]:
            return []

    seen: list[tuple[str, str]] = []
    config = Profile.of({"provider": "x", "reasoning_tags": "off"})
    provider = Plain(config.replace_set(elicit="always"))
    for _ in range(2):
        await provider.chat(messages("hi"))
    assert seen[0] == seen[1]
    assert provider.profile.reasoning_tags == "off"
