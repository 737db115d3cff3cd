"""The marks that model families write around their reasoning, and around the answer behind it.

A server that knows its model takes them out; others leave them in the text. Which family writes
which, and where that is documented: docs/reasoning-marks.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Words = tuple[str, ...]
Block = tuple[int, str | None, Words]  # as `block_at`
# What may stand before the answer behind a block, and what may end the answer.
Channel = tuple[Words, Words]
NO_CHANNEL: Channel = ((), ())

TAGS = (
    "think", "thinking", "thought", "Thought", "reasoning", "seed:think", "mm:think",
    "longcat_think", "think:opensource", "ifm|think", "ifm|think_fast", "ifm|think_faster",
)  # fmt: skip
_SOLAR: Channel = (("<|begin|>assistant<|content|>", "<|content|>"), ("<|end|>", "<|flush|>"))
_INKLING: Channel = (
    ("<|message_model|><|content_text|>", "<|content_text|>"),
    ("<|end_message|>", "<|content_model_end_sampling|>"),
)
_KIMI: Channel = (
    ("<|open|>response<|sep|>",),
    ("<|close|>response<|sep|>", "<|close|>message<|sep|>"),
)
# (opener, closer, channel); an empty opener: the chat template writes it, the model never does.
MARKS: tuple[tuple[str, str, Channel], ...] = (
    *((f"<{name}>", f"</{name}>", NO_CHANNEL) for name in TAGS),
    ("[THINK]", "[/THINK]", NO_CHANNEL),
    ("[unused16]", "[unused17]", ((), ("[unused10]",))),
    ("◁think▷", "◁/think▷", NO_CHANNEL),
    ("<|inner_prefix|>", "<|inner_suffix|>", NO_CHANNEL),
    ("<unused94>thought", "<unused95>", NO_CHANNEL),
    ("<|channel>thought", "<channel|>", ((), ("<turn|>",))),
    ("<|START_THINKING|>", "<|END_THINKING|>", (("<|START_RESPONSE|>",), ("<|END_RESPONSE|>",))),
    (
        "<|begin_of_thought|>",
        "<|end_of_thought|>",
        (("<|begin_of_solution|>",), ("<|end_of_solution|>",)),
    ),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>", _KIMI),
    ("<|think|>", "<|end|>", _SOLAR),
    ("<|content_thinking|>", "<|end_message|>", _INKLING),
    ("<|message_model|><|content_thinking|>", "<|end_message|>", _INKLING),
    ("", "[BEGIN FINAL RESPONSE]", ((), ("[END FINAL RESPONSE]",))),
)
# Harmony names the channel in a message's header: `<|start|>assistant<|channel|>final
# <|constrain|>json<|message|>`. All but `final` is reasoning.
STARTS = ("<|start|>assistant", "<|channel|>")
FINAL = "final"
CHANNELS = ("analysis", "commentary", FINAL)
HARMONY_ENDS = ("<|end|>", "<|return|>", "<|call|>")
# Headers that end a message of which the end was left out.
HEADERS = tuple(
    f"{start}<|channel|>{name}<|message|>" for start in ("", STARTS[0]) for name in CHANNELS
)

CLOSER_OF = {opener: closer for opener, closer, _ in MARKS if opener}
OPENERS = tuple(CLOSER_OF)
ENDS_OF = {closer: channel[1] for _, closer, channel in MARKS}
ANSWERS = {opener: ends for _, _, (openers, ends) in MARKS for opener in openers}
# Closers that tell by themselves that what stands before them was reasoning: one that may end an
# answer as well tells it only together with what begins the answer.
LONE = {closer: ends for closer, ends in ENDS_OF.items() if closer not in ends} | {
    "<|end|><|begin|>assistant<|content|>": _SOLAR[1],
    "<|end_message|><|message_model|><|content_text|>": _INKLING[1],
    f"<|end|>{STARTS[0]}<|channel|>{FINAL}<|message|>": HARMONY_ENDS,
}  # fmt: skip
WATCHED = OPENERS + tuple(LONE)

MESSAGE, CONSTRAIN = "<|message|>", "<|constrain|>"
RECIPIENT = r"\s*(?:to=[^\s<]*\s*)?"
DETAILS = rf"{RECIPIENT}(?:<\|constrain\|>)?\s*[a-z]*\s*"
HEADER = (
    rf"(?:<\|start\|>assistant{RECIPIENT})?"
    rf"(?:<\|channel\|>\s*({'|'.join(CHANNELS)}){DETAILS})?<\|message\|>"
)
ALL = (*WATCHED, *ANSWERS, *HARMONY_ENDS, *HEADERS, *sum(ENDS_OF.values(), ()))
LONGEST = max(map(len, ALL))
FIRST = "<[◁"  # what every mark begins with
FIRST_THREE = {mark[:size] for mark in ALL for size in (1, 2, 3)}
# Most of `<` and `[` in a text is passed over fast. (The pattern is compiled when a text needs it:
# most answers hold no mark.)
LIKELY = "|".join(re.escape(start) for start in sorted(FIRST_THREE) if len(start) == 3)


def holds_beginning(text: str) -> bool:
    """Whether a mark could begin somewhere in the text."""
    return "<" in text or "[" in text or "◁" in text


def marks_in(text: str, marks: Words) -> Iterator[tuple[int, str]]:
    """Where each of the marks stands in the text."""
    if not holds_beginning(text):
        return
    end = 0
    for match in re.finditer(LIKELY, text):
        at = match.start()
        if at >= end and text.startswith(marks, at):
            mark = next(mark for mark in marks if text.startswith(mark, at))
            yield at, mark
            end = at + len(mark)


def unfinished(text: str, marks: Words) -> int:
    """How many of the last characters could be the beginning of one of the marks."""
    tail = text[1 - LONGEST :]
    if not holds_beginning(tail):
        return 0
    for at, char in enumerate(tail):
        if char in FIRST and tail[at : at + 3] in FIRST_THREE and may_be_one(tail[at:], marks):
            return len(tail) - at
    return 0


def may_be_one(text: str, marks: Iterable[str]) -> bool:
    """Whether more text would make it one of the marks."""
    return any(len(mark) > len(text) and mark.startswith(text) for mark in marks)


def behind_ends(text: str, ends: Words, most: int) -> str:
    """The text behind the ends of an answer that it begins with, and white space among them.

    `most`: characters that are looked at.
    """
    at = 0
    while ends and at < most and text.startswith(ends, at):
        at += len(next(end for end in ends if text.startswith(end, at)))
        while at < len(text) and text[at].isspace():
            at += 1
    return text[at:]


def block_at(text: str) -> Block | None:
    """The block that the text begins with: its opener's length, its closer, the answer's ends.

    An answer has no closer (None); a message of harmony has "", for the ends of that grammar.
    """
    if text[:1] not in FIRST:
        return None
    if text.startswith(OPENERS):
        opener = next(one for one in OPENERS if text.startswith(one))
        return len(opener), CLOSER_OF[opener], ENDS_OF[CLOSER_OF[opener]]
    answer = next((one for one in ANSWERS if text.startswith(one)), None)
    if answer:
        return len(answer), None, ANSWERS[answer]
    header = re.match(HEADER, text) if text.startswith(STARTS) else None
    if header is None:
        return None
    return header.end(), None if header[1] in (None, FINAL) else "", HARMONY_ENDS


def may_be_block(text: str) -> bool:
    """Whether more text could make it begin with a block."""
    if text[:1] not in FIRST:
        return False
    return any(one.startswith(text) for one in (*OPENERS, *ANSWERS)) or may_be_header(text)


def may_be_header(text: str) -> bool:
    """Whether more text could make it begin with the header of a harmony message."""
    rest = text
    for start, details in zip(STARTS, (RECIPIENT, r"\s*"), strict=True):
        if start.startswith(rest):
            return True
        if rest.startswith(start):
            rest = _behind(details, rest[len(start) :])
    if rest == text:
        return False
    name = next((name for name in CHANNELS if rest.startswith(name)), None)
    if name is None:  # "t": of "to=" behind the role
        return any(one.startswith(rest) for one in (*CHANNELS, MESSAGE, "to="))
    rest = _behind(DETAILS, rest[len(name) :])
    return MESSAGE.startswith(rest) or CONSTRAIN.startswith(rest)


def _behind(pattern: str, text: str) -> str:
    match = re.match(pattern, text)
    return text[match.end() :] if match else text
