"""Ollama provider: the native protocol, NDJSON from /api/chat.

Ollama's OpenAI-compatible /v1 has no num_ctx, top_k or keep_alive, and swallows errors in the
middle of a stream (see docs/protocols.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from ..errors import EasyLLMError, NotFoundError, RefusedError, TooLargeError
from ..events import Event, Model, Reasoning, Text, Usage
from ..messages import Message, has_images
from ..transport.base import Request
from ..transport.framing import NDJSON, Framing
from .decoder import Decoder, parse_content
from .finish_reasons import is_finish_reason
from .http import HTTPProvider
from .json_values import parse_count, parse_object
from .model_list import parse_model_rows
from .prompt_size import is_context_overflow
from .unsupported_parameters import set_json_path


class OllamaDecoder(Decoder):
    """Decodes one object per line; the last one has `done`. The body's end is the end marker."""

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        message = body.get("message")
        has_output = False
        if isinstance(message, dict):
            thinking, content = message.get("thinking"), message.get("content")
            if isinstance(thinking, str) and thinking:
                has_output = True
                yield Reasoning(thinking)
            if isinstance(content, str):
                if content:
                    has_output = self.wrote = True
                    yield Text(content)
            elif content:
                for event in parse_content(content):
                    has_output = True
                    self.wrote = self.wrote or isinstance(event, Text)
                    yield event
            if message.get("tool_calls"):
                self.set_finish_reason("tool_calls")
            if "error" in message:
                self.raise_for_error(message)
        reason = body.get("done_reason")
        if body.get("done") is True or is_finish_reason(reason):
            self.finished(reason)
            # Some proxies set `done` in every line: only a line without text counts as the last.
            if body.get("done") is True and not has_output and self.can_be_complete:
                self.mark()
            self._update_usage(body)

    def _update_usage(self, body: dict[str, Any]) -> None:
        prompt, answer = (
            parse_count(body.get("prompt_eval_count")),
            parse_count(body.get("eval_count")),
        )
        total = None if prompt is None or answer is None else prompt + answer
        usage = Usage(prompt, answer, total)
        if self.usage is None or usage != Usage():
            self.usage = usage


# Effort -> value of `think`; Ollama refuses other strings with 400.
THINK_VALUES: dict[str, bool | str] = {
    "off": False, "minimal": "low", "low": "low", "medium": "medium", "high": "high", "max": "max",
}  # fmt: skip
OLLAMA_IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")  # Ollama's runner cannot decode GIF
# Fields of the request; every other `-o` goes to its `options` object.
TOP_LEVEL_FIELDS = (
    "format",
    "keep_alive",
    "truncate",
    "shift",
    "think",
    "tools",
    "logprobs",
    "options",
)
NUM_CTX_HINT = "raise num_ctx in the profile (or -o num_ctx=N)"


