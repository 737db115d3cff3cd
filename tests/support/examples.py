"""Runs the examples of the documents as they stand, answered from committed recordings.

There is no key and no network. `RECORD_EXAMPLES=1 python -m pytest tests/docs/test_readme.py
tests/docs/test_recipes.py`, after the files in tests/docs/recordings were removed, makes them anew:
tests/support/standins/examples.py answers then.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import ROOT
from tests.support.binary import BINARY

IS_RECORDING = bool(os.environ.get("RECORD_EXAMPLES"))
FOLDER = ROOT / "tests" / "docs" / "recordings"
# A request that left this machine would fail: nothing listens there.
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
# Replaces jq where it is not installed: the only form that the examples use.
JQ = "import json, sys; print(json.load(sys.stdin)[sys.argv[2][1:]])"


@contextmanager
def recorded(name: str) -> Iterator[dict[str, str]]:
    """Yield the variables with which the examples of a document are answered."""
    path = str(FOLDER / f"{name}.jsonl")
    if not IS_RECORDING:
        yield {"EASYLLM_REPLAY": path, **NO_NETWORK}
        return
    from tests.support.standins.examples import answer
    from tests.support.standins.server import StandIn

    with StandIn(answer) as server:
        yield {
            "EASYLLM_RECORD": path,
            "OLLAMA_HOST": server.url,
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "OPENAI_API_KEY": "k",
            "OPENROUTER_BASE_URL": f"{server.url}/api/v1",
            "OPENROUTER_API_KEY": "k",
        }


def install_tools(home: Path) -> str:
    """Make a folder of commands, with `easyllm` and those that differ between machines.

    Returns the PATH that the examples need.
    """
    tools = home / "tools"
    tools.mkdir()
    (tools / "easyllm").symlink_to(BINARY)
    write_command(tools / "uname", "#!/bin/sh\necho Linux host 6.1.0 x86_64 GNU/Linux\n")
    if shutil.which("jq") is None:
        write_command(tools / "jq", f"#!{sys.executable}\n{JQ}\n")
    return f"{tools}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"


def write_command(path: Path, code: str) -> None:
    path.write_text(code)
    path.chmod(0o755)
