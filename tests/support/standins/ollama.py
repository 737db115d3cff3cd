"""Stand-in server for Ollama's native API (docs/protocols.md, Ollama)."""

import re
from collections.abc import Mapping

from tests.support.standins.script import Json, ndjson, sniff, split_text, unbase64, words
from tests.support.standins.server import ErrorReply, Reply, Request

MODELS = {
    "llama3.2": ("completion", "tools"),
    "qwen3": ("completion", "tools", "thinking"),
    "llava": ("completion", "vision"),
}
LEVELS = ("low", "medium", "high", "max")
INTEGERS = {"num_predict", "num_ctx", "top_k", "seed"}
FLOATS = {"temperature", "top_p", "min_p", "repeat_penalty"}
CREATED = "2026-11-23T10:00:00.123456789Z"


class OllamaServer:
    """Answers `Hello from MODEL: <last text>` or `I see a png of 123 bytes`."""

    def __init__(
        self,
        *,
        models: Mapping[str, tuple[str, ...]] = MODELS,
        thinking: str = "Let me think about it.",
        context_length: int = 131072,
        version: str = "0.12.6",
    ) -> None:
        self.models = models
        self.thinking = thinking
        self.context_length = context_length
        self.version = version
        self.requests: list[Request] = []
        self.options: list[Json] = []

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        self.requests.append(request)
        match request.method, request.path:
            case "POST", "/api/chat":
                await self._chat(request.json, reply)
            case "POST", "/api/show":
                await reply.json(self._show_model(request.json))
            case "GET", "/api/tags":
                await reply.json({"models": [self._model_row(name) for name in self.models]})
            case "GET", "/api/version":
                await reply.json({"version": self.version})
            case _:
                await reply.head(404, None, "text/plain", length=18)
                await reply.write(b"404 page not found")

    async def _chat(self, body: Json, reply: Reply) -> None:
        check_shape(body)
        body = body | {"messages": body.get("messages") or []}
        self.options.append(body.get("options") or {})
        abilities = self._abilities(body)
        reasons = check_think(body, abilities)
        images = [image for message in body["messages"] for image in message.get("images") or []]
        if images and "vision" not in abilities:
            raise refuse(400, f'"{body["model"]}" does not support vision')
        reasoning = self.thinking if reasons else ""
        answer = self._answer(body, images)
        base = {"model": body["model"], "created_at": CREATED}
        counts = last_fields(words(_last_user_text(body)), words(reasoning) + words(answer))
        if body.get("stream") is False:
            await reply.json(base | {"message": _message(answer, reasoning)} | counts)
            return
        # Ollama streams unless `stream` is false.
        await reply.head(200, None, "application/x-ndjson", chunked=True)
        for part in split_text(reasoning):
            await reply.write(ndjson(base | {"message": _message("", part), "done": False}))
        for part in split_text(answer):
            await reply.write(ndjson(base | {"message": _message(part, ""), "done": False}))
        await reply.write(ndjson(base | {"message": _message("", "")} | counts))

    def _answer(self, body: Json, images: list[str]) -> str:
        if not images:
            return f"Hello from {body['model']}: {_last_user_text(body)}"
        seen = [unbase64(image) or b"" for image in images]
        kinds = [sniff(data) for data in seen]
        if any(kind not in {"png", "jpeg", "webp"} for kind in kinds):
            raise refuse(400, "image: unknown format")  # Go's decoder says this of a GIF, too
        parts = [f"a {kind} of {len(data)} bytes" for kind, data in zip(kinds, seen, strict=True)]
        return "I see " + " and ".join(parts)

    def _abilities(self, body: Json) -> tuple[str, ...]:
        name = body.get("model") or body.get("name") or ""
        abilities = self.models.get(name.removesuffix(":latest"))
        if abilities is None:
            raise refuse(404, f"model '{name}' not found")
        return abilities

    def _show_model(self, body: Json) -> Json:
        """Return the answer of /api/show, with the context length and the capabilities."""
        abilities = self._abilities(body)
        arch = "llama"
        return {
            "modelfile": "# stand-in",
            "template": "{{ .Prompt }}",
            "details": {"format": "gguf", "family": arch, "parameter_size": "3.2B"},
            "model_info": {
                "general.architecture": arch,
                f"{arch}.context_length": self.context_length,
            },
            "capabilities": list(abilities),
            "modified_at": CREATED,
        }

    def _model_row(self, name: str) -> Json:
        """Return a row of /api/tags, without capabilities: not every version lists them."""
        full = name if ":" in name else f"{name}:latest"
        details = {"format": "gguf", "family": "llama", "families": ["llama"]}
        details |= {"parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
        return {
            "name": full,
            "model": full,
            "modified_at": CREATED,
            "size": 2019393189,
            "digest": "a80c4f17acd5" + "0" * 52,
            "details": details,
        }


def refuse(status: int, text: str) -> ErrorReply:
    """Return an error in Ollama's shape: `error` is a string."""
    return ErrorReply(status, {"error": text})


def check_shape(body: Json) -> None:
    """Refuse values of the wrong type, with the messages of Go's decoder."""
    for message in body.get("messages") or []:
        content = message.get("content", "")
        if content is not None and not isinstance(content, str):
            kind = {list: "array", dict: "object", bool: "bool"}.get(type(content), "number")
            field = "Go struct field ChatRequest.messages.content of type string"
            raise refuse(400, f"json: cannot unmarshal {kind} into {field}")
        for image in message.get("images") or []:
            if unbase64(image) is None:
                raise refuse(400, f"illegal base64 data at input byte {_corrupt_at(image)}")
    for name, value in (body.get("options") or {}).items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in FLOATS and not number:
            raise refuse(400, f'option "{name}" must be of type float32')
        if name in INTEGERS and not number:
            raise refuse(400, f'option "{name}" must be of type integer')


def check_think(body: Json, abilities: tuple[str, ...]) -> bool:
    """Return whether the model thinks; without `think` a thinking model does."""
    think = body.get("think")
    if think is not None and not isinstance(think, bool) and think not in LEVELS:
        allowed = '(must be "high", "medium", "low", "max", true, or false)'
        raise refuse(400, f'invalid think value: "{think}" {allowed}')
    if "thinking" not in abilities:
        if think:
            raise refuse(400, f'"{body["model"]}" does not support thinking')
        return False
    # gpt-oss ignores true and false, so its thinking cannot be switched off.
    return think is not False or body["model"].startswith("gpt-oss")


def last_fields(prompt: int, answer: int) -> Json:
    """Return the fields of the last line; eval_count includes the thinking."""
    return {
        "done": True,
        "done_reason": "stop",
        "total_duration": 174560334,
        "load_duration": 101397084,
        "prompt_eval_count": prompt,
        "prompt_eval_duration": 13074791,
        "eval_count": answer,
        "eval_duration": 52479709,
    }


def _message(content: str, thinking: str) -> Json:
    """Return a message; an empty `thinking` is left out, as Go's omitempty does."""
    message = {"role": "assistant", "content": content}
    return message | ({"thinking": thinking} if thinking else {})


def _last_user_text(body: Json) -> str:
    user_messages = [message for message in body["messages"] if message.get("role") == "user"]
    texts: list[str] = [message.get("content") or "" for message in user_messages]
    return texts[-1] if texts else ""


def _corrupt_at(text: str) -> int:
    """Return where Go's decoder stops: at the first foreign byte or the incomplete group."""
    foreign_byte = re.search(r"[^A-Za-z0-9+/]", text.rstrip("="))
    return foreign_byte.start() if foreign_byte else len(text) - len(text) % 4
