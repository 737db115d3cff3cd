"""llama.cpp inside this process, reached over 127.0.0.1; the one file that names xllamacpp."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import xllamacpp  # type: ignore[import-not-found, unused-ignore]

from ...errors import ConfigError
from ...secret import Secret

# Tokens of a prompt between two looks at whether anybody still waits for the answer: 128 cost no
# speed (measured: 7.2 s for 1,500 tokens at 128 as at 2,048), and end within half a second.
PROMPT_BATCH_TOKENS = 128
# Seconds. The engine sees that a client has left when for a second it has had no result for
# anybody, so that asking it more often than that would keep it from seeing it at all.
ENGINE_POLL_SECONDS = 1.5
CLOSE_TIMEOUT_SECONDS = 60.0  # seconds


def thread_count() -> int:
    """The engine's compute threads: half of the cores that this process may use, at least one.

    All of them are five times slower on a busy machine (measured: 36 against 6.7 tokens/s).
    """
    get_affinity = getattr(os, "sched_getaffinity", None)
    cores = len(get_affinity(0)) if get_affinity else os.cpu_count() or 1
    return max(1, cores // 2)


class Engine:
    """One loaded model. `url` is its address and `key` a random key for it, since any program of
    this machine can reach a port.

    `context`: in tokens. `mmproj`: the vision part. `calm`: sample as SmolLM2's makers advise, and
    never the same again, without which it may repeat itself to the context's end (4,096 tokens).
    `answering`: how many answers are under way, or were left before their end. Loading stops every
    thread of Python (0.2 s for the demo model).
    Raises:
        ConfigError: the engine cannot load the file.
    """

    def __init__(
        self, model: Path, mmproj: Path | None, context_tokens: int, use_demo_sampling: bool
    ) -> None:
        self.key = Secret(secrets.token_hex(16))
        self.active_answers = 0
        self._server: Any = None
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(model)
        parameters.n_ctx = context_tokens
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = thread_count()
        parameters.cpuparams_batch.n_threads = thread_count()
        parameters.n_threads_http = 2
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.api_keys = [self.key.reveal()]
        parameters.ui = False
        parameters.verbosity = 0
        parameters.warmup = False
        parameters.cache_ram_mib = 0
        if mmproj is not None:
            parameters.mmproj.path = str(mmproj)
        else:  # a picture's tokens may have to go through in one batch
            parameters.n_batch = parameters.n_ubatch = PROMPT_BATCH_TOKENS
        if use_demo_sampling:
            parameters.sampling.temp = 0.2
            parameters.sampling.top_p = 0.9
            parameters.sampling.penalty_repeat = 1.1
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError:
            raise ConfigError(
                "the embedded engine cannot load the model: the file is not whole, of a kind that "
                "this version does not know, or larger than the memory",
                where=str(model),
                hint="fetch the file again, or lower num_ctx",
            ) from None
        self.url = str(self._server.listening_address)

    @property
    def is_closed(self) -> bool:
        return self._server is None

    async def aclose(self) -> None:
        """Let go of the model; an engine that computes what nobody waits for ends by itself.

        Idle it is gone in 0.1 s. Busy it would stop every thread of Python until the batch at hand
        is done. Not in a daemon thread: the interpreter's end would crash inside it (SIGSEGV).
        """
        # One that is let go of before its loop has begun waits for that loop's end for ever: to
        # have answered is to have begun.
        if self.active_answers or self._is_busy():
            threading.Thread(target=self._wait_and_close, name="easyllm-engine").start()
        else:
            self._server = None

    def _wait_and_close(self) -> None:
        deadline = time.monotonic() + CLOSE_TIMEOUT_SECONDS
        time.sleep(ENGINE_POLL_SECONDS)
        while time.monotonic() < deadline and self._is_busy():
            time.sleep(ENGINE_POLL_SECONDS)
        self._server = None

    def _is_busy(self) -> bool:
        """Whether the engine still computes; it answers between two batches."""
        request = urllib.request.Request(
            f"{self.url}/slots", headers={"Authorization": f"Bearer {self.key.reveal()}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=CLOSE_TIMEOUT_SECONDS) as response:
                return any(slot["is_processing"] for slot in json.load(response))
        except (OSError, ValueError):
            return False
