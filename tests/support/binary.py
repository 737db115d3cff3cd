"""Runs `easyllm` as a child process with a new home, no provider's variables and a timeout."""

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import pytest

from tests.support.launcher import LaunchedProcess, Launcher, can_launch, request_of
from tests.support.standins.script import DONE, Script, Step, chunk, script_handler
from tests.support.standins.server import StandIn

Result = TypeVar("Result")
# The installed command; tests remove EASYLLM_* from the environment, so it is read here.
INSTALLED = str(Path(sys.executable).with_name("easyllm"))
BINARY = os.environ.get("EASYLLM_BINARY") or INSTALLED
# A command prefix under which root cannot read every file: it drops the capabilities
# DAC_OVERRIDE (1) and DAC_READ_SEARCH (2) from the bounding set (PR_CAPBSET_DROP is 24).
DROP = "[ctypes.CDLL(None).prctl(24, power, 0, 0, 0) and exit('prctl') for power in (1, 2)]"
POWERLESS = [
    sys.executable,
    "-c",
    f"import ctypes, os, sys; {DROP}; os.execv(sys.argv[1], sys.argv[1:])",
]
# Runs whose modules every launcher imports; together they need most of what other runs need.
WARM_RUNS = (
    ("chat", "hi"), ("chat", "--color", "always", "hi"), ("stream", "--jsonl", "hi"),
    ("cot", "--json", "hi"), ("vision", "-h"), ("models", "--json"), ("doctor",), ("init", "-h"),
    ("profiles", "set", "t", "seed=1"), ("keys", "list"), ("help", "json"),
    ("chat", "-p", "absent", "hi"),
    *(("chat", "--dry-run", "-p", name, "hi") for name in ("gemini", "ollama", "openrouter")),
)  # fmt: skip
# Runs that import an SDK or SQLAlchemy, for a launcher of their own: they double the warm process's
# memory, and with it the time of each fork.
PACKAGE_RUNS = (
    ("chat", "-p", "sdk", "hi"), ("chat", "-p", "litellm", "hi"), ("models", "-p", "litellm"),
    ("chat", "-p", "google", "hi"),
    ("chat", "--config-db", "sqlite:///absent.db", "--config-id", "1", "hi"),
)  # fmt: skip
PACKAGE_WORDS = ("sdk", "litellm", "--config-db")  # in the profiles or arguments of such runs
RUN_TIMEOUT_SECONDS = 20.0  # for one run, unless a test sets another
KEPT_VARIABLES = ("PATH", "TMPDIR", "SYSTEMROOT")
PATHS = {"openai": "/v1", "llamacpp": "/v1", "openrouter": "/api/v1", "gemini": "/v1beta"}
STARTING = threading.Lock()
LAUNCHERS: list[Launcher] = []  # those that run
FAST = {"initial_retry_delay": 0.01}


def toml(value: object) -> str:
    """Format a value as TOML; only a table differs from JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def profile_toml(
    server: StandIn | str, provider: str = "openai", name: str = "t", **keys: Any
) -> str:
    """Return a profile table for the server, with short retry waits; keys of None are left out."""
    url = server if isinstance(server, str) else server.url + PATHS.get(provider, "")
    settings = {"provider": provider, "endpoint": url, "model": "test-model", **FAST, **keys}
    lines = [f"{key} = {toml(value)}" for key, value in settings.items() if value is not None]
    return "\n".join([f"[profiles.{name}]", *lines]) + "\n"


def single_profile_toml(server: StandIn | str, provider: str = "openai", **keys: Any) -> str:
    """Return a profiles file with the single profile `t`, which is the default."""
    return 'default_profile = "t"\n' + profile_toml(server, provider, **keys)


def chat_answer_script(
    *texts: str, reasoning: str = "", finish: str = "stop", then: tuple[Step, ...] = (DONE,)
) -> Script:
    """Return a streamed answer of Chat Completions."""
    reasoning_chunks = [chunk(reasoning=reasoning)] if reasoning else []
    return Script(*reasoning_chunks, *[chunk(text) for text in texts], chunk(finish=finish), *then)


def run_concurrently(*calls: Callable[[], Result]) -> list[Result]:
    """Run the calls at the same time; return their results in order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


