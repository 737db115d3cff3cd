"""Every way an answer ends, through `chat` and `stream` into a pipe: code, bytes, tries."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.binary import Easyllm, Ran, at_once, only, said
from tests.standins.script import (
    DONE,
    Cut,
    Json,
    Reset,
    Script,
    Step,
    chunk,
    compact,
    scripted,
    sse,
)
from tests.standins.server import StandIn

TRIES = 3  # max_retries = 2 in every profile here
KEEP_ALIVE = b": keep-alive\n\n"
PAGE = b"<!DOCTYPE html><html><title>Log in</title><body>Wi-Fi</body></html>"
HELLO = (chunk("Hello "), chunk("wor"))


@dataclass
class Case:
    """One ending. `tries` of `chat`, and of `stream` where they differ; `out` of `stream`."""

    name: str
    scripts: tuple[Script, ...]
    code: int
    tries: int = 1
    stream_tries: int | None = None
    out: str = ""
    says: str = ""
    args: tuple[str, ...] = ()
    keys: dict[str, Any] = field(default_factory=dict)


def status(code: int, error: Json | str | list[Json], **headers: str) -> Script:
    """A refusal in JSON."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = compact({"error": error} if isinstance(error, dict) else error)
    return Script(body, status=code, headers=names, content_type="application/json")


def words(message: str, code: str | None = None) -> Json:
    """OpenAI's error object."""
    return {"message": message, "type": "some_error", "param": None, "code": code}


def page(code: int) -> Script:
    return Script(PAGE, status=code, content_type="text/html")


def frame(error: Json, *before: bytes) -> Script:
    """The provider's own error inside a stream that began with 200."""
    return Script(*before, sse({"error": error}))


def cut(*steps: Step) -> Script:
    return Script(*steps, Cut())


OK = said("Hello ", "world")
GOOD = [
    Case("whole", (OK,), 0, out="Hello world\n"),
    Case("no [DONE]", (said("Hello ", "world", then=()),), 0, out="Hello world\n"),
    Case("a newline at the end", (said("Hello\n"),), 0, out="Hello\n"),
    Case("dropped, then good", (cut(), OK), 0, tries=2, out="Hello world\n", says="try 2"),
    Case("busy, then good", (status(503, words("full")), OK), 0, tries=2, out="Hello world\n"),
    Case("bad UTF-8", (Script(chunk("a?b").replace(b"?", b"\xff"), chunk(finish="stop"), DONE),), 0,
         out="a\ufffdb\n", says="not UTF-8"),
    Case("length that was asked for", (said("Hello", finish="length"),), 0, out="Hello\n",
         says="length", args=("--max-tokens", "5")),
]  # fmt: skip
KEY = [
    Case("401", (status(401, words("Incorrect API key provided")),), 3, says="HTTP 401"),
    Case("403", (status(403, words("no access")),), 3),
    Case("402", (status(402, words("Insufficient credits")),), 3),
    Case("quota", (status(429, words("You exceeded your quota", "insufficient_quota")),), 3),
    Case("key error frame", (frame({"message": "No auth", "code": 401}),), 3),
]
REFUSED = [
    Case("400", (status(400, words("bad thing")),), 4, says="bad thing"),
    Case("404", (status(404, words("no such model")),), 4),
    Case("413", (status(413, words("too large")),), 4),
    Case("422 with a list", (status(422, [{"loc": ["body", "model"], "msg": "required"}]),), 4),
    Case("too long", (status(400, words("maximum context length is 8")),),
         4),
    Case("redirect", (Script(status=307, headers={"Location": "http://127.0.0.2/v1"}),), 4,
         says="127.0.0.2"),
    Case("takes no images", (status(500, words("image input is not supported - mmproj")),), 4),
    Case("refusal field", (Script(chunk(choices=[{"delta": {"refusal": "I won't."}}]),
                                   chunk(finish="stop"), DONE),), 4, says="I won't."),
    Case("filter without text", (said(finish="content_filter"),), 4, says="filter"),
    Case("refusing error frame", (frame({"message": "bad", "code": 400}),), 4),
]  # fmt: skip
BUSY = [
    Case("500", (status(500, words("oops")),), 5, tries=TRIES, says="oops"),
    Case("529", (status(529, words("overloaded")),), 5, tries=TRIES),
    Case("429", (status(429, words("slow down")),), 5, tries=TRIES),
    Case("408", (status(408, words("late")),), 5, tries=TRIES),
    Case("502 page", (page(502),), 5, tries=TRIES, says="Log in"),
    Case("wait too long", (status(429, words("slow"), retry_after="3600"),), 5, says="3600 s"),
    Case("told not to retry", (status(500, words("no"), x_should_retry="false"),), 5),
    Case("error frame", (frame({"message": "overloaded", "code": 503}),), 5, tries=TRIES),
    Case("error frame, no code", (frame({"message": "something"}),), 5, tries=TRIES),
    Case("event: error", (Script(sse({"message": "x", "code": 500}, "error")),), 5, tries=TRIES),
    Case("error after text", (frame({"message": "overloaded", "code": 503}, *HELLO),), 5,
         out="Hello wor\n", says="overloaded"),
    Case("finish error after text", (said("Hello", finish="error"),), 5, out="Hello\n"),
]  # fmt: skip
NETWORK = [
    Case("dropped", (cut(),), 6, tries=TRIES),
    Case("reset", (Script(Reset()),), 6, tries=TRIES),
    Case("cut before text", (cut(KEEP_ALIVE, chunk("")),), 6, tries=TRIES),
    Case("reset before text", (Script(chunk(""), Reset()),), 6, tries=TRIES),
]
EMPTY = [
    Case("page", (page(200),), 7, says="/v1"),
    Case("page called a stream", (Script(PAGE),), 7, says="/v1"),
    Case("empty body", (Script(),), 7),
    Case("only comments", (Script(KEEP_ALIVE * 3),), 7),
    Case("empty answer", (said(),), 7),
    Case("white space", (said("\n "),), 7, out="\n \n"),
    Case("bad JSON body", (Script(b'{"choices": [', content_type="application/json"),), 7),
    Case("bad JSON frame", (Script(b"data: {oops\n\n", chunk("x"), DONE),), 7),
    Case("no object", (Script(b"data: 17\n\n", DONE),), 7),
    Case("only reasoning", (said(reasoning="Hm"),), 7, says="--max-tokens"),
    Case("reasoning used all", (said(reasoning="Hm", finish="length"),), 7, says="--max-tokens",
         args=("--max-tokens", "9")),
    Case("tool call", (said(finish="tool_calls"),), 7, says="tool"),
]  # fmt: skip
PARTLY = [
    Case("no end marker", (Script(*HELLO),), 7, tries=2, stream_tries=1, out="Hello wor\n",
         says="incomplete"),
    Case("cut", (cut(*HELLO),), 7, tries=2, stream_tries=1, out="Hello wor\n"),
    Case("reset", (Script(*HELLO, Reset()),), 7, tries=2, stream_tries=1, out="Hello wor\n"),
    Case("cut inside a frame", (cut(*HELLO, chunk("ld")[:20]),), 7, tries=2, stream_tries=1,
         out="Hello wor\n"),
    Case("reasoning, then cut", (cut(chunk(reasoning="Hm")),), 7, tries=2),
    Case("cut once, then good", (cut(*HELLO), OK), 0, tries=2, out="Hello world\n"),
    Case("bad frame after text", (Script(*HELLO, b"data: {oops\n\n", DONE),), 7, out="Hello wor\n"),
    Case("length", (said("Hello", finish="length"),), 7, out="Hello\n", says="--max-tokens"),
    Case("strict length", (said("Hello", finish="length"),), 7, out="Hello\n",
         args=("--max-tokens", "5", "--strict")),
    Case("filter", (said("Hello", finish="content_filter"),), 7, out="Hello\n", says="filter"),
    Case("tool call with text", (said("Hello", finish="tool_calls"),), 7, out="Hello\n"),
]  # fmt: skip
# `stream` has shown text when the cut comes: no second try, so it ends with 7 there.
STREAM_FAILS = {"cut once, then good"}


