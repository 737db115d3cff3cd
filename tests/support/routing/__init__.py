"""Our own labelled prompts for the rules of routing/task.py, written for this purpose.

None is taken from a public set. A line `=== TASK` begins a prompt. The rules were made with
`tuned`. `held_out` is half of the first prompts, drawn by chance: its errors were never looked at,
but who wrote the rules had written it. `unseen` was written after the rules, and only measured.
What the labels mean:

- code: make, change, explain or repair a program, a query, a command or a configuration
- math: a result that is computed or proved
- translate: from one human language into another
- summarize: say a given text in fewer words
- extract: take data out of a given text, sort it or turn it into another form
- write: a text for readers, or a better form of one
- chat: everything else: knowledge (also about computing), advice, plans, opinions, small talk
"""

import re
from pathlib import Path

SETS = ("tuned", "held_out", "unseen")


def labelled_prompts(name: str) -> list[tuple[str, str]]:
    """The task and the text of each prompt of a set."""
    text = Path(__file__).with_name(f"{name}.txt").read_text("utf-8")
    pieces = re.split(r"^=== (\w+)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(pieces[::2], (piece.strip("\n") for piece in pieces[1::2]), strict=True))
