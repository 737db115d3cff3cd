"""A fallback profile replaces one that is busy, unreachable or cut; the answer says which one."""

from collections.abc import Collection
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import (
    AuthError,
    BillingError,
    BusyError,
    EasyLLMError,
    FilteredError,
    IncompleteAnswer,
    NotFoundError,
    RefusedError,
    TooLargeError,
)
from easyllm_cli.events import Event, Retrying, Start
from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.service import LLMService
from tests.support.adapters import OLLAMA_FORMAT
from tests.support.asking import messages, profile
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.binary import profile_toml as table
from tests.support.images import png
from tests.support.standins.script import (
    DONE,
    Cut,
    Reset,
    Script,
    chunk,
    compact,
    script_handler,
    sse,
)
from tests.support.standins.server import StandIn

HELLO = Script(chunk("Hello"), chunk(finish="stop"), DONE)
NATIVE_HELLO = Script(
    OLLAMA_FORMAT.text("Hello"), OLLAMA_FORMAT.end, content_type=OLLAMA_FORMAT.content_type
)
AS_IT_COMES = ("text", "reasoning")


def refused(status: int, message: str = "no", code: str = "") -> Script:
    body = {"error": {"message": message, "type": "error", "code": code or None}}
    return Script(compact(body), status=status, content_type="application/json")


def named_profile(
    name: str, server: StandIn | str, provider: str = "openai", **keys: Any
) -> Profile:
    url = server if isinstance(server, str) else server.url
    created = profile(provider, url, **{"max_retries": 0, "model": f"model-of-{name}", **keys})
    return created.replace_set(name=name)


