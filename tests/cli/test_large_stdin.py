"""A large stdin that leaves this machine is noted with its size; to a local server it is not."""

import pytest

from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

NOTE = "easyllm: stdin is 1.0 MB: all of it is sent\n"


@pytest.mark.parametrize(("size", "note"), [(1_000_001, NOTE), (1_000_000, "")])
def test_size_is_noted(easyllm: Easyllm, size: int, note: str) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profiles = single_profile_toml("http://far.invalid/v1", proxy=server.url)
        ran = easyllm.run("chat", "hi", stdin=b"x" * size, profiles=profiles)
        assert len(server.requests[0].json["messages"][0]["content"]) > size
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"Hello\n", note)


def test_a_local_server_is_not_elsewhere_but_its_fallback_is(easyllm: Easyllm) -> None:
    data = b"x" * 2_000_000
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        ran = easyllm.run("chat", "hi", stdin=data, profiles=single_profile_toml(server))
        profiles = single_profile_toml(server, fallback=["openrouter"])
        noted = easyllm.run("chat", "--json", "hi", stdin=data, profiles=profiles)
    assert (ran.code, ran.stderr) == (0, "")
    assert noted.json["notes"] == ["stdin is 2.0 MB: all of it is sent"]
