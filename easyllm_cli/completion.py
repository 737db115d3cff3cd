"""Completion: the dict that `chat` returns, and that an error keeps as `partial`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers only: at run time they would slow every start
    from typing import Literal, TypedDict, overload

    class TokenCounts(TypedDict):
        """A Completion's `usage`: numbers of tokens; None = not reported, never 0."""

        prompt_tokens: int | None
        completion_tokens: int | None
        total_tokens: int | None
        reasoning_tokens: int | None
        cached_tokens: int | None
        cache_write_tokens: int | None
        estimated: bool


class Completion(dict[str, Any]):
    """An answer as a dict that `json.dumps` accepts.

    Keys: `text`, `reasoning` (None = none), `usage` (numbers of tokens, None = not reported),
    `response` (the provider's body), `id`, `finish_reason`, `complete`, `model`, `provider`. Each
    key is also an attribute; so is `response_id`.
    """

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: Literal["text", "model", "provider"]) -> str: ...
        @overload
        def __getitem__(self, key: Literal["id", "reasoning", "finish_reason"]) -> str | None: ...
        @overload
        def __getitem__(self, key: Literal["usage"]) -> TokenCounts: ...
        @overload
        def __getitem__(self, key: Literal["complete"]) -> bool: ...
        @overload
        def __getitem__(
            self, key: object
        ) -> Any: ...  # not str: mypy rejects {**completion} otherwise
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
        """OpenAI's values: stop, length, content_filter, …; None = the server sent none."""
        return self["finish_reason"]

    @property
    def complete(self) -> bool:
        """False if a limit or a filter cut the text, or an error ended the response early."""
        return self["complete"]

    @property
    def model(self) -> str:
        return self["model"]

    @property
    def provider(self) -> str:
        return self["provider"]

    @property
    def response(self) -> Any:
        """The provider's parsed body; for a stream {"frames": n, "last": the last frame}."""
        return self["response"]

    @property
    def id(self) -> str | None:
        """The id of the question, made by easyllm; None = `collect` read events without one."""
        return self["id"]

    @property
    def response_id(self) -> str | None:
        """The provider's id of the response; None = it sent none."""
        body = self["response"]
        for inner in (
            "last",
            "response",
        ):  # a stream's last frame; in Responses that frame holds `response`
            if isinstance(body, dict) and isinstance(body.get(inner), dict):
                body = body[inner]
        answer_id = (body.get("id") or body.get("responseId")) if isinstance(body, dict) else None
        return answer_id if isinstance(answer_id, str) else None
