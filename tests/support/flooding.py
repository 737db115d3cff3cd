"""A server that sends frames without content for ever, as fast as the client reads."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.standins import anthropic
from tests.support.standins.cohere import content_delta
from tests.support.standins.script import chunk, ndjson, sse

AT_LEAST = 1 << 16  # minimum bytes of one write
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n"
NATIVE = {"message": {"role": "assistant", "content": "", "thinking": ""}, "done": False}
HIDDEN = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "eA=="}]}
ENCRYPTED = sse({"choices": [{"index": 0, "delta": HIDDEN}]})  # reasoning without a text
NOTHING_OF_GEMINI = {"candidates": [{"content": {"parts": [{"text": "", "thought": True}]}}]}
CHAT = b": ping\n\n\n" + chunk("") + chunk(reasoning="") + sse(
    {"choices": [{"index": 0, "delta": {"content": [""]}}]}
)  # fmt: skip
# By adapter, frames that may come from its servers and contain nothing of an answer.
FLOODS: dict[str, bytes] = {
    "openai": CHAT,
    "openai-responses": b": ping\n\n" + sse({"type": "response.in_progress", "response": {}})
    + sse({"type": "response.reasoning_summary_text.delta", "delta": ""}),
    "ollama": b"\n \n" + ndjson(NATIVE),
    "openrouter": b": OPENROUTER PROCESSING\n\n" + chunk(""),
    "gemini": b": ping\r\n\r\n" + sse(NOTHING_OF_GEMINI),
    "anthropic": anthropic.PING + anthropic.text("") + anthropic.thinking("") + anthropic.block(),
    "cohere": sse({"type": "tool-plan-delta"}) + content_delta("text", ""),
}  # fmt: skip


@contextmanager
def serve_flood(flood: bytes, content_type: str, first: bytes = b"") -> Iterator[str]:
    """Yield the URL of a server that answers with `first`, and then repeats `flood` for ever."""
    block = flood * (AT_LEAST // len(flood) + 1)
    stopped = threading.Event()

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            while not client.recv(1 << 16).endswith(b"}"):  # the end of the request's JSON
                if not first and flood.isspace():
                    break  # a request without a body
            client.sendall(HEAD % content_type.encode() + first)
            while not stopped.is_set():
                client.sendall(block)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
