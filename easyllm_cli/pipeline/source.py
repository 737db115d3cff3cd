"""Source: a provider as the pipeline's stages see it.

It keeps `pipeline` independent of `providers`, which imports `pipeline`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

from ..config.profile import Profile
from ..errors import ConfigError, EasyLLMError
from ..events import Event, Note
from ..messages import Message
from ..secret import Secret


class Source(Protocol):
    """What answers: one profile's provider. providers/base.py describes each method."""

    profile: Profile
    model: str
    output_limit: int | None
    starts_before_request: ClassVar[bool]
    # Waits until another request of the same attempt may be sent; None = nothing limits it.
    before_repeat: Callable[[], AsyncGenerator[Note, None]] | None

    @property
    def rate_limit_headers(self) -> Mapping[str, str]:
        """The rate-limit headers of the last response, with lower-case names."""

    def limit_scope(self) -> tuple[str, Secret | None]:
        """Who is asked, and the key: what shares a rate limit."""

    def limit_output(self, tokens: int | None) -> None:
        """Set the longest answer that a budget pays for."""

    @property
    def where(self) -> str:
        """The profile and the endpoint, for error messages."""

    def per_answer_copy(self) -> Self:
        """The object that makes the attempts of one answer."""

    def input_notes(self, messages: list[Message]) -> list[str]:
        """Notes about settings without effect and about the images of the messages."""

    def refuse_unsupported(self, messages: list[Message]) -> None:
        """Raise UsageError for what the protocol cannot send."""

    async def reasons(self) -> bool | None:
        """Whether the model reasons by itself, according to the server; None = unknown."""

    def has_inline_reasoning(self) -> bool:
        """Whether a lone `</think>` may end reasoning inside the text."""

    def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """Run one attempt."""

    def request_key(self, messages: list[Message]) -> dict[str, Any]:
        """All that decides the answer, without keys: the same for the same request."""

    async def add_hint(self, error: EasyLLMError) -> None:
        """Set a more specific hint on an error."""

    def plugin_error(self, error: BaseException) -> ConfigError | None:
        """An exception of a plugin's code as an error that names the plugin; None = no plugin."""
