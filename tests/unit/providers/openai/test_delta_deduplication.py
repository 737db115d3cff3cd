"""Responses sends each text up to four times; whatever a server sends, it is used once."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.transport.framing import BODY_EVENT
from tests.support.asking import Json
from tests.support.decoding import decode_answer, decode_frames, delta, final_frame
from tests.support.standins.responses import message_item, reasoning_item, response, response_events

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
TEXTS = st.lists(TEXT, min_size=1, max_size=3)
LEVELS = ("delta", "done", "part", "item", "end")
KEPT_EVENTS = ("response.created", "response.output_item.added")


@st.composite
def answers(draw: st.DrawFn) -> list[Json]:
    """Items of reasoning and text in any order."""
    items = []
    for number in range(draw(st.integers(1, 3))):
        texts, kind = draw(TEXTS), draw(st.sampled_from(["message", "summary", "raw"]))
        if kind == "message":
            items.append(message_item(f"msg_{number}", *texts))
        elif kind == "summary":
            items.append(reasoning_item(f"rs_{number}", *texts))
        else:
            items.append(reasoning_item(f"rs_{number}", raw=tuple(texts)))
    return items


def level_of(event: Json) -> str:
    """Return how an event sends its text: one of LEVELS."""
    name = event["type"]
    if name.startswith(("response.output_item", "response.completed")):
        return "item" if "output_item" in name else "end"
    return "delta" if name.endswith(".delta") else "part" if "part." in name else "done"


def only_levels(events: Iterable[Json], levels: set[str]) -> Iterator[Json]:
    """Return the events without those that send the text at other levels."""
    for event in events:
        if event["type"] in KEPT_EVENTS or level_of(event) in levels:
            yield event
        elif event["type"] == "response.completed":
            yield event | {"response": event["response"] | {"output": []}}


def with_naming(events: Iterable[Json], naming: str) -> Iterator[Json]:
    """Return the events with ids and indices named as different servers do.

    llama.cpp sends ids alone; gateways send one index for all items, or new ids; some send none.
    """
    for number, event in enumerate(events):
        if naming == "ids alone":
            yield {key: value for key, value in event.items() if key != "output_index"}
        elif naming == "one place" and "output_index" in event:
            yield event | {"output_index": 0}
        elif naming == "new ids" and "item_id" in event:
            yield event | {"item_id": f"id_{number}"}
        elif naming == "new ids" and "item" in event:
            yield event | {"item": event["item"] | {"id": f"id_{number}"}}
        elif naming == "no names" and "item_id" in event:
            named = ("item_id", "output_index")
            yield {key: value for key, value in event.items() if key not in named}
        else:
            yield event


@given(
    items=answers(),
    levels=st.sets(st.sampled_from(LEVELS), min_size=1),
    naming=st.sampled_from(["both", "ids alone", "one place", "new ids", "no names"]),
)
def test_any_mixture_of_events_gives_each_text_once(
    items: list[Json], levels: set[str], naming: str
) -> None:
    whole = response(items)
    plain = decode_frames([whole], BODY_EVENT)[1]
    streamed = decode_frames(with_naming(only_levels(response_events(whole), levels), naming))[1]
    for key in ("text", "reasoning", "finish_reason", "complete"):
        assert streamed[key] == plain[key]
    texts = [part["text"] for item in items if "role" in item for part in item["content"]]
    assert plain["text"] == "".join(texts)
    reasoning_texts = [
        part["text"]
        for item in items
        if "role" not in item
        for part in (item.get("content") or item["summary"])
    ]
    assert plain["reasoning"] == ("\n\n".join(reasoning_texts) or None)


@given(items=answers(), parts=st.data())
def test_each_part_in_events_of_its_own(items: list[Json], parts: st.DataObject) -> None:
    """Some parts come in deltas, others only whole: nothing is lost, and nothing is repeated."""
    whole = response(items)
    keep: dict[Any, set[str]] = {}
    frames = []
    for event in response_events(whole):
        where = (event.get("item_id"), event.get("content_index"), event.get("summary_index"))
        if where not in keep:
            keep[where] = parts.draw(st.sets(st.sampled_from(["delta", "done", "part"])))
        whole_item = where == (None, None, None)
        if whole_item or event["type"].endswith("added") or level_of(event) in keep[where]:
            frames.append(event)
    streamed, plain = decode_frames(frames)[1], decode_frames([whole], BODY_EVENT)[1]
    assert sorted(streamed["text"]) == sorted(plain["text"])
    assert sorted(streamed["reasoning"] or "") == sorted(plain["reasoning"] or "")


def test_whole_text_completes_a_cut_part() -> None:
    where: Json = {"item_id": "m", "output_index": 0, "content_index": 0}
    done = {"type": "response.output_text.done", "text": "Hello", **where}
    assert decode_answer([delta("Hel", **where), done, final_frame()]) == (None, "Hello", "stop")
    assert (
        decode_answer(
            [delta("Hel", **where), final_frame("completed", message_item("m", "Hello"))]
        )[1]
        == "Hello"
    )


def test_whole_text_completes_deltas_without_ids() -> None:
    whole = final_frame("completed", reasoning_item("rs", "a plan"), message_item("m", "Hello"))
    for text in ("Hello", "Hel"):
        assert decode_answer([delta(text), whole]) == ("a plan", "Hello", "stop")


def test_parts_without_an_index_are_completed_once() -> None:
    item = message_item("m", "Hello ", "world")
    done = {"type": "response.output_item.done", "item": item}
    deltas = [delta(text, item_id="m") for text in ("Hel", "lo ", "wor")]
    assert decode_answer([*deltas, done, final_frame("completed", item)])[1] == "Hello world"


def test_character_split_over_two_deltas_is_not_repeated() -> None:
    where: Json = {"item_id": "m", "output_index": 0, "content_index": 0}
    halves = [delta("a\ud83c", **where), delta("\udf88", **where)]
    done = {"type": "response.output_text.done", "text": "a🎈", **where}
    assert (
        decode_answer([*halves, done, final_frame("completed", message_item("m", "a🎈"))])[1]
        == "a\ud83c\udf88"
    )


@pytest.mark.parametrize("naming", ["whole", "streamed"])
def test_reasoning_and_its_summary_are_not_both_used(naming: str) -> None:
    """A server of open weights may send a summary beside the raw reasoning."""
    whole = response(
        [reasoning_item("rs", "in short", raw=("at length",)), message_item("m", "Hi")]
    )
    raw_first = sorted(response_events(whole), key=lambda event: "summary" in event["type"])
    if naming == "whole":
        assert decode_answer([whole], BODY_EVENT)[0] == "at length"
    else:
        assert decode_answer(response_events(whole))[0] == "in short"
        created, *rest = raw_first
        assert decode_answer([created, *rest])[0] == "at length"
