"""Makes the images of the documents from real runs on a real terminal.

The answers are ours: a stand-in server streams them. Run it when what easyllm prints has changed:

.venv/bin/python -m docs.make_terminal_image
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.support.batches import whole_answer
from tests.support.binary import BINARY, RUN_TIMEOUT_SECONDS, Easyllm, profile_toml, wait_until
from tests.support.emulator import Emulator, emulate_terminal
from tests.support.pseudoterminal import Pty
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, chunk
from tests.support.standins.server import StandIn

FOLDER = Path(__file__).resolve().parent
COLUMNS, ROWS = 80, 24
SHOWN_PORT = b"11434"  # Ollama's
PAUSE = 0.045  # seconds between two words, as a model might need
LIMIT = "This model's maximum context length is 8192 tokens"
# Shows and runs each command like a shell with a prompt, and keeps $? for the next one.
SHELL = r"""
for line; do
    printf '\e[1;32m$\e[0;1m %s\e[0m\n' "$line"
    (exit $status); eval "$line"; status=$?
done
"""


@dataclass(frozen=True)
class Example:
    """Commands, and the answer that the stand-in gives to each question.

    `next_answer`: to all questions but the first. `reasoning` has two parts; the first image shows
    the screen between them. `is_kept`: with the history, which the other examples turn off.
    `row_count`: of reviews.jsonl, for a batch; the first image shows it when `row_pause` of them
    have ended. Every 47th is refused.
    """

    commands: tuple[str, ...]
    answer: str
    next_answer: str = ""
    is_kept: bool = False
    reasoning: tuple[str, str] = ("", "")
    finish: str = "stop"
    row_count: int = 0
    row_pause: int = 0


CHAT = Example(
    ('easyllm chat "How do I find the most common words of a text in Python?"',),
    """\
`collections.Counter` counts the items of any list. Split the text into words, \
count them, and ask for the **most common** ones:

- `lower()` makes *The* and *the* the same word.
- `findall` leaves out spaces and punctuation.
- `most_common(3)` returns three pairs of a word and its count.

```python
import re
from collections import Counter
from pathlib import Path

text = Path("book.txt").read_text()
words = re.findall(r"[a-z']+", text.lower())
for word, count in Counter(words).most_common(3):
    print(f"{count:6} {word}")
```
""",
)
ERROR = Example(
    (
        'easyllm chat "A script that archives ~/notes and checks the archive"',
        "echo $?",
        'easyllm chat -p openai:gpt-4o "Is it complete?"',
        "echo $?",
    ),
    """\
This script writes one archive a day, and compares it with your notes:

