"""The table of adapters for the contract suite; a new adapter is a new row."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from easyllm_cli.config.profile import Profile
from tests.support.asking import Json, profile
from tests.support.standins import anthropic
from tests.support.standins.anthropic import AnthropicServer
from tests.support.standins.cohere import CohereServer, content_delta, message_end
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
    """How tests write one protocol's responses and read its requests.

    `text`: a frame with a piece of the answer; `end`: the frames of a good end; `error`: the body
    for an error status. `read_messages` returns (OpenAI's role, text) pairs; `images` returns
    (media type, bytes) pairs, with "" for a protocol that sends no media type. `end_frames`: the
    number of frames in `end`, without `[DONE]`.
    """

    text: Callable[[str], bytes]
    end: bytes
    error: Callable[[int, str], Json]
    read_messages: Callable[[Json], list[tuple[str, str]]]
    images: Callable[[Json], list[tuple[str, bytes]]]
    content_type: str = "text/event-stream"
    end_frames: int = 1


@dataclass(frozen=True)
class Adapter:
    """One provider with one transport, its stand-in server, and names of models.

    `thinker` reasons, `vision_model` takes images, `listed` is the server's model list; `typo` is
    a misspelt model name, and `meant` the name that the error should suggest.
    """

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
        """The provider, with the API if it is not the default one."""
        return f"{self.provider}-{self.api}" if self.api else self.provider

    @property
    def id(self) -> str:
        """The name, with the transport if it is not `http`."""
        return f"{self.name}-{self.transport}" if self.transport != "http" else self.name

    def profile(self, server: StandIn, **keys: Any) -> Profile:
        """Return a profile for the stand-in, with its key."""
        usual: dict[str, Any] = {"model": self.model, "api_key": KEY, "api": self.api}
        usual["transport"] = self.transport
        return profile(self.provider, server.url + self.base, **{**usual, **keys})

    def script(self, *texts: str, ends: bool = True) -> Script:
        """Return a streamed answer in these pieces; `ends` False leaves the end out."""
        frames = [self.wire.text(text) for text in texts] + [self.wire.end] * ends
        return Script(*frames, content_type=self.wire.content_type)

    def refusal(self, status: int, message: str, **headers: str) -> Script:
        """Return an error response in the provider's shape; `_` in header names becomes `-`."""
        body = compact(self.wire.error(status, message))
        header_fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return Script(body, status=status, headers=header_fields, content_type="application/json")


def read_chat_messages(body: Json) -> list[tuple[str, str]]:
    return [(message["role"], _text(message["content"])) for message in body["messages"]]


def chat_images(body: Json) -> list[tuple[str, bytes]]:
    parts = [part for message in body["messages"] for part in message["content"]]
    urls = [part["image_url"]["url"] for part in parts if "image_url" in part]
    matches = [DATA_URI.fullmatch(url) for url in urls]
    return [(f"image/{match[1]}", base64.b64decode(match[2])) for match in matches if match]


def native_images(body: Json) -> list[tuple[str, bytes]]:
    """Return Ollama's images, which are bare base64 beside a text content."""
    assert all(isinstance(message["content"], str) for message in body["messages"])
    encoded_images = [image for message in body["messages"] for image in message.get("images", ())]
    return [("", base64.b64decode(image, validate=True)) for image in encoded_images]


def read_responses_messages(body: Json) -> list[tuple[str, str]]:
    """Return the messages; Responses has the system text in `instructions`."""
    system = [("system", body["instructions"])] if "instructions" in body else []
    return system + [(item["role"], _text(item["content"])) for item in body["input"]]


def response_images(body: Json) -> list[tuple[str, bytes]]:
    """Return the images; `image_url` is a string, in Chat Completions an object."""
    urls = [part.get("image_url", "") for item in body["input"] for part in item["content"]]
    matches = [DATA_URI.fullmatch(url) for url in urls]
    return [(f"image/{match[1]}", base64.b64decode(match[2])) for match in matches if match]


def read_gemini_messages(body: Json) -> list[tuple[str, str]]:
    """Return the messages; the system text is in `systemInstruction`, the assistant is `model`."""
    instructions = body.get("systemInstruction")
    contents = [("system", instructions)] if instructions else []
    contents += [
        ({"model": "assistant"}.get(content["role"], "user"), content)
        for content in body["contents"]
    ]
    return [(role, _text(content["parts"])) for role, content in contents]


def google_images(body: Json) -> list[tuple[str, bytes]]:
    parts = [part for content in body["contents"] for part in content["parts"]]
    inline = [part["inlineData"] for part in parts if "inlineData" in part]
    return [(data["mimeType"], base64.b64decode(data["data"])) for data in inline]


def read_anthropic_messages(body: Json) -> list[tuple[str, str]]:
    """Return the messages; the system text is in `system`."""
    system = [("system", body["system"])] if "system" in body else []
    return system + [(item["role"], _text(item["content"])) for item in body["messages"]]


def anthropic_images(body: Json) -> list[tuple[str, bytes]]:
    parts = [part for message in body["messages"] for part in message["content"]]
    sources = [part["source"] for part in parts if part["type"] == "image"]
    return [(source["media_type"], base64.b64decode(source["data"])) for source in sources]


def anthropic_error(status: int, message: str) -> Json:
    return anthropic.error_object(anthropic.error_kind(status), message)


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
ANTHROPIC_FORMAT = Wire(
    anthropic.text,
    anthropic.ending(),
    anthropic_error,
    read_anthropic_messages,
    anthropic_images,
    end_frames=3,  # the end of the block, the stop reason, the end marker
)
COHERE_FORMAT = Wire(
    lambda text: content_delta("text", text),
    message_end("COMPLETE"),
    lambda status, message: {"id": "0af7ec09", "message": message},
    read_chat_messages,
    chat_images,
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
    Adapter(
        "anthropic",
        "",
        ANTHROPIC_FORMAT,
        lambda: AnthropicServer(
            key=KEY,
            thoughts=REASONING_TEXT,
            model_capabilities=anthropic.capabilities(),
        ),
        model="claude-haiku-4-5",
        thinker="claude-sonnet-4-5",
        vision_model="claude-haiku-4-5",
        listed=("claude-sonnet-4-5", "claude-haiku-4-5"),
        typo="claude-sonet-4-5",
        meant="claude-sonnet-4-5",
    ),
    Adapter(
        "cohere",
        "",
        COHERE_FORMAT,
        lambda: CohereServer(key=KEY, thinking=REASONING_TEXT),
        model="command-a-03-2025",
        thinker="command-a-reasoning-08-2025",
        vision_model="command-a-vision-07-2025",
        listed=(
            "command-a-03-2025",
            "command-a-reasoning-08-2025",
            "command-a-vision-07-2025",
            "command-r-08-2024",
        ),
        typo="command-a-03-2024",
        meant="command-a-03-2025",
    ),
)
# Here with openai 3.x; tests/extras has cases for openai 2.x and for Google's SDK.
SDK_ADAPTERS = tuple(
    replace(adapter, transport="sdk")
    for adapter in HTTP_ADAPTERS
    if adapter.wire in (CHAT_FORMAT, RESPONSES_FORMAT, OPENROUTER_FORMAT)
)
# Every protocol over aiohttp for the full tier. One is enough for what depends on the transport.
AIOHTTP_ADAPTERS = tuple(replace(adapter, transport="aiohttp") for adapter in HTTP_ADAPTERS)
ADAPTERS = HTTP_ADAPTERS + SDK_ADAPTERS + AIOHTTP_ADAPTERS[:1]
