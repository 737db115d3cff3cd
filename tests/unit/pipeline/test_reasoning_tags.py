"""Reasoning is split from the answer while it streams, at any chunk boundary and in every mode."""

from collections.abc import AsyncGenerator, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.completion import Completion
from easyllm_cli.errors import EasyLLMError, IncompleteAnswer
from easyllm_cli.events import Done, Event, Reasoning, Reclassified, Text
from easyllm_cli.pipeline.collector import Collector, collect
from easyllm_cli.pipeline.reasoning_marks import (
    ANSWER_ENDS_BY_LONE_CLOSER,
    ANSWER_ENDS_BY_OPENER,
    CLOSER_BY_OPENER,
    HARMONY_HEADERS,
    OPENERS,
)
from easyllm_cli.pipeline.reasoning_tags import TagSplitter
from tests.support.attempts import split_tags

MODES = [("auto", False), ("auto", True), ("implicit", False), ("off", False), ("off", True)]
HARMONY = [
    "<|start|>assistant", "<|channel|>", "analysis", "commentary", "final", " to=f.x ",
    "<|constrain|>json", "<|message|>", "<|channel|>analysis<|message|>", "<|end|>", "<|return|>",
    "<|channel|>final<|message|>", *HARMONY_HEADERS,
]  # fmt: skip
PIECES = [
    *OPENERS, *ANSWER_ENDS_BY_LONE_CLOSER, *ANSWER_ENDS_BY_OPENER,
    *(end for ends in ANSWER_ENDS_BY_OPENER.values() for end in ends), *HARMONY,
    "`", "```", "\n```\n", "~~~\n", '"', "\\", " ", "\n", "\n\n", "\t", "<", "</", "<thi",
    "</think", "think>", "a", "plan", "é", "😀", "<p>", "<think >", "\u2028", "\xa0", "<|",
    "<|chan", "[TH", "◁",
]  # fmt: skip
documents = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


async def source(events: Iterable[Event | EasyLLMError]) -> AsyncGenerator[Event, None]:
    for event in events:
        if isinstance(event, EasyLLMError):
            raise event
        yield event


def texts(*pieces: str) -> list[Event | EasyLLMError]:
    return [*map(Text, pieces), Done("stop", True)]


async def split(
    pieces: Iterable[Event | EasyLLMError], mode: str = "auto", hold: bool = False
) -> tuple[str, str | None]:
    """Answer and reasoning of the collected events."""
    completion = await collect(split_tags(source(pieces), mode, hold))
    return completion["text"], completion["reasoning"]


def split_events(pieces: Iterable[str], mode: str = "auto", hold: bool = False) -> list[Event]:
    splitter = TagSplitter(mode, hold)
    return [event for piece in pieces for event in splitter.feed(piece)]


async def test_tags_split_over_pieces_are_streamed() -> None:
    splitter = TagSplitter()
    assert list(splitter.feed("<th")) == []
    assert list(splitter.feed("ink>pla")) == [Reasoning("pla")]
    assert list(splitter.feed("n</thi")) == [Reasoning("n")]
    assert list(splitter.feed("nk>\n\nans")) == [Text("ans")]
    assert await split(texts("<th", "ink>pla", "n</thi", "nk>\n\nans")) == ("ans", "plan")


@pytest.mark.parametrize(("opener", "closer"), list(CLOSER_BY_OPENER.items()))
async def test_whole_block_in_one_piece(opener: str, closer: str) -> None:
    assert await split(texts(f"{opener}a{closer}b")) == ("b", "a")


async def test_lone_closer_moves_the_text_before_it() -> None:
    assert split_events(["plan…</th", "ink>ans"]) == [Text("plan…"), Reclassified(), Text("ans")]
    assert await split(texts("plan…</think>ans")) == ("ans", "plan…")


async def test_lone_closer_with_hold_is_never_shown_as_answer() -> None:
    assert split_events(["plan", "…"], hold=True) == []
    assert split_events(["plan", "…</think>ans"], hold=True) == [Reasoning("plan…"), Text("ans")]
    assert await split(texts("plan", "…</think>ans"), hold=True) == ("ans", "plan…")


async def test_lone_closer_in_implicit_mode_is_streamed() -> None:
    assert split_events(["plan", "…"], "implicit") == [Reasoning("plan"), Reasoning("…")]
    assert await split(texts("plan", "…</think>ans"), "implicit") == ("ans", "plan…")
    assert await split(texts("<think>plan</think>ans"), "implicit") == ("ans", "plan")
    assert await split(texts("no closer at all"), "implicit") == ("", "no closer at all")


@pytest.mark.parametrize("hold", [False, True])
async def test_unclosed_block_is_reasoning(hold: bool) -> None:
    events: list[Event | EasyLLMError] = [Text("<think>ab"), Text("c"), Done("length", False)]
    assert await split(events, hold=hold) == ("", "abc")
    assert await split(texts("<think>abc </thi"), hold=hold) == ("", "abc </thi")


@pytest.mark.parametrize(
    "text",
    [
        "Use the `<think>` tag and close it with `</think>`.",
        "In XML:\n```\n<think>x</think>\n```\nthat is all",
        "~~~xml\nplan</think>\n~~~\n",
        'It writes "</think>" at the end.',
        "Then <think>not at the start</think> stays.",
        "An escaped \\</think> stays.",
        "a < b and </ thinks> and <thin",
        "<thinks>x</thinks>",
        "`<think>a</think>`",
    ],
)
@pytest.mark.parametrize("hold", [False, True])
async def test_tags_that_are_text_stay_text(text: str, hold: bool) -> None:
    assert await split(texts(text), hold=hold) == (text, None)
    assert await split(texts(*text), hold=hold) == (text, None)


