"""Stand-in server for Anthropic's Messages API (docs/protocols.md), with its odd spellings.

Its JSON is padded with spaces before the last brace, and pings come between the events, as in
recordings of the real API.
"""

import json
from collections.abc import Iterable
from itertools import cycle
from typing import Any

from tests.support.standins.script import Json, sniff, split_text, unbase64, words
from tests.support.standins.server import ErrorReply, Reply, Request

PADDING = cycle((5, 0, 11, 2, 7))
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
ERROR_KINDS = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 409: "conflict_error", 413: "request_too_large",
    429: "rate_limit_error", 500: "api_error", 503: "overloaded_error", 504: "timeout_error",
    529: "overloaded_error",
}  # fmt: skip
NOTHING_CACHED = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
MODEL = "claude-sonnet-4-5"
MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


def encode(body: Json) -> bytes:
    """Return the body of a response that is not streamed."""
    return json.dumps(body).encode()


def event(kind: str, name: str | None = None, **fields: Any) -> bytes:
    """Return one event; its JSON has spaces before the last brace. `name` "": no event: line."""
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    line = f"event: {name or kind}\n" if name != "" else ""
    return f"{line}data: {data[:-1]}{' ' * next(PADDING)}}}\n\n".encode()


def start(name: str | None = None, **usage: Any) -> bytes:
    """Return message_start; `usage` replaces its counts."""
    counts: Json = {**NOTHING_CACHED, "input_tokens": 11, "output_tokens": 1}
    message: Json = {
        "id": "msg_01", "type": "message", "role": "assistant", "content": [], "model": MODEL,
        "stop_reason": None, "stop_sequence": None, "usage": counts | usage,
    }  # fmt: skip
    return event("message_start", name, message=message)


def block(kind: str = "text", index: int = 0, name: str | None = None, **fields: Any) -> bytes:
    """Return content_block_start."""
    usual = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}.get(kind, {})
    content = {"type": kind, **usual, **fields}
    return event("content_block_start", name, index=index, content_block=content)


def delta(kind: str, index: int = 0, name: str | None = None, **fields: Any) -> bytes:
    return event("content_block_delta", name, index=index, delta={"type": kind, **fields})


def text(words: str, index: int = 0, name: str | None = None) -> bytes:
    return delta("text_delta", index, name, text=words)


def thinking(words: str, index: int = 0) -> bytes:
    return delta("thinking_delta", index, thinking=words)


def signature(index: int = 0) -> bytes:
    return delta("signature_delta", index, signature="RXJ0bm90aGluZw==")


def block_stop(index: int = 0, name: str | None = None) -> bytes:
    return event("content_block_stop", name, index=index)


def message_delta(
    reason: str | None, tokens: int | None = 6, name: str | None = None, **more: Any
) -> bytes:
    """Return message_delta; `usage` in `more` adds counts."""
    usage = {"output_tokens": tokens} | more.pop("usage", {})
    stop = {"stop_reason": reason, "stop_sequence": None, **more}
    return event("message_delta", name, delta=stop, usage=usage)


def message_stop(name: str | None = None) -> bytes:
    return event("message_stop", name)


def ending(reason: str | None = "end_turn", tokens: int = 6, **more: Any) -> bytes:
    """Return the frames of a good end: the block's, the stop reason and the end marker."""
    return block_stop() + message_delta(reason, tokens, **more) + message_stop()


def error_kind(status: int) -> str:
    """Return the `type` of the error that belongs to a status."""
    return ERROR_KINDS.get(status, "api_error" if status > 500 else "invalid_request_error")


def error_object(kind: str, message: str, **details: Any) -> Json:
    """Return the body of an error."""
    inner = {"details": details or None, "type": kind, "message": message}
    return {"type": "error", "error": inner, "request_id": "req_011"}


def error_event(kind: str, message: str, name: str | None = None) -> bytes:
    fields = error_object(kind, message)
    return event(fields.pop("type"), name, **fields)


def whole(*content: Json, reason: str = "end_turn", **usage: Any) -> Json:
    """Return the body of a response that is not streamed."""
    counts = {**NOTHING_CACHED, "input_tokens": 11, "output_tokens": 6, **usage}
    return {
        "id": "msg_01", "type": "message", "role": "assistant", "model": MODEL,
        "content": [*content], "stop_reason": reason, "stop_sequence": None, "usage": counts,
    }  # fmt: skip


def capabilities(
    adaptive: bool = True, enabled: bool = True, disabled: bool = True, effort: bool = True
) -> Json:
    """Return a model's capabilities."""

    def supported(value: bool) -> Json:
        return {"supported": value}

    types = {"adaptive": adaptive, "enabled": enabled, "disabled": disabled}
    levels = dict.fromkeys(("low", "medium", "high", "max"), supported(effort))
    return {
        "image_input": supported(True),
        "thinking": {
            **supported(adaptive or enabled),
            "types": {name: supported(value) for name, value in types.items()},
        },
        "effort": {**supported(effort), **levels},
    }


