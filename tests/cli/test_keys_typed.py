"""Keys in the middle of an answer, in a real tmux: Enter, Ctrl-Z and fg leave no row behind."""

import re
import sys
import threading
import time

import pytest

from tests.support.binary import BINARY, Easyllm, single_profile_toml
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, chunk
from tests.support.standins.server import StandIn
from tests.support.tmux import Tmux

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no tmux there")

# A shell with jobs whose line to type at is ours: what it prints is the same everywhere.
SHELL = 'set -m; "$0" chat hi; read line; $line'
HEAD = "# A title\n\n| Mark | Filler |\n|---|---|\n"


def rows(first: int, last: int) -> str:
    return "".join(f"| Mark{number:03} | words {'x' * number} |\n" for number in range(first, last))


@pytest.mark.parametrize("count", [4, 40], ids=["on the screen", "longer than the screen"])
def test_enter_and_ctrl_z(easyllm: Easyllm, count: int) -> None:
    parts = [rows(0, count), rows(count, count + 2), rows(count + 2, count + 4)]
    gates = [threading.Event() for _ in parts]

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(chunk(HEAD))
        for part, gate in zip(parts, gates, strict=True):
            while not gate.is_set():
                await reply.sleep(0.01)
            await reply.write(chunk(part))
        await reply.write(chunk(finish="stop") + DONE)

    def send(tmux: Tmux, part: int) -> None:
        gates[part].set()
        tmux.wait_for(re.findall(r"Mark\d+", parts[part])[-1])

    with StandIn(handler) as server, Tmux(easyllm.home, 80, 24) as tmux:
        easyllm.write_profiles(single_profile_toml(server))
        env = easyllm.variables({"TERM": "tmux-256color", "TMUX": "1"})
        tmux.start(["bash", "--norc", "-c", SHELL, BINARY], env)
        send(tmux, 0)
        tmux.press("Enter")
        time.sleep(0.1)
        send(tmux, 1)
        tmux.press("C-z")
        stopped = tmux.wait_for("Stopped")
        assert "Mark" not in stopped, stopped
        tmux.press("fg", "Enter")
        tmux.wait_for(f"Mark{count + 1:03}")
        send(tmux, 2)
        text = tmux.wait_for("ENDED")
    assert re.findall(r"Mark\d+", text) == [f"Mark{number:03}" for number in range(count + 4)], text
    assert text.count("Filler") == text.count("A title") == 1, text