async def test_nested_tags_are_counted() -> None:
    nested = "<think>a<think>b</think>c</think>d"
    assert await split(texts(nested)) == ("d", "a<think>b</think>c")
    assert await split(texts(*nested)) == ("d", "a<think>b</think>c")
    other = "<think>a<thought>b</thought>c</think>d"
    assert await split(texts(*other)) == ("d", "a<thought>b</thought>c")


async def test_further_blocks_are_joined_by_a_blank_line() -> None:
    two = " \n<think> a </think> \n <thinking>b</thinking>\n\nans <think>c</think>"
    assert await split(texts(*two)) == ("ans <think>c</think>", "a\n\nb")
    assert await split(texts("<think>  </think>ans")) == ("ans", None)
    assert await split(texts("<think>a</think> \n ")) == ("", "a")


async def test_white_space_after_the_last_closer_is_dropped_before_a_lone_bracket() -> None:
    assert await split(texts("<think>a</think>\n\n<b>")) == ("<b>", "a")
    assert await split(texts("<think>a</think>\n\n<")) == ("<", "a")


async def test_off_leaves_every_byte() -> None:
    text = " <think>a</think> b</think>"
    assert await split(texts(*text), "off", True) == (text, None)


def test_answer_is_streamed_too() -> None:
    assert split_events(["Hel", "lo"]) == [Text("Hel"), Text("lo")]
    assert split_events(["<think>a</think>", "Hel", "lo"])[1:] == [Text("Hel"), Text("lo")]
    assert split_events(["a <"]) == [Text("a ")]


async def test_a_reasoning_field_releases_what_is_held() -> None:
    splitter = split_tags(source([Text("an"), Reasoning("why"), Text("s")]), "auto", True)
    assert [event async for event in splitter] == [Text("an"), Reasoning("why"), Text("s")]


async def test_a_reasoning_field_makes_a_lone_closer_text() -> None:
    first: list[Event] = [Reasoning("why"), Text("a</think>b")]
    between: list[Event] = [Text("a"), Reasoning("why"), Text("</think>b")]
    for hold in (False, True):
        for events in (between, first):
            completion = await collect(split_tags(source(events), "auto", hold))
            assert (completion["text"], completion["reasoning"]) == ("a</think>b", "why"), (
                events,
                hold,
            )


@pytest.mark.parametrize("hold", [False, True])
async def test_a_reasoning_field_inside_a_block_leaves_the_block_open(hold: bool) -> None:
    events: list[Event | EasyLLMError] = [
        Text("<think>pl"), Reasoning("", hidden=True), Text("an</think>ans"), Done("stop", True),
    ]  # fmt: skip
    assert await split(events, hold=hold) == ("ans", "plan")


@pytest.mark.parametrize("hold", [False, True])
async def test_text_is_flushed_before_an_error(hold: bool) -> None:
    cut = IncompleteAnswer("cut")
    collector = Collector()

    async def listen() -> None:
        async for event in split_tags(source([Text("half an ans</thi"), cut]), "auto", hold):
            collector.feed(event)

    with pytest.raises(IncompleteAnswer):
        await listen()
    assert collector.completion()["text"] == "half an ans</thi"


async def test_other_events_keep_their_place() -> None:
    events: list[Event | EasyLLMError] = [Text("ans"), Reasoning("", hidden=True)]
    done = Done("stop", True)
    seen = [event async for event in split_tags(source([*events, done]), "auto", True)]
    assert seen == [*events, done]


async def test_the_source_is_closed_with_the_stage() -> None:
    closed = []

    async def endless() -> AsyncGenerator[Event, None]:
        try:
            while True:
                yield Text("x")
        finally:
            closed.append(True)

    stream = split_tags(endless())
    await anext(stream)
    await stream.aclose()
    assert closed == [True]


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    return [text[start:end] for start, end in pairwise(edges)]


async def collect_split(pieces: list[str], mode: str, hold: bool) -> Completion:
    return await collect(split_tags(source(texts(*pieces)), mode, hold))


@pytest.mark.parametrize(("mode", "hold"), MODES)
@given(text=documents, cuts=st.lists(st.integers(1, 80), max_size=10))
async def test_streamed_equals_not_streamed(
    mode: str, hold: bool, text: str, cuts: list[int]
) -> None:
    whole = await collect_split([text], mode, hold)
    assert await collect_split(pieces_of(text, cuts), mode, hold) == whole
    assert await collect_split(list(text), mode, hold) == whole


@pytest.mark.parametrize(("mode", "hold"), MODES)
@given(parts=st.lists(st.sampled_from([*PIECES, "①", "②", "③"]), max_size=14))
async def test_no_character_is_lost_or_moved(mode: str, hold: bool, parts: list[str]) -> None:
    events = split_tags(source(texts("".join(parts))), mode, hold)
    output = "".join([event.text async for event in events if isinstance(event, Text | Reasoning)])
    assert [char for char in output if char in "①②③"] == [part for part in parts if part in "①②③"]
    if mode == "off":
        assert output == "".join(parts)


@given(text=documents, cuts=st.lists(st.integers(1, 80), max_size=10))
async def test_hold_never_reclassifies_text(text: str, cuts: list[int]) -> None:
    assert Reclassified() not in split_events(pieces_of(text, cuts), hold=True)
