"""How a batch says what it does: one line that is redrawn on a terminal, and a table at the end."""

from __future__ import annotations

from collections.abc import Mapping

from ..dollars import format_dollars
from .options import terminal_size
from .output import OutputStream, print_notice, shorten_server_text
from .sanitize import sanitize_text

MAX_MESSAGE_CHARS = 100
CLEAR_LINE = "\r\x1b[K"


class BatchFigures:
    """What a progress line says; None = not known. `left`, `pause`: seconds; `pause` 0 = none.

    `rate`: rows a second; `token_rate`: tokens a second. `projected`: the cost of all rows.
    """

    done = failed = in_flight = 0
    total: int | None = None
    rate = token_rate = 0.0
    left: float | None = None
    cost: float | None = None
    projected: float | None = None
    max_cost: float | None = None
    pause = 0.0


def format_figures(figures: BatchFigures, width: int | None = None) -> str:
    """`1,234/2,000 62 % · 34 failed · 64 in flight · 412/s · ETA 0:02 · $0.41 of $5.00`.

    `width`: in cells; what matters least is left out where it is too narrow. None = any.
    """
    parts = _parts(figures)
    for name in ("projected", "tokens", "in flight", "rate"):
        if width is not None and len(" · ".join(parts.values())) > width:
            parts.pop(name, None)
    return " · ".join(parts.values())


def _parts(figures: BatchFigures) -> dict[str, str]:
    """The parts of the line, by a name."""
    parts = {"count": f"{figures.done:,}"}
    if figures.total is not None:
        percent = 100 * figures.done // figures.total if figures.total else 100
        parts["count"] += f"/{figures.total:,} {percent} %"
    if figures.failed:
        parts["failed"] = f"{figures.failed:,} failed"
    if figures.in_flight:
        parts["in flight"] = f"{figures.in_flight} in flight"
    parts["rate"] = f"{_format_rate(figures.rate)}/s"
    if figures.token_rate >= 1:
        parts["tokens"] = f"{_format_rate(figures.token_rate)} tok/s"
    if figures.pause > 0:
        parts["wait"] = f"waiting {figures.pause:.0f} s: the server asked"
    elif figures.left is not None:
        parts["left"] = f"ETA {format_clock(figures.left)}"
    if figures.cost is not None and (figures.cost or figures.max_cost is not None):
        parts["cost"] = format_amount(figures.cost)
        if figures.max_cost is not None:
            parts["cost"] += f" of {format_amount(figures.max_cost)}"
        if figures.projected is not None:
            parts["projected"] = f"about {format_amount(figures.projected)} in all"
    return parts


def format_amount(dollars: float) -> str:
    return f"${format_dollars(dollars)}"


def _format_rate(rate: float) -> str:
    if rate >= 10_000:
        return f"{rate / 1000:.0f}k"
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def format_clock(seconds: float) -> str:
    """`0:02`, `12:40` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class LiveLine:
    """One line on stderr, a terminal, that is written over itself."""

    def __init__(self) -> None:
        self._stderr = OutputStream(2, terminal=False)
        self._is_shown = False

    def show(self, figures: BatchFigures) -> None:
        """Show the figures, as many as fit into the width of the terminal."""
        width = terminal_size(2)[0] - 1
        text = format_figures(figures, width)
        text = text if len(text) <= width else text[: max(0, width - 1)] + "…"
        self._stderr.write_raw(CLEAR_LINE + sanitize_text(text))
        self._is_shown = True

    def clear(self) -> None:
        """Remove the line, so that something else can be printed."""
        if self._is_shown:
            self._stderr.write_raw(CLEAR_LINE)
            self._is_shown = False


def print_error_table(errors: Mapping[str, int], messages: Mapping[str, str]) -> None:
    """Print on stderr how many rows failed with each kind of error, and the first message."""
    width = max(map(len, errors), default=0)
    numbers = max((len(f"{count:,}") for count in errors.values()), default=0)
    for kind, count in sorted(errors.items(), key=lambda item: -item[1]):
        message = shorten_server_text(messages.get(kind, ""))
        if len(message) > MAX_MESSAGE_CHARS:
            message = message[: MAX_MESSAGE_CHARS - 1] + "…"
        print_notice(f"  {kind:{width}}  {count:>{numbers},}  {message}", wraps=False)
