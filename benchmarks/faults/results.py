"""Judges a run: how it ended, what it printed, and whether it failed silently."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.faults.cases import CHAT, Case
from benchmarks.faults.invocation import Outcome, Scene
from benchmarks.faults.runs import ProcessResult, is_kept, squeezed
from benchmarks.faults.tools import Tool
from benchmarks.installs import Venv
from tests.support.faults.fault import REDIRECT_URL
from tests.support.faults.running import answer_handler
from tests.support.faults.spelling import good
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.server import StandIn


@dataclass(frozen=True)
class Result:
    """One cell of the page.

    `ended`: exit code, exception, "hang". `text`: whole, all, more, part, other, file or none.
    `silent`: exit code 0 (for a library: no exception) and the answer is missing or wrong.
    """

    ended: str
    text: str
    requests: int
    mebibytes: float
    silent: bool
    facts: tuple[str, ...]
    bad: bool


def result(case: Case, tool: Tool, venv: Venv) -> Result:
    """Run the tool against the fault, with a home and a server of its own."""
    with _home() as home, ExitStack() as servers:
        other = None
        # Copies, because a redirect's script is changed during the run.
        scripts = tuple(copy(script) for script in case.scripts)
        headers = [value for one in scripts for value in (one.headers or {}).values()]
        if any(REDIRECT_URL in value for value in headers):
            other = servers.enter_context(StandIn(_other_host, host="127.0.0.2"))
        handler = answer_handler(scripts, other.url if other else "")
        server = servers.enter_context(StandIn(handler))
        call = tool.call(venv, server.url + case.adapter.base, home, case.seconds)
        scene = Scene(tool, call, server, other)
        outcome = _without_banner(case.invoke(scene), tool)
        facts, bad = case.find_facts(outcome.ended, scene)
        return Result(
            _end(outcome.ended, tool),
            _text(case, outcome.ended, home) if case.text or outcome.judged else "none",
            len(server.requests),
            round(outcome.ended.mebibytes, 1),
            outcome.judged and is_silent(case, outcome.ended),
            outcome.facts + facts,
            outcome.bad or bad,
        )


def _without_banner(outcome: Outcome, tool: Tool) -> Outcome:
    first, _, rest = outcome.ended.out.partition(b"\n")
    if not tool.banner or not first.startswith(tool.banner.encode()):
        return outcome
    return replace(outcome, ended=replace(outcome.ended, out=rest))


@contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="fault-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _other_host(request: Request, reply: Reply) -> None:
    """Answer a question that was forwarded, and nothing else."""
    if request.method == "POST":
        await good(CHAT).play(reply)
    else:
        await reply.json({"error": {"message": "POST only"}}, 405)


def is_silent(case: Case, ended: ProcessResult) -> bool:
    """Whether it reports success although the answer is missing or wrong."""
    if ended.code != 0:
        return False
    return not case.whole or squeezed(ended.out) != squeezed(case.text)


def _end(ended: ProcessResult, tool: Tool) -> str:
    if ended.code is None:
        return "hang"
    if tool.library and ended.exception_name:
        return ended.exception_name
    return str(ended.code)


def _text(case: Case, ended: ProcessResult, home: Path) -> str:
    """How much of the answer is on stdout or, if nothing is, whether the tool saved it."""
    shown, sent = squeezed(ended.out), squeezed(case.text)
    if not shown:
        return "file" if sent and is_kept(home, case.text.encode()) else "none"
    if shown == sent:
        return "whole" if case.whole else "all"
    if sent.startswith(shown):
        return "part"
    return "more" if sent and shown.startswith(sent) else "other"
