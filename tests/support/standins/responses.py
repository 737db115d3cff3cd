"""Stand-in server for OpenAI's Responses (docs/protocols.md), with its numbered events."""

from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.standins.openai import DATA_URI, OpenAIServer, check_key, refuse, unsupported
from tests.support.standins.script import Json, split_text, sse, unbase64, words
from tests.support.standins.server import Reply, Request

ROLES = {"system", "developer", "user", "assistant"}
KNOWN = {
    "model", "input", "instructions", "stream", "store", "include", "reasoning", "temperature",
    "top_p", "max_output_tokens", "text", "metadata", "user",
}  # fmt: skip
UNVERIFIED = (
    "Your organization must be verified to generate reasoning summaries. Please go to: "
    "https://platform.openai.com/settings/organization/general and click on Verify Organization."
)


class ResponsesServer:
    """Answers `Hello from MODEL: <last user text>`; `summary` is the summary of its reasoning.

    `rejects` names refused parameters; `verified` False refuses summaries, as OpenAI does for an
    unverified organization. The model reasons unless the effort is none, and the summary is sent
    only if the request asks for one.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        models: Iterable[str] = ("gpt-4o-mini", "gpt-4o"),
        summary: tuple[str, ...] = (),
        rejects: Iterable[str] = (),
        verified: bool = True,
    ) -> None:
        self.key = key
        self.summary = summary
        self.rejects = frozenset(rejects)
        self.verified = verified
        self.requests: list[Request] = []
        self._chat_server = OpenAIServer(key=key, models=models)

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request; Chat Completions and the model list work, too."""
        self.requests.append(request)
        if (request.method, request.path) != ("POST", "/v1/responses"):
            await self._chat_server.handle(request, reply)
            return
        check_key(request, self.key)
        body = request.json
        self._check(body)
        response = self._response(body)
        if not body.get("stream"):
            await reply.json(response, headers={"x-request-id": "req_1"})
            return
        await reply.head(200, {"x-request-id": "req_1"}, "text/event-stream", chunked=True)
        for frame in format_sse_events(response_events(response)):
            await reply.write(frame)

    def _check(self, body: Json) -> None:
        """Refuse unknown or rejected parameters and malformed input, with OpenAI's messages."""
        self._chat_server.check_model(body.get("model"))
        for name in body:
            if name not in KNOWN:
                what = f"Unknown parameter: '{name}'."
                raise refuse(400, what, code="unknown_parameter", param=name)
            if name in self.rejects:
                raise unsupported(name)
        reasoning = body.get("reasoning") or {}
        for name in reasoning:
            if f"reasoning.{name}" in self.rejects:
                raise unsupported(f"reasoning.{name}")
        if "summary" in reasoning and not self.verified:
            raise refuse(400, UNVERIFIED, code="unsupported_value", param="reasoning.summary")
        if not isinstance(body.get("input"), list) or not body["input"]:
            raise refuse(400, "Missing required parameter: 'input'.", code=None, param="input")
        for index, item in enumerate(body["input"]):
            check_item(item, f"input[{index}]")

    def _response(self, body: Json) -> Json:
        question = last_user_text(body["input"])
        reasoning = body.get("reasoning") or {}
        reasons = bool(self.summary) and reasoning.get("effort") != "none"
        shown_summary = self.summary if reasons and "summary" in reasoning else ()
        answer = f"Hello from {body['model']}: {question}"
        encrypted = "reasoning.encrypted_content" in body.get("include", ())
        output = [
            reasoning_item("rs_1", *shown_summary, encrypted="gAAAA" if encrypted else None)
        ] * reasons
        thinking = words(" ".join(self.summary)) * reasons
        usage = usage_of(words(question), words(answer) + thinking, thinking)
        return response([*output, message_item("msg_1", answer)], usage=usage, model=body["model"])


def usage_of(inputs: int, outputs: int, reasoning: int = 0, cached: int = 0) -> Json:
    """Return the usage of Responses; output_tokens includes the reasoning."""
    return {
        "input_tokens": inputs,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": outputs,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": inputs + outputs,
    }


