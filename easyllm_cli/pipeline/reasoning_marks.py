"""Finds the marks that models write around reasoning and answer, such as `<think>`.

Some servers remove the marks, others leave them in the text. docs/reasoning-marks.md lists the
models that write each mark, with sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

Marks = tuple[str, ...]
BlockStart = tuple[int, str | None, Marks]  # see `parse_block_start`
# Marks that may open the answer after a reasoning block, and marks that may end the answer.
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
# (opener, closer, answer marks). Empty opener: the chat template writes it, the model never does.
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
# Harmony (the format of gpt-oss) names the channel in a message's header:
# `<|start|>assistant<|channel|>final <|constrain|>json<|message|>`. Only `final` is the answer.
HARMONY_STARTS = ("<|start|>assistant", "<|channel|>")
FINAL_CHANNEL = "final"
HARMONY_CHANNELS = ("analysis", "commentary", FINAL_CHANNEL)
HARMONY_ENDS = ("<|end|>", "<|return|>", "<|call|>")
# Headers that also end the message before them, if its end mark is missing.
HARMONY_HEADERS = tuple(
    f"{start}<|channel|>{name}<|message|>"
    for start in ("", HARMONY_STARTS[0])
    for name in HARMONY_CHANNELS
)

CLOSER_BY_OPENER = {opener: closer for opener, closer, _ in REASONING_MARKS if opener}
OPENERS = tuple(CLOSER_BY_OPENER)
ANSWER_ENDS_BY_CLOSER = {closer: answer_marks[1] for _, closer, answer_marks in REASONING_MARKS}
ANSWER_ENDS_BY_OPENER = {
    opener: ends for _, _, (openers, ends) in REASONING_MARKS for opener in openers
}
# Lone closers: they turn the text before them into reasoning even without an opener. A closer that
# may also end an answer counts only together with the mark that opens the answer.
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
MARK_FIRST_CHARS = "<[◁"  # every mark begins with one of these
MARK_PREFIXES = {mark[:size] for mark in ALL_MARKS for size in (1, 2, 3)}
# The first 3 characters of every mark: skips most `<` and `[` of a text fast. The pattern is
# compiled at first use, because most answers contain no mark.
MARK_START_PATTERN = "|".join(
    re.escape(start) for start in sorted(MARK_PREFIXES) if len(start) == 3
)


def may_contain_mark(text: str) -> bool:
    """Whether a mark could begin somewhere in the text."""
    return "<" in text or "[" in text or "◁" in text


def find_marks(text: str, marks: Marks) -> Iterator[tuple[int, str]]:
    """Each mark in the text, as (position, mark). Matches do not overlap."""
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
    """How many characters at the end of the text could be the start of one of the marks."""
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
    """Whether the text is the incomplete start of one of the marks."""
    return any(len(mark) > len(text) and mark.startswith(text) for mark in marks)


def strip_answer_ends(text: str, ends: Marks, max_chars: int) -> str:
    """The text without the end marks, and the white space between them, that it begins with.

    `max_chars`: an end mark that starts at or after this position stays.
    """
    at = 0
    while ends and at < max_chars and text.startswith(ends, at):
        at += len(next(end for end in ends if text.startswith(end, at)))
        while at < len(text) and text[at].isspace():
            at += 1
    return text[at:]


def parse_block_start(text: str) -> BlockStart | None:
    """The block at the start of the text as (opener length, closer, end marks of the answer).

    The closer is None for an answer, and "" for reasoning in harmony, which HARMONY_ENDS close.
    None = no block.
    """
    if text[:1] not in MARK_FIRST_CHARS:
        return None
    if text.startswith(OPENERS):
        opener = next(mark for mark in OPENERS if text.startswith(mark))
        return (
            len(opener),
            CLOSER_BY_OPENER[opener],
            ANSWER_ENDS_BY_CLOSER[CLOSER_BY_OPENER[opener]],
        )
    answer_mark = next((mark for mark in ANSWER_ENDS_BY_OPENER if text.startswith(mark)), None)
    if answer_mark:
        return len(answer_mark), None, ANSWER_ENDS_BY_OPENER[answer_mark]
    header = re.match(HARMONY_HEADER_PATTERN, text) if text.startswith(HARMONY_STARTS) else None
    if header is None:
        return None
    return header.end(), None if header[1] in (None, FINAL_CHANNEL) else "", HARMONY_ENDS


def is_block_prefix(text: str) -> bool:
    """Whether the text could be the start of a block."""
    if text[:1] not in MARK_FIRST_CHARS:
        return False
    return any(
        mark.startswith(text) for mark in (*OPENERS, *ANSWER_ENDS_BY_OPENER)
    ) or is_header_prefix(text)


def is_header_prefix(text: str) -> bool:
    """Whether the text could be the start of a harmony message's header."""
    rest = text
    for start, details in zip(HARMONY_STARTS, (RECIPIENT_PATTERN, r"\s*"), strict=True):
        if start.startswith(rest):
            return True
        if rest.startswith(start):
            rest = _strip_match(details, rest[len(start) :])
    if rest == text:
        return False
    name = next((name for name in HARMONY_CHANNELS if rest.startswith(name)), None)
    if name is None:  # may still be cut, e.g. "t" of "to=" after the role
        return any(token.startswith(rest) for token in (*HARMONY_CHANNELS, MESSAGE_TOKEN, "to="))
    rest = _strip_match(CHANNEL_DETAILS_PATTERN, rest[len(name) :])
    return MESSAGE_TOKEN.startswith(rest) or CONSTRAIN_TOKEN.startswith(rest)


def _strip_match(pattern: str, text: str) -> str:
    match = re.match(pattern, text)
    return text[match.end() :] if match else text


# Models that write `</think>` without `<think>`: their chat template opens the block (vllm#13125).
_LONE_CLOSING_TAG_MODELS = r"(?i)deepseek-r1|qwq|qwen3.*thinking|thinking.*2507"


@lru_cache(maxsize=64)
def writes_lone_closing_tag(model: str) -> bool:
    """Whether the model is known to write `</think>` without `<think>`."""
    return re.search(_LONE_CLOSING_TAG_MODELS, model) is not None
