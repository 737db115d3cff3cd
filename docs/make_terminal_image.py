"""Makes docs/*.svg from real runs; needs the Python of a venv with the extra `local`.

PYTHONPATH=. .cache/extras-venv/bin/python docs/make_terminal_image.py
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.support.binary import BINARY
from tests.support.emulator import Emulator
from tests.support.images import png
from tests.support.pseudoterminal import Pty
from tests.support.servers import fixtures, setup

HERE = Path(__file__).resolve().parent
SIZE = (92, 50)
# An example answer in the conversation, so that the small model answers in this form.
FRUITS = """## Fruits

| Fruit | Color | Price |
|---|---|---:|
| Apple | red | 2 |
| Banana | yellow | 1 |

The code:

```python
def price(fruit):
    \"\"\"The price of a fruit.\"\"\"
    return PRICES[fruit]
```

- **Apple** is red
- **Banana** is yellow
"""
TALK = [
    {"role": "user", "content": "Fruits: a table and code"},
    {"role": "assistant", "content": FRUITS},
    {"role": "user", "content": "Animals: a table and code"},
]
TERMINAL = (
    'easyllm chat -p smol -t 0 -u --stop "- The code" --messages animals.json',
    'easyllm cot -p thinker "What is 2+2?"',
    'easyllm vision -p eyes red.png "What color is this image?"',
    "easyllm models -p eyes",
)
# The first commands after the install: no key, no server, no profiles file.
FIRST = (
    "easyllm pull --yes --quiet",  # --quiet: the path that it prints depends on the machine
    'easyllm chat "What is Python?" --max-tokens 60 -u',
    "easyllm help exit-codes",
)
THINKING = 'easyllm chat -p thinker "Why is the sky blue?"'


def profiles(stack: ExitStack) -> str:
    """The text of a profiles file for real servers, which run until the stack is closed."""
    thoughts = ("--template-file", fixtures.HERE / "think.jinja")
    grammar = ("--grammar-file", fixtures.HERE / "think.gbnf", "--reasoning", "deepseek")
    colours = ("--mmproj", setup.EYES, "--grammar-file", fixtures.HERE / "colours.gbnf")
    text = 'default_profile = "eyes"\n'
    for name, more in (("smol", ()), ("thinker", (*thoughts, *grammar)), ("eyes", colours)):
        url = stack.enter_context(
            fixtures.serving(f"image-{name}", "model", setup.MODEL, "--alias", name, *more)
        )
        text += f'[profiles.{name}]\nprovider = "llamacpp"\nendpoint = "{url}/v1"\n'
    return text


def on_a_terminal(command: str, folder: Path, columns: int = SIZE[0]) -> tuple[Emulator, Emulator]:
    """The last screen with live reasoning, and the screen when the command has ended."""
    path = f"{Path(BINARY).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(folder), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    if (folder / "profiles.toml").exists():
        env["EASYLLM_PROFILES"] = str(folder / "profiles.toml")
    with Pty(columns, SIZE[1]) as pty:
        child = subprocess.Popen(
            ["bash", "-c", command], cwd=folder, env=env, stdin=pty.descriptor,
            stdout=pty.descriptor, stderr=pty.descriptor,
        )  # fmt: skip
        live = pty.seen()
        while child.poll() is None:
            now = pty.seen()
            live = now if any(row.startswith("│ ") for row in now.text()) else live
            time.sleep(0.01)
        pty.whole()
        return live, pty.seen()


def as_text(screen: Emulator) -> Text:
    """The screen's text with its styles."""
    text = Text()
    for row, line in zip(screen.cells(), screen.text(), strict=False):
        for column in range(len(line)):
            cell = row.get(column)
            if cell is None:
                text.append(" ")
                continue
            name = cell.fg.replace("bright", "bright_").replace("brown", "yellow")
            colour = None if name == "default" else name
            style = Style(
                color=colour, bold=cell.bold, italic=cell.italics, underline=cell.underscore,
                dim=cell.blink,
            )  # fmt: skip
            text.append(cell.data, style)
        text.append("\n")
    return text


def write(name: str, console: Console) -> None:
    image = console.export_svg(title="easyllm")
    # No web font is loaded; the reader's own monospace font is used.
    image = re.sub(r"@font-face \{.*?\}\s*", "", image, flags=re.DOTALL)
    (HERE / name).write_text(image, "utf-8")


def console() -> Console:
    return Console(record=True, width=SIZE[0], force_terminal=True, file=io.StringIO())


def shown(name: str, commands: tuple[str, ...], folder: Path) -> None:
    """Write an image of commands that run one after the other."""
    made = console()
    for command in commands:
        made.print(Text(f"$ {command}", "bold"))
        made.print(as_text(on_a_terminal(command, folder)[1]), soft_wrap=False)
    write(name, made)


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        shown("first-minute.svg", FIRST, Path(home))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "red.png").write_bytes(png(32, 32, (255, 0, 0)))
        (folder / "animals.json").write_text(json.dumps(TALK), "utf-8")
        (folder / "profiles.toml").write_text(profiles(stack), "utf-8")
        shown("terminal.svg", TERMINAL, folder)
        thinking = console()
        for moment in on_a_terminal(THINKING, folder, columns=60):
            thinking.print(Text(f"$ {THINKING}", "bold"))
            thinking.print(as_text(moment), soft_wrap=False)
        write("reasoning.svg", thinking)


if __name__ == "__main__":
    main()
