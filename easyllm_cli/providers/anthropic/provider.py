"""Anthropic adapter: the Messages API, of Anthropic and of others that offer it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from ...config.credentials import find_key_source
from ...config.endpoints import is_loopback
from ...config.profile import Profile
from ...errors import ConfigError, EasyLLMError, NotFoundError, RefusedError, UsageError
from ...events import Model
from ...messages import Message, has_images, with_schema_instruction
from ...pipeline.reasoning_marks import writes_lone_closing_tag
from ...secret import Secret
from ...transport.base import Request
from ...transport.framing import Framing, ServerSentEvents
from ..decoder import Decoder
from ..http import HTTPProvider
from ..json_values import parse_object
from ..model_list import parse_model_rows
from ..request_key import request_to_key
from ..unsupported_parameters import has_json_path, set_json_path
from .capabilities import ModelCapabilities, cache_model, load_cached_model
from .decoder import MessagesDecoder
from .format import format_message, format_system, model_from_messages_row
from .thinking import ENABLED, MIN_BUDGET_TOKENS, ThinkingControl

# Every server of this protocol accepts it. Newer versions refuse sampling parameters altogether:
# https://platform.claude.com/docs/en/api/versioning
API_VERSION = "2023-06-01"
SYSTEM_ROLES = ("system", "developer")
EFFORT_PATH = "output_config.effort"
MAX_PAGES = 50  # of the model list, 1000 models each


class AnthropicProvider(HTTPProvider):
    """Sends POST {base}/v1/messages.

    The API needs `max_tokens`: without the user's limit the adapter chooses one. It sends sampling
    parameters only if the user has set them; newer models refuse all of them.
    """

    provider: ClassVar[str] = "anthropic"
    system_is_text: ClassVar[bool] = True
    ignored: ClassVar[tuple[str, ...]] = ("seed",)  # the protocol has none
    # top_p first: an error that names it beside temperature means that one of the two must go.
    parameter_paths: ClassVar[Mapping[str, str]] = {
        "top_p": "top_p",
        "temperature": "temperature",
        "top_k": "top_k",
        "stop": "stop_sequences",
        "reasoning effort": EFFORT_PATH,
        "reasoning": "thinking",
    }

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        super().__init__(profile, trust_configs=trust_configs)
        if self.profile.api not in (None, "anthropic"):
            raise ConfigError(
                f'provider "{self.profile.provider}" does not support api = "{self.profile.api}"',
                hint="leave api out of the profile",
            )
        self.is_own_api = not self.vendor.messages_url  # not another vendor's Messages API
        # Servers that users run ignore what they do not know, so the older form is safer there.
        runs_locally = not self.is_own_api and is_loopback(self.endpoint.url)
        self.thinking = ThinkingControl(
            self.profile,
            ENABLED if runs_locally else self.vendor.messages_thinking,
            1 if runs_locally else MIN_BUDGET_TOKENS,
        )

    @property
    def key_header(self) -> str:
        if find_key_source(self.profile, self.endpoint) in self.vendor.bearer_variables:
            return "Authorization"
        if self.is_own_api or self.endpoint.host not in self.vendor.hosts:
            return super().key_header
        return self.vendor.messages_key_header

    @property
    def path_hint(self) -> str:
        """The hint for a wrong path; names the vendor's URL if the endpoint is another one."""
        url = self.vendor.messages_url
        is_other = bool(url) and self.endpoint.url != url
        return "check the endpoint" + f": the Messages API is at {url}" * is_other

    def headers(self) -> dict[str, str | Secret]:
        own = {name.lower() for name in self.profile.headers or {}}
        version = {} if "anthropic-version" in own else {"anthropic-version": API_VERSION}
        return {**version, **super().headers()}

    def request(self, messages: list[Message], stream: bool) -> Request:
        messages = self._with_schema_in_words(messages)
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": 0,  # set below; here for the usual order of the fields
            "messages": [
                format_message(message) for message in messages if message.role not in SYSTEM_ROLES
            ],
            "stream": stream,
        }
        if system := format_system([each for each in messages if each.role in SYSTEM_ROLES]):
            body["system"] = system
        for key, value in self.profile.sampling().items():
            if key in self.parameter_paths:
                is_one_word = key == "stop" and isinstance(value, str)
                set_json_path(body, self.parameter_paths[key], [value] if is_one_word else value)
        if self.request_variant.schema is not None and self.is_own_api:
            from .json_schema import output_format  # --schema only

            if schema_format := output_format(self.request_variant.schema):
                body["output_config"] = {"format": schema_format}
        self.thinking.write(body, stream)
        self._add_options(body)
        return Request("POST", f"{self.endpoint.url}/v1/messages", self.headers(), body)

    def _with_schema_in_words(self, messages: list[Message]) -> list[Message]:
        """Add the schema to the system prompt where `output_config.format` cannot carry it.

        No other vendor documents that field for its Messages API.
        """
        schema = self.request_variant.schema
        if schema is None:
            return messages
        from .json_schema import output_format

        if self.is_own_api and output_format(schema):
            return messages
        return with_schema_instruction(messages, schema)

    def _add_options(self, body: dict[str, Any]) -> None:
        """Add the profile's `options`; those of `output_config` join the schema and the effort."""
        options = dict(self.profile.options or {})
        config = options.get("output_config")
        if isinstance(config, dict):
            options["output_config"] = {**parse_object(body.get("output_config")), **config}
        body |= options

    def repair(self, request: Request, error: EasyLLMError) -> tuple[Request, str] | None:
        """Change the form of thinking or the invented token limit, else leave a parameter out."""
        body = dict(request.body or {})
        if not self.thinking.learn(error, body):
            return self._repair_output_config(request, error) or super().repair(request, error)
        body.pop("thinking", None)
        if config := body.get("output_config"):
            body["output_config"] = {key: config[key] for key in config if key != "effort"}
        self.thinking.write(body, bool(body.get("stream")))
        body = {key: value for key, value in body.items() if key != "output_config" or value}
        self._add_options(body)
        note = "" if "thinking" in body else self.thinking.note(self.model)
        if note and self.profile.strict:
            return None
        return self.unsupported_parameters.apply(replace(request, body=body)), note

    def _repair_output_config(
        self, request: Request, error: EasyLLMError
    ) -> tuple[Request, str] | None:
        """Leave the effort out if a server does not know `output_config`; a schema gets a hint."""
        if not isinstance(error, RefusedError) or error.status not in (400, 422):
            return None
        words = f"{error.parameter or ''} {error.message}"
        about_schema = re.search(r"(?i)format|schema|grammar", words) is not None
        if "output_config" in words and not about_schema:
            if has_json_path(request.body, EFFORT_PATH):
                return self.unsupported_parameters.leave_out(EFFORT_PATH, request, error)
            about_schema = True
        if about_schema and has_json_path(request.body, "output_config.format"):
            error.hint = (
                "the schema may not be supported: leave --schema out and ask for JSON in the prompt"
            )
        return None

    def limit_output(self, tokens: int | None) -> None:
        super().limit_output(tokens)
        self.thinking = copy(self.thinking)  # the other answers of this provider share it
        self.thinking.output_limit = tokens

    def framing(self) -> Framing:
        return ServerSentEvents()

    def decoder(self, stream: bool) -> Decoder:
        return MessagesDecoder(stream)

    def message_fields(self) -> Collection[str]:
        return ("cache_control",)

    def refuse_unsupported(self, messages: list[Message]) -> None:
        super().refuse_unsupported(messages)
        conversation = [message for message in messages if message.role not in SYSTEM_ROLES]
        if not conversation:
            raise UsageError(
                f"{self.profile.provider} needs a user message, and there are only system messages",
                hint="add a prompt",
            )
        if any(not (message.text.strip() or message.images) for message in conversation):
            raise UsageError(
                f"{self.profile.provider} takes no empty message", hint="leave the message out"
            )
        if self.thinking.user_limit == 0:
            raise UsageError("max_tokens = 0 asks for no answer", hint="raise it, or leave it out")

    def has_inline_reasoning(self) -> bool:
        """Whether the text may contain reasoning in `<think>` tags, as OpenAIProvider's."""
        wants = self.thinking.wants_thinking
        return not self.vendor.separates_reasoning and (
            wants or writes_lone_closing_tag(self.model)
        )

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        first_model_notes = await self.choose_first_model()
        messages, notes = await super().prepare(messages)
        if has_images(messages):
            messages, image_notes = await self._prepare_images(messages)
            notes += image_notes
        self.thinking.profile = self.profile  # --elicit changes it
        if self.thinking.needs_capabilities:
            self.thinking.capabilities = await self.capabilities()
            note = self.thinking.note(self.model)
            if note and self.profile.strict:
                raise RefusedError(note, hint="without --strict it is asked all the same")
            notes += filter(None, [note])
        return messages, first_model_notes + notes

    async def _prepare_images(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """Check the types of images, and inline https URLs for hosts other than Anthropic's."""
        from ...vendors import COMMON_IMAGE_TYPES, LLAMACPP_IMAGE_TYPES  # images only
        from ..image_inputs import refuse_unsupported_images, with_image_bytes

        name = self.profile.provider or ""
        if self.endpoint.host in self.vendor.hosts and self.is_own_api:
            refuse_unsupported_images(messages, self.endpoint, name, self.model)
            return messages, []
        types = LLAMACPP_IMAGE_TYPES if name == "llamacpp" else COMMON_IMAGE_TYPES
        return await with_image_bytes(messages, types, self.profile, name)

    async def capabilities(self) -> ModelCapabilities:
        """What the model supports; asked for once a day. Other vendors' APIs are not asked."""
        if not self.is_own_api or not self.model:
            return ModelCapabilities({})
        row = load_cached_model(self.endpoint.url, self.model)
        if row is None:
            row = {}
            with suppress(EasyLLMError):
                row = await self._fetch_row()
                cache_model(self.endpoint.url, self.model, row)
        return ModelCapabilities(row)

    async def _fetch_row(self) -> dict[str, Any]:
        """The model's row; {} if the server has none, as gateways.

        Raises:
            EasyLLMError: any other failure.
        """
        url = f"{self.endpoint.url}/v1/models/{quote(self.model, safe='', errors='replace')}"
        try:
            row = await self.request_json("GET", url)
        except NotFoundError:
            return {}
        return row if isinstance(row, dict) else {}

    def dry_request(self, messages: list[Message], stream: bool) -> Request:
        self.thinking.profile = self.profile
        if self.thinking.needs_capabilities and self.is_own_api:
            row = load_cached_model(self.endpoint.url, self.model) or {}
            self.thinking.capabilities = ModelCapabilities(row)
        return super().dry_request(messages, stream)

    def request_key(self, messages: list[Message]) -> dict[str, Any]:
        """The request as it is while nothing is known of the model, and the effort asked for.

        What is known changes from one call to the next, and from one machine to another.
        """
        provider = copy(self)
        provider.thinking = self.thinking.without_knowledge(self.profile)
        request = HTTPProvider.dry_request(provider, messages, stream=True)
        return {
            **request_to_key(request),
            "reasoning": [self.profile.think, self.profile.reasoning],
        }

    async def reasons(self) -> bool | None:
        return (await self.capabilities()).supports("thinking")

    async def models(self) -> list[Model]:
        """Return the models of all pages (at most 50); other servers send one page."""
        models: dict[str, Model] = {}  # a server may repeat a page
        last = ""
        for _ in range(MAX_PAGES):
            page = f"?limit=1000{last and '&after_id=' + quote(last, '', errors='replace')}"
            body = await self.request_json("GET", f"{self.endpoint.url}/v1/models{page}")
            rows = [row for row in parse_model_rows(body, "data") if row.get("id")]
            for row in rows:
                models.setdefault(str(row["id"]), model_from_messages_row(row))
            has_more = isinstance(body, dict) and body.get("has_more") is True
            last_id = (body.get("last_id") or (rows or [{}])[-1].get("id")) if has_more else ""
            previous, last = last, str(last_id or "")
            if last in ("", previous):
                break
        return [*models.values()]
