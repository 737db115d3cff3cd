"""The faults of docs/faults.md, in groups: most are rows of tests/support/faults."""

from __future__ import annotations

import zlib
from dataclasses import replace

from benchmarks.faults import files, manners, told
from benchmarks.faults.cases import CHAT, Case, Group, from_table
from tests.support.faults.fault import Endless
from tests.support.faults.spelling import answer, good, keep_alive, started
from tests.support.standins.script import DONE, Script, Step, Wait, chunk, compact

TEXT, CAME = "Hello world", "Hello wor"
MIB = 1 << 20
PATIENCE = 3  # seconds
BUSY = {"message": "Rate limit reached.", "type": "requests", "param": None,
        "code": "rate_limit_exceeded"}  # fmt: skip
BEGUN = (answer(CHAT, *started(CHAT)),)  # and then a clean end
FOREVER = (keep_alive(CHAT), Wait(0.25)) * 100
LINES = tuple(f"line {number} {'x' * 4000}\n" for number in range(40))


def busy_for_a_second() -> Script:
    body = compact({"error": BUSY})
    return Script(body, status=429, headers={"Retry-After": "1"}, content_type="application/json")


def moved(name: str, title: str) -> Case:
    """A redirect; the other host answers whoever sends the question on."""
    case = from_table(name, title, tells=told.sent_on)
    return replace(case, text=TEXT, whole=True)


def bomb() -> Script:
    """256 MiB of comment, 250 KB on the wire, before a good answer."""
    packed = zlib.compressobj(9, wbits=31)
    pieces = [packed.compress(b":" + b" " * (MIB - 1)) for _ in range(256)]
    end = packed.compress(b"\n\n" + chunk(TEXT) + chunk(finish="stop") + DONE)
    body = b"".join([*pieces, end, packed.flush()])
    return Script(body, headers={"Content-Encoding": "gzip"})


def long_line() -> Script:
    """One frame of 64 MiB that is never whole; the pieces are one object."""
    steps: tuple[Step, ...] = (b"x" * MIB,) * 64
    return answer(CHAT, *started(CHAT), b'data: {"choices": "', *steps)


def null_choices() -> Script:
    return answer(CHAT, chunk("Hello "), chunk(choices=None), chunk("world"), CHAT.wire.end)


def endless() -> Script:
    """64 KiB a piece; no two in a row are the same, which some tools take for a loop."""
    return Endless(chunk("x" * 65536), chunk("y" * 65536))


def slow_lines() -> Script:
    """Forty lines of 4 KB, twenty in a second."""
    steps = [step for line in LINES for step in (chunk(line), Wait(0.05))]
    return answer(CHAT, *steps, CHAT.wire.end)


def escapes() -> Script:
    pieces = [chunk(f"a {code} b ") for code in told.ESCAPES.values()]
    return answer(CHAT, *pieces, CHAT.wire.end)


CUT = (
    Case("good", "a good answer, to compare with", (good(CHAT),), TEXT, True),
    from_table(
        "no-end-marker", "the stream ends cleanly, half said: no `finish_reason`, no `[DONE]`"
    ),
    from_table("cut-chunk", "the connection is cut in mid-answer"),
    from_table("promise_34-reset", "it is torn down (RST)"),
    from_table("bad-frame", "a frame in mid-answer is no JSON"),
    from_table("error-after-text", '`data: {"error": …}` in mid-answer'),
    from_table("event-error", "`event: error` in mid-answer"),
    from_table("length-unasked", "cut at the model's limit (`finish_reason: length`)"),
    from_table("page", "status 200 and a web page"),
    from_table("empty-body", "status 200 and nothing"),
)
ODD = (
    from_table("no-done-line", "only `[DONE]` is missing"),
    from_table("bad-utf-8", "a byte that is not UTF-8"),
    Case("choices-null", "a chunk with `choices: null`", (null_choices(),), TEXT, True),
)
REFUSED = (
    from_table("quota", "429 `insufficient_quota`: to ask again is no use"),
    Case("retry-after-1", "429 with `Retry-After: 1`, then a good answer",
         (busy_for_a_second(), good(CHAT)), TEXT, True),
    from_table("retry-after-3600", "429 with `Retry-After: 3600`", tells=told.how_long),
    from_table("page-502", "502 and a web page", tells=told.page),
    moved("redirect-307", "307 to another host"),
    moved("redirect-301", "301 to another host"),
)  # fmt: skip
LIMITS = (
    from_table("text-then-keep-alive", "a token, then only comments", seconds=PATIENCE),
    Case("long-line", "a line of 64 MiB", (long_line(),), CAME),
    Case("bomb", "a gzip bomb: 256 MiB in 250 KB, then a good answer", (bomb(),), TEXT, True),
    Case("endless", "an answer that never ends", (endless(),), "x" * 65536,
         manner=manners.flooded),
)  # fmt: skip
PROCESS = (
    Case("head", "`… | head -1` while a long answer comes", (slow_lines(),),
         manner=manners.into_head),
    Case("ctrl-c", "Ctrl-C in mid-answer", (answer(CHAT, *started(CHAT), Wait(30)),), CAME,
         manner=manners.interrupted),
    Case("full-disk", "`… > /dev/full`", (good(CHAT),), manner=manners.onto_a_full_disk),
    Case("no-stdin", "`… <&-`: stdin is closed", (good(CHAT),), TEXT, True,
         manner=manners.without_stdin),
)  # fmt: skip
FILES = (
    Case("escapes", "the answer holds terminal escapes, on a terminal", (escapes(),),
         manner=manners.on_a_terminal, tells=told.obeyed),
    Case("asked-again", "the same question again, after an answer that was cut",
         (*BEGUN, good(CHAT)), TEXT, True, manner=manners.asked_again),
    Case("damaged-keys", "the file of keys is damaged, then a key is stored", (good(CHAT),),
         manner=files.damaged_keys),
    Case("modes", "who may read the kept keys, questions and answers, under umask 022", BEGUN, CAME,
         manner=files.readable_by_others),
)  # fmt: skip
GROUPS = (
    Group("Answers that are not whole", "The server breaks off, or says something else.", CUT),
    Group("Answers that are odd, but whole", "All of it comes, with something unusual.", ODD),
    Group("Refusals, waits and redirects", "", REFUSED),
    Group("Limits", f"In the first row every tool that knows a timeout has one of {PATIENCE} s.",
          LIMITS),
    Group("The process", "", PROCESS),
    Group("The terminal and the disk", "", FILES),
)  # fmt: skip
