"""The table of adapters that the contract is held against; an adapter to come is a row more."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from easyllm_cli.config.profile import Profile
from tests.support.asking import Json, profile
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import DATA_URI, OpenAIServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.responses import ResponsesServer, format_sse_events, response, usage_of
from tests.support.standins.script import DONE, Script, chunk, compact, ndjson, sse
from tests.support.standins.server import Reply, Request, StandIn

KEY = "test-key"
REASONING_TEXT = "Let me think about it."


class Server(Protocol):
    """A stand-in of tests/support/standins."""

    requests: list[Request]

    async def handle(self, request: Request, reply: Reply) -> None: ...


@dataclass(frozen=True)
class Wire:
    """One protocol as a test reads and writes it.

    `text` a frame with a piece of answer, `end` what ends it well, `error` a body for a status;
    `turns` (role in OpenAI's words, text), `images` (media type, "" = not said; bytes).
    """

    text: Callable[[str], bytes]
    end: bytes
    error: Callable[[int, str], Json]
    read_messages: Callable[[Json], list[tuple[str, str]]]
    images: Callable[[Json], list[tuple[str, bytes]]]
    content_type: str = "text/event-stream"


@dataclass(frozen=True)
class Adapter:
    """One provider name over one transport, its stand-in, and models that chat, think and see."""

    provider: str
    base: str
    wire: Wire
    server: Callable[[], Server]
    model: str
    thinker: str
    vision_model: str
    listed: tuple[str, ...]
    typo: str
    meant: str
    api: str | None = None
    transport: str = "http"

    @property
    def name(self) -> str:
        """The provider's, with the protocol where it is not the usual one."""
        return f"{self.provider}-{self.api}" if self.api else self.provider

    @property
    def id(self) -> str:
        """The name, with the transport where it is not our own HTTP."""
        return f"{self.name}-{self.transport}" if self.transport != "http" else self.name

    def profile(self, server: StandIn, **keys: Any) -> Profile:
        """A profile for the stand-in, with its key."""
        usual: dict[str, Any] = {"model": self.model, "api_key": KEY, "api": self.api}
        usual["transport"] = self.transport
        return profile(self.provider, server.url + self.base, **{**usual, **keys})

    def script(self, *texts: str, ends: bool = True) -> Script:
        """An answer in these pieces; `ends` False leaves the end marker out."""
        frames = [self.wire.text(text) for text in texts] + [self.wire.end] * ends
        return Script(*frames, content_type=self.wire.content_type)

    def refusal(self, status: int, message: str, **headers: str) -> Script:
        """An answer that is an error in the provider's own shape."""
        body = compact(self.wire.error(status, message))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Script(body, status=status, headers=named, content_type="application/json")


def read_chat_messages(body: Json) -> list[tuple[str, str]]:
    return [(one["role"], _text(one["content"])) for one in body["messages"]]


def chat_images(body: Json) -> list[tuple[str, bytes]]:
    parts = [part for one in body["messages"] for part in one["content"]]
    urls = [part["image_url"]["url"] for part in parts if "image_url" in part]
    found = [DATA_URI.fullmatch(url) for url in urls]
    return [(f"image/{one[1]}", base64.b64decode(one[2])) for one in found if one]


def native_images(body: Json) -> list[tuple[str, bytes]]:
    """Bare base64 beside a content that is text."""
    assert all(isinstance(one["content"], str) for one in body["messages"])
    bare = [image for one in body["messages"] for image in one.get("images", ())]
    return [("", base64.b64decode(image, validate=True)) for image in bare]


def read_responses_messages(body: Json) -> list[tuple[str, str]]:
    """Responses' instructions stand beside the turns."""
    system = [("system", body["instructions"])] if "instructions" in body else []
    return system + [(one["role"], _text(one["content"])) for one in body["input"]]


def response_images(body: Json) -> list[tuple[str, bytes]]:
    """A string where Chat Completions has an object."""
    urls = [part.get("image_url", "") for one in body["input"] for part in one["content"]]
    found = [DATA_URI.fullmatch(url) for url in urls]
    return [(f"image/{one[1]}", base64.b64decode(one[2])) for one in found if one]


def read_gemini_messages(body: Json) -> list[tuple[str, str]]:
    """Gemini's instructions stand beside the turns, and its assistant is called model."""
    instructions = body.get("systemInstruction")
    turns = [("system", instructions)] if instructions else []
    turns += [({"model": "assistant"}.get(one["role"], "user"), one) for one in body["contents"]]
    return [(role, _text(one["parts"])) for role, one in turns]


def google_images(body: Json) -> list[tuple[str, bytes]]:
    parts = [part for one in body["contents"] for part in one["parts"]]
    inline = [part["inlineData"] for part in parts if "inlineData" in part]
    return [(one["mimeType"], base64.b64decode(one["data"])) for one in inline]


def _text(content: str | list[Json]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def chat_error(status: int, message: str) -> Json:
    code = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status)
    return {"error": {"message": message, "type": "error", "param": None, "code": code}}


def native_text(text: str) -> bytes:
    return ndjson({"message": {"role": "assistant", "content": text}, "done": False})


def response_text(text: str) -> bytes:
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return sse({"type": "response.output_text.delta", **where, "delta": text})


def google_text(text: str) -> bytes:
    return sse({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]})


