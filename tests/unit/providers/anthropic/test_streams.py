"""Streams and bodies of the Messages API: each is read right, or ends with the right exit code."""

import asyncio
import json
from typing import Any

import pytest

from easyllm_cli.errors import AuthError, BillingError, BusyError, MalformedAnswer, RefusedError
from tests.support.asking import Json
from tests.support.messages_api import HELLO, Answered, ask, hello_then, refusal, stream
from tests.support.standins.anthropic import (
    PING,
    block,
    block_stop,
    delta,
    encode,
    ending,
    error_event,
    error_object,
    event,
    message_delta,
    message_stop,
    signature,
    start,
    text,
    thinking,
    whole,
)
from tests.support.standins.script import Cut, Script, Wait

GOOD = (start(), block(), PING, text("Hi"), ending())
COMPLETE = ("Hi", "stop", (11, 6), 0)


def summary(done: Answered) -> tuple[str, str | None, tuple[int | None, int | None], int]:
    return done.text, done.completion["finish_reason"], done.counts, done.code


async def test_anth_1_pings_and_padding() -> None:
    assert b"  }\n\n" in b"".join(GOOD)
    assert summary(await ask(stream(*GOOD))) == COMPLETE


async def test_anth_2_byte_by_byte_with_crlf_and_no_space_after_the_colon() -> None:
    sent = b"".join(GOOD).replace(b"\n", b"\r\n").replace(b"data: ", b"data:")
    assert summary(await ask(stream(*[bytes([byte]) for byte in sent]))) == COMPLETE


async def test_anth_3_without_event_lines() -> None:
    steps = (start(""), block(name=""), text("Hi", name=""), block_stop(name=""))
    done = await ask(stream(*steps, message_delta("end_turn", name=""), message_stop("")))
    assert summary(done) == COMPLETE


async def test_anth_4_without_message_start() -> None:
    done = await ask(stream(block(), text("Hi"), ending()))
    assert summary(done) == ("Hi", "stop", (None, 6), 0)
    assert done.completion["usage"]["total_tokens"] is None


async def test_anth_5_without_content_block_start() -> None:
    assert summary(await ask(stream(start(), text("Hi"), ending()))) == COMPLETE


async def test_anth_6_unknown_event_delta_and_block() -> None:
    unknown = (
        event("content_block_glitter", delta={"type": "text_delta", "text": "no"}),
        delta("sparkle_delta", text="no"),
        block("hologram", 1, text="no"),
        delta("citations_delta", citation={"cited_text": "no"}),
        block("server_tool_use", 2, id="srv_1", name="web_search", input={}),
    )
    assert summary(await ask(stream(*HELLO, *unknown, ending()))) == COMPLETE


async def test_anth_7_cumulative_counts() -> None:
    done = await ask(
        hello_then(message_delta(None, 6), message_delta("end_turn", 9), message_stop())
    )
    assert summary(done) == ("Hi", "stop", (11, 9), 0)


async def test_anth_8_prompt_tokens_include_the_cache() -> None:
    counts: Any = {
        "input_tokens": 3,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 5,
    }
    done = await ask(stream(start(**counts), block(), text("Hi"), ending()))
    usage = done.completion["usage"]
    assert done.counts == (28, 6)
    assert (usage["cached_tokens"], usage["cache_write_tokens"]) == (20, 5)
    assert usage["total_tokens"] == 34


async def test_anth_9_text_in_the_start_of_a_block() -> None:
    assert (await ask(stream(start(), block(text="H"), text("i"), ending()))).text == "Hi"


async def test_anth_10_end_after_text() -> None:
    shown = await ask(stream(*HELLO))
    assert (shown.code, shown.text, len(shown.requests)) == (7, "Hi", 1)
    unseen = await ask(stream(*HELLO), shows=False)
    assert (unseen.code, unseen.text, len(unseen.requests)) == (7, "Hi", 2)
    cut = await ask(stream(*HELLO, Cut()), stream(*GOOD), shows=False)
    assert (cut.code, cut.text) == (0, "Hi")


async def test_anth_11_stop_reason_without_message_stop() -> None:
    done = await ask(hello_then(message_delta("end_turn")))
    assert (done.code, done.text) == (7, "Hi")
    assert "without its end marker" in str(done.error)


NO_REASON = [
    stream(*HELLO, block_stop(), message_stop()),
    *(hello_then(message_delta(reason), message_stop()) for reason in (None, "", "null")),
    hello_then(message_stop(), Wait(5)),
]
WHOLE = whole({"type": "text", "text": "Hi"})
NO_REASON_WHOLE = [
    {**WHOLE, "stop_reason": None},
    {**WHOLE, "stop_reason": ""},
    {name: WHOLE[name] for name in WHOLE if name != "stop_reason"},
]


@pytest.mark.parametrize("sent", NO_REASON)
async def test_anth_11_message_stop_without_a_stop_reason(sent: Script) -> None:
    done = await asyncio.wait_for(ask(sent), 4)
    assert (done.code, done.text) == (7, "Hi")
    assert "without a finish reason" in str(done.error)


