"""A loopback server in a process of its own, so that its CPU time is not measured.

    python -m benchmarks.server        prints its port; ends when its stdin ends

It speaks OpenAI's and Ollama's chat protocols; the model `bench-N` answers in N chunks. It ends
after 600 s at the latest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LIFE_SECONDS = 3600.0  # `startup.py --against` takes ten minutes and more
# A short answer is sent frame by frame. Of a long one TOGETHER frames are sent at a time, as from a
# server that is faster than its reader; the number is fixed, so that all runs are alike.
LONG, TOGETHER = 1000, 10
MODEL = "bench-20"
USAGE = {"prompt_tokens": 1, "completion_tokens": 20, "total_tokens": 21}


def piece_count(model: str) -> int:
    """The number of chunks in a model's answer; 20 for any other name."""
    number = model.removeprefix("bench-")
    return int(number) if model.startswith("bench-") and number.isdecimal() else 20


def answer(model: str) -> str:
    """The whole answer of a model."""
    return "".join(_words(piece_count(model)))


def _words(count: int) -> list[str]:
    return [f"word{index} " for index in range(count - 1)] + ["end."]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _openai_frame(model: str, delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1700000000,
        "model": model, "choices": [choice],
    }  # fmt: skip


@lru_cache
def openai_stream(model: str) -> tuple[bytes, ...]:
    """Server-sent events: role, words, finish_reason, usage, [DONE]; one HTTP chunk each."""
    frames = [_openai_frame(model, {"role": "assistant", "content": ""})]
    frames += [_openai_frame(model, {"content": word}) for word in _words(piece_count(model))]
    frames.append(_openai_frame(model, {}, "stop"))
    frames.append({**_openai_frame(model, {}), "choices": [], "usage": USAGE})
    lines = [json.dumps(frame, separators=(",", ":")) for frame in frames]
    return tuple(_chunk(f"data: {line}\n\n".encode()) for line in [*lines, "[DONE]"])


@lru_cache
def ollama_stream(model: str) -> tuple[bytes, ...]:
    """NDJSON: one object per word, then the one with `done`; one HTTP chunk each."""
    stamp = {"model": model, "created_at": "2026-01-01T00:00:00.000000Z"}
    frames: list[dict[str, Any]] = [
        {**stamp, "message": {"role": "assistant", "content": word}, "done": False}
        for word in _words(piece_count(model))
    ]
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 20}
    frames.append({**stamp, "message": {"role": "assistant", "content": ""}, **end})
    return tuple(
        _chunk(json.dumps(frame, separators=(",", ":")).encode() + b"\n") for frame in frames
    )


def plain(model: str) -> dict[str, Any]:
    """OpenAI's answer to a request without stream."""
    message = {"role": "assistant", "content": answer(model)}
    return {
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1700000000, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE,
    }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model = str(body.get("model", MODEL))
        if self.path == "/api/chat":
            self._stream("application/x-ndjson", ollama_stream(model))
        elif self.path != "/v1/chat/completions":
            self._json(404, {"error": {"message": f"no {self.path} here", "code": "not_found"}})
        elif body.get("stream"):
            self._stream("text/event-stream", openai_stream(model))
        else:
            self._json(200, plain(model))

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def _json(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, kind: str, frames: tuple[bytes, ...]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        step = TOGETHER if len(frames) > LONG else 1
        for start in range(0, len(frames), step):
            self.wfile.write(b"".join(frames[start : start + step]))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def running() -> Iterator[int]:
    """Run the server as a child process; yields its port."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"], cwd=Path(__file__).resolve().parent.parent,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield int(child.stdout.readline())
    finally:
        child.stdin.close()
        child.stdout.close()
        child.wait(10)


def main() -> None:
    """Serve until stdin ends or LIFE_SECONDS have passed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    timer = threading.Timer(LIFE_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
