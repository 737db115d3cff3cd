"""The replay stage over every adapter: what is answered from a recording or from the cache."""

import asyncio
import json
import re
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import Call, LLMService
from easyllm_cli.completion import Completion
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BusyError, ConfigError, IncompleteAnswer, NotFoundError, UsageError
from easyllm_cli.events import Done, Retrying, Start
from easyllm_cli.images import Image
from easyllm_cli.messages import Message
from easyllm_cli.pipeline import complete
from easyllm_cli.recordings import Recordings
from easyllm_cli.recordings.attempt import RecordedAttempt
from easyllm_cli.recordings.file import Recorder
from easyllm_cli.recordings.key import RequestIdentity
from easyllm_cli.secret import Secret
from tests.support.adapters import ADAPTERS, HTTP_ADAPTERS, KEY, Adapter
from tests.support.asking import answer_requests, messages, notes
from tests.support.binary import chat_answer_script
from tests.support.images import png
from tests.support.replaying import (
    NOWHERE,
    WithoutWire,
    ask,
    check_the_same_answer_again,
    forbid_sockets,
    kept_answers,
    without_times,
)
from tests.support.standins.script import Script, chunk, script_handler
from tests.support.standins.server import StandIn

OPENAI = HTTP_ADAPTERS[0]
TIMES = re.compile(r'"(ms|made_at)": [\d.]+')
over_adapters = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)


