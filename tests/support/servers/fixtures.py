"""Session fixtures for real model servers, started at their first use and stopped at the end."""

import os
import re
import select
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.servers import setup
from tests.support.servers.background import stop_run, wait_for

HERE = Path(__file__).resolve().parent
SERVE = HERE / "serve.py"
LOGS = setup.CACHE / "logs"
READY_SECONDS = 60.0
STOP_SECONDS = 5.0
LOG_TAIL_LINES = 20
READY = re.compile(r"^READY (http://127\.0\.0\.1:\d+)$", re.MULTILINE)
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")  # no keys, no proxies


@dataclass(frozen=True, slots=True)
class RealServer:
    url: str  # without /v1
    model: str


def log_tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])


def wait_for_url(child: subprocess.Popen[bytes], deadline: float) -> str | None:
    """Return the URL of the child's READY line; None if none came before its end or deadline."""
    assert child.stdout is not None
    output = b""
    while (remaining := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([child.stdout], [], [], remaining)
        piece = os.read(child.stdout.fileno(), 4_096) if readable else b""
        if not piece:
            break
        output += piece
    match = READY.search(output.decode(errors="replace"))
    return match[1] if match else None


def stop(child: subprocess.Popen[bytes]) -> None:
    """Close the child's stdin, which ends it; if that takes too long, terminate and kill it."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    child.stdout.close()
    for send_signal in (child.terminate, child.kill):
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            send_signal()
    child.wait()


@contextmanager
def serving(name: str, *arguments: str | Path) -> Iterator[str]:
    """Run serve.py for as long as the block lasts; yield the server's URL."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    with log.open("wb") as stderr:
        child = subprocess.Popen(
            [setup.PYTHON, "-I", SERVE, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=LOGS,
            env={key: os.environ[key] for key in KEPT_VARIABLES if key in os.environ},
            start_new_session=True,  # Ctrl-C is for pytest only
        )
    try:
        url = wait_for_url(child, time.monotonic() + READY_SECONDS)
        if url is None:
            pytest.fail(f"the real server {name!r} did not start:\n{log_tail(log)}", pytrace=False)
        yield url
    finally:
        stop(child)


def wait_for_answer(url: str) -> None:
    """Wait until a GET of the URL succeeds; after the timeout fail with the last error."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with direct.open(url, timeout=READY_SECONDS):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                pytest.fail(f"no answer from {url}: {error}", pytrace=False)
        time.sleep(0.05)


@pytest.fixture(scope="session")
def servers_set_up() -> None:
    """Wait until the servers' packages and model have been downloaded."""
    ended = wait_for("servers_set_up")
    if ended.returncode:
        stop_run(ended)


@pytest.fixture(scope="session")
def smol(servers_set_up: None) -> Iterator[RealServer]:
    """Run a plain chat model."""
    template = ("--template-file", HERE / "chat.jinja")
    with serving("smol", "model", setup.MODEL, "--alias", "smol", *template) as url:
        yield RealServer(url, "smol")


def run_reasoning_server(name: str, reasoning: str) -> Iterator[RealServer]:
    template = ("--template-file", HERE / "think.jinja")
    grammar = ("--grammar-file", HERE / "think.gbnf")
    options = ("--alias", name, "--reasoning", reasoning, *template, *grammar)
    with serving(name, "model", setup.MODEL, *options) as url:
        yield RealServer(url, name)


@pytest.fixture(scope="session")
def thinker(servers_set_up: None) -> Iterator[RealServer]:
    """Run a reasoning model that sends its reasoning as `reasoning_content`."""
    yield from run_reasoning_server("thinker", "deepseek")


@pytest.fixture(scope="session")
def inline_thinker(servers_set_up: None) -> Iterator[RealServer]:
    """Run a reasoning model that leaves `<think>…</think>` in its answer."""
    yield from run_reasoning_server("inline-thinker", "none")


@pytest.fixture(scope="session")
def eyes(servers_set_up: None) -> Iterator[RealServer]:
    """Run a vision model that names the colour of an image."""
    vision = ("--mmproj", setup.EYES, "--template-file", HERE / "chat.jinja")
    options = ("--alias", "eyes", "--grammar-file", HERE / "colours.gbnf")
    with serving("eyes", "model", setup.MODEL, *options, *vision) as url:
        yield RealServer(url, "eyes")


@pytest.fixture(scope="session")
def ollama(smol: RealServer) -> Iterator[RealServer]:
    """Run ollama-proxy-plus, which speaks Ollama's protocol, in front of `smol`."""
    model = f"local/{smol.model}"
    with serving("ollama", "ollama", smol.url, "--model", model) as url:
        wait_for_answer(f"{url}/api/tags")
        yield RealServer(url, model)