def refuse(status: int, message: str, kind: str = "invalid_request_error") -> ErrorReply:
    return ErrorReply(status, error_object(kind, message), {"request-id": "req_011"})


class AnthropicServer:
    """Answers `Hello from MODEL: <last user text>`, with thinking if it is requested.

    `models`: the model list; `page`: rows a page at most. `capabilities`: of every model, None =
    the rows have none.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        models: Iterable[str] = (MODEL, "claude-haiku-4-5"),
        thoughts: str = "",
        page: int = 1000,
        model_capabilities: Json | None = None,
        max_tokens: int = 64_000,
    ) -> None:
        self.key = key
        self.models = tuple(models)
        self.thoughts = thoughts
        self.page = page
        self.capabilities = model_capabilities
        self.max_tokens = max_tokens
        self.requests: list[Request] = []

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        self.requests.append(request)
        self._check_headers(request)
        path = request.path
        match request.method, path:
            case "GET", "/v1/models":
                await reply.json(self._list(request.query.get("after_id", "")))
            case "GET", _ if path.startswith("/v1/models/"):
                await reply.json(self._row(path.removeprefix("/v1/models/")))
            case "POST", "/v1/messages":
                await self._answer(request.json, reply)
            case _:
                raise refuse(404, f"Not found: {path}", "not_found_error")

    def _check_headers(self, request: Request) -> None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        sent = [key for key in (request.headers.get("x-api-key"), bearer) if key]
        if self.key is not None and sent != [self.key]:
            raise refuse(401, "invalid x-api-key", "authentication_error")
        if "anthropic-version" not in request.headers:
            raise refuse(400, "anthropic-version: header is required")

    def _row(self, model: str) -> Json:
        self._check_model(model)
        more = {"capabilities": self.capabilities} if self.capabilities else {}
        limits = {"max_input_tokens": 200_000, "max_tokens": self.max_tokens}
        return {"type": "model", "id": model, "display_name": model, **limits, **more}

    def _check_model(self, model: Any) -> None:
        if model not in self.models:
            raise refuse(404, f"model: {model}", "not_found_error")

    def _list(self, after: str) -> Json:
        first = self.models.index(after) + 1 if after else 0
        rows = [self._row(model) for model in self.models[first : first + self.page]]
        has_more = first + self.page < len(self.models)
        return {"data": rows, "has_more": has_more, "last_id": rows[-1]["id"] if rows else None}

    async def _answer(self, body: Json, reply: Reply) -> None:
        self._check_model(body.get("model"))
        check_body(body)
        kind = (body.get("thinking") or {}).get("type")
        thoughts = self.thoughts if kind in ("adaptive", "enabled") else ""
        question = last_user_text(body["messages"])
        answer = f"Hello from {body['model']}: {question}"
        counts: Json = {"input_tokens": words(question)}
        counts["output_tokens"] = words(f"{thoughts} {answer}")
        if thoughts:
            counts["output_tokens_details"] = {"thinking_tokens": words(thoughts)}
        if not body.get("stream"):
            signed = {"type": "thinking", "thinking": thoughts, "signature": "c2ln"}
            content = [*([signed] if thoughts else []), {"type": "text", "text": answer}]
            await reply.json(whole(*content, **counts), headers={"request-id": "req_011"})
            return
        await reply.head(200, {"request-id": "req_011"}, "text/event-stream", chunked=True)
        await reply.write(start(input_tokens=counts.pop("input_tokens")))
        at = 0
        if thoughts:
            await reply.write(block("thinking"))
            for part in split_text(thoughts):
                await reply.write(thinking(part))
            await reply.write(signature() + block_stop())
            at = 1
        await reply.write(block("text", at) + PING)
        for part in split_text(answer):
            await reply.write(text(part, at))
        await reply.write(block_stop(at) + message_delta("end_turn", None, usage=counts))
        await reply.write(message_stop())


def check_body(body: Json) -> None:
    """Refuse what the API refuses: no max_tokens, a system role, empty text, a wrong image."""
    limit = body.get("max_tokens")
    if not isinstance(limit, int):
        raise refuse(400, "max_tokens: Field required")
    budget = (body.get("thinking") or {}).get("budget_tokens")
    if budget is not None and not 1024 <= budget < limit:
        raise refuse(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    for index, message in enumerate(body.get("messages") or [{}]):
        if message.get("role") not in ("user", "assistant"):
            raise refuse(400, f"messages.{index}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            _check_block(part, f"messages.{index}.content")


def _check_block(part: Json, where: str) -> None:
    match part:
        case {"type": "text", "text": str() as words} if words:
            return
        case {"type": "image", "source": {"type": "url", "url": str() as url}}:
            if url.startswith("https://"):
                return
        case {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}:
            image = unbase64(data)
            if image and MEDIA_TYPES.get(sniff(image) or "") == kind:
                return
    raise refuse(400, f"{where}: invalid content block")


def last_user_text(messages: list[Json]) -> str:
    """Return the text of the last user message, its text blocks joined."""
    contents = [message["content"] for message in messages if message["role"] == "user"]
    content = contents[-1] if contents else ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
