"""What comes back from a model: a stream of events, and the Completion gathered from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

# DESIGN §2: an answer's text has a bound, so that an endless stream cannot fill the memory.
# Two million tokens: more than a model writes, and little enough that an answer without an end
# costs less than 50 MB, held and printed.
MAX_TEXT_BYTES = 8 * 1024 * 1024
UNLIMITED_BYTES = 1 << 62  # for text that is held already, or was counted on its way


class _Event:
    """Compared and printed by their fields: written once here, since a dataclass writes both
    anew for every class, 0.3 ms each at every start (DESIGN §8)."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"


@dataclass(frozen=True, eq=False, repr=False)
class Start(_Event):
    """Who answers; sent before the first byte of the answer."""

    kind: ClassVar[str] = "start"
    provider: str
    model: str
    profile: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Reasoning(_Event):
    """A piece of the model's reasoning; `hidden` = there is some, and the provider keeps it."""

    kind: ClassVar[str] = "reasoning"
    text: str
    hidden: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Text(_Event):
    """A piece of the answer."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, eq=False, repr=False)
class Reclassified(_Event):
    """All text so far was reasoning (a `</think>` came that had no opener)."""

    kind: ClassVar[str] = "reclassified"


@dataclass(frozen=True, eq=False, repr=False)
class Usage(_Event):
    """Token counts and US dollars, each replacing the last; None = not reported, never 0."""

    kind: ClassVar[str] = "usage"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    estimated: bool = False
    cost_usd: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Note(_Event):
    """Something the user should know; goes to stderr."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True, eq=False, repr=False)
class Retrying(_Event):
    """The answer starts again: `wait` in seconds until then, and why."""

    kind: ClassVar[str] = "retrying"
    attempt: int
    wait: float
    why: str


@dataclass(frozen=True, eq=False, repr=False)
class Done(_Event):
    """The answer's end: `finish_reason` in OpenAI's words (None = the server named none).

    `limited`: the request that was answered said how long the answer may be.
    """

    kind: ClassVar[str] = "done"
    finish_reason: str | None
    complete: bool
    response: Any = None
    limited: bool = False


Event = Start | Reasoning | Text | Reclassified | Usage | Note | Retrying | Done


@dataclass(frozen=True, eq=False, repr=False)
class Model(_Event):
    """One model a server offers; None = the server does not say. Prices in US dollars per
    million tokens, context in tokens."""

    id: str
    context: int | None = None
    vision: bool | None = None
    reasoning: bool | None = None
    prompt_usd: float | None = None
    completion_usd: float | None = None