@over_adapters
async def test_rec_1_and_cache_4_the_same_answer_again(
    adapter: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check_the_same_answer_again(adapter, tmp_path / "answers.jsonl", monkeypatch)


@pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)
async def test_rec_1_a_failure_again(
    adapter: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.jsonl"
    refusal = adapter.refusal(401, f"the key {KEY} is wrong")
    with StandIn(script_handler(refusal)) as server:
        first = await ask(LLMService(record=path), adapter.profile(server))
        profile = adapter.profile(server)
    forbid_sockets(monkeypatch)
    again = await ask(LLMService(replay=path), profile)
    assert first.error is not None
    assert again.error is not None
    for name in ("kind", "exit_code", "status", "code", "retryable", "retry_after", "hint"):
        assert getattr(again.error, name) == getattr(first.error, name), name
    assert str(again.error) == str(first.error).replace(KEY, "***")
    assert KEY not in path.read_text()


async def test_rec_4_a_retry_is_replayed_without_its_wait(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    busy = OPENAI.refusal(429, "slow down", Retry_After="0.05")
    with StandIn(script_handler(busy, chat_answer_script("Hello"))) as server:
        first = await ask(LLMService(record=path), OPENAI.profile(server))
    text = path.read_text().replace('"retry_after": 0.05', '"retry_after": 50.0')
    path.write_text(text)
    service = LLMService(replay=path)
    profile = OPENAI.profile(server)
    async with asyncio.timeout(5):
        again = await ask(service, profile)
        last = await ask(service, profile)
    assert [event.kind for event in again.events] == [event.kind for event in first.events]
    assert [event.wait for event in again.events if isinstance(event, Retrying)] == [0.0]
    assert (again.text, len(again.call.attempts)) == ("Hello", 2)
    assert (last.text, len(last.call.attempts)) == ("Hello", 1)  # the last one again


async def test_rec_4_random_waits_do_not_count_on_a_replay(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    busy = OPENAI.refusal(500, "down")
    with StandIn(script_handler(busy, busy, chat_answer_script("Hello"))) as server:
        await ask(LLMService(record=path), OPENAI.profile(server))
    tight = OPENAI.profile(server, initial_retry_delay=60.0, retry_budget=0.001)
    again = await ask(LLMService(replay=path), tight)
    assert (again.error, again.text, len(again.call.attempts)) == (None, "Hello", 3)


async def test_rec_4_a_retry_is_replayed_if_no_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    models = Script(b'{"data": [{"id": "first"}]}', content_type="application/json")
    busy = OPENAI.refusal(429, "slow down", Retry_After="0.01")
    with StandIn(script_handler(models, busy, chat_answer_script("Hello"))) as server:
        profile = OPENAI.profile(server).replace_set(model="")
        first = await ask(LLMService(record=path), profile)
    assert (first.text, len(first.call.attempts)) == ("Hello", 2)
    again = await ask(LLMService(replay=path), profile)
    assert (again.error, again.text, len(again.call.attempts)) == (None, "Hello", 2)


async def test_a_cut_answer_is_recorded_with_its_text(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(script_handler(Script(chunk("half ")))) as server:
        profile = OPENAI.profile(server, max_retries=0)
        first = await ask(LLMService(record=path, cache="1h"), profile)
    again = await ask(LLMService(replay=path), profile)
    assert isinstance(again.error, IncompleteAnswer)
    assert str(again.error) == str(first.error)
    assert again.error.partial is not None
    assert again.error.partial["text"] == "half "
    assert not kept_answers()


async def test_an_attempt_that_is_stopped_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(script_handler(chat_answer_script("a", "b"))) as server:
        events = LLMService(record=path, cache="1h").stream(OPENAI.profile(server), messages("hi"))
        async for event in events:
            if not isinstance(event, Start):
                break
        await events.aclose()
    assert path.read_text() == '{"easyllm_recording": 1}\n'
    assert not kept_answers()


@pytest.mark.parametrize("closes", [True, False], ids=["aclose", "break alone"])
async def test_an_answer_that_is_read_up_to_done_is_kept_and_recorded(
    closes: bool, tmp_path: Path
) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(script_handler(chat_answer_script("a", "b"))) as server:
        profile = OPENAI.profile(server)
        events = LLMService(record=path, cache="1h").stream(profile, messages("hi"))
        async for event in events:
            if isinstance(event, Done):
                break
        if closes:
            await events.aclose()
        else:
            del events  # the event loop closes it
            await asyncio.sleep(0.01)
    for again in (LLMService(cache="1h"), LLMService(replay=path)):
        assert (await ask(again, profile)).text == "ab"


async def test_rec_3_an_unknown_request_names_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        for question in ("one", "two"):
            await ask(LLMService(record=path), OPENAI.profile(server, temperature=0.5), question)
    forbid_sockets(monkeypatch)
    profile = OPENAI.profile(server, temperature=1.0, seed=7)
    asked = await ask(LLMService(replay=path), profile, "two")
    assert isinstance(asked.error, NotFoundError)
    assert (asked.error.exit_code, asked.error.kind) == (4, "not_found")
    assert asked.error.message == (
        "no recording of this request; the nearest is line 3, which differs in seed, temperature"
    )
    other = await ask(LLMService(replay=path), profile.replace_set(model="other"), "two")
    assert "differs in model, seed, temperature" in str(other.error)


async def test_rec_3_a_damaged_line_is_told_where_it_is_the_one_that_is_wanted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        await ask(LLMService(record=path), OPENAI.profile(server))
    path.write_bytes(path.read_bytes()[:-20])
    asked = await ask(LLMService(replay=path), OPENAI.profile(server))
    assert isinstance(asked.error, NotFoundError)
    assert notes(asked.events) == [f"line 2 of {path} is damaged and left out"]


async def test_rec_2_a_text_with_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    key = "sk-0123456789abcdefghij"
    encoded = b64encode(f"user:{key}".encode()).decode()
    for question, answer in (
        ("hi", f"it is {key}"), (f"use {key}", "ok"), ("hi", f"Basic {encoded}"),
        (f"use {encoded}", "ok"),
    ):  # fmt: skip
        halves = (answer[:12], answer[12:])  # a key that is spread over two pieces is found, too
        with StandIn(script_handler(chat_answer_script(*halves))) as server:
            profile = OPENAI.profile(server, api_key=key)
            asked = await ask(LLMService(record=path, cache="1h"), profile, question)
        assert isinstance(asked.error, UsageError)
        assert key not in str(asked.error)
    assert path.read_text() == '{"easyllm_recording": 1}\n'
    assert not kept_answers()


async def test_rec_2_a_key_as_the_servers_model_or_finish_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    key = "sk-0123456789abcdefghij"
    for model, reason in ((key, "stop"), ("m", key)):
        attempt = RecordedAttempt(
            time.time(), [(0, Start("openai", model)), (0, Done(reason, True))]
        )
        live_key = Secret(key)
        with pytest.raises(UsageError, match="holds an API key"):
            await Recorder(path).record(RequestIdentity("openai", "m", {}), attempt)
        del live_key
    assert not path.exists()


@pytest.mark.parametrize("source", ["api_key", "api_key_env"])
async def test_rec_2_a_prompt_with_a_key_is_refused_before_it_is_sent(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-0123456789abcdefghij"
    monkeypatch.setenv("THE_KEY", key)
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        profile = (
            OPENAI.profile(server)
            .replace_set(api_key=None)
            .replace_set(**{source: Secret(key) if source == "api_key" else "THE_KEY"})
        )
        asked = await ask(LLMService(record=tmp_path / "a.jsonl"), profile, f"use {key}")
        assert not server.requests
    assert isinstance(asked.error, UsageError)


async def test_images_and_reasoning_count(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(OPENAI.server().handle) as server:
        profile = OPENAI.profile(server, model=OPENAI.vision_model)
        red, blue = (Message("user", ("?", Image.of(png(4, 4, color)))) for color in
                     ((255, 0, 0), (0, 0, 255)))  # fmt: skip
        await ask(LLMService(record=path), profile, [red])
        assert (await ask(LLMService(replay=path), profile, [red])).error is None
        assert isinstance(
            (await ask(LLMService(replay=path), profile, [blue])).error, NotFoundError
        )


async def test_the_model_that_a_server_chooses_is_part_of_the_key() -> None:
    ollama = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == "ollama")
    with StandIn(ollama.server().handle) as server:
        profile = ollama.profile(server).replace_set(model="")
        first = await ask(LLMService(cache="1h"), profile)
        again = await ask(LLMService(cache="1h"), profile)
        assert [event.kind for event in again.events].count("start") == 1
        assert [*map(str, notes(again.events))].count(notes(first.events)[0]) == 1
        named = await ask(LLMService(cache="1h"), ollama.profile(server, model=first.call.model))
        assert len(answer_requests(server)) == 1
    assert (first.text, again.call.replayed) == (again.text, {"from": "cache", "age_s": 0})
    assert named.text == first.text


async def test_rec_1_a_provider_without_a_wire(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"

    async def answer(recordings: Recordings, **settings: Any) -> Call:
        call = Call([Message("user", ("hi",))])
        call.recordings = recordings
        profile = Profile.of({"provider": "openai", "model": "m", **settings})
        await complete(call, lambda: [WithoutWire(profile)])
        return call

    await answer(Recordings(record=path), seed=1)
    unchanged = {"max_retries": 0, "api_key": "k", "endpoint": NOWHERE, "history": "off"}
    again = await answer(Recordings(replay=path), seed=1, **unchanged)
    assert (again.completion()["text"], again.replayed is not None) == ("seed 1", True)
    with pytest.raises(NotFoundError, match="differs in seed"):
        await answer(Recordings(replay=path), seed=2)


async def test_cot_asks_no_server_whether_its_model_reasons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ollama = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == "ollama")
    with StandIn(ollama.server().handle) as server:
        profile = ollama.profile(server, cache="1h", think=True).replace_set(elicit="auto")
        first = await ask(LLMService(), profile)
    assert "asked to think inside <think> tags" in notes(first.events)[0]
    forbid_sockets(monkeypatch)
    again = await ask(LLMService(), profile)
    assert (again.error, without_times(again)) == (None, without_times(first))


async def test_an_image_by_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.jsonl"
    red = [Message("user", ("?", Image.of("https://example.com/red.png")))]
    with StandIn(OPENAI.server().handle) as server:
        profile = OPENAI.profile(server, model=OPENAI.vision_model)
        assert (await ask(LLMService(record=path), profile, red)).error is None
    forbid_sockets(monkeypatch)
    assert (await ask(LLMService(replay=path), profile, red)).error is None
    for adapter in HTTP_ADAPTERS:
        asked = await ask(LLMService(replay=path), adapter.profile(server), red)
        assert adapter is OPENAI or isinstance(asked.error, NotFoundError), adapter.id


async def test_cache_1_a_kept_answer_that_this_call_rejects_is_asked_for_anew() -> None:
    def want_two(answer: Completion, _: bool) -> str:
        if answer["text"] != "two":
            raise IncompleteAnswer("not two", retryable=False)
        return ""

    answers = [chat_answer_script("one"), chat_answer_script("two")]
    with StandIn(script_handler(*answers)) as server:
        profile = OPENAI.profile(server, cache="1h")
        await ask(LLMService(), profile)
        wanted = [await ask(LLMService(), profile, verdict=want_two) for _ in range(2)]
        assert len(server.requests) == 2
    assert [(asked.error, asked.text) for asked in wanted] == [(None, "two")] * 2
    assert [asked.call.replayed is None for asked in wanted] == [True, False]


async def test_an_answer_from_the_cache_is_recorded_as_it_was(tmp_path: Path) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profile = OPENAI.profile(server, cache="1h")
        for name in ("first.jsonl", "again.jsonl"):
            await ask(LLMService(record=tmp_path / name), profile)
        assert len(server.requests) == 1
    first, again = (
        TIMES.sub("", (tmp_path / name).read_text().splitlines()[1])
        for name in ("first.jsonl", "again.jsonl")
    )
    assert again == first


async def test_a_profile_of_its_own_cache_comes_first() -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        for profile in (OPENAI.profile(server, cache="off"), OPENAI.profile(server)):
            await ask(LLMService(cache="1h"), profile)
            await ask(LLMService(cache="1h"), profile)
        assert len(server.requests) == 3
        await ask(LLMService(), OPENAI.profile(server, cache="1h"))
        assert len(server.requests) == 3


async def test_a_fallback_that_is_asked_was_not_replayed(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(script_handler(OPENAI.refusal(500, "down"))) as server:
        failing = OPENAI.profile(server, max_retries=0)
        assert isinstance((await ask(LLMService(record=path), failing)).error, BusyError)
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        second = OPENAI.profile(server, model="second")
        await ask(LLMService(record=path), second)
    asked = await ask(LLMService(replay=path), failing, fallbacks=[second])
    assert (asked.text, asked.call.model) == ("Hello", "second")


async def test_a_fallback_with_the_same_request_goes_on_in_its_recordings(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with (
        StandIn(script_handler(OPENAI.refusal(500, "down"))) as down,
        StandIn(script_handler(chat_answer_script("Hello"))) as up,
    ):
        first, second = (OPENAI.profile(server, max_retries=1) for server in (down, up))
        recorded = await ask(LLMService(record=path), first, fallbacks=[second])
    again = await ask(LLMService(replay=path), first, fallbacks=[second])
    for asked in (recorded, again):
        assert (asked.error, asked.text, len(asked.call.attempts)) == (None, "Hello", 3)


@pytest.mark.parametrize(
    "options",
    [
        {"record": "a", "replay": "b"}, {"cache": "soon"}, {"cache": "0x"}, {"cache": "0h"},
        {"record": ""}, {"replay": ""}, {"record": "-"}, {"replay": "-"},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_options_of_the_service(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError if "cache" in options else UsageError):
        LLMService(**options)


def test_a_recording_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with StandIn(script_handler(chat_answer_script("Grüße", reasoning="hm"))) as server:
        asyncio.run(ask(LLMService(record=path), OPENAI.profile(server, temperature=0.5), "Hallo"))
    header, line = map(json.loads, path.read_text("utf-8").splitlines())
    assert header == {"easyllm_recording": 1}
    assert list(line) == ["key", "asked", "made_at", "events"]
    assert line["asked"]["prompt"] == "Hallo"
    assert line["asked"]["fields"]["temperature"] == 0.5
    assert [event["kind"] for event in line["events"]] == ["start", "reasoning", "text", "done"]
    assert "Grüße" in path.read_text("utf-8")
    assert line["events"][-1]["complete"] is True