@pytest.mark.parametrize("sent", NO_REASON_WHOLE)
async def test_anth_11_whole_message_without_a_stop_reason(sent: Json) -> None:
    body = Script(encode(sent), content_type="application/json")
    done = await ask(body, plain=True, max_retries=0)
    assert (done.code, done.text, done.completion["complete"]) == (7, "Hi", False)


async def test_second_answer_in_a_stream_is_never_joined_to_the_first() -> None:
    """A gateway that asks its provider again after a failure sends the whole answer again."""
    again = (start(), block(), text("Hi there"), ending())
    done = await ask(stream(*HELLO, *again))
    assert (type(done.error), done.text) == (MalformedAnswer, "Hi")
    thought = (start(), block("thinking"), thinking("Hm."))
    assert (await ask(stream(*thought, *again))).code == 7
    assert summary(await ask(stream(start(), start(), *GOOD))) == COMPLETE


async def test_whole_message_whose_content_is_a_string() -> None:
    body = Script(encode({**WHOLE, "content": "Hi"}), content_type="application/json")
    assert summary(await ask(body, plain=True)) == COMPLETE


async def test_anth_12_empty_body() -> None:
    done = await ask(stream())
    assert (done.code, len(done.requests)) == (7, 1)


async def test_anth_13_error_event_before_text_is_retried() -> None:
    overloaded = stream(error_event("overloaded_error", "Overloaded"))
    done = await ask(overloaded)
    assert (type(done.error), done.code, len(done.requests)) == (BusyError, 5, 3)
    assert summary(await ask(overloaded, stream(*GOOD))) == COMPLETE


@pytest.mark.parametrize("name", [None, ""], ids=["anth_14", "anth_15-without-an-event-line"])
async def test_anth_14_and_15_error_event_after_text(name: str | None) -> None:
    failed = stream(*HELLO, error_event("overloaded_error", "Overloaded", name))
    for shows in (True, False):
        done = await ask(failed, shows=shows)
        assert (done.code, done.text, len(done.requests)) == (5, "Hi", 1)
        assert "Overloaded" in str(done.error)


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("rate_limit_error", BusyError, 5),
        ("api_error", BusyError, 5),
        ("timeout_error", BusyError, 5),
        ("invalid_request_error", RefusedError, 4),
        ("authentication_error", AuthError, 3),
        ("billing_error", BillingError, 3),
    ],
)
async def test_anth_16_error_types(kind: str, error: type[Exception], code: int) -> None:
    done = await ask(stream(error_event(kind, "It is so.")), max_retries=0)
    assert (type(done.error), done.code) == (error, code)


async def test_anth_17_request_id_of_an_error_event() -> None:
    done = await ask(stream(*HELLO, error_event("api_error", "broke")))
    assert done.error is not None
    assert done.error.request_id == "req_011"
    by_header = await ask(refusal(400, "invalid_request_error", "no", request_id="req_head"))
    assert by_header.error is not None
    assert by_header.error.request_id == "req_head"


async def test_anth_18_json_bodies_for_a_stream() -> None:
    busy = Script(
        encode(error_object("overloaded_error", "Overloaded")), content_type="application/json"
    )
    assert (await ask(busy, max_retries=0)).code == 5
    empty = Script(b'{"type": "error", "error": {}}', content_type="application/json")
    assert (await ask(empty, max_retries=0)).code == 5
    message = whole({"type": "text", "text": "Hi"})
    assert summary(await ask(Script(encode(message), content_type="application/json"))) == COMPLETE
    pretty = json.dumps(message, indent=1).encode()
    assert summary(await ask(Script(pretty, content_type="application/json"))) == COMPLETE


async def test_anth_19_web_page() -> None:
    done = await ask(Script(b"<!DOCTYPE html><title>Log in</title>", content_type="text/html"))
    assert (type(done.error), done.code) == (MalformedAnswer, 7)
    assert "web page" in str(done.error)


async def test_anth_25_only_the_users_limit_excuses_a_cut() -> None:
    cut = hello_then(message_delta("max_tokens"), message_stop())
    for more in ({}, {"think": True}, {"send_defaults": True}):
        done = await ask(cut, **more)
        assert (done.code, done.text) == (7, "Hi")
        assert done.requests[-1]["max_tokens"] >= 8192
    for own in ({"max_tokens": 5}, {"options": {"max_tokens": 5}}):
        limited = await ask(cut, **own)
        assert (limited.code, limited.completion["complete"]) == (0, False)
        assert "limit that you set" in limited.notes[-1]


async def test_anth_26_full_context_is_never_the_users_limit() -> None:
    full = hello_then(message_delta("model_context_window_exceeded"), message_stop())
    done = await ask(full, max_tokens=5)
    assert (done.code, done.text, done.completion["finish_reason"]) == (7, "Hi", "length")