def google_error(status: int, message: str) -> Json:
    word = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}.get(status, "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": message, "status": word}}


CHAT_FORMAT = Wire(chunk, chunk(finish="stop") + DONE, chat_error, read_chat_messages, chat_images)
OPENROUTER_FORMAT = Wire(
    chunk,
    chunk(finish="stop") + DONE,
    lambda status, message: {"error": {"code": status, "message": message}},
    read_chat_messages,
    chat_images,
)
OLLAMA_FORMAT = Wire(
    native_text,
    ndjson({"message": {"content": ""}, "done": True, "done_reason": "stop"}),
    lambda status, message: {"error": message},
    read_chat_messages,
    native_images,
    "application/x-ndjson",
)
RESPONSES_FORMAT = Wire(
    response_text,
    b"".join(
        format_sse_events(
            [{"type": "response.completed", "response": response([], usage=usage_of(1, 1))}]
        )
    ),
    chat_error,
    read_responses_messages,
    response_images,
)
GEMINI_FORMAT = Wire(
    google_text,
    sse({"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]}),
    google_error,
    read_gemini_messages,
    google_images,
)

HTTP_ADAPTERS = (
    Adapter(
        "openai",
        "/v1",
        CHAT_FORMAT,
        lambda: OpenAIServer(key=KEY, reasoning=REASONING_TEXT),
        model="gpt-4o",
        thinker="gpt-4o",
        vision_model="gpt-4o",
        listed=("gpt-4o-mini", "gpt-4o"),
        typo="gpt-4o-mimi",
        meant="gpt-4o-mini",
    ),
    Adapter(
        "openai",
        "/v1",
        RESPONSES_FORMAT,
        lambda: ResponsesServer(key=KEY, summary=(REASONING_TEXT,)),
        model="gpt-4o",
        thinker="gpt-4o",
        vision_model="gpt-4o",
        listed=("gpt-4o-mini", "gpt-4o"),
        typo="gpt-4o-mimi",
        meant="gpt-4o-mini",
        api="responses",
    ),
    Adapter(
        "ollama",
        "",
        OLLAMA_FORMAT,
        lambda: OllamaServer(thinking=REASONING_TEXT),
        model="llama3.2",
        thinker="qwen3",
        vision_model="llava",
        listed=("llama3.2:latest", "qwen3:latest", "llava:latest"),
        typo="llama3.3:latest",
        meant="llama3.2:latest",
    ),
    Adapter(
        "openrouter",
        "/api/v1",
        OPENROUTER_FORMAT,
        lambda: OpenRouterServer(key=KEY, reasoning=REASONING_TEXT),
        model="vendor/plain",
        thinker="vendor/thinker",
        vision_model="vendor/plain",
        listed=("vendor/plain", "vendor/free", "vendor/thinker", "vendor/encrypted"),
        typo="vendor/planes",
        meant="vendor/plain",
    ),
    Adapter(
        "gemini",
        "/v1beta",
        GEMINI_FORMAT,
        lambda: GeminiServer(key=KEY, thoughts=REASONING_TEXT),
        model="gemini-2.0-flash",
        thinker="gemini-2.5-flash",
        vision_model="gemini-2.0-flash",
        listed=(
            "gemini-2.5-flash",
            "gemini-2.5-pro",
            "gemini-3-flash",
            "gemini-3-pro",
            "gemini-2.0-flash",
        ),
        typo="gemini-2.5-flush",
        meant="gemini-2.5-flash",
    ),
)
# openai 3.x here; tests/extras has cases for 2.x, and for Google's SDK.
SDK_ADAPTERS = tuple(
    replace(one, transport="sdk")
    for one in HTTP_ADAPTERS
    if one.wire in (CHAT_FORMAT, RESPONSES_FORMAT, OPENROUTER_FORMAT)
)
ADAPTERS = HTTP_ADAPTERS + SDK_ADAPTERS