```bash
set -eu
mkdir -p ~/backup/check
archive=~/backup/notes-$(date +%F).tar.gz
tar -czf "$archive" -C ~ notes
tar -xzf "$archive" -C ~/backup/check
diff -r ~/notes ~/backup/check/notes
rm -rf ~/""",
    finish="length",
)
REASONING = Example(
    ('easyllm chat "Is 91 a prime number?"',),
    """\
No, 91 is **not prime**: 91 = 7 × 13.

It looks prime because the quick tests find nothing: it is odd, its digits add up \
to 10, and it does not end in 0 or 5.
""",
    reasoning=(
        "If 91 is not prime, it has a prime factor of at most √91, which is about 9.5. "
        "So I only have to try 2, 3, 5 and 7.\n\n91 is odd, so 2 is out. "
        "Its digits add up to 10, so 3 is out. It ends in 1, so 5 is out. Left is 7:",
        " 7 × 13 is 70 + 21 = 91. So it has the factors 7 and 13.",
    ),
)
HISTORY = Example(
    (
        'easyllm "Which moon of Jupiter has an ocean?"',
        'easyllm -c "How large is it?"',
        "easyllm history search ocean",
    ),
    "**Europa**: below its ice lies an ocean of salt water.\n",
    next_answer="It is 3,122 km across, a little less than our own moon.\n",
    is_kept=True,
)
BATCH = Example(
    ("easyllm batch --template 'Translate to French: {text}' reviews.jsonl fr.jsonl",),
    "Le clavier est agréable, et la batterie dure deux jours.",
    row_count=200,
    row_pause=131,
)
EXAMPLES = {
    "chat.svg": CHAT, "error.svg": ERROR, "reasoning.svg": REASONING, "history.svg": HISTORY,
    "batch.svg": BATCH,
}  # fmt: skip


class Answering:
    """The stand-in's handler for an example; it waits amid the reasoning or the rows for `resume`.

    `pause`: seconds between two words.
    """

    def __init__(self, example: Example, pause: float) -> None:
        self.resume = threading.Event()
        self._example, self._pause = example, pause
        self._count = 0  # requests so far

    async def __call__(self, request: Request, reply: Reply) -> None:
        self._count += 1
        if self._example.row_count:
            await self._answer_row(self._count, request, reply)
        else:
            await self._stream(reply, is_first=self._count == 1)

    async def _answer_row(self, number: int, request: Request, reply: Reply) -> None:
        await reply.sleep(self._pause * 10)
        if number > self._example.row_pause:
            await self._wait_for_resume(reply)
        if number % 47 == 0:
            await reply.json({"error": {"message": LIMIT, "code": "context_length_exceeded"}}, 400)
        else:
            prompt = request.json["messages"][-1]["content"]
            await reply.json(whole_answer("test-model", self._example.answer, prompt))

    async def _stream(self, reply: Reply, is_first: bool) -> None:
        before, after = (split_words(part) for part in self._example.reasoning)
        await reply.head(content_type="text/event-stream", chunked=True)
        for word in before:
            await reply.write(chunk(reasoning=word))
            await reply.sleep(self._pause)
        await self._wait_for_resume(reply)
        for word in after:
            await reply.write(chunk(reasoning=word))
            await reply.sleep(self._pause)
        for word in split_words(self._example.answer if is_first else self._example.next_answer):
            await reply.write(chunk(word))
        await reply.write(chunk(finish=self._example.finish) + DONE)
        await reply.end()

    async def _wait_for_resume(self, reply: Reply) -> None:
        while not self.resume.is_set():
            await reply.sleep(0.01)


def run_example(example: Example, easyllm: Easyllm, pause: float = 0.0) -> list[Emulator]:
    """Run the commands; return the screen amid the reasoning or the rows, and that at the end."""
    answering, screens = Answering(example, pause), []
    write_reviews(easyllm.home / "reviews.jsonl", example.row_count)
    with StandIn(answering) as server, Pty(COLUMNS, ROWS) as pty:
        child = start_shell(example, easyllm, server, pty.descriptor)
        try:
            if words := split_words(example.reasoning[0]):
                wait_until(lambda: pty.seen().text()[-1].endswith(words[-1]))
                screens.append(pty.seen())
            if example.row_count:
                count = f"{example.row_pause}/"
                wait_until(lambda: pty.seen().text()[-1].startswith(count), RUN_TIMEOUT_SECONDS)
                screens.append(pty.seen())
            answering.resume.set()
            child.wait(RUN_TIMEOUT_SECONDS)
        finally:
            child.kill()
            child.wait()
        port = str(urlsplit(server.url).port).encode()  # another one in each run
        output = pty.whole().replace(port, SHOWN_PORT)
        return [*screens, emulate_terminal(output, COLUMNS, ROWS)]


def write_reviews(path: Path, count: int) -> None:
    """Write a file with so many rows; none if it is 0."""
    if count:
        rows = [{"custom_id": f"r{number}", "text": "Nice keyboard"} for number in range(count)]
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def start_shell(
    example: Example, easyllm: Easyllm, server: StandIn, terminal: int
) -> subprocess.Popen[bytes]:
    """Start a shell on the terminal, which runs the commands; `easyllm` asks the server.

    The terminal is the shell's controlling one, so that -c knows it.
    """
    path = f"{Path(BINARY).parent}:{os.environ['PATH']}"
    return easyllm.start(
        *example.commands,
        command=["setsid", "--ctty", "--wait", "bash", "-c", SHELL, "bash"],
        profiles='default_profile = "ollama"\n' + profile_toml(server, name="ollama"),
        env={
            "PATH": path,
            "TERM": "xterm-256color",
            "EASYLLM_HISTORY": None if example.is_kept else "off",
        },
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )


def split_words(text: str) -> list[str]:
    """Split before each space."""
    return re.findall(r"\s*\S+|\s+$", text)


def style_text(screen: Emulator) -> Text:
    """Return the screen's text with its styles."""
    text = Text()
    for row, line in zip(screen.cells(), screen.text(), strict=False):
        cells = [row.get(column, screen.default_char) for column in range(len(line))]
        # Each word is placed by itself, so that no viewer can shift it.
        for (style, _), run in itertools.groupby(
            cells, lambda c: (convert_style(c), c.data == " ")
        ):
            text.append("".join(cell.data for cell in run), style)
        text.append("\n")
    return text


def convert_style(cell: Char) -> Style:
    """Return the style in which a cell was printed."""
    colour = cell.fg.replace("bright", "bright_").replace("brown", "yellow")
    return Style(
        color=colour,
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        dim=cell.blink,  # so the emulator records it
    )


def draw(screens: list[Emulator]) -> str:
    """Return an SVG with the screens below each other."""
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO())
    for number, screen in enumerate(screens):
        console.print("\n" * (number > 0), style_text(screen), sep="", end="")
    image = console.export_svg(title="easyllm", unique_id="easyllm")
    # No web font is loaded; the reader's own monospace font is used. Some viewers read only the
    # first name of a list of fonts.
    image = re.sub(r"@font-face \{.*?\}\s*", "", image, flags=re.DOTALL)
    return image.replace("Fira Code, monospace", "monospace")


def main() -> None:
    """Write all images."""
    for name, example in EXAMPLES.items():
        with tempfile.TemporaryDirectory() as home:
            screens = run_example(example, Easyllm(Path(home)), PAUSE)
        (FOLDER / name).write_text(draw(screens), "utf-8")


if __name__ == "__main__":
    main()
