"""OpenAI's Responses, the endpoint that tells what its reasoning models thought (WIRE §1b)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Any

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
    """POST {base}/responses; models, pictures, keys and headers are OpenAIProvider's.

    `stop`, `seed` and `top_k` are not in this protocol: left out with a note, refused if strict.
    """

    _unsupported_noted = False  # the user knows what was left out
    _context_tokens: int | None = None  # tokens

    @property
    def path_hint(self) -> str:
        return 'check the endpoint; where there is no /responses: api = "chat"'

    @property
    def is_official_openai(self) -> bool:
        """Whether OpenAI itself answers, and not a server that copies it."""
        return self.profile.provider == "openai" and self.is_official_host

    def resolve_parameter_paths(self) -> Mapping[str, str]:
        return {
            "temperature": "temperature",
            "top_p": "top_p",
            "max_tokens": "max_output_tokens",
            # First: a summary is refused before the effort is (organizations not verified).
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
        if self.profile.schema is not None:
            from .json_schema import text_format  # for --schema alone

            body["text"] = {"format": text_format(self.profile.schema)}
        body |= self.body_options()
        return Request("POST", f"{self.endpoint.url}/responses", self.headers(), body)

    def sampling_with_defaults(self) -> dict[str, Any]:
        """What is asked for under the profile's own names, the spec's defaults first."""
        return {**self.supported_defaults(), **self.profile.sampling()}

    def message(self, message: Message) -> dict[str, Any]:
        """One turn as an input item; its `type` is what llama.cpp knows an assistant's by."""
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
            parameters["effort"] = "medium"  # families that reason only when asked
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
                f"OpenAI's Responses has no {unknown}", hint='leave it out, or set api = "chat"'
            )
        if unknown and not self._unsupported_noted:
            self._unsupported_noted = True
            notes.append(f'{unknown}: not in OpenAI\'s Responses, left out (api = "chat" has it)')
        return messages, notes

    async def fetch_context_tokens(self) -> int | None:
        """Tokens that a prompt and its answer may have together, None = the server does not say.

        llama.cpp calls an answer `completed` that the end of its context cut.
        """
        with suppress(EasyLLMError):
            context_by_model = {model.id: model.context for model in await self.models()}
            return context_by_model.get(self.model, next(iter(context_by_model.values()), None))
        return None

    async def add_hint(self, error: EasyLLMError) -> None:
        """As HTTPProvider.explain; where the model is there, it is the path that is not."""
        await super().add_hint(error)
        has_generic_hint = (
            isinstance(error, NotFoundError) and error.hint == ERROR_HINTS[NotFoundError]
        )
        if has_generic_hint and error.code != "model_not_found":
            error.hint = self.path_hint

    def decoder(self, stream: bool) -> Decoder:
        limit = (self.profile.options or {}).get("max_output_tokens")
        limit = limit or self.sampling_with_defaults().get("max_tokens")
        return ResponsesDecoder(
            stream, None if self.is_official_openai else limit, self._context_tokens
        )
