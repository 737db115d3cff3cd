"""A loopback server for many requests at once, in a process of its own: plain chat completions.

    python benchmarks/batch_server.py MILLISECONDS        prints its port; ends when its stdin ends

Each answer waits so long, and repeats the last word of the prompt, by which a client checks it.
A request without a body is answered with the number of those that had one.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PADDING = "x" * 300  # a short answer's length
USAGE = {"prompt_tokens": 5, "completion_tokens": 80, "total_tokens": 85}
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 01 Jan 2026 00:00:00 GMT\r\n"
    b"X-Request-Id: req_bench\r\nX-RateLimit-Remaining-Requests: 999999\r\n"
    b"Content-Length: %d\r\n\r\n"
)


def answer_body(prompt: str) -> bytes:
    """OpenAI's body for a prompt."""
    content = f"ok {prompt.rpartition(' ')[2]} {PADDING}"
    choice = {"index": 0, "message": {"role": "assistant", "content": content}}
    body = {
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1700000000,
        "model": "bench", "choices": [{**choice, "finish_reason": "stop"}], "usage": USAGE,
    }  # fmt: skip
    return json.dumps(body).encode()


async def serve(milliseconds: float) -> None:
    asked_count = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked_count
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
                if size:
                    asked = json.loads(await reader.readexactly(size))
                    asked_count += 1
                    await asyncio.sleep(milliseconds / 1000)
                    messages = asked["messages"]  # curator asks without any for the rate limits
                    body = answer_body(messages[-1]["content"] if messages else "")
                else:
                    body = str(asked_count).encode()
                writer.write(HEAD % len(body) + body)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait_for_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    await ended.wait()


@contextmanager
def running(milliseconds: float) -> Iterator[str]:
    """Run the server as a child process; yields its base URL."""
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), str(milliseconds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
