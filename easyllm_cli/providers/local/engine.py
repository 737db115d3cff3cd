"""Runs llama.cpp as an HTTP server on 127.0.0.1 inside this process.

Only this file imports xllamacpp.
"""

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

# Prompt tokens per batch. Between batches the engine checks whether the client has disconnected.
# At 128 it stops within 0.5 s and is as fast as at 2,048 (measured: 7.2 s for 1,500 tokens).
PROMPT_BATCH_TOKENS = 128
# Time between two requests for /slots. The engine checks for a disconnected client only after one
# second without any result, so more frequent requests would prevent that check.
ENGINE_POLL_SECONDS = 1.5
CLOSE_TIMEOUT_SECONDS = 60.0


def thread_count() -> int:
    """Return the number of compute threads: half of this process's cores, at least one.

    On a busy machine, using all cores is five times slower (measured: 6.7 instead of 36 tokens/s).
    """
    get_affinity = getattr(os, "sched_getaffinity", None)
    cores = len(get_affinity(0)) if get_affinity else os.cpu_count() or 1
    return max(1, cores // 2)


class Engine:
    """One loaded model and its HTTP server.

    `url` is the server's address. `key` is a random API key, because every program on this machine
    can reach the port. `active_answers` counts answers that are running or were abandoned.

    `mmproj`: the file of the vision part; None = no images. `use_demo_sampling`: use the sampling
    that SmolLM2's authors recommend and a repetition penalty; without it the model may repeat
    itself up to the end of the context (4,096 tokens).

    Loading blocks all Python threads (0.2 s for the demo model).

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
        else:  # not with mmproj: an image's tokens may have to fit into one batch
            parameters.n_batch = parameters.n_ubatch = PROMPT_BATCH_TOKENS
        if use_demo_sampling:
            parameters.sampling.temp = 0.2
            parameters.sampling.top_p = 0.9
            parameters.sampling.penalty_repeat = 1.1
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError:
            raise ConfigError(
                "the embedded engine cannot load the model: the file is incomplete, of a kind that "
                "this version does not support, or too large for the memory",
                where=str(model),
                hint="download the file again, or lower num_ctx",
            ) from None
        self.url = str(self._server.listening_address)

    @property
    def is_closed(self) -> bool:
        return self._server is None

    async def aclose(self) -> None:
        """Release the model: now if the engine is idle (0.1 s), else later in a thread.

        Closing a busy engine would block all Python threads until its current batch is done. The
        thread is no daemon: at exit the interpreter would crash inside a daemon thread (SIGSEGV).
        """
        # Closing the engine before its server thread has started hangs; the answer to `_is_busy`
        # proves that it has started.
        if self.active_answers or self._is_busy():
            threading.Thread(target=self._wait_and_close, name="easyllm-engine").start()
        else:
            self._server = None

    def _wait_and_close(self) -> None:
        """Release the model when the engine is idle, at the latest after 60 seconds."""
        deadline = time.monotonic() + CLOSE_TIMEOUT_SECONDS
        time.sleep(ENGINE_POLL_SECONDS)
        while time.monotonic() < deadline and self._is_busy():
            time.sleep(ENGINE_POLL_SECONDS)
        self._server = None

    def _is_busy(self) -> bool:
        """Whether the engine is computing, by GET /slots, which it answers between batches."""
        request = urllib.request.Request(
            f"{self.url}/slots", headers={"Authorization": f"Bearer {self.key.reveal()}"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=CLOSE_TIMEOUT_SECONDS) as response:
                return any(slot["is_processing"] for slot in json.load(response))
        except (OSError, ValueError):
            return False
