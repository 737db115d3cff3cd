"""FAULT-62 with the real renderer: no control code of an answer reaches a pty."""

import re
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.render.markdown.live import LiveMarkdown
from easyllm_cli.render.output import OutputStream
from tests.fuzzing.mutations import cuts
from tests.support.emulator import emulate_terminal
from tests.support.pseudoterminal import Pty
from tests.unit.render.test_sanitize import FORBIDDEN, PAYLOADS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

# The renderer's own output; a terminal turns LF into CR LF.
OURS = re.compile(r"\x1b\[[0-9;]*m|\r?\x1b\[2K|\x1b\[\d*A|\x1b\[\?(?:7|2026)[hl]|\r\n")
MARKDOWN = [
    "\n",
    "\n\n",
    "- ",
    "> ",
    "```\n",
    "# ",
    "| a |\n|---|\n| ",
    "**",
    "`",
    "[a](",
    ")",
    "&#27;",
]
answers = st.lists(
    st.sampled_from([*PAYLOADS, *MARKDOWN, "words ", "日本", "e\u0301"]) | st.text(max_size=6),
    max_size=10,
).map("".join)


def render(parts: list[str], size: tuple[int, int]) -> bytes:
    with Pty(*size) as pty:
        live = LiveMarkdown(
            OutputStream(pty.descriptor, terminal=True), colored=True, frame_seconds=0
        )
        for part in parts:
            live.write(part)
        live.end()
        return pty.whole()


@given(text=answers, at=cuts, size=st.sampled_from([(80, 24), (20, 6), (4, 3)]))
def test_fault_62_any_answer_at_any_split(text: str, at: list[int], size: tuple[int, int]) -> None:
    """The answer is split between bytes, as chunks are; half a character is replaced."""
    raw = text.encode("utf-8", "surrogatepass")
    edges = sorted({0, len(raw), *(offset for offset in at if offset < len(raw))})
    parts = [raw[start:end].decode("utf-8", "replace") for start, end in pairwise(edges)]
    data = render(parts, size)
    rest = OURS.sub("", data.decode())
    assert not [char for char in rest if ord(char) in FORBIDDEN], rest
    assert emulate_terminal(data, *size).resting
