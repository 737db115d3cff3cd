"""BatchCaller: every row of a batch in memory gets its columns, and no key leaves the process."""

import asyncio
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import AuthError, BatchCaller, ConfigError, Profile
from easyllm_cli.batch import overload
from easyllm_cli.batch.columns import ANSWER_COLUMNS
from easyllm_cli.batch.loop_thread import THREAD_NAME
from tests.support import ROOT
from tests.support.asking import openai
from tests.support.batches import RETRY_SOON, BatchServer
from tests.support.forked_child import forked_child
from tests.support.standins.server import StandIn

KEY = "sk-only-on-the-worker-0123456789"
# As a worker does: unpickles a caller that somebody else made, and asks.
WORKER = """
import json, pickle, sys
caller, batch = pickle.load(sys.stdin.buffer)
print(json.dumps(caller(batch)["text"]), json.dumps(sorted({"ray", "numpy"} & sys.modules.keys())))
"""


def caller_for(server: StandIn, **arguments: Any) -> BatchCaller:
    return BatchCaller(openai(server, max_retries=0, max_retry_delay=0.1), **arguments)


def batch_of(*prompts: Any) -> dict[str, Any]:
    return {"id": [*range(len(prompts))], "prompt": [*prompts]}


def test_every_row_gets_its_columns() -> None:
    server = BatchServer(seconds=0.01)
    with StandIn(server.handle) as stand_in:
        caller = caller_for(stand_in, concurrency=4)
        prompts = [f"p{number}" for number in range(20)]
        answered = caller(batch_of(*prompts))
        assert caller(batch_of())["text"] == []
    assert list(answered) == ["id", "prompt", *ANSWER_COLUMNS]
    assert (answered["id"], answered["prompt"]) == ([*range(20)], prompts)
    assert answered["text"] == [f"answer to {prompt}" for prompt in prompts]
    first = {name: answered[name][0] for name in ANSWER_COLUMNS[1:]}
    assert first == {
        "reasoning": None, "finish_reason": "stop", "complete": True, "error_kind": None,
        "error_message": None, "prompt_tokens": 1, "completion_tokens": 3, "cost_usd": 0.0,
    }  # fmt: skip
    assert 1 < server.most_in_flight <= 4


def test_batch_24_no_row_raises() -> None:
    faults = {"refused": 400, "busy": 500, "no credit": 402, "forbidden": 403, "cut": "cut",
              "too long": "length", "empty": "empty"}  # fmt: skip
    server = BatchServer(lambda prompt, count: faults.get(prompt))
    with StandIn(server.handle) as stand_in:
        answered = caller_for(stand_in)(batch_of("good", *faults, None, 3, " "))
    kinds = ["refused", "busy", "billing", "auth", "network", "incomplete", "malformed"]
    assert answered["error_kind"] == [None, *kinds, "usage", "usage", "usage"]
    assert answered["complete"] == [True, *[False] * 10]
    assert all(answered["error_message"][1:])
    assert answered["text"][6] == "answer to too long"
    assert server.asked.count("good") == 1


def test_an_answer_that_ends_at_the_own_limit_is_no_error_but_not_complete() -> None:
    server = BatchServer(lambda prompt, count: "length")
    with StandIn(server.handle) as stand_in:
        answered = BatchCaller(openai(stand_in, max_tokens=3))(batch_of("p"))
    assert (answered["error_kind"], answered["complete"]) == ([None], [False])
    assert (answered["text"], answered["finish_reason"]) == (["answer to p"], ["length"])


def test_a_rate_limit_is_no_error_of_a_row() -> None:
    server = BatchServer(lambda prompt, count: 429 if count == 0 else None, headers=RETRY_SOON)
    with StandIn(server.handle) as stand_in:
        answered = caller_for(stand_in)(batch_of(*"abcdef"))
    assert answered["text"] == [f"answer to {prompt}" for prompt in "abcdef"]


