"""The faults on docs/faults.md, in groups; most are rows of tests/support/faults."""

from __future__ import annotations

import zlib
from dataclasses import replace

from benchmarks.faults import facts, files, invocation
from benchmarks.faults.cases import CHAT, MESSAGES, Case, Group, from_table
from tests.support.faults.fault import Endless
from tests.support.faults.spelling import first_frames, good, keep_alive, steps_script
from tests.support.standins import anthropic
from tests.support.standins.script import DONE, Script, Step, Wait, chunk, compact

TEXT, CAME = "Hello world", "Hello wor"
MIB = 1 << 20
TIMEOUT_SECONDS = 3  # seconds
BUSY = {
    "message": "Rate limit reached.",
    "type": "requests",
    "param": None,
    "code": "rate_limit_exceeded",
}
BEGUN = (steps_script(CHAT, *first_frames(CHAT)),)  # then the body ends cleanly
FOREVER = (keep_alive(CHAT), Wait(0.25)) * 100
LINES = tuple(f"line {number} {'x' * 4000}\n" for number in range(40))


def busy_for_a_second() -> Script:
    body = compact({"error": BUSY})
    return Script(body, status=429, headers={"Retry-After": "1"}, content_type="application/json")


def moved(name: str, title: str) -> Case:
    """A redirect; the other host answers a tool that forwards the question."""
    case = from_table(name, title, find_facts=facts.sent_on)
    return replace(case, text=TEXT, whole=True)


def bomb() -> Script:
    """256 MiB of comment, compressed to 250 KB, before a good answer."""
    packed = zlib.compressobj(9, wbits=31)
    pieces = [packed.compress(b":" + b" " * (MIB - 1)) for _ in range(256)]
    end = packed.compress(b"\n\n" + chunk(TEXT) + chunk(finish="stop") + DONE)
    body = b"".join([*pieces, end, packed.flush()])
    return Script(body, headers={"Content-Encoding": "gzip"})


def long_line() -> Script:
    """One frame of 64 MiB that never ends; all steps share one bytes object."""
    steps: tuple[Step, ...] = (b"x" * MIB,) * 64
    return steps_script(CHAT, *first_frames(CHAT), b'data: {"choices": "', *steps)


def null_choices() -> Script:
    return steps_script(CHAT, chunk("Hello "), chunk(choices=None), chunk("world"), CHAT.wire.end)


def endless() -> Script:
    """64 KiB per chunk; two neighbours differ, because some tools take equal chunks for a loop."""
    return Endless(chunk("x" * 65536), chunk("y" * 65536))


def slow_lines() -> Script:
    """Forty lines of 4 KB, twenty per second."""
    steps = [step for line in LINES for step in (chunk(line), Wait(0.05))]
    return steps_script(CHAT, *steps, CHAT.wire.end)


def escapes() -> Script:
    pieces = [chunk(f"a {code} b ") for code in facts.ESCAPES.values()]
    return steps_script(CHAT, *pieces, CHAT.wire.end)


