"""The events of a streamed answer, and Model, a row of a model list."""

from __future__ import annotations

from typing import Any, ClassVar

from .frozen_dataclass import FrozenDataclass

# Limit of an answer's text in bytes, so that an endless stream cannot fill the memory. It is about
# two million tokens: more than a model writes, and an endless answer costs less than 50 MB.
MAX_TEXT_BYTES = 8 * 1024 * 1024


class _Event(FrozenDataclass):
    """Base class of the events."""

    kind: ClassVar[str]


class Start(_Event):
    """The provider and the model that answer; comes before any part of the answer."""

    kind: ClassVar[str] = "start"
    provider: str
    model: str
    profile: str = ""


class Reasoning(_Event):
    """A piece of the reasoning; `hidden`: the provider withholds the text."""

    kind: ClassVar[str] = "reasoning"
    text: str
    hidden: bool = False


class Text(_Event):
    """A piece of the answer."""

    kind: ClassVar[str] = "text"
    text: str


class Reclassified(_Event):
    """All text so far was reasoning: a `</think>` came without a `<think>` before it."""

    kind: ClassVar[str] = "reclassified"


class Usage(_Event):
    """Numbers of tokens and the cost in US dollars; None = not reported, never 0.

    A later Usage replaces an earlier one. `estimated`: the provider did not count the tokens.
    """

    kind: ClassVar[str] = "usage"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    estimated: bool = False
    cost_usd: float | None = None
    cache_write_tokens: int | None = None


TOKEN_COUNTS = (
    "prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "cached_tokens",
    "cache_write_tokens",
)  # fmt: skip


def sum_usage(usages: list[Usage]) -> Usage:
    """The sum of several attempts; a count that no attempt reported stays None.

    The cost is None if any attempt did not report it: an unknown cost is never added as 0.
    """
    counts: dict[str, Any] = {}
    for name in TOKEN_COUNTS:
        reported = [count for usage in usages if (count := getattr(usage, name)) is not None]
        counts[name] = sum(reported) if reported else None
    costs = [usage.cost_usd for usage in usages]
    known = [cost for cost in costs if cost is not None]
    return Usage(
        **counts,
        estimated=any(usage.estimated for usage in usages),
        cost_usd=sum(known) if known and len(known) == len(costs) else None,
    )


class Note(_Event):
    """A note for the user; the command line prints it to stderr."""

    kind: ClassVar[str] = "note"
    text: str


class RoutineNote(Note):
    """A note that is the same on every call; the command line prints it for people only."""


class Retrying(_Event):
    """A new attempt follows after `wait` seconds; `why`: the reason."""

    kind: ClassVar[str] = "retrying"
    attempt: int
    wait: float
    why: str


class Done(_Event):
    """The end of the answer; `finish_reason` has OpenAI's values, None = the server sent none.

    `response`: as Completion.response. `limited`: the request had a limit of output tokens.
    """

    kind: ClassVar[str] = "done"
    finish_reason: str | None
    complete: bool
    response: Any = None
    limited: bool = False


Event = Start | Reasoning | Text | Reclassified | Usage | Note | Retrying | Done


class Model(FrozenDataclass):
    """A model that a server offers; None = the server does not say.

    `context` is in tokens, prices are in US dollars per million tokens.
    """

    id: str
    context: int | None = None
    vision: bool | None = None
    reasoning: bool | None = None
    prompt_usd: float | None = None
    completion_usd: float | None = None
