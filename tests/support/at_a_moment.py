"""Send a child signals at an exact moment of its own: when it imports, opens, renames something."""

import signal
from pathlib import Path

# Python tells an audit hook about all these; nothing of the product is touched.
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
    """The environment of a child that gets the signal at the nth such event; `wanted` stands in
    the event's arguments."""
    folder = home / "hook"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(folder), "AT": f"{event}|{wanted}|{int(sent)}|{nth}"}
