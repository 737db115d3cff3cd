"""`easyllm compare` on real terminals: side by side, one below the other, and as it grows."""

import sys
import threading

import pytest

from tests.support.binary import BINARY, Easyllm, profile_toml
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, chunk, script_handler, usage_chunk
from tests.support.standins.server import StandIn
from tests.support.terminal import SGR, run_on_terminals
from tests.support.tmux import Tmux

from .test_compare import CUT, GOOD, OTHER, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no tmux there")
BOTH = ("-p", "a", "-p", "b")


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_screen(easyllm: Easyllm, columns: int) -> None:
    with serving(easyllm, a=GOOD, b=OTHER):
        code, out, err = run_on_terminals(easyllm, "compare", *BOTH, "hi", columns=columns)
    lines = SGR.sub("", out).splitlines()
    if columns == 120:
        assert lines[0].split() == ["a", "a-model", "│", "b", "b-model"]
        assert lines[2].split("│")[0].split() == ["Hello", "you"]
        assert lines[2].split("│")[1] == " Hi | there"
    else:
        assert lines[:7] == ["a  a-model", "", "Hello you", "", "b  b-model", "", "Hi | there"]
    table = lines[4 if columns == 120 else 8 :]
    assert table[0].split()[0] == "profile"
    assert [row.split()[0] for row in table[2:4]] == ["a", "b"]
    assert (code, "Hm" in out + err) == (0, False)
    assert "\x1b[1mHello" in out or "\x1b[1myou" in out


def test_no_colour_and_a_terminal_that_moves_no_cursor(easyllm: Easyllm) -> None:
    with serving(easyllm, a=GOOD, b=CUT):
        env = {"NO_COLOR": "1"}
        code, out, _ = run_on_terminals(easyllm, "compare", *BOTH, "hi", env=env)
        assert (code, "\x1b[3" in out, "\x1b[1m" in out) == (9, False, True)
        code, out, err = run_on_terminals(easyllm, "compare", *BOTH, "hi", env={"TERM": "dumb"})
        assert (code, "\x1b" in out + err) == (9, False)
        always = easyllm.run("compare", *BOTH, "--color", "always", "hi", env={"COLUMNS": "200"})
    assert b"\x1b[1mb  \x1b[0;2mb-model\x1b[0m\n\nHel\n" in always.stdout  # never side by side


def test_answers_grow_together_and_survive_a_resize(easyllm: Easyllm) -> None:
    """After the preview each answer stands on the screen once, in the width of the end."""
    shown, resized = threading.Event(), threading.Event()
    words = "".join(f"word{number} " for number in range(40))

    async def answer(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        name = request.json["model"]
        await reply.write(chunk(f"Begun{name} {words}"))
        for event in (shown, resized):
            while not event.is_set():
                await reply.sleep(0.05)
            await reply.write(chunk(f"more{name} "))
        for frame in (chunk("end", finish="stop"), usage_chunk(1, 50), DONE):
            await reply.write(frame)

    with StandIn(answer) as server, Tmux(easyllm.home, 120, 24) as window:
        profiles = "".join(profile_toml(server, name=name, model=name) for name in ("A", "B"))
        easyllm.write_profiles(profiles)
        env = {**easyllm.variables(), "TERM": "xterm-256color"}
        window.start([BINARY, "compare", "-p", "A", "-p", "B", "hi"], env)
        text = window.wait_for("BegunB")
        assert [line for line in text.splitlines() if "BegunA" in line and "│ BegunB" in line]
        assert "A · answering" in text
        shown.set()
        window.wait_for("moreB")
        window.resize(60, 24)
        window.wait_for("BegunB")
        window.resize(140, 24)
        resized.set()
        text = window.wait_for("ENDED")
    final = text[text.rindex("BegunA") :]
    assert final.splitlines()[0].index("│ BegunB") == 69
    assert final.count("word39") == final.count(" end") == 2
    assert "answering" not in final


def test_ctrl_c_clears_the_preview(easyllm: Easyllm) -> None:
    async def answer(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(chunk("Partial"))
        await reply.sleep(30)

    with (
        StandIn(answer) as slow,
        StandIn(script_handler(GOOD)) as fast,
        Tmux(easyllm.home, 100, 20) as window,
    ):
        easyllm.write_profiles(
            profile_toml(slow, name="a") + profile_toml(fast, name="b", history="off")
        )
        env = {**easyllm.variables(), "TERM": "xterm-256color"}
        window.start([BINARY, "compare", *BOTH, "hi"], env)
        window.wait_for("finished")
        window.press("C-c")
        text = window.wait_for("ENDED")
    assert "finished" not in text
    assert text.count("Partial") == 1
    assert "incomplete: interrupted" in text
    assert text.rstrip().splitlines()[-2:] == ["easyllm: interrupted", "ENDED"]
