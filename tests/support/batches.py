"""A server with faults for batches, and batches in this process."""

import asyncio
import json
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from easyllm_cli.batch.asking import RowAsker
from easyllm_cli.batch.engine import BatchRun
from easyllm_cli.batch.input_file import InputFile, InputIdentity
from easyllm_cli.batch.output_file import OutputFile
from easyllm_cli.batch.output_rows import parse_line
from easyllm_cli.batch.pacing import Pacing
from easyllm_cli.batch.progress import Progress
from easyllm_cli.batch.row_selection import RowSelection, pending_rows
from easyllm_cli.batch.rows import RowReader
from easyllm_cli.batch.run_budget import RunBudget
from easyllm_cli.batch.state import Header
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.pipeline.acceptance import check_acceptable
from tests.support.asking import openai
from tests.support.standins.openai import last_user_text
from tests.support.standins.script import usage, words
from tests.support.standins.server import Reply, Request, StandIn

Json = dict[str, Any]
RETRY_SOON = {"retry-after-ms": "50"}
ROWS = 40


class BatchServer:
    """Chat Completions that answers `answer to PROMPT` and counts; `faults` come first.

    `faults`: called with the prompt and how often it was asked before; returns a fault, or None. A
    fault is a status (of an error), `cut`, `length`, `empty`, or a dict that replaces the body.
    """

    def __init__(
        self,
        faults: Callable[[str, int], Any] = lambda prompt, count: None,
        seconds: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.faults = faults
        self.seconds = seconds
        self.headers = headers or {}
        self.asked: list[str] = []  # the prompts, in the order of their arrival
        self.in_flight = self.most_in_flight = 0

    async def handle(self, request: Request, reply: Reply) -> None:
        body = request.json
        prompt = last_user_text(body["messages"])
        count = self.asked.count(prompt)
        self.asked.append(prompt)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            fault = self.faults(prompt, count)
            await reply.sleep(self.seconds)
            await self._reply(reply, body, prompt, fault)
        finally:
            self.in_flight -= 1

    async def _reply(self, reply: Reply, body: Json, prompt: str, fault: Any) -> None:
        answer = whole_answer(body["model"], f"answer to {prompt}", prompt)
        if isinstance(fault, int):
            error = {"error": {"message": f"fault {fault}", "code": f"code_{fault}"}}
            await reply.json(error, fault, self.headers)
        elif fault == "cut":
            data = json.dumps(answer).encode()
            await reply.head(200, None, length=len(data))
            await reply.write(data[: len(data) // 2])
            await reply.cut()
        elif fault == "length":
            answer["choices"][0]["finish_reason"] = "length"
            await reply.json(answer)
        elif fault == "empty":
            answer["choices"][0]["message"]["content"] = ""
            await reply.json(answer)
        else:
            await reply.json(fault or answer)


def whole_answer(model: str, text: str, prompt: str) -> Json:
    """Return a body of Chat Completions."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage(words(prompt), words(text)),
    }  # fmt: skip


def write_prompts(path: Path, prompts: Iterable[str]) -> Path:
    """Write an input with one prompt a line."""
    path.write_text("".join(json.dumps({"prompt": each}) + "\n" for each in prompts), "utf-8")
    return path


@contextmanager
def largest_file(byte_count: int) -> Iterator[None]:
    """Within the block no file of this process grows larger, as if the disk were full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (byte_count, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def read_lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class Batch:
    """A batch from `in.jsonl` to `out.jsonl` in a folder; each `run` is like a new process."""

    def __init__(self, folder: Path, server: StandIn, **profile: Any) -> None:
        self.input = folder / "in.jsonl"
        self.output = folder / "out.jsonl"
        self.profile: Profile = openai(server, **{"max_retries": 0, **profile})
        self.progress: Progress | None = None
        self.run_of: BatchRun | None = None

    def begin(
        self,
        *,
        ceiling: int = 8,
        selection: RowSelection | None = None,
        max_cost: float | None = None,
        max_errors: int | None = None,
        form: str = "easyllm",
    ) -> tuple[BatchRun, OutputFile, RowAsker]:
        """Open the files; the caller runs and closes what is returned."""
        header = Header(str(self.input), InputIdentity(0, ""), {}, {}, 0.0)
        output = OutputFile(self.output, header, parse_line)
        asker = RowAsker(
            self.profile, [],
            lambda answer, limited, schema: check_acceptable(answer, limited, "auto", schema),
        )  # fmt: skip
        self.progress = Progress(output.statuses)
        pacing = Pacing(ceiling, (0.05, 0.2), self.progress)
        source = InputFile(self.input)
        reader = RowReader(self.profile.model, None, source.holds_json())
        rows = pending_rows(source, reader, output, selection or RowSelection())
        budget = None if max_cost is None else RunBudget(max_cost, 0.0, [self.profile])
        self.run_of = BatchRun(
            rows, asker, output, pacing, self.progress,
            form=form, budget=budget, max_errors=max_errors,
        )  # fmt: skip
        return self.run_of, output, asker

    async def run_async(self, **options: Any) -> EasyLLMError | None:
        run, output, asker = self.begin(**options)
        try:
            await run.run()
        except EasyLLMError as error:
            return error
        finally:
            await asker.aclose()
            output.close()
        return None

    def run(self, **options: Any) -> EasyLLMError | None:
        """Run to the end; returns the error that stopped it, if any."""
        return asyncio.run(self.run_async(**options))

    def lines(self) -> list[Json]:
        return read_lines(self.output)

    def indexes(self) -> list[int]:
        return sorted(line["index"] for line in self.lines())


def numbered_prompts(count: int = ROWS) -> list[str]:
    return [f"p{number}" for number in range(count)]


def expected_answers(count: int = ROWS) -> dict[int, str]:
    return {number: f"answer to p{number}" for number in range(count)}


def good_answers(batch: Batch) -> dict[int, str]:
    """The texts of the good rows; each row may be good once only."""
    good = [line for line in batch.lines() if line["error"] is None]
    assert len({line["index"] for line in good}) == len(good)
    return {line["index"]: line["text"] for line in good}
