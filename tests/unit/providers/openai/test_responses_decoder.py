"""The Responses decoder: how an answer ends, refusals, hidden reasoning, failures, usage."""

import time
from typing import Any

import pytest

from easyllm_cli.errors import (
    BillingError,
    BusyError,
    EasyLLMError,
    FilteredError,
    IncompleteAnswer,
    MalformedAnswer,
    RefusedError,
    TooLargeError,
)
from easyllm_cli.events import Note, Reasoning
from easyllm_cli.providers.openai.responses_decoder import ResponsesDecoder
from easyllm_cli.transport.framing import BODY_EVENT
from tests.support.asking import Json
from tests.support.decoding import (
    decode_answer,
    decode_frames,
    delta,
    expect_decode_error,
    final_frame,
)
from tests.support.standins.responses import (
    message_item,
    reasoning_item,
    response,
    response_events,
    usage_of,
)


@pytest.mark.parametrize("event", ["", BODY_EVENT])
def test_encrypted_reasoning_is_hidden_once(event: str) -> None:
    counts = usage_of(3, 9, reasoning=7)
    whole = response(
        [reasoning_item("rs", encrypted="gAAAA"), message_item("m", "Hi")], usage=counts
    )
    events, done = decode_frames([whole] if event else response_events(whole), event)
    reasoning = [event for event in events if isinstance(event, Reasoning)]
    assert reasoning == [Reasoning("", hidden=True)]
    assert (done["reasoning"], done["usage"]["reasoning_tokens"]) == (None, 7)
    assert events.index(reasoning[0]) == 0


def test_counted_reasoning_without_text_is_hidden() -> None:
    whole = response([message_item("m", "Hi")], usage=usage_of(3, 9, reasoning=7))
    assert Reasoning("", hidden=True) in decode_frames(response_events(whole))[0]
    silent = response([reasoning_item("rs"), message_item("m", "Hi")], usage=usage_of(3, 9))
    assert decode_frames(response_events(silent))[0][0].kind == "text"


def test_reasoning_with_text_is_not_hidden() -> None:
    whole = response([reasoning_item("rs", "a plan", encrypted="gAAAA"), message_item("m", "Hi")])
    for events in (decode_frames(response_events(whole))[0], decode_frames([whole], BODY_EVENT)[0]):
        assert not [event for event in events if isinstance(event, Reasoning) and event.hidden]


@pytest.mark.parametrize("event", ["", BODY_EVENT])
def test_refusal_is_a_filtered_error_that_quotes_it_once(event: str) -> None:
    whole = response([message_item("m", refusal="I cannot help.")])
    error = expect_decode_error([whole] if event else response_events(whole), event)
    assert type(error) is FilteredError
    assert error.message == "the model refused: I cannot help."


def test_refusal_after_text_is_finish_reason_content_filter() -> None:
    whole = response([message_item("m", "Well,", refusal="no.")])
    done = decode_frames(response_events(whole))[1]
    assert (done["text"], done["finish_reason"], done["complete"]) == (
        "Well,", "content_filter", False,
    )  # fmt: skip


@pytest.mark.parametrize("event", ["", BODY_EVENT])
def test_tool_call_is_incomplete(event: str) -> None:
    call = {"id": "fc", "type": "function_call", "name": "look", "arguments": "{}", "content": []}
    whole = response([call])
    done = decode_frames([whole] if event else response_events(whole), event)[1]
    assert (done["finish_reason"], done["complete"]) == ("tool_calls", False)


@pytest.mark.parametrize(
    ("status", "reason", "finish"),
    [
        ("completed", None, "stop"),
        ("incomplete", "max_output_tokens", "length"),
        ("incomplete", "content_filter", "content_filter"),
        ("incomplete", "steered", "steered"),
        ("incomplete", None, "incomplete"),
        ("cancelled", None, "cancelled"),
    ],
)
@pytest.mark.parametrize("event", ["", BODY_EVENT])
def test_status_and_reason_give_the_finish_reason(
    status: str, reason: str | None, finish: str, event: str
) -> None:
    details = {"reason": reason} if reason else None
    whole = response([message_item("m", "Hi")], status, incomplete_details=details)
    done = decode_frames([whole] if event else response_events(whole), event)[1]
    assert (done["text"], done["finish_reason"]) == ("Hi", finish)
    assert done["complete"] == (finish == "stop")


def test_a_completed_event_does_not_hide_an_incomplete_status() -> None:
    cut = response(
        [message_item("m", "Hi")], "incomplete", incomplete_details={"reason": "steered"}
    )
    assert decode_answer([{"type": "response.completed", "response": cut}])[2] == "steered"


@pytest.mark.parametrize("event", ["", BODY_EVENT])
def test_used_up_token_limit_is_finish_reason_length(event: str) -> None:
    """llama.cpp sends `completed` for an answer that max_output_tokens cut."""
    whole = response([message_item("m", "Hi")], usage=usage_of(3, 8))
    frames = [whole] if event else [*response_events(whole)]
    assert [decode_answer(frames, event, max_tokens=limit)[2] for limit in (None, 9, 8)] == [
        "stop", "stop", "length",
    ]  # fmt: skip


