"""Recordings: attempts that are kept and answered from again, without any request.

`store` is the answer cache and `file` what --record writes and --replay reads; both have one form
(`form`), and `key` tells requests apart. Nothing here knows a Call: pipeline/replay.py does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..durations import parse_duration
from ..errors import UsageError

if TYPE_CHECKING:
    from .file import Recorder, Recording

CACHE_OFF = "off"
StrPath = str | os.PathLike[str]


class Recordings:
    """The files and the cache that a command or an LLMService records to and replays from.

    `cache`: how long an answer is kept for, e.g. `24h`, or `off`; a profile's own `cache` comes
    first. `record`, `replay`: a file or a folder.
    Raises:
        UsageError: `record` and `replay` are both given, one of them is "" or "-", or `cache` is
            no length of time.
    """

    def __init__(
        self,
        cache: str | None = None,
        record: StrPath | None = None,
        replay: StrPath | None = None,
    ) -> None:
        if record is not None and replay is not None:
            raise UsageError("record and replay do not go together", hint="choose one")
        for name, path in (("record", record), ("replay", replay)):
            if path is not None and os.fspath(path) in ("", "-"):
                raise UsageError(
                    f'{name} takes a file or a folder, not "{os.fspath(path)}"',
                    hint="e.g. answers.jsonl",
                )
        cache_seconds(cache)
        self.cache = cache
        self.recorder: Recorder | None = None
        self.recording: Recording | None = None
        if record is not None:
            from .file import Recorder

            self.recorder = Recorder(record)
        elif replay is not None:
            from .file import Recording

            self.recording = Recording(replay)


def cache_seconds(cache: str | None) -> float | None:
    """The seconds of a `cache` such as `24h`; None = not set, or `off`.

    Raises:
        UsageError: it is no length of time.
    """
    if cache is None or cache == CACHE_OFF:
        return None
    seconds = parse_duration(cache)
    if seconds is None:
        raise UsageError(
            f'"{cache[:40]}" is no time for a cache', hint='e.g. 30m, 24h or 7d, or "off"'
        )
    return seconds