class OllamaProvider(HTTPProvider):
    """Sends POST {host}/api/chat; content is a string, images are base64 without a data: prefix."""

    provider: ClassVar[str] = "ollama"
    truncated_prompt_hint: ClassVar[str] = NUM_CTX_HINT
    start_hint: ClassVar[str] = "is Ollama running? start it with: ollama serve"
    parameter_paths: ClassVar[Mapping[str, str]] = {
        "temperature": "options.temperature",
        "max_tokens": "options.num_predict",
        "top_p": "options.top_p",
        "top_k": "options.top_k",
        "seed": "options.seed",
        "stop": "options.stop",
        "reasoning": "think",
    }

    def request(self, messages: list[Message], stream: bool) -> Request:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [self.message(message) for message in messages],
            "stream": stream,
            "truncate": False,  # otherwise Ollama silently cuts a prompt that exceeds the context
        }
        for key, value in self.sampling_with_defaults().items():
            wrapped = [value] if key == "stop" and isinstance(value, str) else value
            set_json_path(body, self.parameter_paths[key], wrapped)
        if self.profile.num_ctx is not None:
            set_json_path(body, "options.num_ctx", self.profile.num_ctx)
        if self.profile.keep_alive is not None:
            body["keep_alive"] = self.profile.keep_alive
        if self.profile.reasoning is not None or self.profile.think:
            body["think"] = THINK_VALUES.get(self.profile.reasoning or "", True)
        if self.request_variant.schema is not None:
            body["format"] = self.request_variant.schema
        for key, value in (self.profile.options or {}).items():
            set_json_path(body, key if key in TOP_LEVEL_FIELDS else f"options.{key}", value)
        return Request("POST", f"{self.endpoint.url}/api/chat", self.headers(), body)

    def message(self, message: Message) -> dict[str, Any]:
        role = "system" if message.role == "developer" else message.role
        body: dict[str, Any] = {"role": role, "content": message.text}
        if message.images:
            body["images"] = [image.base64() or image.url for image in message.images]
        if thinking := message.fields.get("reasoning_content") or message.fields.get("reasoning"):
            body["thinking"] = thinking
        return body

    def message_fields(self) -> Collection[str]:
        return ("reasoning_content", "reasoning")

    def framing(self) -> Framing:
        return NDJSON()

    def decoder(self, stream: bool) -> Decoder:
        return OllamaDecoder(stream)

    async def prepare(self, messages: list[Message]) -> tuple[list[Message], list[str]]:
        """Choose the first installed model if none is set; check for vision; download images.

        Raises:
            NotFoundError: no model is installed.
            RefusedError: the model does not accept images.
        """
        notes: list[str] = []
        if not self.model:
            installed = await self.list_models()
            if not installed:
                raise NotFoundError("no model is installed", hint="ollama pull llama3.2")
            self.model = installed[0]
            notes.append(f"model {self.model}: the first one installed (choose with -m)")
            self.routine_notes = (*notes,)
        if has_images(messages):
            from .image_inputs import with_image_bytes  # images only

            await self._require_vision()
            messages, image_notes = await with_image_bytes(
                messages, OLLAMA_IMAGE_TYPES, self.profile, "Ollama"
            )
            notes += image_notes
        return messages, notes

    async def _require_vision(self) -> None:
        """Raise RefusedError if /api/show says that the model has no vision.

        Older servers do not report capabilities; then the image is sent.
        """
        if (await self.fetch_capabilities(self.model)).vision is not False:
            return
        vision_models = []
        for name in (await self.list_models())[:20]:
            if (await self.fetch_capabilities(name)).vision:
                vision_models.append(name)
        raise RefusedError(
            f"the model {self.model} takes no images",
            hint=f"installed models that take images: {', '.join(vision_models)}" if vision_models
            else "no installed model takes images: ollama pull llava",
        )  # fmt: skip

    async def fetch_capabilities(self, name: str) -> Model:
        """One model's context size and capabilities from /api/show; None = not reported."""
        try:
            details = await self.request_json(
                "POST", f"{self.endpoint.url}/api/show", {"model": name}
            )
        except EasyLLMError:
            return Model(name)
        capabilities = details.get("capabilities") if isinstance(details, dict) else None
        if not isinstance(capabilities, list):
            return Model(name)
        model_info = parse_object(details.get("model_info"))
        context = next(
            (value for key, value in model_info.items() if key.endswith(".context_length")), None
        )
        return Model(
            name, parse_count(context), "vision" in capabilities, "thinking" in capabilities
        )

    def matches_model(self, model_id: str) -> bool:
        return model_id.removesuffix(":latest") == self.model.removesuffix(":latest")

    async def find_model(self) -> Model | None:
        installed = any(self.matches_model(name) for name in await self.list_models())
        return await self.fetch_capabilities(self.model) if installed else None

    async def reasons(self) -> bool | None:
        name = self.model or next(iter(await self.list_models()), "")
        return (await self.fetch_capabilities(name)).reasoning

    async def list_models(self) -> list[str]:
        body = await self.request_json("GET", f"{self.endpoint.url}/api/tags")
        return [
            str(row.get("name") or row.get("model")) for row in parse_model_rows(body, "models")
        ]

    async def models(self) -> list[Model]:
        return [await self.fetch_capabilities(name) for name in await self.list_models()]

    async def add_hint(self, error: EasyLLMError) -> None:
        await super().add_hint(error)
        if isinstance(error, TooLargeError):
            error.hint = f"the prompt does not fit into the context: shorten it, or {NUM_CTX_HINT}"
        elif is_context_overflow(error, self.has_output_limit):
            error.hint = f"the context is full: {NUM_CTX_HINT}"
        if isinstance(error, NotFoundError) and self.model and "did you mean" not in error.hint:
            from ..config.model_names import elsewhere_hint  # used after errors only

            elsewhere = elsewhere_hint(self.model, self.profile.provider)
            error.hint = f"ollama pull {self.model}{elsewhere}"
