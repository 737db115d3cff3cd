"""Reading: what the rules of `task.py` see of a prompt: its instruction, and a given text."""

from __future__ import annotations

import re

READ_CHARS = 1500  # of the beginning and of the end of a prompt
INSTRUCTION_CHARS = 320  # of the beginning and of the end of the part that says what to do
MIN_GIVEN_CHARS = 20
LONGER = 1.2  # how many times as long as the instruction another paragraph is, to be the given text
# Patterns are compiled when used, as each takes up to 1 ms and few prompts need all.
WORD = r"[a-zà-ɏ]+[+#]*|[^\W\d_]+"  # Latin letters end where others begin
NUMBER = r"[0-9]+"
EXPRESSION = (
    r"[\d)x²³] ?[+*^=×÷] ?[\d(x-]|\d [-/] \d|\d/\d+ |\d ?%"
    r"|\\(?:frac|int|sum|sqrt|mathbb)\b|[a-z]\(x\)|\b(?:sqrt|log|ln|sin|cos|tan|exp)\("
)
# A call, a dotted call, snake_case, camelCase, an operator of programs, a command's long option.
IDENTIFIER = (
    r"(?m)\b[a-z]\w{3,}\(|\w\.\w+\(|\b[a-z]+_[a-z_]+\b|\b[a-z]{2,}[A-Z]\w+"
    r"|[!=]=|&&|\|\||->|;$| --[a-z]+"
)
QUOTES = '"“”„«»「」'
QUOTED = rf"(?s)[{QUOTES}].{{25,}}[{QUOTES}]"


class Reading:
    """What the rules see of a prompt.

    `sample`: its beginning and end. `instruction`: the part that says what to do, in lower case;
    `words`: its words; `spaced`: the same with single spaces between and around. `has_text`:
    whether a text to work on is given, too; `is_long`: in a paragraph of its own. `is_question`:
    whether the instruction is one.
    """

    def __init__(self, prompt: str) -> None:
        prompt = prompt.strip()
        is_short = len(prompt) <= 2 * READ_CHARS
        self.sample = prompt if is_short else f"{prompt[:READ_CHARS]}\n\n{prompt[-READ_CHARS:]}"
        paragraphs = [part for part in self.sample.split("\n\n") if part.strip()]
        instruction, self.is_long = _find_instruction(paragraphs or [""])
        has_quotes = any(quote in instruction for quote in QUOTES)
        outside = re.sub(QUOTED, " ", instruction) if has_quotes else instruction
        head, colon, rest = _split_at_colon(outside)
        is_behind_colon = colon and len(rest) >= max(MIN_GIVEN_CHARS, len(head) / 2)
        if is_behind_colon:
            outside = head
        self.has_text = self.is_long or is_behind_colon or outside != instruction
        if len(outside) > 2 * INSTRUCTION_CHARS:
            outside = f"{outside[:INSTRUCTION_CHARS]}\n{outside[-INSTRUCTION_CHARS:]}"
        self.instruction = outside.lower()
        self.words = re.findall(WORD, self.instruction)
        self.spaced = f" {' '.join(self.words)} "
        self.is_question = self.instruction.rstrip(" .").endswith(("?", "？"))


def _find_instruction(paragraphs: list[str]) -> tuple[str, bool]:
    """The part of a prompt that says what to do, and whether another part is a text to work on."""
    first, last = paragraphs[0], paragraphs[-1]
    if len(paragraphs) == 1:
        line, _, below = first.partition("\n")
        if below and len(below) > LONGER * len(line):
            return line, True
        return first, False
    instruction, other = sorted((first, last), key=len)
    if first.rstrip().endswith((":", "：")) and len(first) <= INSTRUCTION_CHARS:
        instruction, other = first, last
    elif len(paragraphs) == 2 and len(other) < LONGER * len(instruction):
        instruction = f"{first}\n{last}"
    return instruction, True


def _split_at_colon(text: str) -> tuple[str, bool, str]:
    """What stands before and behind the first colon with a blank behind it, and whether it has one.

    A colon behind a digit may be a time.
    """
    for number, char in enumerate(text):
        is_followed = text[number + 1 : number + 2].isspace()
        if char in ":：" and is_followed and not text[:number][-1:].isdigit():
            return text[:number], True, text[number + 1 :].lstrip()
    return text, False, ""