async def test_anth_27_refusals_name_their_category() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "It is about malware."}
    twice = message_delta("refusal", stop_details=details)  # cumulative, as the counts
    empty = await ask(stream(start(), twice, ending("refusal", stop_details=details)))
    assert (empty.code, empty.text) == (4, "")
    assert "refused (cyber): It is about malware." in str(empty.error)
    after = await ask(hello_then(message_delta("refusal", stop_details=details), message_stop()))
    assert (after.code, after.text) == (7, "Hi")
    assert "refused (cyber): It is about malware." in after.notes[-1]
    bare = await ask(stream(start(), ending("refusal")))
    assert (bare.code, bare.text) == (4, "")


@pytest.mark.parametrize(
    ("reason", "frame"),
    [("pause_turn", b""), ("tool_use", block("tool_use", 1, id="t", name="f", input={}))],
    ids=["anth_28-pause", "anth_29-tool"],
)
async def test_anth_28_and_29_ends_that_are_no_answer(reason: str, frame: bytes) -> None:
    done = await ask(hello_then(frame or PING, message_delta(reason), message_stop()))
    assert (done.code, done.text, len(done.requests)) == (7, "Hi", 1)


async def test_anth_30_no_block_at_all() -> None:
    done = await ask(stream(start(), message_delta("end_turn", 2), message_stop()))
    assert (done.code, len(done.requests)) == (7, 1)
    assert "empty" in str(done.error)


async def test_anth_31_thinking_used_up_the_limit() -> None:
    steps = (start(), block("thinking"), thinking("Hm"), ending("max_tokens"))
    done = await ask(stream(*steps), max_tokens=9)
    assert done.code == 7
    assert "raise --max-tokens" in str(done.error)


async def test_anth_32_thinking_is_apart_and_its_signature_is_never_shown() -> None:
    thought = (block("thinking"), thinking(""), thinking("Hm"), thinking("."), signature())
    done = await ask(
        stream(start(), *thought, block_stop(), block("text", 1), text("Hi", 1), ending())
    )
    assert (done.text, done.completion["reasoning"], done.code) == ("Hi", "Hm.", 0)
    assert "RXJ0bm90aGluZw" not in str(done.events[:-1])


@pytest.mark.parametrize(
    "hidden",
    [(block("thinking"), signature()), (block("redacted_thinking", data="c2VjcmV0IQ=="),)],
    ids=["anth_33-omitted", "anth_34-redacted"],
)
async def test_anth_33_and_34_hidden_thinking(hidden: tuple[bytes, ...]) -> None:
    done = await ask(
        stream(start(), *hidden, block_stop(), block("text", 1), text("Hi", 1), ending())
    )
    reasoning = [event for event in done.events if event.kind == "reasoning"]
    assert [(event.text, event.hidden) for event in reasoning] == [("", True)]  # type: ignore[union-attr]
    assert (done.text, done.completion["reasoning"], done.code) == ("Hi", None, 0)
    assert "c2VjcmV0" not in str(done.events[:-1])


async def test_anth_35_interleaved_blocks() -> None:
    blocks = [
        frame
        for at, words in enumerate(("one", "Hel", "two", "lo"))
        for frame in (
            (block("thinking", at), thinking(words, at), signature(at), block_stop(at))
            if at % 2 == 0
            else (block("text", at), text(words, at), block_stop(at))
        )
    ]
    done = await ask(stream(start(), *blocks, message_delta("end_turn"), message_stop()))
    assert (done.text, done.completion["reasoning"]) == ("Hello", "one\n\ntwo")


async def test_anth_36_another_model_continues() -> None:
    models: Any = {"from": {"model": "claude-fable-1"}, "to": {"model": "claude-sonnet-4-5"}}
    trigger = {"type": "refusal", "category": "cyber"}
    changed = block("fallback", 0, trigger=trigger, **models)
    done = await ask(
        stream(start(), changed, block_stop(), block("text", 1), text("Hi", 1), ending())
    )
    assert done.notes == ["answered by claude-sonnet-4-5 after a refusal"]
    assert (done.text, done.code) == ("Hi", 0)


async def test_anth_37_long_lines_line_separators_and_endless_pings() -> None:
    long = "a\u2028b" * 250_000
    assert (await ask(stream(start(), block(), text(long), ending()))).text == long
    silent = stream(start(), PING * 10_000, Wait(5))
    done = await ask(silent, timeout={"first_token": 0.3}, max_retries=0)
    assert (done.code, done.error and done.error.kind) == (6, "timeout")


@pytest.mark.parametrize("think", [True, False])
async def test_anth_47_plain_body_equals_the_stream(think: bool) -> None:
    thought: Any = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}] if think else []
    body = whole(*thought, {"type": "text", "text": "Hi"})
    plain = await ask(Script(encode(body), content_type="application/json"), plain=True)
    frames = (block("thinking"), thinking("Hm."), signature(), block_stop()) if think else ()
    streamed = await ask(stream(start(), *frames, block("text", 1), text("Hi", 1), ending()))
    assert {**plain.completion, "response": None} == {**streamed.completion, "response": None}
    assert plain.completion["response"] == body
