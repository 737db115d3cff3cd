"""Chat Completions adapter for OpenAI and every OpenAI-compatible server."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, ClassVar

from ...config.profile import Profile
from ...errors import EasyLLMError, RefusedError
from ...events import Model
from ...images import Image
from ...message_fields import MESSAGE_FIELDS
from ...messages import CachedText, Message, has_images, with_schema_instruction, with_text_first
from ...pipeline.reasoning_marks import writes_lone_closing_tag
from ...secret import Secret
from ...transport import transport_for
from ...transport.base import Request
from ...transport.framing import Framing, ServerSentEvents
from ..decoder import Decoder
from ..headers import account_headers
from ..http import HTTPProvider
from ..model_list import model_from_row, parse_model_rows
from ..unsupported_parameters import set_json_path
from .chat_decoder import ChatDecoder
from .model_families import can_reason, takes_sampling
from .reasoning_params import reasoning_parameters


class SupportsClient(HTTPProvider):
    """Base class for adapters that also accept the caller's client of the `openai` package."""

    def __init__(
        self,
        profile: Profile | Mapping[str, Any],
        client: Any = None,
        *,
        trust_configs: bool = False,
    ) -> None:
        """Create the provider.

        `client`: the caller's AsyncOpenAI or AsyncAzureOpenAI. Its base URL, key, headers and
        connections replace the profile's. The provider never closes it.

        Raises:
            ConfigError: the profile is invalid, or `client` is of another type.
        """
        self.has_user_client = client is not None
        if client is None:
            super().__init__(profile, trust_configs=trust_configs)
            return
        address = str(getattr(client, "base_url", "")).partition("?")[0]
        super().__init__(
            Profile.from_config(profile, trust_configs).replace_set(
                transport="sdk", endpoint=address or None
            )
        )
        self.no_key_hint = "check the key of the client that you passed"
        self.transports = [transport_for(self.profile, self.endpoint, self.sdk, client)]

    @property
    def key(self) -> Secret | None:
        """The profile's key; None for a caller's client, which has its own."""
        return None if self.has_user_client else super().key

    def body_options(self) -> dict[str, Any]:
        """Return the profile's `options` that belong in the body.

        With transport = "sdk", `api_version` is left out: Azure takes it in the URL.
        """
        options = self.profile.options or {}
        if self.profile.transport != "sdk":
            return options
        return {key: value for key, value in options.items() if key != "api_version"}


