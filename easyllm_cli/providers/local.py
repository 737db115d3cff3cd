"""The embedded model: a GGUF file that answers inside this process (extra: local)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..endpoints import Endpoint
from ..errors import ConfigError, EasyLLMError, RefusedError, TooLargeError, UsageError
from ..events import Done, Event, Model
from ..messages import Message
from ..profiles import Profile
from ..secret import Secret
from ..transport.client import Client
from ..vendors import VENDORS
from ..weights import DEMO, checked, kept, path_of
from .openai import OpenAIProvider
from .pictures import with_bytes

if TYPE_CHECKING:
    from .local_engine import Engine

CONTEXT_TOKENS = 4096  # where num_ctx is not set: 92 MB of memory for the demo model
KINDS = ("image/png", "image/jpeg", "image/gif", "image/bmp")  # what llama.cpp decodes
ABOUT_DEMO = f"{DEMO} is a small demo model, run by this process: do not rely on what it says"


class LocalProvider(OpenAIProvider):
    """The engine's own Chat Completions on 127.0.0.1, so that frames, time limits and cuts are
    looked at as for every other server. `model`: a GGUF file, a name in the models folder, or
    none for the demo model; `mmproj`: its vision part; `num_ctx`: the context in tokens.
    """

    provider: ClassVar[str] = "local"

    def __init__(self, profile: Profile | Mapping[str, Any]) -> None:
        made = Profile.asked_for(profile)
        if made.endpoint is not None:
            raise ConfigError(
                "the embedded model has no endpoint",
                hint='leave it out, or set provider = "llamacpp" for a server of your own',
            )
        address = VENDORS["local"].base_url
        super().__init__(replace(made, endpoint=address))
        # The profile's proxy and authorities are for pictures on the web.
        self.carrier = Client(replace(made, proxy=None, ca_bundle=None), address)
        self.path = path_of(self.model)
        self.model = self.path.stem
        self._engine: Engine | None = None
        self._starting = asyncio.Lock()
        self._answering = 0

    def for_one_answer(self) -> Self:
        """Itself: one engine answers all."""
        return self

    @property
    def key(self) -> Secret | None:
        """The running engine's own; nobody else knows it."""
        return self._engine.key if self._engine else None

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
        if any(message.images for message in messages):
            if self.profile.mmproj is None:
                raise await self.refuse_images()
            messages = await with_bytes(messages, KINDS, self.profile, "the embedded engine")
        async with self._starting:
            if self._engine is not None:
                return messages, []
            self._engine = await asyncio.to_thread(self._started)
        self.endpoint = Endpoint(f"{self._engine.url}/v1")
        return messages, [ABOUT_DEMO] if self.path == path_of(DEMO) else []

    def _started(self) -> Engine:
        """A loaded engine.

        Raises:
            ConfigError: the extra is not installed, or the files cannot be loaded.
        """
        try:
            from .local_engine import Engine
        except ImportError as error:
            why = "is not installed" if error.name == "xllamacpp" else f"cannot be loaded: {error}"
            hint = "pip install 'easyllm-cli[local]'"
            raise ConfigError(f"the engine of embedded models {why}", hint=hint) from None
        model, tokens = checked(self.path, "model file"), self.profile.num_ctx or CONTEXT_TOKENS
        eyes = checked(Path(at), "vision part (mmproj)") if (at := self.profile.mmproj) else None
        return Engine(model, eyes, tokens, calm=model == path_of(DEMO))

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """As every server's; what is left before Done leaves a busy engine behind."""
        self._answering += 1
        answer: Any = super().events(messages, stream)
        async with aclosing(answer):
            async for event in answer:
                if isinstance(event, Done):
                    self._answering -= 1
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

    async def aclose(self) -> None:
        """Stops the engine; one that still computes is left to end by itself."""
        await super().aclose()
        engine, self._engine = self._engine, None
        if engine is not None and self._answering:
            self._answering = 0
            engine.close_when_idle()
        elif engine is not None:
            engine.close()
