"""The real command against damaged streams of each protocol: documented exit codes, exact text."""

import asyncio
import json

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from easyllm_cli.errors import EXIT_CODES
from tests.fuzzing.canned import CannedTransport, provider_with, receive_answer
from tests.fuzzing.mutations import mutated_values
from tests.fuzzing.test_frames import FRAMES, encode_stream
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.binary import Easyllm, RunResult, single_profile_toml
from tests.support.standins.script import Cut, Script, script_handler
from tests.support.standins.server import StandIn

# A run takes 0.3 s, so CI runs 2 per protocol, and `long` at most 100. Failures are not shrunk.
RUNS = settings(max_examples=min(settings().max_examples // 25, 100), phases=[Phase.generate])


def damaged(adapter: Adapter, data: st.DataObject) -> bytes:
    """Draw a stream with other JSON in it, and perhaps other bytes."""
    frames = data.draw(mutated_values(FRAMES[adapter.id]))
    body = encode_stream(adapter, frames if isinstance(frames, list) else [frames])
    if data.draw(st.booleans()):
        where = data.draw(st.integers(0, len(body)))
        body = body[:where] + data.draw(st.binary(max_size=6)) + body[where:]
    return body


@pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)
@given(
    data=st.data(),
    cut=st.booleans(),
    command=st.sampled_from(["chat", "stream", "cot", "chat --json", "stream --jsonl"]),
)
@RUNS
def test_damaged_streams(
    easyllm: Easyllm, adapter: Adapter, data: st.DataObject, cut: bool, command: str
) -> None:
    body = damaged(adapter, data)
    received = asyncio.run(receive_answer(provider_with(adapter, CannedTransport([body]))))
    script = Script(body, *[Cut()] * cut, content_type=adapter.wire.content_type)
    for path in easyllm.partials():
        path.unlink()
    with StandIn(script_handler(script)) as server:
        profiles = single_profile_toml(server, adapter.provider, api=adapter.api, max_retries=1)
        ran = easyllm.run(*command.split(), "-R", "hi", profiles=profiles)
    assert ran.code in EXIT_CODES
    assert ran.code != 1, ran.stderr
    assert "Traceback" not in ran.stderr
    assert (ran.code == 0) <= received.done, "what is damaged is no success"
    if ran.code:
        assert ran.stderr.splitlines()[-1].startswith("easyllm: ")
    check_stdout(ran, command, received.text)
    kept = [path.read_bytes() for path in easyllm.partials()]
    lost = ran.code != 0 and command in ("chat", "cot")
    assert kept == [received.text.encode("utf-8", "replace")] * (lost and received.text != "")


def check_stdout(ran: RunResult, command: str, text: str) -> None:
    """Check that stdout is exactly the received text, or empty if `chat` or `cot` failed."""
    if "json" in command:
        last = json.loads(ran.stdout.splitlines()[-1])
        assert last["ok"] == (ran.code == 0)
        assert last["text"] == text
        return
    data = text.encode("utf-8", "replace")
    data += b"\n" * (data != b"" and not data.endswith(b"\n"))
    assert ran.stdout == (data if command == "stream" or ran.code == 0 else b"")
