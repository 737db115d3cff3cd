"""Resizes during an answer, in a real tmux: no row is lost or doubled."""

import re
import sys
import threading

import pytest

from tests.support.binary import BINARY, Easyllm, run_concurrently, single_profile_toml
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, chunk
from tests.support.standins.server import StandIn
from tests.support.tmux import Tmux

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no tmux there")

FILLER = "and some more words behind it"


def marks(first: int, last: int) -> list[str]:
    return [f"Mark{number:03}" for number in range(first, last)]


def paragraph(first: int, last: int) -> str:
    """One long line, which stays unfinished until the end."""
    return " ".join(f"{mark} {FILLER}" for mark in marks(first, last)) + " "


def items(first: int, last: int) -> str:
    return "".join(f"- {mark} {FILLER} {FILLER} {FILLER}\n" for mark in marks(first, last))


def rows(first: int, last: int) -> str:
    return "".join(f"| {mark} | {FILLER} | {FILLER} |\n" for mark in marks(first, last))


def code(first: int, last: int) -> str:
    return "".join(f'x = "{mark} {FILLER} {FILLER}"  # {FILLER}\n' for mark in marks(first, last))


def quoted(first: int, last: int) -> str:
    return "".join(f"> {mark} {FILLER}\n" for mark in marks(first, last))


HEAD = "# A title\n\nAn introduction with some words.\n\n"
KINDS = {
    "paragraph": (HEAD, paragraph),
    "items": (HEAD, items),
    "rows": (HEAD + "| Mark | Filler | More |\n|---|---|---|\n", rows),
    "code": (HEAD + "```python\n", code),
    "quote": (HEAD, quoted),
}
# Columns and rows at the start, in the middle and at the end.
SIZES = {
    "narrow and wide": [(100, 24), (60, 24), (120, 24)],
    "wide and narrow": [(60, 24), (120, 24), (50, 24)],
    "low and high": [(100, 24), (100, 10), (100, 40)],
    "high and low": [(90, 12), (90, 40), (90, 8)],
    "both ways": [(100, 30), (50, 12), (90, 40)],
}


def long_cells(first: int, last: int) -> str:
    """Rows that take two lines each at 80 columns."""
    return "".join(f"| {mark} | {FILLER} {FILLER} | {FILLER} |\n" for mark in marks(first, last))


def stream_with_resizes(
    easyllm: Easyllm, before: int, parts: list[str], sizes: list[tuple[int, int]]
) -> str:
    """The answer in parts, a resize between each two of them; all that tmux then holds.

    `before`: number of lines that are on the screen already.
    """
    gates = [threading.Event() for _ in parts]

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        for part, gate in zip(parts, gates, strict=True):
            while not gate.is_set():
                await reply.sleep(0.01)
            for at in range(0, len(part), 40):
                await reply.write(chunk(part[at : at + 40]))
        await reply.write(chunk(finish="stop") + DONE)

    with StandIn(handler) as server, Tmux(easyllm.home, *sizes[0]) as tmux:
        easyllm.write_profiles(single_profile_toml(server))
        env = easyllm.variables({"TERM": "tmux-256color", "TMUX": "1"})
        tmux.start(["sh", "-c", f'seq -f "Line%03g." {before}; "$0" chat hi', BINARY], env)
        for part, gate, size in zip(parts, gates, sizes, strict=True):
            if size != sizes[0] or gate is not gates[0]:
                tmux.resize(*size)
            gate.set()
            tmux.wait_for(re.findall(r"Mark\d+", part)[-1])
        return tmux.wait_for("ENDED")


# At the bottom the screen scrolls with every row. At the top it does not at first, which is tried
# with one block that is rewrapped and with one that is laid out anew.
@pytest.mark.parametrize(
    ("before", "kind"),
    [
        pytest.param(
            before, kind, id=f"{'at the bottom' if before else 'at the top'}-{kind}",
            marks=() if before or kind in ("paragraph", "rows") else pytest.mark.full,
        )
        for before in (0, 60)
        for kind in KINDS
    ],
)  # fmt: skip
def test_resize_during_a_stream(easyllm: Easyllm, kind: str, before: int) -> None:
    head, body = KINDS[kind]
    parts = [head + body(0, 9), body(9, 16), body(16, 24)]
    homes = [easyllm.with_new_home() for _ in SIZES]
    texts = run_concurrently(
        *[
            lambda home=home, sizes=sizes: stream_with_resizes(home, before, parts, sizes)
            for home, sizes in zip(homes, SIZES.values(), strict=True)
        ]
    )
    for way, text in zip(SIZES, texts, strict=True):
        assert re.findall(r"Mark\d+", text) == marks(0, 24), f"{way}\n{text}"
        lines = [f"Line{one:03}" for one in range(1, before + 1)]
        assert re.findall(r"Line\d+", text) == lines, f"{way}\n{text}"
        assert text.count("A title") == 1, way
        assert text.count("An introduction") == 1, way


@pytest.mark.parametrize("before", [0, 60], ids=["at the top", "at the bottom"])
def test_a_resize_in_a_table_that_is_longer_than_the_screen(easyllm: Easyllm, before: int) -> None:
    """No row stands twice, and each in its place."""
    head = HEAD + "| Mark | Filler | More |\n|---|---|---|\n"
    ways = [[(80, 24), (50, 24), (90, 24)], [(120, 30), (45, 30), (45, 12)]]
    parts = [head + long_cells(0, 30), long_cells(30, 33), long_cells(33, 36) + "\nend\n"]
    homes = [easyllm.with_new_home() for _ in ways]
    texts = run_concurrently(
        *[
            lambda home=home, sizes=sizes: stream_with_resizes(home, before, parts, sizes)
            for home, sizes in zip(homes, ways, strict=True)
        ]
    )
    for way, text in zip(ways, texts, strict=True):
        assert re.findall(r"Mark\d+", text) == marks(0, 36), f"{way}\n{text}"
        assert text.count("More") == text.count("A title") == 1, f"{way}\n{text}"
