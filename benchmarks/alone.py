"""Asks the same question as bare.py with httpx2's AsyncClient and nothing around it.

python alone.py HOST PORT PATH MODEL
"""

import asyncio
import json
import ssl
import sys

import httpx2


def text_of(line: bytes) -> str:
    """The answer's text in one line of server-sent events."""
    line = line.removeprefix(b"data: ").strip()
    if not line or line == b"[DONE]":
        return ""
    choices = json.loads(line)["choices"]
    return str(choices[0]["delta"].get("content") or "") if choices else ""


async def main() -> None:
    """Ask once; without CA bundle and proxies, as easyllm does for http://."""
    host, port, path, model = sys.argv[1:]
    empty_trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    rest = b""
    async with (
        httpx2.AsyncClient(verify=empty_trust, trust_env=False) as client,
        client.stream("POST", f"http://{host}:{port}{path}", json=body) as response,
    ):
        async for chunk in response.aiter_raw():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                sys.stdout.write(text_of(line))
            sys.stdout.flush()
    sys.stdout.write("\n")


asyncio.run(main())
