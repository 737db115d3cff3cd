"""httpx2 with nothing around it: the same question and answer as bare.py, over an AsyncClient.

python alone.py HOST PORT PATH MODEL
"""

import asyncio
import json
import ssl
import sys

import httpx2


def text_of(line: bytes) -> str:
    """The piece of the answer in one line of server-sent events."""
    line = line.removeprefix(b"data: ").strip()
    if not line or line == b"[DONE]":
        return ""
    choices = json.loads(line)["choices"]
    return str(choices[0]["delta"].get("content") or "") if choices else ""


async def main() -> None:
    """Ask once; no CA bundle and no proxies, as easyllm does for http:// (DESIGN §8)."""
    host, port, path, model = sys.argv[1:]
    trusts_nothing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    left = b""
    async with (
        httpx2.AsyncClient(verify=trusts_nothing, trust_env=False) as client,
        client.stream("POST", f"http://{host}:{port}{path}", json=body) as response,
    ):
        async for piece in response.aiter_raw():
            *lines, left = (left + piece).split(b"\n")
            for line in lines:
                sys.stdout.write(text_of(line))
            sys.stdout.flush()
    sys.stdout.write("\n")


asyncio.run(main())
