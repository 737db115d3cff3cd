"""Responses adapter: OpenAI's API that also returns summaries of the reasoning."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Any, ClassVar

from ...errors import EasyLLMError, NotFoundError, RefusedError
from ...images import Image
from ...messages import Message
from ...transport.base import Request
from ...transport.response_errors import ERROR_HINTS
from ..decoder import Decoder
from ..unsupported_parameters import set_json_path
from .chat import OpenAIProvider
from .model_families import can_reason, takes_sampling
from .reasoning_params import OPENAI_EFFORT_VALUES
from .responses_decoder import ResponsesDecoder


class ResponsesProvider(OpenAIProvider):
    """Sends POST {base}/responses; models, keys and headers are inherited from OpenAIProvider.

    The API has no `stop`, `seed` and `top_k`: they are left out with a note, or refused when the
    profile is strict.
    """

    system_is_text: ClassVar[bool] = True
    _unsupported_noted = False  # the note about left-out settings was sent
    _context_tokens: int | None = None

    @property
    def path_hint(self) -> str:
        return 'check the endpoint; if it has no /responses, set api = "chat"'

    @property
    def is_official_openai(self) -> bool:
        """Whether OpenAI itself answers, not a compatible server."""
        return self.profile.provider == "openai" and self.is_official_host

    def resolve_parameter_paths(self) -> Mapping[str, str]:
        return {
            "temperature": "temperature",
            "top_p": "top_p",
            "max_tokens": "max_output_tokens",
            # First: OpenAI refuses summaries, but not efforts, for unverified organizations.
            "reasoning summary": "reasoning.summary",
            "reasoning effort": "reasoning.effort",
        }

    def request(self, messages: list[Message], stream: bool) -> Request:
        system = [*takewhile(lambda message: message.role in ("system", "developer"), messages)]
        body: dict[str, Any] = {
            "model": self.model,
            "input": [self.message(message) for message in messages[len(system) :]],
            "stream": stream,
            "store": False,
        }
        if system:
            body["instructions"] = "\n\n".join(message.text for message in system)
        paths = self.resolve_parameter_paths()
        for key, value in self.sampling_with_defaults().items():
            if key in paths:
                set_json_path(body, paths[key], value)
        body |= self.reasoning_parameters()
        if self.is_official_openai and can_reason(self.model):
            body["include"] = ["reasoning.encrypted_content"]
        if self.request_variant.schema is not None:
            from .json_schema import text_format  # --schema only

            body["text"] = {"format": text_format(self.request_variant.schema)}
        options = self.body_options()
        if isinstance(options.get("text"), dict):  # beside the schema, e.g. the verbosity
            options = {**options, "text": {**body.get("text", {}), **options["text"]}}
        body |= options
        return Request("POST", f"{self.endpoint.url}/responses", self.headers(), body)

    def message(self, message: Message) -> dict[str, Any]:
        """Format one message as an input item; llama.cpp needs `type` for an assistant's."""
        text_type = "output_text" if message.role == "assistant" else "input_text"
        parts: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, Image):
                detail = {"detail": part.detail} if part.detail else {}
                parts.append({"type": "input_image", "image_url": part.as_url(), **detail})
            else:
                parts.append({"type": text_type, "text": part})
        return {"type": "message", "role": message.role, "content": parts}

    def message_fields(self) -> Collection[str]:
        return ("detail",)

    def reasoning_parameters(self) -> dict[str, Any]:
        effort = self.profile.reasoning
        parameters: dict[str, str] = {}
        if effort is not None:
            parameters["effort"] = OPENAI_EFFORT_VALUES.get(effort, effort)
        elif self.profile.think and can_reason(self.model) and takes_sampling(self.model, None):
            parameters["effort"] = "medium"  # families that do not reason by default
        if effort != "off" and (effort or self.profile.think):
            parameters["summary"] = "auto"
        return {"reasoning": parameters} if parameters else {}

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        messages, notes = await super().prepare(messages)
        if self.profile.provider == "llamacpp":
            self._context_tokens = self._context_tokens or await self.fetch_context_tokens()
        paths = self.resolve_parameter_paths()
        unknown = ", ".join(key for key in self.profile.sampling() if key not in paths)
        if unknown and self.profile.strict:
            raise RefusedError(
                f"OpenAI's Responses API has no {unknown}",
                hint='leave it out, or set api = "chat"',
            )
        if unknown and not self._unsupported_noted:
            self._unsupported_noted = True
            notes.append(
                f'{unknown}: not in OpenAI\'s Responses API, left out (api = "chat" sends it)'
            )
        return messages, notes

    async def fetch_context_tokens(self) -> int | None:
        """Return the model's context size in tokens from the model list; None = unknown.

        Needed because llama.cpp reports `completed` for an answer cut at the context's end.
        """
        with suppress(EasyLLMError):
            context_by_model = {model.id: model.context for model in await self.models()}
            return context_by_model.get(self.model, next(iter(context_by_model.values()), None))
        return None

    async def add_hint(self, error: EasyLLMError) -> None:
        """Extend HTTPProvider.add_hint: a 404 for a listed model means that the path is wrong."""
        await super().add_hint(error)
        has_generic_hint = (
            isinstance(error, NotFoundError) and error.hint == ERROR_HINTS[NotFoundError]
        )
        if has_generic_hint and error.code != "model_not_found":
            error.hint = self.path_hint

    def decoder(self, stream: bool) -> Decoder:
        limit = self.profile.output_limit() or self.sampling_with_defaults().get("max_tokens")
        return ResponsesDecoder(
            stream, None if self.is_official_openai else limit, self._context_tokens
        )
