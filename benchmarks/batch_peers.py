"""Asks for each row of a file with another tool than easyllm, for batch_kills.py.

    python benchmarks/batch_peers.py TOOL IN OUT URL AT_ONCE

A row of IN is {"index", "prompt"}; a line of OUT is {"index", "text"}. `script` is of the kind that
OpenAI's cookbook shows: aiohttp, and each answer appended to a file. `curator` is the package
bespokelabs-curator; its tokenizer is replaced, because it would be downloaded.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

KEY = "sk-bench-0123456789"


async def run_script(rows: list[dict[str, Any]], output: Path, url: str, at_once: int) -> None:
    import aiohttp

    waiting = iter(rows)
    headers = {"Authorization": f"Bearer {KEY}"}

    async def work(session: aiohttp.ClientSession) -> None:
        for row in waiting:
            body = {"model": "bench", "messages": [{"role": "user", "content": row["prompt"]}]}
            address = f"{url}/chat/completions"
            async with session.post(address, json=body, headers=headers) as response:
                answer = await response.json()
            text = answer["choices"][0]["message"]["content"]
            with output.open("a") as file:
                file.write(json.dumps({"index": row["index"], "text": text}) + "\n")

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work(session) for _ in range(at_once)))


def run_curator(rows: list[dict[str, Any]], output: Path, url: str, at_once: int) -> None:
    os.environ |= {
        "OPENAI_API_KEY": KEY, "TELEMETRY_ENABLED": "0", "CURATOR_DISABLE_RICH_DISPLAY": "1",
        "CURATOR_CACHE_DIR": str(output.with_suffix(".curator")), "HF_HUB_OFFLINE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }  # fmt: skip
    tiktoken: Any = import_module("tiktoken")
    encoding: Any = SimpleNamespace(encode=lambda text, **_: text.split(), n_vocab=1)
    tiktoken.get_encoding = tiktoken.encoding_for_model = lambda _: encoding
    curator: Any = import_module("bespokelabs.curator")
    datasets: Any = import_module("datasets")

    class Asking(curator.LLM):  # type: ignore[misc]
        def prompt(self, row: dict[str, Any]) -> str:
            return str(row["prompt"])

        def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
            return {"index": row["index"], "text": response}

    limits = {"max_requests_per_minute": 10**6, "max_tokens_per_minute": 10**9}
    asking = Asking(
        model_name="gpt-4o-mini", backend="openai",
        backend_params={"base_url": url, "max_concurrent_requests": at_once, **limits},
    )  # fmt: skip
    answers: Any = asking(datasets.Dataset.from_list(rows))
    answers = getattr(answers, "dataset", answers)
    lines = [json.dumps({"index": row["index"], "text": row["text"]}) for row in answers]
    output.write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    tool, source, output, url, at_once = sys.argv[1:]
    rows = [json.loads(line) for line in Path(source).read_text().splitlines()]
    if tool == "curator":
        run_curator(rows, Path(output), url, int(at_once))
    else:
        asyncio.run(run_script(rows, Path(output), url, int(at_once)))


if __name__ == "__main__":
    main()
