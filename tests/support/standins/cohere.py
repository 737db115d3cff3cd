"""Stand-in server for Cohere's Chat API, version 2 (docs/protocols.md, Cohere)."""

from tests.support.standins.openai import DATA_URI
from tests.support.standins.script import Json, sniff, split_text, sse, unbase64, words
from tests.support.standins.server import ErrorReply, Reply, Request

# model name -> the features of its row in the model list; None = the list has none for it.
MODELS: dict[str, list[str] | None] = {
    "command-a-03-2025": ["tools", "json_mode"],
    "command-a-reasoning-08-2025": ["tools", "reasoning"],
    "command-a-vision-07-2025": ["vision"],
    "command-r-08-2024": None,
}
BODY_NAMES = {"model", "messages", "stream", "max_tokens", "temperature", "p", "k", "seed",
              "stop_sequences", "response_format", "thinking", "safety_mode"}  # fmt: skip
ROLES = {"system", "user", "assistant"}
TEMPLATE_TOKENS = 5  # of the chat template: counted in `tokens`, not in `billed_units`


class CohereServer:
    """Answers `Hello from MODEL: <last text>` or `I see a png of 123 bytes`."""

    def __init__(
        self,
        *,
        key: str = "test-key",
        thinking: str = "Let me think about it.",
        page_size: int = 3,
    ) -> None:
        self.key = key
        self.thinking = thinking
        self.page_size = page_size
        self.requests: list[Request] = []

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise refuse(401, "invalid api token")
        match request.method, request.path:
            case "POST", "/v2/chat":
                await self._chat(request.json, reply)
            case "GET", "/v1/models":
                await reply.json(self._page(request))
            case _:
                raise refuse(404, f"no handler found for '{request.method} {request.path}'")

    async def _chat(self, body: Json, reply: Reply) -> None:
        check_body(body)
        features = MODELS[body["model"]] or []
        images = image_bytes(body["messages"])
        if images and "vision" not in features:
            raise refuse(400, f"image_url is only supported by vision models: {body['model']}")
        thinking = ""
        if "reasoning" in features and body.get("thinking", {}).get("type") != "disabled":
            thinking = self.thinking
        answer = make_answer(body, images)
        end = {"finish_reason": "COMPLETE", "usage": usage(body, thinking, answer)}
        if not body.get("stream"):
            blocks = [{"type": "thinking", "thinking": thinking}] if thinking else []
            message = {"role": "assistant", "content": [*blocks, {"type": "text", "text": answer}]}
            await reply.json({"id": "c14c80c3", "message": message} | end)
            return
        await reply.head(200, None, "text/event-stream", chunked=True)
        await reply.write(event({"type": "message-start", "id": "c14c80c3",
                                 "delta": {"message": {"role": "assistant"}}}))  # fmt: skip
        index = 0
        for kind, text in (("thinking", thinking), ("text", answer)):
            if text:
                await reply.write(content_start(kind, index))
                for part in split_text(text):
                    await reply.write(content_delta(kind, part, index))
                await reply.write(event({"type": "content-end", "index": index}))
                index += 1
        await reply.write(event({"type": "message-end", "delta": end}))

    def _page(self, request: Request) -> Json:
        """Return a page of the model list, at most `page_size` long whatever the client asks."""
        if request.query.get("endpoint") != "chat":
            raise refuse(500, "stand-in: the list was not limited to chat models")
        names = list(MODELS)
        start = int(request.query.get("page_token") or 0)
        end = start + self.page_size
        rows = [
            {"name": name, "endpoints": ["chat"], "context_length": 256000.0,
             "features": MODELS[name], "is_deprecated": False}
            for name in names[start:end]
        ]  # fmt: skip
        return {"models": rows} | ({"next_page_token": str(end)} if end < len(names) else {})


def refuse(status: int, message: str) -> ErrorReply:
    """Return an error in Cohere's shape."""
    return ErrorReply(status, {"id": "0af7ec09", "message": message})


def check_body(body: Json) -> None:
    """Refuse unknown fields, roles and models, and a budget that is no positive number."""
    if unknown := set(body) - BODY_NAMES:
        raise refuse(422, f"unknown field: parameter '{min(unknown)}' is not a valid field")
    if body.get("model") not in MODELS:
        raise refuse(404, f"model '{body.get('model')}' not found")
    if {message["role"] for message in body["messages"]} - ROLES:
        raise refuse(422, "invalid role")
    budget = body.get("thinking", {}).get("token_budget", 1)
    if not isinstance(budget, int) or budget < 1:
        raise refuse(400, "thinking.token_budget must be a positive integer")


def content_text(content: str | list[Json]) -> str:
    """Return the text of a message."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def image_bytes(messages: list[Json]) -> list[bytes]:
    """Return the images of all messages.

    Raises:
        ErrorReply: an image is neither a data URL with base64 nor a web URL.
    """
    images = []
    for message in messages:
        for part in message["content"] if isinstance(message["content"], list) else []:
            url = part["image_url"]["url"] if part["type"] == "image_url" else ""
            match = DATA_URI.fullmatch(url)
            data = unbase64(match[2]) if match else None
            if url and data is None and not url.startswith("https://"):
                raise refuse(400, "invalid image")
            images += [data or b""] * bool(url)
    return images


def make_answer(body: Json, images: list[bytes]) -> str:
    """Return a greeting, or the kinds and sizes of the images."""
    question = content_text(body["messages"][-1]["content"])
    if "response_format" in body:
        return question  # a test puts the JSON it wants into the question
    if images:
        return "I see " + " and ".join(f"a {sniff(data)} of {len(data)} bytes" for data in images)
    return f"Hello from {body['model']}: {question}"


def usage(body: Json, thinking: str, answer: str) -> Json:
    """Return the usage; Cohere's numbers are floats."""
    prompt = sum(words(content_text(message["content"])) for message in body["messages"])
    output = words(thinking) + words(answer)
    return {
        "billed_units": {"input_tokens": float(prompt), "output_tokens": float(output)},
        "tokens": {
            "input_tokens": float(prompt + TEMPLATE_TOKENS),
            "output_tokens": float(output),
        },
        "cached_tokens": 0.0,
    }


def event(body: Json) -> bytes:
    """Return one event of the stream; its name is the type."""
    return sse(body, body["type"])


def content_start(kind: str, index: int = 0) -> bytes:
    """Return the start of a content block. `kind`: text or thinking."""
    block = {"type": kind, kind: ""}
    return event(
        {"type": "content-start", "index": index, "delta": {"message": {"content": block}}}
    )


def content_delta(kind: str, text: str, index: int = 0) -> bytes:
    """Return a piece of a content block. `kind`: text or thinking."""
    delta = {"message": {"content": {kind: text}}}
    return event({"type": "content-delta", "index": index, "delta": delta})


def message_end(reason: str | None, **more: object) -> bytes:
    """Return the end of a stream. `more`: other fields of its delta, e.g. usage."""
    return event({"type": "message-end", "delta": {"finish_reason": reason, **more}})
