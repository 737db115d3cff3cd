"""LiteLLM: every vendor that the litellm package reaches, through its `acompletion` (WIRE §5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

from ...config.credentials import keys_for, source_of
from ...config.endpoints import Endpoint
from ...config.profile import KEY_SOURCES, Profile, reaches_out
from ...errors import AuthError, BillingError, BusyError, ConfigError, EasyLLMError, UsageError
from ...events import Event, Model, Note, Reasoning, Text
from ...messages import Message
from ...secret import Secret
from ...transport.base import Request
from ...transport.json_frames import Parsed
from ...transport.timeouts import Patience
from ..decoder import Decoder
from ..http import HTTPProvider
from ..openai.chat import OpenAIProvider
from ..openai.model_families import LONE_CLOSER
from ..openai.reasoning_params import reasoning_effort
from .client import known_to_reason, missing_keys, sent, tabled_models, vendor_behind
from .decoder import LiteLLMDecoder
from .key_rotation import Turns, openai_headers, variables_keys

# What a stranger's config dict may put into `options`: fields of the request itself. Options are
# arguments of litellm's call, and others name addresses, files, keys of this machine and more.
OF_THE_REQUEST = (
    "audio", "extra_body", "extra_headers", "frequency_penalty", "function_call", "functions",
    "logit_bias", "logprobs", "max_completion_tokens", "metadata", "min_p", "modalities", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
    "reasoning_effort", "repetition_penalty", "response_format", "safety_identifier",
    "safety_settings", "service_tier", "stop", "store", "stream", "stream_options", "thinking",
    "tool_choice", "tools", "top_k", "top_logprobs", "user", "verbosity", "web_search_options",
)  # fmt: skip
# litellm's words for vendors whose kinds of images are known, and their hosts.
HOSTS = {
    "openai": "api.openai.com", "openrouter": "openrouter.ai", "anthropic": "api.anthropic.com",
    "mistral": "api.mistral.ai", "moonshot": "api.moonshot.ai", "xai": "api.x.ai",
    "zai": "api.z.ai", "fireworks_ai": "api.fireworks.ai",
}  # fmt: skip


class LiteLLMProvider(OpenAIProvider):
    """The body of Chat Completions, sent by litellm to whom the model's name says."""

    provider: ClassVar[str] = "litellm"
    sdk: ClassVar[str] = ""  # it has its own way to send
    models_note: ClassVar[str] = "from litellm's own table: no server was asked"

    ignored: ClassVar[tuple[str, ...]] = ("num_ctx", "keep_alive", "mmproj")

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        super().__init__(profile, trust_configs=trust_configs)
        if self.profile.untrusted:
            refuse_arguments(self.profile.options or {})
        for key, variable in (("ca_bundle", "SSL_CERT_FILE"), ("proxy", "HTTPS_PROXY")):
            if getattr(self.profile, key):
                raise ConfigError(f"{key} is not for litellm", code=key, hint=f"set {variable}")
        models = dict.fromkeys([self.model, *(self.profile.fallback_models or ())])
        self.others = [self._other(model) for model in models if model != self.model]
        self._turns = Turns()
        # Held, not read: redaction knows a Secret for as long as somebody holds it.
        self._unnamed = variables_keys()

    def _other(self, model: str) -> LiteLLMProvider:
        """Asks another model; the profile's key goes along to the same vendor or endpoint only."""
        made = replace(self.profile, model=model, fallback_models=None)
        if not self.endpoint.url and vendor_behind(model) != vendor_behind(self.model):
            keyless: dict[str, Any] = dict.fromkeys(KEY_SOURCES)
            made = replace(made, **keyless)
        return LiteLLMProvider(made)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """One attempt; `fallback_models` are asked in turn while nothing of an answer has come.

        By us: litellm's own fallbacks follow any error, a refused key too, and lose it.
        """
        asking = [self, *(one.for_one_answer() for one in self.others)]
        for one, after in zip(asking, [*asking[1:], None], strict=True):
            began = False
            alone: Any = super(LiteLLMProvider, one).events(messages, stream)
            try:
                async with aclosing(alone) as events:
                    async for event in events:
                        began = began or isinstance(event, Text | Reasoning)
                        yield event
                return
            except EasyLLMError as error:
                if began or after is None or error.exit_code not in (5, 6, 7):  # DESIGN §5
                    raise
                why = error.what
            yield Note(f"{one.model}: {why}; asking {after.model}")

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """As HTTPProvider.prepare: litellm's table is no list of installed models.

        Raises:
            UsageError: an image of a kind that the vendor behind the model does not take.
        """
        if any(message.images for message in messages):
            from ..image_inputs import refuse_other_kinds  # for pictures alone

            host = HOSTS.get(vendor_behind(self.model), "") if not self.endpoint.url else ""
            behind = Endpoint(f"https://{host}") if host else self.endpoint
            refuse_other_kinds(messages, behind, "litellm", self.model)
        return await HTTPProvider.prepare(self, messages)

    def headers(self) -> dict[str, str | Secret]:
        """The profile's own headers; the key goes as an argument of the call."""
        return {**openai_headers(self.profile, self.endpoint), **self.extra_headers()}

    def thinking(self) -> dict[str, Any]:
        """litellm translates `reasoning_effort` for each vendor."""
        if self.profile.reasoning:
            return reasoning_effort(self.profile.reasoning)
        return (
            reasoning_effort("medium") if self.profile.think and known_to_reason(self.model) else {}
        )

    def decoder(self, stream: bool) -> Decoder:
        return LiteLLMDecoder(stream)

    def holds_text(self) -> bool:
        """Vendors have their reasoning separated by litellm; what an endpoint does is unknown."""
        asked = self.profile.think or self.profile.reasoning not in (None, "off")
        return bool(self.endpoint.url) and (asked or LONE_CLOSER.search(self.model) is not None)

    @cached_property
    def all_keys(self) -> list[Secret]:
        """The keys for this endpoint; more than one are balanced. Raises as `keys_for`."""
        return keys_for(self.profile, self.endpoint)

    @property
    def key(self) -> Secret | None:
        """The first key, for error lines."""
        return next(iter(self.all_keys), None)

    def for_one_answer(self) -> Self:
        made = super().for_one_answer()
        made.__dict__.pop("all_keys", None)
        return made

    @property
    def where(self) -> str:
        return super().where.removesuffix(", ")  # where there is no endpoint

    async def parsed(
        self, request: Request, stream: bool, patience: Patience
    ) -> AsyncIterator[Parsed | Note]:
        """The answer's chunks; a key that is refused or over its limit gives way to the next."""
        keys = self.all_keys
        waiting = await self._turns.order(len(keys))
        while True:
            number = waiting.pop(0)
            key = keys[number] if keys else None
            frames: Any = sent(request, stream, patience, self.endpoint.url, key)
            try:
                async with aclosing(frames):
                    async for one in frames:
                        yield one
                return
            except (AuthError, BillingError, BusyError) as error:
                if not self._turns.blames(number, error) or patience.started or not waiting:
                    raise
                why = error.what
            yield Note(f"key {number + 1} of {len(keys)}: {why}; trying another")

    async def models(self) -> list[Model]:
        return tabled_models()

    async def explain(self, error: EasyLLMError) -> None:
        """Whose key was refused, or which variable litellm misses."""
        await super().explain(error)
        if isinstance(error, AuthError) and not self.endpoint.url:
            missing = " and ".join(missing_keys(self.model))
            source = source_of(self.profile, self.endpoint) or "litellm's variable for the vendor"
            error.hint = f"set {missing}" if missing else f"check {source}"

    def dry_request(self, messages: list[Message], stream: bool) -> Request:
        """Raises UsageError: litellm makes the request itself."""
        raise UsageError("--dry-run cannot show what litellm sends", hint="use -v to see whom")


def refuse_arguments(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option that is an argument of litellm's and no request's field."""
    for name in options:
        if name not in OF_THE_REQUEST:
            raise reaches_out(f"litellm's {name}", "options")
