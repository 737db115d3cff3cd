"""A progress bar on a terminal's stderr, for what takes longer than a moment."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from .options import takes_color


class ProgressBar(AbstractContextManager["ProgressBar"]):
    """`show` draws how much is done, in bytes; leaving the block gives the terminal back."""

    def __init__(self, description: str, total_bytes: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        # The terminal's own 16 colours, which its owner has chosen to be readable.
        console = Console(stderr=True, color_system="standard" if takes_color(2, "auto") else None)
        self._progress = Progress(
            *columns, TimeRemainingColumn(), console=console, auto_refresh=False
        )
        self._task = self._progress.add_task(description, total=total_bytes)

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def show(self, done_bytes: int) -> None:
        self._progress.update(self._task, completed=done_bytes, refresh=True)

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()
