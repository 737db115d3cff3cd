"""Measures live Markdown: CPU and bytes, compared with rich.live.Live of the whole text.

    python benchmarks/render.py [--slow] [--json]

It draws one frame for every 8 tokens (about 15 a second with a fast model) on 80 columns and 24
rows. The exit code does not depend on the figures; run it by hand, not in CI. --slow also draws 16k
characters with rich.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from easyllm_cli.render.markdown.live import LiveMarkdown
from tests.support.answers import generate_answer, split_into_tokens
from tests.support.counting_stream import CountingStream

SIZES = (1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18)
TOGETHER = 8  # tokens to a frame
ROUNDS = 3  # the fastest one counts
AIM, BYTES, GROWTH = 0.25, 8.0, 1.5
PER = 10_000  # characters


def ours(parts: Iterable[str]) -> int:
    """Draw a frame for each part with easyllm; returns the bytes written."""
    stream = CountingStream()
    live = LiveMarkdown(stream, colored=True, frame_seconds=0)
    for part in parts:
        live.write(part)
    live.end()
    os.close(stream.descriptor)
    return stream.bytes


def richs(parts: Iterable[str]) -> int:
    """The same with rich, which parses and lays out the whole text for each frame."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="standard", width=80, height=24)
    text = ""
    with Live(console=console, auto_refresh=False) as live:
        for part in parts:
            text += part
            live.update(Markdown(text), refresh=True)
    return len(file.getvalue().encode())


def measure_drawing(draw: Any, length: int, rounds: int) -> dict[str, float]:
    """Seconds of CPU and bytes for an answer of `length` characters."""
    parts = split_into_tokens(generate_answer(length), TOGETHER)
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        written = draw(parts)
        best = min(best, time.process_time() - began)
    return {"cpu_s": best, "cpu_s_per_10k": best / length * PER, "bytes_per_char": written / length}


def row(name: str, length: int, found: dict[str, float]) -> None:
    print(
        f"{name:10}{length:>9,}{found['cpu_s']:>10.3f}{found['cpu_s_per_10k']:>12.3f}"
        f"{found['bytes_per_char']:>14.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--slow", action="store_true", help="also draw 16k characters with rich")
    parser.add_argument("--json", action="store_true", help="also print the figures as JSON")
    asked = parser.parse_args()
    for variable in ("COLUMNS", "LINES"):
        os.environ.pop(variable, None)
    print(f"load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    print(f"{'':10}{'characters':>9}{'CPU s':>9}{'s per 10k':>12}{'bytes/char':>14}")
    found = {size: measure_drawing(ours, size, ROUNDS if size < SIZES[-1] else 1) for size in SIZES}
    for size, figures in found.items():
        row("easyllm", size, figures)
    naive = {size: measure_drawing(richs, size, 1) for size in SIZES[: 3 if asked.slow else 2]}
    for size, figures in naive.items():
        row("rich Live", size, figures)
        print(f"{'':10}{'':9} {figures['cpu_s'] / found[size]['cpu_s']:.0f} x our CPU")
    worst = max(one["cpu_s_per_10k"] for one in found.values())
    grown = found[SIZES[-1]]["cpu_s_per_10k"] / found[SIZES[2]]["cpu_s_per_10k"]
    print(f"CPU per 10,000 characters: {worst:.3f} s at most (aim {AIM}: {verdict(worst <= AIM)})")
    print(
        f"256k against 16k, per character: {grown:.2f} x (aim {GROWTH}: {verdict(grown <= GROWTH)})"
    )
    print(f"bytes a character at 64k: at most {BYTES:.0f} (tests/unit/render/markdown)")
    if asked.json:
        print(json.dumps({"easyllm": found, "rich": naive}))


def verdict(kept: bool) -> str:
    return "ok" if kept else "MISSED"


if __name__ == "__main__":
    main()
