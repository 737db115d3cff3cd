"""Stand-in server for OpenRouter, with models that fail (docs/protocols.md, OpenRouter)."""

from typing import Any

from tests.support.standins.openai import check_messages, last_user_text
from tests.support.standins.script import DONE, Json, split_text, sse, usage, words
from tests.support.standins.server import ErrorReply, Reply, Request

PROCESSING = b": OPENROUTER PROCESSING\n\n"
PRICES = {"vendor/free": ("0", "0")}
PRICE = ("0.000001", "0.000002")  # US dollars per token: prompt, completion
REASONERS = {"vendor/thinker", "vendor/encrypted"}
MANDATORY = {"vendor/encrypted"}
SEEING = {"vendor/plain"}
MODELS = ("vendor/plain", "vendor/free", "vendor/thinker", "vendor/encrypted")
FAULTY = ("vendor/down", "vendor/broke", "vendor/moderated", "vendor/ok-error")
FAULTY_STREAMS = ("vendor/midstream", "vendor/first-error")


class OpenRouterServer:
    """Answers `Hello from MODEL: <last user text>`; a model of FAULTY fails as its name says."""

    def __init__(
        self,
        *,
        key: str | None = None,
        reasoning: str = "Let me think about it.",
        listed: tuple[str, ...] = MODELS,
    ) -> None:
        self.key = key
        self.listed = listed
        self.reasoning = reasoning
        self.requests: list[Request] = []

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request; only the model list needs no key."""
        self.requests.append(request)
        match request.method, request.path:
            case "GET", "/api/v1/models":
                await reply.json({"data": [_model_row(model) for model in self.listed]})
            case "GET", "/api/v1/key":
                self._check_key(request)
                await reply.json({"data": {"label": "sk-or-v1-0ab...123", "usage": 0.5}})
            case "POST", "/api/v1/chat/completions":
                self._check_key(request)
                await self._complete(request.json, reply)
            case _:
                raise refuse(404, "Not Found")

    async def _complete(self, body: Json, reply: Reply) -> None:
        check_shape(body)
        model = choose(body)
        check_model(model, body)
        question = last_user_text(body["messages"])
        answer = f"Hello from {model}: {question}"
        thoughts = self.reasoning if reasons(model, body.get("reasoning") or {}) else ""
        counts = _usage(model, words(question), words(answer), words(thoughts))
        shown = "" if (body.get("reasoning") or {}).get("exclude") else thoughts
        if model == "vendor/ok-error":
            error = {"code": 502, "message": "Provider returned error"}
            await reply.json({"error": error} | dict.fromkeys(("id", "choices", "model")))
        elif body.get("stream"):
            frames = stream_frames(model, answer, shown) or []
            await self._stream(reply, model, frames, counts)
        elif model in FAULTY_STREAMS:
            raise refuse(502, "Upstream idle timeout exceeded", provider_name="Vendor")
        else:
            message = {"role": "assistant", "content": answer, "refusal": None}
            choice = _choice(None, "stop") | {"message": message | _reasoning_fields(model, shown)}
            choice.pop("delta")
            whole = _frame(model, choice, kind="chat.completion") | {"usage": counts}
            await reply.json(whole, headers=_generation_header())

    async def _stream(self, reply: Reply, model: str, frames: list[Json], counts: Json) -> None:
        """Send a stream with comments first and in the middle, and usage at the end."""
        await reply.head(200, _generation_header(), "text/event-stream", chunked=True)
        await reply.write(PROCESSING * 2)
        for index, frame in enumerate(frames):
            if index == len(frames) // 2:
                await reply.write(PROCESSING)
            await reply.write(sse(frame))
        if "error" not in frames[-1]:
            await reply.write(sse(_frame(model, _choice({"content": ""})) | {"usage": counts}))
        await reply.write(DONE)

    def _check_key(self, request: Request) -> None:
        sent_key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not sent_key:
            raise refuse(401, "No auth credentials found")
        if self.key is not None and sent_key != self.key:
            raise refuse(401, "User not found.")


def refuse(code: int, message: str, **metadata: Any) -> ErrorReply:
    """Return an error in OpenRouter's shape: `code` is a number."""
    more = {"metadata": metadata} if metadata else {}
    return ErrorReply(code, {"error": {"code": code, "message": message} | more})


def check_shape(body: Json) -> None:
    """Run OpenAI's checks and report errors in OpenRouter's shape."""
    try:
        check_messages(body.get("messages"))
    except ErrorReply as error:
        raise refuse(error.status, error.body["error"]["message"]) from None


def choose(body: Json) -> str:
    """Return the first of `model` and `models` that is up."""
    requested = [body.get("model"), *(body.get("models") or [])]
    names: list[str] = [name for name in requested if name]
    up = [name for name in names if name != "vendor/down"]
    if not names:
        raise refuse(400, "No models provided")
    if not up:
        raise refuse(502, "Provider returned error", provider_name="Vendor", raw="upstream down")
    return up[0]


