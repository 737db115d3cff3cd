"""Completion: an answer as a dict, what `chat` returns and what an error keeps as `partial`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        answer_id = (body.get("id") or body.get("responseId")) if isinstance(body, dict) else None
        return answer_id if isinstance(answer_id, str) else None
