"""Makes docs/terminal.svg from real runs: PYTHONPATH=. python docs/make_terminal_picture.py"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.binary import BINARY
from tests.pictures import png
from tests.servers import fixtures, setup

HERE = Path(__file__).resolve().parent
COMMANDS = (
    'easyllm cot -p thinker "What is 2+2?"',
    'easyllm vision red.png "What color is this image?"',
    'easyllm chat -p smol --max-tokens 32 -u "What is Python?"',
    "easyllm chat -p openai -m gpt-4o hello",
)


def profiles(stack: ExitStack) -> str:
    """A profiles file for the real servers, which run until the stack is closed."""
    thoughts = ("--template-file", fixtures.HERE / "think.jinja")
    grammar = ("--grammar-file", fixtures.HERE / "think.gbnf", "--reasoning", "deepseek")
    colours = ("--mmproj", setup.EYES, "--grammar-file", fixtures.HERE / "colours.gbnf")
    made = 'default_profile = "eyes"\n'
    for name, more in (("smol", ()), ("thinker", (*thoughts, *grammar)), ("eyes", colours)):
        url = stack.enter_context(
            fixtures.serving(f"picture-{name}", "model", setup.MODEL, "--alias", name, *more)
        )
        made += f'[profiles.{name}]\nprovider = "llamacpp"\nendpoint = "{url}/v1"\n'
    return made


def on_a_terminal(command: str, folder: Path) -> str:
    """What the command writes to a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    path = f"{Path(BINARY).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "100"}
    env["EASYLLM_PROFILES"] = str(folder / "profiles.toml")
    child = subprocess.Popen(
        ["bash", "-c", command], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65_536):
            said += piece
    except OSError:  # Linux ends a pty with EIO
        pass
    child.wait(60)
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def main() -> None:
    console = Console(record=True, width=100, force_terminal=True, file=io.StringIO())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "red.png").write_bytes(png(32, 32, (255, 0, 0)))
        (folder / "profiles.toml").write_text(profiles(stack), "utf-8")
        for command in COMMANDS:
            console.print(Text(f"$ {command}", "bold"))
            console.print(Text.from_ansi(on_a_terminal(command, folder)), soft_wrap=False)
    picture = console.export_svg(title="easyllm")
    # No font is fetched from anywhere: the reader's own monospace one is good enough.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (HERE / "terminal.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