class Outcome:
    """One request to a service: its events up to the end or the error."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.collector = Collector()
        self.error: EasyLLMError | None = None

    @property
    def text(self) -> str:
        text: str = self.collector.completion()["text"]
        return text

    @property
    def starts(self) -> list[str]:
        return [event.profile for event in self.events if isinstance(event, Start)]

    @property
    def retries(self) -> list[Retrying]:
        return [event for event in self.events if isinstance(event, Retrying)]


async def ask(*profiles: Profile, shown: Collection[str] = ()) -> Outcome:
    outcome = Outcome()
    first, *others = profiles
    try:
        stream = LLMService().stream(first, messages(), shown=shown, fallbacks=others)
        async for event in stream:
            outcome.events.append(event)
            outcome.collector.feed(event)
    except EasyLLMError as error:
        outcome.error = error
    return outcome


FALLING = {
    "503": refused(503),
    "429": refused(429),
    "reset": Script(Reset()),
    "error-frame": Script(sse({"error": {"message": "died", "code": 500}})),
    "empty": Script(),
    "web-page": Script(b"<html></html>", content_type="text/html"),
    "no-json": Script(b"data: {nonsense}\n\n"),
    "only-end": Script(chunk(finish="stop"), DONE),
    "only-reasoning": Script(chunk(reasoning="hm"), chunk(finish="length"), DONE),
    "cut-unseen": Script(chunk("Hel"), Cut()),
}


@pytest.mark.parametrize("case", FALLING)
async def test_falls_back(case: str) -> None:
    with (
        StandIn(script_handler(FALLING[case])) as broken,
        StandIn(script_handler(NATIVE_HELLO)) as good,
    ):
        outcome = await ask(named_profile("first", broken), named_profile("second", good, "ollama"))
        assert len(broken.requests) == 1
        assert len(good.requests) == 1
    assert outcome.error is None
    assert outcome.text == "Hello"
    done = outcome.collector.completion()
    assert (done["provider"], done["model"]) == ("ollama", "model-of-second")
    assert outcome.starts == ["first", "second"]
    assert [event.wait for event in outcome.retries] == [0.0]
    assert "asking profile second" in outcome.retries[0].why
    assert outcome.collector.attempts == 2


async def test_falls_back_when_nothing_listens() -> None:
    with StandIn(script_handler(HELLO)) as good:
        outcome = await ask(
            named_profile("first", "http://127.0.0.1:9"), named_profile("second", good)
        )
    assert outcome.text == "Hello"
    assert "nothing listens" in outcome.retries[0].why
    assert "first" in outcome.retries[0].why


REFUSAL = {"choices": [{"index": 0, "delta": {"refusal": "I cannot."}}]}
STAYING: dict[str, tuple[Script, type[EasyLLMError]]] = {
    "401": (refused(401), AuthError),
    "403": (refused(403), AuthError),
    "402": (refused(402), BillingError),
    "quota": (refused(429, code="insufficient_quota"), BillingError),
    "400": (refused(400), RefusedError),
    "404": (refused(404), NotFoundError),
    "413": (refused(413), TooLargeError),
    "refusal": (Script(sse(REFUSAL), chunk(finish="stop"), DONE), FilteredError),
    "filtered": (Script(chunk(finish="content_filter"), DONE), FilteredError),
}  # fmt: skip


@pytest.mark.parametrize("case", STAYING)
async def test_never_falls_back_on_exit_codes_3_and_4(case: str) -> None:
    script, kind = STAYING[case]
    with StandIn(script_handler(script)) as broken, StandIn(script_handler(HELLO)) as good:
        outcome = await ask(named_profile("first", broken), named_profile("second", good))
        assert good.requests == []
    assert type(outcome.error) is kind
    assert outcome.error.exit_code in (3, 4)
    assert outcome.starts == ["first"]


@pytest.mark.parametrize("shown", [("text",), AS_IT_COMES])
async def test_never_falls_back_after_shown_text(shown: tuple[str, ...]) -> None:
    with (
        StandIn(script_handler(FALLING["cut-unseen"])) as cut,
        StandIn(script_handler(HELLO)) as good,
    ):
        outcome = await ask(named_profile("first", cut), named_profile("second", good), shown=shown)
        assert good.requests == []
    assert type(outcome.error) is IncompleteAnswer
    assert outcome.text == "Hel"


async def test_reasoning_on_stderr_does_not_count_as_shown() -> None:
    thought = Script(chunk(reasoning="hm"), Cut())
    with StandIn(script_handler(thought)) as cut, StandIn(script_handler(HELLO)) as good:
        outcome = await ask(
            named_profile("first", cut), named_profile("second", good), shown=("text",)
        )
    assert outcome.text == "Hello"


async def test_own_retries_come_first() -> None:
    with StandIn(script_handler(refused(503))) as busy, StandIn(script_handler(HELLO)) as good:
        outcome = await ask(
            named_profile("first", busy, max_retries=2), named_profile("second", good)
        )
        assert len(busy.requests) == 3
    assert outcome.text == "Hello"
    assert outcome.collector.attempts == 4


async def test_attempts_are_counted_across_profiles() -> None:
    """Each Retrying has the number of the next attempt, whichever profile it is for."""
    with (
        StandIn(script_handler(refused(503))) as first_server,
        StandIn(script_handler(refused(503), HELLO)) as second_server,
    ):
        first, second = (
            named_profile("first", first_server, max_retries=1),
            named_profile("second", second_server, max_retries=1),
        )
        outcome = await ask(first, second)
    assert [event.attempt for event in outcome.retries] == [2, 3, 4]


async def test_when_all_fail_the_last_error_has_the_longest_partial() -> None:
    long, short = Script(chunk("Hello, wor"), Cut()), Script(chunk("He"), Cut())
    with (
        StandIn(script_handler(long)) as server_a,
        StandIn(script_handler(short)) as server_b,
        StandIn(script_handler(refused(503, "overloaded"))) as server_c,
    ):
        outcome = await ask(
            named_profile("a", server_a), named_profile("b", server_b), named_profile("c", server_c)
        )
        assert [len(server.requests) for server in (server_a, server_b, server_c)] == [1, 1, 1]
    assert isinstance(outcome.error, BusyError)
    assert "profile c" in outcome.error.where
    assert outcome.error.partial is not None
    assert outcome.error.partial["text"] == "Hello, wor"


async def test_refused_fallback_ends_the_chain() -> None:
    with (
        StandIn(script_handler(Script(chunk("Hel"), Cut()))) as server_a,
        StandIn(script_handler(refused(401))) as server_b,
        StandIn(script_handler(HELLO)) as server_c,
    ):
        outcome = await ask(
            named_profile("a", server_a), named_profile("b", server_b), named_profile("c", server_c)
        )
        assert server_c.requests == []
    assert isinstance(outcome.error, AuthError)
    assert outcome.error.partial is not None
    assert outcome.error.partial["text"] == "Hel"


async def test_config_dicts_as_profiles() -> None:
    down = {"provider": "llamacpp", "endpoint": "http://127.0.0.1:9/v1", "model": "m"}
    with StandIn(script_handler(HELLO)) as good:
        stream = LLMService().stream(
            down, messages(), fallbacks=[down | {"endpoint": f"{good.url}/v1"}]
        )
        texts = [event.kind async for event in stream]
    assert texts[-1] == "done"


async def test_every_method_takes_fallbacks() -> None:
    down = {"provider": "llamacpp", "endpoint": "http://127.0.0.1:9/v1", "model": "m"}
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
    plain = Script(compact(whole), content_type="application/json")
    with StandIn(script_handler(plain, plain, HELLO)) as good:
        service, spare = LLMService(), {
            "provider": "openai", "endpoint": f"{good.url}/v1", "model": "spare",
        }  # fmt: skip
        answer = await service.chat(down, messages(), fallbacks=[spare])
        assert (answer["text"], answer["model"]) == ("Hello", "spare")
        seen = await service.vision_chat(down, "What?", png(1, 1, (0, 0, 0)), fallbacks=[spare])
        assert seen["text"] == "Hello"
        texts = [text async for text in service.chat_stream(down, messages(), fallbacks=[spare])]
        assert texts == ["Hello"]
        await service.aclose()


async def test_one_shot_iterator_of_messages_reaches_every_profile() -> None:
    with StandIn(script_handler(refused(503))) as busy, StandIn(script_handler(HELLO)) as good:
        once: Any = iter(messages())
        first, second = named_profile("first", busy), named_profile("second", good)
        events = LLMService().stream(first, once, fallbacks=[second])
        kinds = [event.kind async for event in events]
    assert kinds[-1] == "done"


def test_command_names_the_profile_that_answered(easyllm: Easyllm) -> None:
    with (
        StandIn(script_handler(refused(503, "overloaded"))) as busy,
        StandIn(script_handler(HELLO)) as good,
    ):
        profiles = single_profile_toml(busy, max_retries=0, fallback=["spare:other-model"])
        profiles += table(good, name="spare")
        ran = easyllm.run("chat", "--json", "hi", profiles=profiles)
    assert ran.code == 0
    assert (ran.json["profile"], ran.json["model"]) == ("spare", "other-model")
    assert (ran.json["text"], ran.json["attempts"]) == ("Hello", 2)
    assert "asking profile spare" in ran.stderr
    assert "overloaded" in ran.stderr


@pytest.mark.parametrize("model", ["v/other", "v/gpt-4o-mini", "v/gpt-4o", "v/gpt-4o:free"])
async def test_openrouter_reports_the_model_that_answered(model: str) -> None:
    # v/gpt-4o-mini only begins with the requested name: it is another model.
    frames = (chunk("Hello", model=model), chunk(finish="stop", model=model), DONE)
    with StandIn(script_handler(Script(*frames))) as server:
        keys = {"model": "v/gpt-4o", "fallback_models": [model]}
        outcome = await ask(named_profile("router", server, "openrouter", **keys))
    answered = outcome.collector.completion()
    assert answered["model"] == ("v/gpt-4o" if model.startswith("v/gpt-4o:") else model)
    assert answered["provider"] == "openrouter"
    assert set(outcome.starts) == {"router"}


async def test_repeated_profile_is_tried_once() -> None:
    with (
        StandIn(script_handler(*[refused(503)] * 9)) as first,
        StandIn(script_handler(refused(503))) as other,
    ):
        profile_a, profile_b = named_profile("first", first), named_profile("second", other)
        outcome = await ask(
            profile_a,
            profile_a,
            profile_b,
            profile_a,
            named_profile("first", first),
            profile_b,
            *[profile_a] * 1000,
        )
        assert (len(first.requests), len(other.requests)) == (1, 1)
        assert isinstance(outcome.error, BusyError)
        another_model = await ask(profile_a, profile_a.replace_set(model="smaller"))
        assert [request.json["model"] for request in first.requests[1:]] == [
            profile_a.model,
            "smaller",
        ]
    assert another_model.starts == ["first", "first"]


def test_command_tries_a_repeated_fallback_once(easyllm: Easyllm) -> None:
    with StandIn(script_handler(*[refused(503)] * 9)) as server:
        fallback = ["t", "t", "t:test-model", *["t"] * 50]
        ran = easyllm.run(
            "chat", "hi", profiles=single_profile_toml(server, max_retries=0, fallback=fallback)
        )
        assert (ran.code, len(server.requests)) == (5, 1)
    assert "asking" not in ran.error_line


async def test_openrouter_gets_each_model_once() -> None:
    with StandIn(script_handler(*[HELLO] * 2)) as server:
        for models in (["v/b", "v/a", "v/b", "v/c", "v/a"], ["v/a", "v/a"]):
            keys = {"model": "v/a", "fallback_models": models}
            assert (await ask(named_profile("router", server, "openrouter", **keys))).error is None
        first, second = (request.json for request in server.requests)
    assert first["models"] == ["v/a", "v/b", "v/c"]
    assert "models" not in second
