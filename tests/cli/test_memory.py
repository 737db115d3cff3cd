"""What a server can make the command hold: its peak grows by less than 50 MB, whatever comes.

Against the peak of the same command on a short good answer (promises 44, 45; FAULTS §4, 25, 26).
"""

import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from easyllm_cli.events import MAX_TEXT_BYTES
from easyllm_cli.transport.framing import MAX_BODY_BYTES, MAX_STREAM_LINE_BYTES
from tests.support.adapters import HTTP_ADAPTERS, SDK_ADAPTERS, Adapter
from tests.support.binary import Easyllm, RunResult, single_profile_toml, wait_until
from tests.support.peak import run_with_peak_memory
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import chunk, script_handler, sse
from tests.support.standins.server import Handler, StandIn

GROWTH = 50_000_000  # bytes, FAULTS §7
PIECE = b"x" * (1 << 16)
HUGE = 64 << 20
OPENAI, OLLAMA = HTTP_ADAPTERS[0], HTTP_ADAPTERS[2]
JSON = "application/json"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

Asked = tuple[RunResult, int, list[Request]]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Adapter], int]:
    """The peak of a short good answer; of the model list, that of an answer, which is less."""

    @cache
    def peak(adapter: Adapter) -> int:
        easyllm = Easyllm(tmp_path_factory.mktemp("usual"))
        handler = script_handler(adapter.script("ok"))
        ran, used, _ = asked(easyllm, adapter, handler, "stream", "hi")
        assert (ran.code, ran.stdout) == (0, b"ok\n")
        return used

    return peak


def asked(easyllm: Easyllm, adapter: Adapter, handler: Handler, *args: str) -> Asked:
    """One run without retries: what came, its peak, the requests."""
    with StandIn(handler) as server:
        keys = {"model": adapter.model, "api": adapter.api, "transport": adapter.transport}
        profiles = single_profile_toml(server, adapter.provider, max_retries=0, **keys)
        ran, peak = run_with_peak_memory(easyllm, *args, profiles=profiles, timeout=60)
        wait_until(lambda: not server.connections)
        return ran, peak, server.requests


def sending(
    *first: bytes,
    again: bytes = b"",
    pieces: int | None = None,
    step: int = 0,
    **head: Any,
) -> Handler:
    """An answer that begins with some bytes and goes on with one piece, again and again.

    `pieces`: how often (None = without an end); `step`: bytes in each chunk on the wire.
    """
    known = {"content_type": "text/event-stream", "chunked": True, **head}

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(**known)
        for data in first:
            for start in range(0, len(data), step or len(data)):
                await reply.write(data[start : start + (step or len(data))])
        left = pieces
        while again and left != 0:
            await reply.write(again)
            left = None if left is None else left - 1

    return handler


def raw(*first: bytes, again: bytes = b"", times: int | None = None) -> Handler:
    """The same without any framing of the stand-in's."""

    async def handler(request: Request, reply: Reply) -> None:
        for data in first:
            await reply.raw(data)
        left = times
        while again and left != 0:
            await reply.raw(again)
            left = None if left is None else left - 1

    return handler


def line_of(adapter: Adapter) -> Handler:
    """64 MiB of one line; the beginning is an answer's."""
    beginning = adapter.wire.text("x").partition(b"x")[0]
    return sending(
        beginning, again=PIECE, pieces=HUGE // len(PIECE), content_type=adapter.wire.content_type
    )


SOME = (*HTTP_ADAPTERS, SDK_ADAPTERS[0])  # the others' SDK is the same one
EVERY = [(one, "stream") for one in SOME] + [(OPENAI, "chat")]


@pytest.mark.parametrize(("adapter", "command"), EVERY, ids=lambda one: getattr(one, "id", one))
def test_fault_44_one_endless_line(
    easyllm: Easyllm, usual: Callable[[Adapter], int], adapter: Adapter, command: str
) -> None:
    ran, peak, requests = asked(easyllm, adapter, line_of(adapter), command, "hi")
    assert (ran.code, ran.stdout, len(requests)) == (7, b"", 1)
    assert f"a line longer than {MAX_STREAM_LINE_BYTES >> 20} MiB" in ran.error_line
    assert peak - usual(adapter) < GROWTH


@cache
def bomb() -> bytes:
    """256 MiB of zeros as 1 MB of gzip."""
    packer = zlib.compressobj(1, wbits=31)
    zeros = bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(256)) + packer.flush()


