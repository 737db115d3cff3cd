"""Stand-in server for OpenAI's Chat Completions (docs/protocols.md)."""

import re
from collections.abc import Iterable
from typing import Any

from tests.support.standins.script import DONE, Json, chunk, split_text, unbase64, usage, words
from tests.support.standins.server import ErrorReply, Reply, Request

DATA_URI = re.compile(r"data:image/(png|jpe?g|webp|gif);base64,(.+)", re.DOTALL)
ROLES = {"system", "developer", "user", "assistant", "tool"}


class OpenAIServer:
    """Answers `Hello from MODEL: <last user text>`; `rejects` names refused parameters."""

    def __init__(
        self,
        *,
        key: str | None = None,
        models: Iterable[str] = ("gpt-4o-mini", "gpt-4o"),
        reasoning: str | None = None,
        rejects: Iterable[str] = (),
    ) -> None:
        self.key = key
        self.models = tuple(models)
        self.reasoning = reasoning
        self.rejects = frozenset(rejects)
        self.requests: list[Request] = []

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        self.requests.append(request)
        check_key(request, self.key)
        match request.method, request.path:
            case "GET", "/v1/models":
                await reply.json({"object": "list", "data": [_model_row(m) for m in self.models]})
            case "POST", "/v1/chat/completions":
                await self._complete(request, reply)
            case _:
                where = f"Invalid URL ({request.method} {request.path})"
                raise refuse(404, where, code=None)

    def check_model(self, model: Any) -> None:
        """Refuse a model that is not in `models`."""
        if model not in self.models:
            what = f"The model `{model}` does not exist or you do not have access to it."
            raise refuse(404, what, code="model_not_found")

    async def _complete(self, request: Request, reply: Reply) -> None:
        body = request.json
        model = body.get("model")
        self.check_model(model)
        for name in body:
            if name in self.rejects:
                raise unsupported(name)
        check_messages(body.get("messages"))
        question = last_user_text(body["messages"])
        answer = f"Hello from {model}: {question}"
        counts = self._usage(question, answer)
        if body.get("stream"):
            await self._stream(body, reply, answer, counts)
        else:
            await reply.json(self._whole(model, answer, counts), headers=_request_id())

    async def _stream(self, body: Json, reply: Reply, answer: str, counts: Json) -> None:
        """Send a stream: first the role with an empty text, usage only if it was requested."""
        wants_usage = (body.get("stream_options") or {}).get("include_usage", False)
        base: Json = {"model": body["model"]} | ({"usage": None} if wants_usage else {})
        first = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        await reply.head(200, _request_id(), "text/event-stream", chunked=True)
        await reply.write(chunk(**base, choices=[first]))
        for part in split_text(self.reasoning or ""):
            await reply.write(chunk(reasoning=part, **base))
        for part in split_text(answer):
            await reply.write(chunk(part, **base))
        await reply.write(chunk(finish="stop", **base))
        if wants_usage:
            await reply.write(chunk(**base | {"choices": [], "usage": counts}))
        await reply.write(DONE)

    def _whole(self, model: str, answer: str, counts: Json) -> Json:
        message: Json = {"role": "assistant", "content": answer, "refusal": None}
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": counts,
        }

    def _usage(self, question: str, answer: str) -> Json:
        """Return the usage; completion_tokens includes the reasoning."""
        reasoning_tokens = words(self.reasoning or "")
        return usage(
            words(question),
            words(answer) + reasoning_tokens,
            cached_tokens=0,
            reasoning_tokens=reasoning_tokens,
        )


def refuse(status: int, message: str, *, code: str | None, param: str | None = None) -> ErrorReply:
    """Return an error in OpenAI's shape."""
    kind = "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return ErrorReply(status, body, _request_id())


def unsupported(name: str) -> ErrorReply:
    """Return the 400 that names an unsupported parameter in `param`."""
    advice = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
    message = f"Unsupported parameter: '{name}' is not supported with this model.{advice}"
    return refuse(400, message, code="unsupported_parameter", param=name)


def check_key(request: Request, key: str | None) -> None:
    """Refuse a missing or wrong bearer key; like OpenAI, quote the masked key."""
    sent_key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if key is None or sent_key == key:
        return
    masked = f"{sent_key[:3]}****{sent_key[-4:]}" if len(sent_key) > 7 else "****"
    raise refuse(401, f"Incorrect API key provided: {masked}.", code="invalid_api_key")


def check_messages(messages: Any) -> None:
    """Refuse missing messages, unknown roles or parts, and malformed images."""
    if not isinstance(messages, list) or not messages:
        raise refuse(400, "Missing required parameter: 'messages'.", code=None, param="messages")
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.get("role") not in ROLES:
            role = message.get("role")
            raise refuse(400, f"Invalid value: '{role}'.", code="invalid_value", param=where)
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            _check_part(part, where)


def _check_part(part: Json, where: str) -> None:
    match part:
        case {"type": "text", "text": str()}:
            return
        case {"type": "image_url", "image_url": {"url": str() as url}}:
            match = DATA_URI.fullmatch(url)
            if url.startswith("https://") or (match and unbase64(match[2])):
                return
            raise refuse(400, "Invalid base64 image_url.", code="invalid_base64", param=where)
    kind = part.get("type")
    raise refuse(400, f"Invalid value: '{kind}'.", code="invalid_value", param=where)


def last_user_text(messages: list[Json]) -> str:
    """Return the text of the last user message, its text parts joined."""
    contents = [message["content"] for message in messages if message["role"] == "user"]
    content = contents[-1] if contents else ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _model_row(model: str) -> Json:
    """Return a row of the model list; OpenAI's has neither context nor modalities."""
    return {"id": model, "object": "model", "created": 1700000000, "owned_by": "openai"}


def _request_id() -> dict[str, str]:
    return {"x-request-id": "req_1"}
