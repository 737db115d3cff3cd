"""Reasoning marks of every model family: what is reasoning, what is answer, what stays text."""

import re
from collections.abc import Iterable

import pytest

from easyllm_cli import LLMService
from easyllm_cli.events import Reasoning, Text
from easyllm_cli.pipeline.collector import Collector
from easyllm_cli.pipeline.reasoning_marks import (
    ALL_MARKS,
    HARMONY_CHANNELS,
    OPENERS_AND_LONE_CLOSERS,
    REASONING_MARKS,
    AnswerMarks,
    is_block_prefix,
    parse_block_start,
)
from easyllm_cli.pipeline.reasoning_tags import TagSplitter
from tests.support import ROOT

PAGE = ROOT / "docs" / "reasoning-marks.md"
PAIRS = [(opener, closer, channel) for opener, closer, channel in REASONING_MARKS if opener]
ANALYSIS = "<|channel|>analysis<|message|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"


def split(pieces: Iterable[str], mode: str = "auto", hold: bool = False) -> tuple[str, str | None]:
    """The answer and the reasoning of a text in pieces."""
    splitter, collector = TagSplitter(mode, hold), Collector()
    for piece in pieces:
        for event in splitter.feed(piece):
            collector.feed(event)
    for event in splitter.end():
        collector.feed(event)
    completion = collector.completion()
    return completion["text"], completion["reasoning"]


def split_every_way(text: str) -> tuple[str, str | None]:
    """The same; asserts that any split and `extract_answer_and_cot` give the same result."""
    whole = split([text])
    assert split(text) == whole
    assert split([text], hold=True) == split(text, hold=True) == whole
    for at in range(len(text)):
        assert split([text[:at], text[at:]]) == whole
    extracted = LLMService().extract_answer_and_cot(text)
    assert (extracted["answer"], extracted["cot"] or None) == whole
    return whole