class OpenAIProvider(SupportsClient):
    """Sends POST {base}/chat/completions; vendors.py lists how vendors differ."""

    provider: ClassVar[str] = "openai"
    sdk: ClassVar[str] = "openai"

    @property
    def path_hint(self) -> str:
        """The hint for a wrong path; suggests /v1 only when the endpoint has no version."""
        has_version = re.search(r"/v\d+\w*$", self.endpoint.url) is not None
        return "check the endpoint" + ": does it need /v1 at its end?" * (not has_version)

    @cached_property
    def is_official_host(self) -> bool:
        """Whether the endpoint is the vendor's own host.

        The vendor's model families and parameter names are certain only there.
        """
        return self.vendor.has_host(self.endpoint.host)

    def resolve_parameter_paths(self) -> Mapping[str, str]:
        limit_name = self.vendor.token_limit_parameter
        if self.profile.provider == "openai" and not self.is_official_host:
            limit_name = "max_completion_tokens" if can_reason(self.model) else "max_tokens"
        paths = {key: key for key in ("temperature", "top_p", "top_k", "stop")}
        paths["seed"] = self.vendor.seed_parameter
        reasoning_paths = {
            f"reasoning {parameter}": parameter for parameter in self.reasoning_parameters()
        }
        return paths | {"max_tokens": limit_name} | reasoning_paths

    def request(self, messages: list[Message], stream: bool) -> Request:
        body: dict[str, Any] = {"model": self.model, "messages": [], "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        if sampling := self.sampling_with_defaults():
            paths = self.resolve_parameter_paths()
            for key, value in sampling.items():
                set_json_path(body, paths[key], value)
        body |= self.reasoning_parameters()
        if self.request_variant.schema is not None:
            from .json_schema import response_format  # --schema only

            if not self.vendor.takes_schema:
                messages = with_schema_instruction(messages, self.request_variant.schema)
            body["response_format"] = response_format(self.request_variant.schema, self.vendor)
        body["messages"] = [self.message(message) for message in messages]
        body |= self.body_options()
        return Request("POST", f"{self.endpoint.url}/chat/completions", self.headers(), body)

    def supported_defaults(self) -> dict[str, Any]:
        """Return the defaults that the model's family is not known to refuse."""
        defaults = super().supported_defaults()
        if (
            defaults
            and self.vendor.reasoning_style == "openai"
            and not takes_sampling(self.model, self.profile.reasoning)
        ):
            defaults = {key: defaults[key] for key in defaults if key == "max_tokens"}
        return defaults

    def message(self, message: Message) -> dict[str, Any]:
        """Format one message as an object of `messages`.

        A message with only text keeps its content as a string, which every server accepts.
        """
        if len(message.parts) == 1 and type(message.parts[0]) is str:  # most messages
            return {"role": message.role, "content": message.parts[0], **message.fields}
        if not any(isinstance(part, Image | CachedText) for part in message.parts):
            return {"role": message.role, "content": message.text, **message.fields}
        # Text first: OpenRouter's guide to images asks for it, and other servers accept it.
        parts = [format_content_part(part) for part in with_text_first(message)]
        return {"role": message.role, "content": parts, **message.fields}

    def message_fields(self) -> Collection[str]:
        """The message fields that are sent; OpenAI's own host accepts fewer than other servers."""
        if self.profile.provider == "openai" and self.is_official_host:
            return ("name", "refusal", "detail")
        return (*MESSAGE_FIELDS, "detail")

    def reasoning_parameters(self) -> dict[str, Any]:
        """Return the body fields that control reasoning; {} = the server's default."""
        return reasoning_parameters(self.profile, self.vendor, self.model)

    def framing(self) -> Framing:
        return ServerSentEvents()

    def decoder(self, stream: bool) -> Decoder:
        return ChatDecoder(stream)

    def headers(self) -> dict[str, str | Secret]:
        return {**super().headers(), **account_headers(self.profile)}

    def has_inline_reasoning(self) -> bool:
        """Whether the text may contain reasoning in `<think>` tags.

        True where the server may not separate reasoning, and reasoning was requested or the
        model is known to write a lone closing tag.
        """
        separates = self.vendor.separates_reasoning and self.is_official_host
        wants_reasoning = self.profile.think or self.profile.reasoning not in (None, "off")
        return not separates and (wants_reasoning or writes_lone_closing_tag(self.model))

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        notes = await self.choose_first_model()
        if has_images(messages):
            from ..image_inputs import refuse_unsupported_images  # images only

            refuse_unsupported_images(
                messages, self.endpoint, self.profile.provider or "", self.model
            )
            if await self.lacks_vision():
                raise await self.no_vision_error()
        prepared, more_notes = await super().prepare(messages)
        return prepared, notes + more_notes

    async def no_vision_error(self) -> RefusedError:
        """Return the error for a model that takes no images."""
        return RefusedError(
            f"the model {self.model} takes no images",
            hint="start the server with a vision model (llama.cpp: --mmproj FILE)",
        )

    async def lacks_vision(self) -> bool:
        """Whether llama.cpp reports in GET /props that its model takes no images.

        False for other providers, which are not asked, and when the request fails.
        """
        if self.profile.provider != "llamacpp":
            return False
        try:
            props = await self.request_json("GET", f"{self.endpoint.url.removesuffix('/v1')}/props")
        except EasyLLMError:
            return False
        modalities = props.get("modalities") if isinstance(props, dict) else None
        return isinstance(modalities, dict) and modalities.get("vision") is False

    async def models(self) -> list[Model]:
        body = await self.request_json("GET", f"{self.endpoint.url}/models")
        return [model_from_row(row) for row in parse_model_rows(body, "data") if row.get("id")]


def format_content_part(part: str | Image) -> dict[str, Any]:
    """Format text or an image as a content part of Chat Completions."""
    if isinstance(part, str):
        formatted: dict[str, Any] = {"type": "text", "text": part}
        cache_control = part.cache_control if isinstance(part, CachedText) else None
    else:
        detail = {"detail": part.detail} if part.detail else {}
        formatted = {"type": "image_url", "image_url": {"url": part.as_url(), **detail}}
        cache_control = part.cache_control
    return {**formatted, "cache_control": cache_control} if cache_control else formatted
