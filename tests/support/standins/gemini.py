"""Stand-in server for Gemini's REST API, with models that fail (docs/protocols.md, Gemini)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.standins.gemini_rules import (
    BUDGET,
    FAULTY,
    LEVEL,
    check_body,
    check_thinking,
    refuse,
)
from tests.support.standins.script import Json, compact, sniff, split_text, sse, unbase64, words
from tests.support.standins.server import ErrorReply, Reply, Request

# model name -> the setting that controls its thinking; None = the model does not think.
# The thinking of a Pro model cannot be switched off.
MODELS: dict[str, str | None] = {
    "gemini-2.5-flash": BUDGET,
    "gemini-2.5-pro": BUDGET,
    "gemini-3-flash": LEVEL,
    "gemini-3-pro": LEVEL,
    "gemini-2.0-flash": None,
}
EMBEDDER = "text-embedding-004"  # listed, but without generateContent
GOOGLE = "type.googleapis.com/google.rpc."


class GeminiServer:
    """Answers `Hello from MODEL: <text>` or `I see a png of 123 bytes`.

    The models in FAULTY fail in a way of their own; `busy` does so `busy_times` times.
    """

    def __init__(
        self,
        *,
        key: str = "test-key",
        models: Mapping[str, str | None] = MODELS,
        thoughts: str = "Let me think about it.",
        page_size: int = 2,
        retry_delay: str = "0.2s",
        busy_times: int = 1,
    ) -> None:
        self.key = key
        self.models = models
        self.thoughts = thoughts
        self.page_size = page_size
        self.retry_delay = retry_delay
        self.busy_left = busy_times
        self.saw_key_in_url = False
        self.requests: list[Request] = []

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        self.requests.append(request)
        self._check_key(request)
        place, _, method = request.path.removeprefix("/v1beta/").partition(":")
        folder, _, model = place.partition("/")
        if request.method == "GET" and folder == "models" and not method:
            await reply.json(self._model_row(model) if model else self._page(request.query))
        elif request.method == "POST" and folder == "models" and model:
            await self._generate(request, reply, model, method)
        else:
            raise refuse(404, "NOT_FOUND", f"Unknown path {request.path}")

    async def _generate(self, request: Request, reply: Reply, model: str, method: str) -> None:
        body = request.json
        if method not in {"generateContent", "streamGenerateContent"}:
            raise refuse(404, "NOT_FOUND", f"Unknown method {method}")
        if model not in self.models and model not in FAULTY:
            what = f"models/{model} is not found for API version v1beta"
            raise refuse(404, "NOT_FOUND", what)
        check_body(body)
        self._raise_error_of_model(model)
        thinking_setting = self.models.get(model)
        reasons, shows_reasoning = check_thinking(
            model, thinking_setting, body.get("generationConfig") or {}
        )
        frames = self._frames(model, body, reasons=reasons, shows_reasoning=shows_reasoning)
        if method == "generateContent":
            await _send_whole(reply, frames)
        elif request.query.get("alt") == "sse":
            await reply.head(200, None, "text/event-stream", chunked=True)
            for frame in frames:
                # Google's front end ends its lines with CRLF
                await reply.write(sse(frame).replace(b"\n", b"\r\n"))
        else:
            await reply.head(chunked=True)
            for index, frame in enumerate(frames):
                await reply.write((b",\r\n" if index else b"[") + compact(frame))
            await reply.write(b"]")

    def _frames(
        self, model: str, body: Json, *, reasons: bool, shows_reasoning: bool
    ) -> list[Json]:
        """Return the answer's frames; usageMetadata is cumulative."""
        question = " ".join(part.get("text", "") for part in body["contents"][-1]["parts"])
        count = Count(words(question))
        if model == "blocked":
            return [{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": count.now()}]
        if model == "all-thoughts":
            count.thoughts = 42
            candidate: Json = {"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}
            return [{"candidates": [candidate | {"index": 0}], "usageMetadata": count.now()}]
        frames = []
        count.thoughts = words(self.thoughts) if reasons else 0
        for text in split_text(self.thoughts) if shows_reasoning else []:
            frames.append(count.frame({"text": text, "thought": True}))
        sent = ""
        for text in split_text(answer(model, body, question)):
            sent += text
            count.answer = words(sent)
            frames.append(count.frame({"text": text}))
        if reasons:
            signature = base64.b64encode(b"opaque").decode()
            frames[-1]["candidates"][0]["content"]["parts"][0]["thoughtSignature"] = signature
        return _finish(model, frames)

    def _raise_error_of_model(self, model: str) -> None:
        retry = {"@type": f"{GOOGLE}RetryInfo", "retryDelay": self.retry_delay}
        if model == "busy" and self.busy_left > 0:
            self.busy_left -= 1
            raise refuse(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted.", retry)
        if model == "perday":  # asks for a wait of seconds, but the daily quota is used up
            name = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
            quota = {"@type": f"{GOOGLE}QuotaFailure", "violations": [{"quotaId": name}]}
            text = "You exceeded your current quota, please check your plan and billing details."
            raise refuse(429, "RESOURCE_EXHAUSTED", text, quota, retry | {"retryDelay": "36s"})
        if model == "array-error":
            text = "User location is not supported for the API use."
            refused = refuse(400, "FAILED_PRECONDITION", text)
            raise ErrorReply(400, [refused.body])

    def _check_key(self, request: Request) -> None:
        if "key" in request.query:  # a key in a URL would end up in logs
            self.saw_key_in_url = True
            raise refuse(500, "INTERNAL", "stand-in: the key was in the URL")
        if request.headers.get("x-goog-api-key") != self.key:
            reason = {"@type": f"{GOOGLE}ErrorInfo", "reason": "API_KEY_INVALID"}
            text = "API key not valid. Please pass a valid API key."
            raise refuse(400, "INVALID_ARGUMENT", text, reason)

    def _page(self, query: Mapping[str, str]) -> Json:
        """Return a page of the model list, at most `page_size` long whatever the client asks."""
        names = [*self.models, EMBEDDER]
        start = int(query.get("pageToken") or "0")
        end = start + max(1, min(int(query.get("pageSize") or "50"), self.page_size))
        more = {"nextPageToken": str(end)} if end < len(names) else {}
        return {"models": [self._model_row(name) for name in names[start:end]]} | more

    def _model_row(self, name: str) -> Json:
        if name not in {*self.models, EMBEDDER}:
            raise refuse(404, "NOT_FOUND", f"models/{name} is not found for API version v1beta")
        embeds = name == EMBEDDER
        return {
            "name": f"models/{name}",
            "displayName": name.replace("-", " ").title(),
            "inputTokenLimit": 2048 if embeds else 1048576,
            "outputTokenLimit": 1 if embeds else 65536,
            "supportedGenerationMethods": ["embedContent" if embeds else "generateContent"],
        } | ({"thinking": True} if self.models.get(name) else {})


@dataclass
class Count:
    """The token counts so far; Gemini's candidatesTokenCount excludes the thoughts."""

    prompt: int
    answer: int = 0
    thoughts: int = 0

    def now(self) -> Json:
        """Return usageMetadata; counts of 0 are left out."""
        counts = {"candidatesTokenCount": self.answer, "thoughtsTokenCount": self.thoughts}
        counts = {name: count for name, count in counts.items() if count}
        total = self.prompt + self.answer + self.thoughts
        return {"promptTokenCount": self.prompt} | counts | {"totalTokenCount": total}

    def frame(self, part: Json) -> Json:
        """Return a GenerateContentResponse with one part."""
        candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
        return {"candidates": [candidate], "usageMetadata": self.now()}


def answer(model: str, body: Json, question: str) -> str:
    """Return a greeting, or the kinds and sizes of the images."""
    images = [part["inlineData"] for part in body["contents"][-1]["parts"] if "inlineData" in part]
    seen = [unbase64(image["data"]) or b"" for image in images]
    if (body.get("generationConfig") or {}).get("responseMimeType") == "application/json":
        return question  # a test puts the JSON it wants into the question
    if not seen:
        return f"Hello from {model}: {question}"
    return "I see " + " and ".join(f"a {sniff(data)} of {len(data)} bytes" for data in seen)


def _finish(model: str, frames: list[Json]) -> list[Json]:
    if model == "midstream":
        error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
        return [*frames[:-1], {"error": error}]
    if model != "cut":
        reason = "SAFETY" if model == "filtered" else "STOP"
        frames[-1]["candidates"][0]["finishReason"] = reason
    return frames


async def _send_whole(reply: Reply, frames: list[Json]) -> None:
    """Send one response: the last frame, with the parts of all frames."""
    whole = frames[-1]
    if "error" in whole:
        await reply.json(whole, whole["error"]["code"])
        return
    parts: list[Json] = []
    for frame in frames if len(frames) > 1 else []:
        for part in frame["candidates"][0]["content"]["parts"]:
            if parts and parts[-1].get("thought") == part.get("thought"):
                parts[-1] |= part | {"text": parts[-1]["text"] + part["text"]}
            else:
                parts.append(dict(part))
    if parts:
        whole["candidates"][0]["content"]["parts"] = parts
    await reply.json(whole)