PACKED = {"Content-Encoding": "gzip"}
BOMBS: dict[str, tuple[Callable[[], Handler], int, str]] = {
    "one-chunk": (lambda: sending(bomb(), headers=PACKED), 7, "sent gzip, but easyllm does not"),
    "small-chunks": (
        lambda: sending(bomb(), step=1000, headers=PACKED), 7, "sent gzip, but easyllm does not"
    ),
    "deflate": (
        lambda: sending(bomb(), headers={"Content-Encoding": "deflate"}), 7, "sent deflate"
    ),
    "in-a-list": (
        lambda: sending(bomb(), headers={"Content-Encoding": "identity, GZip"}), 7, "GZip, but"
    ),
    "not-declared": (lambda: sending(bomb()), 7, "empty answer"),
    "plain-and-not-declared": (lambda: sending(bomb(), content_type=JSON), 7, "empty answer"),
    "transfer-encoding": (
        lambda: raw(HEAD, b"Transfer-Encoding: gzip, chunked\r\n\r\n", bomb()), 6, ""
    ),
    "an-error": (
        lambda: sending(bomb(), status=400, headers=PACKED), 4, "sent no error message"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_fault_45_nothing_is_unpacked(
    easyllm: Easyllm, usual: Callable[[Adapter], int], name: str
) -> None:
    """256 MiB in 1 MB on the wire; bytes that are packed are refused, or are no JSON."""
    made, code, words = BOMBS[name]
    assert len(bomb()) < 1.2e6
    ran, peak, requests = asked(easyllm, OPENAI, made(), "chat", "hi")
    assert (ran.code, ran.stdout, len(requests)) == (code, b"", 1), ran.stderr
    assert requests[0].headers["accept-encoding"] == "identity"
    assert words in ran.error_line
    assert ran.error_line.isprintable()
    assert peak - usual(OPENAI) < GROWTH


@pytest.mark.parametrize("adapter", SOME[1:], ids=lambda one: one.id)
def test_fault_45_over_every_protocol(
    easyllm: Easyllm, usual: Callable[[Adapter], int], adapter: Adapter
) -> None:
    packed = sending(bomb(), headers=PACKED, content_type=adapter.wire.content_type)
    ran, peak, _ = asked(easyllm, adapter, packed, "stream", "hi")
    assert (ran.code, ran.stdout) == (7, b"")
    assert "sent gzip, but easyllm does not" in ran.error_line
    assert peak - usual(adapter) < GROWTH


BODY = b'{"choices":[{"message":{"content":"'
TOO_LONG = f"body is longer than {MAX_BODY_BYTES >> 20} MiB"
# What is sent, what is asked, the exit code, the words.
ENDLESS: dict[str, tuple[Handler, tuple[str, ...], int, str]] = {
    "plain-body": (sending(BODY, again=PIECE, content_type=JSON), ("--no-stream",), 7, TOO_LONG),
    "json-for-a-stream": (sending(BODY, again=PIECE, content_type=JSON), (), 7, TOO_LONG),
    "error-400": (sending(again=PIECE, status=400, content_type=JSON), (), 4, "HTTP 400"),
    "error-503": (sending(again=PIECE, status=503, content_type=JSON), (), 5, "HTTP 503"),
    "error-page": (sending(b"<html>", again=PIECE, status=502), (), 5, "a web page"),
    "redirect": (
        sending(again=PIECE, status=307, headers={"Location": "http://127.0.0.2/"}),
        (), 4, "redirects",
    ),
    "one-header": (raw(HEAD, b"X-A: ", again=PIECE), (), 6, "headers"),
    "many-headers": (raw(HEAD, again=b"X-A: b\r\n" * 1000), (), 6, "headers"),
    "chunk-extension": (
        raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\n5;a=", again=PIECE), (), 6, "headers"
    ),
    "heads-of-100": (
        raw(again=b"HTTP/1.1 100 Continue\r\n\r\n" * 100), ("--timeout", "1.5"), 6, "--timeout"
    ),
    "comments": (sending(again=b": ping\n\n" * 1000), ("--timeout", "1.5"), 6, "--timeout"),
    "blank-lines": (sending(again=b"\r\n" * 5000), ("--timeout", "1.5"), 6, "--timeout"),
    "byte-order-marks": (sending(again=b"\xef\xbb\xbf" * 20_000), (), 7, "a line longer"),
    "empty-deltas": (sending(again=chunk("") * 50), ("--timeout", "1.5"), 6, "--timeout"),
    "a-frame-of-empty-lines": (sending(again=b"data:\n" * 10_000), (), 7, "a frame longer"),
    "a-frame-of-short-lines": (sending(again=b"data:xy\n" * 8_000), (), 7, "a frame longer"),
    "a-refusal": (
        sending(again=sse({"choices": [{"index": 0, "delta": {"refusal": "no " * 500}}]}) * 20),
        (), 4, "refused",
    ),
    "text": (sending(again=chunk("word " * 20) * 20), ("--max-output-bytes", "1000000"), 7, "long"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_fault_44_and_46_nothing_without_an_end_is_held(
    easyllm: Easyllm, usual: Callable[[Adapter], int], name: str
) -> None:
    handler, args, code, words = ENDLESS[name]
    ran, peak, requests = asked(easyllm, OPENAI, handler, "chat", *args, "hi")
    assert (ran.code, ran.stdout, len(requests)) == (code, b"", 1), ran.stderr
    assert words in ran.error_line
    assert len(ran.error_line) < 700
    assert peak - usual(OPENAI) < GROWTH


@pytest.mark.parametrize("adapter", [OPENAI, OLLAMA], ids=lambda one: one.id)
def test_fault_44_a_model_list_without_an_end(
    easyllm: Easyllm, usual: Callable[[Adapter], int], adapter: Adapter
) -> None:
    endless = sending(b'{"data":[{"id":"', again=PIECE, content_type=JSON)
    ran, peak, _ = asked(easyllm, adapter, endless, "models")
    assert (ran.code, ran.stdout) == (7, b"")
    assert TOO_LONG in ran.error_line
    assert peak - usual(adapter) < GROWTH


@pytest.mark.parametrize("args", [("stream",), ("chat",), ("chat", "--json")], ids=" ".join)
def test_fault_46_an_answer_without_an_end(
    easyllm: Easyllm, usual: Callable[[Adapter], int], args: tuple[str, ...]
) -> None:
    """It ends by itself, whatever was asked for, and none of what came is lost."""
    endless = sending(again=chunk("word " * 400) * 20)
    ran, peak, requests = asked(easyllm, OPENAI, endless, *args, "hi")
    assert (ran.code, len(requests)) == (7, 1)
    assert f"longer than {MAX_TEXT_BYTES} bytes" in ran.error_line
    kept = ran.json["text"] if "--json" in args else ran.stdout
    if args == ("chat",):
        (file,) = easyllm.partials()
        kept = file.read_bytes()
    assert MAX_TEXT_BYTES - 2000 <= len(kept) <= MAX_TEXT_BYTES + 1
    assert peak - usual(OPENAI) < GROWTH
