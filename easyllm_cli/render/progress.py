"""Progress bar of a download, on stderr."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from .options import takes_color


class ProgressBar(AbstractContextManager["ProgressBar"]):
    """Context manager that shows a progress bar of `total_bytes` bytes."""

    def __init__(self, description: str, total_bytes: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        # Only the terminal's own 16 colours: users choose themes in which these are readable.
        console = Console(stderr=True, color_system="standard" if takes_color(2, "auto") else None)
        self._progress = Progress(
            *columns, TimeRemainingColumn(), console=console, auto_refresh=False
        )
        self._task = self._progress.add_task(description, total=total_bytes)

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def show(self, done_bytes: int) -> None:
        """Redraw the bar with this many bytes done."""
        self._progress.update(self._task, completed=done_bytes, refresh=True)

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()
