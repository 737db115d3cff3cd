"""What comes back from a model: a stream of events, and the Completion gathered from it."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import IncompleteAnswer
from .pieces import Pieces

if TYPE_CHECKING:  # for who checks types alone: made at run time, they cost every start
    from typing import Literal, TypedDict, overload

    class TokenCounts(TypedDict):
        """A Completion's `usage`; None = not reported, never 0."""

        prompt_tokens: int | None
        completion_tokens: int | None
        total_tokens: int | None
        reasoning_tokens: int | None
        cached_tokens: int | None
        estimated: bool


# DESIGN §2: an answer's text has a bound, so that an endless stream cannot fill the memory.
# Two million tokens: more than a model writes, and little enough that an answer without an end
# costs less than 50 MB, held and printed.
MAX_TEXT_BYTES = 8 * 1024 * 1024
ANY_SIZE = 1 << 62  # for text that is held already, or was counted on its way


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


class Completion(dict[str, Any]):
    """An answer as a dict: `text`, `reasoning` (None = none), `usage` (counts of tokens, None =
    not reported), `response` (the provider's own), `finish_reason`, `complete`, `model`,
    `provider`. `json.dumps` takes it. Each is an attribute, too, and so is `id`."""

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: Literal["text", "model", "provider"]) -> str: ...
        @overload
        def __getitem__(self, key: Literal["reasoning", "finish_reason"]) -> str | None: ...
        @overload
        def __getitem__(self, key: Literal["usage"]) -> TokenCounts: ...
        @overload
        def __getitem__(self, key: Literal["complete"]) -> bool: ...
        @overload
        def __getitem__(self, key: object) -> Any: ...  # not str: mypy could not read {**this}
        def __getitem__(self, key: object) -> Any: ...

    @property
    def text(self) -> str:
        return self["text"]

    @property
    def reasoning(self) -> str | None:
        """The chain of thought; None = none."""
        return self["reasoning"]

    @property
    def usage(self) -> TokenCounts:
        return self["usage"]

    @property
    def finish_reason(self) -> str | None:
        """In OpenAI's words; None = the server named none."""
        return self["finish_reason"]

    @property
    def complete(self) -> bool:
        """False where a limit or a filter cut the text, and for what came before a failure."""
        return self["complete"]

    @property
    def model(self) -> str:
        return self["model"]

    @property
    def provider(self) -> str:
        return self["provider"]

    @property
    def response(self) -> Any:
        """The provider's body as parsed; of a stream {"frames": n, "last": …}."""
        return self["response"]

    @property
    def id(self) -> str | None:
        """The provider's own name for the answer; None = it gave none."""
        body = self["response"]
        for inner in ("last", "response"):  # a stream's last frame, and what Responses put there
            if isinstance(body, dict) and isinstance(body.get(inner), dict):
                body = body[inner]
        found = (body.get("id") or body.get("responseId")) if isinstance(body, dict) else None
        return found if isinstance(found, str) else None


class Collector:
    """Gathers events; `limit` is the most bytes of text and reasoning together."""

    def __init__(self, limit: int = MAX_TEXT_BYTES) -> None:
        self.limit = limit
        self.start = Start("", "")
        self.attempts = 1
        self.notes: list[str] = []
        self._begin()

    def _begin(self) -> None:
        self.holds = True
        self.text = Pieces()
        self.reasoning = Pieces()
        self.hidden = False
        self.usage = Usage()
        self.done: Done | None = None
        self.size = 0

    def feed(self, event: Event) -> None:
        """Take one event in.

        Raises:
            IncompleteAnswer: text and reasoning together are longer than the limit.
        """
        match event:
            case Text(text):
                if self.holds:
                    self.text.add(text)
                self._grow(text)
            case Reasoning(text, hidden):
                self.hidden = self.hidden or hidden
                if text and self.holds:
                    self.reasoning.add(text)
                self._grow(text)
            case Reclassified():
                self.reasoning += self.text
                self.text = Pieces()
            case Usage():
                self.usage = event
            case Note(text):
                self.notes.append(text)
            case Start():
                self.start = event
            case Retrying():
                self.attempts += 1
                self._begin()
            case Done():
                self.done = event

    def forget(self) -> None:
        """Hold no text or reasoning until the next attempt; they only count towards the limit."""
        self.holds = False
        self.text = Pieces()
        self.reasoning = Pieces()

    def _grow(self, text: str) -> None:
        self.size += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if self.size > self.limit:
            raise IncompleteAnswer(
                f"the answer is longer than {self.limit} bytes",
                hint="raise --max-output-bytes, or set --max-tokens",
                retryable=False,
            )

    def completion(self) -> Completion:
        """What has been gathered so far."""
        usage = self.usage
        text = self.text.whole()
        said = bool(text) and not text.isspace()  # without text no answer is complete (DESIGN §7)
        return Completion(
            text=text,
            reasoning=self.reasoning.whole() or None,
            usage={
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "cached_tokens": usage.cached_tokens,
                "estimated": usage.estimated,
            },
            response=self.done.response if self.done else None,
            finish_reason=self.done.finish_reason if self.done else None,
            complete=self.done is not None and self.done.complete and said,
            model=self.start.model,
            provider=self.start.provider,
        )


async def collect(events: AsyncIterable[Event], limit: int = MAX_TEXT_BYTES) -> Completion:
    """Gather a whole stream into a Completion. Errors of the stream pass through.

    Raises:
        IncompleteAnswer: the answer is longer than `limit` bytes.
    """
    collector = Collector(limit)
    async for event in events:
        collector.feed(event)
    return collector.completion()