@pytest.mark.parametrize(("opener", "closer", "channel"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_each_family_s_block_is_reasoning(opener: str, closer: str, channel: AnswerMarks) -> None:
    assert split_every_way(f" \n{opener}\nplan {closer}\n\nanswer") == ("answer", "plan")
    openers, ends = channel
    for begins in openers:
        assert split_every_way(f"{opener}plan{closer}{begins}answer{''.join(ends)}") == (
            "answer",
            "plan",
        )
        assert split_every_way(f"{begins}answer{ends[0]}\n") == ("answer", None)
    for end in ends:
        assert split_every_way(f"{opener}plan{closer}answer {end}") == ("answer ", "plan")


@pytest.mark.parametrize(("opener", "closer", "channel"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_each_family_s_marks_that_are_text_stay_text(
    opener: str, closer: str, channel: AnswerMarks
) -> None:
    for text in (
        f"It writes `{opener}` and `{closer}`.",
        f"So:\n```\n{opener}a{closer}\n```\n",
        f"First words, then {opener}a{closer}",
        f'"{opener}a{closer}"',
        opener[:-1],
    ):
        assert split_every_way(text) == (text, None)
    text = f"{opener}a{closer}{''.join(channel[1])}b"
    assert split(text, "off") == (text, None)


@pytest.mark.parametrize(("opener", "closer", "channel"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_a_block_that_is_cut_is_reasoning(opener: str, closer: str, channel: AnswerMarks) -> None:
    assert split_every_way(f"{opener}plan {closer[:-1]}") == ("", f"plan {closer[:-1]}")


@pytest.mark.parametrize(
    "closer", [closer for closer in OPENERS_AND_LONE_CLOSERS if closer.startswith(("</", "[/"))]
)
def test_text_before_a_lone_closer_of_any_family_is_reasoning(closer: str) -> None:
    assert split_every_way(f"plan{closer}\n\nanswer") == ("answer", "plan")
    assert split(f"plan{closer}answer", "implicit") == ("answer", "plan")


def test_end_marks_of_an_answer_are_no_lone_closers() -> None:
    for end in ("<|end|>", "<|end_message|>", "<|return|>"):
        assert split_every_way(f"answer{end}") == (f"answer{end}", None)


def test_answer_header_after_an_opener_in_the_chat_template() -> None:
    text = f"plan<|end|>{FINAL}answer<|return|>"
    assert split_every_way(text) == ("answer", "plan")
    assert split(text, "implicit") == ("answer", "plan")
    apriel = "1. plan\n[BEGIN FINAL RESPONSE]\nParis\n[END FINAL RESPONSE]"
    assert split(apriel, hold=True) == ("Paris\n", "1. plan")
    assert split(apriel, "implicit") == ("Paris\n", "1. plan")


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        (f"{ANALYSIS}plan<|end|>{FINAL}answer", "answer", "plan"),
        (f"{ANALYSIS}plan<|end|>{FINAL}answer<|return|>\n", "answer", "plan"),
        (f"{ANALYSIS}plan<|end|>answer", "answer", "plan"),
        (f"{ANALYSIS}plan{FINAL}answer", "answer", "plan"),
        (f"{ANALYSIS}plan<|channel|>final<|message|>answer", "answer", "plan"),
        (f"{FINAL}answer<|end|>", "answer", None),
        ("<|start|>assistant<|message|>answer", "answer", None),
        (f"{ANALYSIS}a<|end|>\n<|start|>assistant{ANALYSIS}b<|end|>{FINAL}c", "c", "a\n\nb"),
        ("<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>", "", "{}"),
        ("<|start|>assistant to=f.g<|channel|>commentary json<|message|>{}<|call|>", "", "{}"),
        ("<|channel|>analysis to=python code<|message|>1+1<|call|>", "", "1+1"),
        ('<|channel|>final <|constrain|>json<|message|>{"a": 1}<|return|>', '{"a": 1}', None),
        (f"{FINAL}a<|end|>{FINAL}b<|return|>", "a\n\nb", None),
        (f"{FINAL}a<|end|><|start|>assistant{ANALYSIS}b<|end|>{FINAL}c", "a\n\nc", "b"),
    ],
)
def test_harmony_s_channels(text: str, answer: str, reasoning: str | None) -> None:
    assert split_every_way(text) == (answer, reasoning)


@pytest.mark.parametrize(
    "text",
    [
        "a message ends with <|end|> and then",
        "the marks are `<|end|>` and `<|return|>`",
        f"So:\n```\n{ANALYSIS}plan<|end|>\n{FINAL}a<|return|>\n```\nthat is all",
        "a <|retu",
        "a <",
        '"<|return|>',
    ],
)
def test_harmony_s_ends_inside_its_answer_are_text(text: str) -> None:
    assert split_every_way(f"{FINAL}{text}") == (text, None)


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|> is what a header holds",
        "<|channel|>analysis is a channel, final another",
        "<|channel|>other<|message|>text",
        "<|start|>user<|message|>text",
        "<|message|>text",
        "<|chan",
    ],
)
def test_text_that_is_no_harmony_header_stays_text(text: str) -> None:
    assert split_every_way(text) == (text, None)


def test_cut_header_is_reasoning_and_not_answer() -> None:
    rest = "<|start|>assistant<|channel|>fin"
    assert split_every_way(f"{ANALYSIS}plan<|end|>{rest}") == ("", f"plan\n\n{rest}")
    assert split_every_way("<|channel|>analys") == ("", "<|channel|>analys")
    assert split_every_way(f"{FINAL}answer<|end|>{rest}") == ("answer", rest)


def test_reasoning_and_answer_in_channels_are_streamed() -> None:
    splitter = TagSplitter()
    assert list(splitter.feed(f"{ANALYSIS}pl")) == [Reasoning("pl")]
    assert list(splitter.feed(f"an<|end|>{FINAL}")) == [Reasoning("an")]
    assert list(splitter.feed("ans")) == [Text("ans")]
    assert list(splitter.feed("wer<|ret")) == [Text("wer")]


def test_a_flood_of_marks_takes_few_steps() -> None:
    """Each of these takes minutes if every mark is compared with all the text before it."""
    many = 30_000
    assert split(["<think>" * many])[0] == ""
    assert split([f"{FINAL}{'<|end|>' * many}x"])[0] == "<|end|>" * many + "x"
    assert split([f"{FINAL}{'<|end|> x' * many}"])[0] == "<|end|> x" * many
    assert split(["a" + "<think></think>" * many])[0] == "a" + "<think></think>" * many


def test_no_mark_is_a_prefix_of_another() -> None:
    for mark in OPENERS_AND_LONE_CLOSERS:
        assert not [
            other for other in OPENERS_AND_LONE_CLOSERS if other != mark and other.startswith(mark)
        ]


def test_every_prefix_of_a_block_mark_waits_for_more() -> None:
    for mark in ALL_MARKS:
        block = parse_block_start(mark)
        if block and block[0] == len(mark):
            assert all(is_block_prefix(mark[:size]) for size in range(1, len(mark)))


def test_docs_page_has_every_mark_with_a_source() -> None:
    page = PAGE.read_text("utf-8").replace("\\|", "|")
    assert [mark for mark in ALL_MARKS if not all(part in page for part in parts(mark))] == []
    assert all(f"`{name}`" in page for name in HARMONY_CHANNELS)
    rows = re.findall(r"^\| .*…", page, re.MULTILINE)
    assert len(rows) >= 20
    assert all("](https://" in row for row in page.splitlines() if "…" in row and row[0] == "|")


def parts(mark: str) -> list[str]:
    """The words of a mark: the page writes those that several headers share only once."""
    return re.findall(r"<[^<>]+>|\[[^\]]+\]|◁[^▷]+▷", mark)
