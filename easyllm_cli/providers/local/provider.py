"""Local adapter: runs a GGUF model inside this process (extra `local`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...config.endpoints import Endpoint
from ...config.profile import Profile, trusted_only_error
from ...config.settings import KEY_SOURCES
from ...errors import (
    ConfigError,
    EasyLLMError,
    RefusedError,
    TooLargeError,
    UsageError,
    missing_package_error,
)
from ...events import Done, Event, Model, Start
from ...messages import Message, has_images
from ...transport import transport_for
from ...transport.base import Request, Transport
from ...transport.connections import LoopBoundClient
from ...vendors import LLAMACPP_IMAGE_TYPES, VENDORS
from ..openai.chat import OpenAIProvider
from ..prompt_size import is_context_overflow
from .model_file_check import require_model_file
from .model_files import DEMO_MODEL, installed_models, is_model_path, model_path

if TYPE_CHECKING:
    from .engine import Engine

DEFAULT_CONTEXT_TOKENS = 4096  # without num_ctx; takes 92 MB of memory for the demo model
DEMO_MODEL_NOTE = (
    f"{DEMO_MODEL} is a small demo model, run by this process: do not rely on what it says"
)


class LocalProvider(OpenAIProvider):
    """Sends Chat Completions requests to the engine's HTTP server on 127.0.0.1.

    Frames, timeouts and cut streams are thus handled as for every other server. Settings: `model`
    is a GGUF file, a name in the models folder, or none for the demo model; `mmproj` is its vision
    part; `num_ctx` is the context size in tokens (default 4096).
    """

    provider: ClassVar[str] = "local"
    ignored: ClassVar[tuple[str, ...]] = KEY_SOURCES  # the engine in this process needs no key

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        parsed = Profile.from_config(profile, trust_configs)
        if parsed.untrusted and is_model_path(parsed.model or ""):
            raise trusted_only_error("a model's path", "model")
        placeholder_url = VENDORS["local"].base_url  # set in the profile of an existing provider
        if parsed.endpoint not in (None, placeholder_url):
            raise ConfigError(
                "the embedded model takes no endpoint",
                hint='leave it out, or set provider = "llamacpp" to use your own server',
            )
        super().__init__(replace(parsed, endpoint=placeholder_url, transport="http"))
        self.model_path = model_path(self.model)
        self.model = self.model_path.stem
        self._engines = LoopBoundClient(self._start_engine)  # one engine per event loop
        self._demo_noted = False
        self.routine_notes = (DEMO_MODEL_NOTE,)

    @property
    def transport(self) -> Transport:
        """The transport to the engine; the profile's proxy and ca_bundle are only for images."""
        if not self.transports:
            direct_profile = replace(self.profile, proxy=None, ca_bundle=None)
            self.transports.append(transport_for(direct_profile, self.endpoint, self.sdk))
        return self.transports[0]

    @property
    def where(self) -> str:
        return (
            f"profile {self.profile.name}, {self.model_path}"
            if self.profile.name
            else str(self.model_path)
        )

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """Load images, and start the engine if it does not run yet.

        Raises:
            UsageError: all messages are empty; the engine would generate text without end.
            RefusedError: there is an image and no vision part.
            ConfigError: the engine cannot start.
        """
        if not any(
            message.text.strip() or message.images
            for message in messages
            if message.role != "system"
        ):
            raise UsageError("there is no message to answer", hint="ask something")
        notes: list[str] = []
        if has_images(messages):
            if self.profile.mmproj is None:
                raise await self.no_vision_error()
            from ..image_inputs import with_image_bytes  # images only

            engine_name = "the embedded engine"
            messages, notes = await with_image_bytes(
                messages, LLAMACPP_IMAGE_TYPES, self.profile, engine_name
            )
        engine = self._engines.get()
        self.key_cache = [engine.key]
        self.endpoint = Endpoint(f"{engine.url}/v1")
        notes += (
            [DEMO_MODEL_NOTE]
            if self.model_path == model_path(DEMO_MODEL) and not self._demo_noted
            else []
        )
        self._demo_noted = True  # set on the per-answer copy: retries do not repeat the note
        return messages, notes

    def _start_engine(self) -> Engine:
        """Load the model and start its engine.

        Raises:
            ConfigError: the extra is not installed, or the files cannot be loaded.
        """
        try:
            from .engine import Engine
        except ImportError as error:
            raise missing_package_error(error) or ConfigError(
                f"the engine of embedded models cannot be loaded: {error}"
            ) from None
        model = self.require_model()
        mmproj = self.profile.mmproj
        vision_file = require_model_file(Path(mmproj), "vision part (mmproj)") if mmproj else None
        return Engine(
            model,
            vision_file,
            self.profile.num_ctx or DEFAULT_CONTEXT_TOKENS,
            use_demo_sampling=model == model_path(DEMO_MODEL),
        )

    def require_model(self) -> Path:
        """Return the model's file; raises as `require_model_file`."""
        from ...config.model_names import other_provider_hint

        selector = other_provider_hint(self.profile.model or "", "local")
        if not selector:
            return require_model_file(self.model_path, "model file")
        hint = f"-m names a model of profile {self.profile.name or 'local'}; e.g. -p {selector}"
        return require_model_file(self.model_path, "model file", hint)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """Make one attempt and count it in `active_answers`; an abandoned answer stays counted."""
        engine: Engine | None = None
        events: Any = super().events(messages, stream)
        async with aclosing(events):
            async for event in events:
                if engine is None and isinstance(event, Start):
                    engine = self._engines.get()
                    engine.active_answers += 1
                elif engine is not None and isinstance(event, Done):
                    engine.active_answers -= 1
                yield event

    def dry_request(self, messages: list[Message], stream: bool) -> Request:
        """Build the request for --dry-run, without a URL: the model runs in this process."""
        return replace(super().dry_request(messages, stream), url="")

    async def no_vision_error(self) -> RefusedError:
        """Return the error for an image without a vision part."""
        return RefusedError(
            f"the model {self.model} takes no images",
            hint='a vision model needs its vision part: mmproj = "/path/mmproj.gguf"',
        )

    async def models(self) -> list[Model]:
        """List the models in the models folder and the profile's own, without loading them.

        Raises:
            ConfigError: there is none.
        """
        names = [path.stem for path in installed_models()]
        if not names:
            self.require_model()
        if self.profile.model and self.model_path.is_file() and self.model_path.stem not in names:
            names.append(self.profile.model)
        return [Model(name) for name in names]

    async def add_hint(self, error: EasyLLMError) -> None:
        """Suggest a larger num_ctx when the prompt or the answer does not fit the context."""
        if isinstance(error, TooLargeError):
            size = self.profile.num_ctx or DEFAULT_CONTEXT_TOKENS
            error.hint = f"shorten the prompt, or raise num_ctx (now {size}) in the profile"
        elif is_context_overflow(error, self.has_output_limit):
            error.hint = "the context is full: raise num_ctx in the profile"

    async def aclose(self) -> None:
        await super().aclose()
        await self._engines.aclose()
