"""Runs `easyllm batch --via api` against a stand-in, in this process or in a fork of it."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from easyllm_cli import secret
from easyllm_cli.batch import provider_batches
from easyllm_cli.batch.batch_creation import Delays
from easyllm_cli.batch.output_file import OutputFile
from easyllm_cli.cli.app import run_app
from tests.support.batches import Json, read_lines, write_prompts
from tests.support.binary import Easyllm, RunResult, single_profile_toml
from tests.support.standins.batch_jobs import BatchStandIn
from tests.support.standins.server import StandIn

ROWS = 6
KEY = "sk-verysecret0123456789"
FAST = Delays(first=0.01, longest=0.02, growth=1.5, visible=0.05, patience=5.0)
COMMAND = ("in.jsonl", "out.jsonl", "--via", "api")


class ApiBatch:
    """A batch of ROWS rows, from `in.jsonl` to `out.jsonl`; each `run` is like a new process."""

    def __init__(
        self,
        easyllm: Easyllm,
        server: BatchStandIn,
        stand_in: StandIn,
        capfd: pytest.CaptureFixture[str],
        provider: str,
    ) -> None:
        self.easyllm = easyllm
        self.server = server
        self.delays = FAST
        self.prompts = [f"p{number}" for number in range(ROWS)]
        self.output = easyllm.home / "out.jsonl"
        self._capfd = capfd
        self._stand_in = stand_in
        self._provider = provider
        write_prompts(easyllm.home / "in.jsonl", self.prompts)
        self.write_profile()

    def write_profile(self, provider: str = "", **keys: Any) -> None:
        settings = {"api_key": KEY, "max_retries": 0, "model": self.server.model, **keys}
        provider = provider or self._provider
        self.easyllm.write_profiles(
            single_profile_toml(self._stand_in, provider=provider, **settings)
        )

    @contextmanager
    def _environment(self, words: tuple[str, ...]) -> Iterator[list[str]]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.easyllm.variables().items():
                patch.setenv(name, value)
            patch.chdir(self.easyllm.home)
            patch.setattr(sys, "argv", ["easyllm", "batch", *words])
            patch.setattr(secret, "_retained_secrets", None)
            patch.setattr(provider_batches, "Delays", lambda: self.delays)
            yield ["batch", *words]

    def run(self, *options: str, words: tuple[str, ...] = COMMAND) -> RunResult:
        """Run the command in this process, as if it were a new one."""
        with self._environment((*words, *options)) as arguments:
            self._capfd.readouterr()
            code = run_app(arguments)
        out, err = self._capfd.readouterr()
        return RunResult(code, out.encode(), err)

    def start_fork(self, *options: str, kill_after_rows: int | None = None) -> int:
        """Run the command in a fork of this process; returns its id.

        `kill_after_rows`: the fork gets SIGKILL when so many rows are in its output.
        """
        read, write = os.pipe()
        with self._environment((*COMMAND, *options)) as arguments:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    os.read(read, 1)
                    if kill_after_rows is not None:
                        kill_self_after(kill_after_rows)
                    code = run_app(arguments)
                finally:
                    os._exit(code)
        self.server.child = child  # the server knows it before it asks
        os.write(write, b".")
        os.close(read)
        os.close(write)
        return child

    def run_killed_at(self, step: str, *options: str) -> None:
        """Run the command, and kill it when this step has taken effect, before its answer."""
        self.server.kill = step
        require_killed(self.start_fork(*options))

    def run_killed_after(self, rows: int) -> None:
        """Run the command, and kill it when so many rows are stored."""
        require_killed(self.start_fork(kill_after_rows=rows))
        assert len(self.lines()) == rows

    def lines(self) -> list[Json]:
        return read_lines(self.output)

    def good(self) -> dict[int, str]:
        """The text of each good row; each may be there once."""
        good = [line for line in self.lines() if line["error"] is None]
        texts = {line["index"]: line["text"] for line in good}
        assert len(texts) == len(good)
        return texts

    def answers(self) -> dict[int, str]:
        """The text of each row when all are good."""
        return {index: f"answer to {prompt}" for index, prompt in enumerate(self.prompts)}


def kill_self_after(rows: int) -> None:
    """Have this process killed as soon as so many rows were appended to an output."""
    append = OutputFile.append

    def append_and_die(output: OutputFile, line: bytes, row: int, status: int) -> None:
        append(output, line, row, status)
        if output.statuses.done == rows:
            os.kill(os.getpid(), signal.SIGKILL)

    pytest.MonkeyPatch().setattr(OutputFile, "append", append_and_die)


def require_killed(child: int) -> None:
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def only(*names: str, full: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Run a test with these APIs; with those of `full` by hand."""
    more = [pytest.param(name, marks=pytest.mark.full) for name in full]
    return pytest.mark.parametrize("batch", [*names, *more], indirect=True)
