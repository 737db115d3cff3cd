"""Recordings: attempts that are kept and answered from again, without any request.

`store` is the answer cache and `file` what --record writes and --replay reads; both keep an
`attempt` in one format (`line_format`), and `key` tells requests apart. Nothing here knows a Call:
pipeline/replay.py does, which answer_cache.py and record.py there belong to.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..config.profile import validate_setting
from ..config.setting_values import CACHE_OFF
from ..durations import parse_duration
from ..errors import UsageError

if TYPE_CHECKING:
    from .file import Recorder, Recording

StrPath = str | os.PathLike[str]


class Recordings:
    """The files and the cache that a command or an LLMService records to and replays from.

    `cache`: how long an answer is kept for, e.g. `24h`, or `off`; a profile's own `cache` comes
    first. `record`, `replay`: a file or a folder.
    Raises:
        UsageError: `record` and `replay` are both given, or one of them is "" or "-".
        ConfigError: `cache` is neither `off` nor a length of time above 0.
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
        self.cache: str | None = validate_setting("cache", cache)
        self.recorder: Recorder | None = None
        self.recording: Recording | None = None
        if record is not None:
            from .file import Recorder

            self.recorder = Recorder(record)
        elif replay is not None:
            from .file import Recording

            self.recording = Recording(replay)


def cache_seconds(cache: str | None) -> float | None:
    """The seconds of a `cache` such as `24h`, which was checked; None = not set, or `off`."""
    return None if cache is None or cache == CACHE_OFF else parse_duration(cache)