@dataclass(frozen=True)
class RunResult:
    """The exit code and output of a finished run.

    `peak`: the peak resident set in bytes, of a child of the launcher.
    """

    code: int
    stdout: bytes
    stderr: str
    peak: int = field(default=0, compare=False)

    @property
    def json(self) -> Any:
        """The single JSON object on stdout."""
        lines = self.stdout.decode().split("\n")
        assert len(lines) == 2, f"not one object: {lines}\n{self.stderr}"
        assert lines[1] == "", "the line does not end"
        return json.loads(lines[0])

    @property
    def events(self) -> list[Any]:
        """The objects that --jsonl printed."""
        return [json.loads(line) for line in self.stdout.decode().split("\n")[:-1]]

    @property
    def error_line(self) -> str:
        """The single line on stderr, as every failure has it."""
        lines = self.stderr.split("\n")
        assert len(lines) == 2, f"not one line: {self.stderr!r}"
        assert lines[1] == "", "the line does not end"
        assert lines[0].startswith("easyllm: "), lines[0]
        assert "Traceback" not in self.stderr
        return lines[0]


class Easyllm:
    """Runs the command with one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = home / "config" / "easyllm" / "profiles.toml"
        self.partial = home / "state" / "easyllm" / "partial"
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self._home_count = 0

    def with_new_home(self) -> "Easyllm":
        """Return an Easyllm with another new home, for concurrent runs."""
        self._home_count += 1
        return Easyllm(self.home / f"home{self._home_count}")

    def variables(self, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return the child's environment; variables of None are left out."""
        variables: dict[str, str | None] = {name: os.environ.get(name) for name in KEPT_VARIABLES}
        variables |= {"HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        # Few tests are about the history, whose first note is one more line on a terminal.
        variables["EASYLLM_HISTORY"] = "off"
        kinds = ("config", "data", "state", "cache")
        variables |= {f"XDG_{kind.upper()}_HOME": str(self.home / kind) for kind in kinds}
        variables |= dict(more or {})
        return {name: value for name, value in variables.items() if value is not None}

    def write_profiles(self, text: str, mode: int = 0o600) -> Path:
        """Write profiles.toml where the command looks for it."""
        self.config.write_text(text, "utf-8")
        self.config.chmod(mode)
        return self.config

    def partials(self) -> list[Path]:
        """Return the files of saved partial answers, oldest first."""
        return sorted(self.partial.glob("*.md"))

    def names_packages(self, args: Sequence[str]) -> bool:
        """Return whether a run probably imports an SDK or SQLAlchemy; a wrong guess costs time."""
        text = " ".join(args)
        if self.config.is_file() and self.config.stat().st_size < 1 << 20:  # else a test's damage
            text += self.config.read_text("utf-8", errors="replace")
        return any(word in text for word in PACKAGE_WORDS)

    def start(
        self,
        *args: str,
        env: Mapping[str, str | None] | None = None,
        profiles: str | None = None,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        command: list[str] | None = None,
        **more: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a run; `command` replaces the command itself, by a shell for instance."""
        if profiles is not None:
            self.write_profiles(profiles)
        environment = self.variables(env)
        options = {"cwd": self.home, **more}
        streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        if command is None and BINARY == INSTALLED and can_launch(environment, options):
            with STARTING:
                launcher = warm_launcher(self.names_packages(args))
            return LaunchedProcess(launcher, [BINARY, *args], env=environment, **streams, **options)
        return subprocess.Popen(
            [*(command or [BINARY]), *args], env=environment, **streams, **options
        )

    def run(
        self,
        *args: str,
        stdin: bytes | str | None = None,
        timeout: float = RUN_TIMEOUT_SECONDS,
        **more: Any,
    ) -> RunResult:
        """Run to the end. `stdin`: data for a pipe; None is /dev/null; `file=` passes a file."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        more["stdin"] = more.pop(
            "file", subprocess.PIPE if data is not None else subprocess.DEVNULL
        )
        with self.start(*args, **more) as child:
            return finish(child, data, timeout)

    def shell(
        self, script: str, *, shell: str = "sh", timeout: float = RUN_TIMEOUT_SECONDS, **more: Any
    ) -> RunResult:
        """Run a shell script in which `$E` is the command."""
        env = {**more.pop("env", {}), "E": BINARY}
        with self.start(command=[shell, "-c", script], env=env, **more) as child:
            return finish(child, None, timeout)


def finish(
    child: subprocess.Popen[bytes], data: bytes | None, timeout: float = RUN_TIMEOUT_SECONDS
) -> RunResult:
    """Wait for the child; after `timeout` seconds kill it and fail the test."""
    try:
        out, err = child.communicate(data, timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        pytest.fail(f"still running after {timeout} s: {child.args!r}\n{out!r}\n{err!r}")
    peak = child.peak if isinstance(child, LaunchedProcess) else 0
    return RunResult(child.returncode, out or b"", (err or b"").decode(), peak)


def read_until(pipe: IO[bytes] | None, wanted: bytes) -> bytes:
    """Read the child's output up to the wanted bytes, and return it."""
    assert pipe is not None
    seen = b""
    while wanted not in seen:
        piece = os.read(pipe.fileno(), 1000)
        assert piece, f"it ended after {seen!r}"
        seen += piece
    return seen


def wait_until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll until the condition is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def split_error_line(line: str) -> tuple[str, str, str]:
    """Split an error line into what, where and what to do ("" for a missing part)."""
    text = line.removeprefix("easyllm: ")
    before, bracket, hint = text.rpartition("): ")
    if not bracket and text.endswith(")"):
        before, bracket = text[:-1], ")"
    if not bracket:
        what, _, hint = text.partition(": ")
        return what, "", hint
    what, _, where = before.rpartition(" (")
    return what, where, hint if "): " in text else ""


@functools.cache
def warm_launcher(packages: bool) -> Launcher:
    """Return this test run's launcher, which has imported the modules of WARM_RUNS.

    `packages`: of PACKAGE_RUNS, too.
    """
    launcher = Launcher(BINARY, packages)
    LAUNCHERS.append(launcher)
    with (
        tempfile.TemporaryDirectory() as folder,
        StandIn(script_handler(chat_answer_script("Hello"))) as server,
    ):
        easyllm = Easyllm(Path(folder))
        no_retry = {"max_retries": 0}
        easyllm.write_profiles(
            single_profile_toml(server)
            + profile_toml(server, name="sdk", transport="sdk")
            + profile_toml(server, "litellm", "litellm", model="openai/m", **no_retry)
            + profile_toml(server, "gemini", "google", transport="sdk", **no_retry)
        )
        for arguments in (*WARM_RUNS, *(PACKAGE_RUNS if packages else ())):
            launcher.warm_up(request_of(arguments, easyllm.variables(), easyllm.home))
    return launcher


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """End the launchers before the summary, which counts the CPU time of their children."""
    while LAUNCHERS:
        LAUNCHERS.pop().close()


@pytest.fixture(
    params=[pytest.param(n, marks=pytest.mark.full if n else ()) for n in range(10)],
    ids="run{}".format,
)
def repeated() -> None:
    """Make a test run once by default, and nine more times in the full tier."""


@pytest.fixture
def easyllm(home: Path) -> Easyllm:
    """Return the command with a new home, for one test."""
    # A child inherits an ignored signal, but not a handler.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a test run in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # nohup: keep running without a terminal
        signal.signal(signal.SIGHUP, lambda *_: None)
    return Easyllm(home)
