"""Collector: turns a stream of events into a Completion."""

import copy
import json
import pickle
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.errors import BusyError, IncompleteAnswer
from easyllm_cli.events import (
    Done,
    Event,
    Note,
    Reasoning,
    Reclassified,
    Retrying,
    Start,
    Text,
    Usage,
)
from easyllm_cli.pipeline.collector import Collector, collect

KEYS = [
    "text", "reasoning", "usage", "response", "id", "finish_reason", "complete", "model",
    "provider",
]  # fmt: skip
COUNTS = [
    "prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "cached_tokens",
    "cache_write_tokens", "estimated",
]  # fmt: skip


def completion_of(*events: Event) -> Completion:
    collector = Collector()
    for event in events:
        collector.feed(event)
    return collector.completion()


async def stream(events: Iterable[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


def test_events_become_a_completion() -> None:
    done = Done("stop", True, {"id": 1})
    answer = completion_of(
        Start("openai", "gpt", "mine"), Reasoning("h"), Reasoning("m"), Text("a"), Text("b"), done
    )
    assert (answer["text"], answer["reasoning"]) == ("ab", "hm")
    assert (answer["provider"], answer["model"]) == ("openai", "gpt")
    assert (answer["finish_reason"], answer["complete"]) == ("stop", True)
    assert answer["response"] == {"id": 1}


def test_no_events_give_an_empty_incomplete_answer() -> None:
    nothing = completion_of()
    assert list(nothing) == KEYS
    assert list(nothing["usage"]) == COUNTS
    assert (nothing["text"], nothing["reasoning"], nothing["complete"]) == ("", None, False)
    assert list(nothing["usage"].values()) == [None] * 6 + [False]


def test_each_key_is_an_attribute_too() -> None:
    answer = completion_of(
        Start("openai", "gpt"), Reasoning("h"), Text("a"), Usage(1, 2, 3), Done("stop", True)
    )
    for key in KEYS:
        assert getattr(answer, key) == answer[key], key
    assert (answer.text, answer.usage["total_tokens"], answer.complete) == ("a", 3, True)
    with pytest.raises(AttributeError):
        answer.text = "b"  # type: ignore[misc]
    nothing = completion_of()
    assert (nothing.text, nothing.reasoning, nothing.response, nothing.id) == ("", None, None, None)


@pytest.mark.parametrize(
    ("response", "name"),
    [
        ({"id": "chatcmpl-1"}, "chatcmpl-1"),
        ({"frames": 2, "last": {"id": "chatcmpl-1", "choices": []}}, "chatcmpl-1"),
        ({"frames": 2, "last": {"type": "response.completed", "response": {"id": "resp_1"}}},
         "resp_1"),
        ({"frames": 2, "last": {"responseId": "r1", "candidates": []}}, "r1"),
        ({"message": {"content": "a"}, "done": True}, None),
        ({"id": 7}, None), ({"frames": 0, "last": None}, None), ([], None), (None, None),
    ],
)  # fmt: skip
def test_response_id_is_taken_from_the_response(response: Any, name: str | None) -> None:
    assert completion_of(Done("stop", True, response)).response_id == name


def test_completion_is_a_dict() -> None:
    answer = completion_of(Start("openai", "gpt"), Text("a"), Done("stop", True, {"id": "1"}))
    assert json.loads(json.dumps(answer)) == answer == dict(answer)
    for copied in (copy.copy(answer), copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
        assert copied == answer
        assert type(copied) is Completion
    assert copy.deepcopy(answer)["usage"] is not answer["usage"]


def test_usage_replaces_and_never_adds() -> None:
    usage = completion_of(Usage(3, 1, 4), Usage(3, 9, 12, cost_usd=0.5))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (3, 9, 12)
    assert completion_of(Usage(3, 1), Usage(3))["usage"]["completion_tokens"] is None


def test_a_count_of_none_is_not_zero() -> None:
    usage = completion_of(Usage(0, None, estimated=True))["usage"]
    assert usage["prompt_tokens"] == 0
    assert usage["completion_tokens"] is None
    assert usage["estimated"] is True


def test_retrying_discards_the_previous_attempt() -> None:
    first: list[Event] = [
        Start("a", "one"), Text("half"), Reasoning("x", hidden=True), Usage(9), Note("n"),
    ]  # fmt: skip
    again: list[Event] = [Retrying(2, 0.5, "cut"), Start("b", "two"), Text("whole")]
    collector = Collector()
    for event in (*first, *again):
        collector.feed(event)
    answer = collector.completion()
    assert (answer["text"], answer["reasoning"]) == ("whole", None)
    assert (answer["model"], answer["usage"]["prompt_tokens"]) == ("two", None)
    assert (collector.attempts, collector.notes, collector.has_hidden_reasoning) == (
        2,
        ["n"],
        False,
    )
    assert not completion_of(Text("a"), Done("stop", True), Retrying(2, 0, "why"))["complete"]


def test_reclassified_moves_the_text_so_far() -> None:
    answer = completion_of(Reasoning("a"), Text("b"), Text("c"), Reclassified(), Text("d"))
    assert (answer["reasoning"], answer["text"]) == ("abc", "d")
    assert completion_of(Reclassified(), Text("d"))["reasoning"] is None


def test_hidden_reasoning_is_known_and_has_no_text() -> None:
    collector = Collector()
    collector.feed(Reasoning("", hidden=True))
    collector.feed(Reasoning("seen"))
    assert collector.has_hidden_reasoning
    assert collector.completion()["reasoning"] == "seen"
    assert completion_of(Reasoning("", hidden=True))["reasoning"] is None


def test_empty_reasoning_is_none() -> None:
    assert completion_of(Reasoning(""), Text("a"))["reasoning"] is None


@pytest.mark.parametrize("event", [Text("x" * 11), Reasoning("x" * 11), Text("é" * 6)])
def test_fault_46_answer_over_the_limit_is_incomplete(event: Event) -> None:
    collector = Collector(limit=10)
    with pytest.raises(IncompleteAnswer, match="longer than 10 bytes") as caught:
        collector.feed(event)
    assert not caught.value.retryable
    assert caught.value.exit_code == 7


def test_the_limit_is_over_text_and_reasoning_together() -> None:
    collector = Collector(limit=10)
    for event in (Text("12345"), Reasoning("123"), Text("é")):
        collector.feed(event)
    with pytest.raises(IncompleteAnswer):
        collector.feed(Reasoning("1"))


@pytest.mark.parametrize("kind", [Text, Reasoning])
def test_many_small_pieces_take_little_more_than_their_text(
    kind: type[Text] | type[Reasoning],
) -> None:
    collector = Collector()
    pieces = [f"{number} " for number in range(110_000)]
    tracemalloc.start()
    for piece in pieces:
        collector.feed(kind(f"{piece} "[:-1]))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 3_000_000  # 110,000 strings and their list would take 8 MB
    for _ in range(2):
        completion = collector.completion()
        assert (completion["text"] or completion["reasoning"]) == "".join(pieces)
    collector.feed(kind("more"))
    assert (collector.text.getvalue() or collector.reasoning.getvalue()).endswith(
        f"{pieces[-1]}more"
    )


def test_retry_resets_the_byte_count() -> None:
    collector = Collector(limit=10)
    for event in (Text("1234567890"), Retrying(2, 0, "cut"), Text("1234567890")):
        collector.feed(event)
    assert collector.completion()["text"] == "1234567890"


def test_lone_surrogates_are_counted_and_do_not_crash() -> None:
    assert completion_of(Text("\ud800a"))["text"] == "\ud800a"


async def test_collect_passes_errors_on() -> None:
    async def failing() -> AsyncIterator[Event]:
        yield Text("a")
        raise BusyError("busy")

    with pytest.raises(BusyError):
        await collect(failing())
    assert (await collect(stream([Text("a"), Done(None, True)])))["complete"] is True
    with pytest.raises(IncompleteAnswer):
        await collect(stream([Text("abc")]), limit=2)


@pytest.mark.parametrize("response", [None, {"frames": 2, "last": {"a": [1, None]}}, [1], "x"])
def test_a_completion_is_json(response: Any) -> None:
    answer = completion_of(
        Text('é\u2028"'), Reasoning("r"), Usage(1, cost_usd=0.1), Done("stop", True, response)
    )
    assert json.loads(json.dumps(answer)) == answer
    assert answer["text"] == 'é\u2028"'


def test_every_event_has_its_kind_and_compares_by_its_fields() -> None:
    events: list[Event] = [
        Start("p", "m"), Reasoning("x"), Text("x"), Reclassified(), Usage(), Note("x"),
        Retrying(2, 1.0, "why"), Done(None, False),
    ]  # fmt: skip
    kinds = ["start", "reasoning", "text", "reclassified", "usage", "note", "retrying", "done"]
    assert [event.kind for event in events] == kinds
    assert Text("x") == Text("x")
    assert Text("x") != Text("y")
    assert Text("x") != Note("x")
    assert repr(Text("x")) == "Text(text='x')"
    assert len({Text("x"), Text("x"), Note("x")}) == 2
    with pytest.raises(AttributeError):
        events[2].text = "y"  # type: ignore[union-attr, misc]
