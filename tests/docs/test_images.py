"""The images of the documents show what the program prints now."""

import html
import re

import pytest

from docs.make_terminal_image import EXAMPLES, FOLDER, ROWS, run_example
from tests.support import ROOT
from tests.support.binary import Easyllm

CELL = 12.2  # the width of a character in the SVG
# A word of the SVG: its column (in pixels), its row and its text.
WORD = re.compile(r'<text class="easyllm-r\d+" x="([\d.]+)"[^>]*-line-(\d+)\)">([^<\n]+)</text>')
CALL = re.compile(r"\b[0-9a-z]{16}  \d{4}-\d\d-\d\d \d\d:\d\d")
SECONDS = re.compile(r"\b\d+(\.\d)? s\b")
RATE = re.compile(r"\b[\d.]+k?(/s| tok/s)|ETA [\d:]+")


def read_rows(image: str) -> list[str]:
    """Return the rows of text that an SVG shows."""
    rows: list[str] = [""] * ROWS
    for x, row, word in WORD.findall(image):
        column = round(float(x) / CELL)
        rows[int(row)] = rows[int(row)].ljust(column) + html.unescape(word)
    return "\n".join(rows).rstrip("\n").split("\n")


def mask_seconds(rows: list[str]) -> list[str]:
    """Replace seconds, rates, and the id and time of a call, which differ in each run."""
    return [CALL.sub("ID  TIME", RATE.sub("RATE", SECONDS.sub("N s", row))) for row in rows]


@pytest.mark.parametrize("name", EXAMPLES)
def test_image_shows_what_the_commands_print(easyllm: Easyllm, name: str) -> None:
    shown = read_rows((FOLDER / name).read_text("utf-8"))
    screens = run_example(EXAMPLES[name], easyllm)
    printed = "\n\n".join("\n".join(screen.text()) for screen in screens).split("\n")
    assert len(printed) <= ROWS
    assert mask_seconds(shown) == mask_seconds(printed), "run: python -m docs.make_terminal_image"


def test_each_image_is_shown_once_and_no_other() -> None:
    pages = [ROOT / "README.md", *FOLDER.glob("*.md")]
    shown = [
        name
        for page in pages
        for name in re.findall(r"!\[[^]]+\]\((?:docs/)?(\w+\.svg)\)", page.read_text("utf-8"))
    ]
    assert sorted(shown) == sorted(EXAMPLES) == sorted(path.name for path in FOLDER.glob("*.svg"))
