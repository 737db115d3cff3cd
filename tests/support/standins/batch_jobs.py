"""What the stand-ins of the three batch APIs have in common: jobs, faults, and lost answers."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from tests.support.standins.script import compact
from tests.support.standins.server import Reply, Request

Json = dict[str, Any]
Fault = str | int | None


class Job:
    """One batch: `rows` are (custom_id, prompt, body) in the order of the requests."""

    def __init__(self, number: int, name: str, rows: list[tuple[str, str, Json]]) -> None:
        self.number = number
        self.name = name
        self.rows = rows
        self.created_at = time.time()
        self.polls = 0
        self.is_cancelled = False
        self.failure: Json | None = None  # the whole batch failed


class BatchStandIn:
    """A batch API that answers `answer to PROMPT`.

    `faults`: called with a prompt and how often it was in a batch before; a fault is `expired`,
    `cancelled`, `missing`, `length`, or the status of an error. `lost`: steps (`upload`,
    `create`, `poll`, `results`, `list`) whose answer is cut, by how often. `kill`: at this step,
    after it took effect, the process `child` gets SIGKILL in place of an answer. `refused`: steps
    that are answered with this status, by how often. `slow_polls`: looks at a job before it has
    ended. `hidden_lists`: lists that do not have the newest job yet. `short_results`: downloads
    that have one line only, and then end as if they were whole. `change_results`: gets the lines of
    each download, and returns those that are sent.
    """

    model: ClassVar[str] = "gpt-4o-mini"

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.files: dict[str, bytes] = {}
        self.steps: list[str] = []
        self.faults: Callable[[str, int], Fault] = lambda prompt, count: None
        self.failures: list[Json] = []  # of the next jobs
        self.lost: Counter[str] = Counter()
        self.refused: dict[str, list[int]] = {}
        self.kill = ""
        self.child = 0
        self.slow_polls = self.hidden_lists = self.short_results = 0
        self.change_results: Callable[[list[Any]], list[Any]] = lambda lines: lines
        self.asked: Counter[str] = Counter()  # prompts, by the jobs they were in
        self.paid: Counter[str] = Counter()  # prompts that were answered
        self._faults: dict[tuple[int, str], Fault] = {}

    async def handle(self, request: Request, reply: Reply) -> None:
        step, answer = self.answer(request)
        self.steps.append(step)
        if step == self.kill:
            os.kill(self.child, signal.SIGKILL)
            self.kill = ""
            await reply.cut()
        elif self.lost[step] > 0:
            self.lost[step] -= 1
            await reply.cut()
        elif isinstance(answer, bytes):
            lines = self.change_results([json.loads(line) for line in answer.splitlines()])
            answer = b"".join(compact(line) + b"\n" for line in lines)
            if self.short_results > 0:
                self.short_results -= 1
                answer = answer.splitlines(keepends=True)[0]
            await reply.head(200, length=len(answer))
            await reply.write(answer)
        elif isinstance(answer, int):
            await reply.json(self.error(answer), answer)
        else:
            await reply.json(answer)

    def answer(self, request: Request) -> tuple[str, Json | bytes | int]:
        """The step, and its answer: an object, the bytes of a file, or the status of an error."""
        raise NotImplementedError

    def error(self, status: int) -> Json:
        raise NotImplementedError

    def refusal(self, step: str) -> int | None:
        """The status that this step is answered with; None = it is obeyed."""
        left = self.refused.get(step)
        return left.pop(0) if left else None

    def add_job(self, name: str, rows: list[tuple[str, str, Json]]) -> Job:
        job = Job(len(self.jobs), name, rows)
        self.jobs.append(job)
        job.failure = self.failures.pop(0) if self.failures else None
        if job.failure is not None:
            return job
        for custom_id, prompt, _ in rows:
            fault = self.faults(prompt, self.asked[prompt])
            self._faults[job.number, custom_id] = fault
            self.asked[prompt] += 1
            if fault in (None, "length", "missing"):
                self.paid[prompt] += 1
        return job

    def listed(self) -> list[Job]:
        """The jobs of a list, the newest first."""
        self.hidden_lists -= 1
        hidden = 1 if self.hidden_lists >= 0 else 0
        return [*reversed(self.jobs)][hidden:]

    def look(self, job: Job) -> bool:
        """Count a look; returns whether the job has ended."""
        job.polls += 1
        return job.polls > self.slow_polls or job.is_cancelled

    def fault(self, job: Job, custom_id: str) -> Fault:
        return self._faults[job.number, custom_id]