@pytest.mark.parametrize("event", ["", BODY_EVENT])
def test_full_context_is_finish_reason_length(event: str) -> None:
    whole = response([message_item("m", "Hi")], usage=usage_of(3, 8))
    frames = [whole] if event else [*response_events(whole)]
    finishes = [
        decode_answer(frames, event, context_tokens=context)[2] for context in (None, 12, 11, 10)
    ]
    assert finishes == ["stop", "stop", "length", "length"]


@pytest.mark.parametrize("then", [[], [{"type": "response.output_text.done", "text": "Hi"}]])
def test_missing_end_is_incomplete(then: list[Json]) -> None:
    assert type(expect_decode_error([delta("Hi"), *then])) is IncompleteAnswer
    begun = response([message_item("m", "Hi")], "in_progress")
    assert type(expect_decode_error([begun], BODY_EVENT)) is IncompleteAnswer
    assert (
        type(expect_decode_error([{"type": "response.created", "response": response([])}]))
        is MalformedAnswer
    )


def test_text_after_completed_belongs_to_the_answer() -> None:
    late = [delta("mo", item_id="m2"), delta("re", item_id="m2"), final_frame()]
    events, done = decode_frames([delta("Hi ", item_id="m"), final_frame(), *late])
    assert (done["text"], done["finish_reason"]) == ("Hi more", "stop")
    assert not [event for event in events if isinstance(event, Note)]


def test_done_marker_is_not_an_end() -> None:
    decoder = ResponsesDecoder(True)
    events = [*decoder.read(delta("Hi")), *decoder.read({}, "[DONE]")]
    assert (len(events), decoder.end_claimed) == (1, False)
    assert [*decoder.read(final_frame())] == []
    assert (decoder.end_claimed, decoder.end_marker_seen) == (True, True)


def test_usage_is_mapped() -> None:
    counts = usage_of(11, 7, reasoning=5, cached=3)
    usage = decode_frames([response([message_item("m", "Hi")], usage=counts)], BODY_EVENT)[1][
        "usage"
    ]
    assert usage == {
        "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "reasoning_tokens": 5,
        "cached_tokens": 3, "cache_write_tokens": 0, "estimated": False,
    }  # fmt: skip
    bare = decode_frames(
        [response([message_item("m", "Hi")], usage={"input_tokens": 1})], BODY_EVENT
    )[1]["usage"]
    assert (bare["prompt_tokens"], bare["completion_tokens"], bare["cached_tokens"]) == (
        1, None, None,
    )  # fmt: skip


ERROR_CODES: list[tuple[str, type[EasyLLMError]]] = [
    ("server_error", BusyError),
    ("rate_limit_exceeded", BusyError),
    ("vector_store_timeout", BusyError),
    ("insufficient_quota", BillingError),
    ("invalid_prompt", RefusedError),
    ("image_too_large", TooLargeError),
    ("image_parse_error", RefusedError),
    ("failed_to_download_image", RefusedError),
    ("unsupported_image_media_type", RefusedError),
    ("data_residency_mismatch", RefusedError),
    ("image_content_policy_violation", FilteredError),
    ("bio_policy", FilteredError),
]


@pytest.mark.parametrize(("code", "kind"), ERROR_CODES)
def test_error_code_decides_the_error_class(code: str, kind: type[EasyLLMError]) -> None:
    failure = {"code": code, "message": "It went wrong."}
    whole = response([], "failed", error=failure)
    for error in (
        expect_decode_error([delta("Hi"), {"type": "response.failed", "response": whole}]),
        expect_decode_error([whole], BODY_EVENT),
        expect_decode_error([delta("Hi"), {"type": "error", "param": None, **failure}]),
        expect_decode_error([{"type": "error", "error": failure}]),
    ):
        assert type(error) is kind
        assert error.message == "It went wrong."


def test_failure_without_an_error_object_is_busy() -> None:
    assert type(expect_decode_error([final_frame("failed")])) is BusyError


MALFORMED_FRAMES: list[Any] = [
    {"type": "response.output_text.delta", "delta": {"text": "x"}},
    {"type": "response.output_text.delta", "delta": None},
    {"type": "response.content_part.done", "part": "x"},
    {"type": "response.content_part.done", "part": {"type": "audio", "text": "x"}},
    {"type": "response.output_item.done", "item": {"type": "message", "content": "x"}},
    {"type": "response.output_item.done", "item": None},
    {"type": "response.output_item.done", "item": {"content": [{"type": "refusal", "refusal": 1}]}},
    {"type": 7}, {"type": None}, {},
]  # fmt: skip


@pytest.mark.parametrize("frame", MALFORMED_FRAMES)
def test_malformed_frame_is_ignored(frame: Any) -> None:
    assert decode_answer([delta("Hi", item_id="m"), frame, final_frame()]) == (None, "Hi", "stop")


def test_new_item_id_in_every_event_takes_linear_time() -> None:
    """Some gateways send these; searching all items for the newest one took minutes."""
    decoder = ResponsesDecoder(stream=True)
    began = time.process_time()
    for number in range(30_000):
        list(decoder.read(delta("x", item_id=f"m{number}")))
    assert time.process_time() - began < 5
