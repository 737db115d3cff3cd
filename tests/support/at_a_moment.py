"""Sends a child process a signal at an audit event: an import, an open, a rename and so on."""

import signal
from pathlib import Path

# A sitecustomize.py for the child. Python's audit hook sees all these events, so the package
# itself needs no change.
HOOK = """
import os, signal, sys, time
event, wanted, number, left = os.environ["AT"].split("|")
left = [int(left)]
def hook(name, arguments):
    if left[0] and name == event and wanted in repr(arguments):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), int(number))
sys.addaudithook(hook)
if os.environ.get("SLOW_NAMES"):
    import socket
    socket.getaddrinfo = lambda *_, **__: time.sleep(30)
"""


def signal_hook_environment(
    home: Path, event: str, wanted: str = "", sent: signal.Signals = signal.SIGINT, nth: int = 1
) -> dict[str, str]:
    """Return the environment of a child that gets the signal at the nth such event.

    Only events whose arguments contain `wanted` count.
    """
    folder = home / "hook"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(folder), "AT": f"{event}|{wanted}|{int(sent)}|{nth}"}
