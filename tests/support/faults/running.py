"""One run of the real binary against one fault, and what must be true of every such run."""

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

# What is asked for an answer; other questions (which models, do they see) get 404.
ANSWERS = ("/chat/completions", "/responses", "/api/chat", "enerateContent")


@dataclass(frozen=True)
class Case:
    """One fault over one adapter through one command."""

    command: str
    fault: Fault
    adapter: Adapter

    @property
    def id(self) -> str:
        """Promises, the fault's name, the adapter, and the command unless it is `stream`."""
        command = "" if self.command == "stream" else f"-{self.command}"
        return f"{self.fault.id}-{self.adapter.id}{command}"

    @property
    def streams(self) -> bool:
        """Whether the command prints the answer as it comes."""
        return self.command == "stream"


@dataclass(frozen=True)
class CaseResult:
    """What one run left: its end, its requests for an answer, its kept text, others' requests."""

    command_result: RunResult
    tries: int
    kept: tuple[bytes, ...]
    elsewhere: int
    files: bytes


@dataclass(frozen=True)
class Served:
    """The servers of one case, and the profile's settings for them."""

    endpoint: str
    keys: dict[str, Any]
    server: StandIn
    elsewhere: list[Request]

    def ending(self, ran: RunResult, kept: tuple[bytes, ...], files: bytes = b"") -> CaseResult:
        """What the run left, with the requests that came."""
        tries = sum(is_for_an_answer(one) for one in self.server.requests)
        return CaseResult(ran, tries, kept, len(self.elsewhere), files)


@contextmanager
def serve_case(case: Case) -> Iterator[Served]:
    """A server of the case's own, and one elsewhere where the fault redirects to it."""
    fault, adapter = case.fault, case.adapter
    with ExitStack() as servers:
        scripts = fault.scripts(adapter)
        other = ""
        elsewhere: list[Request] = []
        if any(REDIRECT_URL in value for one in scripts for value in (one.headers or {}).values()):
            thief = servers.enter_context(StandIn(script_handler(*scripts), host="127.0.0.2"))
            other, elsewhere = thief.url, thief.requests
        server = servers.enter_context(StandIn(answer_handler(scripts, other)))
        usual = {
            "provider": adapter.provider, "model": adapter.model, "api_key": KEY,
            "max_retries": RETRIES, "api": adapter.api, "transport": adapter.transport,
        }  # fmt: skip
        yield Served(
            server.url + adapter.base, {**usual, **fault.profile_settings}, server, elsewhere
        )


def run(case: Case, easyllm: Easyllm) -> CaseResult:
    """Runs the command in a home of its own, against a server of its own."""
    with serve_case(case) as served:
        ran = easyllm.run(
            case.command,
            *case.fault.args,
            "hi",
            profiles=single_profile_toml(served.endpoint, **served.keys),
        )
        kept = tuple(path.read_bytes() for path in easyllm.partials())
        files = b"".join(one.read_bytes() for one in written(easyllm))
        return served.ending(ran, kept, files)


def written(easyllm: Easyllm) -> list[Any]:
    """Every file below the home, but the profiles, which hold the key."""
    files = (path for path in easyllm.home.rglob("*") if path.is_file())
    return [path for path in files if path != easyllm.config]


def is_for_an_answer(request: Request) -> bool:
    """Whether a request asks for an answer, and not for what models there are."""
    return request.method == "POST" and request.path.endswith(ANSWERS)


def answer_handler(scripts: tuple[Script, ...], elsewhere: str) -> Handler:
    """Plays the scripts to those who ask for an answer; redirects lead to `elsewhere`."""
    play = script_handler(*[set_redirect_url(one, elsewhere) for one in scripts])

    async def handler(request: Request, reply: Reply) -> None:
        if is_for_an_answer(request):
            await play(request, reply)
        else:
            await reply.json({"error": "not found"}, 404)

    return handler


def set_redirect_url(script: Script, elsewhere: str) -> Script:
    """The script with the address of the other server in its headers."""
    named: Mapping[str, str] = script.headers or {}
    script.headers = {name: value.replace(REDIRECT_URL, elsewhere) for name, value in named.items()}
    return script


def check(case: Case, ending: CaseResult) -> None:
    """Everything that is promised of a run: code, bytes, tries, words, keys."""
    fault, ran = case.fault, ending.command_result
    code, text, tries = expected(case)
    assert ran.code == code, ran.stderr
    shown = text if case.streams or code == 0 else ""
    assert ran.stdout == expected_stdout(shown), "whole or not at all"
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
    """Exit code, text and tries; what prints the answer whole may have tried again."""
    fault = case.fault
    code, text, tries = fault.code, fault.text, fault.tries
    if not case.streams:
        code = code if fault.chat_code is None else fault.chat_code
        text = text if fault.chat_text is None else fault.chat_text
        tries = tries if fault.chat_tries is None else fault.chat_tries
    return code, text, tries


def expected_stdout(text: str) -> bytes:
    """The text with the one newline that stdout gets if it has none (DESIGN §7)."""
    return text.encode() + (b"" if not text or text.endswith("\n") else b"\n")


def check_words(ran: RunResult, longest: int, reasoning: str | None) -> None:
    """Lines of ours and the reasoning, not long, no page and no traceback; no failure is silent."""
    assert "Traceback" not in ran.stderr
    assert "<" not in ran.stderr
    assert len(ran.stderr) < 2 * longest, "a server's words are cut"
    for line in ran.stderr.splitlines():
        assert line.startswith("easyllm: ") or line == reasoning
        assert len(line) < longest
    assert ran.stderr or not ran.code, "a failure in silence"