def test_rows_of_a_server_that_never_answers_but_429_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overload, "LONGEST_STALL", 0.3)
    is_limited = True
    server = BatchServer(lambda prompt, count: 429 if is_limited else None, headers=RETRY_SOON)
    with StandIn(server.handle) as stand_in:
        caller = caller_for(stand_in)
        answered = caller(batch_of(*map(str, range(50))))
        assert answered["error_kind"] == ["busy"] * 50
        time.sleep(0.4)  # nobody asks meanwhile: that is no stall
        is_limited = False
        server.faults = lambda prompt, count: 429 if prompt == "p" and count == 0 else None
        assert caller(batch_of("p", "q"))["error_kind"] == [None, None]


@pytest.mark.parametrize("status", [401, None], ids=["refused", "missing"])
def test_batch_24_a_wrong_key_stops_the_job(status: int | None) -> None:
    server = BatchServer(lambda prompt, count: status)
    with StandIn(server.handle) as stand_in:
        names = {} if status else {"api_key_env": "MISSING_KEY"}
        caller = BatchCaller(openai(stand_in, **names))
        with pytest.raises(AuthError) as caught:
            caller(batch_of(*map(str, range(100))))
    assert len(server.asked) <= 8
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), type(caught.value))


@pytest.mark.parametrize(
    ("make", "batch", "words"),
    [
        (lambda: BatchCaller("nobody"), {"prompt": ["a"]}, 'no profile "nobody"'),
        (lambda: BatchCaller("openai"), {"question": ["a"]}, "no column prompt"),
        (lambda: BatchCaller("openai"), {"prompt": ["a"], "text": ["b"]}, "a column text already"),
        (lambda: BatchCaller("openai"), {"prompt": "a"}, "prompt must be a list"),
        (lambda: BatchCaller("openai"), {"prompt": None}, "prompt must be a list"),
        (lambda: BatchCaller("openai"), {"prompt": ["a"], "messages": []}, "different lengths"),
        (lambda: BatchCaller("openai"), ["a"], "must be a dict of columns, not list"),
        (lambda: BatchCaller({"provider": "openai", "transport": "sdk"}), {"prompt": ["a"]}, "sdk"),
        (lambda: BatchCaller(Profile(provider="auto")), {"prompt": ["a"]}, "chooses a profile"),
        (lambda: BatchCaller("openai", concurrency=0), {}, "concurrency"),
        (lambda: BatchCaller("openai", rpm=-1), {}, "rpm"),
        (lambda: BatchCaller("openai", tpm=0), {}, "tpm"),
        (lambda: BatchCaller({"provider": "openai", "api_key_cmd": "x"}), {}, "api_key_cmd"),
    ],
)  # fmt: skip
def test_a_wrong_setting_stops_the_job(
    make: Callable[[], BatchCaller], batch: Any, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        make()(batch)


class Array:
    """What a column is in numpy, as far as a caller may rely on it."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Any:
        return self.values[index]

    def tolist(self) -> list[Any]:
        return list(self.values)


def test_messages_come_as_arrays_with_the_keys_of_other_rows() -> None:
    question = Array({"role": "user", "content": "hello", "name": None})
    parts = Array({"type": "text", "text": "parts", "image_url": None})
    chats = Array(question, Array({"role": "user", "content": parts}), None, Array())
    batch = {"chat": chats, "question": Array("not asked", "nor this", "prompt", "empty chat")}
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        caller = caller_for(stand_in, prompt="question", messages="chat")
        answered = caller(batch)
    texts = ["answer to hello", "answer to parts", "answer to prompt", None]
    assert answered["text"] == texts
    assert answered["error_kind"] == [None, None, None, "usage"]
    assert answered["chat"] is chats


def test_batch_24_it_pickles_without_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It asks in another process, which reads the key itself, and which then ends quietly."""
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        table = {"provider": "openai", "endpoint": f"{stand_in.url}/v1", "model": "m"}
        lines = [f'{name} = "{value}"' for name, value in table.items()]
        profiles = tmp_path / "profiles.toml"
        profiles.write_text("\n".join(["[profiles.mine]", *lines, f'api_key = "{KEY}"']), "utf-8")
        profiles.chmod(0o600)
        monkeypatch.setenv("EASYLLM_PROFILES", str(profiles))
        monkeypatch.setenv("WORKER_KEY", KEY)
        own = Profile.of({**table, "api_key_env": "WORKER_KEY", "headers": {"x-key": "env:NO"}})
        for caller in (BatchCaller("mine"), BatchCaller(own.__replace__(headers=None))):
            assert caller(batch_of("here"))["text"] == ["answer to here"]
            pickled = pickle.dumps((caller, batch_of("there")))
            assert KEY.encode() not in pickled
            ran = subprocess.run(
                [sys.executable, "-W", "error", "-c", WORKER],
                input=pickled, cwd=ROOT, capture_output=True, timeout=60,
            )  # fmt: skip
            assert (ran.stdout, ran.stderr) == (b'["answer to there"] []\n', b"")
        sent = {request.headers["authorization"] for request in stand_in.requests}
    assert sent == {f"Bearer {KEY}"}
    assert pickle.loads(pickle.dumps(BatchCaller(own))).profile == own


@pytest.mark.parametrize(
    "secret",
    [{"api_key": KEY}, {"headers": {"Authorization": f"Bearer {KEY}"}},
     {"proxy": "http://me:password@127.0.0.1:9"}],
    ids=["key", "header", "proxy"],
)  # fmt: skip
def test_batch_24_a_profile_that_holds_a_key_is_not_pickled(secret: dict[str, Any]) -> None:
    caller = BatchCaller(Profile.of({"provider": "openai", **secret}))
    with pytest.raises(ConfigError, match="holds a key"):
        pickle.dumps(caller)


def test_threads_share_the_connections_and_a_forked_child_has_its_own() -> None:
    server = BatchServer(seconds=0.01)
    gc.collect()  # the callers of other tests
    before = {*threading.enumerate()}
    with StandIn(server.handle) as stand_in:
        server_threads = {*threading.enumerate()} - before
        ask_in_threads_and_in_a_child(caller_for(stand_in, concurrency=3), before)
        assert 1 < server.most_in_flight <= 3
        gc.collect()
        assert {*threading.enumerate()} - before == server_threads  # its thread has ended


def ask_in_threads_and_in_a_child(caller: BatchCaller, before: set[threading.Thread]) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda name: caller(batch_of(*[name] * 5))["text"], "abcd")
    assert [*answers] == [[f"answer to {name}"] * 5 for name in "abcd"]
    new_threads = {*threading.enumerate()} - before
    assert [each.name for each in new_threads].count(THREAD_NAME) == 1
    read, write = os.pipe()
    with (
        open(read, "rb"),
        open(write, "wb"),
        forked_child(lambda: os.write(write, caller(batch_of("child"))["text"][0].encode())),
    ):
        assert os.read(read, 100) == b"answer to child"
    assert caller(batch_of("parent"))["text"] == ["answer to parent"]


async def test_asked_from_an_event_loop_and_cancelled() -> None:
    server = BatchServer(seconds=0.01)
    with StandIn(server.handle) as stand_in:
        caller = caller_for(stand_in, concurrency=4)
        batches = await asyncio.gather(*(caller.acall(batch_of(*"abc")) for _ in range(3)))
        assert [each["text"] for each in batches] == [[f"answer to {name}" for name in "abc"]] * 3
        server.seconds = 60.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await caller.acall(batch_of(*"xyz"))
        async with asyncio.timeout(5):
            while sum(request.closed_at is not None for request in stand_in.requests) < 3:
                await asyncio.sleep(0.01)


def test_limits_of_its_own() -> None:
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        caller = BatchCaller(openai(stand_in, concurrency=2), rpm=600)
        began = time.monotonic()
        caller(batch_of(*map(str, range(20))))
    assert time.monotonic() - began >= 0.3  # 600 a minute: 16 at once, then one in 0.1 s
    assert server.most_in_flight <= 2