def asked(easyllm: Easyllm, command: str, case: Case) -> tuple[Ran, int]:
    """One run against a server of its own; what came, and how often the server was asked."""
    with StandIn(scripted(*case.scripts)) as server:
        profiles = only(server, max_retries=TRIES - 1, **case.keys)
        ran = easyllm.fresh().run(command, *case.args, "hi", profiles=profiles)
        return ran, sum(one.method == "POST" for one in server.requests)


def complained(ran: Ran, case: Case) -> None:
    """Good runs may say something, failures end with their one line."""
    assert "Traceback" not in ran.err
    assert case.says in ran.err
    assert len(ran.err) < 1200, "a server's words are cut"
    assert "<" not in ran.err
    for line in ran.err.splitlines():
        assert line.startswith("easyllm: ")
    assert ran.err or not ran.code, "a failure in silence"


@pytest.mark.parametrize(
    "case",
    [*GOOD, *KEY, *REFUSED, *BUSY, *NETWORK, *EMPTY, *PARTLY],
    ids=lambda case: f"{case.code}-{case.name}",
)
def test_ending(easyllm: Easyllm, case: Case) -> None:
    (chat, tries), (stream, stream_tries) = at_once(
        lambda: asked(easyllm, "chat", case), lambda: asked(easyllm, "stream", case)
    )
    complained(chat, case)
    assert chat.code == case.code, chat.err
    assert chat.out.decode() == (case.out if case.code == 0 else ""), "whole or not at all"
    assert tries == case.tries, chat.err

    if case.name in STREAM_FAILS:
        assert (stream.code, stream.out, stream_tries) == (7, b"Hello wor\n", 1)
        return
    complained(stream, case)
    assert stream.code == case.code, stream.err
    assert stream.out.decode() == case.out
    assert stream_tries == (case.tries if case.stream_tries is None else case.stream_tries)
