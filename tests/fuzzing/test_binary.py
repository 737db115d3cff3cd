"""The real command against damaged streams of each protocol: a documented end, nothing made up."""

import json

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from easyllm_cli.errors import EXIT_CODES
from tests.adapters import HTTP, Adapter
from tests.binary import Easyllm, only
from tests.fuzzing.mutations import mutated
from tests.fuzzing.test_frames import FRAMES, streamed
from tests.standins.script import Cut, Script, scripted
from tests.standins.server import StandIn

# A run takes 0.3 s: 2 a protocol in CI, at most 100 by hand; a failure is not made smaller.
RUNS = settings(max_examples=min(settings().max_examples // 50, 100), phases=[Phase.generate])


def damaged(adapter: Adapter, data: st.DataObject) -> bytes:
    """A stream with other JSON in it, or other bytes, or both."""
    frames = data.draw(mutated(FRAMES[adapter.id]))
    body = streamed(adapter, frames if isinstance(frames, list) else [frames])
    if data.draw(st.booleans()):
        where = data.draw(st.integers(0, len(body)))
        body = body[:where] + data.draw(st.binary(max_size=6)) + body[where:]
    return body


@pytest.mark.parametrize("adapter", HTTP, ids=lambda adapter: adapter.id)
@given(data=st.data(), cut=st.booleans(), command=st.sampled_from(["chat", "stream", "cot"]))
@RUNS
def test_damaged_streams(
    easyllm: Easyllm, adapter: Adapter, data: st.DataObject, cut: bool, command: str
) -> None:
    body = damaged(adapter, data)
    script = Script(body, *[Cut()] * cut, content_type=adapter.wire.content_type)
    for path in easyllm.partials():
        path.unlink()
    with StandIn(scripted(script)) as server:
        profiles = only(server, adapter.provider, api=adapter.api, max_retries=1)
        ran = easyllm.run(command, "-R", "hi", profiles=profiles)
        whole = easyllm.run("chat", "--json", "--no-retry", "hi", profiles=profiles)
    assert ran.code in EXIT_CODES
    assert ran.code != 1, ran.err
    assert "Traceback" not in ran.err
    # The same answer, told in JSON; without reasoning both are the same text.
    told = json.loads(whole.out)
    assert told["ok"] == (whole.code == 0)
    assert told["complete"] or not told["ok"], "no limit was set"
    assert whole.code == ran.code
    text = told["text"].encode("utf-8", "replace")
    shown = text + b"\n" * (bool(text) and not text.endswith(b"\n"))
    assert ran.out == (shown if command == "stream" or ran.code == 0 else b"")
    if ran.code:
        assert ran.err.count("\n") >= 1
        last = ran.err.splitlines()[-1]
        assert last.startswith("easyllm: ")
        kept = [path.read_bytes() for path in easyllm.partials()]
        assert command == "stream" or kept == [text] * bool(text)
