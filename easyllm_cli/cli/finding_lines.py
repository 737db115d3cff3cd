"""Prints a finding of `easyllm doctor`: as one line, or in rows on a terminal."""

from __future__ import annotations

from ..diagnostics.probe import Finding
from ..render.notices import lay_out
from ..render.options import (
    DIM_CODE,
    GREEN_CODE,
    RED_CODE,
    is_terminal,
    paint,
    takes_color,
    takes_layout,
    terminal_size,
)
from ..render.output import OutputStream
from ..render.sanitize import sanitize_text
from ..secret import redact

STATUS_LABELS = {True: "ok", False: "fail", None: "--"}
LACKING_LABEL = "-"  # known, and no failure
LABEL_COLORS = {"ok": GREEN_CODE, "fail": RED_CODE, "--": DIM_CODE, LACKING_LABEL: DIM_CODE}
SHOWN_NAMES = {"name": "dns"}  # what people call a check, if not by its name in JSON
TEXT_COLUMN = 15  # where the text begins
MIN_COLUMNS = 60  # on a narrower terminal the rows below are indented less
NARROW_INDENT = 5


def print_finding(finding: Finding, color: str) -> None:
    """Print a finding on stdout; raises as `OutputStream.write`. `color`: --color."""
    label, parts = format_finding(finding)
    if takes_layout(1, color):
        parts = [sanitize_text(part) for part in parts]
    if is_terminal(1):
        parts = lay_out_finding(parts, terminal_size(1)[0])
        text = "\n".join(parts)
    else:
        text = " ".join(parts)
    if takes_color(1, color):
        text = paint(label, LABEL_COLORS[label]) + text.removeprefix(label)
    OutputStream(1, terminal=False).write_raw(f"{text}\n")


def format_finding(finding: Finding) -> tuple[str, list[str]]:
    """The label, and the parts of the line, which begins with it: the finding and the hint."""
    label = LACKING_LABEL if finding.lacking else STATUS_LABELS[finding.ok]
    name = SHOWN_NAMES.get(finding.name, finding.name)
    texts = [finding.text or finding.message, finding.hint]
    message, hint = (redact(" ".join(text.split())) for text in texts)
    line = f"{label:<4} {name:<9} {message}"
    return label, [f"{line}:", hint] if hint else [line]


def lay_out_finding(parts: list[str], width: int) -> list[str]:
    """The rows of a finding on a terminal, at most `width` cells wide."""
    return lay_out(parts, width, " " * (TEXT_COLUMN if width >= MIN_COLUMNS else NARROW_INDENT))
