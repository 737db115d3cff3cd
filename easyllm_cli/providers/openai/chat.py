"""OpenAI's Chat Completions, as OpenAI and everybody compatible speaks it (WIRE §1, §2)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from ...config.endpoints import is_loopback
from ...config.profile import Profile
from ...errors import EasyLLMError, RefusedError
from ...events import Model
from ...images import Image
from ...message_fields import MESSAGE_FIELDS
from ...messages import CachedText, Message
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
from .model_families import LONE_CLOSING_TAG_MODELS, can_reason, takes_sampling
from .reasoning_params import reasoning_parameters


class SupportsClient(HTTPProvider):
    """Speaks OpenAI's protocol, over our own HTTP or through `openai`'s client."""

    def __init__(
        self,
        profile: Profile | Mapping[str, Any],
        client: Any = None,
        *,
        trust_configs: bool = False,
    ) -> None:
        """`client`: an AsyncOpenAI or AsyncAzureOpenAI of yours, whose address, key, headers and
        connections are used instead of the profile's. It stays yours: we never close it.

        Raises:
            ConfigError: it is something else.
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
        self.no_key_hint = "check the key of the client that was handed in"
        self.transport = transport_for(self.profile, self.endpoint, self.sdk, client)

    @property
    def key(self) -> Secret | None:
        """As everywhere; a client that was handed in has its own."""
        return None if self.has_user_client else super().key

    def body_options(self) -> dict[str, Any]:
        """The profile's `options` for the body; Azure's API version goes into the URL."""
        options = self.profile.options or {}
        if self.profile.transport == "http":
            return options
        return {key: value for key, value in options.items() if key != "api_version"}


class OpenAIProvider(SupportsClient):
    """POST {base}/chat/completions; vendors differ by their row in vendors.py."""

    provider: ClassVar[str] = "openai"
    sdk: ClassVar[str] = "openai"
    ignored: ClassVar[tuple[str, ...]] = ("num_ctx", "keep_alive", "mmproj", "fallback_models")

    @property
    def path_hint(self) -> str:
        """Never to add a version that the endpoint has."""
        has_version = re.search(r"/v\d+\w*$", self.endpoint.url) is not None
        return "check the endpoint" + ": does it need /v1 at its end?" * (not has_version)

    @property
    def is_official_host(self) -> bool:
        """Whether this is the vendor's own host, so that its row and families apply."""
        return self.endpoint.host in self.vendor.hosts

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
        paths = self.resolve_parameter_paths()
        for key, value in {**self.supported_defaults(), **self.profile.sampling()}.items():
            set_json_path(body, paths[key], value)
        body |= self.reasoning_parameters()
        if self.profile.schema is not None:
            from .json_schema import response_format, with_schema_instruction  # for --schema alone

            messages = with_schema_instruction(messages, self.profile.schema, self.vendor)
            body["response_format"] = response_format(self.profile.schema, self.vendor)
        body["messages"] = [self.message(message) for message in messages]
        body |= self.body_options()
        return Request("POST", f"{self.endpoint.url}/chat/completions", self.headers(), body)

    def supported_defaults(self) -> dict[str, Any]:
        """The spec's defaults, left out for families known to refuse them."""
        defaults = self.profile.defaults()
        if self.vendor.reasoning_style == "openai" and not takes_sampling(
            self.model, self.profile.reasoning
        ):
            defaults = {key: defaults[key] for key in defaults if key == "max_tokens"}
        return defaults

    def message(self, message: Message) -> dict[str, Any]:
        """One message; text alone stays a string, which every server takes."""
        if not any(isinstance(part, Image | CachedText) for part in message.parts):
            return {"role": message.role, "content": message.text, **message.fields}
        # Text first: OpenRouter asks for it (WIRE §4e), and no server minds.
        parts = sorted(
            map(format_content_part, message.parts), key=lambda part: part["type"] != "text"
        )
        return {"role": message.role, "content": parts, **message.fields}

    def message_fields(self) -> Collection[str]:
        """OpenAI's own host knows fewer than those who speak its protocol elsewhere."""
        if self.profile.provider == "openai" and self.is_official_host:
            return ("name", "refusal", "detail")
        return (*MESSAGE_FIELDS, "detail")

    def reasoning_parameters(self) -> dict[str, Any]:
        """How this vendor is asked to reason; {} = its own default."""
        return reasoning_parameters(self.profile, self.vendor, self.model)

    def framing(self) -> Framing:
        return ServerSentEvents()

    def decoder(self, stream: bool) -> Decoder:
        return ChatDecoder(stream)

    def headers(self) -> dict[str, str | Secret]:
        return {**super().headers(), **account_headers(self.profile)}

    def has_inline_reasoning(self) -> bool:
        """Where the protocol may not separate reasoning, under --think or for known models."""
        separates = self.vendor.separates_reasoning and self.is_official_host
        wants_reasoning = self.profile.think or self.profile.reasoning not in (None, "off")
        return not separates and (
            wants_reasoning or LONE_CLOSING_TAG_MODELS.search(self.model) is not None
        )

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        notes: list[str] = []
        if not self.model and is_loopback(self.endpoint.url):
            model_ids = await self.list_models()
            if model_ids:
                self.model = model_ids[0]
            if len(model_ids) > 1:
                notes.append(f"model {self.model}: the first one the server offers")
        if any(message.images for message in messages):
            from ..image_inputs import refuse_unsupported_images  # for pictures alone

            refuse_unsupported_images(
                messages, self.endpoint, self.profile.provider or "", self.model
            )
            if await self.lacks_vision():
                raise await self.no_vision_error()
        prepared, more_notes = await super().prepare(messages)
        return prepared, notes + more_notes

    async def no_vision_error(self) -> RefusedError:
        """The error for a model that is known to be blind."""
        return RefusedError(
            f"the model {self.model} takes no images",
            hint="start the server with a vision model (llama.cpp: --mmproj FILE)",
        )

    async def lacks_vision(self) -> bool:
        """llama.cpp says in /props whether its model sees; nobody else is asked."""
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
    """One part of a message as Chat Completions writes it."""
    if isinstance(part, str):
        formatted: dict[str, Any] = {"type": "text", "text": part}
        cache_control = part.cache_control if isinstance(part, CachedText) else None
    else:
        detail = {"detail": part.detail} if part.detail else {}
        formatted = {"type": "image_url", "image_url": {"url": part.as_url(), **detail}}
        cache_control = part.cache_control
    return {**formatted, "cache_control": cache_control} if cache_control else formatted