def response(output: list[Json], status: str = "completed", **more: Any) -> Json:
    """Return a whole response, the body of a plain answer and of a stream's last event."""
    fields = {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": status}
    fields |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    fields |= {"error": None, "incomplete_details": None, "model": "gpt-4o", "usage": None}
    return fields | {"output": output} | more


def message_item(name: str, *texts: str, refusal: str = "") -> Json:
    """Return a message item with text parts, a refusal, or both."""
    parts: list[Json] = [{"type": "refusal", "refusal": refusal}] if refusal else []
    parts += [
        {"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in texts
    ]
    item = {"id": name, "type": "message", "status": "completed", "role": "assistant"}
    return item | {"content": parts}


def reasoning_item(
    name: str, *summary: str, raw: tuple[str, ...] = (), encrypted: str | None = None
) -> Json:
    """Return a reasoning item; `raw` is the full reasoning that servers of open weights send."""
    item: Json = {"id": name, "type": "reasoning", "status": "completed"}
    item["summary"] = [{"type": "summary_text", "text": text} for text in summary]
    if raw:
        item["content"] = [{"type": "reasoning_text", "text": text} for text in raw]
    return item if encrypted is None else item | {"encrypted_content": encrypted}


def response_events(response: Json) -> Iterator[Json]:
    """Yield a response's events; each text comes in deltas and three times in full."""
    empty_response = response | {"status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": empty_response}
    yield {"type": "response.in_progress", "response": empty_response}
    for index, item in enumerate(response["output"]):
        empty_fields = (
            {"status": "in_progress", "summary": []} if "summary" in item else {"content": []}
        )
        yield {
            "type": "response.output_item.added",
            "output_index": index,
            "item": item | empty_fields,
        }
        yield from parts_of(item, index)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


# type of part: (event of its text, event of the part, name of its index, field of its text)
PARTS = {
    "output_text": ("output_text", "content_part", "content_index", "text"),
    "refusal": ("refusal", "content_part", "content_index", "refusal"),
    "reasoning_text": ("reasoning_text", "content_part", "content_index", "text"),
    "summary_text": ("reasoning_summary_text", "reasoning_summary_part", "summary_index", "text"),
}


def parts_of(item: Json, output_index: int) -> Iterator[Json]:
    """Yield the events of an item's parts."""
    for number, part in [*enumerate(item.get("summary", ())), *enumerate(item.get("content", ()))]:
        name, part_event, index, field = PARTS[part["type"]]
        where = {"item_id": item["id"], "output_index": output_index, index: number}
        logprobs: Json = {"logprobs": []} if name == "output_text" else {}
        yield {"type": f"response.{part_event}.added", **where, "part": part | {field: ""}}
        for piece in split_text(part[field]):
            yield {"type": f"response.{name}.delta", **where, "delta": piece, **logprobs}
        yield {"type": f"response.{name}.done", **where, field: part[field], **logprobs}
        yield {"type": f"response.{part_event}.done", **where, "part": part}


def format_sse_events(events: Iterable[Json]) -> Iterator[bytes]:
    """Yield the events as server-sent events, named and numbered."""
    for number, event in enumerate(events):
        yield sse(event | {"sequence_number": number}, event["type"])


def check_item(item: Json, where: str) -> None:
    """Refuse an input item that is no message, or whose parts do not suit its role."""
    if item.get("type", "message") != "message" or item.get("role") not in ROLES:
        raise refuse(
            400, f"Invalid value: '{item.get('role')}'.", code="invalid_value", param=where
        )
    text_type = "output_text" if item["role"] == "assistant" else "input_text"
    for part in item["content"] if isinstance(item["content"], list) else ():
        match part:
            case {"type": "input_image", "image_url": str() as url} if item["role"] == "user":
                match = DATA_URI.fullmatch(url)
                if not (url.startswith("https://") or (match and unbase64(match[2]))):
                    what = "Invalid base64 image_url."
                    raise refuse(400, what, code="invalid_base64", param=where)
            case {"type": kind, "text": str()} if kind == text_type:
                pass
            case _:
                what = f"Invalid value: '{part.get('type')}'."
                raise refuse(400, what, code="invalid_value", param=where)


def last_user_text(items: list[Json]) -> str:
    """Return the text of the last user item, its parts joined."""
    contents = [item["content"] for item in items if item["role"] == "user"]
    content = contents[-1] if contents else ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
