"""Runs the command against one fault, and checks what must be true of every such run."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.adapters import Adapter
from tests.support.binary import Easyllm, RunResult, single_profile_toml
from tests.support.faults.fault import FAULT_REASONING, KEY, REDIRECT_URL, RETRIES, Fault
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import Handler, StandIn

# Path endings of requests for an answer; other requests, such as model lists, get 404.
ANSWERS = (
    "/chat/completions", "/responses", "/api/chat", "enerateContent", "/v1/messages", "/v2/chat",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One fault with one adapter and one command."""

    command: str
    fault: Fault
    adapter: Adapter

    @property
    def id(self) -> str:
        """The fault's id, the adapter's id, and the command unless it is `stream`."""
        command = "" if self.command == "stream" else f"-{self.command}"
        return f"{self.fault.id}-{self.adapter.id}{command}"

    @property
    def streams(self) -> bool:
        """Whether the command prints the answer while it arrives."""
        return self.command == "stream"


@dataclass(frozen=True)
class CaseResult:
    """The result of one run.

    `tries`: requests for an answer; `kept`: contents of the saved partial answers; `elsewhere`:
    requests that reached the redirects' target; `files`: contents of all files in the home.
    """

    command_result: RunResult
    tries: int
    kept: tuple[bytes, ...]
    elsewhere: int
    files: bytes


@dataclass(frozen=True)
class Served:
    """The running servers of one case, and the profile's settings for them."""

    endpoint: str
    keys: dict[str, Any]
    server: StandIn
    elsewhere: list[Request]

    def ending(self, ran: RunResult, kept: tuple[bytes, ...], files: bytes = b"") -> CaseResult:
        """Return the run's result, with the number of requests that came."""
        tries = sum(is_for_an_answer(request) for request in self.server.requests)
        return CaseResult(ran, tries, kept, len(self.elsewhere), files)


@contextmanager
def serve_case(case: Case) -> Iterator[Served]:
    """Run a server for the case, and a second one if the fault redirects."""
    fault, adapter = case.fault, case.adapter
    with ExitStack() as servers:
        scripts = fault.scripts(adapter)
        redirect_url = ""
        elsewhere: list[Request] = []
        if any(
            REDIRECT_URL in value for script in scripts for value in (script.headers or {}).values()
        ):
            redirect_target = servers.enter_context(
                StandIn(script_handler(*scripts), host="127.0.0.2")
            )
            redirect_url, elsewhere = redirect_target.url, redirect_target.requests
        server = servers.enter_context(StandIn(answer_handler(scripts, redirect_url)))
        settings = {
            "provider": adapter.provider, "model": adapter.model, "api_key": KEY,
            "max_retries": RETRIES, "api": adapter.api, "transport": adapter.transport,
        }  # fmt: skip
        yield Served(
            server.url + adapter.base, {**settings, **fault.profile_settings}, server, elsewhere
        )


def run(case: Case, easyllm: Easyllm) -> CaseResult:
    """Run the command against a new server."""
    with serve_case(case) as served:
        ran = easyllm.run(
            case.command,
            *case.fault.args,
            "hi",
            profiles=single_profile_toml(served.endpoint, **served.keys),
        )
        kept = tuple(path.read_bytes() for path in easyllm.partials())
        files = b"".join(path.read_bytes() for path in files_in_home(easyllm))
        return served.ending(ran, kept, files)


def files_in_home(easyllm: Easyllm) -> list[Any]:
    """Return every file below the home except profiles.toml, which holds the key."""
    files = (path for path in easyllm.home.rglob("*") if path.is_file())
    return [path for path in files if path != easyllm.config]


def is_for_an_answer(request: Request) -> bool:
    """Return whether a request asks for an answer, not for a model list or the like."""
    return request.method == "POST" and request.path.endswith(ANSWERS)


def answer_handler(scripts: tuple[Script, ...], elsewhere: str) -> Handler:
    """Return a handler that plays the scripts for answers; redirects lead to `elsewhere`."""
    play = script_handler(*[set_redirect_url(script, elsewhere) for script in scripts])

    async def handler(request: Request, reply: Reply) -> None:
        if is_for_an_answer(request):
            await play(request, reply)
        else:
            await reply.json({"error": "not found"}, 404)

    return handler


def set_redirect_url(script: Script, elsewhere: str) -> Script:
    """Put the other server's address into the script's headers, in place of REDIRECT_URL."""
    headers: Mapping[str, str] = script.headers or {}
    script.headers = {
        name: value.replace(REDIRECT_URL, elsewhere) for name, value in headers.items()
    }
    return script


def check(case: Case, ending: CaseResult) -> None:
    """Check a run's exit code, stdout, number of tries, saved text, stderr, and for leaked keys."""
    fault, ran = case.fault, ending.command_result
    code, text, tries = expected(case)
    assert ran.code == code, ran.stderr
    printed = text if case.streams or code == 0 else ""
    assert ran.stdout == expected_stdout(printed), "whole or not at all"
    assert ending.tries == tries, ran.stderr
    kept = (text.encode(),) if text and not case.streams and code else ()
    assert ending.kept == kept, "what came is kept where it is not printed"
    assert ending.elsewhere == 0, "a redirect was followed"
    if ran.code == fault.code:
        assert fault.stderr_text in ran.stderr
    check_words(ran, fault.longest, FAULT_REASONING if case.command == "cot" else None)
    for place in (ran.stdout, ran.stderr.encode(), ending.files):
        assert KEY.encode() not in place, "the key got out"


def expected(case: Case) -> tuple[int, str, int]:
    """Return exit code, text and tries; `chat` and `cot` may retry after text, `stream` may not."""
    fault = case.fault
    code, text, tries = fault.code, fault.text, fault.tries
    if not case.streams:
        code = code if fault.chat_code is None else fault.chat_code
        text = text if fault.chat_text is None else fault.chat_text
        tries = tries if fault.chat_tries is None else fault.chat_tries
    return code, text, tries


def expected_stdout(text: str) -> bytes:
    """Return the text, with the newline that the command adds if the text ends without one."""
    return text.encode() + (b"" if not text or text.endswith("\n") else b"\n")


def check_words(ran: RunResult, longest: int, reasoning: str | None) -> None:
    """Check stderr: only short `easyllm: ` lines and the reasoning, and a line for a failure.

    It must hold no traceback and no HTML.
    """
    assert "Traceback" not in ran.stderr
    assert "<" not in ran.stderr
    assert len(ran.stderr) < 2 * longest, "a server's words are cut"
    for line in ran.stderr.splitlines():
        assert line.startswith("easyllm: ") or line == reasoning
        assert len(line) < longest
    assert ran.stderr or not ran.code, "a failure in silence"
