"""Generates Markdown answers of any length, and splits them into pieces of a token's length."""

import random
import re
from collections.abc import Callable

PROSE = (
    "the model reads a prompt and returns tokens which the client should show as they arrive "
    "without waiting for the whole answer because latency matters more than throughput when a "
    "person is watching the screen and every retry must keep what was already printed intact "
    "while errors are reported on the standard error stream configuration profile provider "
    "adapter timeout backoff request response header cache session"
)
WORDS = PROSE.split()
IDEOGRAPHS = (
    "模型逐字返回答案终端必须保持宽字符对齐不闪烁日本語の文章も正しく表示する한국어도마찬가지"
)
EMOJI = ("🚀", "✅", "⚠️", "🇫🇷", "👍🏽", "👩‍💻")
CODE: dict[str, Callable[[random.Random, int], str]] = {
    "python": lambda r, n: (
        f'def {word(r)}_{n}(x, y={n}):\n    return x.{word(r)}("{word(r)}", {n})  # {word(r)}'
    ),
    "bash": lambda r, n: (
        f'export {word(r).upper()}_{n}="$({word(r)} --{word(r)} {n} | head -n {n})"'
    ),
    "json": lambda r, n: f'  "{word(r)}{n}": [{n}, true, null, "{word(r)}"],',
    "rust": lambda r, n: f"let mut {word(r)}{n}: Vec<u8> = {word(r)}::new({n}); // {word(r)}",
}


def word(r: random.Random) -> str:
    return r.choice(WORDS)


def sentence(r: random.Random, length: int = 0) -> str:
    words = [word(r) for _ in range(length or r.randint(8, 18))]
    at = r.randrange(len(words))
    chosen, kind = words[at], r.random()
    if kind < 0.25:
        words[at] = f"**{chosen}**"
    elif kind < 0.45:
        words[at] = f"`{chosen}()`"
    elif kind < 0.5:
        words[at] = f"[{chosen}](https://example.com/{chosen}?q={at})"
    elif kind < 0.55:
        words[at] = f"*{chosen}*"
    elif kind < 0.6:
        words[at] = r.choice(EMOJI)
    text = " ".join(words)
    return f"{text[0].upper()}{text[1:]}."


def paragraph(r: random.Random) -> str:
    return " ".join(sentence(r) for _ in range(r.randint(2, 5)))


def heading(r: random.Random) -> str:
    return "#" * r.choice([1, 2, 2, 3]) + " " + sentence(r, 4)[:-1]


def code(r: random.Random, lines: int = 0) -> str:
    language = r.choice(list(CODE))
    body = "\n".join(CODE[language](r, n) for n in range(lines or r.randint(4, 18)))
    return f"```{language}\n{body}\n```"


def bullets(r: random.Random) -> str:
    lines: list[str] = []
    for _ in range(r.randint(3, 7)):
        lines.append(f"- **{word(r)}**: {sentence(r)}")
        if r.random() < 0.3:
            lines += [f"  - {sentence(r, 7)}" for _ in range(r.randint(1, 3))]
    return "\n".join(lines)


def numbered(r: random.Random) -> str:
    lines: list[str] = []
    for number in range(r.randint(3, 12)):
        lines.append(f"{number + 1}. {sentence(r)}")
        if r.random() < 0.2:
            lines.append("\n" + re.sub("^", "   ", code(r, 3), flags=re.MULTILINE) + "\n")
    return "\n".join(lines)


def table(r: random.Random) -> str:
    rows = ["| Name | Value | Notes |", "|:---|---:|---|"]
    rows += [
        f"| {word(r)} | {r.randint(1, 99999)} | {sentence(r, 5)} |" for _ in range(r.randint(3, 9))
    ]
    return "\n".join(rows)


def quote(r: random.Random) -> str:
    return f"> {sentence(r)}\n> {sentence(r)}"


def ideographs(r: random.Random) -> str:
    text = "".join(r.choice(IDEOGRAPHS) for _ in range(r.randint(40, 120)))
    return f"{text}。{r.choice(EMOJI)}"


KINDS: dict[Callable[[random.Random], str], float] = {
    paragraph: 6, code: 3, bullets: 3, numbered: 2, table: 1.2, quote: 0.6, ideographs: 0.6,
    lambda r: "---": 0.3,
}  # fmt: skip


def generate_answer(length: int, seed: int = 1) -> str:
    """Return exactly `length` characters of mixed Markdown; the same seed gives the same text."""
    r = random.Random(seed)
    blocks: list[str] = []
    size = 0
    while size < length:
        block = (
            heading(r)
            if len(blocks) % 7 == 0
            else r.choices(list(KINDS), list(KINDS.values()))[0](r)
        )
        blocks.append(block)
        size += len(block) + 2
    return "\n\n".join(blocks)[:length]


def split_into_tokens(text: str, together: int = 1) -> list[str]:
    """Split the text into tokens of 4 characters on average, and join `together` of them each."""
    tokens = re.findall(r"\n+|[ ]?[A-Za-z0-9_]{1,7}|[ ]?[^A-Za-z0-9_\n]{1,3}", text)
    pieces = ["".join(tokens[at : at + together]) for at in range(0, len(tokens), together)]
    assert "".join(pieces) == text
    return pieces
