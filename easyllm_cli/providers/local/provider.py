"""The embedded model: a GGUF file that answers inside this process (extra: local)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...config.endpoints import Endpoint
from ...config.profile import KEY_SOURCES, Profile, reaches_out
from ...errors import (
    ConfigError,
    EasyLLMError,
    RefusedError,
    TooLargeError,
    UsageError,
    not_installed,
)
from ...events import Done, Event, Model, Start
from ...messages import Message
from ...transport import carrier_for
from ...transport.base import Carrier
from ...transport.connections import Connections
from ...vendors import LLAMACPP_IMAGES, VENDORS
from ..image_inputs import with_bytes
from ..openai.chat import OpenAIProvider
from ..prompt_size import is_cut_by_the_context
from .model_file_check import checked
from .model_files import DEMO, is_path, kept, path_of

if TYPE_CHECKING:
    from .engine import Engine

CONTEXT_TOKENS = 4096  # where num_ctx is not set: 92 MB of memory for the demo model
ABOUT_DEMO = f"{DEMO} is a small demo model, run by this process: do not rely on what it says"


class LocalProvider(OpenAIProvider):
    """The engine's own Chat Completions on 127.0.0.1, so that frames, time limits and cuts are
    looked at as for every other server. `model`: a GGUF file, a name in the models folder, or
    none for the demo model; `mmproj`: its vision part; `num_ctx`: the context in tokens.
    """

    provider: ClassVar[str] = "local"

    ignored: ClassVar[tuple[str, ...]] = (
        "api", "organization", "project", "fallback_models", "keep_alive", *KEY_SOURCES,
    )  # fmt: skip

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        made = Profile.asked_for(profile, trust_configs)
        if made.untrusted and is_path(made.model or ""):
            raise reaches_out("a model's path", "model")
        ours = VENDORS["local"].base_url  # in the profile of a provider that is made again
        if made.endpoint not in (None, ours):
            raise ConfigError(
                "the embedded model has no endpoint",
                hint='leave it out, or set provider = "llamacpp" for a server of your own',
            )
        super().__init__(replace(made, endpoint=ours, transport="http"))
        self.path = path_of(self.model)
        self.model = self.path.stem
        self._engines = Connections(self._started)  # one, kept by all answers of an event loop
        self._told = False

    @cached_property
    def carrier(self) -> Carrier:
        """The way to this process: the profile's proxy and authorities are for pictures."""
        direct = replace(self.profile, proxy=None, ca_bundle=None)
        return carrier_for(direct, self.endpoint, self.sdk)

    @property
    def where(self) -> str:
        return f"profile {self.profile.name}, {self.path}" if self.profile.name else str(self.path)

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """Starts the engine at the first question.

        Raises:
            UsageError: there is nothing to answer: the engine would write without end.
            RefusedError: there is a picture and no vision part. ConfigError: it cannot start.
        """
        if not any(one.text.strip() or one.images for one in messages if one.role != "system"):
            raise UsageError("there is no message to answer", hint="ask something")
        notes: list[str] = []
        if any(message.images for message in messages):
            if self.profile.mmproj is None:
                raise await self.refuse_images()
            who = "the embedded engine"
            messages, notes = await with_bytes(messages, LLAMACPP_IMAGES, self.profile, who)
        engine = self._engines.client()
        self.keys = [engine.key]
        self.endpoint = Endpoint(f"{engine.url}/v1")
        notes += [ABOUT_DEMO] if self.path == path_of(DEMO) and not self._told else []
        self._told = True  # on the copy for one answer: its retries need not say it again
        return messages, notes

    def _started(self) -> Engine:
        """A loaded engine.

        Raises:
            ConfigError: the extra is not installed, or the files cannot be loaded.
        """
        try:
            from .engine import Engine
        except ImportError as error:
            raise not_installed(error) or ConfigError(
                f"the engine of embedded models cannot be loaded: {error}"
            ) from None
        model = checked(self.path, "model file")
        named = self.profile.mmproj
        eyes = checked(Path(named), "vision part (mmproj)") if named else None
        return Engine(
            model, eyes, self.profile.num_ctx or CONTEXT_TOKENS, calm=model == path_of(DEMO)
        )

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """As every server's; an answer that is left before its end leaves the engine busy."""
        engine: Engine | None = None
        answer: Any = super().events(messages, stream)
        async with aclosing(answer):
            async for event in answer:
                if engine is None and isinstance(event, Start):
                    engine = self._engines.client()
                    engine.answering += 1
                elif engine is not None and isinstance(event, Done):
                    engine.answering -= 1
                yield event

    async def refuse_images(self) -> RefusedError:
        return RefusedError(
            f"the model {self.model} takes no images",
            hint='a GGUF that sees has a vision part: mmproj = "/path/mmproj.gguf"',
        )

    async def models(self) -> list[Model]:
        """The files in the models folder, and the profile's own; nothing is loaded for it.

        Raises:
            ConfigError: there is none.
        """
        names = [path.stem for path in kept()]
        if not names:
            checked(self.path, "model file")
        if self.profile.model and self.path.is_file() and self.path.stem not in names:
            names.append(self.profile.model)
        return [Model(name) for name in names]

    async def explain(self, error: EasyLLMError) -> None:
        if isinstance(error, TooLargeError):
            size = self.profile.num_ctx or CONTEXT_TOKENS
            error.hint = f"shorten the prompt, or raise num_ctx (now {size}) in the profile"
        elif is_cut_by_the_context(error, self.limited):
            error.hint = "the context is full: raise num_ctx in the profile"

    async def aclose(self) -> None:
        await super().aclose()
        await self._engines.aclose()
