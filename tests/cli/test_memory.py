"""Hostile responses raise the command's peak memory by less than 50 MB (FAULT-44 to FAULT-46).

The peak is compared with that of a short good answer to the same command.
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
from tests.support.peak import run_with_peak_memory, usual_peak
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import chunk, sse
from tests.support.standins.server import Handler, StandIn

GROWTH = 50_000_000  # bytes
PIECE = b"x" * (1 << 16)
HUGE = 64 << 20
OPENAI, OLLAMA = HTTP_ADAPTERS[0], HTTP_ADAPTERS[2]
JSON = "application/json"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

Measured = tuple[RunResult, int, list[Request]]


def run_measured(easyllm: Easyllm, adapter: Adapter, handler: Handler, *args: str) -> Measured:
    """Run once without retries; return the result, its peak memory in bytes and the requests."""
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
    """Handler that sends `first` and then `again` repeatedly.

    `pieces`: how often (None: endlessly); `step`: bytes in each chunk on the wire (0: all).
    """
    known = {"content_type": "text/event-stream", "chunked": True, **head}

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(**known)
        for data in first:
            for start in range(0, len(data), step or len(data)):
                await reply.write(data[start : start + (step or len(data))])
        remaining = pieces
        while again and remaining != 0:
            await reply.write(again)
            remaining = None if remaining is None else remaining - 1

    return handler


def raw(*first: bytes, again: bytes = b"", times: int | None = None) -> Handler:
    """Handler like `sending`, without the stand-in's HTTP framing."""

    async def handler(request: Request, reply: Reply) -> None:
        for data in first:
            await reply.raw(data)
        remaining = times
        while again and remaining != 0:
            await reply.raw(again)
            remaining = None if remaining is None else remaining - 1

    return handler


def one_long_line(adapter: Adapter) -> Handler:
    """Handler that sends one line of 64 MiB, which begins like an answer."""
    beginning = adapter.wire.text("x").partition(b"x")[0]
    return sending(
        beginning, again=PIECE, pieces=HUGE // len(PIECE), content_type=adapter.wire.content_type
    )


SOME = (*HTTP_ADAPTERS, SDK_ADAPTERS[0])  # the other SDK adapters use the same SDK
EVERY = [(adapter, "stream") for adapter in SOME] + [(OPENAI, "chat")]


@pytest.mark.parametrize(
    ("adapter", "command"), EVERY, ids=lambda value: getattr(value, "id", value)
)
def test_fault_44_one_endless_line(easyllm: Easyllm, adapter: Adapter, command: str) -> None:
    ran, peak, requests = run_measured(easyllm, adapter, one_long_line(adapter), command, "hi")
    assert (ran.code, ran.stdout, len(requests)) == (7, b"", 1)
    assert f"a line longer than {MAX_STREAM_LINE_BYTES >> 20} MiB" in ran.error_line
    assert peak - usual_peak(adapter) < GROWTH


@cache
def bomb() -> bytes:
    """96 MiB of zeros as 0.4 MB of gzip."""
    packer = zlib.compressobj(1, wbits=31)
    zeros = bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(96)) + packer.flush()


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
def test_fault_45_nothing_is_decompressed(easyllm: Easyllm, name: str) -> None:
    """Compressed bodies (96 MiB in 0.4 MB) are refused, or fail because they are not JSON."""
    make_handler, code, words = BOMBS[name]
    assert len(bomb()) < 0.45e6
    ran, peak, requests = run_measured(easyllm, OPENAI, make_handler(), "chat", "hi")
    assert (ran.code, ran.stdout, len(requests)) == (code, b"", 1), ran.stderr
    assert requests[0].headers["accept-encoding"] == "identity"
    assert words in ran.error_line
    assert ran.error_line.isprintable()
    assert peak - usual_peak(OPENAI) < GROWTH


@pytest.mark.parametrize("adapter", SOME[1:], ids=lambda adapter: adapter.id)
def test_fault_45_over_every_protocol(easyllm: Easyllm, adapter: Adapter) -> None:
    packed = sending(bomb(), headers=PACKED, content_type=adapter.wire.content_type)
    ran, peak, _ = run_measured(easyllm, adapter, packed, "stream", "hi")
    assert (ran.code, ran.stdout) == (7, b"")
    assert "sent gzip, but easyllm does not" in ran.error_line
    assert peak - usual_peak(adapter) < GROWTH


BODY = b'{"choices":[{"message":{"content":"'
TOO_LONG = f"body is longer than {MAX_BODY_BYTES >> 20} MiB"
# Handler, extra arguments, exit code, text of the error line.
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
    "a-refusal": (
        sending(again=sse({"choices": [{"index": 0, "delta": {"refusal": "no " * 500}}]}) * 20),
        (), 4, "refused",
    ),
    "text": (sending(again=chunk("word " * 20) * 20), ("--max-output-bytes", "1000000"), 7, "long"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_fault_44_and_46_endless_responses_are_not_held(easyllm: Easyllm, name: str) -> None:
    handler, args, code, words = ENDLESS[name]
    ran, peak, requests = run_measured(easyllm, OPENAI, handler, "chat", *args, "hi")
    assert (ran.code, ran.stdout, len(requests)) == (code, b"", 1), ran.stderr
    assert words in ran.error_line
    assert len(ran.error_line) < 700
    assert peak - usual_peak(OPENAI) < GROWTH


@pytest.mark.parametrize("adapter", [OPENAI, OLLAMA], ids=lambda adapter: adapter.id)
def test_fault_44_an_endless_model_list(easyllm: Easyllm, adapter: Adapter) -> None:
    endless = sending(b'{"data":[{"id":"', again=PIECE, content_type=JSON)
    ran, peak, _ = run_measured(easyllm, adapter, endless, "models")
    assert (ran.code, ran.stdout) == (7, b"")
    assert TOO_LONG in ran.error_line
    assert peak - usual_peak(adapter) < GROWTH


@pytest.mark.parametrize("args", [("stream",), ("chat",), ("chat", "--json")], ids=" ".join)
def test_fault_46_an_endless_answer(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    """The command ends by itself in every output mode, and no received text is lost."""
    endless = sending(again=chunk("word " * 400) * 20)
    ran, peak, requests = run_measured(easyllm, OPENAI, endless, *args, "hi")
    assert (ran.code, len(requests)) == (7, 1)
    assert f"longer than {MAX_TEXT_BYTES} bytes" in ran.error_line
    text = ran.json["text"] if "--json" in args else ran.stdout
    if args == ("chat",):
        (file,) = easyllm.partials()
        text = file.read_bytes()
    assert MAX_TEXT_BYTES - 2000 <= len(text) <= MAX_TEXT_BYTES + 1
    assert peak - usual_peak(OPENAI) < GROWTH