def check_model(model: str, body: Json) -> None:
    """Refuse unknown models, images for a model without vision, and models of FAULTY."""
    if model not in {*MODELS, *FAULTY, *FAULTY_STREAMS}:
        raise refuse(400, f"{model} is not a valid model ID")
    parts = [part for message in body["messages"] for part in message["content"]]
    has_image = any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)
    if has_image and model not in SEEING:
        raise refuse(404, "No endpoints found that support image input")
    if model == "vendor/broke":
        raise refuse(402, "Insufficient credits. Add more using https://openrouter.ai/credits")
    if model == "vendor/moderated":
        flagged = last_user_text(body["messages"])[:100]
        what = {"reasons": ["violence"], "flagged_input": flagged, "provider_name": "Vendor"}
        raise refuse(
            403, "Your chosen model requires moderation and your input was flagged", **what
        )


def reasons(model: str, settings: Json) -> bool:
    """Return whether the model reasons; effort and max_tokens exclude each other."""
    if settings.get("effort") is not None and settings.get("max_tokens") is not None:
        raise refuse(400, "Only one of reasoning.effort and reasoning.max_tokens can be specified")
    off = settings.get("enabled") is False or settings.get("effort") == "none"
    if off and model in MANDATORY:
        raise refuse(400, "Reasoning is mandatory for this endpoint and cannot be disabled.")
    return model in REASONERS and not off


def stream_frames(model: str, answer: str, thoughts: str) -> list[Json]:
    """Return the frames of a stream up to its finish or its error."""
    if model == "vendor/first-error":
        return [_error_frame(model, 429, "rate_limit_exceeded")]
    deltas = [{"content": ""} | _reasoning_fields(model, part) for part in split_text(thoughts)]
    if model == "vendor/encrypted":
        deltas = deltas[:1]
    frames = [_frame(model, _choice(delta)) for delta in deltas]
    frames += [_frame(model, _choice({"content": part})) for part in split_text(answer)]
    if model == "vendor/midstream":
        return [*frames[:-1], _error_frame(model, 502, "provider_unavailable")]
    return [*frames, _frame(model, _choice({"content": ""}, "stop"))]


def _reasoning_fields(model: str, text: str) -> Json:
    """Return reasoning as OpenRouter sends it: the same text in two fields, or encrypted."""
    if not text:
        return {}
    detail: Json = {"type": "reasoning.text", "text": text, "signature": None}
    if model == "vendor/encrypted":
        text, detail = "", {"type": "reasoning.encrypted", "data": "gAAAAABobGVsbG8="}
    detail |= {"id": None, "format": "unknown", "index": 0}
    return {"reasoning": text or None, "reasoning_details": [detail]}


def _choice(delta: Json | None, finish: str | None = None) -> Json:
    """Return a choice; the delta of every chunk repeats the role."""
    role = {"role": "assistant"} | (delta or {})
    return {"index": 0, "delta": role, "finish_reason": finish, "native_finish_reason": finish}


def _frame(model: str, choice: Json, *, kind: str = "chat.completion.chunk") -> Json:
    start = {"id": "gen-1700000000-standin", "provider": "Vendor", "model": model}
    return start | {"object": kind, "created": 1700000000, "choices": [choice]}


def _error_frame(model: str, code: int, kind: str) -> Json:
    """Return an error chunk under status 200: `error` beside an empty choice."""
    error = {"code": code, "message": "Provider disconnected", "metadata": {"error_type": kind}}
    return _frame(model, _choice({"content": ""}, "error")) | {"error": error}


def _usage(model: str, prompt: int, answer: int, thoughts: int) -> Json:
    """Return the usage with its cost in US dollars; a free model costs 0."""
    rates = [float(price) for price in PRICES.get(model, PRICE)]
    costs = [round(n * rate, 9) for n, rate in zip((prompt, answer + thoughts), rates, strict=True)]
    parts = {"upstream_inference_cost": None, "upstream_inference_prompt_cost": costs[0]}
    parts["upstream_inference_completions_cost"] = costs[1]
    counts = usage(prompt, answer + thoughts, cached_tokens=0, reasoning_tokens=thoughts)
    return counts | {"cost": round(sum(costs), 9), "is_byok": False, "cost_details": parts}


def _model_row(model: str) -> Json:
    """Return a row of the model list; prices are strings, in US dollars per token."""
    prompt, completion = PRICES.get(model, PRICE)
    reasoner = model in REASONERS
    sees = ["text", "image"] if model in SEEING else ["text"]
    thinking = {"mandatory": model in MANDATORY, "default_enabled": True}
    return {
        "id": model,
        "canonical_slug": model,
        "name": model.replace("/", ": ").title(),
        "created": 1700000000,
        "context_length": 131072,
        "architecture": {"input_modalities": sees, "output_modalities": ["text"]},
        "pricing": {"prompt": prompt, "completion": completion},
        "top_provider": {"context_length": 131072, "max_completion_tokens": 8192},
        "supported_parameters": ["max_tokens", *(["reasoning"] if reasoner else [])],
    } | ({"reasoning": thinking | {"supported_efforts": ["high", "low"]}} if reasoner else {})


def _generation_header() -> dict[str, str]:
    return {"X-Generation-Id": "gen-1700000000-standin"}