CUT = (
    Case("good", "a good answer, for comparison", (good(CHAT),), TEXT, True),
    from_table(
        "no-end-marker",
        "the stream ends cleanly in the middle of the answer: no `finish_reason`, no `[DONE]`",
    ),
    from_table("cut-chunk", "the connection is closed in the middle of the answer"),
    from_table("fault_34-reset", "the connection is reset (RST)"),
    from_table("bad-frame", "a frame in the middle of the answer is not JSON"),
    from_table("error-after-text", '`data: {"error": …}` in the middle of the answer'),
    from_table("event-error", "`event: error` in the middle of the answer"),
    from_table("length-unasked", "cut at the model's limit (`finish_reason: length`)"),
    from_table("page", "status 200 and a web page"),
    from_table("empty-body", "status 200 and an empty body"),
)
MESSAGES_CUT = (
    Case("good", "a good answer, for comparison", (good(MESSAGES),), TEXT, True, adapter=MESSAGES),
    from_table(
        "no-end-marker",
        "the stream ends cleanly in the middle of the answer",
        adapter=MESSAGES,
    ),
    Case(
        "no-message-stop",
        "only `message_stop` is missing",
        (steps_script(MESSAGES, *first_frames(MESSAGES), anthropic.message_delta("end_turn")),),
        CAME,
        adapter=MESSAGES,
    ),
    from_table(
        "cut-chunk", "the connection is closed in the middle of the answer", adapter=MESSAGES
    ),
    Case(
        "bad-frame",
        "a frame in the middle of the answer is not JSON",
        (
            steps_script(
                MESSAGES,
                *first_frames(MESSAGES),
                b"event: content_block_delta\ndata: {oops\n\n",
                MESSAGES.wire.end,
            ),
        ),
        CAME,
        adapter=MESSAGES,
    ),
    from_table("error-after-text", "`event: error` in the middle of the answer", adapter=MESSAGES),
    Case(
        "error-without-event",
        "the same error without its `event:` line",
        (
            steps_script(
                MESSAGES,
                *first_frames(MESSAGES),
                anthropic.error_event("overloaded_error", "Overloaded", ""),
            ),
        ),
        CAME,
        adapter=MESSAGES,
    ),
    from_table(
        "length-unasked",
        "cut at the model's limit (`stop_reason: max_tokens`)",
        adapter=MESSAGES,
    ),
    from_table("filter-after-text", "a refusal after text", adapter=MESSAGES),
    from_table("page", "status 200 and a web page", adapter=MESSAGES),
    from_table("empty-body", "status 200 and an empty body", adapter=MESSAGES),
    from_table("quota", "429 for a spend limit: a retry cannot help", adapter=MESSAGES),
    from_table(
        "text-then-keep-alive",
        "a token, then only comments",
        seconds=TIMEOUT_SECONDS,
        adapter=MESSAGES,
    ),
)
ODD = (
    from_table("no-done-line", "only `[DONE]` is missing"),
    from_table("bad-utf-8", "a byte that is not valid UTF-8"),
    Case("choices-null", "a chunk with `choices: null`", (null_choices(),), TEXT, True),
)
REFUSED = (
    from_table("quota", "429 `insufficient_quota`: a retry cannot help"),
    Case(
        "retry-after-1",
        "429 with `Retry-After: 1`, then a good answer",
        (busy_for_a_second(), good(CHAT)),
        TEXT,
        True,
    ),
    from_table("retry-after-3600", "429 with `Retry-After: 3600`", find_facts=facts.how_long),
    from_table("page-502", "502 and a web page", find_facts=facts.page),
    moved("redirect-307", "307 to another host"),
    moved("redirect-301", "301 to another host"),
)
LIMITS = (
    from_table("text-then-keep-alive", "a token, then only comments", seconds=TIMEOUT_SECONDS),
    Case("long-line", "a line of 64 MiB", (long_line(),), CAME),
    Case("bomb", "a gzip bomb: 256 MiB in 250 KB, then a good answer", (bomb(),), TEXT, True),
    Case(
        "endless", "an answer that never ends", (endless(),), "x" * 65536, invoke=invocation.flooded
    ),
)
PROCESS = (
    Case(
        "head",
        "`… | head -1` while a long answer arrives",
        (slow_lines(),),
        invoke=invocation.into_head,
    ),
    Case(
        "ctrl-c",
        "Ctrl-C in the middle of the answer",
        (steps_script(CHAT, *first_frames(CHAT), Wait(30)),),
        CAME,
        invoke=invocation.interrupted,
    ),
    Case("full-disk", "`… > /dev/full`", (good(CHAT),), invoke=invocation.onto_a_full_disk),
    Case(
        "no-stdin",
        "`… <&-`: stdin is closed",
        (good(CHAT),),
        TEXT,
        True,
        invoke=invocation.without_stdin,
    ),
)
FILES = (
    Case(
        "escapes",
        "the answer contains terminal escapes, on a terminal",
        (escapes(),),
        invoke=invocation.on_a_terminal,
        find_facts=facts.obeyed,
    ),
    Case(
        "asked-again",
        "the same question again after an answer was cut",
        (*BEGUN, good(CHAT)),
        TEXT,
        True,
        invoke=invocation.asked_again,
    ),
    Case(
        "damaged-keys",
        "the key file is damaged, then a key is stored",
        (good(CHAT),),
        invoke=files.damaged_keys,
    ),
    Case(
        "modes",
        "who can read the saved keys, questions and answers, with umask 022",
        BEGUN,
        CAME,
        invoke=files.readable_by_others,
    ),
)
GROUPS = (
    Group("Answers that are not complete", "The server stops early, or sends something else.", CUT),
    Group(
        "Answers that are odd, but complete",
        "The whole answer arrives, with something unusual in it.",
        ODD,
    ),
    Group("Refusals, waits and redirects", "", REFUSED),
    Group(
        "Limits",
        f"In the first row every tool that has a timeout is given one of {TIMEOUT_SECONDS} s.",
        LIMITS,
    ),
    Group("The process", "", PROCESS),
    Group("The terminal and the disk", "", FILES),
    Group(
        "Anthropic's Messages API",
        "The same over the protocol of Anthropic, with its own SDK.",
        MESSAGES_CUT,
    ),
)
