"""Names the terminal of this process, so that `-c` continues the conversation of the same one.

Apart from conversation.py, because every answer is kept with it, and this imports nothing else.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

# Fields of /proc/PID/stat behind the command's name, which may hold blanks: proc_pid_stat(5).
TERMINAL_FIELD, START_TIME_FIELD = 4, 19


def terminal_id() -> str | None:
    """Names this terminal: session, device, and on Linux when the session's first process started.

    None = no controlling terminal, e.g. in a cron job.
    """
    if not hasattr(os, "getsid"):  # Windows
        return None
    session = os.getsid(0)
    if sys.platform != "linux":
        for descriptor in (2, 1, 0):
            with suppress(OSError):
                return f"{session}:{os.ttyname(descriptor)}"
        return None
    device = _process_field("self", TERMINAL_FIELD)
    if device in ("", "0"):
        return None
    return f"{session}:{device}:{_process_field(str(session), START_TIME_FIELD)}"


def _process_field(process: str, number: int) -> str:
    """A field of /proc/PID/stat, counted behind the command's name; "" = not readable."""
    try:
        text = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
        return text.rpartition(")")[2].split()[number]
    except (IndexError, OSError):
        return ""
