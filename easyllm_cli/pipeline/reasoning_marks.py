"""The marks that model families write around their reasoning, and around the answer behind it.

A server that knows its model takes them out; others leave them in the text. Which family writes
which, and where that is documented: docs/reasoning-marks.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Marks = tuple[str, ...]
BlockStart = tuple[int, str | None, Marks]  # as `block_at`
# What may stand before the answer behind a block, and what may end the answer.
AnswerMarks = tuple[Marks, Marks]
NO_ANSWER_MARKS: AnswerMarks = ((), ())

TAG_NAMES = (
    "think", "thinking", "thought", "Thought", "reasoning", "seed:think", "mm:think",
    "longcat_think", "think:opensource", "ifm|think", "ifm|think_fast", "ifm|think_faster",
)  # fmt: skip
_SOLAR: AnswerMarks = (("<|begin|>assistant<|content|>", "<|content|>"), ("<|end|>", "<|flush|>"))
_INKLING: AnswerMarks = (
    ("<|message_model|><|content_text|>", "<|content_text|>"),
    ("<|end_message|>", "<|content_model_end_sampling|>"),
)
_KIMI: AnswerMarks = (
    ("<|open|>response<|sep|>",),
    ("<|close|>response<|sep|>", "<|close|>message<|sep|>"),
)
# (opener, closer, channel); an empty opener: the chat template writes it, the model never does.
REASONING_MARKS: tuple[tuple[str, str, AnswerMarks], ...] = (
    *((f"<{name}>", f"</{name}>", NO_ANSWER_MARKS) for name in TAG_NAMES),
    ("[THINK]", "[/THINK]", NO_ANSWER_MARKS),
    ("[unused16]", "[unused17]", ((), ("[unused10]",))),
    ("◁think▷", "◁/think▷", NO_ANSWER_MARKS),
    ("<|inner_prefix|>", "<|inner_suffix|>", NO_ANSWER_MARKS),
    ("<unused94>thought", "<unused95>", NO_ANSWER_MARKS),
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
HARMONY_STARTS = ("<|start|>assistant", "<|channel|>")
FINAL_CHANNEL = "final"
HARMONY_CHANNELS = ("analysis", "commentary", FINAL_CHANNEL)
HARMONY_ENDS = ("<|end|>", "<|return|>", "<|call|>")
# Headers that end a message of which the end was left out.
HARMONY_HEADERS = tuple(
    f"{start}<|channel|>{name}<|message|>"
    for start in ("", HARMONY_STARTS[0])
    for name in HARMONY_CHANNELS
)

CLOSER_BY_OPENER = {opener: closer for opener, closer, _ in REASONING_MARKS if opener}
OPENERS = tuple(CLOSER_BY_OPENER)
ANSWER_ENDS_BY_CLOSER = {closer: channel[1] for _, closer, channel in REASONING_MARKS}
ANSWER_ENDS_BY_OPENER = {
    opener: ends for _, _, (openers, ends) in REASONING_MARKS for opener in openers
}
# Closers that tell by themselves that what stands before them was reasoning: one that may end an
# answer as well tells it only together with what begins the answer.
ANSWER_ENDS_BY_LONE_CLOSER = {
    closer: ends for closer, ends in ANSWER_ENDS_BY_CLOSER.items() if closer not in ends
} | {
    "<|end|><|begin|>assistant<|content|>": _SOLAR[1],
    "<|end_message|><|message_model|><|content_text|>": _INKLING[1],
    f"<|end|>{HARMONY_STARTS[0]}<|channel|>{FINAL_CHANNEL}<|message|>": HARMONY_ENDS,
}  # fmt: skip
OPENERS_AND_LONE_CLOSERS = OPENERS + tuple(ANSWER_ENDS_BY_LONE_CLOSER)

MESSAGE_TOKEN, CONSTRAIN_TOKEN = "<|message|>", "<|constrain|>"
RECIPIENT_PATTERN = r"\s*(?:to=[^\s<]*\s*)?"
CHANNEL_DETAILS_PATTERN = rf"{RECIPIENT_PATTERN}(?:<\|constrain\|>)?\s*[a-z]*\s*"
HARMONY_HEADER_PATTERN = (
    rf"(?:<\|start\|>assistant{RECIPIENT_PATTERN})?"
    rf"(?:<\|channel\|>\s*({'|'.join(HARMONY_CHANNELS)}){CHANNEL_DETAILS_PATTERN})?<\|message\|>"
)
ALL_MARKS = (
    *OPENERS_AND_LONE_CLOSERS,
    *ANSWER_ENDS_BY_OPENER,
    *HARMONY_ENDS,
    *HARMONY_HEADERS,
    *sum(ANSWER_ENDS_BY_CLOSER.values(), ()),
)
MAX_MARK_CHARS = max(map(len, ALL_MARKS))
MARK_FIRST_CHARS = "<[◁"  # what every mark begins with
MARK_PREFIXES = {mark[:size] for mark in ALL_MARKS for size in (1, 2, 3)}
# Most of `<` and `[` in a text is passed over fast. (The pattern is compiled when a text needs it:
# most answers hold no mark.)
MARK_START_PATTERN = "|".join(
    re.escape(start) for start in sorted(MARK_PREFIXES) if len(start) == 3
)


def may_contain_mark(text: str) -> bool:
    """Whether a mark could begin somewhere in the text."""
    return "<" in text or "[" in text or "◁" in text


def find_marks(text: str, marks: Marks) -> Iterator[tuple[int, str]]:
    """Where each of the marks stands in the text."""
    if not may_contain_mark(text):
        return
    end = 0
    for match in re.finditer(MARK_START_PATTERN, text):
        at = match.start()
        if at >= end and text.startswith(marks, at):
            mark = next(mark for mark in marks if text.startswith(mark, at))
            yield at, mark
            end = at + len(mark)


def partial_mark_length(text: str, marks: Marks) -> int:
    """How many of the last characters could be the beginning of one of the marks."""
    tail = text[1 - MAX_MARK_CHARS :]
    if not may_contain_mark(tail):
        return 0
    for at, char in enumerate(tail):
        if (
            char in MARK_FIRST_CHARS
            and tail[at : at + 3] in MARK_PREFIXES
            and is_mark_prefix(tail[at:], marks)
        ):
            return len(tail) - at
    return 0


def is_mark_prefix(text: str, marks: Iterable[str]) -> bool:
    """Whether more text would make it one of the marks."""
    return any(len(mark) > len(text) and mark.startswith(text) for mark in marks)


def strip_answer_ends(text: str, ends: Marks, max_chars: int) -> str:
    """The text behind the ends of an answer that it begins with, and white space among them.

    `most`: characters that are looked at.
    """
    at = 0
    while ends and at < max_chars and text.startswith(ends, at):
        at += len(next(end for end in ends if text.startswith(end, at)))
        while at < len(text) and text[at].isspace():
            at += 1
    return text[at:]


def parse_block_start(text: str) -> BlockStart | None:
    """The block that the text begins with: its opener's length, its closer, the answer's ends.

    An answer has no closer (None); a message of harmony has "", for the ends of that grammar.
    """
    if text[:1] not in MARK_FIRST_CHARS:
        return None
    if text.startswith(OPENERS):
        opener = next(one for one in OPENERS if text.startswith(one))
        return (
            len(opener),
            CLOSER_BY_OPENER[opener],
            ANSWER_ENDS_BY_CLOSER[CLOSER_BY_OPENER[opener]],
        )
    answer = next((one for one in ANSWER_ENDS_BY_OPENER if text.startswith(one)), None)
    if answer:
        return len(answer), None, ANSWER_ENDS_BY_OPENER[answer]
    header = re.match(HARMONY_HEADER_PATTERN, text) if text.startswith(HARMONY_STARTS) else None
    if header is None:
        return None
    return header.end(), None if header[1] in (None, FINAL_CHANNEL) else "", HARMONY_ENDS


def is_block_prefix(text: str) -> bool:
    """Whether more text could make it begin with a block."""
    if text[:1] not in MARK_FIRST_CHARS:
        return False
    return any(
        one.startswith(text) for one in (*OPENERS, *ANSWER_ENDS_BY_OPENER)
    ) or is_header_prefix(text)


def is_header_prefix(text: str) -> bool:
    """Whether more text could make it begin with the header of a harmony message."""
    rest = text
    for start, details in zip(HARMONY_STARTS, (RECIPIENT_PATTERN, r"\s*"), strict=True):
        if start.startswith(rest):
            return True
        if rest.startswith(start):
            rest = _strip_match(details, rest[len(start) :])
    if rest == text:
        return False
    name = next((name for name in HARMONY_CHANNELS if rest.startswith(name)), None)
    if name is None:  # "t": of "to=" behind the role
        return any(one.startswith(rest) for one in (*HARMONY_CHANNELS, MESSAGE_TOKEN, "to="))
    rest = _strip_match(CHANNEL_DETAILS_PATTERN, rest[len(name) :])
    return MESSAGE_TOKEN.startswith(rest) or CONSTRAIN_TOKEN.startswith(rest)


def _strip_match(pattern: str, text: str) -> str:
    match = re.match(pattern, text)
    return text[match.end() :] if match else text
