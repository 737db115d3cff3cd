"""Runs `easyllm batch` against a server, in this process or in one of its own."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import secret
from easyllm_cli.cli.app import run_app
from tests.support.batches import BatchServer, read_lines, write_prompts
from tests.support.binary import Easyllm, RunResult, single_profile_toml
from tests.support.standins.server import StandIn

ROWS = 24


KEY = "sk-verysecret0123456789"


class BatchCommand:
    """Runs `easyllm batch in.jsonl out.jsonl` against a server."""

    def __init__(
        self,
        easyllm: Easyllm,
        server: BatchServer,
        stand_in: StandIn,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        self.easyllm = easyllm
        self.server = server
        self.stand_in = stand_in
        self.input = write_prompts(easyllm.home / "in.jsonl", [f"p{n}" for n in range(ROWS)])
        self.output = easyllm.home / "out.jsonl"
        self._capfd = capfd
        self.write_profile()

    def write_profile(self, **keys: Any) -> None:
        self.easyllm.write_profiles(
            single_profile_toml(self.stand_in, api_key=KEY, **{"max_retries": 0, **keys})
        )

    def run(
        self,
        *options: str,
        words: tuple[str, ...] = ("in.jsonl", "out.jsonl"),
        env: Mapping[str, str | None] | None = None,
        folder: Path | None = None,
    ) -> RunResult:
        """Run the command in this process, as if it were a new one. `folder`: None = the home."""
        arguments = ["batch", *words, *options]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.easyllm.variables(env).items():
                patch.setenv(name, value)
            patch.chdir(folder or self.easyllm.home)
            patch.setattr(sys, "argv", ["easyllm", *arguments])
            patch.setattr(secret, "_retained_secrets", None)
            self._capfd.readouterr()
            code = run_app(arguments)
        out, err = self._capfd.readouterr()
        return RunResult(code, out.encode(), err)

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        return self.easyllm.start("batch", "in.jsonl", "out.jsonl", *options)

    def good_rows(self, output: Path | None = None) -> list[int]:
        """The good rows; each may be there once."""
        lines = read_lines(output or self.output)
        good = sorted(line["index"] for line in lines if line["error"] is None)
        assert len(set(good)) == len(good)
        return good


def has_asked(server: BatchServer, count: int, child: "subprocess.Popen[bytes]") -> bool:
    """Whether the server got so many requests, or the command has ended."""
    return len(server.asked) >= count or child.poll() is not None
