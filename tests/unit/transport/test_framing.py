"""Bytes to frames: the same frames at any chunk boundary (docs/protocols.md, Frames)."""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.errors import MalformedAnswer
from easyllm_cli.transport.framing import (
    BODY_EVENT,
    NDJSON,
    Frame,
    Framing,
    LineSplitter,
    ServerSentEvents,
    WholeBody,
)

KINDS = [ServerSentEvents, NDJSON, WholeBody]
TOKENS = [
    b"\n", b"\r", b"\r\n", b"\n\n", b"data:", b"data: ", b"data", b"event: ping", b"event:", b":",
    b": keep-alive", b"id: 7", b"retry: 9", b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xbf", b"a", b" ",
    b'{"a": 1}', "\u2028".encode(), "\x85".encode(), "é€😀".encode(), b"\xff\xfe", b"\x00",
]  # fmt: skip
bodies = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=4), max_size=30).map(b"".join)


def frames(framing: Framing, pieces: Iterable[bytes]) -> list[Frame]:
    result = [frame for piece in pieces for frame in framing.feed(piece)]
    return result + framing.end()


def feed_all(framing: LineSplitter | Framing, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        framing.feed(piece)


def lines(pieces: Iterable[bytes]) -> list[bytes]:
    splitter = LineSplitter()
    result = [line for piece in pieces for line in splitter.feed(piece)]
    return [*result, splitter.end()]


def bytewise(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def sse(body: str | bytes) -> list[Frame]:
    """The frames of an event stream; asserts that they are the same when it comes byte by byte."""
    raw = body if isinstance(body, bytes) else body.encode()
    whole = frames(ServerSentEvents(), [raw])
    assert frames(ServerSentEvents(), bytewise(raw)) == whole
    return whole


@pytest.mark.parametrize("kind", KINDS)
@given(body=bodies, cuts=st.lists(st.integers(0, 120), max_size=8))
def test_any_split_gives_the_frames_of_one_piece(
    kind: Callable[[], Framing], body: bytes, cuts: list[int]
) -> None:
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(edges)]
    whole = frames(kind(), [body])
    assert frames(kind(), pieces) == whole
    assert frames(kind(), bytewise(body)) == whole
    assert frames(kind(), [b"", *pieces, b""]) == whole


@given(body=bodies)
def test_lines_equal_those_of_a_plain_split(body: bytes) -> None:
    unified = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert lines([body]) == unified.split(b"\n")
    assert lines(bytewise(body)) == unified.split(b"\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_break_ends_a_line(end: str) -> None:
    body = end.join(["data: one", "", "event: more", "data: two", "", ""])
    assert sse(body) == [Frame(b"one"), Frame(b"two", "more")]


def test_crlf_cut_in_two_makes_no_empty_line() -> None:
    assert lines([b"a\r", b"\nb"]) == [b"a", b"b"]
    assert lines([b"a\r", b"", b"\nb"]) == [b"a", b"b"]
    assert lines([b"a\r", b"b"]) == [b"a", b"b"]
    assert lines([b"a\r", b"\r\n", b"\nb"]) == [b"a", b"", b"", b"b"]


def test_byte_order_mark_is_dropped_at_the_beginning_only() -> None:
    mark = "\ufeff"
    assert sse(f"{mark}data: {mark}x\n\n") == [Frame(f"{mark}x".encode())]
    assert lines([b"\xef", b"\xbb", b"\xbfa"]) == [b"a"]
    assert lines([b"\xef", b"\xbb", b"a"]) == [b"\xef\xbba"]
    assert lines([b"\xef\nb"]) == [b"\xef", b"b"]


def test_u2028_and_u0085_are_no_line_breaks() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    assert sse(f"data: {text}\n\n") == [Frame(text.encode())]
    assert frames(NDJSON(), [f"{text}\n".encode()]) == [Frame(text.encode())]


def test_data_without_a_space_and_with_two() -> None:
    assert sse("data:x\n\ndata: x\n\ndata:  x\n\n") == [Frame(b"x"), Frame(b"x"), Frame(b" x")]


def test_data_of_several_lines_is_joined() -> None:
    assert sse("data: {\ndata:  1\ndata:\ndata: }\n\n") == [Frame(b"{\n 1\n\n}")]


def test_comments_and_unknown_fields_are_no_frames() -> None:
    assert sse(": OPENROUTER PROCESSING\n\n:\n\nid: 1\nretry: 5\nfoo: x\n\nevent: ping\n\n") == []


def test_event_name_belongs_to_one_frame() -> None:
    body = "event: ping\n\ndata: a\n\nevent:error\ndata: b\n\ndata: c\n\n"
    assert sse(body) == [Frame(b"a"), Frame(b"b", "error"), Frame(b"c")]


def test_last_frame_without_its_blank_line() -> None:
    assert sse("data: a\n\ndata: [DONE]") == [Frame(b"a"), Frame(b"[DONE]")]
    assert frames(NDJSON(), [b'{"a":1}\n{"b"', b":2}"]) == [Frame(b'{"a":1}'), Frame(b'{"b":2}')]


def test_utf8_cut_between_reads_is_whole_again() -> None:
    text = json.dumps({"text": "naïve 😀 日本"}, ensure_ascii=False)
    assert json.loads(sse(f"data: {text}\n\n")[0].data) == {"text": "naïve 😀 日本"}


def test_ndjson_drops_blank_lines() -> None:
    body = b'\n  \r\n{"a":1}\r\n\n\t\n{"b":2}'
    assert frames(NDJSON(), bytewise(body)) == [Frame(b'{"a":1}'), Frame(b'{"b":2}')]


@pytest.mark.parametrize("kind", [ServerSentEvents, NDJSON])
def test_a_line_of_four_megabytes_in_small_pieces_is_linear(kind: Callable[[], Framing]) -> None:
    line = b"data: " + b"x" * (1 << 22)
    pieces = [line[at : at + 64] for at in range(0, len(line), 64)]
    began = time.process_time()
    result = frames(kind(), [*pieces, b"\n\n"])
    assert time.process_time() - began < 3, "a quadratic splitter takes minutes"
    assert len(result) == 1
    assert result[0].data.endswith(b"x" * (1 << 22))


@pytest.mark.parametrize("kind", [LineSplitter, ServerSentEvents, NDJSON])
def test_a_line_up_to_the_cap_is_taken(kind: Callable[..., LineSplitter | Framing]) -> None:
    framing = kind(max_bytes=32)
    assert len(framing.feed(b"data: " + b"x" * 26 + b"\n\n")) >= 1
    assert len(framing.feed(b"data: " + b"x" * 26 + b"\n\n")) >= 1


@pytest.mark.parametrize("kind", [LineSplitter, ServerSentEvents, NDJSON])
@pytest.mark.parametrize("before", [b"", b"a\n", b"data: y\n\n"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_line_past_the_cap_is_refused_at_any_split(
    kind: Callable[..., LineSplitter | Framing], before: bytes, size: int
) -> None:
    framing = kind(max_bytes=32)
    body = before + b"data: " + b"x" * 60 + b"\n\n"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    with pytest.raises(MalformedAnswer, match="longer than"):
        feed_all(framing, pieces)


def test_a_line_without_an_end_is_refused_before_it_is_whole() -> None:
    framing = ServerSentEvents(max_bytes=1000)
    with pytest.raises(MalformedAnswer, match="line longer"):
        feed_all(framing, [b"x" * 100] * 12)


def test_a_frame_of_many_short_lines_has_a_cap_too() -> None:
    framing = ServerSentEvents(max_bytes=32)
    with pytest.raises(MalformedAnswer, match="frame longer"):
        feed_all(framing, [b"data: 12345678\n"] * 5)


def test_a_frame_of_lines_with_nothing_in_them_has_a_cap_too() -> None:
    framing = ServerSentEvents(max_bytes=32)
    assert frames(ServerSentEvents(max_bytes=32), [b"data:\n"] * 3 + [b"\n"]) == [Frame(b"\n\n")]
    with pytest.raises(MalformedAnswer, match="frame longer"):
        feed_all(framing, [b"data:\n"] * 40)


@pytest.mark.parametrize("kind", [ServerSentEvents, NDJSON, WholeBody])
def test_a_long_line_in_small_pieces_takes_no_more_than_its_bytes(
    kind: Callable[[], Framing],
) -> None:
    framing = kind()
    tracemalloc.start()
    try:
        for number in range(1 << 14):
            framing.feed(b"%04x" % number)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.5 * 4 * (1 << 14)


@pytest.mark.parametrize("line", [b"data:\n", b"data:xy\n"], ids=["empty", "short"])
def test_a_frame_of_such_lines_takes_little_more_than_its_cap(line: bytes) -> None:
    """A frame held as a list of its lines would take 8 to 50 bytes for each byte of the cap."""
    cap = 1 << 16
    framing = ServerSentEvents(max_bytes=cap)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedAnswer, match="frame longer"):
            feed_all(framing, [line * 1000] * (1 + cap // 1000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * cap


def test_whole_is_one_frame_and_has_a_cap() -> None:
    assert frames(WholeBody(), [b'{"a"', b": 1}"]) == [Frame(b'{"a": 1}', BODY_EVENT)]
    assert frames(WholeBody(), [b"", b" \n"]) == []
    framing = WholeBody(max_bytes=10)
    framing.feed(b"x" * 10)
    with pytest.raises(MalformedAnswer, match="body is longer"):
        framing.feed(b"x")
