"""LiteLLM adapter: Chat Completions through litellm; tries other keys and `fallback_models`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

from ...config.credentials import find_key_source, resolve_api_keys
from ...config.endpoints import Endpoint
from ...config.known_keys import keys_from_environment
from ...config.profile import Profile, trusted_only_error
from ...config.settings import KEY_SOURCES
from ...errors import AuthError, BillingError, BusyError, ConfigError, EasyLLMError, UsageError
from ...events import Event, Model, Note, Reasoning, Text
from ...messages import Message, has_images
from ...pipeline.reasoning_marks import writes_lone_closing_tag
from ...secret import Secret
from ...transport.base import Request
from ...transport.json_frames import ParsedFrame
from ...transport.timeouts import ResponseTimer
from ..base import BaseLLMProvider
from ..decoder import Decoder
from ..headers import has_key_header
from ..http import HTTPProvider
from ..openai.chat import OpenAIProvider
from ..openai.reasoning_params import reasoning_effort_parameter
from .client import (
    find_missing_key_variables,
    models_from_table,
    request_completion,
    supports_reasoning,
    vendor_for_model,
)
from .decoder import LiteLLMDecoder
from .key_rotation import KeyRotation, openai_headers

# The `options` that an untrusted config dict may set: fields of the request body. Options become
# arguments of `acompletion`, and other arguments set endpoints, files and keys.
ALLOWED_UNTRUSTED_OPTIONS = (
    "audio", "extra_body", "extra_headers", "frequency_penalty", "function_call", "functions",
    "logit_bias", "logprobs", "max_completion_tokens", "metadata", "min_p", "modalities", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
    "reasoning_effort", "repetition_penalty", "response_format", "safety_identifier",
    "safety_settings", "service_tier", "stop", "store", "stream", "stream_options", "thinking",
    "tool_choice", "tools", "top_k", "top_logprobs", "user", "verbosity", "web_search_options",
)  # fmt: skip
# Hosts by litellm's vendor name, for vendors with a known list of image types.
VENDOR_HOSTS = {
    "openai": "api.openai.com", "openrouter": "openrouter.ai", "anthropic": "api.anthropic.com",
    "mistral": "api.mistral.ai", "moonshot": "api.moonshot.ai", "xai": "api.x.ai",
    "zai": "api.z.ai", "fireworks_ai": "api.fireworks.ai",
}  # fmt: skip


class LiteLLMProvider(OpenAIProvider):
    """Sends Chat Completions requests through litellm; the model's name selects the vendor."""

    provider: ClassVar[str] = "litellm"
    sdk: ClassVar[str] = ""  # `read_frames` sends the requests
    models_note: str = "from litellm's own table: no server was asked"

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        super().__init__(profile, trust_configs=trust_configs)
        if self.profile.untrusted:
            refuse_untrusted_options(self.profile.options or {})
        for key, variable in (("ca_bundle", "SSL_CERT_FILE"), ("proxy", "HTTPS_PROXY")):
            if getattr(self.profile, key):
                raise ConfigError(
                    f"{key} does not work with litellm", code=key, hint=f"set {variable}"
                )
        models = dict.fromkeys([self.model, *(self.profile.fallback_models or ())])
        self.fallback_providers = [
            self._make_fallback(model) for model in models if model != self.model
        ]
        self._key_rotation = KeyRotation()
        # Never read: redaction knows a Secret only while a reference to it exists.
        self._environment_keys = keys_from_environment()

    def _make_fallback(self, model: str) -> LiteLLMProvider:
        """Create a fallback's provider; it gets the key only for the same vendor or endpoint."""
        fallback_profile = replace(self.profile, model=model, fallback_models=None)
        if not self.endpoint.url and vendor_for_model(model) != vendor_for_model(self.model):
            keyless: dict[str, Any] = dict.fromkeys(KEY_SOURCES)
            fallback_profile = replace(fallback_profile, **keyless)
        return LiteLLMProvider(fallback_profile)

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """Make one attempt; try `fallback_models` in order until text or reasoning is received.

        Fallbacks follow only exit codes 5, 6 and 7. litellm's own fallbacks are not used: they
        follow any error, even a refused key, and lose the original error.
        """
        providers = [self, *(provider.per_answer_copy() for provider in self.fallback_providers)]
        for provider, next_provider in zip(providers, [*providers[1:], None], strict=True):
            provider.output_limit = self.output_limit
            has_output = False
            attempt: Any = super(LiteLLMProvider, provider).events(messages, stream)
            try:
                async with aclosing(attempt) as events:
                    async for event in events:
                        has_output = has_output or isinstance(event, Text | Reasoning)
                        yield event
                return
            except EasyLLMError as error:
                if has_output or next_provider is None or error.exit_code not in (5, 6, 7):
                    raise
                reason = error.what
            yield Note(f"{provider.model}: {reason}; asking {next_provider.model}")
            async with aclosing(self.wait_to_repeat()) as waits:
                async for wait in waits:
                    yield wait
            next_provider.before_repeat = self.before_repeat

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """Check the images; the model must be named, as in HTTPProvider.prepare.

        Unlike OpenAIProvider.prepare, no model is taken from the model list, because litellm's
        table lists no installed models.

        Raises:
            UsageError: the model's vendor does not accept an image's type.
        """
        if has_images(messages):
            from ..image_inputs import refuse_unsupported_images  # images only

            host = (
                VENDOR_HOSTS.get(vendor_for_model(self.model), "") if not self.endpoint.url else ""
            )
            vendor_endpoint = Endpoint(f"https://{host}") if host else self.endpoint
            refuse_unsupported_images(messages, vendor_endpoint, "litellm", self.model)
        return await HTTPProvider.prepare(self, messages)

    def headers(self) -> dict[str, str | Secret]:
        """Return the profile's headers; the key is passed as an argument of the call."""
        # The packages join `authorization` to their own `Authorization`, and replace the latter.
        own = {
            "Authorization" if name.lower() == "authorization" else name: value
            for name, value in self.extra_headers().items()
        }
        return {**openai_headers(self.profile, self.endpoint), **own}

    def reasoning_parameters(self) -> dict[str, Any]:
        """Return `reasoning_effort`, which litellm translates for each vendor."""
        if self.profile.reasoning:
            return reasoning_effort_parameter(self.profile.reasoning)
        return (
            reasoning_effort_parameter("medium")
            if self.profile.think and supports_reasoning(self.model)
            else {}
        )

    def decoder(self, stream: bool) -> Decoder:
        return LiteLLMDecoder(stream)

    def has_inline_reasoning(self) -> bool:
        """Whether text may contain reasoning; litellm separates it, except at custom endpoints."""
        wants_reasoning = self.profile.think or self.profile.reasoning not in (None, "off")
        return bool(self.endpoint.url) and (wants_reasoning or writes_lone_closing_tag(self.model))

    @cached_property
    def all_keys(self) -> list[Secret]:
        """The keys for this endpoint, used in rotation. Raises as `resolve_api_keys`."""
        return resolve_api_keys(self.profile, self.endpoint)

    @property
    def key(self) -> Secret | None:
        """The first key, for error lines."""
        return next(iter(self.all_keys), None)

    def per_answer_copy(self) -> Self:
        """Copy the provider for one answer, which looks its keys up again."""
        provider = super().per_answer_copy()
        provider.__dict__.pop("all_keys", None)
        return provider

    @property
    def where(self) -> str:
        return super().where.removesuffix(", ")  # without an endpoint

    async def read_frames(
        self, request: Request, stream: bool, timer: ResponseTimer
    ) -> AsyncIterator[ParsedFrame | Note]:
        """Yield the answer's chunks; after a refused or rate-limited key, try the next key.

        A key is never changed after the first text or reasoning.
        """
        keys = self.all_keys
        key_order = await self._key_rotation.order(len(keys))
        while True:
            key_index = key_order.pop(0)
            # A key in the profile's headers replaces it. At a vendor's own host litellm would look
            # the vendor's variable up without it.
            is_replaced = self.endpoint.url and has_key_header(request.headers)
            key = keys[key_index] if keys and not is_replaced else None
            frames: Any = request_completion(request, stream, timer, self.endpoint.url, key)
            try:
                async with aclosing(frames):
                    async for frame in frames:
                        yield frame
                return
            except (AuthError, BillingError, BusyError) as error:
                if (
                    not self._key_rotation.report_failure(key_index, error)
                    or timer.has_progress
                    or not key_order
                ):
                    raise
                reason = error.what
            yield Note(f"key {key_index + 1} of {len(keys)}: {reason}; trying another")
            timer.pause()
            async with aclosing(self.wait_to_repeat()) as waits:
                async for wait in waits:
                    yield wait
            timer.resume()

    async def models(self) -> list[Model]:
        """Return the chat models in litellm's built-in table; no server is asked."""
        return models_from_table()

    async def add_hint(self, error: EasyLLMError) -> None:
        """Add where a refused key came from, or which key variables are not set."""
        await super().add_hint(error)
        if isinstance(error, AuthError) and not self.endpoint.url:
            missing = " and ".join(find_missing_key_variables(self.model))
            source = (
                find_key_source(self.profile, self.endpoint)
                or "the vendor's key variable, which litellm reads"
            )
            error.hint = f"set {missing}" if missing else f"check {source}"

    def request_key(self, messages: list[Message]) -> dict[str, Any]:
        return BaseLLMProvider.request_key(self, messages)

    def dry_request(self, messages: list[Message], stream: bool) -> Request:
        """Raise UsageError: litellm builds the request itself."""
        raise UsageError(
            "--dry-run cannot show what litellm sends", hint="use -v to see which model is asked"
        )


def refuse_untrusted_options(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option that is an argument of litellm, not a request field."""
    for name in options:
        if name not in ALLOWED_UNTRUSTED_OPTIONS:
            raise trusted_only_error(f"litellm's {name}", "options")
